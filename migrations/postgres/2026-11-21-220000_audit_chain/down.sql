-- Takes the rows of the audit trail out of their chains.
DROP TABLE audit_chains;
DROP INDEX audit_log_by_place;
ALTER TABLE audit_log DROP COLUMN lane, DROP COLUMN n, DROP COLUMN previous, DROP COLUMN hash;
