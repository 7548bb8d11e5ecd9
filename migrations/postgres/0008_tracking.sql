-- What a merchant's own site reports ----------------------------------------------------------------

-- The page that a visitor landed on, with nothing of its query but utm_* and s1 to s5: a row of texts.
ALTER TABLE clicks ADD COLUMN landing_id INTEGER;

-- The click with which a site named the customer before they bought anything.
ALTER TABLE customers ADD COLUMN click_id BIGINT;
CREATE INDEX customers_click ON customers (click_id) WHERE click_id IS NOT NULL;

-- A program without a row has the product's defaults.
CREATE TABLE tracking_settings (
  program_id BIGINT NOT NULL PRIMARY KEY REFERENCES programs (id),
  -- Which parameters of an address may carry a code, the first of them first, separated by commas.
  parameters TEXT NOT NULL,
  needs_consent BOOLEAN NOT NULL
);

-- A merchant's look at whether the own site works. While it runs, what the script reports is noted below.
CREATE TABLE site_checks (
  program_id BIGINT NOT NULL PRIMARY KEY REFERENCES programs (id),
  -- Stands in for an affiliate's code and for a click; neither is anywhere else, so that nothing is counted.
  code TEXT NOT NULL,
  click_id BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  -- When everything had worked for the first time.
  passed_at BIGINT
);

-- The latest of each kind.
CREATE TABLE site_observations (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  seen_at BIGINT NOT NULL,
  PRIMARY KEY (program_id, kind)
);
