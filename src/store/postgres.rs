//! PostgreSQL: a pool, and one task that counts all clicks that are waiting in one statement.

use std::time::Duration;

use sqlx::{
    PgConnection, PgPool,
    error::DatabaseError,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::sync::{mpsc, oneshot};

use super::{
    Error,
    clicks::{self, NewClick, Outcome},
};

const QUEUE: usize = 4_096;
const BATCH: usize = 1_024;

#[derive(Clone)]
pub struct Postgres {
    pool: PgPool,
    clicks: mpsc::Sender<Click>,
}

type Click = (NewClick, oneshot::Sender<Result<Outcome, Error>>);

/// One connection, inside a transaction or not.
pub enum Connection {
    Plain(PoolConnection<sqlx::Postgres>),
    Transaction(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Connection {
    pub fn raw(&mut self) -> &mut PgConnection {
        match self {
            Self::Plain(connection) => connection,
            Self::Transaction(transaction) => transaction,
        }
    }

    pub async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Transaction(transaction) => Ok(transaction.commit().await?),
        }
    }
}

impl Postgres {
    pub async fn open(url: &str) -> Result<Self, Error> {
        // Below the 8 s that a caller waits, so that the server's own word arrives first.
        let options: PgConnectOptions = url.parse::<PgConnectOptions>()?.application_name("offshoot").options([
            ("statement_timeout", "7000"),
            ("lock_timeout", "6000"),
            ("idle_in_transaction_session_timeout", "15000"),
        ]);
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(4))
            .idle_timeout(Duration::from_secs(300))
            // A connection that has rested is tried first: its server may have been restarted since.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > Duration::from_secs(1) {
                        let ping = sqlx::Connection::ping(connection);
                        return Ok(matches!(tokio::time::timeout(Duration::from_secs(2), ping).await, Ok(Ok(()))));
                    }
                    Ok(true)
                })
            })
            .connect_with(options)
            .await?;
        let (clicks, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(count_clicks(pool.clone(), waiting));
        Ok(Self { pool, clicks })
    }

    pub async fn connection(&self) -> Result<Connection, Error> {
        Ok(Connection::Plain(self.pool.acquire().await?))
    }

    pub async fn begin(&self, statement: &'static str) -> Result<Connection, Error> {
        // In a task of its own: where a caller gives up while BEGIN is on its way, sqlx does not know that
        // there is a transaction and leaves it open, and the next to use the connection would write into it.
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move { pool.begin_with(statement).await });
        let begun = begun.await.map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Connection::Transaction(begun?))
    }

    pub async fn click(&self, click: NewClick) -> Result<Outcome, Error> {
        let (reply, answer) = oneshot::channel();
        self.clicks.try_send((click, reply)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Full,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

fn gone() -> Error {
    Error::Unavailable("the click writer has stopped".into())
}

/// Whether the server said that it is not there for anybody now.
pub fn is_outage(error: &dyn DatabaseError) -> bool {
    // Classes 08, 53, 57 and the lock and serialisation failures: connections, resources, operator
    // intervention. https://www.postgresql.org/docs/15/errcodes-appendix.html
    error.code().is_some_and(|code| {
        ["08", "53", "57", "40"].iter().any(|class| code.starts_with(class)) || code == "55P03" || code == "25006"
    })
}

async fn count_clicks(pool: PgPool, mut waiting: mpsc::Receiver<Click>) {
    let mut texts = clicks::TextCache::default();
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        batch.retain(|(_, reply)| !reply.is_closed());
        let (new, replies): (Vec<NewClick>, Vec<_>) = batch.drain(..).unzip();
        if new.is_empty() {
            continue;
        }
        match count(&pool, &mut texts, &new).await {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::warn!(%error, waiting = new.len(), "a batch of clicks could not be written");
                texts.clear();
                // A bad row fails alone; with no server at all, nothing is gained by asking for each.
                for (reply, click) in replies.into_iter().zip(&new) {
                    let outcome = if error.is_passing() {
                        Err(Error::Unavailable(error.to_string()))
                    } else {
                        let alone = count(&pool, &mut texts, std::slice::from_ref(click)).await;
                        alone.and_then(|mut outcomes| outcomes.pop().ok_or_else(gone))
                    };
                    let _ = reply.send(outcome);
                }
            }
        }
    }
}

async fn count(pool: &PgPool, texts: &mut clicks::TextCache, new: &[NewClick]) -> Result<Vec<Outcome>, Error> {
    let work = async {
        let mut connection = pool.acquire().await?;
        clicks::record_on_postgres(&mut connection, texts, new).await
    };
    let patience = Duration::from_secs(4);
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(Error::Unavailable("no answer in time".into())))
}
