DROP INDEX orders_by_customer;
CREATE INDEX orders_by_customer ON orders (company_id, customer_email);
DROP INDEX orders_by_tracking_number;
CREATE INDEX orders_by_tracking_number ON orders (tracking_number);
DROP INDEX orders_by_external_id;
