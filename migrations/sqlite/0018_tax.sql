-- Tax ----------------------------------------------------------------------------------------------

-- The merchant as the law knows them, and what affiliates are asked for; the defaults where there is no row.
CREATE TABLE tax_settings (
  program_id INTEGER NOT NULL PRIMARY KEY REFERENCES programs (id),
  name TEXT,
  address TEXT,
  -- Two letters of ISO 3166.
  country TEXT,
  vat_id TEXT,
  asks TEXT NOT NULL CHECK (asks IN ('none', 'first') OR asks IN ('reported', 'amount')),
  from_minor BIGINT NOT NULL CHECK (from_minor >= 0),
  self_billing BOOLEAN NOT NULL,
  prefix TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE tax_profiles (
  affiliate_id INTEGER NOT NULL PRIMARY KEY REFERENCES affiliates (id),
  is_company BOOLEAN NOT NULL,
  country TEXT NOT NULL,
  -- Name, address and numbers.
  sealed TEXT NOT NULL,
  -- What they charge at home, in basis points.
  vat_bps BIGINT CHECK (vat_bps BETWEEN 0 AND 10000),
  form TEXT CHECK (form IN ('w9', 'w8ben') OR form = 'w8ben_e'),
  signed_at BIGINT,
  -- When the program had it and had looked at it.
  checked_at BIGINT,
  updated_at BIGINT NOT NULL
);

-- Who may have their invoices written by the program, since when and by which words. The id says when.
CREATE TABLE self_billing_agreements (
  id INTEGER NOT NULL PRIMARY KEY,
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  version BIGINT NOT NULL,
  withdrawn_at BIGINT
);
CREATE UNIQUE INDEX self_billing_agreements_current ON self_billing_agreements (affiliate_id) WHERE withdrawn_at IS NULL;

-- The last number that was given out. Whoever takes the next holds this row until its invoice is there or neither is.
CREATE TABLE invoice_series (
  program_id INTEGER NOT NULL PRIMARY KEY REFERENCES programs (id),
  last_number BIGINT NOT NULL
);

-- Self-billing invoices and their credit notes as they were issued: whatever changes afterwards.
CREATE TABLE invoices (
  id INTEGER NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  payout_line_id BIGINT NOT NULL REFERENCES payout_lines (id),
  number BIGINT NOT NULL,
  -- As it is written.
  label TEXT NOT NULL,
  -- Of a credit note: the invoice that it takes back.
  corrects_id BIGINT REFERENCES invoices (id),
  agreed_at BIGINT NOT NULL,
  -- The first and the last moment of what it is for.
  from_at BIGINT NOT NULL,
  until_at BIGINT NOT NULL,
  commission_count BIGINT NOT NULL,
  currency TEXT NOT NULL,
  net_minor BIGINT NOT NULL,
  vat_minor BIGINT NOT NULL,
  vat_bps BIGINT,
  treatment TEXT NOT NULL CHECK (treatment IN ('domestic', 'reverse_charge') OR treatment IN ('not_registered', 'outside_scope')),
  -- Sealed.
  supplier TEXT NOT NULL,
  customer TEXT NOT NULL,
  issued_at BIGINT NOT NULL,
  UNIQUE (program_id, number)
);
CREATE UNIQUE INDEX invoices_line ON invoices (payout_line_id) WHERE corrects_id IS NULL;
CREATE UNIQUE INDEX invoices_corrects ON invoices (corrects_id) WHERE corrects_id IS NOT NULL;
CREATE INDEX invoices_affiliate ON invoices (affiliate_id, id);

CREATE TRIGGER invoices_no_update BEFORE UPDATE ON invoices
BEGIN SELECT RAISE(ABORT, 'invoices are never changed'); END;
CREATE TRIGGER invoices_no_delete BEFORE DELETE ON invoices
BEGIN SELECT RAISE(ABORT, 'invoices are never deleted'); END;
