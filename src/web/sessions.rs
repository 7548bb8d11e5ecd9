//! Browser sessions for tower-sessions, in our own table: hashed at rest, and a session that was signed out
//! stays out, whatever request is still running.

use std::collections::HashMap;

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    Expiry, SessionManagerLayer, SessionStore,
    cookie::SameSite,
    session::{Id, Record},
    session_store,
};

use super::html::ACCOUNT;
use crate::{
    app::App,
    clock::Clock,
    domain::{id::AccountId, key::hash, time::Time},
    store::{Db, Error, sessions},
};

#[derive(Clone)]
pub struct Store {
    db: Db,
    clock: Clock,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

pub fn layer(app: &App) -> SessionManagerLayer<Store> {
    let https = app.config.is_https();
    // A browser drops a __Host- cookie that comes over plain http.
    let name = if https { "__Host-offshoot" } else { "offshoot" };
    SessionManagerLayer::new(Store { db: app.db.clone(), clock: app.clock.clone() })
        .with_name(name)
        .with_secure(https)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnInactivity(Duration::days(sessions::ABSOLUTE_DAYS)))
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn failed(error: Error) -> session_store::Error {
    session_store::Error::Backend(error.to_string())
}

fn at(moment: OffsetDateTime) -> Time {
    Time::from_ms(moment.unix_timestamp().saturating_mul(1_000))
}

fn data(record: &Record) -> Result<String, session_store::Error> {
    serde_json::to_string(&record.data).map_err(|error| session_store::Error::Encode(error.to_string()))
}

#[async_trait]
impl SessionStore for Store {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        let (data, now, expires) = (data(record)?, self.clock.now(), at(record.expiry_date));
        loop {
            let (id, data) = (hash(&record.id.to_string()), data.clone());
            let made = self
                .db
                .write(move |tx| Box::pin(async move { sessions::create(tx, &id, &data, now, expires).await }))
                .await
                .map_err(failed)?;
            if made {
                break;
            }
            record.id = Id::default();
        }
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        let account = record.data.get(ACCOUNT).and_then(serde_json::Value::as_i64).map(AccountId::new);
        let (id, data, now) = (hash(&record.id.to_string()), data(record)?, self.clock.now());
        let expires = at(record.expiry_date);
        self.db
            .write(move |tx| Box::pin(async move { sessions::save(tx, &id, account, &data, now, expires).await }))
            .await
            .map_err(failed)
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        let mut tx = self.db.read().await.map_err(failed)?;
        let found = sessions::load(&mut tx, &hash(&id.to_string()), self.clock.now()).await.map_err(failed)?;
        let Some(found) = found else { return Ok(None) };
        drop(tx);
        let now = self.clock.now();
        if found.is_due_to_be_seen(now) {
            // Nobody is kept waiting, or out, for this.
            let (db, id) = (self.db.clone(), hash(&id.to_string()));
            tokio::spawn(async move {
                db.write(move |tx| Box::pin(async move { sessions::seen(tx, &id, now).await })).await
            });
        }
        let data: HashMap<_, _> =
            serde_json::from_str(&found.data).map_err(|error| session_store::Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(found.expires_at.ms() / 1_000)
            .map_err(|error| session_store::Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        let id = hash(&id.to_string());
        self.db.write(move |tx| Box::pin(async move { sessions::delete(tx, &id).await })).await.map_err(failed)
    }
}
