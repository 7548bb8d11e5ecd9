//! The inbox of what payment providers told: each event once, as it came, with what became of it.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    id::{Id, ProgramId, ProviderEventId},
    providers::{Provider, State},
    time::Time,
};

/// How long what came is kept: it tells of people.
pub const BODY_DAYS: i64 = 90;
/// Bodies that one sweep forgets at most.
const AT_ONCE: i64 = 1_000;

#[derive(Debug)]
pub struct NewEvent<'a> {
    pub id: ProviderEventId,
    pub program: ProgramId,
    pub provider: Provider,
    pub event_id: &'a str,
    pub kind: &'a str,
    pub object: Option<&'a str>,
    pub is_test: bool,
    pub body: &'a str,
    pub state: State,
    pub why: Option<&'a str>,
}

/// Stores the event; `false` where it came before.
pub async fn create(tx: &mut Tx, new: &NewEvent<'_>) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO provider_events (id, program_id, provider, event_id, kind, object, is_test, body, state, did, why,
           received_at, settled_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '[]', $10, $11, $12)
         ON CONFLICT (program_id, provider, event_id) DO NOTHING",
        new.id,
        new.program,
        new.provider,
        new.event_id,
        new.kind,
        new.object,
        new.is_test,
        new.body,
        new.state,
        new.why,
        new.id.time(),
        if new.state == State::Received { None } else { Some(new.id.time()) }
    )?;
    Ok(made == 1)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Event {
        pub id: ProviderEventId,
        pub program_id: ProgramId,
        pub provider: Provider,
        pub event_id: String,
        pub kind: String,
        pub object: Option<String>,
        pub is_test: bool,
        pub state: State,
        pub did: String,
        pub why: Option<String>,
        pub attempts: i64,
        pub received_at: Time,
        pub settled_at: Option<Time>,
    }
}

macro_rules! events {
    ($rest:literal) => {
        concat!(
            "SELECT id, program_id, provider, event_id, kind, object, is_test, state, did, why, attempts, received_at,
               settled_at FROM provider_events ",
            $rest
        )
    };
}

pub async fn by_id(tx: &mut Tx, id: ProviderEventId) -> Result<Option<Event>, Error> {
    fetch_optional!(Event, tx, events!("WHERE id = $1"), id)
}

/// What came, as long as it is kept.
pub async fn body(tx: &mut Tx, id: ProviderEventId) -> Result<Option<String>, Error> {
    let row = fetch_optional!((Option<String>,), tx, "SELECT body FROM provider_events WHERE id = $1", id)?;
    Ok(row.and_then(|(body,)| body))
}

/// The provider's newest event.
pub async fn last(tx: &mut Tx, program: ProgramId, provider: Provider) -> Result<Option<Event>, Error> {
    fetch_optional!(
        Event,
        tx,
        events!("WHERE program_id = $1 AND provider = $2 ORDER BY id DESC LIMIT 1"),
        program,
        provider
    )
}

/// A page of a program's inbox, newest first.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    provider: Option<Provider>,
    state: Option<State>,
    before: ProviderEventId,
    limit: i64,
) -> Result<Vec<Event>, Error> {
    match (provider, state) {
        (None, None) => fetch_all!(
            Event,
            tx,
            events!("WHERE program_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"),
            program,
            before,
            limit
        ),
        (Some(provider), None) => fetch_all!(
            Event,
            tx,
            events!("WHERE program_id = $1 AND provider = $4 AND id < $2 ORDER BY id DESC LIMIT $3"),
            program,
            before,
            limit,
            provider
        ),
        (None, Some(state)) => fetch_all!(
            Event,
            tx,
            events!("WHERE program_id = $1 AND state = $4 AND id < $2 ORDER BY id DESC LIMIT $3"),
            program,
            before,
            limit,
            state
        ),
        (Some(provider), Some(state)) => fetch_all!(
            Event,
            tx,
            events!("WHERE program_id = $1 AND state = $4 AND provider = $5 AND id < $2 ORDER BY id DESC LIMIT $3"),
            program,
            before,
            limit,
            state,
            provider
        ),
    }
}

/// How many are in that state, counted to `most` only.
pub async fn count(tx: &mut Tx, program: ProgramId, state: State, most: i64) -> Result<i64, Error> {
    let (count,) = super::fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM (SELECT id FROM provider_events WHERE program_id = $1 AND state = $2 LIMIT $3) counted",
        program,
        state,
        most
    )?;
    Ok(count)
}

/// What became of it. An attempt is counted where somebody looked at the event itself.
pub async fn settle(
    tx: &mut Tx,
    id: ProviderEventId,
    state: State,
    did: &str,
    why: Option<&str>,
    now: Time,
) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE provider_events SET state = $2, did = $3, why = $4, settled_at = $5, attempts = attempts + 1 WHERE id = $1",
        id,
        state,
        did,
        why,
        now
    )
    .map(drop)
}

/// Of one that waited: it is to be looked at again.
pub async fn reopen(tx: &mut Tx, id: ProviderEventId) -> Result<(), Error> {
    execute!(tx, "UPDATE provider_events SET state = $2 WHERE id = $1", id, State::Received).map(drop)
}

/// The event waits for what may be told of the object.
pub async fn wait_for(
    tx: &mut Tx,
    program: ProgramId,
    provider: Provider,
    object: &str,
    event: ProviderEventId,
) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO provider_waiting (program_id, provider, object, event_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (program_id, provider, object, event_id) DO NOTHING",
        program,
        provider,
        object,
        event
    )
    .map(drop)
}

/// The events from `since` on that wait for the object, which then do so no more.
pub async fn awaiting(
    tx: &mut Tx,
    program: ProgramId,
    provider: Provider,
    object: &str,
    since: ProviderEventId,
) -> Result<Vec<ProviderEventId>, Error> {
    let rows = fetch_all!(
        (ProviderEventId,),
        tx,
        "DELETE FROM provider_waiting WHERE program_id = $1 AND provider = $2 AND object = $3 AND event_id >= $4
         RETURNING event_id",
        program,
        provider,
        object,
        since
    )?;
    let mut ids: Vec<_> = rows.into_iter().map(|(id,)| id).collect();
    ids.sort_unstable();
    Ok(ids)
}

/// Forgets what came so long ago, and who waits for it.
pub async fn forget(tx: &mut Tx, now: Time) -> Result<(), Error> {
    let late: ProviderEventId = Id::first_at(now.plus_days(-BODY_DAYS));
    execute!(
        tx,
        "DELETE FROM provider_waiting WHERE event_id IN
           (SELECT id FROM provider_events WHERE body IS NOT NULL AND id < $1 ORDER BY id LIMIT $2)",
        late,
        AT_ONCE
    )?;
    execute!(
        tx,
        "UPDATE provider_events SET body = NULL WHERE id IN
           (SELECT id FROM provider_events WHERE body IS NOT NULL AND id < $1 ORDER BY id LIMIT $2)",
        late,
        AT_ONCE
    )
    .map(drop)
}
