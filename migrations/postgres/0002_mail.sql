-- One-time links -----------------------------------------------------------------------------------

-- What lets somebody in, or confirms something, once. The token is made from the row's id and the
-- installation's secret (see src/flows/one_time_links.rs), so a job that holds the id can write the link, and
-- whoever reads the database cannot.
CREATE TABLE one_time_links (
  id BIGINT NOT NULL PRIMARY KEY,
  purpose TEXT NOT NULL CHECK (purpose IN ('sign_in', 'reset_password', 'confirm_email', 'team_invitation', 'affiliate_invitation', 'confirm_application')),
  token_hash TEXT NOT NULL UNIQUE,
  account_id BIGINT REFERENCES accounts (id),
  -- The address that the link is bound to: the one it was sent to.
  email TEXT,
  program_id BIGINT REFERENCES programs (id),
  role TEXT CHECK (role IN ('owner', 'admin', 'finance', 'manager', 'viewer')),
  affiliate_id BIGINT REFERENCES affiliates (id),
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
);
CREATE INDEX one_time_links_expiry ON one_time_links (expires_at);
CREATE INDEX one_time_links_account ON one_time_links (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX one_time_links_program ON one_time_links (program_id, purpose, id) WHERE program_id IS NOT NULL;

-- Mail -----------------------------------------------------------------------------------------------

-- One cause, one mail. A mail holds no words: they are written when it is sent, from what is true then. It ends
-- sent, dropped (it no longer applied) or failed.
CREATE TABLE mails (
  id BIGINT NOT NULL PRIMARY KEY,
  kind TEXT NOT NULL,
  cause_id BIGINT NOT NULL,
  program_id BIGINT REFERENCES programs (id),
  account_id BIGINT REFERENCES accounts (id),
  affiliate_id BIGINT REFERENCES affiliates (id),
  to_email TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  attempts BIGINT NOT NULL DEFAULT 0,
  last_error TEXT,
  sent_at BIGINT,
  dropped_at BIGINT,
  failed_at BIGINT,
  UNIQUE (kind, cause_id)
);
CREATE INDEX mails_program ON mails (program_id, id) WHERE program_id IS NOT NULL;

-- The mails that somebody does not want: an account, or an affiliate who has none.
CREATE TABLE mail_opt_outs (
  account_id BIGINT REFERENCES accounts (id),
  affiliate_id BIGINT REFERENCES affiliates (id),
  kind TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  CHECK ((account_id IS NULL) <> (affiliate_id IS NULL)),
  UNIQUE (account_id, kind),
  UNIQUE (affiliate_id, kind)
);
