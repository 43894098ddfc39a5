-- Merchants: people who sign in, their sessions, the review of their business, and what their systems send in.

-- 'pending' until its papers are approved; 'active' sends and reads orders; 'suspended' may do nothing.
ALTER TABLE companies ADD COLUMN state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('pending', 'active', 'suspended'));

-- When the e-mail address was proven; people of before were set up by a link that proved more.
ALTER TABLE accounts ADD COLUMN verified_at INTEGER;
ALTER TABLE accounts ADD COLUMN suspended_at INTEGER;
-- Wrong passwords since the last right one, and until when no further one is looked at.
ALTER TABLE accounts ADD COLUMN failed_logins INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN locked_until INTEGER;
UPDATE accounts SET verified_at = created_at;

-- One-time codes sent by mail; a new one replaces the old. `mac` is keyed: six digits are guessed from a plain hash.
CREATE TABLE account_codes (
    account_id BLOB NOT NULL REFERENCES accounts (id) CHECK (length(account_id) = 16),
    purpose TEXT NOT NULL,
    mac BLOB,
    tries INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    sent_at INTEGER NOT NULL,
    -- Codes asked for since `window_began`.
    sends INTEGER NOT NULL,
    window_began INTEGER NOT NULL,
    PRIMARY KEY (account_id, purpose)
) STRICT, WITHOUT ROWID;

-- One row per sign-in. A refresh replaces `refresh_hash`; the one before it is remembered to tell a repeat from a theft.
CREATE TABLE sessions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account_id BLOB NOT NULL REFERENCES accounts (id) CHECK (length(account_id) = 16),
    -- 'full', or 'onboarding': of a company that waits for its approval, good for handing in papers only.
    kind TEXT NOT NULL CHECK (kind IN ('full', 'onboarding')),
    refresh_hash BLOB NOT NULL,
    previous_hash BLOB,
    rotated_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    revoked_at INTEGER,
    revoked_for TEXT,
    user_agent TEXT
) STRICT;

-- What a company says about its business, and what was decided. `content` is sealed with the deployment's key.
CREATE TABLE kyc_submissions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    state TEXT NOT NULL CHECK (state IN ('submitted', 'approved', 'rejected')),
    legal_name TEXT NOT NULL,
    registration_number TEXT NOT NULL,
    country TEXT NOT NULL,
    address TEXT NOT NULL,
    website TEXT,
    phone TEXT,
    submitted_by BLOB NOT NULL CHECK (length(submitted_by) = 16),
    submitted_at INTEGER NOT NULL,
    decided_by TEXT,
    decided_at INTEGER,
    reason TEXT
) STRICT;

CREATE TABLE kyc_documents (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    submission_id BLOB NOT NULL REFERENCES kyc_submissions (id) CHECK (length(submission_id) = 16),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    content BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Secrets a company signs its webhooks with; sealed, for a signature can only be checked with the secret itself.
CREATE TABLE webhook_secrets (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    -- 'ordercast', or the platform that made it: 'shopify', 'woocommerce'.
    source TEXT NOT NULL,
    sealed BLOB NOT NULL,
    last_four TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    -- When the merchant was shown it; null until then, which may happen once.
    shown_at INTEGER
) STRICT;

-- Everything that was sent in, as it came, with what was made of it.
CREATE TABLE inbox (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    source TEXT NOT NULL,
    topic TEXT,
    -- What the sender calls the delivery; the same twice is a repeat.
    delivery_id TEXT,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    -- What the body is about in the sender's words (an order, a parcel of it), and when it says it was so: of two
    -- about the same, the later one counts, whichever came first.
    subject TEXT,
    occurred_at INTEGER,
    customer_contact TEXT,
    verdict TEXT NOT NULL,
    result TEXT NOT NULL,
    order_id BLOB CHECK (length(order_id) = 16),
    runs INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    processed_at INTEGER,
    UNIQUE (company_id, source, delivery_id)
) STRICT;

-- A company's own words for statuses.
CREATE TABLE inbound_statuses (
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    source TEXT NOT NULL,
    theirs TEXT NOT NULL,
    ours TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (company_id, source, theirs)
) STRICT, WITHOUT ROWID;

-- Customers as merchants' systems number them; `contact` is the lower-case e-mail address or the telephone number.
-- A purge replaces the contact and keeps the row, so that no number is given twice.
CREATE TABLE customers (
    id INTEGER NOT NULL PRIMARY KEY,
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    contact TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (company_id, contact)
) STRICT;

CREATE INDEX accounts_by_company ON accounts (company_id, id);
CREATE INDEX sessions_by_account ON sessions (account_id, id);
CREATE INDEX sessions_by_revocation ON sessions (revoked_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX kyc_submissions_by_state ON kyc_submissions (state, submitted_at, id);
CREATE INDEX kyc_submissions_by_company ON kyc_submissions (company_id, submitted_at);
CREATE INDEX kyc_documents_by_submission ON kyc_documents (submission_id);
CREATE INDEX webhook_secrets_by_company ON webhook_secrets (company_id, source, created_at);
CREATE INDEX inbox_by_company ON inbox (company_id, received_at, id);
CREATE INDEX inbox_by_age ON inbox (received_at);
CREATE INDEX inbox_by_subject ON inbox (company_id, source, subject);
CREATE INDEX inbox_by_verdict ON inbox (verdict, received_at);
CREATE INDEX inbox_by_customer ON inbox (company_id, customer_contact);
CREATE INDEX orders_by_customer ON orders (company_id, customer_email);
