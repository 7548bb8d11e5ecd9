//! Clicks as a merchant's server reports them.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

async fn track(site: &Site, body: &Value) -> Answer {
    site.api.post("/referrals/track", body).await
}

const CLICKS: &str = "SELECT COUNT(*) FROM clicks";

#[tokio::test]
async fn a_click_answers_as_the_reference_does() {
    let site = Site::start().await;
    let affiliate = site.affiliate("JOHNDOE10").await;
    let body = json!({
        "referralCode": "johndoe10", "sourceUrl": "https://blog.example/post",
        "userAgent": "Mozilla/5.0", "ipAddress": "203.0.113.7",
    });
    let made = track(&site, &body).await;
    assert_eq!(made.status, 201);
    let click = made.data()["clickId"].as_str().unwrap();
    assert!(click.starts_with("click_"));
    assert_eq!(
        made.text,
        format!(
            r#"{{"success":true,"data":{{"clickId":"{click}","referralCode":"JOHNDOE10","affiliateId":"{affiliate}","timestamp":"2026-03-01T12:00:00Z"}}}}"#
        )
    );
    site.check_ledger().await;
}

#[tokio::test]
async fn every_accepted_call_counts_one_click() {
    let site = Site::start().await;
    let affiliate = site.affiliate("counted").await;
    let body = json!({ "referralCode": "counted", "ipAddress": "203.0.113.7", "userAgent": "same" });
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(track(&site, &body).await.data()["clickId"].to_string());
    }
    let at_once = futures_util::future::join_all((0..20).map(|_| track(&site, &body))).await;
    ids.extend(at_once.iter().map(|made| made.data()["clickId"].to_string()));
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 25);
    let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
    assert_eq!(shown.data()["affiliate"]["clickCount"], 25);
    assert_eq!(site.database.number(CLICKS).await, 25);
    site.check_ledger().await;
}

#[tokio::test]
async fn unknown_and_malformed_codes_are_not_found() {
    let site = Site::start().await;
    let (_, theirs) = site.another_program("other").await;
    theirs.affiliate("foreign").await;
    for code in ["nobody", "foreign", "", "x", "a b", "äöü", "x'; DROP TABLE clicks; --", &"x".repeat(5_000)] {
        let answer = track(&site, &json!({ "referralCode": code })).await;
        answer.fails(404, "resource_not_found", None);
    }
    for code in [json!(null), json!(1), json!(["x"]), json!("a\u{0}b")] {
        track(&site, &json!({ "referralCode": code })).await.refuses("referralCode");
    }
    track(&site, &json!({})).await.refuses("referralCode");
    assert_eq!(site.database.number(CLICKS).await, 0);
}

#[tokio::test]
async fn a_blocked_affiliate_is_refused_and_a_pending_one_counted() {
    let site = Site::start().await;
    let affiliate = site.affiliate("paused").await;
    site.set_affiliate(&affiliate, "blocked").await;
    let refused = track(&site, &json!({ "referralCode": "paused" })).await;
    refused.refuses("referralCode");
    assert_eq!(refused.json["error"]["details"]["issue"], "the affiliate is blocked");
    assert_eq!(site.database.number(CLICKS).await, 0);
    for (status, clicks) in [("pending", 1), ("active", 2)] {
        site.set_affiliate(&affiliate, status).await;
        site.api.click("paused").await;
        let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
        assert_eq!(shown.data()["affiliate"]["clickCount"], clicks);
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn the_visitors_address_is_stored_as_a_hash_or_ignored() {
    let site = Site::start().await;
    site.affiliate("visited").await;
    let with_ip = |ip: Value| json!({ "referralCode": "visited", "ipAddress": ip });
    for ip in [json!("not an ip"), json!(""), json!("300.1.1.1"), json!("1.2.3"), json!(null)] {
        assert_eq!(track(&site, &with_ip(ip)).await.status, 201);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks WHERE ip_hash IS NOT NULL").await, 0);
    // The same visitor in IPv4 and as IPv6 writes it is one.
    for ip in ["203.0.113.7", "::ffff:203.0.113.7", " 203.0.113.7 "] {
        assert_eq!(track(&site, &with_ip(json!(ip))).await.status, 201);
    }
    track(&site, &with_ip(json!("2001:db8::1"))).await;
    assert_eq!(site.database.number("SELECT COUNT(DISTINCT ip_hash) FROM clicks").await, 2);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM texts WHERE text LIKE '%203.0.113%'").await, 0);
    track(&site, &with_ip(json!(1))).await.refuses("ipAddress");
    assert_eq!(site.database.number(CLICKS).await, 9);
}

#[tokio::test]
async fn long_addresses_and_browser_names_are_cut_not_refused() {
    let site = Site::start().await;
    site.affiliate("longish").await;
    let (url, agent) = (format!("https://é.example/{}", "é".repeat(3_000)), "ü".repeat(600));
    let body = json!({ "referralCode": "longish", "sourceUrl": url, "userAgent": agent });
    for _ in 0..2 {
        assert_eq!(track(&site, &body).await.status, 201);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM texts").await, 2, "repeated text is stored once");
    assert_eq!(site.database.number("SELECT CAST(MAX(LENGTH(text)) AS BIGINT) FROM texts").await, 2_048);
    assert_eq!(site.database.number("SELECT CAST(MIN(LENGTH(text)) AS BIGINT) FROM texts").await, 512);
    for (field, value) in [("sourceUrl", json!(1)), ("userAgent", json!({})), ("userAgent", json!("a\u{1b}b"))] {
        let mut body = json!({ "referralCode": "longish" });
        body[field] = value;
        track(&site, &body).await.refuses(field);
    }
    let empty = json!({ "referralCode": "longish", "sourceUrl": null, "userAgent": "" });
    assert_eq!(track(&site, &empty).await.status, 201);
    assert_eq!(site.database.number(CLICKS).await, 3);
    site.check_ledger().await;
}
