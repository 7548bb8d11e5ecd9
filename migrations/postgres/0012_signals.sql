-- Signals ------------------------------------------------------------------------------------------

-- Which signals hold the commission for a person to look at, as src/domain/signals.rs writes them; empty where
-- there were none. They stay when somebody has approved it.
ALTER TABLE commissions ADD COLUMN held_for TEXT;
CREATE INDEX commissions_held ON commissions (program_id, status, id) WHERE held_for IS NOT NULL;

-- Whether sales that come by paid ads need nobody's look.
ALTER TABLE programs ADD COLUMN ads_allowed BOOLEAN NOT NULL DEFAULT FALSE;
-- Hosts whose visitors' sales need one, separated by commas.
ALTER TABLE programs ADD COLUMN banned_referrers TEXT NOT NULL DEFAULT '';
-- How many sales an affiliate has within an hour before the next ones need a look; any number where it is empty.
ALTER TABLE programs ADD COLUMN hourly_sales BIGINT CHECK (hourly_sales > 0);

-- Keyed hash of the address that they signed in from last.
ALTER TABLE accounts ADD COLUMN ip_hash BIGINT;

-- Claims -------------------------------------------------------------------------------------------

-- A sale that an affiliate misses, and the answer.
CREATE TABLE claims (
  id BIGINT NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  order_id TEXT,
  -- The day of the sale, as days since 1970.
  day BIGINT,
  amount_minor BIGINT CHECK (amount_minor >= 0),
  words TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status = 'open' OR status IN ('accepted', 'declined')),
  -- What the affiliate is told.
  answer TEXT,
  answered_at BIGINT,
  -- The sale that was credited by it.
  conversion_id BIGINT REFERENCES conversions (id),
  created_at BIGINT NOT NULL,
  CHECK (order_id IS NOT NULL OR day IS NOT NULL),
  CHECK ((status = 'open') = (answered_at IS NULL))
);
CREATE INDEX claims_program ON claims (program_id, id);
CREATE INDEX claims_open ON claims (program_id, id) WHERE status = 'open';
CREATE INDEX claims_affiliate ON claims (affiliate_id, id);
