//! Rate limits: a bucket for each key, a larger one for tracking, and headers that tell how full it is.

use offshoot::domain::key::Scope;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Api, Site};

async fn limited() -> Site {
    Site::with(&[("OFFSHOOT_RATE_LIMIT", "5")]).await
}

/// The three headers as whole numbers.
#[track_caller]
fn rate(answer: &Answer) -> (u64, u64, u64) {
    let number = |name: &str| answer.header(name).parse().unwrap_or_else(|_| panic!("{name} in {answer:?}"));
    (number("ratelimit-limit"), number("ratelimit-remaining"), number("ratelimit-reset"))
}

#[tokio::test]
async fn a_minutes_worth_and_then_429() {
    let site = limited().await;
    for left in (0..5).rev() {
        let answer = site.api.get("/affiliates").await;
        let (limit, remaining, reset) = rate(&answer);
        assert_eq!((answer.status.as_u16(), limit, remaining), (200, 5, left));
        assert!((1..=60).contains(&reset), "{reset}");
        assert!(answer.headers.get("retry-after").is_none());
    }
    let refused = site.api.post("/affiliates", &json!({ "email": "r@example.com", "name": "R" })).await;
    refused.fails(429, "rate_limit_exceeded", None);
    assert!(!refused.text.contains("details"), "{refused:?}");
    let (limit, remaining, reset) = rate(&refused);
    assert_eq!((limit, remaining), (5, 0));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=12).contains(&wait) && wait <= reset && reset <= 60, "{wait} {reset}");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates").await, 0);
}

#[tokio::test]
async fn every_answer_to_a_valid_key_carries_the_headers_and_counts() {
    // One request a minute: the second of each key is refused, whatever became of the first.
    let site = Site::with(&[("OFFSHOOT_RATE_LIMIT", "1")]).await;
    let json = "application/json";
    for (status, scope, method, path, kind, size) in [
        (200, Scope::Full, Method::GET, "/affiliates", json, 0),
        (200, Scope::Track, Method::GET, "/openapi.json", json, 0),
        (400, Scope::Full, Method::GET, "/affiliates?limit=0", json, 0),
        (400, Scope::Full, Method::POST, "/affiliates", json, 2),
        (403, Scope::Read, Method::POST, "/affiliates", json, 2),
        (404, Scope::Full, Method::GET, "/nothing", json, 0),
        (404, Scope::Full, Method::GET, "/affiliates/aff_1", json, 0),
        (405, Scope::Full, Method::GET, "/referrals/track", json, 0),
        (413, Scope::Full, Method::POST, "/affiliates", json, 300_000),
        (415, Scope::Full, Method::POST, "/affiliates", "text/plain", 2),
    ] {
        let api = site.key(scope).await;
        for expected in [status, 429] {
            let request = api.request(method.clone(), path).header("content-type", kind);
            let answer = Answer::of(request.body(vec![b' '; size]).send().await.unwrap()).await;
            assert_eq!(answer.status.as_u16(), expected, "{answer:?}");
            assert_eq!((rate(&answer).0, rate(&answer).1), (1, 0), "{answer:?}");
        }
    }
    let wrong = Api::new(site.address, "ofs_wrong").get("/affiliates").await;
    let open = Api::new(site.address, "").get("/openapi.json").await;
    for answer in [wrong, open] {
        let rates = answer.headers.keys().filter(|name| name.as_str().starts_with("ratelimit")).count();
        assert_eq!(rates, 0, "no valid key: {answer:?}");
    }
}

#[tokio::test]
async fn tracking_has_a_bucket_of_its_own_ten_times_as_large() {
    let site = Site::with(&[("OFFSHOOT_RATE_LIMIT", "1")]).await;
    // The one request of this key that is not tracking.
    site.affiliate("tracked").await;
    let click = site.api.post("/referrals/track", &json!({ "referralCode": "tracked" })).await;
    assert_eq!((click.status.as_u16(), rate(&click).0, rate(&click).1), (201, 10, 9));
    let sale = site.api.sale("tracked", "1", "o-1").await;
    assert_eq!((sale.status.as_u16(), rate(&sale).0, rate(&sale).1), (201, 10, 8), "both POSTs share it");
    // Only the POSTs are tracking.
    for path in ["/affiliates", "/referrals/track", "/referrals/convert"] {
        assert_eq!(rate(&site.api.get(path).await).0, 1);
    }
    let answers = futures_util::future::join_all((0..40).map(|_| site.api.sale("nobody", "1", "o-2"))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 20, "{}", refused.len());
    for answer in refused {
        answer.fails(429, "rate_limit_exceeded", None);
    }
    // And an empty tracking bucket leaves the other as it is.
    let fresh = site.key(Scope::Full).await;
    for _ in 0..12 {
        fresh.sale("nobody", "1", "o-3").await;
    }
    assert_eq!(fresh.get("/affiliates").await.status, 200);
    site.check_ledger().await;
}

#[tokio::test]
async fn each_key_has_its_own() {
    let site = limited().await;
    let (colleague, (_, theirs)) = (site.key(Scope::Read).await, site.another_program("other").await);
    for _ in 0..6 {
        site.api.get("/program").await;
    }
    assert_eq!(site.api.get("/program").await.status, 429);
    for api in [colleague, theirs] {
        let answer = api.get("/program").await;
        assert_eq!((answer.status.as_u16(), rate(&answer).1), (200, 4));
    }
}

#[tokio::test]
async fn none_of_them_when_the_limit_is_off() {
    let site = Site::start().await;
    site.affiliate("free").await;
    for answer in [site.api.get("/affiliates").await, site.api.sale("free", "1", "o-1").await, site.api.get("/x").await]
    {
        let rates = answer.headers.keys().filter(|name| name.as_str().starts_with("ratelimit")).count();
        assert_eq!(rates, 0, "{answer:?}");
    }
}

#[tokio::test]
async fn six_hundred_a_minute_unless_set() {
    let site = Site::with(&[]).await;
    assert_eq!(rate(&site.api.get("/program").await).0, 600);
    let click = site.api.post("/referrals/track", &json!({ "referralCode": "nobody" })).await;
    assert_eq!(rate(&click).0, 6_000);
}
