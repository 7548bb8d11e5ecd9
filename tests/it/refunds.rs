//! Refunds: what they take back, from whom, and only once.

use offshoot::{
    flows::{Actor, refunds},
    store::refunds as recorded,
};
use serde_json::{Value, json};

use crate::{
    papers::bonus,
    support::{
        Answer, Site,
        browser::{account, account_of, signed_in, texts},
    },
};

/// An affiliate, a sale of 99.99 and its commission of 20.00.
struct Sold {
    site: Site,
    affiliate: String,
    conversion: String,
    commission: String,
}

impl Sold {
    async fn new() -> Self {
        let site = Site::start().await;
        let affiliate = site.affiliate("seller").await;
        let made = site.api.sale("seller", "99.99", "o-1").await;
        let conversion = made.data()["conversionId"].as_str().unwrap().to_owned();
        let commission = site.api.newest_commission(&affiliate).await;
        Self { site, affiliate, conversion, commission }
    }

    async fn refund(&self, body: &Value) -> Answer {
        self.site.api.post(&format!("/conversions/{}/refunds", self.conversion), body).await
    }

    async fn refunds(&self) -> i64 {
        self.site.database.number("SELECT COUNT(*) FROM refunds").await
    }

    /// Total, pending and paid earnings as they are written, and the ledger with them.
    async fn earns(&self, total: &str, pending: &str, paid: &str) {
        let expected = format!(r#""totalEarnings":{total},"pendingEarnings":{pending},"paidEarnings":{paid},"#);
        for path in [format!("/affiliates/{}", self.affiliate), "/affiliates".to_owned()] {
            let shown = self.site.api.get(&path).await;
            assert!(shown.text.contains(&expected), "{expected} in {}", shown.text);
        }
        self.site.check_ledger().await;
    }

    async fn amount_is(&self, amount: &str) {
        let shown = self.site.api.get(&format!("/commissions/{}", self.commission)).await;
        assert!(shown.text.contains(&format!(r#""orderId":"o-1","amount":{amount},"#)), "{shown:?}");
    }
}

#[tokio::test]
async fn a_refund_answers_with_what_it_took_back() {
    let sold = Sold::new().await;
    let made = sold.refund(&json!({ "amount": 50, "refundId": "r-1", "reason": "damaged" })).await;
    assert_eq!(made.status, 201);
    let id = made.data()["refund"]["id"].as_str().unwrap();
    assert!(id.starts_with("ref_"));
    assert_eq!(
        made.text,
        format!(
            r#"{{"success":true,"data":{{"refund":{{"id":"{id}","conversionId":"{}","orderId":"o-1","amount":50.00,"commissionReversed":10.00,"refundId":"r-1","reason":"damaged","createdAt":"2026-03-01T12:00:00Z"}}}}}}"#,
            sold.conversion
        )
    );
    sold.earns("10.00", "10.00", "0.00").await;
    sold.amount_is("10.00").await;
}

#[tokio::test]
async fn all_that_is_left_when_no_amount_is_named() {
    let sold = Sold::new().await;
    sold.refund(&json!({ "amount": 33.33 })).await;
    let rest = sold.refund(&json!({ "amount": null, "refundId": null, "reason": null })).await;
    assert!(
        rest.text.contains(r#""amount":66.66,"commissionReversed":13.33,"refundId":null,"reason":null"#),
        "{rest:?}"
    );
    sold.earns("0.00", "0.00", "0.00").await;
    for body in [json!({}), json!({ "amount": 0.01 }), json!({ "amount": 0 })] {
        sold.refund(&body).await.refuses("amount");
    }
    assert_eq!(sold.refunds().await, 2);
}

#[tokio::test]
async fn the_body_may_be_left_out() {
    let sold = Sold::new().await;
    let path = format!("/conversions/{}/refunds", sold.conversion);
    let made = Answer::of(sold.site.api.request(reqwest::Method::POST, &path).send().await.unwrap()).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.text.contains(r#""amount":99.99,"commissionReversed":20.00"#), "{made:?}");
    sold.earns("0.00", "0.00", "0.00").await;
}

#[tokio::test]
async fn many_parts_take_back_exactly_the_commission() {
    let sold = Sold::new().await;
    let mut reversed = Vec::new();
    for n in 0..99 {
        let made = sold.refund(&json!({ "amount": 1.01, "refundId": format!("r-{n}") })).await;
        assert_eq!(made.status, 201, "{made:?}");
        reversed.push(made.text.split_once(r#""commissionReversed":"#).unwrap().1[..4].to_owned());
    }
    // 1.01 of 99.99 is 0.20202… of 20.00: piece by piece that would take back 19.80.
    assert!(reversed.iter().any(|part| part == "0.20") && reversed.iter().any(|part| part == "0.21"), "{reversed:?}");
    sold.earns("0.00", "0.00", "0.00").await;
}

#[tokio::test]
async fn amounts_that_cannot_be_refunded_name_the_amount() {
    let sold = Sold::new().await;
    for amount in ["0", "0.00", "100", "99.991", "-1", "-0", "1e400", "1e-30", "0.001", "\"1\"", "true"] {
        let path = format!("/conversions/{}/refunds", sold.conversion);
        let body = format!(r#"{{"amount":{amount}}}"#);
        sold.site.api.raw(reqwest::Method::POST, &path, body).await.refuses("amount");
    }
    for (field, value) in [
        ("refundId", json!("")),
        ("refundId", json!("x".repeat(256))),
        ("refundId", json!(1)),
        ("reason", json!("x".repeat(501))),
        ("reason", json!({})),
        ("reason", json!("\u{7f}")),
    ] {
        sold.refund(&json!({ field: value })).await.refuses(field);
    }
    assert_eq!(sold.refunds().await, 0);
    sold.earns("20.00", "20.00", "0.00").await;
    let all = sold.refund(&json!({ "amount": 99.99, "refundId": "é".repeat(255), "reason": "é".repeat(500) })).await;
    assert_eq!(all.status, 201, "{all:?}");
}

#[tokio::test]
async fn the_same_refund_id_again_answers_as_it_first_did() {
    let sold = Sold::new().await;
    let first = sold.refund(&json!({ "amount": 50, "refundId": "r-1", "reason": "first" })).await;
    sold.site.advance_seconds(100_000);
    sold.refund(&json!({ "amount": 10, "refundId": "r-2" })).await;
    sold.site.set_affiliate(&sold.affiliate, "blocked").await;
    for again in [
        json!({ "amount": 50, "refundId": "r-1", "reason": "first" }),
        json!({ "amount": 50.000, "refundId": "r-1", "reason": "another" }),
    ] {
        let answer = sold.refund(&again).await;
        assert_eq!((answer.status.as_u16(), &answer.text), (200, &first.text));
    }
    for amount in [json!(10), json!(50.01), json!(0.01)] {
        sold.refund(&json!({ "amount": amount, "refundId": "r-1" })).await.refuses("refundId");
    }
    let other = sold.site.api.sale("seller", "50", "o-2").await;
    other.refuses("referralCode");
    sold.site.set_affiliate(&sold.affiliate, "active").await;
    let other = sold.site.api.sale("seller", "50", "o-2").await;
    let path = format!("/conversions/{}/refunds", other.data()["conversionId"].as_str().unwrap());
    sold.site.api.post(&path, &json!({ "amount": 50, "refundId": "r-1" })).await.refuses("refundId");
    assert_eq!(sold.refunds().await, 2);
    sold.earns("18.00", "18.00", "0.00").await;
}

#[tokio::test]
async fn a_full_refund_by_id_is_answered_again_though_nothing_is_left() {
    let sold = Sold::new().await;
    let first = sold.refund(&json!({ "refundId": "all" })).await;
    for again in [json!({ "refundId": "all" }), json!({ "refundId": "all", "amount": 99.99 })] {
        let answer = sold.refund(&again).await;
        assert_eq!((answer.status.as_u16(), &answer.text), (200, &first.text));
    }
    sold.refund(&json!({ "refundId": "more" })).await.refuses("amount");
    sold.earns("0.00", "0.00", "0.00").await;
}

#[tokio::test]
async fn an_approved_commission_is_lowered() {
    let sold = Sold::new().await;
    sold.site.api.decide(&sold.commission, "approved").await;
    sold.refund(&json!({ "amount": 50 })).await;
    sold.earns("10.00", "10.00", "0.00").await;
    sold.amount_is("10.00").await;
    sold.site.api.decide(&sold.commission, "paid").await;
    sold.earns("10.00", "0.00", "10.00").await;
}

#[tokio::test]
async fn a_paid_commission_stays_and_a_negative_line_joins_it() {
    let sold = Sold::new().await;
    sold.site.api.decide(&sold.commission, "paid").await;
    sold.refund(&json!({ "amount": 50 })).await;
    sold.earns("10.00", "-10.00", "20.00").await;
    sold.refund(&json!({})).await;
    sold.earns("0.00", "-20.00", "20.00").await;
    sold.amount_is("20.00").await;
    let list = sold.site.api.get("/commissions").await;
    assert_eq!(list.data()["total"], 3);
    let line = &list.data()["commissions"][0];
    assert_eq!((&line["status"], &line["paidAt"], &line["orderId"]), (&json!("approved"), &json!(null), &json!("o-1")));
    assert!(list.text.contains(r#""orderId":"o-1","amount":-10.00,"status":"approved""#), "{list:?}");
    let line = sold.site.api.get(&format!("/commissions/{}", line["id"].as_str().unwrap())).await;
    assert_eq!(line.data()["commission"]["explanation"]["kind"], "reversal");
    // The next sale earns into the hole, and the count of conversions knows nothing of it.
    sold.site.api.sale("seller", "50", "o-2").await;
    sold.earns("10.00", "-10.00", "20.00").await;
    let shown = sold.site.api.get(&format!("/affiliates/{}", sold.affiliate)).await;
    assert_eq!(shown.data()["affiliate"]["conversionCount"], 2);
}

#[tokio::test]
async fn a_rejected_commission_earns_nothing_back_later() {
    let sold = Sold::new().await;
    sold.site.api.decide(&sold.commission, "rejected").await;
    let made = sold.refund(&json!({ "amount": 50 })).await;
    assert!(made.text.contains(r#""commissionReversed":10.00"#), "{made:?}");
    sold.earns("0.00", "0.00", "0.00").await;
    sold.site.api.decide(&sold.commission, "approved").await;
    sold.earns("10.00", "10.00", "0.00").await;
}

#[tokio::test]
async fn a_free_sale_has_nothing_to_refund() {
    let site = Site::start().await;
    site.affiliate("free").await;
    let made = site.api.sale("free", "0", "o-1").await;
    let path = format!("/conversions/{}/refunds", made.data()["conversionId"].as_str().unwrap());
    site.api.post(&path, &json!({})).await.refuses("amount");
}

#[tokio::test]
async fn conversions_that_do_not_exist() {
    let sold = Sold::new().await;
    let (_, theirs) = sold.site.another_program("other").await;
    for malformed in ["x", "comm_1", "conv_"] {
        let answer = sold.site.api.post(&format!("/conversions/{malformed}/refunds"), &json!({})).await;
        answer.refuses("conversionId");
        assert_eq!(answer.json["error"]["details"]["issue"], "must be a string beginning with 'conv_'");
    }
    sold.site.api.post("/conversions/conv_1/refunds", &json!({})).await.fails(404, "resource_not_found", None);
    let path = format!("/conversions/{}/refunds", sold.conversion);
    theirs.post(&path, &json!({})).await.fails(404, "resource_not_found", None);
    assert_eq!(sold.refunds().await, 0);
}

#[tokio::test]
async fn rival_refunds_never_take_more_than_there_is() {
    let sold = Sold::new().await;
    let body = json!({ "amount": 30 });
    let answers = futures_util::future::join_all((0..10).map(|_| sold.refund(&body))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 3);
    answers.iter().filter(|answer| answer.status != 201).for_each(|answer| answer.refuses("amount"));
    let keyed = json!({ "refundId": "rest" });
    let answers = futures_util::future::join_all((0..10).map(|_| sold.refund(&keyed))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.text == answers[0].text), "{answers:?}");
    sold.earns("0.00", "0.00", "0.00").await;
}

impl Sold {
    /// What a provider's event does when a refund fails or its dispute is won.
    async fn restore(&self, key: &'static str) -> bool {
        let program = self.site.program.id;
        let act = self.site.app.act(self.site.program.clone(), Actor::CommandLine);
        let done = self.site.app.db.write(move |tx| {
            Box::pin(async move {
                let refund = recorded::by_key(tx, program, key).await?.unwrap();
                refunds::restore(tx, &act, refund.id, None).await
            })
        });
        done.await.unwrap()
    }
}

#[tokio::test]
async fn a_refund_that_came_to_nothing_gives_its_part_back_once() {
    let sold = Sold::new().await;
    for (part, key) in [(33.33, "r-1"), (33.33, "r-2"), (33.33, "r-3")] {
        sold.refund(&json!({ "amount": part, "refundId": key })).await;
    }
    sold.earns("0.00", "0.00", "0.00").await;
    assert!(sold.restore("r-2").await);
    sold.earns("6.67", "6.67", "0.00").await;
    assert!(!sold.restore("r-2").await);
    // The same refund again is known, and stays undone; what it left can be refunded by another.
    assert_eq!(sold.refund(&json!({ "amount": 33.33, "refundId": "r-2" })).await.status, 200);
    sold.earns("6.67", "6.67", "0.00").await;
    assert_eq!(sold.refund(&json!({ "refundId": "r-4" })).await.status, 201);
    sold.earns("0.00", "0.00", "0.00").await;
}

#[tokio::test]
async fn what_comes_back_after_payment_is_a_line_of_its_own() {
    let sold = Sold::new().await;
    sold.refund(&json!({ "amount": 50, "refundId": "before" })).await;
    sold.site.api.decide(&sold.commission, "paid").await;
    sold.refund(&json!({ "amount": 20, "refundId": "after" })).await;
    sold.earns("6.00", "-4.00", "10.00").await;
    assert!(sold.restore("after").await);
    sold.earns("10.00", "0.00", "10.00").await;
    assert!(sold.restore("before").await);
    sold.earns("20.00", "10.00", "10.00").await;
    let line = sold.site.api.newest_commission(&sold.affiliate).await;
    let shown = sold.site.api.get(&format!("/commissions/{line}")).await;
    assert_eq!(shown.data()["commission"]["explanation"]["kind"], "restoration");
    assert!(shown.text.contains("a refund came to nothing, which gives back USD 10.00"), "{}", shown.text);

    // Only a sale is a rate of something; the others say what they are.
    bonus(&sold.site, &sold.affiliate, 5, "Thank you").await;
    account(&sold.site, "mara@example.com", true).await;
    let mara = signed_in(&sold.site, "mara@example.com").await;
    let seen = texts(&mara.get("/m/acme/commissions?status=all").await, ".sum small");
    let (back, taken) = ("gives back what a failed refund took", "takes back what was paid");
    assert_eq!(seen, ["entered by hand", back, back, taken, "20% of USD 99.99, less USD 10.00 refunded"]);
    account_of(&sold.site, &sold.affiliate, "seller@people.example").await;
    let seller = signed_in(&sold.site, "seller@people.example").await;
    let seen = texts(&seller.get("/earnings").await, "tbody th, tbody td.number:not(.main-number)");
    let back = "Given back of o-1";
    assert_eq!(seen, ["Adjustment", "", back, "", back, "", "Refund of o-1", "", "o-1", "20% of USD 99.99"]);
}

#[tokio::test]
async fn a_rejected_commission_is_approved_again_at_what_came_back() {
    let sold = Sold::new().await;
    sold.refund(&json!({ "amount": 50, "refundId": "r-1" })).await;
    sold.site.api.decide(&sold.commission, "rejected").await;
    assert!(sold.restore("r-1").await);
    sold.earns("0.00", "0.00", "0.00").await;
    sold.site.api.decide(&sold.commission, "approved").await;
    sold.earns("20.00", "20.00", "0.00").await;
}

#[tokio::test]
async fn what_a_refund_took_back_by_a_line_of_its_own_is_not_taken_back_again() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let by = json!({ "paymentMethod": "paypal", "paymentDetails": "anna@example.com" });
    assert_eq!(site.api.patch(&format!("/affiliates/{anna}"), &by).await.status, 200);
    let sold = site.api.sale("ANNA", "100", "A-1").await;
    let sale = sold.data()["conversionId"].as_str().unwrap().to_owned();
    let commission = site.api.newest_commission(&anna).await;
    assert_eq!(site.api.decide(&commission, "approved").await.status, 200);
    let made = site.api.post("/payouts", &json!({})).await;
    let payout = made.data()["payout"]["id"].as_str().unwrap().to_owned();
    // On its way, so the refund has a line of its own.
    let refunded = site.api.post(&format!("/conversions/{sale}/refunds"), &json!({ "amount": 50 })).await;
    assert_eq!(refunded.status, 201, "{refunded:?}");
    let line = site.api.newest_commission(&anna).await;
    assert_ne!(line, commission);
    let cancelled = json!({ "status": "cancelled" });
    assert_eq!(site.api.post(&format!("/payouts/{payout}/status"), &cancelled).await.status, 200);

    for id in [&commission, &line] {
        site.api.decide(id, "rejected").await.refuses("status");
    }
    let balance = site.api.get(&format!("/affiliates/{anna}/balance")).await;
    assert_eq!(balance.data()["balance"]["payable"].to_string(), "10.0", "{balance:?}");
    site.check_ledger().await;
}
