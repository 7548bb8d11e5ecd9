//! Who is credited with what a payment provider tells, and as of when that is judged.

use offshoot::{
    domain::{
        money::Rate,
        providers::Provider,
        rules::{Pays, Rule, Sales, Scope},
    },
    flows::{Actor, Refusal, rules},
};
use serde_json::{Value, json};

use crate::support::{
    Site,
    payments::{Payments, own_sale, payload},
    site::START,
};

const DAY: i64 = 86_400;

/// The moment so many days after the site's beginning, as providers write it.
fn on_day(site: &Site, day: i64) -> String {
    assert!(START.plus_days(day) <= site.app.clock.now());
    START.plus_days(day).to_string()
}

#[tokio::test]
async fn what_was_bought_before_the_visit_stays_nobodys() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let bought = |more: Value| {
        let mut sale = json!({ "customer": { "id": "c1", "email": "c1@example.com" } });
        sale.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sale
    };
    let now = || site.app.clock.now().to_string();
    let alone = bought(json!({ "recurring": true, "subscriptionId": "s1", "occurredAt": now() }));
    payments.tells("m1", &own_sale("o1", &alone)).await;
    // A day later the same buyer comes by a link, and in another month by a code.
    site.advance_seconds(DAY);
    let click = site.api.click("ADA").await;
    let by_click = bought(json!({ "clickId": click, "subscriptionId": "s2", "occurredAt": now() }));
    payments.tells("m2", &own_sale("o2", &by_click)).await;
    assert_eq!(payments.earnings(&ada).await, "20.0 20.0 0.0");

    let other = |more: &Value, order: &str| own_sale(order, more).replace("c1", "c2");
    payments.tells("m3", &other(&bought(json!({ "recurring": true, "occurredAt": now() })), "o3")).await;
    site.advance_seconds(30 * DAY);
    let by_code = bought(json!({ "referralCode": "ADA", "occurredAt": now() }));
    payments.tells("m4", &other(&by_code, "o4")).await;
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    assert_eq!((payments.events("done").await, payments.events("ignored").await), (2, 2));
    site.check_ledger().await;
}

#[tokio::test]
async fn what_was_bought_before_a_code_or_a_coupon_stays_nobodys() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    site.api.post("/coupons", &json!({ "affiliateId": ada, "code": "SUMMER10" })).await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    for (number, evidence) in [json!({ "referralCode": "ADA" }), json!({ "coupon": "SUMMER10" })].iter().enumerate() {
        let bought = |more: &Value| {
            let mut sale = json!({ "customer": { "id": format!("c{number}") } });
            sale["occurredAt"] = site.app.clock.now().to_string().into();
            sale.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            sale
        };
        payments.tells(&format!("early{number}"), &own_sale(&format!("early{number}"), &bought(&json!({})))).await;
        site.advance_seconds(DAY);
        payments.tells(&format!("by{number}"), &own_sale(&format!("by{number}"), &bought(evidence))).await;
    }
    assert_eq!((payments.events("done").await, payments.events("ignored").await), (2, 2));
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    site.check_ledger().await;
}

#[tokio::test]
async fn evidence_counts_as_of_when_it_was_bought() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    site.database.execute("UPDATE programs SET bound_days = 10").await.unwrap();
    let payments = Payments::connect(&site, Provider::Generic).await;
    let click = site.api.click("ADA").await;
    site.advance_seconds(65 * DAY);
    // Bought within the days that a click counts, told after them.
    let first = json!({ "clickId": click, "customer": { "id": "c1" }, "occurredAt": on_day(&site, 58) });
    payments.tells("m1", &own_sale("o1", &first)).await;
    assert_eq!(payments.earnings(&ada).await, "20.0 20.0 0.0");
    // The customer stays from then on, and so much longer than that is too long.
    site.advance_seconds(5 * DAY);
    for (id, day) in [("o2", 67), ("o3", 69)] {
        let more = json!({ "recurring": true, "customer": { "id": "c1" }, "occurredAt": on_day(&site, day) });
        payments.tells(id, &own_sale(id, &more)).await;
    }
    assert_eq!((payments.events("done").await, payments.events("ignored").await), (2, 1));
    // What says whose a subscription is counts as of then too.
    let bound = json!({ "clickId": click, "subscriptionId": "s1", "occurredAt": on_day(&site, 59) });
    payments.tells("m4", &json!({ "type": "customer.bound", "data": bound }).to_string()).await;
    assert_eq!(payments.events("done").await, 3);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_first_sale_that_is_told_late_brings_its_renewals() {
    for order in [[0, 1, 2], [1, 0, 2], [1, 2, 0], [2, 1, 0], [2, 0, 1], [0, 2, 1]] {
        let site = Site::start().await;
        let ada = site.affiliate("ADA").await;
        let payments = Payments::connect(&site, Provider::Generic).await;
        site.advance_seconds(3 * DAY);
        let who = json!({ "id": "c1", "email": "c1@example.com" });
        let renewal = |day| json!({ "recurring": true, "customer": who, "occurredAt": on_day(&site, day) });
        let told = [
            json!({ "referralCode": "ADA", "customer": who, "occurredAt": on_day(&site, 0) }),
            renewal(1),
            // Another visit: its own evidence would not bring what was bought before.
            json!({ "referralCode": "ADA", "customer": who, "occurredAt": on_day(&site, 2) }),
        ];
        for part in order {
            payments.tells(&format!("m{part}"), &own_sale(&format!("o{part}"), &told[part])).await;
        }
        assert_eq!(payments.earnings(&ada).await, "60.0 60.0 0.0", "{order:?}");
        site.check_ledger().await;
    }
}

/// A rule that pays half of so much of the sales.
async fn half_of(site: &Site, sales: Sales, products: &[&str]) {
    let act = site.app.act(site.program.clone(), Actor::CommandLine);
    let rule = Rule {
        id: act.id(),
        name: "Half".into(),
        scope: Scope::Everybody,
        products: products.iter().map(|id| (*id).to_owned()).collect(),
        sales,
        pays: Pays::Share(Rate::from_basis_points(5_000)),
        months: None,
        payments: None,
        first_days: None,
        first_sales: None,
        tiers: None,
        starts_at: act.now,
        ends_at: None,
    };
    let made =
        site.app.db.write::<_, Refusal, _>(move |tx| Box::pin(async move { rules::create(tx, &act, &rule).await }));
    made.await.unwrap();
}

#[tokio::test]
async fn the_first_payment_after_a_trial_is_no_renewal() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    half_of(&site, Sales::First, &[]).await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let trial = json!({ "referralCode": "ADA", "subscriptionId": "s1", "customer": { "id": "c1" } });
    payments.tells("m0", &json!({ "type": "lead", "data": trial }).to_string()).await;
    let renewal = json!({ "recurring": true, "subscriptionId": "s1", "customer": { "id": "c1" } });
    payments.tells("m1", &own_sale("o1", &renewal)).await;
    assert_eq!(payments.earnings(&ada).await, "50.0 50.0 0.0");
    payments.tells("m2", &own_sale("o2", &renewal)).await;
    assert_eq!(payments.earnings(&ada).await, "70.0 70.0 0.0");
    // Of what had begun before anybody brought them it is one.
    let other = json!({ "recurring": true, "referralCode": "ADA", "customer": { "id": "c2" } });
    payments.tells("m3", &own_sale("o3", &other)).await;
    assert_eq!(payments.earnings(&ada).await, "90.0 90.0 0.0");
    site.check_ledger().await;
}

#[tokio::test]
async fn a_renewal_that_carries_its_first_evidence_does_not_bring_its_customer_again() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let ben = site.affiliate("BEN").await;
    site.database.execute("UPDATE programs SET bound_days = 30").await.unwrap();
    site.api.post("/coupons", &json!({ "affiliateId": ada, "code": "SUMMER10" })).await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let renewal = json!({
        "recurring": true, "referralCode": "ADA", "coupon": "SUMMER10", "subscriptionId": "s1", "customer": { "id": "c1" }
    });
    let mut first = renewal.clone();
    first["recurring"] = false.into();
    payments.tells("m1", &own_sale("o1", &first)).await;
    site.advance_seconds(29 * DAY);
    payments.tells("m2", &own_sale("o2", &renewal)).await;
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    site.advance_seconds(2 * DAY);
    payments.tells("m3", &own_sale("o3", &renewal)).await;
    assert_eq!((payments.events("done").await, payments.events("ignored").await), (2, 1));
    // Somebody else brings the customer later: the old subscription does not take them back.
    site.advance_seconds(DAY);
    payments.tells("m4", &own_sale("o4", &json!({ "referralCode": "BEN", "customer": { "id": "c1" } }))).await;
    payments.tells("m5", &own_sale("o5", &renewal)).await;
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    assert_eq!(payments.earnings(&ben).await, "40.0 40.0 0.0");
    site.check_ledger().await;
}

#[tokio::test]
async fn who_is_named_before_they_buy_is_known_by_the_address_alone() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let bound = |customer: Value| {
        json!({ "type": "customer.bound", "data": { "referralCode": "ADA", "customer": customer } }).to_string()
    };
    payments.tells("m1", &bound(json!({ "email": "c1@example.com" }))).await;
    payments.tells("m2", &own_sale("o1", &json!({ "customer": { "email": "C1@example.com" } }))).await;
    assert_eq!((payments.events("done").await, payments.earnings(&ada).await.as_str()), (2, "20.0 20.0 0.0"));
    // Told elsewhere, they are the same customer.
    payments.tells("m3", &bound(json!({ "id": "c2" }))).await;
    let sale = json!({ "amount": 100, "customer": { "id": "c2" } });
    assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
    payments.tells("m4", &bound(json!({}))).await;
    assert_eq!((payments.events("failed").await, payments.earnings(&ada).await.as_str()), (1, "40.0 40.0 0.0"));
    site.check_ledger().await;
}

#[tokio::test]
async fn a_coupon_is_known_by_its_word_or_its_id() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    for code in ["promo_1QwAdaCode", "SUMMER10"] {
        site.api.post("/coupons", &json!({ "affiliateId": ada, "code": code })).await;
    }
    let stripe = Payments::connect(&site, Provider::Stripe).await;
    // A checkout of a subscription tells it, and the invoice does not.
    let begun = payload(Provider::Stripe, "checkout_session_completed_subscription", 1)
        .replace(r#""referral_code": "ADA","#, "")
        .replace(r#""discounts": []"#, r#""discounts": [{ "coupon": null, "promotion_code": "promo_1QwAdaCode" }]"#);
    stripe.tells("m1", &begun).await;
    stripe.tell("invoice_paid", 1).await;
    assert_eq!(stripe.earnings(&ada).await, "20.0 20.0 0.0");

    let paddle = Payments::connect(&site, Provider::Paddle).await;
    let paid =
        payload(Provider::Paddle, "transaction_completed", 2).replace(r#""referral_code": "ADA""#, r#""a": "b""#);
    let discount = r#""discount": { "id": "dsc_1", "code": "SUMMER10" }, "discount_id": "dsc_1""#;
    paddle.tells("m2", &paid.replace(r#""discount_id": null"#, discount)).await;
    assert_eq!(paddle.earnings(&ada).await, "40.0 40.0 0.0");

    // Gone by whichever of its names.
    let gone =
        payload(Provider::Stripe, "promotion_code_updated", 3).replace("promo_1Qw000003Code", "promo_1QwAdaCode");
    stripe.tells("m3", &gone).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM coupons WHERE archived_at IS NOT NULL").await, 1);
    assert_eq!(stripe.events("ignored").await + stripe.events("failed").await, 0);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_rule_for_a_product_holds_where_the_order_is_of_one_product() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let body = payload(Provider::LemonSqueezy, "order_created", 1);
    let told: Value = serde_json::from_str(&body).unwrap();
    let product = told["data"]["attributes"]["first_order_item"]["product_id"].to_string();
    half_of(&site, Sales::All, &[&product]).await;
    let payments = Payments::connect(&site, Provider::LemonSqueezy).await;
    payments.tells("m1", &body).await;
    assert_eq!(payments.earnings(&ada).await, "50.0 50.0 0.0");
    site.check_ledger().await;
}

#[tokio::test]
async fn a_rule_for_a_product_holds_for_the_lines_that_a_provider_tells() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    half_of(&site, Sales::All, &["mug"]).await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let lines = json!([{ "id": "mug", "quantity": 2, "amount": 40 }, { "id": "book", "amount": 60 }]);
    payments.tells("m1", &own_sale("o1", &json!({ "referralCode": "ADA", "products": lines }))).await;
    assert_eq!(payments.earnings(&ada).await, "32.0 32.0 0.0", "half of 40 and a fifth of 60");
    site.check_ledger().await;
}
