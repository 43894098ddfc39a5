-- Companies' own ways through the statuses. A version never changes once it is written; `graph` is JSON.
CREATE TABLE workflows (
    company_id BLOB NOT NULL REFERENCES companies (id) CHECK (length(company_id) = 16),
    version INTEGER NOT NULL,
    graph TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    retired_at INTEGER,
    PRIMARY KEY (company_id, version),
    CHECK (version >= 1)
) STRICT, WITHOUT ROWID;

-- The version an order began with. An order without a row goes by the steps that all vendors have.
CREATE TABLE order_workflows (
    order_id BLOB NOT NULL PRIMARY KEY REFERENCES orders (id) CHECK (length(order_id) = 16),
    company_id BLOB NOT NULL CHECK (length(company_id) = 16),
    version INTEGER NOT NULL,
    FOREIGN KEY (company_id, version) REFERENCES workflows (company_id, version)
) STRICT, WITHOUT ROWID;

-- Moves that wait for somebody's word: a second person's approval or the customer's confirmation.
CREATE TABLE held_moves (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    order_id BLOB NOT NULL REFERENCES orders (id) CHECK (length(order_id) = 16),
    company_id BLOB NOT NULL CHECK (length(company_id) = 16),
    gate TEXT NOT NULL,
    from_status TEXT NOT NULL,
    to_status TEXT NOT NULL,
    wish TEXT NOT NULL,
    seq INTEGER NOT NULL,
    asked_by BLOB NOT NULL CHECK (length(asked_by) = 16),
    asked_by_name TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL,
    decided_by TEXT,
    decided_at INTEGER,
    reason TEXT,
    CHECK (gate IN ('approval', 'confirmation'))
) STRICT;

CREATE UNIQUE INDEX held_moves_open ON held_moves (order_id) WHERE state IN ('waiting', 'disputed');
CREATE INDEX held_moves_due ON held_moves (state, due_at);
CREATE INDEX held_moves_by_company ON held_moves (company_id, state, id);
CREATE INDEX held_moves_by_order ON held_moves (order_id, id);
