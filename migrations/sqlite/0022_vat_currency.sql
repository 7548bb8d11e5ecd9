-- VAT in the currency of the state that it is owed to (directive 2006/112/EC, article 230) -----------

-- Lines such as `PLN 4.2567`: so much one unit of the program's currency was on that day.
ALTER TABLE tax_settings ADD COLUMN exchange TEXT NOT NULL DEFAULT '';
ALTER TABLE tax_settings ADD COLUMN exchange_on BIGINT;

-- The rate in millionths.
ALTER TABLE invoices ADD COLUMN stated_currency TEXT;
ALTER TABLE invoices ADD COLUMN stated_minor BIGINT;
ALTER TABLE invoices ADD COLUMN stated_rate BIGINT CHECK (stated_rate > 0);
ALTER TABLE invoices ADD COLUMN stated_on BIGINT;
