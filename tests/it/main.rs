//! The suite, as one binary: every story is told through the real server, on SQLite, and on PostgreSQL
//! where `OFFSHOOT_TEST_POSTGRES` names one (see `bin/test`).

mod support;

mod affiliates;
mod authorisation;
mod bodies;
mod commands;
mod commissions;
mod conversions;
mod crash;
mod demo;
mod given_up;
mod idempotency;
mod links;
mod money;
mod openapi;
mod outage;
mod program;
mod races;
mod random_walk;
mod rates;
mod refunds;
mod replay;
mod schema;
mod server;
mod sign_in;
mod tracking;
mod two_servers;
