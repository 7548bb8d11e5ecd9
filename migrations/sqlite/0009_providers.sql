-- Payments told by their providers -----------------------------------------------------------------

-- How a provider signs what it tells: secrets are sealed, and the one before still counts for a while.
CREATE TABLE provider_connections (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  provider TEXT NOT NULL,
  -- Whether it is for trying things out: then events of test mode count as others do.
  is_test BOOLEAN NOT NULL,
  secret TEXT,
  last_four TEXT NOT NULL,
  previous TEXT,
  previous_until BIGINT,
  connected_at BIGINT NOT NULL,
  disconnected_at BIGINT,
  PRIMARY KEY (program_id, provider),
  CHECK ((secret IS NULL) = (disconnected_at IS NOT NULL))
);

-- The inbox: each event once, and what became of it.
CREATE TABLE provider_events (
  id INTEGER NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  provider TEXT NOT NULL,
  -- The provider's own id of the event, or the hash of what it sent.
  event_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  object TEXT,
  is_test BOOLEAN NOT NULL,
  -- As it came. It tells of people, so it is forgotten after 90 days.
  body TEXT,
  state TEXT NOT NULL CHECK (state IN ('received', 'done') OR state IN ('waiting', 'ignored') OR state = 'failed'),
  -- JSON: what was done, in words, and where that is shown.
  did TEXT NOT NULL,
  why TEXT,
  attempts BIGINT NOT NULL DEFAULT 0,
  received_at BIGINT NOT NULL,
  settled_at BIGINT,
  UNIQUE (program_id, provider, event_id)
);
CREATE INDEX provider_events_program ON provider_events (program_id, id);
CREATE INDEX provider_events_provider ON provider_events (program_id, provider, id);
CREATE INDEX provider_events_state ON provider_events (program_id, state, id);
CREATE INDEX provider_events_bodies ON provider_events (id) WHERE body IS NOT NULL;

-- One payment, which a provider may know by several names: an invoice, its payment, its charge. A refund may be
-- told before the sale, so there are payments of which nothing is known yet.
CREATE TABLE provider_payments (
  id INTEGER NOT NULL PRIMARY KEY,
  program_id BIGINT NOT NULL REFERENCES programs (id),
  provider TEXT NOT NULL,
  -- Set by its sale: in what refunds are counted, and what counts for the program.
  paid_minor BIGINT,
  amount_minor BIGINT,
  -- Where the sale is an affiliate's.
  conversion_id BIGINT REFERENCES conversions (id)
);

CREATE TABLE provider_objects (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  provider TEXT NOT NULL,
  object TEXT NOT NULL,
  payment_id BIGINT NOT NULL REFERENCES provider_payments (id),
  PRIMARY KEY (program_id, provider, object)
);
CREATE INDEX provider_objects_payment ON provider_objects (payment_id);

-- What is known of a payment's refunds and disputes; see src/domain/providers/reversal.rs.
CREATE TABLE provider_reversals (
  payment_id BIGINT NOT NULL REFERENCES provider_payments (id),
  kind TEXT NOT NULL CHECK (kind IN ('refund', 'so_far') OR kind = 'dispute'),
  key TEXT NOT NULL,
  amount_minor BIGINT NOT NULL,
  holds BOOLEAN NOT NULL,
  PRIMARY KEY (payment_id, kind, key)
);

-- What an event waits for: when something is told of the object, the event runs again.
CREATE TABLE provider_waiting (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  provider TEXT NOT NULL,
  object TEXT NOT NULL,
  event_id BIGINT NOT NULL REFERENCES provider_events (id),
  PRIMARY KEY (program_id, provider, object, event_id)
);

-- The refunds that were recorded for a payment. One that was given back holds no more, and never does again.
CREATE TABLE provider_refunds (
  refund_id INTEGER NOT NULL PRIMARY KEY REFERENCES refunds (id),
  payment_id BIGINT NOT NULL REFERENCES provider_payments (id),
  amount_minor BIGINT NOT NULL,
  holds BOOLEAN NOT NULL
);
CREATE INDEX provider_refunds_payment ON provider_refunds (payment_id);

-- Whose a customer or a subscription of the provider is.
CREATE TABLE provider_bindings (
  program_id BIGINT NOT NULL REFERENCES programs (id),
  provider TEXT NOT NULL,
  object TEXT NOT NULL,
  click_id BIGINT,
  code TEXT,
  -- Of a subscription: what is paid later counts no more.
  ended_at BIGINT,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (program_id, provider, object)
);
