-- The audit trail in chains: each row holds the hash of the row before it in its chain, and its own. A row that was
-- written before has no place yet; the next start of the server gives it one, in chain -1.
ALTER TABLE audit_log ADD COLUMN lane INTEGER;
ALTER TABLE audit_log ADD COLUMN n INTEGER;
ALTER TABLE audit_log ADD COLUMN previous BLOB;
ALTER TABLE audit_log ADD COLUMN hash BLOB;
CREATE UNIQUE INDEX audit_log_by_place ON audit_log (lane, n);

-- The ends of the chains. There is one writer at a time, so the first is enough; PostgreSQL has more.
CREATE TABLE audit_chains (
    lane INTEGER NOT NULL PRIMARY KEY,
    n INTEGER NOT NULL,
    hash BLOB NOT NULL
) STRICT;
-- An empty hash: what came before is still to be given its place.
INSERT INTO audit_chains (lane, n, hash) VALUES (-1, 0, x''), (0, 0, zeroblob(32));
