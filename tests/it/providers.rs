//! What payment providers tell: believed only when it is signed, stored before it is answered, counted once.

use offshoot::domain::providers::Provider;
use serde_json::{Value, json};

use crate::support::{
    Answer, Site,
    payments::{Payments, connect, own_sale, payload},
};

async fn count(site: &Site, table: &str) -> i64 {
    site.database.number(&format!("SELECT COUNT(*) FROM {table}")).await
}

#[tokio::test]
async fn what_is_not_signed_stores_nothing() {
    let site = Site::start().await;
    for provider in Provider::ALL {
        let payments = Payments::connect(&site, provider).await;
        let name = match provider {
            Provider::Stripe => "invoice_paid",
            Provider::Paddle => "transaction_completed",
            Provider::LemonSqueezy => "order_created",
            Provider::Polar => "order_paid",
            Provider::Generic => "sale",
        };
        let body = payload(provider, name, 1);
        let good = payments.headers("msg_1", &body);
        let other = payments.headers("msg_1", &body.replace("100", "999"));
        let cut: Vec<_> = good.iter().map(|(name, value)| (*name, value[..value.len() - 1].to_owned())).collect();
        for wrong in [vec![], other, cut] {
            let refused = payments.send(&wrong, body.clone()).await;
            assert_eq!(refused.status, 400, "{provider}: {refused:?}");
            assert!(!refused.text.contains("whsec"), "{refused:?}");
        }
        // Signed, and then not what was signed.
        assert_eq!(payments.send(&good, format!("{body} ")).await.status, 400);
        assert_eq!(payments.send(&good, body.replace('A', "\u{e4}")).await.status, 400);
        let huge = " ".repeat(300_000);
        assert_eq!(payments.send(&payments.headers("msg_1", &huge), huge).await.status, 413);
        for odd in ["null", "[]", "{", "nonsense"] {
            let answer = payments.send(&payments.headers("msg_1", odd), odd).await;
            assert_eq!(answer.status, 400, "{provider} {odd}: {answer:?}");
        }
        if provider != Provider::LemonSqueezy {
            site.advance_seconds(301);
            let late = payments.send(&good, body.clone()).await;
            assert!(late.status == 400 && late.text.contains("too old"), "{late:?}");
        }
    }
    assert_eq!(count(&site, "provider_events").await + count(&site, "jobs").await, 0);
}

#[tokio::test]
async fn without_a_connection_there_is_nothing() {
    let site = Site::start().await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    let body = payload(Provider::Stripe, "invoice_paid", 1);
    let client = reqwest::Client::new();
    for path in ["/hooks/acme/paddle", "/hooks/acme/other", "/hooks/none/stripe"] {
        let mut request = client.post(site.url(path)).body(body.clone());
        for (name, value) in payments.headers("m", &body) {
            request = request.header(name, value);
        }
        assert_eq!(Answer::of(request.send().await.unwrap()).await.status, 404, "{path}");
    }
    assert_eq!(client.get(site.url("/hooks/acme/stripe")).send().await.unwrap().status(), 405);
    assert_eq!(count(&site, "provider_events").await, 0);
}

#[tokio::test]
async fn a_sale_is_credited_once_however_often_it_is_told() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    for (provider, name) in [
        (Provider::Stripe, "checkout_session_completed_payment"),
        (Provider::Paddle, "transaction_completed"),
        (Provider::LemonSqueezy, "order_created"),
        (Provider::Polar, "order_paid"),
    ] {
        let payments = Payments::connect(&site, provider).await;
        assert_eq!(payments.tell(name, 1).await.text, "stored\n");
        assert_eq!(payments.tell(name, 1).await.text, "known\n");
        // The same payment by another event.
        let again = payload(provider, name, 1).replace("Event", "Again").replace("0000e", "0000f") + " ";
        payments.tell_text("msg_again", &again).await;
        payments.work_off().await;
    }
    assert_eq!(count(&site, "conversions").await, 4);
    let earns = site.api.get(&format!("/affiliates/{ada}")).await;
    assert!(earns.text.contains(r#""totalEarnings":80.00"#), "a fifth of 100.00, four times: {}", earns.text);
    let sales = site.api.get("/conversions").await;
    let stripe = &sales.data()["conversions"][3];
    assert_eq!(stripe["orderId"], "pi_3Qw000001Intent", "{stripe}");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM provider_events WHERE state <> 'done'").await, 0);
    site.check_ledger().await;
}

#[tokio::test]
async fn tax_is_refunded_and_never_shared() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    payments.tell("invoice_paid_2024", 1).await;
    assert_eq!(payments.earnings(&ada).await, "20.0 20.0 0.0");
    payments.tell("refund_created", 1).await;
    payments.tell("charge_refunded_partly", 1).await;
    // 11.90 of 119.00 with tax is 10.00 of 100.00 without.
    assert_eq!(payments.earnings(&ada).await, "18.0 18.0 0.0");
    payments.tell("charge_refunded", 1).await;
    payments.tell("refund_created_rest", 1).await;
    assert_eq!(payments.earnings(&ada).await, "0.0 0.0 0.0");
    assert_eq!(site.database.number("SELECT CAST(SUM(amount_minor) AS BIGINT) FROM refunds").await, 10_000);
    assert_eq!(payments.events("done").await, 5);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_refund_waits_for_its_sale() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    payments.tell("refund_created", 1).await;
    assert_eq!((payments.events("waiting").await, count(&site, "conversions").await), (1, 0));
    // The invoice comes before the checkout that says whose the customer is, and before it is known which payment
    // it was.
    payments.tell("invoice_paid", 1).await;
    assert_eq!((payments.events("ignored").await, count(&site, "conversions").await), (1, 0));
    payments.tell("checkout_session_completed_subscription", 1).await;
    assert_eq!((payments.events("ignored").await, payments.earnings(&ada).await.as_str()), (0, "20.0 20.0 0.0"));
    payments.tell("invoice_payment_paid", 1).await;
    assert_eq!(payments.events("done").await, 4);
    assert_eq!(payments.earnings(&ada).await, "18.0 18.0 0.0");
    site.check_ledger().await;
}

#[tokio::test]
async fn renewals_are_the_affiliates_long_after_the_click() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let click = site.api.click("ADA").await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    let begun = payload(Provider::Stripe, "checkout_session_completed_subscription", 1)
        .replace(r#""referral_code": "ADA","#, "")
        .replace(r#""client_reference_id": null"#, &format!(r#""client_reference_id": "{click}""#));
    payments.tell_text("m", &begun).await;
    payments.tell("invoice_paid", 1).await;
    let first = site.api.get("/conversions").await;
    assert_eq!(first.data()["conversions"][0]["attributedBy"], "click", "{first:?}");
    site.advance_seconds(100 * 86_400);
    payments.tell("invoice_paid_cycle", 1).await;
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    site.check_ledger().await;
}

#[tokio::test]
async fn what_is_paid_after_the_end_counts_no_more() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    payments.tell("customer_bound", 1).await;
    payments.tell("sale", 1).await;
    payments.tell("subscription_ended", 1).await;
    // Told late, paid before.
    payments.tell("sale_recurring", 1).await;
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    let later = payload(Provider::Generic, "sale_recurring", 1).replace("-2\"", "-3\"").replace("03-01T", "03-09T");
    payments.tell_text("msg_later", &later).await;
    payments.work_off().await;
    assert_eq!((payments.events("ignored").await, payments.earnings(&ada).await.as_str()), (1, "40.0 40.0 0.0"));
    site.check_ledger().await;
}

#[tokio::test]
async fn tests_are_kept_apart_unless_the_connection_is_for_tests() {
    let site = Site::start().await;
    site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::LemonSqueezy).await;
    payments.tell("order_created_test", 1).await;
    assert_eq!((payments.events("ignored").await, count(&site, "conversions").await), (1, 0));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM provider_events WHERE is_test").await, 1);
    connect(&site, Provider::LemonSqueezy, &payments.secret, true).await;
    payments.tell("order_created_test", 2).await;
    assert_eq!((payments.events("done").await, count(&site, "conversions").await), (1, 1));
    site.check_ledger().await;
}

#[tokio::test]
async fn what_cannot_be_credited_says_why() {
    let site = Site::in_currency("EUR").await;
    let blocked = site.affiliate("BLOCKED").await;
    site.set_affiliate(&blocked, "blocked").await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let sale = |order: &str, more: &str| {
        format!(r#"{{"type":"sale","data":{{"orderId":"{order}","amount":10,"currency":"EUR"{more}}}}}"#)
    };
    let unknown_click = r#","clickId":"click_0000000000001""#;
    for (order, body, state, part) in [
        ("usd", sale("usd", "").replace("EUR", "USD"), "failed", "paid in USD"),
        ("nobody", sale("nobody", ""), "ignored", "No affiliate"),
        ("code", sale("code", r#","referralCode":"NONE""#), "failed", "Neither its click nor its code"),
        ("click", sale("click", unknown_click), "failed", "Neither its click nor its code"),
        ("blocked", sale("blocked", r#","referralCode":"BLOCKED""#), "failed", "blocked"),
        ("odd", sale("odd", "").replace("10", "10.001"), "ignored", "decimals"),
    ] {
        payments.tell_text(order, &body).await;
        payments.work_off().await;
        let found = format!(
            "SELECT COUNT(*) FROM provider_events WHERE event_id = '{order}' AND state = '{state}' AND why LIKE '%{part}%'"
        );
        assert_eq!(site.database.number(&found).await, 1, "{order}");
    }
    assert_eq!(count(&site, "conversions").await + count(&site, "customers").await, 0);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_secret_is_replaced_without_a_gap() {
    let site = Site::start().await;
    let old = Payments::connect(&site, Provider::Stripe).await;
    connect(&site, Provider::Stripe, "whsec_the_new_one", false).await;
    let body = payload(Provider::Stripe, "product_created", 1);
    assert_eq!(old.send(&old.headers("", &body), body.clone()).await.status, 200);
    site.advance_seconds(24 * 3_600);
    assert_eq!(old.send(&old.headers("", &body), body.clone()).await.status, 400);
    let new = Payments { secret: "whsec_the_new_one".into(), ..old };
    assert_eq!(new.send(&new.headers("", &body), body).await.text, "known\n");
    assert_eq!(
        site.database.number("SELECT COUNT(*) FROM provider_connections WHERE secret LIKE '%new_one%'").await,
        0,
        "sealed"
    );
}

#[tokio::test]
async fn what_came_is_forgotten_after_ninety_days() {
    let site = Site::start().await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    payments.tell("invoice_paid", 1).await;
    let kept = "SELECT COUNT(*) FROM provider_events WHERE body IS NOT NULL";
    offshoot::jobs::enqueue_recurring(&site.app).await.unwrap();
    site.advance_seconds(89 * 86_400);
    payments.work_off().await;
    assert_eq!(site.database.number(kept).await, 1);
    site.advance_seconds(2 * 86_400);
    payments.work_off().await;
    assert_eq!((site.database.number(kept).await, count(&site, "provider_events").await), (0, 1));
    assert_eq!(count(&site, "provider_waiting").await, 0);
}

#[tokio::test]
async fn the_same_event_told_at_once_is_stored_once() {
    let site = Site::start().await;
    site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Polar).await;
    let body = payload(Provider::Polar, "order_paid", 1);
    let told = futures_util::future::join_all((0..12).map(|_| payments.tell_text("msg_1", &body))).await;
    assert_eq!(told.iter().filter(|answer| answer.text == "stored\n").count(), 1);
    futures_util::future::join_all((0..4).map(|_| payments.work_off())).await;
    assert_eq!((count(&site, "provider_events").await, count(&site, "conversions").await), (1, 1));
    assert_eq!(count(&site, "jobs").await, 0);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_refund_told_by_the_api_too_counts_once() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Paddle).await;
    payments.tell("transaction_completed", 1).await;
    let sale = site.api.get("/conversions").await.data()["conversions"][0]["id"].as_str().unwrap().to_owned();
    let body = payload(Provider::Paddle, "adjustment_updated_approved", 1);
    let id = serde_json::from_str::<Value>(&body).unwrap()["data"]["id"].as_str().unwrap().to_owned();
    let by_hand = json!({ "amount": 10, "refundId": id });
    assert_eq!(site.api.post(&format!("/conversions/{sale}/refunds"), &by_hand).await.status, 201);
    payments.tell("adjustment_created_pending", 1).await;
    payments.tell("adjustment_updated_approved", 1).await;
    assert_eq!((count(&site, "refunds").await, payments.earnings(&ada).await.as_str()), (1, "18.0 18.0 0.0"));
    // What was refunded by hand under no name leaves less to take back.
    site.api.post(&format!("/conversions/{sale}/refunds"), &json!({ "amount": 85 })).await;
    payments.tell("adjustment_created_rest", 1).await;
    assert_eq!(payments.earnings(&ada).await, "0.0 0.0 0.0");
    site.check_ledger().await;
}

#[tokio::test]
async fn a_coupon_at_the_checkout_credits_its_affiliate() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    site.api.post("/coupons", &json!({ "affiliateId": ada, "code": "SUMMER10" })).await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    payments.tells("m1", &own_sale("o1", &json!({ "coupon": "summer10" }))).await;
    // The shop's other coupons say nothing about anybody.
    payments.tells("m2", &own_sale("o2", &json!({ "coupon": "BLACKFRIDAY" }))).await;
    payments.tells("m3", &own_sale("o3", &json!({ "coupon": "BLACKFRIDAY", "referralCode": "ADA" }))).await;
    assert_eq!((payments.events("done").await, payments.events("ignored").await), (2, 1));
    let shown = site.api.get("/conversions").await;
    let by: Vec<_> = (0..2).map(|n| shown.data()["conversions"][n]["attributedBy"].clone()).collect();
    assert_eq!(by, ["code", "coupon"]);

    let gone = json!({ "type": "coupon.gone", "data": { "code": "SUMMER10" } }).to_string();
    payments.tells("m4", &gone).await;
    payments.tells("m5", &own_sale("o5", &json!({ "coupon": "SUMMER10" }))).await;
    assert_eq!((payments.events("done").await, payments.events("ignored").await), (3, 2));
    site.check_ledger().await;
}

#[tokio::test]
async fn a_customer_stays_for_as_long_as_the_program_says() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    site.database.execute("UPDATE programs SET bound_days = 30").await.unwrap();
    let payments = Payments::connect(&site, Provider::Generic).await;
    let first = json!({ "referralCode": "ADA", "subscriptionId": "s1", "customer": { "id": "c1" } });
    let renewal = json!({ "recurring": true, "subscriptionId": "s1", "customer": { "id": "c1" } });
    payments.tells("m1", &own_sale("o1", &first)).await;
    site.advance_seconds(29 * 86_400);
    payments.tells("m2", &own_sale("o2", &renewal)).await;
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    site.advance_seconds(2 * 86_400);
    payments.tells("m3", &own_sale("o3", &renewal)).await;
    assert_eq!(payments.earnings(&ada).await, "40.0 40.0 0.0");
    assert_eq!((payments.events("done").await, payments.events("ignored").await), (2, 1));
    site.check_ledger().await;
}
