//! What every handler, job and command is given.

use std::{ops::Deref, sync::Arc};

use crate::{
    clock::Clock,
    config::Config,
    domain::{
        id::{AccountId, Ids},
        program::Program,
    },
    flows::{Act, Actor, credentials::By},
    secret::SecretKey,
    store::{self, Db, migrate},
    web::caches::Caches,
};

/// Cheap to clone: every request holds several.
#[derive(Clone)]
pub struct App(Arc<Parts>);

#[derive(Clone)]
pub struct Parts {
    pub db: Db,
    pub clock: Clock,
    pub ids: Arc<Ids>,
    pub config: Arc<Config>,
    pub secret: Arc<SecretKey>,
    pub caches: Arc<Caches>,
}

impl App {
    /// Opens and migrates the database.
    ///
    /// # Errors
    /// When there is no database, or it belongs to another version.
    pub async fn open(config: Config, secret: SecretKey, clock: Clock) -> Result<Self, store::Error> {
        let db = Db::open(&config.database_url).await?;
        migrate::run(&db, clock.now()).await?;
        let ids = Ids::new(migrate::next_instance(&db).await?);
        Ok(Self::new(Parts {
            db,
            clock,
            ids: Arc::new(ids),
            config: Arc::new(config),
            secret: Arc::new(secret),
            caches: Arc::default(),
        }))
    }

    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub fn act(&self, program: Arc<Program>, actor: Actor) -> Act {
        Act { program, actor, now: self.clock.now(), ids: Arc::clone(&self.ids), secret: Arc::clone(&self.secret) }
    }

    pub fn by(&self, account: AccountId) -> By {
        By { account, now: self.clock.now(), ids: Arc::clone(&self.ids), secret: Arc::clone(&self.secret) }
    }
}

impl Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
