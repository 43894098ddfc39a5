-- Drops everything the first migration made, dependants first.
DROP TABLE setup_links;
DROP TABLE idempotency_keys;
DROP TABLE jobs;
DROP TABLE audit_log;
DROP TABLE tracking_passes;
DROP TABLE order_events;
DROP TABLE orders;
DROP TABLE api_tokens;
DROP TABLE accounts;
DROP TABLE companies;
