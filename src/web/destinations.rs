//! Where affiliates' own links lead, kept in memory: a visitor must not wait for one more look-up, and where
//! a link leads never changes, so that only what is new has to be read.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Instant,
};

use tokio::time::timeout;

use super::{caches::FRESH, links::PATIENCE};
use crate::{
    app::App,
    domain::{
        id::{LinkId, ProgramId},
        program::Program,
    },
    store::links::{self, Destination},
};

/// What was made this long before the newest that is known may have been stored after it.
const LATE_SECONDS: i64 = 60;

#[derive(Default)]
struct Known {
    looked_at: Option<Instant>,
    newest: Option<LinkId>,
    /// By the code's key.
    destinations: HashMap<String, Arc<str>>,
}

#[derive(Default)]
pub struct Destinations(RwLock<HashMap<ProgramId, Known>>);

impl Destinations {
    /// Where the code leads as far as is known, and, when that is not believed any longer, from which id on
    /// to look for more.
    fn get(&self, program: ProgramId, code_key: &str) -> (Option<Arc<str>>, Option<LinkId>) {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = all.get(&program) else { return (None, Some(LinkId::new(0))) };
        let is_fresh = known.looked_at.is_some_and(|at| at.elapsed() < FRESH);
        let since = known.newest.map_or(LinkId::new(0), |id| LinkId::first_at(id.time().plus_seconds(-LATE_SECONDS)));
        (known.destinations.get(code_key).cloned(), (!is_fresh).then_some(since))
    }

    fn learn(&self, program: ProgramId, found: Vec<Destination>, looked_at: Instant) {
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(program).or_default();
        known.looked_at = Some(looked_at);
        for link in found {
            known.newest = known.newest.max(Some(link.id));
            known.destinations.insert(link.code_key, link.destination.into());
        }
    }
}

/// Where the link of that code leads, if it has a destination of its own. What is remembered is good enough
/// while the database is away.
pub async fn of(app: &App, program: &Program, code: &str) -> Option<Arc<str>> {
    // Without domains there is nowhere else to lead.
    if program.domains.is_empty() {
        return None;
    }
    let key = code.to_ascii_lowercase();
    let cache = &app.caches.destinations;
    let (found, stale_since) = cache.get(program.id, &key);
    let Some(since) = stale_since else { return found };
    let now = Instant::now();
    let look_up = async {
        let mut tx = app.db.read().await?;
        links::destinations(&mut tx, program.id, since).await
    };
    match timeout(PATIENCE / 3, look_up).await {
        Ok(Ok(new)) => {
            cache.learn(program.id, new, now);
            cache.get(program.id, &key).0
        }
        _ => found,
    }
}
