-- Money: what vendors are owed, from commission to payout, as an append-only double-entry ledger in minor units.

-- Since when the company sells on the platform's marketplace: orders it delivers from then on are credited to its
-- wallet. Null: the platform's own shop.
ALTER TABLE companies ADD COLUMN marketplace_since INTEGER;
-- Days a credit is held back; null: the deployment's setting.
ALTER TABLE companies ADD COLUMN hold_days INTEGER CHECK (hold_days BETWEEN 0 AND 3650);
UPDATE companies SET marketplace_since = CAST(unixepoch('subsec') * 1000000 AS INTEGER)
WHERE EXISTS (SELECT 1 FROM accounts WHERE accounts.company_id = companies.id AND accounts.role = 'vendor');

ALTER TABLE orders ADD COLUMN category TEXT;
-- Which person caused an event, and in which role: 'vendor', 'admin', 'super_admin'.
ALTER TABLE order_events ADD COLUMN actor_id TEXT;
ALTER TABLE order_events ADD COLUMN actor_role TEXT;

-- What the platform keeps of a sale, in hundredths of a percent. Never changed: the newest of its scope that holds wins.
CREATE TABLE commission_rates (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id BLOB REFERENCES companies (id) CHECK (length(company_id) = 16),
    category TEXT,
    basis_points INTEGER NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    holds_from INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
) STRICT;

-- The commission of an order, with the total it was calculated on.
CREATE TABLE order_commissions (
    order_id BLOB NOT NULL PRIMARY KEY REFERENCES orders (id) CHECK (length(order_id) = 16),
    currency TEXT NOT NULL,
    total INTEGER NOT NULL,
    amount INTEGER NOT NULL CHECK (amount BETWEEN 0 AND total),
    -- The rate in words, and the arithmetic as JSON.
    rate TEXT NOT NULL,
    lines TEXT NOT NULL,
    calculated_at INTEGER NOT NULL
) STRICT;

-- Balances: credits minus debits of the postings, kept in their transactions. `id` is 'world/USD', 'commission/USD' or
-- '<company>/USD/held'.
CREATE TABLE ledger_accounts (
    id TEXT NOT NULL PRIMARY KEY,
    company_id BLOB REFERENCES companies (id) CHECK (length(company_id) = 16),
    currency TEXT NOT NULL,
    balance INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE payouts (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    currency TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('requested', 'approved', 'refused', 'paid')),
    requested_by TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    decided_by TEXT,
    decided_at INTEGER,
    paid_at INTEGER,
    -- Why it was refused, or what the bank calls the transfer.
    note TEXT
) STRICT;

CREATE TABLE ledger_transactions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL CHECK (kind IN
        ('credit', 'reversal', 'release', 'payout_request', 'payout_paid', 'payout_refused', 'adjustment')),
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    currency TEXT NOT NULL,
    order_id BLOB REFERENCES orders (id) CHECK (length(order_id) = 16),
    -- How often the order has been credited: 1, and one more after each reversal.
    round INTEGER,
    payout_id BLOB REFERENCES payouts (id) CHECK (length(payout_id) = 16),
    reason TEXT,
    actor_kind TEXT NOT NULL,
    actor_name TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (order_id, kind, round),
    UNIQUE (payout_id, kind)
) STRICT;

CREATE TABLE ledger_postings (
    transaction_id BLOB NOT NULL REFERENCES ledger_transactions (id) CHECK (length(transaction_id) = 16),
    line INTEGER NOT NULL,
    debit_account TEXT NOT NULL REFERENCES ledger_accounts (id),
    credit_account TEXT NOT NULL REFERENCES ledger_accounts (id),
    amount INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (transaction_id, line),
    CHECK (debit_account <> credit_account)
) STRICT, WITHOUT ROWID;

-- Where the credit of an order stands. At most one of an order is open: not reversed.
CREATE TABLE order_credits (
    order_id BLOB NOT NULL REFERENCES orders (id) CHECK (length(order_id) = 16),
    round INTEGER NOT NULL,
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    currency TEXT NOT NULL,
    vendor_amount INTEGER NOT NULL CHECK (vendor_amount >= 0),
    commission_amount INTEGER NOT NULL CHECK (commission_amount >= 0),
    state TEXT NOT NULL CHECK (state IN ('held', 'available', 'reversed')),
    credited_at INTEGER NOT NULL,
    release_at INTEGER NOT NULL,
    -- While the customer disputes the delivery, the credit is not released.
    disputed_at INTEGER,
    PRIMARY KEY (order_id, round)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX order_credits_open ON order_credits (order_id) WHERE state <> 'reversed';
CREATE INDEX order_credits_due ON order_credits (state, release_at);
CREATE INDEX commission_rates_by_scope ON commission_rates (company_id, category, holds_from);
CREATE INDEX ledger_accounts_by_company ON ledger_accounts (company_id, currency);
CREATE INDEX ledger_transactions_by_company ON ledger_transactions (company_id, at, id);
CREATE INDEX ledger_postings_by_debit ON ledger_postings (debit_account);
CREATE INDEX ledger_postings_by_credit ON ledger_postings (credit_account);
CREATE INDEX payouts_by_company ON payouts (company_id, requested_at, id);
CREATE INDEX payouts_by_state ON payouts (state, requested_at, id);

-- What was written in the ledger stays as it is: a mistake is reversed by a further transaction.
CREATE TRIGGER ledger_postings_stay BEFORE UPDATE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_postings_remain BEFORE DELETE ON ledger_postings
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_transactions_remain BEFORE DELETE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
