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
    let site = Site::with(&[("OFFSHOOT_RATE_LIMIT", "600")]).await;
    let bad = || site.api.request(Method::POST, "/affiliates");
    let mut left = 600;
    for (status, answer) in [
        (200, site.api.get("/affiliates").await),
        (200, site.api.get("/openapi.json").await),
        (400, site.api.get("/affiliates?limit=0").await),
        (404, site.api.get("/nothing").await),
        (404, site.api.get("/affiliates/aff_1").await),
        (405, site.api.get("/referrals/track").await),
        (413, site.api.raw(Method::POST, "/affiliates", vec![b' '; 300_000]).await),
        (415, Answer::of(bad().body("{}").send().await.unwrap()).await),
    ] {
        let (limit, remaining, _) = rate(&answer);
        assert_eq!((answer.status.as_u16(), limit), (status, 600), "{answer:?}");
        // Ten a second come back.
        assert!(remaining < left || remaining == 599, "{remaining} after {left}");
        left = remaining + 1;
    }
    let reading = site.key(Scope::Read).await.post("/affiliates", &json!({})).await;
    reading.fails(403, "permission_denied", None);
    assert_eq!(rate(&reading).0, 600);
    let (wrong, none) = (
        Api::new(site.address, "ofs_wrong").get("/affiliates").await,
        Api::new(site.address, "").get("/openapi.json").await,
    );
    for answer in [wrong, none] {
        for name in ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"] {
            assert!(answer.headers.get(name).is_none(), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn tracking_has_a_bucket_of_its_own_ten_times_as_large() {
    let site = limited().await;
    // One of the five.
    site.affiliate("tracked").await;
    let click = site.api.post("/referrals/track", &json!({ "referralCode": "tracked" })).await;
    assert_eq!((click.status.as_u16(), rate(&click).0, rate(&click).1), (201, 50, 49));
    let sale = site.api.sale("tracked", "1", "o-1").await;
    assert_eq!((sale.status.as_u16(), rate(&sale).0, rate(&sale).1), (201, 50, 48));
    let general = site.api.get("/affiliates").await;
    assert_eq!((rate(&general).0, rate(&general).1), (5, 3));
    // Only the POSTs are tracking.
    let wrong_method = site.api.get("/referrals/track").await;
    assert_eq!((wrong_method.status.as_u16(), rate(&wrong_method).0, rate(&wrong_method).1), (405, 5, 2));

    // What is refused costs as much; at 50 a minute at most a few come back meanwhile.
    let answers = futures_util::future::join_all((0..100).map(|_| site.api.sale("nobody", "1", "o-2"))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() >= 30, "{}", refused.len());
    for answer in refused {
        answer.fails(429, "rate_limit_exceeded", None);
    }
    assert_eq!(site.api.get("/affiliates").await.status, 200, "the other bucket is not touched");
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
