//! Events of payment providers: stored before they are answered, then looked at by a job, each in one transaction.
//! Looking again is always safe: what an event did is not done twice.

use std::{borrow::Cow, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Act, Actor, provider_effects};
use crate::{
    domain::{
        id::{Ids, ProgramId, ProviderEventId},
        providers::{Event, Mode, Provider, Reading, State},
        time::Time,
    },
    secret::SecretKey,
    store::{
        Error, Tx, jobs, programs,
        provider_events::{self, NewEvent},
        providers::{self, Connection},
    },
};

pub const JOB: &str = "provider_event";

const TEST: &str = "A test: it is kept apart and counts nowhere. A connection for tests would count it.";

/// One thing that an event did: in words, and where below the program's pages it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Did {
    pub words: String,
    pub at: Option<String>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub state: State,
    pub did: Vec<Did>,
    pub why: Option<Cow<'static, str>>,
}

impl Outcome {
    pub fn done(words: impl Into<String>, at: Option<String>) -> Self {
        Self { state: State::Done, did: vec![Did { words: words.into(), at }], why: None }
    }

    pub fn not(state: State, why: impl Into<Cow<'static, str>>) -> Self {
        Self { state, did: Vec::new(), why: Some(why.into()) }
    }

    /// Of several effects, what matters most is what became of the event.
    fn and(mut self, other: Self) -> Self {
        let weight = |state: State| match state {
            State::Failed => 4,
            State::Waiting => 3,
            State::Done => 2,
            State::Received | State::Ignored => 1,
        };
        self.did.extend(other.did);
        if weight(other.state) > weight(self.state) {
            (self.state, self.why) = (other.state, other.why);
        }
        self
    }
}

/// A call that was signed.
#[derive(Debug)]
pub struct Arrival {
    pub program: ProgramId,
    pub provider: Provider,
    pub is_test_connection: bool,
    /// The message's id where the headers name it.
    pub message: Option<String>,
    pub event: Event,
    pub body: String,
}

impl Arrival {
    /// By what the event is known when it comes again.
    fn id(&self, secret: &SecretKey) -> String {
        let named = self.event.id.clone().or_else(|| self.message.clone());
        named.unwrap_or_else(|| {
            let hash = secret.hash("provider event", &self.body);
            format!("body:{}", crate::domain::key::hex(&hash[..16]))
        })
    }
}

/// Stores what came, unless it came before, and has it looked at soon; whether it is new.
///
/// # Errors
/// The database's: then nothing is stored.
pub async fn receive(tx: &mut Tx, ids: &Ids, secret: &SecretKey, now: Time, arrival: &Arrival) -> Result<bool, Error> {
    let event = &arrival.event;
    let (state, why) = match &event.reading {
        _ if is_apart(event.mode, arrival.is_test_connection) => (State::Ignored, Some(TEST)),
        Reading::Ignored(why) => (State::Ignored, Some(why.as_ref())),
        Reading::Effects(_) => (State::Received, None),
    };
    let id: ProviderEventId = ids.next(now);
    let new = NewEvent {
        id,
        program: arrival.program,
        provider: arrival.provider,
        event_id: &arrival.id(secret),
        kind: &event.kind,
        object: event.object.as_deref(),
        is_test: event.mode == Mode::Test || arrival.is_test_connection,
        body: &arrival.body,
        state,
        why,
    };
    let is_new = provider_events::create(tx, &new).await?;
    if is_new && state == State::Received {
        enqueue(tx, ids, now, id).await?;
    }
    Ok(is_new)
}

fn is_apart(mode: Mode, is_test_connection: bool) -> bool {
    mode == Mode::Test && !is_test_connection
}

/// Has the event looked at soon.
///
/// # Errors
/// The database's.
pub async fn enqueue(tx: &mut Tx, ids: &Ids, now: Time, id: ProviderEventId) -> Result<(), Error> {
    jobs::enqueue(tx, ids.next(now), JOB, &id.raw().to_string(), now).await
}

/// When an event that waits is looked at by itself, in minutes after it came: its sale may be told by the API or a file
/// meanwhile, which wakes nobody.
const LOOKS_AGAIN: [i64; 5] = [10, 60, 6 * 60, 24 * 60, 72 * 60];

/// When the event is to be looked at again, if it still waits.
pub fn looks_again(outcome: Option<&Outcome>, id: ProviderEventId, now: Time) -> Option<Time> {
    let is_waiting = outcome.is_some_and(|outcome| outcome.state == State::Waiting);
    let moments = LOOKS_AGAIN.map(|minutes| id.time().plus_seconds(60 * minutes));
    moments.into_iter().filter(|_| is_waiting).find(|moment| *moment > now)
}

/// Looks at the event and does what it says; what became of it, `None` where it is no longer kept.
///
/// # Errors
/// The database's: then nothing is done, and it may be tried again.
pub async fn look(
    tx: &mut Tx,
    ids: &Arc<Ids>,
    secret: &Arc<SecretKey>,
    now: Time,
    id: ProviderEventId,
) -> Result<Option<Outcome>, Error> {
    let Some(event) = provider_events::by_id(tx, id).await? else { return Ok(None) };
    let (program, provider) = (event.program_id, event.provider);
    // One after the other, so that two events of one payment find each other.
    providers::lock(tx, program, provider).await?;
    let Some(body) = provider_events::body(tx, id).await? else { return Ok(None) };
    let Some(program) = programs::by_id(tx, program).await? else { return Ok(None) };
    let connection = providers::of(tx, program.id, provider).await?;
    let act = Act {
        program: Arc::new(program),
        actor: Actor::Provider(provider),
        now,
        ids: Arc::clone(ids),
        secret: Arc::clone(secret),
    };
    let outcome = outcome(tx, &act, provider, id, connection.as_ref(), &body).await?;
    let did = serde_json::to_string(&outcome.did).map_err(|error| Error::Corrupt(error.to_string()))?;
    provider_events::settle(tx, id, outcome.state, &did, outcome.why.as_deref(), now).await?;
    Ok(Some(outcome))
}

async fn outcome(
    tx: &mut Tx,
    act: &Act,
    provider: Provider,
    id: ProviderEventId,
    connection: Option<&Connection>,
    body: &str,
) -> Result<Outcome, Error> {
    let Some(event) = provider.read(body) else {
        return Ok(Outcome::not(State::Failed, "It is not an event of this provider."));
    };
    if is_apart(event.mode, connection.is_some_and(|connection| connection.is_test)) {
        return Ok(Outcome::not(State::Ignored, TEST));
    }
    let effects = match event.reading {
        Reading::Ignored(why) => return Ok(Outcome::not(State::Ignored, why)),
        Reading::Effects(effects) => effects,
    };
    let cause = provider_effects::Cause { act, provider, event: id };
    let mut all: Option<Outcome> = None;
    for effect in effects {
        let one = cause.apply(tx, effect).await?;
        all = Some(match all {
            Some(others) => others.and(one),
            None => one,
        });
    }
    Ok(all.unwrap_or_else(|| Outcome::not(State::Ignored, "It changes nothing here.")))
}
