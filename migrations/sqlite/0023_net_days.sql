-- Monthly payouts some days after the month's end, for what was payable then -------------------------

ALTER TABLE payout_settings ADD COLUMN net_days BIGINT NOT NULL DEFAULT 0 CHECK (net_days BETWEEN 0 AND 90);
