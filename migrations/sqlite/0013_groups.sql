-- Groups -------------------------------------------------------------------------------------------

-- Affiliates who earn alike. Archived, never deleted: rules and the audit log name it.
CREATE TABLE affiliate_groups (
  id INTEGER NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  name TEXT NOT NULL,
  name_key TEXT NOT NULL,
  -- How many affiliates are in it, changed in the transaction that moves one.
  members BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  archived_at BIGINT,
  UNIQUE (program_id, name_key)
);
ALTER TABLE affiliates ADD COLUMN group_id BIGINT REFERENCES affiliate_groups (id);
CREATE INDEX affiliates_group ON affiliates (group_id, id) WHERE group_id IS NOT NULL;

-- What sales earn ------------------------------------------------------------------------------------

ALTER TABLE commission_rules ADD COLUMN group_id BIGINT REFERENCES affiliate_groups (id);
-- Only in an affiliate's first days, or for their first sales.
ALTER TABLE commission_rules ADD COLUMN first_days BIGINT CHECK (first_days > 0);
ALTER TABLE commission_rules ADD COLUMN first_sales BIGINT CHECK (first_sales > 0);
-- What it pays instead after so many sales, or so much of them: JSON.
ALTER TABLE commission_rules ADD COLUMN tiers TEXT;

-- The most that a customer earns in total, and an affiliate in a month, in minor units.
ALTER TABLE programs ADD COLUMN customer_cap_minor BIGINT CHECK (customer_cap_minor > 0);
ALTER TABLE programs ADD COLUMN month_cap_minor BIGINT CHECK (month_cap_minor > 0);

-- What the sales of a customer earned when they were recorded.
ALTER TABLE customers ADD COLUMN earned_minor BIGINT NOT NULL DEFAULT 0;
UPDATE customers SET earned_minor = sales.earned FROM (
  SELECT customer_id, SUM(commission_minor) AS earned FROM conversions WHERE customer_id IS NOT NULL GROUP BY customer_id
) AS sales WHERE sales.customer_id = customers.id;

-- Changes of what is earned, announced ---------------------------------------------------------------

CREATE TABLE announcements (
  id INTEGER NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  -- Whom it touches; everybody where there is neither.
  affiliate_id BIGINT REFERENCES affiliates (id),
  group_id BIGINT REFERENCES affiliate_groups (id),
  text TEXT NOT NULL,
  starts_at BIGINT NOT NULL,
  -- The last affiliate who was written to, in the order of their ids.
  told_to BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL
);
CREATE INDEX announcements_program ON announcements (program_id, id);

-- One mail for each change and affiliate.
CREATE TABLE notices (
  id INTEGER NOT NULL PRIMARY KEY,
  announcement_id BIGINT NOT NULL REFERENCES announcements (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  UNIQUE (announcement_id, affiliate_id)
);
