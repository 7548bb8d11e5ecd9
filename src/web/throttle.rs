//! Attempts at what lets somebody in, counted per address (tight) and per account (loose).
//!
//! In memory, so each server of a cluster counts for itself and a restart forgets: this slows guessing down, and
//! what a password withstands does not hang on it. An account's own count goes by what was typed, so it tells
//! nobody whether there is such an account; it is spared for an address from which the account was signed in
//! before, so that strangers who keep guessing do not keep the owner out.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use super::{client::Client, failure::Failure};
use crate::{
    app::App,
    domain::{id::AccountId, time::Time},
};

/// Many attempts at once, then one every so often.
#[derive(Debug, Clone, Copy)]
struct Pace {
    burst: i64,
    every_seconds: i64,
}

const fn pace(burst: i64, every_seconds: i64) -> Pace {
    Pace { burst, every_seconds }
}

/// What is attempted. The words keep the counts apart.
#[derive(Debug, Clone, Copy)]
pub enum Attempt {
    /// A password at the sign-in page.
    SignIn,
    /// A mail with a link, to sign in or for a new password.
    Link,
}

impl Attempt {
    const fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign in",
            Self::Link => "link",
        }
    }

    const fn per_address(self) -> Pace {
        match self {
            Self::SignIn => pace(10, 30),
            Self::Link => pace(10, 60),
        }
    }

    const fn per_account(self) -> Pace {
        match self {
            Self::SignIn => pace(30, 60),
            Self::Link => pace(5, 600),
        }
    }
}

/// Of somebody who has the password already: a code of six digits withstands less.
const SECOND_STEP: Pace = pace(5, 300);
/// Of somebody who is signed in.
const CONFIRMATION: Pace = pace(10, 60);

/// Mails that one account has sent to addresses it names.
const STRANGERS: Pace = pace(10, 600);
/// Mails that one account has sent to itself, to look at them.
const TESTS: Pace = pace(5, 720);

/// Counts kept at most; a keyed hash and a time each.
const MOST: usize = 100_000;

/// When each count will be back at nothing, in Unix milliseconds.
#[derive(Default)]
pub struct Attempts {
    until: Mutex<HashMap<i64, i64>>,
    /// Pairs of account and address that belong together.
    known: Mutex<HashSet<i64>>,
}

impl Attempts {
    /// Counts one, or answers in how many seconds one is allowed again.
    fn take(&self, key: i64, pace: Pace, now: Time) -> Result<(), i64> {
        let mut all = self.until.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, until| *until > now.ms());
            if all.len() >= MOST {
                all.clear();
            }
        }
        let until = all.entry(key).or_insert(0);
        let (after, most) =
            ((*until).max(now.ms()) + pace.every_seconds * 1_000, pace.burst * pace.every_seconds * 1_000);
        let ahead = after - now.ms();
        if ahead > most {
            return Err((ahead - most + 999) / 1_000);
        }
        *until = after;
        Ok(())
    }

    /// Takes one back: it was the right one.
    fn give_back(&self, key: i64, pace: Pace) {
        if let Some(until) = self.until.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&key) {
            *until -= pace.every_seconds * 1_000;
        }
    }

    fn is_known(&self, pair: i64) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(&pair)
    }

    fn remember(&self, pair: i64) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(pair);
    }
}

/// Whoever can choose one IPv6 address can choose all of its network's.
fn network(address: Option<IpAddr>) -> String {
    match address.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V6(ip)) => format!("{:x}/64", ip.to_bits() >> 64),
        Some(ip) => ip.to_string(),
        None => String::new(),
    }
}

/// A counted attempt, which its owner may take back.
#[must_use]
pub struct Counted {
    counts: Vec<(i64, Pace)>,
    pair: i64,
}

impl Counted {
    /// It was the right one: it does not count, and the address is the account's.
    pub fn succeeded(self, app: &App) {
        for (key, pace) in self.counts {
            app.caches.attempts.give_back(key, pace);
        }
        app.caches.attempts.remember(self.pair);
    }
}

/// Counts an attempt on the account that `email` would be.
///
/// # Errors
/// 429 with when to try again.
pub fn count(app: &App, attempt: Attempt, client: &Client, email: &str) -> Result<Counted, Failure> {
    let (network, email) = (network(client.address), email.trim().to_lowercase());
    let key = |part: &str| app.secret.short_hash("attempt", &format!("{}\0{part}", attempt.word()));
    let pair = app.secret.short_hash("known address", &format!("{email}\0{network}"));
    let mut counts = vec![(key(&format!("address\0{network}")), attempt.per_address())];
    if !app.caches.attempts.is_known(pair) {
        counts.push((key(&format!("account\0{email}")), attempt.per_account()));
    }
    let mut counted = Counted { counts: Vec::new(), pair };
    for (key, pace) in counts {
        app.caches.attempts.take(key, pace, app.clock.now()).map_err(Failure::too_many)?;
        counted.counts.push((key, pace));
    }
    Ok(counted)
}

/// Counts an attempt of somebody who is known already.
struct Of {
    word: &'static str,
    pace: Pace,
}

impl Of {
    fn key(&self, app: &App, account: AccountId) -> i64 {
        app.secret.short_hash("attempt", &format!("{}\0{}", self.word, account.raw()))
    }
}

/// Runs `check` unless there were too many before that were not right.
async fn guarded(
    app: &App,
    of: Of,
    account: AccountId,
    check: impl Future<Output = Result<bool, Failure>>,
) -> Result<bool, Failure> {
    let key = of.key(app, account);
    app.caches.attempts.take(key, of.pace, app.clock.now()).map_err(Failure::too_many)?;
    let is_right = check.await?;
    if is_right {
        app.caches.attempts.give_back(key, of.pace);
    }
    Ok(is_right)
}

/// A code after the right password.
///
/// # Errors
/// 429, or the check's own.
pub async fn second_step(
    app: &App,
    account: AccountId,
    check: impl Future<Output = Result<bool, Failure>>,
) -> Result<bool, Failure> {
    guarded(app, Of { word: "second step", pace: SECOND_STEP }, account, check).await
}

/// A password of somebody who is signed in.
///
/// # Errors
/// 429, or the check's own.
pub async fn confirmation(
    app: &App,
    account: AccountId,
    check: impl Future<Output = Result<bool, Failure>>,
) -> Result<bool, Failure> {
    guarded(app, Of { word: "confirmation", pace: CONFIRMATION }, account, check).await
}

/// A mail to an address that somebody who is signed in has named.
///
/// # Errors
/// 429 with when to try again.
pub fn mail_to_stranger(app: &App, account: AccountId) -> Result<(), Failure> {
    let of = Of { word: "stranger", pace: STRANGERS };
    app.caches.attempts.take(of.key(app, account), of.pace, app.clock.now()).map_err(Failure::too_many)
}

/// A mail to oneself, to look at.
///
/// # Errors
/// 429 with when to try again.
pub fn mail_to_oneself(app: &App, account: AccountId) -> Result<(), Failure> {
    let of = Of { word: "test", pace: TESTS };
    app.caches.attempts.take(of.key(app, account), of.pace, app.clock.now()).map_err(Failure::too_many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_every_so_often() {
        let (attempts, pace, at) = (Attempts::default(), pace(3, 60), |seconds: i64| Time::from_ms(seconds * 1_000));
        for _ in 0..3 {
            assert_eq!(attempts.take(1, pace, at(1_000)), Ok(()));
        }
        assert_eq!(attempts.take(1, pace, at(1_000)), Err(60));
        assert_eq!(attempts.take(1, pace, at(1_030)), Err(30), "being refused costs nothing more");
        assert_eq!(attempts.take(2, pace, at(1_030)), Ok(()), "others are not held up");
        assert_eq!(attempts.take(1, pace, at(1_060)), Ok(()));
        assert_eq!(attempts.take(1, pace, at(1_060)), Err(60));
        attempts.give_back(1, pace);
        assert_eq!(attempts.take(1, pace, at(1_060)), Ok(()));
        assert_eq!(attempts.take(1, pace, at(9_000)), Ok(()), "nobody is out for ever");
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let of = |text: &str| network(Some(text.parse().unwrap()));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    }
}
