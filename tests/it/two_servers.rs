//! Two servers on one database: what one process holds in memory must never be what keeps the books right.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use offshoot::store::migrate;
use reqwest::{Client, Method, redirect::Policy};
use serde_json::json;

use crate::{
    races::{at_once, decide_at_once, each_moved_or_was_told},
    support::{
        Answer, Api, Database, Process,
        process::{printed, run, set_up},
    },
};

const ROUNDS: usize = 5;

struct Pair {
    servers: [Process; 2],
    apis: [Api; 2],
    database: Database,
    key: String,
}

impl Pair {
    async fn start() -> Self {
        let database = Database::new().await;
        let key = set_up(&database);
        let servers = [Process::start(&database), Process::start(&database)];
        let apis = [servers[0].api(&key), servers[1].api(&key)];
        Self { servers, apis, database, key }
    }

    fn api(&self, number: usize) -> Api {
        self.apis[number % 2].clone()
    }

    fn check_ledger(&self) {
        printed(&run(&self.database, &["check-ledger"]));
    }
}

fn created(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.status == 201).count()
}

fn texts(answers: &[Answer]) -> HashSet<&str> {
    answers.iter().map(|answer| answer.text.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_order_sent_to_both_is_one_conversion() {
    let pair = Pair::start().await;
    pair.api(0).affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let send = |number: usize| {
            let (api, order) = (pair.api(number), format!("order-{round}"));
            async move { api.sale("ANNA", "99.99", &order).await }
        };
        let answers = at_once((0..20).map(send)).await;
        assert_eq!((created(&answers), texts(&answers).len()), (1, 1), "{answers:?}");
    }
    for round in 0..ROUNDS {
        let send = |number: usize| {
            let (api, order) = (pair.api(number), format!("amounts-{round}"));
            async move { api.sale("ANNA", if number.is_multiple_of(2) { "10.00" } else { "20.00" }, &order).await }
        };
        let answers = at_once((0..12).map(send)).await;
        assert_eq!((created(&answers), texts(&answers).len()), (1, 2), "the first answer and one refusal: {answers:?}");
    }
    assert_eq!(pair.api(1).get("/conversions").await.data()["total"], 2 * ROUNDS);
    pair.check_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_and_one_code_sent_to_both_are_one_affiliate() {
    let pair = Pair::start().await;
    for round in 0..ROUNDS {
        let create = |number: usize| {
            let body = match number % 4 {
                0 | 1 => json!({ "email": format!("One{round}@example.com"), "name": "One" }),
                _ => json!({ "email": format!("{round}-{number}@example.com"), "name": "Code",
                             "referralCode": format!("code-{round}") }),
            };
            let api = pair.api(number);
            async move { api.post("/affiliates", &body).await }
        };
        let answers = at_once((0..16).map(create)).await;
        assert_eq!(created(&answers), 2, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 201) {
            let field = refused.json["error"]["details"]["field"].as_str().unwrap();
            assert!(["email", "referralCode"].contains(&field), "{refused:?}");
        }
    }
    assert_eq!(pair.api(1).get("/affiliates").await.data()["total"], 2 * ROUNDS);
    pair.check_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_made_on_both_end_in_a_state_that_was_granted() {
    let pair = Pair::start().await;
    let anna = pair.api(0).affiliate("ANNA").await;
    for round in 0..2 * ROUNDS {
        pair.api(0).sale("ANNA", "10.00", &format!("order-{round}")).await.data();
        let id = pair.api(0).newest_commission(&anna).await;
        let answers = decide_at_once(&pair.apis, &id, &["approved", "rejected"]).await;
        each_moved_or_was_told(&answers);
        let granted: Vec<_> =
            answers.iter().filter(|(_, answer)| answer.status == 200).map(|(wanted, _)| *wanted).collect();
        let shown = pair.api(round).get(&format!("/commissions/{id}")).await;
        let end = shown.data()["commission"]["status"].as_str().unwrap();
        assert!(granted.contains(&end), "{answers:?}");
        // Every row of the audit log is a move that somebody was granted, and begins where the last ended.
        let moves = format!("FROM audit_log WHERE subject = '{id}' AND action LIKE 'commission.%'");
        let count = pair.database.number(&format!("SELECT COUNT(*) {moves}")).await;
        assert!((1..=i64::try_from(granted.len()).unwrap()).contains(&count), "{count} moves: {answers:?}");
        let chained = format!("SELECT COUNT(*) {moves} AND before IN (SELECT after {moves} UNION SELECT 'pending')");
        assert_eq!(pair.database.number(&chained).await, count);
    }
    pair.check_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_sent_to_both_does_the_work_once() {
    let pair = Pair::start().await;
    pair.api(0).affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let send = |number: usize| {
            let (api, key) = (pair.api(number), format!("key-{round}"));
            async move {
                let request = api.request(Method::POST, "/referrals/convert").header("idempotency-key", key);
                let body = r#"{"referralCode":"ANNA","amount":5}"#;
                let sent = request.header("content-type", "application/json").body(body).send().await.unwrap();
                Answer::of(sent).await
            }
        };
        let answers = at_once((0..12).map(send)).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(texts(&done).len(), 1, "{done:?}");
        assert_eq!(done.iter().filter(|answer| answer.header("idempotent-replayed").is_empty()).count(), 1);
        for answer in &refused {
            answer.refuses("Idempotency-Key");
        }
        let later = send(round).await;
        assert_eq!((later.status.as_u16(), later.text.as_str()), (201, done[0].text.as_str()));
    }
    assert_eq!(pair.api(1).get("/conversions").await.data()["total"], ROUNDS);
    pair.check_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_on_both_no_id_is_given_twice_and_every_counter_is_exact() {
    let pair = Pair::start().await;
    let (anna, ben) = (pair.api(0).affiliate("ANNA").await, pair.api(1).affiliate("BEN").await);
    let mut callers: Vec<BoxFuture<'static, Answer>> = Vec::new();
    for number in 0..400 {
        let (api, code) = (pair.api(number / 2), if number % 2 == 0 { "ANNA" } else { "BEN" });
        if number % 4 < 3 {
            callers.push(Box::pin(async move { api.post("/referrals/track", &json!({ "referralCode": code })).await }));
        } else {
            callers.push(Box::pin(async move { api.sale(code, "1.00", &format!("order-{number}")).await }));
        }
    }
    let answers = at_once(callers).await;
    assert_eq!(created(&answers), 400, "{answers:?}");
    let id = |answer: &Answer| answer.data().get("clickId").or(answer.data().get("conversionId")).unwrap().to_string();
    assert_eq!(answers.iter().map(id).collect::<HashSet<_>>().len(), 400, "no id is given twice");
    for (affiliate, clicks, conversions) in [(anna, 200, 0), (ben, 100, 100)] {
        for api in &pair.apis {
            let shown = api.get(&format!("/affiliates/{affiliate}")).await;
            assert_eq!(shown.data()["affiliate"]["clickCount"], clicks);
            assert_eq!(shown.data()["affiliate"]["conversionCount"], conversions);
        }
    }
    pair.check_ledger();
}

/// Asks both until each says so; how long the slower one took.
async fn both_within(within: Duration, what: &str, mut said: impl AsyncFnMut(usize) -> bool) {
    let since = Instant::now();
    for server in [0, 1] {
        while !said(server).await {
            assert!(since.elapsed() < within, "server {server} still does not hold {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The contract's second, and what a busy machine needs on top.
const A_SECOND: Duration = Duration::from_millis(1_800);

#[tokio::test(flavor = "multi_thread")]
async fn a_key_revoked_on_the_command_line_is_refused_by_both_within_a_second() {
    let pair = Pair::start().await;
    let listed = printed(&run(&pair.database, &["key", "list", "--program", "acme"]));
    let prefix = listed.split('\t').next().unwrap().to_owned();
    assert!(pair.key.starts_with(&prefix));
    for api in &pair.apis {
        assert_eq!(api.get("/program").await.status, 200, "both believe in the key");
    }
    printed(&run(&pair.database, &["key", "revoke", "--program", "acme", "--prefix", &prefix]));
    both_within(A_SECOND, "that the key is revoked", async |server| {
        pair.apis[server].get("/program").await.status == 401
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_programs_settings_are_followed_by_both_within_a_second() {
    let pair = Pair::start().await;
    pair.api(0).affiliate("ANNA").await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let visit = async |server: usize| {
        let url = format!("http://{}/r/acme/ANNA", pair.servers[server].address);
        let answer = Answer::of(client.get(url).send().await.unwrap()).await;
        answer.header("location").to_owned()
    };
    for server in [0, 1] {
        assert!(visit(server).await.starts_with("https://shop.example/start?clickId="));
        assert_eq!(pair.apis[server].get("/program").await.status, 200);
    }
    let set = ["program", "set", "--program", "acme", "--commission", "12.5%", "--landing-url", "https://new.example/"];
    printed(&run(&pair.database, &set));
    both_within(A_SECOND, "the landing page", async |server| {
        visit(server).await.starts_with("https://new.example/?clickId=")
    })
    .await;
    let number = std::cell::Cell::new(0);
    both_within(A_SECOND, "the commission", async |server| {
        number.set(number.get() + 1);
        let sale = pair.apis[server].sale("ANNA", "100.00", &format!("order-{}", number.get())).await;
        sale.data()["commission"] == json!(12.5)
    })
    .await;
    pair.check_ledger();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_start_at_once_on_an_empty_database_share_its_migration_and_its_secret() {
    let database = Database::new().await;
    let (one, two) = std::thread::scope(|scope| {
        let start = || scope.spawn(|| Process::start(&database));
        let (one, two) = (start(), start());
        (one.join().unwrap(), two.join().unwrap())
    });
    let all = i64::try_from(migrate::ALL.len()).unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM schema_migrations").await, all);
    let key = set_up(&database);
    one.api(&key).affiliate("ANNA").await;
    assert_eq!(two.api(&key).get("/affiliates").await.data()["total"], 1);
}
