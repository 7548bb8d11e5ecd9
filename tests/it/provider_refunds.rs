//! What payment providers tell of refunds takes back of the right sale, however that sale was recorded.

use offshoot::{
    domain::{id::AffiliateId, providers::Provider},
    flows::{
        Actor, Refusal,
        claims::{self, Credit, NewClaim},
    },
};
use serde_json::json;

use crate::support::{
    Site,
    payments::{Payments, own_sale, payload},
};

/// The affiliate claims that order of 100.00, and the merchant accepts.
async fn credited_by_claim(site: &Site, affiliate: &str, order: &str) {
    let (act, affiliate, order) = (
        site.app.act(site.program.clone(), Actor::CommandLine),
        AffiliateId::parse(affiliate).unwrap(),
        order.to_owned(),
    );
    let amount = act.program.currency.of(10_000);
    let accepted = site.app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move {
            let new = NewClaim { order: Some(order.clone()), day: None, amount: None, words: "Mine".into() };
            let claim = claims::make(tx, &act, affiliate, &new).await?;
            let credit = Credit { amount, order: Some(order), words: None };
            claims::accept(tx, &act, claim, &credit).await.map(drop)
        })
    });
    accepted.await.unwrap();
}

#[tokio::test]
async fn of_a_sale_that_was_credited_by_a_claim() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let nobodys = |body: String| body.replace("\"ADA\"", "null");
    for (number, provider, sale, key, refund) in [
        (1, Provider::LemonSqueezy, "order_created", "lemonsqueezy_order_", "order_refunded"),
        (2, Provider::Polar, "order_paid", "", "order_refunded"),
    ] {
        let payments = Payments::connect(&site, provider).await;
        let told = nobodys(payload(provider, sale, number));
        let told_json: serde_json::Value = serde_json::from_str(&told).unwrap();
        payments.tells(&format!("m{number}"), &told).await;
        assert_eq!(payments.events("ignored").await, 1, "{provider}");
        let id = told_json["data"]["id"].as_str().unwrap();
        credited_by_claim(&site, &ada, &format!("{key}{id}")).await;
        assert_eq!(payments.earnings(&ada).await, "20.0 20.0 0.0", "{provider}");
        payments.tell(refund, number).await;
        assert_eq!(payments.earnings(&ada).await, "0.0 0.0 0.0", "{provider}");
        site.database.execute("UPDATE provider_events SET state = 'done'").await.unwrap();
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn of_a_sale_that_was_told_by_the_api() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let sale = json!({ "amount": 100, "orderId": "o1", "referralCode": "ADA" });
    assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
    let refund = json!({ "refundId": "r1", "orderId": "o1", "amount": 25, "currency": "USD" });
    payments.tells("m1", &json!({ "type": "refund", "data": refund }).to_string()).await;
    assert_eq!(payments.earnings(&ada).await, "15.0 15.0 0.0");
    // Told by the server too, it is the same sale.
    payments.tells("m2", &own_sale("o1", &json!({ "referralCode": "ADA" }))).await;
    let rest = json!({ "refundId": "r2", "orderId": "o1" });
    payments.tells("m3", &json!({ "type": "refund", "data": rest }).to_string()).await;
    assert_eq!((payments.events("done").await, payments.earnings(&ada).await.as_str()), (3, "0.0 0.0 0.0"));
    site.check_ledger().await;

    // With tax in what was paid, and another amount than the provider's in the sale.
    let stripe = Payments::connect(&site, Provider::Stripe).await;
    let sale = json!({ "amount": 90, "orderId": "in_1Qw000001Invoice", "referralCode": "ADA" });
    assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
    let told = payload(Provider::Stripe, "invoice_paid_2024", 1).replace("\"ADA\"", "null");
    stripe.tells("m4", &told).await;
    stripe.tell("refund_created", 1).await;
    stripe.tell("refund_created_rest", 1).await;
    assert_eq!(stripe.earnings(&ada).await, "0.0 0.0 0.0");
    site.check_ledger().await;
}

/// What the API tells wakes nobody: a refund that waits looks again by itself, for three days.
#[tokio::test]
async fn of_a_sale_that_the_api_tells_afterwards() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let refund = |order: &str, key: &str| json!({ "type": "refund", "data": { "refundId": key, "orderId": order, "amount": 25, "currency": "USD" } });
    payments.tells("m1", &refund("o1", "r1").to_string()).await;
    payments.tells("m2", &refund("o2", "r2").to_string()).await;
    payments.tells("m3", &refund("o3", "r3").to_string()).await;
    assert_eq!(payments.events("waiting").await, 3);
    for order in ["o1", "o2"] {
        let sale = json!({ "amount": 100, "orderId": order, "referralCode": "ADA" });
        assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
    }
    // Told by the provider too, it does not wait for its time.
    payments.tells("m4", &own_sale("o2", &json!({ "referralCode": "ADA" }))).await;
    assert_eq!((payments.events("waiting").await, payments.earnings(&ada).await.as_str()), (2, "35.0 35.0 0.0"));
    site.advance_seconds(9 * 60);
    payments.work_off().await;
    assert_eq!(payments.events("waiting").await, 2);
    site.advance_seconds(60);
    payments.work_off().await;
    assert_eq!((payments.events("waiting").await, payments.earnings(&ada).await.as_str()), (1, "30.0 30.0 0.0"));
    // Nobody tells of the third.
    for day in 1..=4 {
        site.advance_seconds(24 * 3_600);
        payments.work_off().await;
        let jobs = site.database.number("SELECT COUNT(*) FROM jobs WHERE kind = 'provider_event'").await;
        assert_eq!(jobs, i64::from(day < 3), "{day}");
    }
    assert_eq!(payments.events("waiting").await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_refund_that_failed_takes_nothing_though_it_was_never_told_by_itself() {
    let site = Site::start().await;
    let ada = site.affiliate("ADA").await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    for part in ["invoice_paid_2024", "charge_refunded_partly", "refund_failed"] {
        payments.tell(part, 1).await;
    }
    assert_eq!(payments.earnings(&ada).await, "20.0 20.0 0.0");
    site.check_ledger().await;
}
