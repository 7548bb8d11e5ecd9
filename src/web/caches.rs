//! What is looked up on every request and kept for half a second, so that a key revoked or a setting
//! changed elsewhere holds here within a second.

use std::{
    collections::HashMap,
    hash::Hash,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use super::{applicants::Applicants, destinations::Destinations, once::Running, throttle::Attempts, visits::Visits};
use crate::{
    domain::{
        bucket::{Allowance, Bucket},
        id::{KeyId, ProgramId},
        program::Program,
        tracking::Site,
    },
    store::{
        days::{Day, Standing, Top},
        keys::Key,
        queue::Sums,
    },
};

pub(super) const FRESH: Duration = Duration::from_millis(500);
/// More than any installation has; a bound all the same.
const MOST: usize = 10_000;

/// A map whose values are believed for [`FRESH`].
pub struct Brief<K, V>(RwLock<HashMap<K, (Instant, V)>>);

impl<K, V> Default for Brief<K, V> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Eq + Hash, V: Clone> Brief<K, V> {
    pub fn get(&self, key: &K) -> Option<V> {
        self.get_within(key, FRESH)
    }

    /// The value if it is not older than that.
    pub fn get_within(&self, key: &K, age: Duration) -> Option<V> {
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        map.get(key).filter(|(since, _)| since.elapsed() < age).map(|(_, value)| value.clone())
    }

    pub fn forget(&self, key: &K) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The value however old, for when there is no other.
    pub fn stale(&self, key: &K) -> Option<V> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).map(|(_, value)| value.clone())
    }

    /// `since` is from before the look-up, so that nothing is believed for longer than [`FRESH`].
    pub fn put(&self, key: K, value: V, since: Instant) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MOST {
            map.clear();
        }
        map.insert(key, (since, value));
    }
}

/// A key's two rate limits: everything else, and the two tracking POSTs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    General,
    Tracking,
}

/// The tracking bucket is this many times as large.
const TRACKING_FACTOR: i64 = 10;

pub struct Limits {
    started: Instant,
    buckets: Mutex<HashMap<(KeyId, Lane), Bucket>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { started: Instant::now(), buckets: Mutex::default() }
    }
}

impl Limits {
    /// Takes one request's worth of the key's allowance; `None` where the limit is off.
    pub fn take(&self, key: KeyId, lane: Lane, limit: i64) -> Option<Allowance> {
        if limit == 0 {
            return None;
        }
        let limit = if lane == Lane::Tracking { limit * TRACKING_FACTOR } else { limit };
        let now = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        Some(buckets.entry((key, lane)).or_insert_with(|| Bucket::full(limit, now)).take(limit, now))
    }
}

/// What a program's home says of all its affiliates together.
pub struct Whole {
    pub standing: Standing,
    pub top: Vec<Top>,
    /// From the first day that is not over for good.
    pub today: Vec<Day>,
}

/// Days that are over, which do not change any more unless something is imported: what each program did on them.
/// `None` of a day on which nothing happened.
#[derive(Default)]
pub struct Days(Mutex<HashMap<(ProgramId, i64), Option<Day>>>, Mutex<HashMap<ProgramId, i64>>);

/// A year of a hundred programs.
const MOST_DAYS: usize = 36_500;

impl Days {
    /// Forgets a program's days if more has been imported into it since they were read, here or by another server.
    pub fn hold_against(&self, program: ProgramId, version: i64) {
        let mut versions = self.1.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.insert(program, version).is_some_and(|before| before != version) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| *of != program);
        }
    }

    /// What is known of these days, and the first and last that are not.
    pub fn known(&self, program: ProgramId, days: RangeInclusive<i64>) -> (Vec<Day>, Option<(i64, i64)>) {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut known, mut missing) = (Vec::new(), None);
        for day in days {
            match map.get(&(program, day)) {
                Some(found) => known.extend(found),
                None => missing = Some((missing.map_or(day, |(first, _)| first), day)),
            }
        }
        (known, missing)
    }

    pub fn keep(&self, program: ProgramId, days: RangeInclusive<i64>, found: &[Day]) {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() >= MOST_DAYS {
            map.clear();
        }
        for day in days {
            map.insert((program, day), found.iter().find(|one| one.day == day).copied());
        }
    }
}

#[derive(Default)]
pub struct Caches {
    /// By the SHA-256 of the key.
    pub keys: Brief<[u8; 32], (Arc<Key>, Arc<Program>)>,
    /// By slug.
    pub programs: Brief<String, Arc<Program>>,
    pub destinations: Destinations,
    pub days: Days,
    /// Of programs with many affiliates; see `desk`.
    pub sums: Brief<ProgramId, Sums>,
    pub standings: Brief<ProgramId, Arc<Whole>>,
    pub limits: Limits,
    pub applicants: Applicants,
    pub running: Running,
    pub attempts: Attempts,
    pub visits: Visits,
    /// What is known of each program's own site.
    pub sites: Brief<ProgramId, Arc<Site>>,
}
