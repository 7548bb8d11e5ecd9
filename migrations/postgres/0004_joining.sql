-- How affiliates come in ---------------------------------------------------------------------------

CREATE TABLE application_settings (
  program_id BIGINT NOT NULL PRIMARY KEY REFERENCES programs (id),
  is_open BOOLEAN NOT NULL,
  needs_review BOOLEAN NOT NULL,
  description TEXT NOT NULL,
  contact TEXT,
  -- A JSON array, in the order in which they are asked.
  questions TEXT NOT NULL,
  updated_at BIGINT NOT NULL
);

-- The terms that somebody agreed to stay readable: a change is a new version. The highest is in force, and an
-- empty text is none.
CREATE TABLE terms (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  version BIGINT NOT NULL CHECK (version > 0),
  text TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (program_id, version)
);

-- What somebody said when they applied. Until the address is confirmed there is no affiliate, and after a few days
-- no application either.
CREATE TABLE applications (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  -- The one-time link that confirms it.
  link_id BIGINT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  name TEXT NOT NULL,
  website TEXT,
  -- A JSON array of questions as they were asked and what was answered.
  answers TEXT NOT NULL,
  -- 0 where there were none.
  terms_version BIGINT NOT NULL,
  ip_hash BIGINT,
  is_disposable BOOLEAN NOT NULL,
  created_at BIGINT NOT NULL,
  confirmed_at BIGINT,
  affiliate_id BIGINT UNIQUE REFERENCES affiliates (id)
);
CREATE INDEX applications_address ON applications (program_id, email_key, id);
CREATE INDEX applications_ip ON applications (program_id, ip_hash) WHERE affiliate_id IS NOT NULL;
CREATE INDEX applications_unconfirmed ON applications (created_at) WHERE affiliate_id IS NULL;

-- One that is neither accepted nor withdrawn is open, also after its link has expired: it can be sent again.
CREATE TABLE invitations (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  email TEXT NOT NULL,
  email_key TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Of one that the API made, from the start; of others, once they are in.
  affiliate_id BIGINT REFERENCES affiliates (id),
  -- The one-time link that was sent last.
  link_id BIGINT NOT NULL UNIQUE,
  sent_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  accepted_at BIGINT,
  terms_version BIGINT,
  withdrawn_at BIGINT,
  created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX invitations_open ON invitations (program_id, email_key) WHERE accepted_at IS NULL AND withdrawn_at IS NULL;
CREATE INDEX invitations_program ON invitations (program_id, id) WHERE accepted_at IS NULL AND withdrawn_at IS NULL;
CREATE INDEX invitations_affiliate ON invitations (affiliate_id) WHERE affiliate_id IS NOT NULL;

-- Where affiliates stand ---------------------------------------------------------------------------

-- When they applied; empty for who came by invitation or through the API.
ALTER TABLE affiliates ADD COLUMN applied_at BIGINT;
-- Why they are blocked; empty where the API said so.
ALTER TABLE affiliates ADD COLUMN blocked_as TEXT CHECK (blocked_as IS NULL OR (status = 'blocked' AND blocked_as IN ('paused', 'rejected', 'removed')));
-- What the affiliate is told about it.
ALTER TABLE affiliates ADD COLUMN status_reason TEXT;
CREATE INDEX affiliates_waiting ON affiliates (program_id, applied_at, id) WHERE status = 'pending' AND applied_at IS NOT NULL;
CREATE INDEX affiliates_blocked ON affiliates (program_id, blocked_as, id) WHERE blocked_as IS NOT NULL;
CREATE INDEX affiliates_name ON affiliates (program_id, name);
