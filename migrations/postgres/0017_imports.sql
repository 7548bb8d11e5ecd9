-- Files of affiliates and sales from another tool --------------------------------------------------

-- One that somebody chose. Its text is kept while it is looked at and while it is written, and not longer.
CREATE TABLE imports (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  kind TEXT NOT NULL CHECK (kind IN ('affiliates', 'sales')),
  tool TEXT NOT NULL,
  file_name TEXT NOT NULL,
  -- Of the file's bytes, SHA-256.
  digest TEXT NOT NULL,
  -- All amounts are in minor units, whatever their columns are called.
  in_minor_units BOOLEAN NOT NULL,
  status TEXT NOT NULL CHECK (status = 'open' OR status IN ('running', 'done')),
  created_at BIGINT NOT NULL,
  -- Whether who confirmed it may say of commissions that they were paid, and wanted affiliates to be invited.
  may_pay BOOLEAN NOT NULL DEFAULT FALSE,
  invites BOOLEAN NOT NULL DEFAULT FALSE,
  confirmed_at BIGINT,
  finished_at BIGINT,
  -- Good rows of the file, how many of them are dealt with, and what came of those.
  rows_total BIGINT NOT NULL DEFAULT 0,
  rows_done BIGINT NOT NULL DEFAULT 0,
  added BIGINT NOT NULL DEFAULT 0,
  known BIGINT NOT NULL DEFAULT 0,
  left_out BIGINT NOT NULL DEFAULT 0,
  -- Behind the rest, because it is long.
  file TEXT
);
CREATE INDEX imports_program ON imports (program_id, id);
CREATE INDEX imports_open ON imports (created_at) WHERE status = 'open';

-- What was wrong with rows that were left out.
CREATE TABLE import_issues (
  import_id BIGINT NOT NULL REFERENCES imports (id),
  line BIGINT NOT NULL,
  place BIGINT NOT NULL,
  column_name TEXT NOT NULL,
  cell TEXT NOT NULL,
  issue TEXT NOT NULL,
  PRIMARY KEY (import_id, line, place)
);

-- How another tool calls its affiliates, by which its sales name them.
CREATE TABLE imported_affiliates (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  tool TEXT NOT NULL,
  old_id TEXT NOT NULL,
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  import_id BIGINT NOT NULL REFERENCES imports (id),
  PRIMARY KEY (program_id, tool, old_id)
);

-- By which file a sale came, where it came by one.
ALTER TABLE conversions ADD COLUMN import_id BIGINT REFERENCES imports (id);
