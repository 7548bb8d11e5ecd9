-- How a program shows itself, and what it says -------------------------------------------------------

-- No row is the look of the portal itself, and customers masked.
CREATE TABLE looks (
  program_id INTEGER NOT NULL PRIMARY KEY REFERENCES programs (id),
  -- What affiliates see of a customer.
  customers TEXT NOT NULL CHECK (customers IN ('hidden', 'masked', 'shown')),
  -- `#17694a`.
  colour TEXT,
  -- Names the picture in its address.
  logo_hash TEXT,
  -- `png`, `jpg` or `webp`, and the file in hex digits.
  logo_kind TEXT,
  logo TEXT,
  updated_at BIGINT NOT NULL,
  CHECK ((logo IS NULL) = (logo_hash IS NULL) AND (logo IS NULL) = (logo_kind IS NULL))
);
