-- Money: what vendors are owed, from commission to payout, as an append-only double-entry ledger in minor units.

-- Since when the company sells on the platform's marketplace: orders it delivers from then on are credited to its
-- wallet. Null: the platform's own shop.
ALTER TABLE companies ADD COLUMN marketplace_since timestamptz;
-- Days a credit is held back; null: the deployment's setting.
ALTER TABLE companies ADD COLUMN hold_days integer CHECK (hold_days BETWEEN 0 AND 3650);
UPDATE companies SET marketplace_since = now()
WHERE EXISTS (SELECT 1 FROM accounts WHERE accounts.company_id = companies.id AND accounts.role = 'vendor');

ALTER TABLE orders ADD COLUMN category text COLLATE "C";
-- Which person caused an event, and in which role: 'vendor', 'admin', 'super_admin'.
ALTER TABLE order_events ADD COLUMN actor_id text;
ALTER TABLE order_events ADD COLUMN actor_role text;

-- What the platform keeps of a sale, in hundredths of a percent. Never changed: the newest of its scope that holds wins.
CREATE TABLE commission_rates (
    id uuid NOT NULL PRIMARY KEY,
    company_id uuid REFERENCES companies (id),
    category text COLLATE "C",
    basis_points integer NOT NULL CHECK (basis_points BETWEEN 0 AND 10000),
    holds_from timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL
);

-- The commission of an order, with the total it was calculated on.
CREATE TABLE order_commissions (
    order_id uuid NOT NULL PRIMARY KEY REFERENCES orders (id),
    currency text COLLATE "C" NOT NULL,
    total bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount BETWEEN 0 AND total),
    -- The rate in words, and the arithmetic as JSON.
    rate text NOT NULL,
    lines text NOT NULL,
    calculated_at timestamptz NOT NULL
);

-- Balances: credits minus debits of the postings, kept in their transactions. `id` is 'world/USD', 'commission/USD' or
-- '<company>/USD/held'.
CREATE TABLE ledger_accounts (
    id text COLLATE "C" NOT NULL PRIMARY KEY,
    company_id uuid REFERENCES companies (id),
    currency text COLLATE "C" NOT NULL,
    balance bigint NOT NULL
);

CREATE TABLE payouts (
    id uuid NOT NULL PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES companies (id),
    currency text COLLATE "C" NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    state text COLLATE "C" NOT NULL CHECK (state IN ('requested', 'approved', 'refused', 'paid')),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    decided_by text,
    decided_at timestamptz,
    paid_at timestamptz,
    -- Why it was refused, or what the bank calls the transfer.
    note text
);

CREATE TABLE ledger_transactions (
    id uuid NOT NULL PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN
        ('credit', 'reversal', 'release', 'payout_request', 'payout_paid', 'payout_refused', 'adjustment')),
    company_id uuid NOT NULL REFERENCES companies (id),
    currency text COLLATE "C" NOT NULL,
    order_id uuid REFERENCES orders (id),
    -- How often the order has been credited: 1, and one more after each reversal.
    round integer,
    payout_id uuid REFERENCES payouts (id),
    reason text,
    actor_kind text NOT NULL,
    actor_name text NOT NULL,
    at timestamptz NOT NULL,
    UNIQUE (order_id, kind, round),
    UNIQUE (payout_id, kind)
);

CREATE TABLE ledger_postings (
    transaction_id uuid NOT NULL REFERENCES ledger_transactions (id),
    line integer NOT NULL,
    debit_account text COLLATE "C" NOT NULL REFERENCES ledger_accounts (id),
    credit_account text COLLATE "C" NOT NULL REFERENCES ledger_accounts (id),
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (transaction_id, line),
    CHECK (debit_account <> credit_account)
);

-- Where the credit of an order stands. At most one of an order is open: not reversed.
CREATE TABLE order_credits (
    order_id uuid NOT NULL REFERENCES orders (id),
    round integer NOT NULL,
    company_id uuid NOT NULL REFERENCES companies (id),
    currency text COLLATE "C" NOT NULL,
    vendor_amount bigint NOT NULL CHECK (vendor_amount >= 0),
    commission_amount bigint NOT NULL CHECK (commission_amount >= 0),
    state text COLLATE "C" NOT NULL CHECK (state IN ('held', 'available', 'reversed')),
    credited_at timestamptz NOT NULL,
    release_at timestamptz NOT NULL,
    -- While the customer disputes the delivery, the credit is not released.
    disputed_at timestamptz,
    PRIMARY KEY (order_id, round)
);

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
CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$;
CREATE TRIGGER ledger_postings_stay BEFORE UPDATE OR DELETE ON ledger_postings
FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE OR DELETE ON ledger_transactions
FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_postings_remain BEFORE TRUNCATE ON ledger_postings
FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_transactions_remain BEFORE TRUNCATE ON ledger_transactions
FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();
