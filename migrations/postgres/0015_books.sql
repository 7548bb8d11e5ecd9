-- Books --------------------------------------------------------------------------------------------

-- What was paid and what came back, for a year's totals: a program's few among its many entries.
CREATE INDEX ledger_entries_paid ON ledger_entries (program_id, id) WHERE kind IN ('pay', 'unpay');
