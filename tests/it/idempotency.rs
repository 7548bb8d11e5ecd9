//! `Idempotency-Key`: the first success is given again, whole, for a day; nothing else is kept.

use std::sync::Arc;

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::support::{Answer, Api, Database, Site};

async fn send(api: &Api, path: &str, key: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = api.request(Method::POST, path).header("idempotency-key", key);
    Answer::of(request.header("content-type", "application/json").body(body.into()).send().await.unwrap()).await
}

async fn post(site: &Site, path: &str, key: &str, body: &Value) -> Answer {
    send(&site.api, path, key, body.to_string()).await
}

fn person(n: usize) -> Value {
    json!({ "email": format!("p{n}@example.com"), "name": "P" })
}

#[track_caller]
fn replays(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(again.header("content-type"), "application/json");
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert!(first.headers.get("idempotent-replayed").is_none());
}

#[tokio::test]
async fn every_post_is_replayed_whole() {
    let site = Site::start().await;
    let affiliate = site.affiliate("keyed").await;
    let made = site.api.sale("keyed", "10", "o-0").await;
    let refunds = format!("/conversions/{}/refunds", made.data()["conversionId"].as_str().unwrap());
    let commission = site.api.newest_commission(&affiliate).await;
    let rows =
        "SELECT (SELECT COUNT(*) FROM affiliates) + (SELECT COUNT(*) FROM clicks) + (SELECT COUNT(*) FROM conversions)
                + (SELECT COUNT(*) FROM refunds) + (SELECT COUNT(*) FROM audit_log)";
    for (path, body, status) in [
        ("/affiliates", person(1), 201),
        ("/referrals/track", json!({ "referralCode": "keyed" }), 201),
        ("/referrals/convert", json!({ "referralCode": "keyed", "amount": 1 }), 201),
        ("/referrals/convert", json!({ "referralCode": "keyed", "amount": 10, "orderId": "o-0" }), 200),
        (refunds.as_str(), json!({ "amount": 1 }), 201),
        ("/commissions/status", json!({ "ids": [commission], "status": "approved" }), 200),
    ] {
        let key = format!("{path} {status}");
        let first = post(&site, path, &key, &body).await;
        assert_eq!(first.status.as_u16(), status, "{first:?}");
        let written = site.database.number(rows).await;
        site.advance_seconds(60);
        for _ in 0..2 {
            replays(&post(&site, path, &key, &body).await, &first);
        }
        assert_eq!(site.database.number(rows).await, written, "{path}");
    }
    // What was answered stays answered, whatever has become of it.
    site.set_affiliate(&affiliate, "blocked").await;
    let again = post(&site, "/referrals/track", "/referrals/track 201", &json!({ "referralCode": "keyed" })).await;
    assert_eq!(again.status, 201);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_key_is_kept_for_24_hours() {
    let site = Site::start().await;
    let first = post(&site, "/affiliates", "k", &person(1)).await;
    site.advance_seconds(86_399);
    replays(&post(&site, "/affiliates", "k", &person(1)).await, &first);
    post(&site, "/affiliates", "k", &person(2)).await.refuses("Idempotency-Key");
    site.advance_seconds(1);
    let second = post(&site, "/affiliates", "k", &person(2)).await;
    assert_eq!(second.status, 201, "the key is free again: {second:?}");
    replays(&post(&site, "/affiliates", "k", &person(2)).await, &second);
}

#[tokio::test]
async fn another_path_query_or_body_is_refused() {
    let site = Site::start().await;
    site.affiliate("keyed").await;
    let body = r#"{"referralCode":"keyed","amount":1}"#;
    let first = send(&site.api, "/referrals/convert", "k", body).await;
    assert_eq!(first.status, 201);
    for (path, body) in [
        ("/referrals/track", body),
        ("/affiliates", r#"{"email":"x@example.com","name":"X"}"#),
        ("/referrals/convert?x=1", body),
        ("/referrals/convert?", body),
        ("/referrals/convert?dryRun=true", body),
        ("/referrals/convert", r#"{"referralCode":"keyed","amount":1.0}"#),
        ("/referrals/convert", r#"{"amount":1,"referralCode":"keyed"}"#),
        ("/referrals/convert", r#"{"referralCode":"keyed","amount":1} "#),
    ] {
        let refused = send(&site.api, path, "k", body).await;
        refused.refuses("Idempotency-Key");
        assert!(refused.headers.get("idempotent-replayed").is_none());
    }
    replays(&send(&site.api, "/referrals/convert", "k", body).await, &first);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 1);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks").await, 0);
}

#[tokio::test]
async fn errors_are_not_kept() {
    let site = Site::start().await;
    let sale = json!({ "referralCode": "later", "amount": 1 });
    for _ in 0..2 {
        let unknown = post(&site, "/referrals/convert", "k", &sale).await;
        unknown.fails(404, "resource_not_found", None);
        assert!(unknown.headers.get("idempotent-replayed").is_none());
    }
    post(&site, "/affiliates", "k", &json!({ "email": "bad", "name": "B" })).await.refuses("email");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM idempotency").await, 0);
    site.affiliate("later").await;
    let first = post(&site, "/referrals/convert", "k", &sale).await;
    assert_eq!(first.status, 201, "the key was free again: {first:?}");
    replays(&post(&site, "/referrals/convert", "k", &sale).await, &first);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_key_is_1_to_255_characters_of_one_program() {
    let site = Site::start().await;
    let request = |key: &[u8]| {
        let value = reqwest::header::HeaderValue::from_bytes(key).unwrap();
        site.api.request(Method::POST, "/affiliates").header("idempotency-key", value).json(&person(1)).send()
    };
    for key in [&b""[..], "x".repeat(256).as_bytes(), "é".repeat(256).as_bytes(), b"\xff"] {
        Answer::of(request(key).await.unwrap()).await.refuses("Idempotency-Key");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates").await, 0);
    let longest = "é".repeat(255);
    assert_eq!(request(longest.as_bytes()).await.unwrap().status(), 201);
    let again = Answer::of(request(longest.as_bytes()).await.unwrap()).await;
    assert_eq!((again.status.as_u16(), again.header("idempotent-replayed")), (201, "true"));

    let (_, theirs) = site.another_program("other").await;
    let first = post(&site, "/affiliates", "k", &person(2)).await;
    let elsewhere = send(&theirs, "/affiliates", "k", person(2).to_string()).await;
    assert_eq!(elsewhere.status, 201);
    assert_ne!(elsewhere.text, first.text);
    // Another key of the same program is the same program.
    let colleague = site.key(offshoot::domain::key::Scope::Full).await;
    replays(&send(&colleague, "/affiliates", "k", person(2).to_string()).await, &first);
}

#[tokio::test]
async fn without_a_key_and_on_other_methods_nothing_is_kept() {
    let site = Site::start().await;
    let affiliate = site.affiliate("keyed").await;
    for name in ["One", "Two"] {
        let request =
            site.api.request(Method::PATCH, &format!("/affiliates/{affiliate}")).header("idempotency-key", "k");
        let changed = Answer::of(request.json(&json!({ "name": name })).send().await.unwrap()).await;
        assert_eq!(changed.data()["affiliate"]["name"], name);
        assert!(changed.headers.get("idempotent-replayed").is_none());
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM idempotency").await, 0);
}

#[tokio::test]
async fn the_same_key_at_once_is_done_once() {
    let site = Site::start().await;
    site.affiliate("keyed").await;
    let body = json!({ "referralCode": "keyed", "amount": 5 });
    let answers = futures_util::future::join_all((0..20).map(|_| post(&site, "/referrals/convert", "k", &body))).await;
    let (done, running): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert!(done.iter().all(|answer| answer.text == done[0].text), "{done:?}");
    assert_eq!(done.iter().filter(|answer| answer.headers.get("idempotent-replayed").is_none()).count(), 1);
    for answer in running {
        answer.refuses("Idempotency-Key");
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 1);
    site.check_ledger().await;
}

/// Somebody else's transaction, which every key has to wait for.
enum Held {
    Sqlite(rusqlite::Connection),
    Postgres(PgConnection),
}

impl Held {
    async fn begin(database: &Database) -> Self {
        if let Some(file) = database.url.strip_prefix("sqlite://") {
            let connection = rusqlite::Connection::open(file).unwrap();
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            return Self::Sqlite(connection);
        }
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql("BEGIN; LOCK TABLE idempotency IN EXCLUSIVE MODE").execute(&mut connection).await.unwrap();
        Self::Postgres(connection)
    }

    async fn end(self) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("COMMIT").unwrap(),
            Self::Postgres(mut connection) => drop(sqlx::raw_sql("COMMIT").execute(&mut connection).await.unwrap()),
        }
    }
}

#[tokio::test]
async fn while_the_first_is_running_the_second_is_told_to_come_again() {
    let site = Site::start().await;
    let held = Held::begin(&site.database).await;
    let body = person(1);
    let both = [post(&site, "/affiliates", "k", &body), post(&site, "/affiliates", "k", &body)].map(Box::pin);
    // Neither can finish its work, so the first answer is the refusal.
    let (refused, _, mut rest) = futures_util::future::select_all(both).await;
    refused.refuses("Idempotency-Key");
    assert_eq!(refused.header("retry-after"), "1");
    held.end().await;
    let first = rest.pop().unwrap().await;
    assert_eq!(first.status, 201, "{first:?}");
    replays(&post(&site, "/affiliates", "k", &body).await, &first);
}

#[tokio::test]
async fn an_answer_outlives_the_server_that_gave_it() {
    let database = Arc::new(Database::new().await);
    let settings = [("OFFSHOOT_RATE_LIMIT", "0")];
    let first_server = Site::on(Arc::clone(&database), &settings, "acme", "USD").await;
    let first = post(&first_server, "/affiliates", "k", &person(1)).await;
    let key = first_server.api.key.clone();
    drop(first_server);
    let second_server = Site::on(database, &settings, "second", "USD").await;
    let again = send(&Api::new(second_server.address, &key), "/affiliates", "k", person(1).to_string()).await;
    replays(&again, &first);
}
