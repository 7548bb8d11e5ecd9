-- What stayed paid ---------------------------------------------------------------------------------

-- A year's totals are of payments alone: what came back is known by its line.
DROP INDEX ledger_entries_paid;
CREATE INDEX ledger_entries_pay ON ledger_entries (program_id, id) WHERE kind = 'pay';
