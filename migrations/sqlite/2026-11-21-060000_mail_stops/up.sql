-- Orders whose customer wants no mail about them. No row: mail is sent.
CREATE TABLE mail_stops (
    order_id BLOB NOT NULL PRIMARY KEY REFERENCES orders (id) CHECK (length(order_id) = 16),
    stopped_at INTEGER NOT NULL
) STRICT;
