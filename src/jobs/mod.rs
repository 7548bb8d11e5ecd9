//! Work that no request waits for. A job is a row; whichever server claims it does it, once.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{task::JoinSet, time::sleep};

use crate::{
    app::App,
    domain::{id::Id, one_time_link::Purpose, time::Time},
    flows, mail,
    store::{
        Error, applications, idempotency, imports,
        jobs::{self, Job},
        mails::MailId,
        one_time_links, provider_events, sessions,
    },
};

/// How long a claimed job is one server's alone.
const LEASE_SECONDS: i64 = 120;
/// How many are done at the same time, so that one that hangs does not hold up the others.
const AT_ONCE: usize = 16;
const PAUSE: Duration = Duration::from_secs(5);
/// When to look again after something was enqueued: its transaction is not over at that moment.
const SOON: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(50), Duration::from_millis(300), Duration::from_secs(1)];
/// After stopping, how long those in hand may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

const SWEEP: &str = "sweep";
const SWEEP_EVERY_SECONDS: i64 = 600;
/// What happens by itself: approvals after the hold, payouts that fall due.
const SCHEDULED: &str = "scheduled";
const SCHEDULED_EVERY_SECONDS: i64 = 60;
const DIGESTS: &str = "weekly_digests";

/// Enqueues what recurs, then does what is due until `stop`.
pub async fn run(app: App, stop: impl Future<Output = ()>) {
    let mut working = JoinSet::new();
    tokio::select! {
        () = work(&app, &mut working) => {}
        () = stop => {}
    }
    // A mail that is half sent would be sent again.
    let _ = tokio::time::timeout(FAREWELL, async { while working.join_next().await.is_some() {} }).await;
}

async fn work(app: &App, working: &mut JoinSet<()>) {
    while let Err(error) = enqueue_recurring(app).await {
        tracing::warn!(%error, "recurring jobs could not be enqueued");
        sleep(PAUSE).await;
    }
    let mut looks = SOON.iter();
    loop {
        let enqueued = jobs::enqueued();
        tokio::pin!(enqueued);
        // From here on, so that nothing is missed between looking and waiting.
        enqueued.as_mut().enable();
        while working.try_join_next().is_some() {}
        if working.len() >= AT_ONCE {
            working.join_next().await;
        }
        // In one go, because each goes to disk before it is begun.
        let pause = match claim(app, AT_ONCE - working.len()).await {
            Ok(jobs) if !jobs.is_empty() => {
                for job in jobs {
                    let app = app.clone();
                    working.spawn(async move { perform(&app, job).await });
                }
                continue;
            }
            Ok(_) => *looks.next().unwrap_or(&PAUSE),
            Err(error) => {
                tracing::warn!(%error, "jobs cannot be looked for");
                PAUSE
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = enqueued => looks = SOON.iter(),
        }
    }
}

/// # Errors
/// The database's.
pub async fn enqueue_recurring(app: &App) -> Result<(), Error> {
    let (ids, now) = (Arc::clone(&app.ids), app.clock.now());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                jobs::enqueue(tx, ids.next(now), SWEEP, "", now).await?;
                jobs::enqueue(tx, ids.next(now), SCHEDULED, "", now).await?;
                jobs::enqueue(tx, ids.next(now), DIGESTS, "", monday_morning_after(now)).await
            })
        })
        .await
}

/// Does what is due now, one after the other, until nothing is; how many that were.
///
/// # Errors
/// The database's.
pub async fn work_off(app: &App) -> Result<usize, Error> {
    let mut done = 0;
    while let Some(job) = claim(app, 1).await?.pop() {
        perform(app, job).await;
        done += 1;
    }
    Ok(done)
}

async fn claim(app: &App, most: usize) -> Result<Vec<Job>, Error> {
    let (now, most) = (app.clock.now(), i64::try_from(most).unwrap_or(i64::MAX));
    app.db.write(move |tx| Box::pin(jobs::claim(tx, now, now.plus_seconds(LEASE_SECONDS), most))).await
}

/// Does the job. Where that goes wrong it is tried again later; where not even that can be written down, when its
/// lease is over.
async fn perform(app: &App, job: Job) {
    let words = match AssertUnwindSafe(attempt(app, &job)).catch_unwind().await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it panicked".into(),
    };
    tracing::warn!(kind = job.kind, error = words, "a job could not be done");
    let again = app.clock.now().plus_seconds((60 * job.attempts).min(3_600));
    let noted = app.db.write(move |tx| Box::pin(async move { jobs::failed(tx, job.id, &words, again).await }));
    if let Err(error) = noted.await {
        let error: Error = error;
        tracing::warn!(%error, "a job could not be put back");
    }
}

async fn attempt(app: &App, job: &Job) -> Result<(), Error> {
    let (id, now) = (job.id, app.clock.now());
    match job.kind.as_str() {
        SWEEP => {
            app.db
                .write(move |tx| {
                    Box::pin(async move {
                        idempotency::forget(tx, now).await?;
                        sessions::forget(tx, now).await?;
                        one_time_links::forget(tx, now).await?;
                        provider_events::forget(tx, now).await?;
                        imports::forget(tx, now.plus_days(-1)).await?;
                        let late = now.plus_seconds(-60 * Purpose::ConfirmApplication.minutes());
                        applications::forget_unconfirmed(tx, late).await?;
                        jobs::run_again_at(tx, id, now.plus_seconds(SWEEP_EVERY_SECONDS)).await
                    })
                })
                .await
        }
        SCHEDULED => {
            flows::holds::keep(app, now).await?;
            app.db
                .write(move |tx| Box::pin(jobs::run_again_at(tx, id, now.plus_seconds(SCHEDULED_EVERY_SECONDS))))
                .await
        }
        DIGESTS => {
            let (ids, secret) = (Arc::clone(&app.ids), Arc::clone(&app.secret));
            app.db
                .write(move |tx| {
                    Box::pin(async move {
                        flows::mails::enqueue_digests(tx, &ids, &secret, now).await?;
                        jobs::run_again_at(tx, id, monday_morning_after(now)).await
                    })
                })
                .await
        }
        flows::provider_events::JOB => {
            let raw = job.key.parse().map_err(|_| Error::Corrupt(format!("event job {}", job.key)))?;
            let (ids, secret) = (Arc::clone(&app.ids), Arc::clone(&app.secret));
            app.db
                .write(move |tx| {
                    Box::pin(async move {
                        let event = Id::new(raw);
                        let outcome = flows::provider_events::look(tx, &ids, &secret, now, event).await?;
                        match flows::provider_events::looks_again(outcome.as_ref(), event, now) {
                            Some(later) => jobs::run_again_at(tx, id, later).await,
                            None => jobs::done(tx, id).await,
                        }
                    })
                })
                .await
        }
        flows::announcements::JOB => {
            let raw = job.key.parse().map_err(|_| Error::Corrupt(format!("announcement job {}", job.key)))?;
            let ids = Arc::clone(&app.ids);
            app.db
                .write(move |tx| {
                    Box::pin(async move {
                        if flows::announcements::tell(tx, &ids, now, Id::new(raw)).await? {
                            jobs::run_again_at(tx, id, now).await
                        } else {
                            jobs::done(tx, id).await
                        }
                    })
                })
                .await
        }
        flows::imports::JOB => {
            let raw = job.key.parse().map_err(|_| Error::Corrupt(format!("import job {}", job.key)))?;
            let is_done = flows::imports::go_on(app, Id::new(raw)).await?;
            app.db
                .write(move |tx| {
                    Box::pin(async move {
                        if is_done { jobs::done(tx, id).await } else { jobs::run_again_at(tx, id, now).await }
                    })
                })
                .await
        }
        flows::mails::JOB => {
            let raw = job.key.parse().map_err(|_| Error::Corrupt(format!("mail job {}", job.key)))?;
            let mail = MailId::new(raw);
            let (attempt, job) = (mail::attempt(app, mail).await?, job.clone());
            let now = app.clock.now();
            app.db.write(move |tx| Box::pin(async move { mail::record(tx, &job, mail, &attempt, now).await })).await
        }
        unknown => Err(Error::Corrupt(format!("job kind {unknown}"))),
    }
}

/// The next Monday, 07:00 UTC. A digest that is due while nothing runs is sent when something does.
fn monday_morning_after(now: Time) -> Time {
    const MONDAY: i64 = 4;
    let morning_of = |day: i64| Time::from_ms(0).plus_days(day).plus_seconds(7 * 3_600);
    let day = now.day();
    let monday = day - (day - MONDAY).rem_euclid(7);
    if morning_of(monday) > now { morning_of(monday) } else { morning_of(monday + 7) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_monday_morning() {
        // 2026-03-01 was a Sunday.
        let sunday = Time::from_ms(1_772_366_400_000);
        let monday = monday_morning_after(sunday);
        assert_eq!(monday.to_string(), "2026-03-02T07:00:00Z");
        assert_eq!(monday_morning_after(monday.plus_seconds(-1)), monday);
        assert_eq!(monday_morning_after(monday).to_string(), "2026-03-09T07:00:00Z");
        assert_eq!(monday_morning_after(Time::from_ms(0)).to_string(), "1970-01-05T07:00:00Z");
    }
}
