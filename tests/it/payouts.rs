//! Payouts through the API: what is in them and what is not, how they end, and two people at once.

use std::time::Duration;

use futures_util::future::join_all;
use offshoot::{
    domain::id::{AffiliateId, CommissionId, PayoutLineId},
    store::{Error, commissions, payout_lines},
};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::support::Site;

/// An affiliate who is paid by `PayPal`.
async fn paid(site: &Site, code: &str) -> String {
    let id = site.affiliate(code).await;
    let by = json!({ "paymentMethod": "paypal", "paymentDetails": format!("{code}@example.com") });
    assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
    id
}

/// A sale whose commission (a fifth) is approved; the commission.
async fn approved(site: &Site, affiliate: &str, code: &str, amount: &str, order: &str) -> String {
    assert_eq!(site.api.sale(code, amount, order).await.status, 201);
    let commission = site.api.newest_commission(affiliate).await;
    assert_eq!(site.api.decide(&commission, "approved").await.status, 200);
    commission
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_payout_holds_what_it_pays_and_is_paid_line_by_line() {
    let site = Site::start().await;
    let (one, two) = (paid(&site, "one").await, paid(&site, "two").await);
    let first = approved(&site, &one, "one", "100.00", "1").await;
    approved(&site, &one, "one", "50.50", "2").await;
    approved(&site, &two, "two", "10.00", "3").await;
    site.api.sale("two", "99.00", "4").await;

    let seen = site.api.post("/payouts?dryRun=true", &json!({})).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert!(seen.text.contains(r#""amount":32.10,"lineCount":2"#), "{}", seen.text);
    assert_eq!(site.api.get("/payouts").await.data()["total"], 0);

    let made = site.api.post("/payouts", &json!({ "method": "paypal" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id = text(&made.data()["payout"]["id"]);
    assert_eq!(made.header("location"), format!("/v1/payouts/{id}"));
    assert!(made.text.contains(&format!(
        r#"{{"payout":{{"id":"{id}","status":"open","currency":"USD","amount":32.10,"lineCount":2,"method":"paypal","until":"2026-03-01T12:00:00Z","createdAt":"2026-03-01T12:00:00Z","closedAt":null}},"lines":[{{"id":"pline_"#
    )), "{}", made.text);
    let line = &made.data()["lines"][0];
    assert_eq!((&line["affiliateId"], &line["paymentDetails"]), (&json!(one), &json!("one@example.com")));
    assert!(made.text.contains(r#""amount":30.10,"commissionCount":2"#), "{}", made.text);

    // What an open payout holds is changed there and nowhere else.
    let refused = site.api.decide(&first, "rejected").await;
    refused.refuses("status");
    assert!(refused.text.contains("in an open payout"), "{}", refused.text);
    let balance = site.api.get(&format!("/affiliates/{one}/balance")).await;
    assert!(balance.text.contains(r#""balance":30.10,"pending":0.00,"approved":30.10,"payable":0.00,"onHold":0.00,"inPayout":30.10,"paid":0.00"#), "{}", balance.text);
    site.api.post("/payouts", &json!({})).await.refuses("until");

    let (mine, theirs) = (text(&line["id"]), text(&made.data()["lines"][1]["id"]));
    let at = |line: &str| format!("/payouts/{id}/lines/{line}/status");
    let done = site.api.post(&at(&mine), &json!({ "status": "paid" })).await;
    assert_eq!(
        (&done.data()["line"]["status"], &done.data()["line"]["paidAt"]),
        (&json!("paid"), &json!("2026-03-01T12:00:00Z"))
    );
    assert_eq!(site.api.get(&format!("/payouts/{id}")).await.data()["payout"]["status"], "open");
    let failed = site.api.post(&at(&theirs), &json!({ "status": "failed", "reason": "No such account" })).await;
    assert_eq!(failed.data()["line"]["reason"], "No such account");
    let shown = site.api.get(&format!("/payouts/{id}")).await;
    assert_eq!(shown.data()["payout"]["status"], "paid");
    assert_eq!(shown.data()["payout"]["closedAt"], "2026-03-01T12:00:00Z");
    site.api.post(&at(&theirs), &json!({ "status": "paid" })).await.refuses("status");
    assert_eq!(site.api.post(&at(&mine), &json!({ "status": "paid" })).await.status, 200, "the same again");

    let paid = site.api.get(&format!("/affiliates/{one}")).await;
    assert!(
        paid.text.contains(r#""totalEarnings":30.10,"pendingEarnings":0.00,"paidEarnings":30.10"#),
        "{}",
        paid.text
    );
    let commission = site.api.get(&format!("/commissions/{first}")).await;
    assert_eq!(commission.data()["commission"]["payoutLineId"], json!(mine));
    assert_eq!(commission.data()["commission"]["status"], "paid");
    // What failed is owed again, and the next payout has it.
    let again = site.api.post("/payouts", &json!({})).await;
    assert!(again.text.contains(r#""amount":2.00,"lineCount":1"#), "{}", again.text);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_paid_run_is_undone_by_counter_entries() {
    let site = Site::start().await;
    let one = paid(&site, "one").await;
    let commission = approved(&site, &one, "one", "100.00", "1").await;
    let id = text(&site.api.post("/payouts", &json!({})).await.data()["payout"]["id"]);
    let at = format!("/payouts/{id}/status");
    assert_eq!(site.api.post(&at, &json!({ "status": "paid" })).await.data()["payout"]["status"], "paid");
    // What is refunded after it was paid comes off the next payout.
    let sale = text(&site.api.get(&format!("/commissions/{commission}")).await.data()["commission"]["conversionId"]);
    let refund = site.api.post(&format!("/conversions/{sale}/refunds"), &json!({ "amount": 25 })).await;
    assert_eq!(refund.status, 201, "{refund:?}");
    site.api.post("/payouts", &json!({})).await.refuses("until");

    let undone = site.api.post(&at, &json!({ "status": "cancelled", "reason": "Wrong month" })).await;
    assert_eq!(undone.data()["payout"]["status"], "cancelled", "{undone:?}");
    let shown = site.api.get(&format!("/affiliates/{one}")).await;
    assert!(
        shown.text.contains(r#""totalEarnings":15.00,"pendingEarnings":15.00,"paidEarnings":0.00"#),
        "{}",
        shown.text
    );
    site.api.post(&at, &json!({ "status": "paid" })).await.refuses("status");
    let entries = "SELECT COUNT(*) FROM ledger_entries WHERE kind IN ('pay', 'unpay')";
    assert_eq!(site.database.number(entries).await, 2);
    let again = site.api.post("/payouts", &json!({})).await;
    assert!(again.text.contains(r#""amount":15.00,"lineCount":1"#), "{}", again.text);
    site.check_ledger().await;
}

#[tokio::test]
async fn who_is_left_out_and_why() {
    let site = Site::start().await;
    let (one, two, three) = (paid(&site, "one").await, paid(&site, "two").await, site.affiliate("three").await);
    for (id, code) in [(&one, "one"), (&two, "two"), (&three, "three")] {
        approved(&site, id, code, "10.00", code).await;
    }
    let adjusted = json!({ "amount": -5, "reason": "Paid twice in February" });
    let adjustment = site.api.post(&format!("/affiliates/{one}/adjustments"), &adjusted).await;
    assert_eq!(adjustment.status, 201, "{adjustment:?}");
    let commission = adjustment.header("location").strip_prefix("/v1").unwrap().to_owned();
    let shown = site.api.get(&commission).await;
    assert_eq!(shown.data()["commission"]["conversionId"], Value::Null);
    assert_eq!(shown.data()["commission"]["reason"], "Paid twice in February");
    let seen = site.api.post("/payouts?dryRun=true", &json!({ "method": "wise" })).await;
    let reasons: Vec<_> = seen.data()["leftOut"].as_array().unwrap().iter().map(|left| text(&left["reason"])).collect();
    assert_eq!(
        reasons,
        ["nothing is left after refunds and corrections", "is paid by PayPal", "no payment method yet"]
    );
    site.api.post("/payouts", &json!({ "affiliateIds": [one, three] })).await.refuses("until");
    let made = site.api.post("/payouts", &json!({ "affiliateIds": [one, two] })).await;
    assert!(made.text.contains(r#""amount":2.00,"lineCount":1"#), "{}", made.text);
    for (body, field) in [
        (json!({ "until": "2026-03-02" }), "until"),
        (json!({ "until": "soon" }), "until"),
        (json!({ "until": "2026-02-28" }), "until"),
        (json!({ "method": "cash" }), "method"),
        (json!({ "affiliateIds": [] }), "affiliateIds"),
        (json!({ "affiliateIds": ["one"] }), "affiliateIds"),
    ] {
        site.api.post("/payouts", &body).await.refuses(field);
    }
    for (body, field) in [
        (json!({ "amount": 0, "reason": "x" }), "amount"),
        (json!({ "amount": 1 }), "reason"),
        (json!({ "amount": 1.001, "reason": "x" }), "amount"),
        (json!({ "amount": "1", "reason": "x" }), "amount"),
    ] {
        site.api.post(&format!("/affiliates/{one}/adjustments"), &body).await.refuses(field);
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn what_takes_back_never_waits() {
    let site = Site::start().await;
    let one = paid(&site, "one").await;
    approved(&site, &one, "one", "100.00", "1").await;
    site.advance_seconds(2 * 86_400);
    // Recorded after the day that is paid, and still it comes off what is paid.
    let back = json!({ "amount": -5, "reason": "Paid twice" });
    assert_eq!(site.api.post(&format!("/affiliates/{one}/adjustments"), &back).await.status, 201);
    let made = site.api.post("/payouts", &json!({ "until": "2026-03-01" })).await;
    assert!(made.text.contains(r#""amount":15.00,"lineCount":1"#), "{}", made.text);
    site.check_ledger().await;
}

#[tokio::test]
async fn of_many_at_once_one_is_made_and_of_one_said_many_times_too() {
    let site = Site::start().await;
    for number in 0..5 {
        let code = format!("code{number}");
        let id = paid(&site, &code).await;
        approved(&site, &id, &code, "10.00", &code).await;
    }
    let nothing = json!({});
    let made = join_all((0..8).map(|_| site.api.post("/payouts", &nothing))).await;
    assert_eq!(made.iter().filter(|answer| answer.status == 201).count(), 1, "{made:?}");
    let id =
        made.iter().find(|answer| answer.status == 201).map(|answer| text(&answer.data()["payout"]["id"])).unwrap();
    assert_eq!(site.database.number("SELECT COUNT(*) FROM payout_lines").await, 5);

    // Paid against cancelled: one of them is first, and the books are right whichever it was.
    let at = format!("/payouts/{id}/status");
    let (paid, cancelled) = (json!({ "status": "paid" }), json!({ "status": "cancelled" }));
    join_all((0..8).map(|n| site.api.post(&at, if n % 2 == 0 { &paid } else { &cancelled }))).await;
    let status = text(&site.api.get(&format!("/payouts/{id}")).await.data()["payout"]["status"]);
    assert_eq!(status, "cancelled", "what is cancelled stays so, and what was paid can be");
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_decides_at_this_very_moment_is_left_for_the_next_payout() {
    let site = Site::start().await;
    if site.database.is_sqlite() {
        // Whoever writes there is alone.
        return;
    }
    let one = paid(&site, "one").await;
    assert_eq!(site.api.sale("one", "100.00", "1").await.status, 201);
    let late = site.api.newest_commission(&one).await;
    let early = approved(&site, &one, "one", "50.00", "2").await;
    let (program, until, affiliate) = (site.program.id, site.app.clock.now(), AffiliateId::parse(&one).unwrap());

    // A payout has begun: it holds what is payable.
    let ((begun, has_begun), (go_on, goes_on), (tell, told)) =
        (oneshot::channel(), oneshot::channel::<()>(), oneshot::channel());
    let db = site.app.db.clone();
    let payout = tokio::spawn(async move {
        let work = db.write::<(), Error, _>(move |tx| {
            Box::pin(async move {
                payout_lines::lock_payable(tx, program, until).await?;
                begun.send(()).unwrap();
                goes_on.await.unwrap();
                let line = PayoutLineId::new(1);
                tell.send(payout_lines::claim(tx, program, affiliate, until, line).await).unwrap();
                Err(Error::Corrupt("enough is known".into()))
            })
        });
        work.await
    });
    has_begun.await.unwrap();
    // One more is approved; and somebody decides both: has that one, and waits for the other.
    assert_eq!(site.api.decide(&late, "approved").await.status, 200);
    let (db, both) = (site.app.db.clone(), [late, early].map(|id| CommissionId::parse(&id).unwrap()));
    let decided = tokio::spawn(async move {
        db.write::<(), Error, _>(move |tx| Box::pin(async move { commissions::lock(tx, program, &both).await })).await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    go_on.send(()).unwrap();
    let claimed = told.await.unwrap();
    assert!(payout.await.unwrap().is_err());
    decided.await.unwrap().expect("neither waits for the other");
    assert_eq!(claimed.unwrap(), (1, 1_000));
}
