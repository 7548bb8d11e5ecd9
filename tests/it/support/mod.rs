//! What the stories stand on: a database of one's own, the real server in front of it, and clients.

mod axe;
pub mod browser;
pub mod chromium;
pub mod cluster;
pub mod database;
mod keyboard;
mod paper;
pub mod payments;
pub mod post;
pub mod process;
pub mod site;
pub mod smtp;
pub mod stock;
pub mod traffic;
mod verbs;
mod webdriver;

pub use database::Database;
pub use process::Process;
pub use site::{Answer, Api, Site};
pub use smtp::MailServer;
