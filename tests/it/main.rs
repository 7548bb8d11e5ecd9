//! The suite, as one binary: every story is told through the real server, on SQLite, and on PostgreSQL
//! where `OFFSHOOT_TEST_POSTGRES` names one (see `bin/test`).

#![expect(clippy::unwrap_used, reason = "what a story stands on panics where it breaks, in its helpers too")]

mod support;

mod affiliate_changes;
mod affiliate_pages;
mod affiliate_statements;
mod affiliates;
mod announcements;
mod attribution;
mod authorisation;
mod bodies;
mod bulk_decisions;
mod commands;
mod commissions;
mod connections;
mod conversions;
mod coupons;
mod crash;
mod customers;
mod demo;
mod desk;
mod failures;
mod given_up;
mod groups;
mod idempotency;
mod joining;
mod joining_by_invitation;
mod links;
mod look;
mod mail;
mod merchant_affiliates;
mod merchant_home;
mod merchant_queue;
mod messages;
mod money;
mod openapi;
mod outage;
mod page_access;
mod pages;
mod people;
mod people_team;
mod program;
mod provider_orders;
mod provider_pages;
mod providers;
mod races;
mod random_walk;
mod rates;
mod refunds;
mod replay;
mod rules;
mod schema;
mod server;
mod sign_in;
mod site_browser;
mod site_check;
mod site_reports;
mod story;
mod tiers;
mod tracking;
mod two_servers;
mod windows;
