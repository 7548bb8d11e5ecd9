//! PostgreSQL: a pool, and one task that counts all clicks that are waiting in one statement.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

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
/// How long one statement of a read may take: with the 4 s for a connection, below the 10 s in which every
/// request is answered.
const READ_TIME: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub struct Postgres {
    pool: PgPool,
    doubt: Doubt,
    clicks: mpsc::Sender<Click>,
}

type Click = (NewClick, oneshot::Sender<Result<Outcome, Error>>);

/// For work that reads whole tables, and takes the time it takes.
pub const AT_LENGTH: &str = "SET LOCAL statement_timeout = 0; SET LOCAL plan_cache_mode = auto;
    SET LOCAL enable_seqscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on";

/// One connection, inside a transaction or not.
pub struct Connection {
    /// Declared before the connection, so that it is dropped before it.
    hold: Hold,
    inner: Inner,
    /// How long a statement may take, where nobody else holds a watch.
    patience: Option<Duration>,
}

enum Inner {
    Plain(PoolConnection<sqlx::Postgres>),
    Transaction(sqlx::Transaction<'static, sqlx::Postgres>),
}

impl Connection {
    pub fn raw(&mut self) -> &mut PgConnection {
        match &mut self.inner {
            Inner::Plain(connection) => connection,
            Inner::Transaction(transaction) => transaction,
        }
    }

    /// A statement is about to be sent; how long its answer may take.
    pub fn asking(&mut self) -> Option<Duration> {
        self.hold.is_asking = true;
        self.patience
    }

    pub fn answered(&mut self) {
        self.hold.is_asking = false;
    }

    pub async fn commit(mut self) -> Result<(), Error> {
        match self.inner {
            Inner::Plain(_) => {}
            Inner::Transaction(transaction) => {
                self.hold.is_asking = true;
                transaction.commit().await?;
                self.hold.is_asking = false;
            }
        }
        Ok(())
    }
}

/// The statement's answer, if it comes in time: a server that is out of reach says nothing at all.
pub async fn in_time<T>(
    patience: Option<Duration>,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    match patience {
        None => Ok(answer.await?),
        Some(patience) => match tokio::time::timeout(patience, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Error::Unavailable("no answer in time".into())),
        },
    }
}

/// When a connection was last given back that may not be good any more: in the middle of a statement, or
/// after a suspiciously long time. Giving one back, sqlx waits for the server without a limit, and the
/// connection's place in the pool with it; while there is doubt, it is asked with one first.
#[derive(Clone, Default)]
struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    const LASTS: Duration = Duration::from_secs(30);
    const SUSPICIOUS: Duration = Duration::from_secs(1);

    fn there_is(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| since.elapsed() < Self::LASTS)
    }

    fn raise(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Watches a connection from when it is taken until just before it is given back.
struct Hold {
    doubt: Doubt,
    since: Instant,
    is_asking: bool,
}

impl Hold {
    fn of(doubt: &Doubt) -> Self {
        Self { doubt: doubt.clone(), since: Instant::now(), is_asking: false }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.is_asking || self.since.elapsed() > Doubt::SUSPICIOUS {
            self.doubt.raise();
        }
    }
}

async fn answers(connection: &mut PgConnection) -> bool {
    let ping = sqlx::Connection::ping(connection);
    matches!(tokio::time::timeout(Duration::from_secs(2), ping).await, Ok(Ok(())))
}

impl Postgres {
    pub async fn open(url: &str) -> Result<Self, Error> {
        // Below the 8 s that a caller waits, so that the server's own word arrives first.
        let options: PgConnectOptions = url.parse::<PgConnectOptions>()?.application_name("offshoot").options([
            // A statement is planned once a connection: to plan a list takes longer than to read it, and
            // PostgreSQL would do so each time. Such a plan knows neither what is asked nor how large the tables
            // will be, so it is told: every question of a request is answered by one look-up in an index after
            // the other, whatever the statistics of the moment say.
            ("plan_cache_mode", "force_generic_plan"),
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
            ("statement_timeout", "7000"),
            ("lock_timeout", "6000"),
            ("idle_in_transaction_session_timeout", "15000"),
        ]);
        let doubt = Doubt::default();
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(4))
            .idle_timeout(Duration::from_mins(5))
            // A connection that has rested is tried first: its server may have been restarted since.
            .test_before_acquire(false)
            .before_acquire(|connection, meta| {
                Box::pin(async move {
                    if meta.idle_for > Duration::from_secs(1) {
                        return Ok(answers(connection).await);
                    }
                    Ok(true)
                })
            })
            .after_release({
                let doubt = doubt.clone();
                move |connection, _| {
                    let is_doubtful = doubt.there_is();
                    Box::pin(async move {
                        if is_doubtful && !answers(connection).await {
                            // An error, so that it is dropped and not closed politely.
                            return Err(sqlx::Error::PoolTimedOut);
                        }
                        Ok(true)
                    })
                }
            })
            .connect_with(options)
            .await?;
        let (clicks, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(count_clicks(pool.clone(), doubt.clone(), waiting));
        Ok(Self { pool, doubt, clicks })
    }

    pub async fn connection(&self) -> Result<Connection, Error> {
        // In a box, as all that sqlx does: its futures are of some 15 KB, which every caller's would be too,
        // on SQLite as well, and be copied with it.
        let inner = Inner::Plain(Box::pin(self.pool.acquire()).await?);
        Ok(Connection { hold: Hold::of(&self.doubt), inner, patience: Some(READ_TIME) })
    }

    pub async fn begin(&self, statement: &'static str) -> Result<Connection, Error> {
        // In a task of its own: where a caller gives up while BEGIN is on its way, sqlx does not know that
        // there is a transaction and leaves it open, and the next to use the connection would write into it.
        let (pool, doubt) = (self.pool.clone(), self.doubt.clone());
        let begin = async move {
            let mut hold = Hold::of(&doubt);
            hold.is_asking = true;
            let inner = Inner::Transaction(pool.begin_with(statement).await?);
            hold.is_asking = false;
            Ok(Connection { hold, inner, patience: None })
        };
        tokio::spawn(begin).await.map_err(|error| Error::Unavailable(error.to_string()))?
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

async fn count_clicks(pool: PgPool, doubt: Doubt, mut waiting: mpsc::Receiver<Click>) {
    let mut known = clicks::Known::default();
    let mut batch = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut batch, BATCH).await > 0 {
        batch.retain(|(_, reply)| !reply.is_closed());
        let (new, replies): (Vec<NewClick>, Vec<_>) = batch.drain(..).unzip();
        if new.is_empty() {
            continue;
        }
        match count(&pool, &doubt, &mut known, &new).await {
            Ok(outcomes) => {
                for (reply, outcome) in replies.into_iter().zip(outcomes) {
                    let _ = reply.send(Ok(outcome));
                }
            }
            Err(error) => {
                tracing::warn!(%error, waiting = new.len(), "a batch of clicks could not be written");
                known.clear();
                // A bad row fails alone; with no server at all, nothing is gained by asking for each.
                for (reply, click) in replies.into_iter().zip(&new) {
                    let outcome = if error.is_passing() {
                        Err(Error::Unavailable(error.to_string()))
                    } else {
                        let alone = count(&pool, &doubt, &mut known, std::slice::from_ref(click)).await;
                        alone.and_then(|mut outcomes| outcomes.pop().ok_or_else(gone))
                    };
                    let _ = reply.send(outcome);
                }
            }
        }
    }
}

async fn count(
    pool: &PgPool,
    doubt: &Doubt,
    known: &mut clicks::Known,
    new: &[NewClick],
) -> Result<Vec<Outcome>, Error> {
    let work = async {
        let mut connection = pool.acquire().await?;
        // Declared after the connection, so that it is dropped before it.
        let _hold = Hold::of(doubt);
        clicks::record_on_postgres(&mut connection, known, new).await
    };
    let patience = Duration::from_secs(4);
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(Error::Unavailable("no answer in time".into())))
}
