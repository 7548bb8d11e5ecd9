-- Payouts ------------------------------------------------------------------------------------------

ALTER TABLE programs ADD COLUMN hold_days BIGINT NOT NULL DEFAULT 0 CHECK (hold_days BETWEEN 0 AND 365);

-- What the rest of a program's paying goes by; the defaults where it has no row.
CREATE TABLE payout_settings (
  program_id BIGINT NOT NULL PRIMARY KEY REFERENCES programs (id),
  minimum_minor BIGINT NOT NULL CHECK (minimum_minor >= 0),
  schedule TEXT NOT NULL CHECK (schedule IN ('none', 'weekly') OR schedule IN ('fortnightly', 'monthly')),
  -- A day: what fell due before it is not prepared.
  schedule_since BIGINT NOT NULL,
  may_request BOOLEAN NOT NULL,
  auto_approve BOOLEAN NOT NULL,
  -- Above it a person decides.
  auto_approve_most_minor BIGINT CHECK (auto_approve_most_minor >= 0),
  methods TEXT NOT NULL,
  -- The account that is paid from, for files that say it.
  payer_name TEXT,
  payer_account TEXT
);

-- Less than the program's minimum, or more, for this one.
ALTER TABLE affiliates ADD COLUMN minimum_minor BIGINT CHECK (minimum_minor >= 0);
-- When payment details that were there were changed by a person.
ALTER TABLE affiliates ADD COLUMN payment_changed_at BIGINT;
-- When they asked to be paid, until a payout takes them.
ALTER TABLE affiliates ADD COLUMN payout_requested_at BIGINT;
CREATE INDEX affiliates_requests ON affiliates (program_id) WHERE payout_requested_at IS NOT NULL;

-- One run: who is paid how much, in one currency.
CREATE TABLE payouts (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('draft', 'open') OR status IN ('paid', 'failed') OR status = 'cancelled'),
  -- What was payable by then.
  until_at BIGINT NOT NULL,
  -- Only who is paid this way, where one is named.
  method TEXT CHECK (method IN ('paypal', 'wise', 'bank', 'other')),
  -- Of the form that made it: sent twice, it makes one.
  token TEXT NOT NULL,
  line_count BIGINT NOT NULL,
  amount_minor BIGINT NOT NULL,
  actor TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  closed_at BIGINT,
  UNIQUE (program_id, token)
);
CREATE INDEX payouts_program ON payouts (program_id, id);

-- One affiliate's part of a run, and where it goes as it was when the run was made.
CREATE TABLE payout_lines (
  id BIGINT NOT NULL PRIMARY KEY,
  payout_id BIGINT NOT NULL REFERENCES payouts (id),
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  status TEXT NOT NULL CHECK (status IN ('open', 'paid') OR status IN ('failed', 'cancelled')),
  method TEXT NOT NULL CHECK (method IN ('paypal', 'wise', 'bank', 'other')),
  details TEXT NOT NULL,
  commission_count BIGINT NOT NULL,
  amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
  reason TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  paid_at BIGINT,
  UNIQUE (payout_id, affiliate_id)
);
-- A run is read line by line.
CREATE INDEX payout_lines_payout ON payout_lines (payout_id, id);
CREATE INDEX payout_lines_affiliate ON payout_lines (affiliate_id, id);

-- What a line held that went back to the balance.
CREATE TABLE payout_releases (
  payout_line_id BIGINT NOT NULL REFERENCES payout_lines (id),
  commission_id BIGINT NOT NULL REFERENCES commissions (id),
  amount_minor BIGINT NOT NULL,
  PRIMARY KEY (payout_line_id, commission_id)
);

CREATE INDEX commissions_payout_line ON commissions (payout_line_id, amount_minor) WHERE payout_line_id IS NOT NULL;
-- What a run may take.
CREATE INDEX commissions_payable ON commissions (program_id, affiliate_id, payable_at, amount_minor)
  WHERE status = 'approved' AND payout_line_id IS NULL;
