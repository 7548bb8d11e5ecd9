-- Two-step sign-in -----------------------------------------------------------------------------------

-- The secret that an account shares with an app on a phone, sealed with the installation's own. It counts from
-- when a first code confirmed it.
CREATE TABLE two_steps (
  account_id INTEGER NOT NULL PRIMARY KEY REFERENCES accounts (id),
  sealed_secret TEXT NOT NULL,
  -- The step of the last code that was used: none is good twice.
  last_step BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  confirmed_at BIGINT
);

CREATE TABLE recovery_codes (
  account_id BIGINT NOT NULL REFERENCES accounts (id),
  code_hash TEXT NOT NULL,
  used_at BIGINT,
  PRIMARY KEY (account_id, code_hash)
);
