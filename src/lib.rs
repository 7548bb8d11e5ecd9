//! Offshoot, an affiliate-programme portal in one binary.
//!
//! Four rings, the same noun in each, arrows inward only: `web`, `jobs` and `mail` → `flows` → `store` → `domain`.

/// What every handler, job and command is given.
pub mod app;
/// The system's time, or one that a test sets.
pub mod clock;
/// The command line's commands but `serve`.
pub mod commands;
/// Every setting, all mistakes at once.
pub mod config;
/// A believable year of a program, made through the flows that real calls use.
pub mod demo;
/// Values that cannot be wrong, and decisions as pure functions.
pub mod domain;
/// What takes several steps in one transaction.
pub mod flows;
/// Work that no request waits for.
pub mod jobs;
/// Messages: written when they are sent, from what is true then.
pub mod mail;
/// Statements, remittance advice and invoices, as PDF.
pub mod paper;
/// Passwords, hashed off the async threads.
pub mod password;
/// The installation's secret key.
pub mod secret;
/// The only SQL.
pub mod store;
/// Routes, handlers, and the two faces of every answer.
pub mod web;
