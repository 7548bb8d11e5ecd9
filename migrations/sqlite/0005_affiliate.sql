-- Links of an affiliate beside the first: each a code of its own and, where named, a page that it leads to.
-- A link is archived, never deleted, and its code leads where it leads for ever: it is out in the world.
CREATE TABLE links (
  id INTEGER NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  affiliate_id BIGINT NOT NULL REFERENCES affiliates (id),
  code_key TEXT NOT NULL,
  label TEXT NOT NULL,
  destination TEXT,
  created_at BIGINT NOT NULL,
  archived_at BIGINT,
  UNIQUE (program_id, code_key),
  FOREIGN KEY (program_id, code_key) REFERENCES codes (program_id, code_key)
);
CREATE INDEX links_affiliate ON links (affiliate_id, id);
-- What a server has not heard of yet.
CREATE INDEX links_destinations ON links (program_id, id) WHERE destination IS NOT NULL;

-- What was paid, by when.
CREATE INDEX commissions_paid ON commissions (affiliate_id, paid_at, amount_minor) WHERE paid_at IS NOT NULL;

-- A statement begins with the sum of what came before it.
CREATE INDEX ledger_entries_affiliate ON ledger_entries (affiliate_id, id);
