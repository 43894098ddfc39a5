-- The tables of Ordercast on PostgreSQL. Texts that are compared or sorted use byte order (COLLATE "C"), as SQLite does.

CREATE TABLE companies (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    slug text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (slug)
);

CREATE TABLE accounts (
    id uuid NOT NULL PRIMARY KEY,
    email text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    role text NOT NULL,
    company_id uuid REFERENCES companies (id),
    password_hash text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (email)
);

CREATE TABLE api_tokens (
    id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    hash bytea NOT NULL,
    last_four text NOT NULL,
    scopes text NOT NULL,
    company_id uuid REFERENCES companies (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    UNIQUE (name),
    UNIQUE (hash)
);

CREATE TABLE orders (
    id uuid NOT NULL PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES companies (id),
    number text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    status text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    customer_name text,
    customer_phone text,
    customer_email text,
    customer_locale text,
    address text,
    item_summary text,
    items text,
    total_amount bigint,
    total_currency text,
    carrier text,
    tracking_number text COLLATE "C",
    tracking_url text,
    estimated_delivery text,
    original_estimated_delivery text,
    shipment_status text,
    shipment_reason text,
    courier_account text,
    courier_id text,
    notes text,
    cancellation_reason text,
    shipped_at timestamptz,
    delivered_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    UNIQUE (company_id, number),
    UNIQUE (company_id, external_id),
    CHECK (seq >= 1)
);

CREATE TABLE order_events (
    order_id uuid NOT NULL REFERENCES orders (id),
    seq bigint NOT NULL,
    id uuid NOT NULL,
    company_id uuid NOT NULL,
    "type" text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    previous_status text,
    body text NOT NULL,
    actor_kind text NOT NULL,
    actor_name text NOT NULL,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, seq),
    UNIQUE (id),
    CHECK (seq >= 1)
);

CREATE TABLE tracking_passes (
    id uuid NOT NULL PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);

CREATE TABLE audit_log (
    id uuid NOT NULL PRIMARY KEY,
    at timestamptz NOT NULL,
    actor_kind text NOT NULL,
    actor_id text,
    actor_name text NOT NULL,
    company_id uuid,
    subject text COLLATE "C" NOT NULL,
    subject_id text COLLATE "C" NOT NULL,
    action text NOT NULL,
    request_id text,
    detail text NOT NULL
);

CREATE TABLE jobs (
    id uuid NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    payload text NOT NULL,
    dedupe_key text COLLATE "C",
    state text COLLATE "C" NOT NULL,
    attempts integer NOT NULL,
    run_at timestamptz NOT NULL,
    leased_until timestamptz,
    last_error text,
    created_at timestamptz NOT NULL,
    UNIQUE (dedupe_key),
    CHECK (state IN ('queued', 'dead'))
);

CREATE TABLE idempotency_keys (
    caller text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    status integer,
    reply text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);

CREATE TABLE setup_links (
    hash bytea NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL,
    used_at timestamptz
);

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
