//! The writing thread: batches of everybody's work, each under one commit.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::{FutureExt, future::BoxFuture};
use rusqlite::Connection;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{
    super::{
        Error, Tx,
        clicks::{self, NewClick, Outcome},
    },
    statements::fetch_optional,
};

/// How many share one commit.
const BATCH: usize = 512;

pub enum Job {
    Work(Box<dyn Work>),
    Click(NewClick, oneshot::Sender<Result<Outcome, Error>>),
}

/// Somebody's transaction, between being asked for and being answered.
pub trait Work: Send {
    /// Whether the caller has stopped waiting, so that it must not be done any more.
    fn is_abandoned(&self) -> bool;
    /// Whether it can be run again after what it wrote was taken back.
    fn can_repeat(&self) -> bool;
    /// Runs it; whether what it wrote is to be kept.
    fn run(&mut self, tx: &mut Tx) -> bool;
    fn answer(self: Box<Self>, commit: Result<(), Error>);
}

pub struct Pending<T, E, F> {
    /// Gives nothing where it was run before and cannot be again.
    work: F,
    can_repeat: bool,
    outcome: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Pending<T, E, F> {
    pub fn new(work: F, can_repeat: bool, reply: oneshot::Sender<Result<T, E>>) -> Self {
        Self { work, can_repeat, outcome: None, reply }
    }
}

impl<T, E, F> Work for Pending<T, E, F>
where
    T: Send,
    E: From<Error> + Send,
    F: for<'t> FnMut(&'t mut Tx) -> Option<BoxFuture<'t, Result<T, E>>> + Send,
{
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn can_repeat(&self) -> bool {
        self.can_repeat
    }

    fn run(&mut self, tx: &mut Tx) -> bool {
        // A panic is the caller's alone: the others in the batch keep what they wrote.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(tx).map(finished)));
        let outcome = match outcome {
            Ok(Some(Ok(outcome))) => outcome,
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(None) => Err(gone().into()),
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
pub fn finished<T>(future: BoxFuture<'_, T>) -> Result<T, Error> {
    future.now_or_never().ok_or_else(|| Error::Unavailable("work in a transaction awaited something else".into()))
}

pub fn write_batches(connection: Connection, mut jobs: mpsc::Receiver<Job>, runtime: &Handle) {
    let mut tx = Tx::Sqlite(connection);
    let mut known = clicks::Known::default();
    let mut batch = Vec::with_capacity(BATCH);
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let mut left = write_batch(&mut tx, &mut known, std::mem::take(&mut batch), true, runtime);
        while !left.is_empty() {
            left = write_batch(&mut tx, &mut known, left, false, runtime);
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

/// Writes one batch and answers it; returns those that have yet to be tried. With `is_first`, what can be repeated
/// shares what becomes of it.
fn write_batch(tx: &mut Tx, known: &mut clicks::Known, batch: Vec<Job>, is_first: bool, runtime: &Handle) -> Vec<Job> {
    let mut done: Vec<Box<dyn Work>> = Vec::new();
    let mut counted: Vec<Counted> = Vec::new();
    let mut left = Vec::new();

    let begun = batch_execute(tx, "BEGIN IMMEDIATE");
    // Only now, because BEGIN may have waited for another process's lock, and callers given up meanwhile.
    let (mut new_clicks, mut works) = (Vec::new(), Vec::new());
    for job in batch {
        match job {
            Job::Click(click, reply) if !reply.is_closed() => new_clicks.push((click, reply)),
            Job::Work(work) if !work.is_abandoned() => works.push(work),
            Job::Click(..) | Job::Work(_) => {}
        }
    }
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
        let (mut repeatable, mut others): (Vec<_>, Vec<_>) =
            works.into_iter().partition(|work| is_first && work.can_repeat());
        if together(tx, &mut repeatable, counted.is_empty()) {
            keep |= !repeatable.is_empty();
            done.append(&mut repeatable);
        }
        repeatable.append(&mut others);
        for mut work in repeatable {
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

/// Runs them without a savepoint for each, which costs a copy of every page they touch; whether they stay. They do not
/// where one fails after it has written: then it is as if none had run. On a transaction that has nothing in it yet,
/// there is no savepoint at all.
fn together(tx: &mut Tx, works: &mut [Box<dyn Work>], is_empty: bool) -> bool {
    let needs_savepoint = !is_empty && !works.is_empty();
    let mut run = |tx: &mut Tx| {
        works.iter_mut().all(|work| {
            let before = changes(tx);
            work.run(tx) || (!is_lost(tx) && changes(tx) == before)
        })
    };
    if needs_savepoint {
        return in_savepoint(tx, run);
    }
    let stay = run(tx);
    if !stay && !is_lost(tx) {
        let _ = batch_execute(tx, "ROLLBACK");
        let _ = batch_execute(tx, "BEGIN IMMEDIATE");
    }
    stay
}

/// How many rows this connection has changed.
fn changes(tx: &Tx) -> u64 {
    match tx {
        Tx::Sqlite(connection) => connection.total_changes(),
        Tx::Postgres(_) => 0,
    }
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

pub fn gone() -> Error {
    Error::Unavailable("the writer has stopped".into())
}
