//! The process is killed in the middle of its work. What was answered is there, once; what was not is there
//! whole or not at all.

use std::{sync::Arc, time::Duration};

use offshoot::{
    domain::id::ClickId,
    store::{Error, Tx},
};
use reqwest::Method;
use serde_json::json;
use tokio::sync::Mutex;

use crate::support::{
    Api, Database, Process, Site,
    process::{printed, run, set_up},
};

const ROUNDS: usize = 5;
const WORKERS: usize = 8;

/// What the server had answered when it died.
#[derive(Default)]
struct Answered {
    clicks: Vec<String>,
    /// The request's body and the answer's text.
    sales: Vec<(String, String)>,
}

/// Clicks and sells until the server is gone.
async fn work(api: Api, round: usize, worker: usize, answered: Arc<Mutex<Answered>>) {
    for number in 0.. {
        let click = api.try_raw(Method::POST, "/referrals/track", r#"{"referralCode":"ANNA"}"#).await;
        let Ok(click) = click else { return };
        assert_eq!(click.status, 201, "{click:?}");
        let click = click.data()["clickId"].as_str().unwrap().to_owned();
        answered.lock().await.clicks.push(click.clone());

        let order = format!("order-{round}-{worker}-{number}");
        let body = json!({ "clickId": click, "amount": 10 + number, "orderId": order }).to_string();
        let Ok(sale) = api.try_raw(Method::POST, "/referrals/convert", body.clone()).await else { return };
        assert_eq!(sale.status, 201, "{sale:?}");
        answered.lock().await.sales.push((body, sale.text));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_the_server_keeps_all_that_it_answered() {
    let database = Database::new().await;
    let key = set_up(&database);
    let mut server = Process::start(&database);
    server.api(&key).affiliate("ANNA").await;

    let (mut clicks, mut sales) = (0, 0);
    for round in 0..ROUNDS {
        let answered = Arc::new(Mutex::new(Answered::default()));
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| tokio::spawn(work(server.api(&key), round, worker, Arc::clone(&answered))))
            .collect();
        // At some moment or other, once the load is one.
        while answered.lock().await.sales.len() < 50 + 37 * round {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.kill();
        for worker in workers {
            worker.await.unwrap();
        }

        server = Process::start(&database);
        let answered = Arc::into_inner(answered).unwrap().into_inner();
        clicks += answered.clicks.len();
        sales += answered.sales.len();
        all_is_there(&database, &server.api(&key), &answered).await;
        printed(&run(&database, &["check-ledger"]));
    }

    // One request of each worker may have been in the middle of being answered when the server died.
    let most = |answered: usize| i64::try_from(answered + ROUNDS * WORKERS).unwrap();
    let stored_clicks = database.number("SELECT COUNT(*) FROM clicks").await;
    let stored_sales = database.number("SELECT COUNT(*) FROM conversions").await;
    assert!(stored_clicks <= most(clicks), "{stored_clicks} clicks stored, {clicks} answered");
    assert!(stored_sales <= most(sales), "{stored_sales} conversions stored, {sales} answered");
}

async fn all_is_there(database: &Database, api: &Api, answered: &Answered) {
    for some in answered.clicks.chunks(400) {
        let ids: Vec<String> = some.iter().map(|id| ClickId::parse(id).unwrap().raw().to_string()).collect();
        let found = database.number(&format!("SELECT COUNT(*) FROM clicks WHERE id IN ({})", ids.join(","))).await;
        assert_eq!(found, i64::try_from(some.len()).unwrap(), "answered clicks are lost");
    }
    for (body, text) in &answered.sales {
        let again = api.raw(Method::POST, "/referrals/convert", body.clone()).await;
        assert_eq!(again.status, 200, "an answered conversion is lost: {again:?}");
        assert_eq!(&again.text, text);
    }
}

/// What the engine promises of a commit, asked on the very connection that writes.
#[tokio::test]
async fn a_commit_is_on_disk_before_it_is_answered() {
    let site = Site::start().await;
    let promise = site.app.db.write(|tx| {
        Box::pin(async move {
            let said: String = match tx {
                Tx::Sqlite(lite) => {
                    let synchronous: i64 = lite.query_row("PRAGMA synchronous", [], |row| row.get(0))?;
                    let mode: String = lite.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
                    format!("{mode} {synchronous}")
                }
                Tx::Postgres(pg) => sqlx::query_scalar("SHOW synchronous_commit").fetch_one(pg.raw()).await?,
            };
            Ok::<_, Error>(said)
        })
    });
    // 2 is FULL: https://sqlite.org/pragma.html#pragma_synchronous
    let expected = if site.database.is_sqlite() { "wal 2" } else { "on" };
    assert_eq!(promise.await.unwrap(), expected);
}

/// Earns, makes payouts and marks them as paid until the server is gone; the payouts that were answered, and whether
/// they were answered to be paid.
async fn pay(api: Api, affiliates: Vec<String>, answered: Arc<Mutex<Vec<(String, bool)>>>) {
    for round in 0.. {
        for affiliate in &affiliates {
            let body = json!({ "amount": 1 + round, "reason": "A bonus" }).to_string();
            let path = format!("/affiliates/{affiliate}/adjustments");
            let Ok(adjusted) = api.try_raw(Method::POST, &path, body).await else { return };
            assert_eq!(adjusted.status, 201, "{adjusted:?}");
        }
        let Ok(made) = api.try_raw(Method::POST, "/payouts", "{}").await else { return };
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.data()["payout"]["id"].as_str().unwrap().to_owned();
        answered.lock().await.push((id.clone(), false));
        let path = format!("/payouts/{id}/status");
        let Ok(paid) = api.try_raw(Method::POST, &path, r#"{"status":"paid"}"#).await else { return };
        assert_eq!(paid.status, 200, "{paid:?}");
        if let Some(last) = answered.lock().await.last_mut() {
            last.1 = true;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_it_pays_a_payout_is_whole_or_not_there() {
    let database = Database::new().await;
    let key = set_up(&database);
    let mut server = Process::start(&database);
    let mut affiliates = Vec::new();
    for number in 0..12 {
        let id = server.api(&key).affiliate(&format!("PAYEE{number}")).await;
        let by = json!({ "paymentMethod": "paypal", "paymentDetails": "a@example.com" });
        assert_eq!(server.api(&key).patch(&format!("/affiliates/{id}"), &by).await.status, 200);
        affiliates.push(id);
    }
    for round in 0..ROUNDS {
        let answered = Arc::new(Mutex::new(Vec::new()));
        let worker = tokio::spawn(pay(server.api(&key), affiliates.clone(), Arc::clone(&answered)));
        while answered.lock().await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        // Somewhere in the next round.
        tokio::time::sleep(Duration::from_millis(u64::try_from(round).unwrap() * 17)).await;
        server.kill();
        worker.await.unwrap();

        server = Process::start(&database);
        let api = server.api(&key);
        for (id, is_paid) in Arc::into_inner(answered).unwrap().into_inner() {
            let shown = api.get(&format!("/payouts/{id}")).await;
            assert_eq!(shown.data()["payout"]["lineCount"], 12, "an answered payout is lost: {shown:?}");
            let status = shown.data()["payout"]["status"].as_str().unwrap();
            assert!(status == "paid" || !is_paid, "an answered payment is lost: {shown:?}");
        }
        // Whatever was in the middle: lines, what they hold, entries and counters agree.
        printed(&run(&database, &["check-ledger"]));
        let torn = "SELECT COUNT(*) FROM payouts WHERE line_count <> 12";
        assert_eq!(database.number(torn).await, 0);
    }
}
