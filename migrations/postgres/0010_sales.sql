-- How a program credits a sale ---------------------------------------------------------------------

-- Whether a customer who was brought once stays with who brought them ('first'), or goes with newer evidence.
ALTER TABLE programs ADD COLUMN touch TEXT NOT NULL DEFAULT 'last' CHECK (touch IN ('last', 'first'));
-- For how many days after that a sale without evidence is still theirs; empty is for ever, 0 not at all.
ALTER TABLE programs ADD COLUMN bound_days BIGINT CHECK (bound_days BETWEEN 0 AND 3650);
-- Whether a coupon decides against a link, or only where there is none.
ALTER TABLE programs ADD COLUMN coupon_wins BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE programs ADD COLUMN new_customers_only BOOLEAN NOT NULL DEFAULT FALSE;

-- A coupon of the merchant's shop that belongs to an affiliate. Archived, never deleted.
CREATE TABLE coupons (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  code TEXT NOT NULL,
  code_key TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  archived_at BIGINT,
  UNIQUE (program_id, code_key)
);
CREATE INDEX coupons_affiliate ON coupons (affiliate_id, id);

-- Customers ----------------------------------------------------------------------------------------

-- The keyed hash of the address, by which one is known who is named without the merchant's id.
ALTER TABLE customers ADD COLUMN email_hash TEXT;
CREATE INDEX customers_email ON customers (program_id, email_hash) WHERE email_hash IS NOT NULL;
-- Since when they belong to the affiliate.
ALTER TABLE customers ADD COLUMN bound_at BIGINT NOT NULL DEFAULT 0;
-- How many of their sales were credited.
ALTER TABLE customers ADD COLUMN sales BIGINT NOT NULL DEFAULT 0;
ALTER TABLE customers ADD COLUMN first_sale_at BIGINT;

-- Sales --------------------------------------------------------------------------------------------

ALTER TABLE conversions ADD COLUMN coupon TEXT;
-- Not the first of its customer.
ALTER TABLE conversions ADD COLUMN is_repeat BOOLEAN NOT NULL DEFAULT FALSE;

-- A refund that failed, or a dispute that was won: when, and how much commission that gave back, in minor units.
ALTER TABLE refunds ADD COLUMN restored_at BIGINT;
ALTER TABLE refunds ADD COLUMN restored_minor BIGINT NOT NULL DEFAULT 0;

-- What sales earn ------------------------------------------------------------------------------------

-- A rule never changes: another one takes its place, and what it made stays as it was made.
CREATE TABLE commission_rules (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  name TEXT NOT NULL,
  -- For everybody where there is none.
  affiliate_id BIGINT REFERENCES affiliates (id),
  -- A JSON array of the merchant's ids or numbers; for all where it is empty.
  products TEXT NOT NULL,
  sales TEXT NOT NULL CHECK (sales = 'all' OR sales IN ('first', 'repeat')),
  rate_bps BIGINT CHECK (rate_bps BETWEEN 0 AND 10000),
  flat_minor BIGINT CHECK (flat_minor >= 0),
  months BIGINT CHECK (months > 0),
  payments BIGINT CHECK (payments > 0),
  starts_at BIGINT NOT NULL,
  ends_at BIGINT,
  CHECK ((rate_bps IS NULL) <> (flat_minor IS NULL))
);
CREATE INDEX commission_rules_program ON commission_rules (program_id, id);

-- The rules and the arithmetic behind the amount, where the rate alone does not say it: JSON.
ALTER TABLE commissions ADD COLUMN explanation TEXT;
