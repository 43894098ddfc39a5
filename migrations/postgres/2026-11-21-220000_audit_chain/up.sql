-- The audit trail in chains: each row holds the hash of the row before it in its chain, and its own. A row that was
-- written before has no place yet; the next start of the server gives it one, in chain -1.
ALTER TABLE audit_log
    ADD COLUMN lane integer,
    ADD COLUMN n bigint,
    ADD COLUMN previous bytea,
    ADD COLUMN hash bytea;
CREATE UNIQUE INDEX audit_log_by_place ON audit_log (lane, n);

-- The ends of the chains. A transaction takes any that nobody holds, so that none waits for another.
CREATE TABLE audit_chains (
    lane integer NOT NULL PRIMARY KEY,
    n bigint NOT NULL,
    hash bytea NOT NULL
) WITH (fillfactor = 10);
-- An empty hash: what came before is still to be given its place.
INSERT INTO audit_chains (lane, n, hash) VALUES (-1, 0, '');
INSERT INTO audit_chains (lane, n, hash) SELECT lane, 0, decode(repeat('00', 32), 'hex') FROM generate_series(0, 15) AS lane;
