-- Indexes of columns that may be empty leave the empty ones out; repeats are looked for in all companies at once.
CREATE INDEX orders_by_external_id ON orders (external_id) WHERE external_id IS NOT NULL;
DROP INDEX orders_by_tracking_number;
CREATE INDEX orders_by_tracking_number ON orders (tracking_number) WHERE tracking_number IS NOT NULL;
DROP INDEX orders_by_customer;
CREATE INDEX orders_by_customer ON orders (company_id, customer_email) WHERE customer_email IS NOT NULL;
