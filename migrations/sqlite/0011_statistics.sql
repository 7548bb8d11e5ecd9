-- Nothing here: SQLite plans by its indexes and has no statistics to correct.
SELECT 1;
