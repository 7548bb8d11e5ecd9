//! Work that no request waits for. A job is a row; whichever server claims it does it, once.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    app::App,
    domain::time::Time,
    store::{Error, Tx, idempotency, jobs, one_time_links, sessions},
};

/// How long a claimed job is one server's alone.
const LEASE_SECONDS: i64 = 120;
const PAUSE: Duration = Duration::from_secs(5);
const SWEEP: &str = "sweep";
const SWEEP_EVERY_SECONDS: i64 = 600;

/// Enqueues what recurs, then does what is due until the process ends.
pub async fn run(app: App) {
    let (id, now) = (app.ids.next(app.clock.now()), app.clock.now());
    let enqueued: Result<(), Error> =
        app.db.write(move |tx| Box::pin(async move { jobs::enqueue(tx, id, SWEEP, "", now).await })).await;
    if let Err(error) = enqueued {
        tracing::warn!(%error, "recurring jobs could not be enqueued");
    }
    loop {
        match next(&app).await {
            Ok(true) => {}
            Ok(false) => sleep(PAUSE).await,
            Err(error) => {
                tracing::warn!(%error, "a job could not be done");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Does one due job; whether there was one.
async fn next(app: &App) -> Result<bool, Error> {
    let now = app.clock.now();
    let claim = app.db.write(move |tx| Box::pin(jobs::claim(tx, now, now.plus_seconds(LEASE_SECONDS))));
    let Some(job) = claim.await? else { return Ok(false) };
    let done: Result<(), Error> = app.db.write(move |tx| Box::pin(perform(tx, job.kind, job.id, now))).await;
    if let Err(error) = &done {
        let (words, again) = (error.to_string(), now.plus_seconds(60 * job.attempts));
        app.db.write(move |tx| Box::pin(async move { jobs::failed(tx, job.id, &words, again).await })).await?;
    }
    done.map(|()| true)
}

async fn perform(tx: &mut Tx, kind: String, id: crate::domain::id::Id<jobs::JobRow>, now: Time) -> Result<(), Error> {
    match kind.as_str() {
        SWEEP => {
            idempotency::forget(tx, now).await?;
            sessions::forget(tx, now).await?;
            one_time_links::forget(tx, now).await?;
            jobs::run_again_at(tx, id, now.plus_seconds(SWEEP_EVERY_SECONDS)).await
        }
        unknown => Err(Error::Corrupt(format!("job kind {unknown}"))),
    }
}
