//! Affiliates changed: each field, what `null` does, and codes that stay their owner's for ever.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

async fn change(site: &Site, id: &str, body: &Value) -> Answer {
    let changed = site.api.patch(&format!("/affiliates/{id}"), body).await;
    if changed.status == 200 {
        assert_eq!(changed.text, site.api.get(&format!("/affiliates/{id}")).await.text, "answers as GET does");
    }
    changed
}

#[tokio::test]
async fn each_field_changes_alone() {
    let site = Site::start().await;
    let id = site.affiliate("before").await;
    let mut expected = site.api.get(&format!("/affiliates/{id}")).await.data()["affiliate"].clone();
    for (field, value) in [
        ("name", "After"),
        ("email", "After@Example.com"),
        ("status", "pending"),
        ("status", "blocked"),
        ("status", "active"),
        ("referralCode", "After_1"),
        ("paymentMethod", "paypal"),
        ("paymentMethod", "wise"),
        ("paymentMethod", "bank"),
        ("paymentMethod", "other"),
        ("paymentDetails", "IBAN 1"),
    ] {
        expected[field] = json!(value);
        let changed = change(&site, &id, &json!({ field: value })).await;
        assert_eq!(changed.data()["affiliate"], expected, "{field}");
    }
    let fields = change(&site, &id, &json!({ "customFields": { "tier": "gold" } })).await;
    assert_eq!(fields.data()["affiliate"], expected, "the reference's object is not widened");
    let kept = "SELECT COUNT(*) FROM affiliates WHERE custom_fields = '{\"tier\":\"gold\"}'";
    assert_eq!(site.database.number(kept).await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn nothing_named_changes_nothing() {
    let site = Site::start().await;
    let id = site.affiliate("same").await;
    let before = site.api.get(&format!("/affiliates/{id}")).await.text;
    let audited = site.database.number("SELECT COUNT(*) FROM audit_log").await;
    for body in [json!({}), json!({ "unknown": 1 }), json!({ "name": "same", "referralCode": "same" })] {
        assert_eq!(change(&site, &id, &body).await.text, before);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log").await, audited);
}

#[tokio::test]
async fn null_clears_what_may_be_empty_and_nothing_else() {
    let site = Site::start().await;
    let id = site.affiliate("clear").await;
    let given = json!({ "paymentMethod": "wise", "paymentDetails": "x", "customFields": { "a": 1 } });
    change(&site, &id, &given).await;
    let cleared = json!({ "paymentMethod": null, "paymentDetails": null, "customFields": null });
    let answer = change(&site, &id, &cleared).await;
    assert!(answer.text.contains(r#""paymentMethod":null,"paymentDetails":null"#), "{answer:?}");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates WHERE custom_fields = '{}'").await, 1);
    for field in ["name", "email", "status", "referralCode"] {
        change(&site, &id, &json!({ field: null })).await.refuses(field);
    }
}

#[tokio::test]
async fn a_change_is_refused_whole() {
    let site = Site::start().await;
    site.affiliate("other").await;
    let id = site.affiliate("mine").await;
    let before = site.api.get(&format!("/affiliates/{id}")).await.text;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!(1)),
        ("email", json!("x")),
        ("email", json!("OTHER@example.com")),
        ("status", json!("paid")),
        ("status", json!("Active")),
        ("referralCode", json!("OTHER")),
        ("referralCode", json!("x")),
        ("paymentMethod", json!("cash")),
        ("paymentMethod", json!(1)),
        ("paymentDetails", json!("x".repeat(501))),
        ("paymentDetails", json!("a\u{0}")),
        ("customFields", json!([])),
    ] {
        // What else was named must not be done either.
        let mut body = json!({ "name": "New", "paymentDetails": "new", "status": "blocked" });
        body[field] = value;
        change(&site, &id, &body).await.refuses(field);
        assert_eq!(site.api.get(&format!("/affiliates/{id}")).await.text, before, "{field}");
    }
    site.api.click("mine").await;
    site.check_ledger().await;
}

#[tokio::test]
async fn a_code_given_up_stays_an_alias_and_nobody_elses() {
    let site = Site::start().await;
    let id = site.affiliate("First").await;
    let other = site.affiliate("Other").await;
    assert_eq!(change(&site, &id, &json!({ "referralCode": "Second" })).await.status, 200);

    // The alias works in any case; answers show the current code.
    let tracked = site.api.post("/referrals/track", &json!({ "referralCode": "fIRST" })).await;
    assert_eq!(tracked.data()["referralCode"], "Second");
    assert_eq!(tracked.data()["affiliateId"], *id);
    assert_eq!(site.api.sale("FIRST", "10", "o-1").await.data()["referralCode"], "Second");

    let taken = json!({ "email": "new@example.com", "name": "N", "referralCode": "FIRST" });
    site.api.post("/affiliates", &taken).await.refuses("referralCode");
    change(&site, &other, &json!({ "referralCode": "first" })).await.refuses("referralCode");
    assert_eq!(site.api.sale("other", "10", "o-2").await.data()["referralCode"], "Other");

    // Its owner may have it back, in another spelling too.
    assert_eq!(change(&site, &id, &json!({ "referralCode": "FIRST" })).await.status, 200);
    let tracked = site.api.post("/referrals/track", &json!({ "referralCode": "second" })).await;
    assert_eq!(tracked.data()["referralCode"], "FIRST");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM codes").await, 3);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_change_is_audited_without_payment_details() {
    let site = Site::start().await;
    let id = site.affiliate("audited").await;
    change(&site, &id, &json!({ "paymentDetails": "SECRET-IBAN", "name": "New" })).await;
    let one =
        "SELECT COUNT(*) FROM audit_log WHERE action = 'affiliate.changed' AND actor LIKE 'key:key!_%' ESCAPE '!'";
    assert_eq!(site.database.number(one).await, 1);
    let leak = "SELECT COUNT(*) FROM audit_log WHERE before LIKE '%IBAN%' OR after LIKE '%IBAN%'";
    assert_eq!(site.database.number(leak).await, 0);
}

#[tokio::test]
async fn every_conversion_counts_whatever_becomes_of_it() {
    let site = Site::start().await;
    let id = site.affiliate("counted").await;
    let rejected = site.api.sale("counted", "10", "o-1").await;
    assert_eq!(rejected.status, 201);
    let commission = site.api.newest_commission(&id).await;
    site.api.decide(&commission, "rejected").await;
    let refunded = site.api.sale("counted", "10", "o-2").await;
    let conversion = refunded.data()["conversionId"].as_str().unwrap();
    site.api.post(&format!("/conversions/{conversion}/refunds"), &json!({})).await;
    let affiliate = site.api.get(&format!("/affiliates/{id}")).await;
    assert!(
        affiliate.text.contains(r#""totalEarnings":0.00,"pendingEarnings":0.00,"paidEarnings":0.00"#),
        "{affiliate:?}"
    );
    assert_eq!(affiliate.data()["affiliate"]["conversionCount"], 2);
    site.check_ledger().await;
}
