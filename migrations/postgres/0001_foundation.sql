-- Times are Unix milliseconds, days are days since 1970-01-01 (UTC), money is minor units of the
-- currency. Ids carry their own time (see src/domain/id.rs), so "newest first" is ORDER BY id DESC.

-- Every process that makes ids takes the next number, so that no two make the same.
CREATE TABLE instances (last BIGINT NOT NULL);
INSERT INTO instances (last) VALUES (0);

-- People -----------------------------------------------------------------------------------------

CREATE TABLE accounts (
  id BIGINT NOT NULL PRIMARY KEY,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  password_hash TEXT,
  -- How they like to read.
  theme TEXT NOT NULL DEFAULT 'system' CHECK (theme IN ('system', 'light', 'dark')),
  number_style TEXT NOT NULL DEFAULT 'comma' CHECK (number_style IN ('comma', 'point', 'space', 'apostrophe')),
  time_zone TEXT NOT NULL DEFAULT 'UTC',
  has_shortcuts BOOLEAN NOT NULL DEFAULT TRUE,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

CREATE TABLE sessions (
  id_hash TEXT NOT NULL PRIMARY KEY,
  account_id BIGINT REFERENCES accounts (id),
  data TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  last_seen_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_account ON sessions (account_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- The one-time address under which the first account and program are made.
CREATE TABLE setup_tokens (
  token_hash TEXT NOT NULL PRIMARY KEY,
  created_at BIGINT NOT NULL
);

-- Programs ---------------------------------------------------------------------------------------

CREATE TABLE programs (
  id BIGINT NOT NULL PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  currency TEXT NOT NULL,
  rate_bps BIGINT NOT NULL CHECK (rate_bps BETWEEN 0 AND 10000),
  attribution_days BIGINT NOT NULL CHECK (attribution_days BETWEEN 1 AND 400),
  landing_url TEXT,
  domains TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL
);

-- How many affiliates of each status a program has.
CREATE TABLE program_totals (
  program_id BIGINT NOT NULL PRIMARY KEY REFERENCES programs (id),
  active BIGINT NOT NULL DEFAULT 0,
  pending BIGINT NOT NULL DEFAULT 0,
  blocked BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE memberships (
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  program_id BIGINT NOT NULL REFERENCES programs (id),
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'finance', 'manager', 'viewer')),
  created_at BIGINT NOT NULL,
  PRIMARY KEY (account_id, program_id)
);
CREATE INDEX memberships_program ON memberships (program_id);

CREATE TABLE api_keys (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  name TEXT NOT NULL,
  prefix TEXT NOT NULL,
  last_four TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  scope TEXT NOT NULL CHECK (scope IN ('full', 'read', 'track')),
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT,
  last_used_at BIGINT
);
CREATE INDEX api_keys_program ON api_keys (program_id);

-- Affiliates -------------------------------------------------------------------------------------

CREATE TABLE affiliates (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  account_id BIGINT REFERENCES accounts (id),
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('active', 'pending', 'blocked')),
  payment_method TEXT CHECK (payment_method IN ('paypal', 'wise', 'bank', 'other')),
  payment_details TEXT,
  custom_fields TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  UNIQUE (program_id, email_key)
);
-- With all that a list shows, so that it is read from here in one go.
CREATE INDEX affiliates_program ON affiliates (program_id, id, email, name, status, created_at);
CREATE INDEX affiliates_status ON affiliates (program_id, status, id);
CREATE INDEX affiliates_account ON affiliates (account_id) WHERE account_id IS NOT NULL;

-- One code of an affiliate is current; those given up stay theirs.
CREATE TABLE codes (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  code_key TEXT NOT NULL,
  code TEXT NOT NULL,
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  is_current BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (program_id, code_key)
);
CREATE UNIQUE INDEX codes_current ON codes (affiliate_id) WHERE is_current;

-- What pages and lists show of an affiliate, changed in the transaction of what it counts.
CREATE TABLE affiliate_totals (
  affiliate_id BIGINT NOT NULL PRIMARY KEY REFERENCES affiliates (id),
  program_id BIGINT NOT NULL REFERENCES programs (id),
  clicks BIGINT NOT NULL DEFAULT 0,
  conversions BIGINT NOT NULL DEFAULT 0,
  sales_minor BIGINT NOT NULL DEFAULT 0,
  pending_count BIGINT NOT NULL DEFAULT 0,
  approved_count BIGINT NOT NULL DEFAULT 0,
  paid_count BIGINT NOT NULL DEFAULT 0,
  rejected_count BIGINT NOT NULL DEFAULT 0,
  pending_minor BIGINT NOT NULL DEFAULT 0,
  approved_minor BIGINT NOT NULL DEFAULT 0,
  paid_minor BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX affiliate_totals_program ON affiliate_totals (program_id);

CREATE TABLE affiliate_days (
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  day BIGINT NOT NULL,
  clicks BIGINT NOT NULL DEFAULT 0,
  conversions BIGINT NOT NULL DEFAULT 0,
  sales_minor BIGINT NOT NULL DEFAULT 0,
  earned_minor BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (affiliate_id, day)
) WITH (fillfactor = 70);

-- Clicks -----------------------------------------------------------------------------------------

-- Addresses and browsers repeat; a click refers to their text.
CREATE TABLE texts (
  id INTEGER NOT NULL PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
  hash BIGINT NOT NULL UNIQUE,
  text TEXT NOT NULL
);

-- Without foreign keys: the statement that records a click reads what it refers to, which is never deleted,
-- and checking again costs as much as the click.
-- Without an index by affiliate: its entries lie on a page for each affiliate, which was three quarters of what a
-- commit wrote. affiliate_days says on which days an affiliate has clicks, and a day is a range of ids.
CREATE TABLE clicks (
  id BIGINT NOT NULL PRIMARY KEY,
  affiliate_id BIGINT NOT NULL,
  ip_hash BIGINT,
  source_id INTEGER,
  user_agent_id INTEGER
);

-- Sales ------------------------------------------------------------------------------------------

-- Words are compared two at a time: for a longer list SQLite makes a table, anew for each row that it checks.

CREATE TABLE customers (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  -- 'id:' and the merchant's own customer id, or 'email:' and the keyed hash of the address.
  identity TEXT NOT NULL,
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  created_at BIGINT NOT NULL,
  UNIQUE (program_id, identity)
);

CREATE TABLE conversions (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  click_id BIGINT,
  customer_id BIGINT REFERENCES customers (id),
  order_id TEXT,
  amount_minor BIGINT NOT NULL CHECK (amount_minor >= 0),
  -- As first answered, whatever becomes of the commission or the code.
  commission_minor BIGINT NOT NULL,
  referral_code TEXT NOT NULL,
  attributed_by TEXT NOT NULL CHECK (attributed_by = 'click' OR attributed_by IN ('code', 'code_after_expired_click') OR attributed_by IN ('coupon', 'customer')),
  conflict BOOLEAN NOT NULL,
  customer TEXT,
  products TEXT,
  refunded_minor BIGINT NOT NULL DEFAULT 0 CHECK (refunded_minor BETWEEN 0 AND amount_minor),
  created_at BIGINT NOT NULL,
  UNIQUE (program_id, order_id)
);
CREATE INDEX conversions_program ON conversions (program_id, id);
CREATE INDEX conversions_affiliate ON conversions (affiliate_id, id);

CREATE TABLE refunds (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  conversion_id BIGINT NOT NULL REFERENCES conversions (id),
  refund_key TEXT,
  amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
  reversed_minor BIGINT NOT NULL CHECK (reversed_minor >= 0),
  reason TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (program_id, refund_key)
);
CREATE INDEX refunds_conversion ON refunds (conversion_id);

CREATE TABLE commissions (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  -- The sale it comes of; an adjustment comes of none.
  conversion_id BIGINT REFERENCES conversions (id),
  kind TEXT NOT NULL CHECK (kind IN ('sale', 'adjustment') OR kind IN ('reversal', 'restoration')),
  -- What is owed now: less than the original by what refunds took back before it was paid.
  amount_minor BIGINT NOT NULL,
  original_minor BIGINT NOT NULL,
  rate_bps BIGINT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'approved') OR status IN ('paid', 'rejected')),
  reason TEXT,
  -- The line of a payout that holds it, while that is open, and by which it was paid afterwards.
  payout_line_id BIGINT,
  refund_id BIGINT REFERENCES refunds (id),
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  approved_at BIGINT,
  paid_at BIGINT,
  -- When it may be paid at the earliest, once it is approved.
  payable_at BIGINT NOT NULL,
  CHECK ((status = 'paid') = (paid_at IS NOT NULL)),
  CHECK ((kind = 'adjustment') = (conversion_id IS NULL))
);
CREATE INDEX commissions_program ON commissions (program_id, id);
CREATE INDEX commissions_status ON commissions (program_id, status, id);
CREATE INDEX commissions_affiliate ON commissions (affiliate_id, id);
CREATE INDEX commissions_conversion ON commissions (conversion_id);

-- How money moved. A balance is the sum of entries: what is owed and not yet paid.
CREATE TABLE ledger_entries (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  currency TEXT NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('earn', 'reverse') OR kind IN ('pay', 'unpay') OR kind = 'adjust'),
  amount_minor BIGINT NOT NULL CHECK (amount_minor <> 0),
  commission_id BIGINT REFERENCES commissions (id),
  -- The line of a payout that was paid, or came back.
  payout_line_id BIGINT,
  refund_id BIGINT REFERENCES refunds (id),
  created_at BIGINT NOT NULL
);
CREATE INDEX ledger_entries_commission ON ledger_entries (commission_id);

CREATE FUNCTION ledger_entries_forever() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'ledger entries are never changed or deleted'; END $$;
CREATE TRIGGER ledger_entries_no_change BEFORE UPDATE OR DELETE ON ledger_entries
FOR EACH ROW EXECUTE FUNCTION ledger_entries_forever();
CREATE TRIGGER ledger_entries_no_truncate BEFORE TRUNCATE ON ledger_entries
FOR EACH STATEMENT EXECUTE FUNCTION ledger_entries_forever();

-- The house --------------------------------------------------------------------------------------

CREATE TABLE audit_log (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT REFERENCES programs (id),
  -- 'key:key_…', 'account:acct_…' or 'command line'.
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  before TEXT,
  after TEXT,
  reason TEXT,
  created_at BIGINT NOT NULL
);
CREATE INDEX audit_log_program ON audit_log (program_id, id);
CREATE INDEX audit_log_subject ON audit_log (subject);

CREATE FUNCTION audit_log_forever() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is never changed or deleted'; END $$;
CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE ON audit_log
FOR EACH ROW EXECUTE FUNCTION audit_log_forever();
CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log
FOR EACH STATEMENT EXECUTE FUNCTION audit_log_forever();

-- A key's first successful answer, replayed for a day.
CREATE TABLE idempotency (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status BIGINT NOT NULL,
  location TEXT,
  body TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (program_id, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- Work for later, enqueued in the transaction of its cause.
CREATE TABLE jobs (
  id BIGINT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  -- At most one job of a kind and key waits.
  key TEXT NOT NULL,
  run_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  locked_until BIGINT,
  last_error TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (kind, key)
);
CREATE INDEX jobs_due ON jobs (run_at);
