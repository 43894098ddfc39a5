-- Orders whose customer wants no mail about them. No row: mail is sent.
CREATE TABLE mail_stops (
    order_id uuid NOT NULL PRIMARY KEY REFERENCES orders (id),
    stopped_at timestamptz NOT NULL
);
