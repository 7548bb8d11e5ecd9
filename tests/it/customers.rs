//! Customers: known again by the merchant's id or by their address, and with whom they stay.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

const DAY: i64 = 86_400;

async fn convert(site: &Site, body: &Value) -> Answer {
    site.api.post("/referrals/convert", body).await
}

/// Whom the sale was credited to, by what.
async fn credited(site: &Site, body: &Value) -> (String, String) {
    let made = convert(site, body).await;
    assert_eq!(made.status, 201, "{body}: {made:?}");
    let id = made.data()["conversionId"].as_str().unwrap();
    let shown = site.api.get(&format!("/conversions/{id}")).await;
    let conversion = &shown.data()["conversion"];
    let text = |name: &str| conversion[name].as_str().unwrap().to_owned();
    (text("referralCode"), text("attributedBy"))
}

async fn set(site: &Site, settings: &str) {
    site.database.execute(&format!("UPDATE programs SET {settings}")).await.unwrap();
    // What is kept of a program is believed for half a second.
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
}

fn by(code: &str, why: &str) -> (String, String) {
    (code.into(), why.into())
}

#[tokio::test]
async fn a_known_customer_is_credited_to_who_brought_them() {
    let site = Site::start().await;
    site.affiliate("first").await;
    let jane = json!({ "id": "c1", "email": "Jane@shop.example" });
    credited(&site, &json!({ "referralCode": "first", "amount": 10, "customer": jane })).await;

    // By the id, by the address however it is written, and by a number that is the same id.
    let by_address = json!({ "email": " jane@SHOP.example " });
    for (customer, renewal) in [(&json!({ "id": "c1" }), false), (&by_address, true), (&jane, false)] {
        let sale = json!({ "amount": 10, "customer": customer, "renewal": renewal });
        assert_eq!(credited(&site, &sale).await, by("first", "customer"), "{customer}");
    }
    // A sale that names nobody is not one of theirs because the buyer's address is known.
    convert(&site, &json!({ "amount": 10, "customer": by_address })).await.refuses("clickId");
    for stranger in [json!({ "id": "c2" }), json!({ "email": "joe@shop.example" }), json!({ "name": "Jane" })] {
        convert(&site, &json!({ "amount": 10, "customer": stranger })).await.refuses("clickId");
    }
    // Another of the merchant's customers who shares the address is somebody else.
    let other = json!({ "amount": 10, "customer": { "id": "c9", "email": "jane@shop.example" } });
    convert(&site, &other).await.refuses("clickId");
    assert_eq!(site.database.number("SELECT sales FROM customers").await, 4);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions WHERE is_repeat").await, 3);
    site.check_ledger().await;
}

#[tokio::test]
async fn an_address_becomes_the_customer_of_the_id_that_comes_later() {
    let site = Site::start().await;
    site.affiliate("first").await;
    let sale = |customer: Value| json!({ "amount": 10, "customer": customer });
    let mut led = sale(json!({ "email": "jane@shop.example" }));
    led["referralCode"] = "first".into();
    credited(&site, &led).await;
    credited(&site, &sale(json!({ "id": "c1", "email": "jane@shop.example" }))).await;
    assert_eq!(credited(&site, &sale(json!({ "id": "c1" }))).await, by("first", "customer"));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM customers").await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn newer_evidence_takes_a_customer_along_or_the_first_keeps_them() {
    let site = Site::start().await;
    site.affiliate("first").await;
    site.affiliate("second").await;
    let customer = json!({ "id": "c1" });
    let led = |code: &str| json!({ "referralCode": code, "amount": 10, "customer": customer });
    let alone = json!({ "amount": 10, "customer": customer });
    credited(&site, &led("first")).await;
    assert_eq!(credited(&site, &led("second")).await, by("second", "code"));
    assert_eq!(credited(&site, &alone).await, by("second", "customer"));

    set(&site, "touch = 'first', bound_days = 30").await;
    assert_eq!(credited(&site, &led("first")).await, by("second", "customer"));
    site.advance_seconds(31 * DAY);
    convert(&site, &alone).await.refuses("clickId");
    assert_eq!(credited(&site, &led("first")).await, by("first", "code"));

    set(&site, "bound_days = 0").await;
    convert(&site, &alone).await.refuses("clickId");
    site.check_ledger().await;
}

#[tokio::test]
async fn only_new_customers_where_the_program_says_so() {
    let site = Site::start().await;
    site.affiliate("first").await;
    site.affiliate("second").await;
    set(&site, "new_customers_only = TRUE").await;
    let led = |code: &str| json!({ "referralCode": code, "amount": 10, "customer": { "id": "c1" } });
    credited(&site, &led("first")).await;
    convert(&site, &led("second")).await.refuses("referralCode");
    assert_eq!(credited(&site, &led("first")).await, by("first", "code"));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 2);
    site.check_ledger().await;
}

#[tokio::test]
async fn thirty_sales_of_one_new_customer_at_once_make_one_customer() {
    let site = Site::start().await;
    site.affiliate("first").await;
    let sales = (0..30).map(|n| {
        let order = format!("o-{n}");
        let sale = json!({ "referralCode": "first", "amount": 10, "orderId": order, "customer": { "id": "c1" } });
        let api = site.api.clone();
        tokio::spawn(async move { api.post("/referrals/convert", &sale).await.status })
    });
    for sale in sales.collect::<Vec<_>>() {
        assert_eq!(sale.await.unwrap(), 201);
    }
    assert_eq!(site.database.number("SELECT sales FROM customers").await, 30);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions WHERE NOT is_repeat").await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_coupon_credits_without_a_click_and_before_a_link_or_after() {
    let site = Site::start().await;
    site.affiliate("linked").await;
    let owner = site.affiliate("owner").await;
    let made = site.api.post("/coupons", &json!({ "affiliateId": owner, "code": "Summer-10" })).await;
    assert_eq!(made.status, 201, "{made:?}");

    let sale = json!({ "couponCode": "SUMMER-10", "amount": 10, "orderId": "o-1" });
    assert_eq!(credited(&site, &sale).await, by("owner", "coupon"));
    assert_eq!(convert(&site, &sale).await.status, 200);
    // An affiliate's own code as a coupon; the shop's other coupons are no evidence and no error.
    assert_eq!(credited(&site, &json!({ "couponCode": "LINKED", "amount": 10 })).await, by("linked", "coupon"));
    let other = json!({ "couponCode": "BLACK-FRIDAY", "referralCode": "linked", "amount": 10 });
    assert_eq!(credited(&site, &other).await, by("linked", "code"));
    convert(&site, &json!({ "couponCode": "BLACK-FRIDAY", "amount": 10 })).await.fails(404, "resource_not_found", None);
    convert(&site, &json!({ "couponCode": 7, "amount": 10 })).await.refuses("couponCode");

    let click = site.api.click("linked").await;
    let both = json!({ "clickId": click, "couponCode": "summer-10", "amount": 10 });
    assert_eq!(credited(&site, &both).await, by("owner", "coupon"));
    set(&site, "coupon_wins = FALSE").await;
    assert_eq!(credited(&site, &both).await, by("linked", "click"));
    let conflicts = site.database.number("SELECT COUNT(*) FROM conversions WHERE conflict").await;
    assert_eq!(conflicts, 2);
    site.check_ledger().await;
}
