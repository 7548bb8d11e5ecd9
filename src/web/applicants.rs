//! What keeps machines from applying: a field that people do not see, a form that takes a person some seconds,
//! and so many applications an hour from one network address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{
    client::{self, Peer},
    failure::Failure,
};
use crate::{
    app::App,
    domain::{
        application::{LEAST_SECONDS, MOST_SECONDS},
        bucket::Bucket,
        key::hex,
        program::Program,
        time::Time,
    },
};

/// The field that people do not see.
pub const TRAP: &str = "nickname";
/// Applications an hour and network address.
const AN_HOUR: i64 = 10;
/// The bucket counts by the minute; here its minute is an hour.
const MINUTES: i64 = 60;
const MOST: usize = 50_000;

/// How many more applications each network address may send.
#[derive(Default)]
pub struct Applicants(Mutex<HashMap<String, Bucket>>);

impl Applicants {
    /// # Errors
    /// 429 with when to try again.
    pub fn take(&self, network: &str, now: Time) -> Result<(), Failure> {
        let now = now.ms() / MINUTES;
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST {
            buckets.clear();
        }
        let bucket = buckets.entry(network.to_owned()).or_insert_with(|| Bucket::full(AN_HOUR, now));
        match bucket.take(AN_HOUR, now).retry_after {
            None => Ok(()),
            Some(wait) => Err(Failure::limited(wait * MINUTES)),
        }
    }
}

/// Where an application comes from.
pub struct Visitor(Option<IpAddr>);

impl FromRequestParts<App> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        Ok(Self(client::address(app, &parts.headers, parts.extensions.get::<Peer>().copied())))
    }
}

impl Visitor {
    /// An address of IPv4, or the part of one of IPv6 that a household shares.
    pub fn network(&self) -> String {
        match self.0.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V6(ip)) => {
                format!("{:x}:{:x}:{:x}:{:x}::", ip.segments()[0], ip.segments()[1], ip.segments()[2], ip.segments()[3])
            }
            Some(ip) => ip.to_string(),
            None => String::new(),
        }
    }

    /// As clicks store it.
    pub fn ip_hash(&self, app: &App) -> Option<i64> {
        self.0.map(|ip| app.secret.short_hash("ip", &ip.to_canonical().to_string()))
    }
}

/// When the form was opened, in a hand that only this installation writes.
pub fn stamp(app: &App, program: &Program) -> String {
    signed(app, program, app.clock.now().ms())
}

fn signed(app: &App, program: &Program, ms: i64) -> String {
    let keyed = app.secret.hash("application form", &format!("{}:{ms}", program.id.raw()));
    format!("{ms}.{}", hex(&keyed[..16]))
}

/// How a form came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Human,
    /// Faster than anybody reads.
    TooFast,
    /// Open for more than a day, or never ours.
    Stale,
}

pub fn pace(app: &App, program: &Program, stamp: &str) -> Pace {
    let ms = stamp.split_once('.').and_then(|(ms, _)| ms.parse::<i64>().ok());
    let Some(ms) = ms.filter(|ms| signed(app, program, *ms) == stamp) else { return Pace::Stale };
    match app.clock.now().ms().saturating_sub(ms) / 1_000 {
        ..LEAST_SECONDS => Pace::TooFast,
        LEAST_SECONDS..=MOST_SECONDS => Pace::Human,
        _ => Pace::Stale,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_an_hour() {
        let (applicants, at) = (Applicants::default(), |seconds: i64| Time::from_ms(seconds * 1_000));
        for _ in 0..AN_HOUR {
            assert!(applicants.take("192.0.2.1", at(1_000_000)).is_ok());
        }
        assert!(applicants.take("192.0.2.1", at(1_000_000)).is_err());
        assert!(applicants.take("192.0.2.2", at(1_000_000)).is_ok(), "others are not held up");
        assert!(applicants.take("192.0.2.1", at(1_000_000 + 400)).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let of = |text: &str| Visitor(text.parse().ok()).network();
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
