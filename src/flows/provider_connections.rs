//! Connecting payment providers: their signing secrets, sealed, and replaced without a gap.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        id::ProgramId,
        providers::{Provider, signature},
        time::Time,
    },
    secret::SecretKey,
    store::{
        Tx,
        providers::{self, Connection},
    },
};

/// How long the secret before still counts, so that what is on its way arrives.
pub const OVERLAP_HOURS: i64 = 24;

fn purpose(program: ProgramId, provider: Provider) -> String {
    format!("provider {program} {provider}")
}

/// Connects the provider, or replaces its signing secret.
///
/// # Errors
/// When the secret cannot be one.
pub async fn connect(tx: &mut Tx, act: &Act, provider: Provider, secret: &str, is_test: bool) -> Result<(), Refusal> {
    let secret = secret.trim();
    if !(8..=200).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Refusal::field("secret", "must be 8 to 200 letters, digits and signs, without spaces"));
    }
    if provider == Provider::Generic && signature::key_of(secret).is_none_or(|key| key.len() < 16) {
        return Err(Refusal::field("secret", "must be whsec_ and at least 16 bytes in base64"));
    }
    let sealed = act.secret.seal(&purpose(act.program.id, provider), secret.as_bytes());
    let sealed = sealed.ok_or_else(|| Refusal::field("secret", "is too long"))?;
    let before = providers::of(tx, act.program.id, provider).await?;
    let before = before.filter(|before| before.secret.is_some());
    let is_same = before
        .as_ref()
        .is_some_and(|before| open(act, provider, before.secret.as_ref()).is_some_and(|old| old == secret));
    let (previous, previous_until) = match &before {
        Some(before) if is_same => (before.previous.clone(), before.previous_until),
        Some(before) => (before.secret.clone(), Some(act.now.plus_seconds(OVERLAP_HOURS * 3_600))),
        None => (None, None),
    };
    let new = Connection {
        provider,
        is_test,
        secret: Some(sealed),
        last_four: secret[secret.len() - 4..].to_owned(),
        previous,
        previous_until,
        connected_at: before.as_ref().map_or(act.now, |before| before.connected_at),
        disconnected_at: None,
    };
    providers::save(tx, act.program.id, &new).await?;
    let words = |connection: &Connection| {
        let mode = if connection.is_test { "test" } else { "live" };
        format!("{provider}, {mode}, secret …{}", connection.last_four)
    };
    let (was, is) = (before.as_ref().map(words), words(&new));
    let change = Change { before: was.as_deref(), after: Some(&is), ..Change::default() };
    Ok(act.audit(tx, "provider.connected", act.program.id, change).await?)
}

/// Cuts the connection: nothing that the provider signs counts any more.
///
/// # Errors
/// When there is none.
pub async fn disconnect(tx: &mut Tx, act: &Act, provider: Provider) -> Result<(), Refusal> {
    let before = providers::of(tx, act.program.id, provider).await?.filter(|before| before.secret.is_some());
    let before = before.ok_or(Refusal::NotFound("connection"))?;
    let cut = Connection {
        secret: None,
        previous: None,
        previous_until: None,
        disconnected_at: Some(act.now),
        ..before.clone()
    };
    providers::save(tx, act.program.id, &cut).await?;
    let was = format!("{provider}, secret …{}", before.last_four);
    let change = Change { before: Some(&was), ..Change::default() };
    Ok(act.audit(tx, "provider.disconnected", act.program.id, change).await?)
}

fn open(act: &Act, provider: Provider, sealed: Option<&String>) -> Option<String> {
    unseal(&act.secret, act.program.id, provider, sealed)
}

fn unseal(secret: &SecretKey, program: ProgramId, provider: Provider, sealed: Option<&String>) -> Option<String> {
    let opened = secret.open(&purpose(program, provider), sealed?)?;
    String::from_utf8(opened).ok()
}

/// The secrets that count now; none where the connection is cut.
pub fn secrets(secret: &SecretKey, program: ProgramId, connection: &Connection, now: Time) -> Vec<String> {
    let previous = connection.previous.as_ref().filter(|_| connection.previous_until.is_some_and(|until| now < until));
    let sealed = [connection.secret.as_ref(), previous];
    sealed.into_iter().filter_map(|one| unseal(secret, program, connection.provider, one)).collect()
}
