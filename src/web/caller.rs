//! Who asks, and what they may do. The extractors' names in a handler's signature tell who may call it.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::{
    app::App,
    domain::{
        key,
        program::Program,
        role::{Grants, Permission, Role},
        time::Time,
    },
    flows::{Act, Actor},
    store::{self, keys, programs},
};

/// The two calls that a key for tracking may make, below `/v1`.
pub const TRACKING: [&str; 2] = ["/referrals/track", "/referrals/convert"];
/// How often a key's last use is written down.
const LAST_USED_SECONDS: i64 = 60;

#[derive(Debug, Clone)]
pub struct Caller {
    pub program: Arc<Program>,
    pub actor: Actor,
    pub grants: Grants,
    /// Of a person; a key has a scope instead.
    pub role: Option<Role>,
}

impl Caller {
    pub fn act(&self, app: &App) -> Act {
        app.act(Arc::clone(&self.program), self.actor)
    }
}

/// The caller whose bearer key this is.
///
/// # Errors
/// 401 without a key that is good now.
pub async fn by_key(app: &App, headers: &HeaderMap) -> Result<Caller, Failure> {
    let missing = || Failure::unauthenticated("Send your API key as Authorization: Bearer YOUR_API_KEY");
    let invalid = || Failure::unauthenticated("This API key is not valid");
    let credentials = headers.get(header::AUTHORIZATION).ok_or_else(missing)?.to_str().map_err(|_| invalid())?;
    let (scheme, key) = credentials.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(missing());
    }
    let digest: [u8; 32] = Sha256::digest(key.trim().as_bytes()).into();
    let now = app.clock.now();
    let (key, program) = match app.caches.keys.get(&digest) {
        Some(known) => known,
        // In a box, because it is rare: its future would be part of every request's, and be copied with it.
        None => Box::pin(look_up(app, digest, now)).await?.ok_or_else(invalid)?,
    };
    if key.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(Failure::unauthenticated("This API key has expired"));
    }
    Ok(Caller { program, actor: Actor::Key(key.id), grants: key.scope.grants(), role: None })
}

type Known = (Arc<keys::Key>, Arc<Program>);

async fn look_up(app: &App, digest: [u8; 32], now: Time) -> Result<Option<Known>, store::Error> {
    let since = Instant::now();
    let mut tx = app.db.read().await?;
    let Some(key) = keys::by_hash(&mut tx, &key::hex(&digest)).await? else { return Ok(None) };
    let Some(program) = programs::by_id(&mut tx, key.program_id).await? else { return Ok(None) };
    drop(tx);
    let is_stale = key.last_used_at.is_none_or(|last| last.plus_seconds(LAST_USED_SECONDS) <= now);
    let known = (Arc::new(key), Arc::new(program));
    app.caches.keys.put(digest, known.clone(), since);
    if is_stale {
        let (db, id) = (app.db.clone(), known.0.id);
        tokio::spawn(async move { db.write(move |tx| Box::pin(keys::touch(tx, id, now))).await });
    }
    Ok(Some(known))
}

fn caller(parts: &Parts) -> Result<Caller, Failure> {
    parts.extensions.get::<Caller>().cloned().ok_or_else(Failure::no_route)
}

impl Caller {
    /// # Errors
    /// For a key 403 in the words of `refusal`; for a person, to whom what they may not do does not exist, 404.
    pub fn must(&self, permission: Permission, refusal: &'static str) -> Result<(), Failure> {
        match (self.grants.allow(permission), self.actor) {
            (true, _) => Ok(()),
            (false, Actor::Key(_)) => Err(Failure::forbidden(refusal)),
            (false, _) => Err(Failure::no_route()),
        }
    }
}

macro_rules! permissions {
    ($($name:ident: $permission:ident, $refusal:literal;)*) => { $(
        #[doc = concat!("A caller with [`Permission::", stringify!($permission), "`].")]
        #[derive(Debug)]
        pub struct $name(pub Caller);

        impl FromRequestParts<App> for $name {
            type Rejection = Failure;

            async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failure> {
                let caller = caller(parts)?;
                caller.must(Permission::$permission, $refusal)?;
                Ok(Self(caller))
            }
        }

        impl std::ops::Deref for $name {
            type Target = Caller;
            fn deref(&self) -> &Caller {
                &self.0
            }
        }
    )* };
}

permissions! {
    Reads: Read, "This key may only record clicks and conversions";
    Tracks: Track, "This key may only read";
    ManagesAffiliates: Affiliates, "This key may not change anything";
    Decides: Commissions, "This key may not change anything";
    Pays: Payouts, "This key may not change anything";
    Configures: Settings, "A key may not change the program";
    HoldsKeys: Keys, "A key may not make keys";
    LeadsTeam: Team, "A key may not change the team";
    Audits: Audit, "A key may not read the audit log";
}
