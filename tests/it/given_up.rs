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
