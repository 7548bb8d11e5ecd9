//! SQLite: one file, one thread that writes it.
//!
//! A commit costs a disk flush (`synchronous=FULL`: a power cut loses nothing that was answered), so the
//! writing thread takes everything that is waiting, runs each caller's work in a savepoint of its own,
//! commits once and only then answers them all. No timer: the next batch forms while this one commits.
//!
//! Reads happen in place, on connections of their own: such a read is an index look-up of some tens of
//! microseconds, less than a hop to another thread and back. Long ones go through [`Sqlite::snapshot`].

use std::{
    fs::OpenOptions,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use rusqlite::{Connection, OpenFlags, ToSql, config::DbConfig};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{
    Error, Tx,
    clicks::{self, NewClick, Outcome},
};

/// How many may wait to be written, and how many share one commit.
const QUEUE: usize = 4_096;
const BATCH: usize = 512;
/// How long SQLite itself waits for another process's lock.
const BUSY: Duration = Duration::from_secs(2);
/// Readers kept open; more are opened when needed.
const IDLE_READERS: usize = 8;

#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    file: PathBuf,
    readers: Mutex<Vec<Connection>>,
    queue: Mutex<Option<mpsc::Sender<Job>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Sqlite {
    pub fn open(file: &Path) -> Result<Self, Error> {
        create_private(file).map_err(|error| Error::Unavailable(format!("{}: {error}", file.display())))?;
        let connection = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        // Counters of many affiliates lie on many pages, and a commit writes each of them whole: small pages make
        // a click's commit half the bytes. Only a new file takes it. And not too many in the cache, all of which
        // SQLite looks over at each commit.
        connection.execute_batch("PRAGMA page_size = 2048")?;
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Error::Unavailable(format!("{}: cannot use write-ahead logging there", file.display())));
        }
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000;
             PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 8000",
        )?;
        let runtime = Handle::current();
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || write_batches(connection, jobs, &runtime))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            file: file.to_owned(),
            readers: Mutex::default(),
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
        })))
    }

    pub fn reader(&self) -> Result<Connection, Error> {
        let idle = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => connect(&self.0.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
        };
        // All that one reader asks is of one moment, and locks the file once.
        connection.prepare_cached("BEGIN")?.raw_execute()?;
        Ok(connection)
    }

    pub fn give_back(&self, connection: Connection) {
        let ended = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.raw_execute());
        let mut readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS && ended.is_ok() {
            readers.push(connection);
        }
    }

    pub async fn snapshot<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        let connection = connect(&self.0.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let run = move || {
            connection.execute_batch("BEGIN")?;
            finished(work(&mut Tx::Sqlite(connection)))?
        };
        tokio::task::spawn_blocking(run).await.map_err(|error| Error::Unavailable(error.to_string()))?
    }

    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Work(Box::new(Pending { work: Some(work), outcome: None, reply })))?;
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }

    pub async fn click(&self, click: NewClick) -> Result<Outcome, Error> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Click(click, reply))?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// In one step of SQLite's own: a copy in many steps starts over whenever somebody writes.
    pub async fn copy_to(&self, file: PathBuf) -> Result<(), Error> {
        if file.exists() {
            return Err(Error::Unavailable(format!("{} exists already", file.display())));
        }
        let connection = connect(&self.0.file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let run = move || {
            create_private(&file).map_err(|error| Error::Unavailable(format!("{}: {error}", file.display())))?;
            Ok(connection.execute("VACUUM INTO ?1", [file.to_string_lossy()]).map(drop)?)
        };
        tokio::task::spawn_blocking(run).await.map_err(|error| Error::Unavailable(error.to_string()))?
    }

    fn enqueue(&self, job: Job) -> Result<(), Error> {
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.as_ref().ok_or_else(gone)?.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => Error::Full,
            mpsc::error::TrySendError::Closed(_) => gone(),
        })
    }

    pub async fn close(&self) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            let _ = tokio::task::spawn_blocking(|| writer.join()).await;
        }
    }
}

fn gone() -> Error {
    Error::Unavailable("the writer has stopped".into())
}

/// The file holds people's addresses and money: for its owner only, before SQLite writes a byte.
fn create_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(file).map(drop)
}

fn connect(file: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Otherwise SQLite plans a statement anew whenever a value bound to it might change the plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

// The writing thread -------------------------------------------------------------------------------

enum Job {
    Work(Box<dyn Work>),
    Click(NewClick, oneshot::Sender<Result<Outcome, Error>>),
}

/// Somebody's transaction, between being asked for and being answered.
trait Work: Send {
    /// Whether the caller has stopped waiting, so that it must not be done any more.
    fn is_abandoned(&self) -> bool;
    /// Runs it; whether what it wrote is to be kept.
    fn run(&mut self, tx: &mut Tx) -> bool;
    fn answer(self: Box<Self>, commit: Result<(), Error>);
}

struct Pending<T, E, F> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Work for Pending<T, E, F>
where
    T: Send,
    E: From<Error> + Send,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(&mut self, tx: &mut Tx) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A panic is the caller's alone: the others in the batch keep what they wrote.
        let outcome = catch_unwind(AssertUnwindSafe(|| finished(work(tx))));
        let outcome = match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Error::Unavailable("the work panicked".into()).into()),
        };
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, commit: Result<(), Error>) {
        let outcome = match commit {
            Ok(()) => self.outcome.unwrap_or_else(|| Err(gone().into())),
            Err(error) => Err(error.into()),
        };
        let _ = self.reply.send(outcome);
    }
}

/// Work on SQLite waits for nothing, so its future is ready at once; one that is not has awaited the
/// outside world inside a write transaction, which the house forbids.
fn finished<T>(future: BoxFuture<'_, T>) -> Result<T, Error> {
    future.now_or_never().ok_or_else(|| Error::Unavailable("work in a transaction awaited something else".into()))
}

fn write_batches(connection: Connection, mut jobs: mpsc::Receiver<Job>, runtime: &Handle) {
    let mut tx = Tx::Sqlite(connection);
    let mut known = clicks::Known::default();
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let mut waiting = std::mem::take(&mut batch);
        while !waiting.is_empty() {
            waiting = write_batch(&mut tx, &mut known, waiting, runtime);
        }
    }
}

fn batch_execute(tx: &Tx, sql: &str) -> Result<(), Error> {
    match tx {
        Tx::Sqlite(connection) => Ok(connection.prepare_cached(sql)?.raw_execute().map(drop)?),
        Tx::Postgres(_) => Ok(()),
    }
}

/// Whether SQLite itself rolled the transaction back, as it does on a full disk.
fn is_lost(tx: &Tx) -> bool {
    matches!(tx, Tx::Sqlite(connection) if connection.is_autocommit())
}

/// Writes one batch and answers it; returns those that have yet to be tried.
fn write_batch(tx: &mut Tx, known: &mut clicks::Known, batch: Vec<Job>, runtime: &Handle) -> Vec<Job> {
    let mut done: Vec<Box<dyn Work>> = Vec::new();
    let mut counted: Vec<Counted> = Vec::new();
    let mut left = Vec::new();

    let (mut new_clicks, mut works) = (Vec::new(), Vec::new());
    for job in batch {
        match job {
            Job::Click(click, reply) if !reply.is_closed() => new_clicks.push((click, reply)),
            Job::Work(work) if !work.is_abandoned() => works.push(work),
            Job::Click(..) | Job::Work(_) => {}
        }
    }
    let begun = batch_execute(tx, "BEGIN IMMEDIATE");
    let mut keep = false;
    if begun.is_err() {
        counted = new_clicks.into_iter().map(|(_, reply)| (reply, Err(gone()))).collect();
        done = works;
    } else {
        if !new_clicks.is_empty() {
            keep = true;
            known.hold_against(data_version(tx));
            counted = count(tx, known, new_clicks);
        }
        if !works.is_empty() {
            known.forget_codes();
        }
        for mut work in works {
            if is_lost(tx) {
                left.push(Job::Work(work));
                continue;
            }
            keep |= in_savepoint(tx, |tx| work.run(tx));
            done.push(work);
        }
    }

    let result = begun.and_then(|()| match (is_lost(tx), keep) {
        (true, _) => Err(Error::Unavailable("the transaction was rolled back".into())),
        (false, true) => batch_execute(tx, "COMMIT"),
        (false, false) => batch_execute(tx, "ROLLBACK"),
    });
    if let Err(error) = &result {
        tracing::warn!(%error, waiting = done.len() + counted.len(), "a batch could not be written");
        known.clear();
        if !is_lost(tx) {
            let _ = batch_execute(tx, "ROLLBACK");
        }
    }
    // On the runtime's own threads, where waking a task costs no call to the kernel.
    runtime.spawn(async move {
        let commit = || result.as_ref().copied().map_err(|error| Error::Unavailable(error.to_string()));
        for work in done {
            work.answer(commit());
        }
        for (reply, outcome) in counted {
            let _ = reply.send(commit().and(outcome));
        }
    });
    left
}

/// Keeps what `work` wrote if it says so; whether it was kept.
fn in_savepoint(tx: &mut Tx, work: impl FnOnce(&mut Tx) -> bool) -> bool {
    if batch_execute(tx, "SAVEPOINT work").is_err() {
        return false;
    }
    let keep = work(tx);
    if is_lost(tx) {
        return false;
    }
    if !keep {
        let _ = batch_execute(tx, "ROLLBACK TO work");
    }
    let _ = batch_execute(tx, "RELEASE work");
    keep
}

/// A number that changes when another connection, of another process, has written.
fn data_version(tx: &Tx) -> Option<i64> {
    match tx {
        Tx::Sqlite(connection) => {
            fetch_optional(connection, "PRAGMA data_version", &[]).ok()?.map(|(version,)| version)
        }
        Tx::Postgres(_) => None,
    }
}

type Counted = (oneshot::Sender<Result<Outcome, Error>>, Result<Outcome, Error>);

/// Counts the clicks together, first in the transaction and so without a savepoint, which costs a copy of
/// every page they touch; where one of them fails, each by itself, so that a bad one fails alone.
fn count(
    tx: &mut Tx,
    known: &mut clicks::Known,
    new: Vec<(NewClick, oneshot::Sender<Result<Outcome, Error>>)>,
) -> Vec<Counted> {
    let (new, replies): (Vec<_>, Vec<_>) = new.into_iter().unzip();
    if let Ok(outcomes) = record(tx, known, &new) {
        return replies.into_iter().zip(outcomes.into_iter().map(Ok)).collect();
    }
    known.clear();
    let _ = batch_execute(tx, "ROLLBACK");
    if batch_execute(tx, "BEGIN IMMEDIATE").is_err() {
        // Outside a transaction a savepoint would be one of its own, and commit.
        return replies.into_iter().map(|reply| (reply, Err(gone()))).collect();
    }
    let mut alone = |click: NewClick| {
        let mut outcome = Err(gone());
        in_savepoint(tx, |tx| {
            outcome = record(tx, known, std::slice::from_ref(&click))
                .and_then(|mut outcomes| outcomes.pop().ok_or_else(gone));
            outcome.is_ok()
        });
        if outcome.is_err() {
            known.clear();
        }
        outcome
    };
    replies.into_iter().zip(new.into_iter().map(&mut alone)).collect()
}

fn record(tx: &Tx, known: &mut clicks::Known, new: &[NewClick]) -> Result<Vec<Outcome>, Error> {
    match tx {
        Tx::Sqlite(connection) => clicks::record_on_sqlite(connection, known, new),
        Tx::Postgres(_) => Err(gone()),
    }
}

// Statements ---------------------------------------------------------------------------------------

/// What a row of SQLite's can be read into.
pub trait FromLite: Sized {
    fn from_lite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self>;
}

macro_rules! tuples {
    ($($name:ident $index:tt),*) => {
        impl<$($name: rusqlite::types::FromSql),*> FromLite for ($($name,)*) {
            fn from_lite(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
                Ok(($(row.get::<_, $name>($index)?,)*))
            }
        }
    };
}
tuples!(A 0);
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);

/// SQLite numbers `$2` by where it first stands, not by its name, so values are bound by name.
fn bind(statement: &mut rusqlite::CachedStatement<'_>, values: &[&dyn ToSql]) -> Result<(), Error> {
    for index in 1..=statement.parameter_count() {
        let name = statement.parameter_name(index).and_then(|name| name.strip_prefix('$'));
        let place = name.and_then(|number| number.parse::<usize>().ok()).unwrap_or(index);
        let value = values.get(place - 1).ok_or(rusqlite::Error::InvalidParameterCount(values.len(), place))?;
        statement.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

pub fn fetch_optional<T: FromLite>(lite: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Option<T>, Error> {
    let mut statement = lite.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    let first = rows.next()?.map(T::from_lite).transpose()?;
    // Run to the end: an INSERT … RETURNING that is left in the middle has not happened.
    while rows.next()?.is_some() {}
    Ok(first)
}

pub fn fetch_all<T: FromLite>(lite: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<Vec<T>, Error> {
    let mut statement = lite.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(T::from_lite(row)?);
    }
    Ok(all)
}

pub fn execute(lite: &Connection, sql: &str, values: &[&dyn ToSql]) -> Result<u64, Error> {
    let mut statement = lite.prepare_cached(sql)?;
    bind(&mut statement, values)?;
    Ok(statement.raw_execute()? as u64)
}

/// Several statements, for migrations.
pub fn execute_script(lite: &Connection, sql: &str) -> Result<(), Error> {
    Ok(lite.execute_batch(sql)?)
}
