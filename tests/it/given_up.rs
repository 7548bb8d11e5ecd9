//! Callers that give up half-way: a browser closed, a script killed.

use std::time::{Duration, Instant};

use offshoot::store::Error;
use tokio::task::yield_now;

use crate::support::Site;

/// Finer than a timer, which counts milliseconds.
async fn soon(after: Duration) {
    let since = Instant::now();
    while since.elapsed() < after {
        yield_now().await;
    }
}

/// At whatever moment a caller leaves, no transaction stays open behind them: whoever used that connection
/// next would be told that their rows are written, and lose them with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_leaves_a_transaction_open() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for micros in 0..500 {
        let work = site.app.db.write(|_| Box::pin(async { Ok::<_, Error>(()) }));
        tokio::select! {
            biased;
            _ = work => {}
            () = soon(Duration::from_micros(micros)) => {}
        }
        site.api.click("ANNA").await;
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks").await, 500, "every click that was answered");
    site.check_ledger().await;
}

/// Somebody who left while the database was locked has been told that nothing came of it, so nothing does,
/// although their work was taken up before they left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_while_the_database_was_locked_is_not_done_afterwards() {
    let site = Site::start().await;
    if !site.database.is_sqlite() {
        return;
    }
    site.affiliate("ANNA").await;
    let other = rusqlite::Connection::open(site.database.url.strip_prefix("sqlite://").unwrap()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let left = tokio::time::timeout(Duration::from_millis(300), site.api.click("ANNA")).await;
    assert!(left.is_err(), "nobody can write now");
    tokio::time::sleep(Duration::from_millis(200)).await;
    other.execute_batch("COMMIT").unwrap();
    site.api.click("ANNA").await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks").await, 1, "only the one that was answered");
    site.check_ledger().await;
}
