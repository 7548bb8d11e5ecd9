//! SQLite: one file, one thread that writes it.
//!
//! A commit costs a disk flush (`synchronous=FULL`: a power cut loses nothing that was answered), so the
//! writing thread takes everything that is waiting, runs each caller's work in a savepoint of its own,
//! commits once and only then answers them all. No timer: the next batch forms while this one commits.
//!
//! Reads happen in place, on connections of their own: such a read is an index look-up of some tens of
//! microseconds, less than a hop to another thread and back. Long ones go through [`Sqlite::snapshot`].

mod statements;
mod writer;

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

pub use self::statements::{FromLite, execute, execute_script, fetch_all, fetch_optional, numbered};
use self::writer::{Job, Pending, finished, gone};
use super::{
    Error, Tx,
    clicks::{NewClick, Outcome},
};

/// How many may wait to be written.
const QUEUE: usize = 4_096;
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
        if write_ahead(&connection)? != "wal" {
            return Err(Error::Unavailable(format!("{}: cannot use write-ahead logging there", file.display())));
        }
        connection.execute_batch(
            "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 8000",
        )?;
        let runtime = Handle::current();
        let (queue, jobs) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || writer::write_batches(connection, jobs, &runtime))
            .map_err(|error| Error::Unavailable(error.to_string()))?;
        Ok(Self(Arc::new(Inner {
            file: file.to_owned(),
            readers: Mutex::default(),
            queue: Mutex::new(Some(queue)),
            writer: Mutex::new(Some(writer)),
        })))
    }

    /// For one statement.
    pub fn reader(&self) -> Result<Connection, Error> {
        let idle = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle {
            Some(connection) => Ok(connection),
            None => connect(&self.0.file, OpenFlags::SQLITE_OPEN_READ_ONLY),
        }
    }

    /// All that it asks is of one moment, and locks the file once.
    pub fn reader_of_a_moment(&self) -> Result<Connection, Error> {
        let connection = self.reader()?;
        connection.prepare_cached("BEGIN")?.raw_execute()?;
        Ok(connection)
    }

    pub fn give_back(&self, connection: Connection) {
        let has_ended = connection.is_autocommit()
            || connection.prepare_cached("COMMIT").and_then(|mut commit| commit.raw_execute()).is_ok();
        let mut readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < IDLE_READERS && has_ended {
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
        let mut work = Some(work);
        self.written(false, move |tx| work.take().map(|work| work(tx))).await
    }

    /// The same for work that can be run again, which need not be kept apart from others'.
    pub async fn write_together<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.written(true, move |tx| Some(work(tx))).await
    }

    async fn written<T, E, F>(&self, can_repeat: bool, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnMut(&'t mut Tx) -> Option<BoxFuture<'t, Result<T, E>>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Job::Work(Box::new(Pending::new(work, can_repeat, reply))))?;
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

/// The file holds people's addresses and money: for its owner only, before SQLite writes a byte.
fn create_private(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(file).map(drop)
}

/// Turns write-ahead logging on; the mode that the file has then. Of two processes that make a new file at once SQLite
/// refuses one at once, without the patience that it has otherwise.
fn write_ahead(connection: &Connection) -> Result<String, Error> {
    let began = Instant::now();
    loop {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && began.elapsed() < BUSY => {
                std::thread::sleep(Duration::from_millis(10));
            }
            mode => return Ok(mode?),
        }
    }
}

fn connect(file: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Otherwise SQLite plans a statement anew whenever a value bound to it might change the plan.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}
