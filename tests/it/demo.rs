//! `serve --demo`: a believable program to look around in, the same every time.

use reqwest::StatusCode;

use crate::support::{
    Database, Process,
    browser::{Browser, texts},
    process::{printed, run, run_with},
};

/// Serves a fresh demo; the server and the key that it printed.
fn start(database: &Database) -> (Process, String) {
    let server = Process::with(database, &[], &["serve", "--demo"]);
    // Its two outputs are read side by side: that it serves may be heard before what it printed.
    let printed = || server.printed.lock().unwrap().clone();
    for _ in 0..200 {
        if printed().contains("ofs_") {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let printed = printed();
    for line in ["merchant@example.com", "affiliate@example.com", "offshoot-demo"] {
        assert!(printed.contains(line), "{printed}");
    }
    let key = printed.split_whitespace().find(|word| word.starts_with("ofs_")).unwrap().to_owned();
    assert!(!server.log.lock().unwrap().contains("/setup?token="), "there is an account");
    (server, key)
}

const SUMS: [&str; 9] = [
    "SELECT COUNT(*) FROM affiliates",
    "SELECT COUNT(*) FROM clicks",
    "SELECT COUNT(*) FROM conversions",
    "SELECT CAST(SUM(amount_minor) AS BIGINT) FROM conversions",
    "SELECT COUNT(*) FROM commissions WHERE status = 'rejected'",
    "SELECT CAST(SUM(amount_minor) AS BIGINT) FROM commissions",
    "SELECT COUNT(*) FROM refunds",
    "SELECT CAST(SUM(amount_minor) AS BIGINT) FROM ledger_entries",
    "SELECT CAST(SUM(pending_minor + 3 * approved_minor + 7 * paid_minor) AS BIGINT) FROM affiliate_totals",
];

async fn sums(database: &Database) -> Vec<i64> {
    let mut all = Vec::new();
    for sql in SUMS {
        all.push(database.number(sql).await);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_is_the_same_every_time_and_its_books_are_right() {
    let (one, two) = (Database::new().await, Database::new().await);
    // Twice on SQLite only: chance does not know the engine, and a year by network takes its time.
    let filled = if one.is_sqlite() { vec![&one, &two] } else { vec![&one] };
    let mut servers: Vec<_> = std::thread::scope(|scope| {
        let starting: Vec<_> = filled.iter().map(|database| scope.spawn(|| start(database))).collect();
        starting.into_iter().map(|server| server.join().unwrap()).collect()
    });
    let (server, key) = servers.remove(0);
    let counted = sums(&one).await;
    for database in &filled {
        assert_eq!(counted, sums(database).await);
    }
    assert_eq!(counted[0], 40);
    assert!(counted[1..].iter().all(|sum| *sum > 0), "{counted:?}");
    for database in filled {
        printed(&run(database, &["check-ledger"]));
    }
    let payouts = "SELECT COUNT(DISTINCT paid_at / 86400000) FROM commissions WHERE status = 'paid'";
    assert!(one.number(payouts).await >= 2, "at least two days on which money went out");
    let year = "SELECT COUNT(DISTINCT day) FROM affiliate_days";
    assert!(one.number(year).await > 300, "a year of it");

    let api = server.api(&key);
    for status in ["active", "pending", "blocked"] {
        let list = api.get(&format!("/affiliates?status={status}")).await;
        assert!(list.data()["total"].as_i64().unwrap() > 0, "somebody is {status}");
    }
    for status in ["pending", "approved", "paid", "rejected"] {
        let list = api.get(&format!("/commissions?status={status}")).await;
        assert!(list.data()["total"].as_i64().unwrap() > 0, "something is {status}");
    }

    let merchant = Browser::at(server.address);
    assert_eq!(merchant.sign_in("merchant@example.com", "offshoot-demo").await.status, StatusCode::SEE_OTHER);
    assert_eq!(merchant.get("/").await.header("location"), "/m/acme");
    assert_eq!(texts(&merchant.get("/m/acme/affiliates?status=all").await, "tbody tr").len(), 40);
    let affiliate = Browser::at(server.address);
    assert_eq!(affiliate.sign_in("affiliate@example.com", "offshoot-demo").await.status, StatusCode::SEE_OTHER);
    let home = affiliate.get("/home").await;
    assert_eq!(texts(&home, "h1"), ["Home"]);
    assert_eq!(texts(&home, ".tile").len(), 5, "{home:?}");
    assert_eq!(affiliate.get("/m/acme/affiliates").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_holds_a_program_is_not_filled() {
    let database = Database::new().await;
    crate::support::process::set_up(&database);
    let before = sums_of_empty(&database).await;
    let settings = [("OFFSHOOT_LISTEN", "127.0.0.1:0")];
    let refused = run_with(&database, &settings, &["serve", "--demo"], "");
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("holds a program already"), "{refused:?}");
    assert!(refused.stdout.is_empty(), "{refused:?}");
    assert_eq!(sums_of_empty(&database).await, before);
}

async fn sums_of_empty(database: &Database) -> (i64, i64) {
    let accounts = database.number("SELECT COUNT(*) FROM accounts").await;
    (accounts, database.number("SELECT COUNT(*) FROM affiliates").await)
}
