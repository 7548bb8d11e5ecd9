//! Works that share a transaction: what becomes of each is its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use offshoot::store::{Db, Error, Tx, sessions};

use crate::support::Site;

/// How a work goes, after it has written a row of its name or before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    Well,
    RefusedBefore,
    FailsAfter,
    PanicsAfter,
}

fn go<'t>(tx: &'t mut Tx, site: &Site, name: &str, goes: Goes) -> BoxFuture<'t, Result<(), Error>> {
    let (name, now) = (name.to_owned(), site.app.clock.now());
    Box::pin(async move {
        if goes == Goes::RefusedBefore {
            return Err(Error::Corrupt("refused".into()));
        }
        sessions::create(tx, &name, "{}", now, now.plus_days(1)).await?;
        match goes {
            Goes::FailsAfter => Err(Error::Corrupt("failed".into())),
            Goes::PanicsAfter => panic!("as it should"),
            Goes::Well | Goes::RefusedBefore => Ok(()),
        }
    })
}

/// Keeps SQLite's writer busy, so that what is asked for meanwhile is done at once.
async fn hold_up(db: &Db) {
    let held = db.write::<_, Error, _>(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Box::pin(async { Ok(()) })
    });
    held.await.unwrap();
}

async fn told(goes: &[Goes], with_clicks: bool) {
    let site = Arc::new(Site::start().await);
    site.affiliate("ANNA").await;
    let holding = {
        let db = site.app.db.clone();
        tokio::spawn(async move { hold_up(&db).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let mut works = Vec::new();
    for (n, goes) in goes.iter().copied().enumerate() {
        let (site, runs) = (Arc::clone(&site), Arc::clone(&runs));
        works.push(tokio::spawn(async move {
            let (db, name) = (site.app.db.clone(), format!("work {n}"));
            let written = db.write_together(move |tx| {
                runs.fetch_add(1, Ordering::Relaxed);
                go(tx, &site, &name, goes)
            });
            written.await
        }));
    }
    let clicking: Vec<_> = (0..3)
        .filter(|_| with_clicks)
        .map(|_| {
            let site = Arc::clone(&site);
            tokio::spawn(async move { site.api.click("ANNA").await })
        })
        .collect();
    let beside = {
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            let db = site.app.db.clone();
            db.write(move |tx| go(tx, &site, "beside", Goes::Well)).await
        })
    };
    holding.await.unwrap();
    for (work, goes) in works.into_iter().zip(goes) {
        // On PostgreSQL a panic is the caller's own.
        let is_well = matches!(work.await, Ok(Ok(())));
        assert_eq!(is_well, *goes == Goes::Well, "{goes:?}");
    }
    beside.await.unwrap().unwrap();
    let clicks = clicking.len();
    for click in clicking {
        click.await.unwrap();
    }
    let count = async |sql: &str| site.database.number(sql).await;
    for (n, goes) in goes.iter().enumerate() {
        let stored = count(&format!("SELECT COUNT(*) FROM sessions WHERE id_hash = 'work {n}'")).await;
        assert_eq!(stored, i64::from(*goes == Goes::Well), "{goes:?}, {n}");
    }
    assert_eq!(count("SELECT COUNT(*) FROM sessions WHERE id_hash = 'beside'").await, 1);
    assert_eq!(count("SELECT COUNT(*) FROM clicks").await, i64::try_from(clicks).unwrap());
    let spoils = goes.iter().any(|goes| matches!(goes, Goes::FailsAfter | Goes::PanicsAfter));
    let at_least = goes.len() + usize::from(site.database.is_sqlite() && spoils);
    assert!(runs.load(Ordering::Relaxed) >= at_least, "on SQLite what was spoilt began again");
    if !spoils {
        assert_eq!(runs.load(Ordering::Relaxed), goes.len(), "once each");
    }
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_after_it_has_written_fails_alone() {
    use Goes::{FailsAfter, PanicsAfter, RefusedBefore, Well};
    for with_clicks in [false, true] {
        told(&[Well, Well, FailsAfter, Well, RefusedBefore, Well], with_clicks).await;
        told(&[PanicsAfter, Well, Well, FailsAfter], with_clicks).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_refused_before_it_writes_costs_the_others_nothing() {
    use Goes::{RefusedBefore, Well};
    for with_clicks in [false, true] {
        told(&[RefusedBefore, Well, RefusedBefore, Well], with_clicks).await;
    }
}
