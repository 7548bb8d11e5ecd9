-- Terms of a group's own; the program's where there are none ---------------------------------------

ALTER TABLE affiliate_groups ADD COLUMN hold_days BIGINT CHECK (hold_days BETWEEN 0 AND 365);
ALTER TABLE affiliate_groups ADD COLUMN minimum_minor BIGINT CHECK (minimum_minor >= 0);
