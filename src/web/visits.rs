//! Who followed a link a moment ago: a browser that does so again within the hour counts once, and gets the click
//! that it has. What crawls or looks ahead is no visitor at all. A program's own calls, and what is not a browser,
//! count each time.
//!
//! In memory, so each server of a cluster knows its own visitors; for one that comes to another server, the
//! cookie speaks.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::Mutex as AsyncMutex;

use super::failure::Failure;
use crate::{
    app::App,
    domain::{
        affiliate::Status,
        attribution::Touch,
        bucket::Bucket,
        code::Code,
        crawler,
        id::{AffiliateId, ClickId},
        program::Program,
        time::Time,
    },
    flows::{Actor, leads},
    store::{
        self,
        clicks::{self, NewClick, Outcome},
        codes,
    },
};

const ONCE_SECONDS: i64 = 3_600;
/// Visitors remembered at most, some hundred bytes each.
const MOST: usize = 100_000;

/// What a visitor followed within the hour, and a turn for each of its requests.
type Followed = Arc<AsyncMutex<Vec<(AffiliateId, ClickId)>>>;

/// What a browser may send from one address within a minute. A whole office or a mobile network has one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Report {
    Click,
    Lead,
}

impl Report {
    const fn a_minute(self) -> i64 {
        match self {
            Self::Click => 600,
            Self::Lead => 60,
        }
    }
}

#[derive(Default)]
pub struct Visits {
    followed: Mutex<HashMap<i64, (Time, Followed)>>,
    reports: Mutex<HashMap<(i64, Report), Bucket>>,
}

impl Visits {
    fn of(&self, visitor: i64, now: Time) -> Followed {
        let mut all = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.retain(|_, (seen, _)| seen.plus_seconds(ONCE_SECONDS) > now);
            if all.len() >= MOST {
                all.clear();
            }
        }
        let (seen, followed) = all.entry(visitor).or_insert_with(|| (now, Followed::default()));
        *seen = now;
        Arc::clone(followed)
    }

    /// # Errors
    /// 429 with when to try again.
    pub fn take(&self, address: i64, report: Report, now: Time) -> Result<(), Failure> {
        let mut all = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.clear();
        }
        let limit = report.a_minute();
        let bucket = all.entry((address, report)).or_insert_with(|| Bucket::full(limit, now.ms()));
        bucket.take(limit, now.ms()).retry_after.map_or(Ok(()), |wait| Err(Failure::limited(wait)))
    }
}

/// Somebody at the other end of a link.
#[derive(Debug, Clone, Default)]
pub struct Visitor {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
    /// The click that its cookie names.
    pub cookie: Option<ClickId>,
}

impl Visitor {
    pub fn is_crawler(&self) -> bool {
        self.user_agent.as_deref().is_some_and(crawler::is_crawler)
    }

    /// The address as it is stored.
    pub fn ip_hash(&self, app: &App) -> Option<i64> {
        self.ip.map(|ip| app.secret.short_hash("ip", &ip.to_canonical().to_string()))
    }
}

/// A link that somebody followed.
#[derive(Debug)]
pub struct Visit {
    pub code: Code,
    pub source_url: Option<String>,
    pub landing: Option<String>,
}

/// The click, if it is one of the program's that a sale could still be credited by.
///
/// # Errors
/// The database's.
pub async fn good(app: &App, program: &Arc<Program>, click: Option<ClickId>) -> Result<Option<ClickId>, store::Error> {
    let Some(click) = click else { return Ok(None) };
    let act = app.act(Arc::clone(program), Actor::CommandLine);
    let owner = leads::owner(&mut *app.db.read().await?, &act, click).await?;
    Ok(owner.map(|_| click))
}

/// The click that a visitor has had, where it stays theirs whatever they follow next: the first affiliate is credited.
///
/// # Errors
/// The database's.
pub async fn first(app: &App, program: &Arc<Program>, had: Option<ClickId>) -> Result<Option<ClickId>, store::Error> {
    good(app, program, had.filter(|_| program.touch == Touch::First)).await
}

/// Counts the visit; the click, which may be one of within the hour, or `None` where the code is unknown or
/// blocked.
///
/// # Errors
/// The database's.
pub async fn count(
    app: &App,
    program: &Program,
    visitor: &Visitor,
    visit: Visit,
) -> Result<Option<ClickId>, store::Error> {
    let (now, ip) = (app.clock.now(), visitor.ip_hash(app));
    let Some(agent) = visitor.user_agent.as_deref().filter(|agent| crawler::is_browser(agent)) else {
        return Ok(record(app, program, visitor, ip, visit).await?.map(|(_, click)| click));
    };
    let who = format!("{}\0{}\0{agent}", program.id.raw(), ip.unwrap_or_default());
    let key = app.secret.short_hash("visitor", &who);
    let followed = app.caches.visits.of(key, now);
    let mut followed = followed.lock().await;
    let is_recent = |click: &ClickId| click.time().plus_seconds(ONCE_SECONDS) > now;
    followed.retain(|(_, click)| is_recent(click));
    let cookie = visitor.cookie.filter(is_recent);
    if !followed.is_empty() || cookie.is_some() {
        // Only who was here before is looked up, so that the rest wait for nothing but their click.
        let mut tx = app.db.read().await?;
        let Some(owner) = codes::owner(&mut tx, program.id, &visit.code).await? else { return Ok(None) };
        if owner.status == Status::Blocked {
            return Ok(None);
        }
        if let Some((_, click)) = followed.iter().find(|(affiliate, _)| *affiliate == owner.affiliate) {
            return Ok(Some(*click));
        }
        if let Some(click) = cookie
            && clicks::affiliate(&mut tx, program.id, click).await? == Some(owner.affiliate)
        {
            followed.push((owner.affiliate, click));
            return Ok(Some(click));
        }
    }
    let counted = record(app, program, visitor, ip, visit).await?;
    followed.extend(counted);
    Ok(counted.map(|(_, click)| click))
}

async fn record(
    app: &App,
    program: &Program,
    visitor: &Visitor,
    ip_hash: Option<i64>,
    visit: Visit,
) -> Result<Option<(AffiliateId, ClickId)>, store::Error> {
    let id = app.ids.next(app.clock.now());
    let new = NewClick {
        id,
        program: program.id,
        code_key: visit.code.key(),
        source_url: visit.source_url,
        landing: visit.landing,
        user_agent: visitor.user_agent.clone(),
        ip_hash,
    };
    Ok(match app.db.click(new).await? {
        Outcome::Recorded { affiliate, .. } => Some((affiliate, id)),
        Outcome::UnknownCode | Outcome::Blocked => None,
    })
}
