//! What is our own fault: said so, with the request's id, and nothing else of it.

use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Site};

#[tokio::test]
async fn an_internal_error_names_the_request_and_leaks_nothing() {
    let site = Site::start().await;
    let affiliate = site.affiliate("victim").await;
    let sale = json!({ "referralCode": "victim", "amount": 1, "orderId": "o-1" });
    site.database.execute("ALTER TABLE conversions RENAME TO mislaid").await.unwrap();
    let keyed = site.api.request(Method::POST, "/referrals/convert").header("idempotency-key", "k").json(&sale);
    for answer in [
        site.api.get("/conversions/conv_1").await,
        site.api.get("/commissions").await,
        site.api.post("/referrals/convert", &sale).await,
        site.api.post("/referrals/convert?dryRun=true", &sale).await,
        Answer::of(keyed.send().await.unwrap()).await,
    ] {
        answer.fails(500, "server_error", None);
        assert!(!answer.text.contains("details"), "{answer:?}");
        let message = answer.json["error"]["message"].as_str().unwrap();
        assert!(message.contains(answer.header("x-request-id")), "{message}");
        for leak in ["conversions", "table", "relation", "SQL", "src/", "panic"] {
            assert!(!answer.text.contains(leak), "{leak}: {}", answer.text);
        }
    }
    site.database.execute("ALTER TABLE mislaid RENAME TO conversions").await.unwrap();
    let again = site.api.request(Method::POST, "/referrals/convert").header("idempotency-key", "k").json(&sale);
    assert_eq!(again.send().await.unwrap().status(), 201, "nothing was stored, the key is free, and all is well");
    assert_eq!(site.api.get(&format!("/affiliates/{affiliate}")).await.data()["affiliate"]["conversionCount"], 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let site = Site::start().await;
    let mut ids = Vec::new();
    for path in ["/affiliates", "/affiliates", "/nothing", "/openapi.json", "/affiliates?limit=0"] {
        ids.push(site.api.get(path).await.header("x-request-id").to_owned());
    }
    assert!(ids.iter().all(|id| id.len() > 10), "{ids:?}");
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}
