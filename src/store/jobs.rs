//! Work for later. A job is a row; whoever claims it has it for a while, and it is tried again unless done.

use tokio::sync::{Notify, futures::Notified};

use super::{Error, Tx, execute, fetch_all, row};
use crate::domain::{id::Id, time::Time};

/// A job has no public id.
#[derive(Debug)]
pub enum JobRow {}

row! {
    #[derive(Debug, Clone)]
    pub struct Job {
        pub id: Id<JobRow>,
        pub kind: String,
        pub key: String,
        pub attempts: i64,
    }
}

/// Wakes whoever waits for work in this process, so that a sign-in link leaves at once. The transaction that
/// enqueues is not over then: who is woken looks again a little later.
static ENQUEUED: Notify = Notify::const_new();

/// The next time that this process enqueues something.
pub fn enqueued() -> Notified<'static> {
    ENQUEUED.notified()
}

/// Enqueues the job. One of that kind and key that waits already is due no later than this.
pub async fn enqueue(tx: &mut Tx, id: Id<JobRow>, kind: &str, key: &str, run_at: Time) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO jobs (id, kind, key, run_at, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (kind, key) DO UPDATE SET run_at = excluded.run_at WHERE jobs.run_at > excluded.run_at",
        id,
        kind,
        key,
        run_at,
        id.time()
    )?;
    ENQUEUED.notify_waiters();
    Ok(())
}

/// The jobs that have been due the longest, at most so many, for this caller alone until `until`. The eligibility is tested
/// again in the outer WHERE, so that of two callers at READ COMMITTED one comes away empty; on PostgreSQL
/// callers also step over what another one is just taking, instead of waiting for it to come away empty.
pub async fn claim(tx: &mut Tx, now: Time, until: Time, most: i64) -> Result<Vec<Job>, Error> {
    macro_rules! claim {
        ($among:literal, $lock:literal) => {
            fetch_all!(
                Job,
                tx,
                concat!(
                    "UPDATE jobs SET locked_until = $2, attempts = attempts + 1
                     WHERE id ",
                    $among,
                    "(SELECT id FROM jobs WHERE run_at <= $1 AND (locked_until IS NULL OR locked_until <= $1)
                       ORDER BY run_at LIMIT $3 ",
                    $lock,
                    ") AND run_at <= $1 AND (locked_until IS NULL OR locked_until <= $1)
                     RETURNING id, kind, key, attempts"
                ),
                now,
                until,
                most
            )
        };
    }
    match tx {
        Tx::Sqlite(_) => claim!("IN ", ""),
        // As an array, so that the rows are chosen once.
        Tx::Postgres(_) => claim!("= ANY(ARRAY", "FOR UPDATE SKIP LOCKED)"),
    }
}

/// A job that recurs begins anew.
pub async fn run_again_at(tx: &mut Tx, id: Id<JobRow>, run_at: Time) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE jobs SET run_at = $2, locked_until = NULL, attempts = 0, last_error = NULL WHERE id = $1",
        id,
        run_at
    )
    .map(drop)
}

pub async fn failed(tx: &mut Tx, id: Id<JobRow>, error: &str, run_at: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE jobs SET run_at = $2, locked_until = NULL, last_error = $3 WHERE id = $1", id, run_at, error)
        .map(drop)
}

/// A job that does not recur is gone when it is done.
pub async fn done(tx: &mut Tx, id: Id<JobRow>) -> Result<(), Error> {
    execute!(tx, "DELETE FROM jobs WHERE id = $1", id).map(drop)
}
