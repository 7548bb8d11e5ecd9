-- What a program says in its mails to affiliates: a subject instead of the product's, and words before the
-- product's own. Without a row it says nothing of its own.
CREATE TABLE mail_texts (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  kind TEXT NOT NULL,
  subject TEXT,
  body TEXT,
  PRIMARY KEY (program_id, kind)
);
