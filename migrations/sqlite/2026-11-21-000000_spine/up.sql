-- The tables of Ordercast on SQLite. STRICT: a value of another type is refused, as on PostgreSQL.
-- Identifiers are 16-byte blobs, points in time integer microseconds since 1970 (UTC), money integer minor units.

CREATE TABLE companies (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (slug)
) STRICT;

CREATE TABLE accounts (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    company_id BLOB REFERENCES companies (id) CHECK (length(company_id) = 16),
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (email)
) STRICT;

CREATE TABLE api_tokens (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    last_four TEXT NOT NULL,
    scopes TEXT NOT NULL,
    company_id BLOB REFERENCES companies (id) CHECK (length(company_id) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    revoked_at INTEGER,
    UNIQUE (name),
    UNIQUE (hash)
) STRICT;

CREATE TABLE orders (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    number TEXT NOT NULL,
    external_id TEXT,
    status TEXT NOT NULL,
    seq INTEGER NOT NULL,
    customer_name TEXT,
    customer_phone TEXT,
    customer_email TEXT,
    customer_locale TEXT,
    address TEXT,
    item_summary TEXT,
    items TEXT,
    total_amount INTEGER,
    total_currency TEXT,
    carrier TEXT,
    tracking_number TEXT,
    tracking_url TEXT,
    estimated_delivery TEXT,
    original_estimated_delivery TEXT,
    shipment_status TEXT,
    shipment_reason TEXT,
    courier_account TEXT,
    courier_id TEXT,
    notes TEXT,
    cancellation_reason TEXT,
    shipped_at INTEGER,
    delivered_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (company_id, number),
    UNIQUE (company_id, external_id),
    CHECK (seq >= 1)
) STRICT;

CREATE TABLE order_events (
    order_id BLOB NOT NULL REFERENCES orders (id) CHECK (length(order_id) = 16),
    seq INTEGER NOT NULL,
    id BLOB NOT NULL CHECK (length(id) = 16),
    company_id BLOB NOT NULL CHECK (length(company_id) = 16),
    "type" TEXT NOT NULL,
    status TEXT NOT NULL,
    previous_status TEXT,
    body TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    occurred_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, seq),
    UNIQUE (id),
    CHECK (seq >= 1)
) STRICT, WITHOUT ROWID;

CREATE TABLE tracking_passes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    order_id BLOB NOT NULL REFERENCES orders (id) CHECK (length(order_id) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;

CREATE TABLE audit_log (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT NOT NULL,
    company_id BLOB CHECK (length(company_id) = 16),
    subject TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    action TEXT NOT NULL,
    request_id TEXT,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE jobs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    dedupe_key TEXT,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    leased_until INTEGER,
    last_error TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (dedupe_key),
    CHECK (state IN ('queued', 'dead'))
) STRICT;

CREATE TABLE idempotency_keys (
    caller TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    status INTEGER,
    reply TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (caller, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE setup_links (
    hash BLOB NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;

CREATE INDEX orders_by_update ON orders (updated_at, id);
CREATE INDEX orders_by_company_update ON orders (company_id, updated_at, id);
CREATE INDEX orders_by_number ON orders (number);
CREATE INDEX orders_by_tracking_number ON orders (tracking_number);
CREATE INDEX tracking_passes_by_order ON tracking_passes (order_id);
CREATE INDEX tracking_passes_by_revocation ON tracking_passes (revoked_at);
CREATE INDEX api_tokens_by_revocation ON api_tokens (revoked_at);
CREATE INDEX audit_log_by_subject ON audit_log (subject, subject_id, at);
CREATE INDEX jobs_due ON jobs (state, run_at);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
