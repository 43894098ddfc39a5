-- Companies' own ways through the statuses. A version never changes once it is written; `graph` is JSON.
CREATE TABLE workflows (
    company_id uuid NOT NULL REFERENCES companies (id),
    version integer NOT NULL,
    graph text NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (company_id, version),
    CHECK (version >= 1)
);

-- The version an order began with. An order without a row goes by the steps that all vendors have.
CREATE TABLE order_workflows (
    order_id uuid PRIMARY KEY REFERENCES orders (id),
    company_id uuid NOT NULL,
    version integer NOT NULL,
    FOREIGN KEY (company_id, version) REFERENCES workflows (company_id, version)
);

-- Moves that wait for somebody's word: a second person's approval or the customer's confirmation.
CREATE TABLE held_moves (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    company_id uuid NOT NULL,
    gate text NOT NULL,
    from_status text NOT NULL,
    to_status text NOT NULL,
    wish text NOT NULL,
    seq bigint NOT NULL,
    asked_by uuid NOT NULL,
    asked_by_name text NOT NULL,
    asked_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    state text NOT NULL,
    tries integer NOT NULL,
    decided_by text,
    decided_at timestamptz,
    reason text,
    CHECK (gate IN ('approval', 'confirmation'))
);

CREATE UNIQUE INDEX held_moves_open ON held_moves (order_id) WHERE state IN ('waiting', 'disputed');
CREATE INDEX held_moves_due ON held_moves (state, due_at);
CREATE INDEX held_moves_by_company ON held_moves (company_id, state, id);
CREATE INDEX held_moves_by_order ON held_moves (order_id, id);
