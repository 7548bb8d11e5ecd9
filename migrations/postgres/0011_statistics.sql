-- A statement is planned once for all programs, so PostgreSQL reckons with an average one. Where it has seen one
-- program only, that is the whole table: to find the newest rows of a program it would walk back through everybody's,
-- and a small program beside a large one would wait for that. Told that there are many, it goes through the index
-- that begins with the program, which is never the wrong one. Counts from the next ANALYZE, its own too.
ALTER TABLE affiliates ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE affiliate_totals ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE conversions ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE refunds ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE commissions ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE audit_log ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE mails ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE applications ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE invitations ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE links ALTER COLUMN program_id SET (n_distinct = 1000);
ALTER TABLE decision_batches ALTER COLUMN program_id SET (n_distinct = 1000);
