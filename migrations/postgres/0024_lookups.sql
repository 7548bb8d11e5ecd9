-- Until it has statistics, PostgreSQL takes the index that was made last where several look the same to it, and a
-- prepared statement keeps to that: an order and an address are to be found by what is theirs alone.

ALTER TABLE conversions DROP CONSTRAINT conversions_program_id_order_id_key, ADD UNIQUE (program_id, order_id);
ALTER TABLE affiliates DROP CONSTRAINT affiliates_program_id_email_key_key, ADD UNIQUE (program_id, email_key);

-- In the order that they are read in: otherwise the first row found in it is looked for among all others'.

DROP INDEX customers_email;
CREATE INDEX customers_email ON customers (program_id, email_hash, id) WHERE email_hash IS NOT NULL;
DROP INDEX audit_log_subject;
CREATE INDEX audit_log_subject ON audit_log (subject, id);
