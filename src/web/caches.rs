//! What is looked up on every request and kept for half a second, so that a key revoked or a setting
//! changed elsewhere holds here within a second.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use super::{once::Running, throttle::Attempts};
use crate::{
    domain::{
        bucket::{Allowance, Bucket},
        id::KeyId,
        program::Program,
    },
    store::keys::Key,
};

const FRESH: Duration = Duration::from_millis(500);
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
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        map.get(key).filter(|(since, _)| since.elapsed() < FRESH).map(|(_, value)| value.clone())
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

#[derive(Default)]
pub struct Caches {
    /// By the SHA-256 of the key.
    pub keys: Brief<[u8; 32], (Arc<Key>, Arc<Program>)>,
    /// By slug.
    pub programs: Brief<String, Arc<Program>>,
    pub limits: Limits,
    pub running: Running,
    pub attempts: Attempts,
}
