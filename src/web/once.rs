//! `Idempotency-Key`: the first successful answer is kept in the transaction of what it answered, and
//! given again, whole, for a day.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::{HeaderMap, Uri};
use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

use super::{failure::Failure, input, json, reply::Reply};
use crate::{
    app::App,
    domain::{id::ProgramId, key::hex},
    flows::Act,
    store::{Tx, idempotency},
};

const HEADER: &str = "idempotency-key";

/// A key, and what it was first sent with.
#[derive(Debug, Clone)]
pub struct Once {
    key: String,
    fingerprint: String,
}

impl Once {
    /// # Errors
    /// 400 when the key is not 1 to 255 printable characters.
    pub fn read(headers: &HeaderMap, target: &Uri, body: &[u8]) -> Result<Option<Self>, Failure> {
        let Some(value) = headers.get(HEADER) else { return Ok(None) };
        let key = std::str::from_utf8(value.as_bytes()).ok().filter(|key| (1..=255).contains(&key.chars().count()));
        let key = key.ok_or_else(|| Failure::field("Idempotency-Key", "must be 1 to 255 characters"))?;
        let mut hash = Sha256::new();
        hash.update(target.path_and_query().map_or("", |target| target.as_str()));
        hash.update([0]);
        hash.update(body);
        Ok(Some(Self { key: key.to_owned(), fingerprint: hex(&hash.finalize()) }))
    }
}

/// Keys whose request is running in this process.
#[derive(Default)]
pub struct Running(Mutex<HashSet<(ProgramId, String)>>);

struct Turn {
    app: App,
    key: (ProgramId, String),
}

impl Turn {
    fn take(app: &App, program: ProgramId, key: &str) -> Result<Self, Failure> {
        let key = (program, key.to_owned());
        let mut running = app.caches.running.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !running.insert(key.clone()) {
            return Err(Failure::still_running());
        }
        drop(running);
        Ok(Self { app: app.clone(), key })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.app.caches.running.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

fn used_otherwise() -> Failure {
    Failure::field("Idempotency-Key", "was used with another path, query or body")
}

/// For a request that writes nothing, and so has nothing kept: its key must not stand for another.
///
/// # Errors
/// 400 when it does.
pub async fn unused(tx: &mut Tx, act: &Act, once: Option<&Once>) -> Result<(), Failure> {
    let Some(Once { key, .. }) = once else { return Ok(()) };
    match idempotency::kept(tx, act.program.id, key, act.now).await? {
        None => Ok(()),
        Some(_) => Err(used_otherwise()),
    }
}

/// Runs the work in a transaction; with a key, at most once.
///
/// # Errors
/// The work's own, or that the key stands for another request.
pub async fn write<F>(app: &App, act: Act, once: Option<Once>, work: F) -> Result<Reply, Failure>
where
    F: for<'t> FnOnce(&'t mut Tx, Arc<Act>) -> BoxFuture<'t, Result<Reply, Failure>> + Send + 'static,
{
    let act = Arc::new(act);
    let Some(Once { key, fingerprint }) = once else {
        return app.db.write(move |tx| work(tx, act)).await;
    };
    let program = act.program.id;
    // Held until the work has ended, also when its caller has given up waiting.
    let turn = Turn::take(app, program, &key)?;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let _turn = turn;
                if !idempotency::claim(tx, program, &key, &fingerprint, act.now).await? {
                    let kept = idempotency::kept(tx, program, &key, act.now).await?;
                    let kept = kept.ok_or_else(Failure::still_running)?;
                    if kept.fingerprint != fingerprint {
                        return Err(used_otherwise());
                    }
                    let status = input::status(kept.status);
                    return Ok(Reply::Replayed { status, location: kept.location, body: kept.body });
                }
                let reply = work(tx, act).await?;
                let answer = json::answer(&reply)?;
                let status = i64::from(answer.status.as_u16());
                idempotency::keep(tx, program, &key, status, answer.location.as_deref(), &answer.body).await?;
                Ok(reply)
            })
        })
        .await
}
