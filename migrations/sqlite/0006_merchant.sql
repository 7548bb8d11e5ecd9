-- Decisions made in the browser -------------------------------------------------------------------

-- What somebody decided in one go, so that it can be taken back in one go.
CREATE TABLE decision_batches (
  id INTEGER NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  -- What the commissions became.
  action TEXT NOT NULL CHECK (action IN ('approved', 'rejected', 'paid')),
  reason TEXT,
  count BIGINT NOT NULL,
  sum_minor BIGINT NOT NULL,
  made_at BIGINT NOT NULL,
  undone_at BIGINT
);
CREATE INDEX decision_batches_program ON decision_batches (program_id, id);

-- Each commission of a batch as it was before.
CREATE TABLE decision_moves (
  batch_id BIGINT NOT NULL REFERENCES decision_batches (id),
  commission_id BIGINT NOT NULL REFERENCES commissions (id),
  from_status TEXT NOT NULL,
  from_reason TEXT,
  from_approved_at BIGINT,
  amount_minor BIGINT NOT NULL,
  PRIMARY KEY (batch_id, commission_id)
);

-- The batch that put the commission where it is; gone with the next move, whoever makes it.
ALTER TABLE commissions ADD COLUMN batch_id BIGINT;
CREATE INDEX commissions_batch ON commissions (batch_id) WHERE batch_id IS NOT NULL;

-- What a whole program did today. The column never changes, so counting does not touch the index.
CREATE INDEX affiliate_days_day ON affiliate_days (day);

-- What a team knows of its affiliates ---------------------------------------------------------------

CREATE TABLE affiliate_notes (
  id INTEGER NOT NULL PRIMARY KEY,
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  text TEXT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX affiliate_notes_affiliate ON affiliate_notes (affiliate_id, id);

-- Which columns an account wants to see in a table.
CREATE TABLE table_columns (
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  page TEXT NOT NULL,
  columns TEXT NOT NULL,
  PRIMARY KEY (account_id, page)
);
CREATE INDEX customers_affiliate ON customers (affiliate_id);
