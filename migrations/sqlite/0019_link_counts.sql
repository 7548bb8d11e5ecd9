-- What came by each link ---------------------------------------------------------------------------

-- A click by the code of a link, and which. Beside the clicks, so that the others cost what they did.
CREATE TABLE link_clicks (
  click_id INTEGER NOT NULL PRIMARY KEY,
  link_id BIGINT NOT NULL
);

-- Counted since there is that table; sales by a click that decided.
ALTER TABLE links ADD COLUMN clicks BIGINT NOT NULL DEFAULT 0;
ALTER TABLE links ADD COLUMN sales BIGINT NOT NULL DEFAULT 0;
