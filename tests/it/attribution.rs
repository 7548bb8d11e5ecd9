//! Whom a sale is credited to: the click, the code, and what happens when they disagree.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

const DAY: i64 = 86_400;

async fn convert(site: &Site, body: &Value) -> Answer {
    site.api.post("/referrals/convert", body).await
}

async fn shown(site: &Site, made: &Answer) -> Value {
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.data()["conversionId"].as_str().unwrap();
    site.api.get(&format!("/conversions/{id}")).await.data()["conversion"].clone()
}

#[tokio::test]
async fn neither_click_nor_code_names_the_click_and_speaks_of_both() {
    let site = Site::start().await;
    for body in [json!({ "amount": 1 }), json!({ "amount": 1, "clickId": null, "referralCode": null, "orderId": "x" })]
    {
        let refused = convert(&site, &body).await;
        refused.refuses("clickId");
        let issue = refused.json["error"]["details"]["issue"].as_str().unwrap();
        assert!(issue.contains("clickId") && issue.contains("referralCode"), "{issue}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 0);
}

#[tokio::test]
async fn click_ids_and_codes_are_malformed_or_unknown() {
    let site = Site::start().await;
    site.affiliate("known").await;
    let (_, theirs) = site.another_program("other").await;
    theirs.affiliate("foreign").await;
    let foreign = theirs.click("foreign").await;
    for click in ["", "x", "aff_123456", "click_", "click_a b", "CLICK_abc"] {
        let refused = convert(&site, &json!({ "clickId": click, "referralCode": "known", "amount": 1 })).await;
        refused.refuses("clickId");
        assert_eq!(refused.json["error"]["details"]["issue"], "must be a string beginning with 'click_'");
        assert_eq!(refused.json["error"]["message"], "Invalid click ID format");
    }
    for click in ["click_abcdef12345", "click_does_not-exist", "click_zzzzzzzzzzzzz", &foreign] {
        convert(&site, &json!({ "clickId": click, "amount": 1 })).await.fails(404, "resource_not_found", None);
    }
    let click = site.api.click("known").await;
    let both = json!({ "clickId": click, "referralCode": "nobody", "amount": 1 });
    convert(&site, &both).await.fails(404, "resource_not_found", None);
    for code in ["nobody", "foreign", "", "x", "a b"] {
        convert(&site, &json!({ "referralCode": code, "amount": 1 })).await.fails(404, "resource_not_found", None);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 0);
}

#[tokio::test]
async fn the_click_wins_over_a_code_and_the_conflict_is_recorded() {
    let site = Site::start().await;
    let clicked = site.affiliate("clicked").await;
    site.affiliate("coded").await;
    let click = site.api.click("clicked").await;
    let made = convert(&site, &json!({ "clickId": click, "referralCode": "coded", "amount": 1 })).await;
    assert_eq!((&made.data()["affiliateId"], &made.data()["referralCode"]), (&json!(clicked), &json!("clicked")));
    let sale = shown(&site, &made).await;
    assert_eq!((&sale["attributedBy"], &sale["conflict"]), (&json!("click"), &json!(true)));

    let made = convert(&site, &json!({ "clickId": click, "referralCode": "CLICKED", "amount": 1 })).await;
    assert_eq!(shown(&site, &made).await["conflict"], false, "they agree");
    site.check_ledger().await;
}

#[tokio::test]
async fn a_click_counts_until_the_end_of_the_window() {
    let site = Site::start().await;
    site.affiliate("windowed").await;
    let click = site.api.click("windowed").await;
    let body = json!({ "clickId": click, "amount": 1 });
    site.advance_seconds(60 * DAY);
    assert_eq!(convert(&site, &body).await.status, 201, "60 days to the second");
    site.advance_seconds(1);
    convert(&site, &body).await.refuses("clickId");
    for code in ["nobody", "x", "not a code"] {
        // Only a valid code stands in for the click.
        let body = json!({ "clickId": click, "referralCode": code, "amount": 1 });
        convert(&site, &body).await.refuses("clickId");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn after_the_window_a_valid_code_decides() {
    let site = Site::start().await;
    site.affiliate("clicked").await;
    let coded = site.affiliate("coded").await;
    let click = site.api.click("clicked").await;
    site.advance_seconds(61 * DAY);
    let body = json!({ "clickId": click, "referralCode": "coded", "amount": 1, "orderId": "o-1" });
    let made = convert(&site, &body).await;
    assert_eq!(made.data()["affiliateId"], *coded);
    let sale = shown(&site, &made).await;
    assert_eq!((&sale["attributedBy"], &sale["conflict"]), (&json!("code_after_expired_click"), &json!(true)));
    let again = convert(&site, &body).await;
    assert_eq!((again.status.as_u16(), &again.text), (200, &made.text));
    let agreed = convert(&site, &json!({ "clickId": click, "referralCode": "clicked", "amount": 1 })).await;
    assert_eq!(shown(&site, &agreed).await["conflict"], false);
    site.set_affiliate(&coded, "blocked").await;
    convert(&site, &json!({ "clickId": click, "referralCode": "coded", "amount": 1 })).await.refuses("referralCode");
    site.check_ledger().await;
}

#[tokio::test]
async fn blocked_is_refused_and_only_the_one_credited_matters() {
    let site = Site::start().await;
    let blocked = site.affiliate("blocked").await;
    let active = site.affiliate("active").await;
    let (theirs, ours) = (site.api.click("blocked").await, site.api.click("active").await);
    site.set_affiliate(&blocked, "blocked").await;
    for (body, field) in [
        (json!({ "referralCode": "blocked", "amount": 1 }), "referralCode"),
        (json!({ "clickId": theirs, "amount": 1 }), "clickId"),
        (json!({ "clickId": theirs, "referralCode": "active", "amount": 1 }), "clickId"),
    ] {
        let refused = convert(&site, &body).await;
        refused.refuses(field);
        assert_eq!(refused.json["error"]["details"]["issue"], "the affiliate is blocked");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 0);
    let made = convert(&site, &json!({ "clickId": ours, "referralCode": "blocked", "amount": 1 })).await;
    assert_eq!(made.data()["affiliateId"], *active);
    assert_eq!(shown(&site, &made).await["conflict"], true);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_pending_affiliates_sale_waits_for_the_affiliate() {
    let site = Site::start().await;
    let affiliate = site.affiliate("waiting").await;
    site.set_affiliate(&affiliate, "pending").await;
    assert_eq!(site.api.sale("waiting", "10", "o-1").await.status, 201);
    let commission = site.api.newest_commission(&affiliate).await;
    for status in ["approved", "paid"] {
        let refused = site.api.decide(&commission, status).await;
        refused.refuses("status");
        assert!(refused.text.contains("pending"), "{refused:?}");
    }
    site.set_affiliate(&affiliate, "active").await;
    assert_eq!(site.api.decide(&commission, "approved").await.status, 200);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_click_of_the_old_code_credits_the_current_one() {
    let site = Site::start().await;
    let affiliate = site.affiliate("older").await;
    let click = site.api.click("older").await;
    site.api.patch(&format!("/affiliates/{affiliate}"), &json!({ "referralCode": "newer" })).await;
    let made = convert(&site, &json!({ "clickId": click, "amount": 1 })).await;
    assert_eq!(made.data()["referralCode"], "newer");
    site.check_ledger().await;
}
