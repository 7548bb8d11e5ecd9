//! Many callers at the same instant: one of them wins, and the books are right whoever it was.

use std::{collections::HashSet, future::Future, time::Duration};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use crate::support::{Answer, Api, Site};

const ROUNDS: usize = 5;

/// Runs the callers at the same instant, each on a thread and connection of its own as far as there are any.
pub async fn at_once<T, C>(callers: impl IntoIterator<Item = C>) -> Vec<T>
where
    T: Send + 'static,
    C: Future<Output = T> + Send + 'static,
{
    let start = Instant::now() + Duration::from_millis(30);
    let running = callers.into_iter().map(|caller| {
        tokio::spawn(async move {
            sleep_until(start).await;
            caller.await
        })
    });
    let all: Vec<_> = running.collect();
    join_all(all).await.into_iter().map(Result::unwrap).collect()
}

/// Decides the commission from many callers at once; each answer with what was asked.
pub async fn decide_at_once(apis: &[Api], commission: &str, wanted: &[&'static str]) -> Vec<(&'static str, Answer)> {
    let callers = apis.iter().flat_map(|api| wanted.iter().map(move |status| (api.clone(), *status)));
    let callers = callers.map(|(api, status)| {
        let commission = commission.to_owned();
        async move { (status, api.decide(&commission, status).await) }
    });
    at_once(callers.collect::<Vec<_>>()).await
}

/// Every answer is the move that was asked for, as made, or a 400 that tells the state.
pub fn each_moved_or_was_told(answers: &[(&'static str, Answer)]) {
    for (wanted, answer) in answers {
        if answer.status == 200 {
            assert_eq!(answer.data()["commission"]["status"], *wanted, "{answer:?}");
        } else {
            answer.refuses("status");
            let issue = answer.json["error"]["details"]["issue"].as_str().unwrap();
            assert!(["approved", "paid", "rejected"].iter().any(|state| issue.contains(state)), "{issue}");
        }
    }
}

async fn commission(site: &Site, affiliate: &str, code: &str, order: &str) -> String {
    assert_eq!(site.api.sale(code, "99.99", order).await.status, 201);
    site.api.newest_commission(affiliate).await
}

async fn state(api: &Api, commission: &str) -> String {
    let shown = api.get(&format!("/commissions/{commission}")).await;
    shown.data()["commission"]["status"].as_str().unwrap().to_owned()
}

async fn moves(site: &Site, commission: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM audit_log WHERE subject = '{commission}' AND action LIKE 'commission.%'");
    site.database.number(&sql).await
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_identical_conversions_make_one() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let api = site.api.clone();
        let send = |_| {
            let (api, order) = (api.clone(), format!("same-{round}"));
            async move { api.sale("ANNA", "99.99", &order).await }
        };
        let answers = at_once((0..30).map(send)).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(created, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 200), "{answers:?}");
        let texts: HashSet<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
        assert_eq!(texts.len(), 1, "all are the first answer, byte for byte");
    }
    assert_eq!(site.api.get("/conversions").await.data()["total"], ROUNDS);
    assert_eq!(site.api.get("/commissions").await.data()["total"], ROUNDS);
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_order_with_two_amounts_one_wins() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let send = |caller: usize| {
            let (api, order) = (site.api.clone(), format!("two-{round}"));
            async move { api.sale("ANNA", if caller.is_multiple_of(2) { "10.00" } else { "20.00" }, &order).await }
        };
        let answers = at_once((0..12).map(send)).await;
        let winner = answers.iter().find(|answer| answer.status == 201).unwrap();
        let (same, other): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.text == winner.text);
        assert_eq!((same.len(), other.len()), (6, 6), "{answers:?}");
        for answer in &other {
            answer.refuses("orderId");
        }
    }
    assert_eq!(site.api.get("/conversions").await.data()["total"], ROUNDS);
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn approved_by_many_at_once_a_commission_moves_once() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let id = commission(&site, &anna, "ANNA", &format!("approve-{round}")).await;
        let callers: Vec<Api> = vec![site.api.clone(); 8];
        let answers = decide_at_once(&callers, &id, &["approved"]).await;
        assert!(answers.iter().all(|(_, answer)| answer.status == 200), "{answers:?}");
        assert_eq!(moves(&site, &id).await, 1);
    }
    site.check_ledger().await;
}

/// Approving and rejecting may both be granted, one after the other; then there are as many moves as that,
/// and the end is the last of them.
#[tokio::test(flavor = "multi_thread")]
async fn approved_and_rejected_at_once_a_commission_ends_in_a_state_that_was_granted() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    for round in 0..2 * ROUNDS {
        let id = commission(&site, &anna, "ANNA", &format!("both-{round}")).await;
        let answers = decide_at_once(std::slice::from_ref(&site.api), &id, &["approved", "rejected"]).await;
        each_moved_or_was_told(&answers);
        let granted: Vec<_> =
            answers.iter().filter(|(_, answer)| answer.status == 200).map(|(wanted, _)| *wanted).collect();
        assert!(granted.contains(&state(&site.api, &id).await.as_str()), "{answers:?}");
        assert_eq!(moves(&site, &id).await, i64::try_from(granted.len()).unwrap(), "{answers:?}");
    }
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paid_and_rejected_at_once_one_of_them_wins() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    for round in 0..2 * ROUNDS {
        let id = commission(&site, &anna, "ANNA", &format!("pay-{round}")).await;
        site.api.decide(&id, "approved").await.data();
        let before = moves(&site, &id).await;
        let answers = decide_at_once(std::slice::from_ref(&site.api), &id, &["paid", "rejected"]).await;
        each_moved_or_was_told(&answers);
        let granted: Vec<_> = answers.iter().filter(|(_, answer)| answer.status == 200).collect();
        assert_eq!(granted.len(), 1, "neither can follow the other: {answers:?}");
        assert_eq!(state(&site.api, &id).await, granted[0].0);
        assert_eq!(moves(&site, &id).await - before, 1);
    }
    site.check_ledger().await;
}

async fn refund(api: Api, conversion: String, amount: &'static str, key: Option<String>) -> Answer {
    let key = key.map_or(String::new(), |key| format!(r#","refundId":"{key}""#));
    let body = format!(r#"{{"amount":{amount}{key}}}"#);
    api.raw(Method::POST, &format!("/conversions/{conversion}/refunds"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_at_once_never_take_back_more_than_there_is() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let sale = site.api.sale("ANNA", "100.00", &format!("refund-{round}")).await;
        let conversion = sale.data()["conversionId"].as_str().unwrap().to_owned();
        let callers = (0..6).map(|_| refund(site.api.clone(), conversion.clone(), "30.00", None));
        let answers = at_once(callers.collect::<Vec<_>>()).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 3, "three times 30 of 100 and no more: {answers:?}");
        answers.iter().filter(|answer| answer.status != 201).for_each(|answer| answer.refuses("amount"));
    }
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refund_sent_by_many_at_once_is_one_refund() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let sale = site.api.sale("ANNA", "100.00", &format!("once-{round}")).await;
        let conversion = sale.data()["conversionId"].as_str().unwrap().to_owned();
        let key = Some(format!("R-{round}"));
        let callers = (0..8).map(|_| refund(site.api.clone(), conversion.clone(), "12.34", key.clone()));
        let answers = at_once(callers.collect::<Vec<_>>()).await;
        assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
        let texts: HashSet<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
        assert_eq!(texts.len(), 1, "{answers:?}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM refunds").await, i64::try_from(ROUNDS).unwrap());
    site.check_ledger().await;
}

/// Whichever comes first: the refund lowers what is then paid, or it becomes a line of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_and_a_payment_at_once_leave_the_books_right() {
    let site = Site::start().await;
    for round in 0..2 * ROUNDS {
        let code = format!("PAY{round}");
        let affiliate = site.affiliate(&code).await;
        let sale = site.api.sale(&code, "100.00", &format!("refund-pay-{round}")).await;
        let conversion = sale.data()["conversionId"].as_str().unwrap().to_owned();
        let id = site.api.newest_commission(&affiliate).await;
        site.api.decide(&id, "approved").await.data();
        let (api, paying) = (site.api.clone(), id.clone());
        let pay = async move { api.decide(&paying, "paid").await };
        let back = refund(site.api.clone(), conversion, "50.00", None);
        let (paid, refunded) = tokio::join!(tokio::spawn(pay), tokio::spawn(back));
        assert_eq!(paid.unwrap().status, 200);
        assert_eq!(refunded.unwrap().status, 201);

        let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
        let earned = &shown.data()["affiliate"];
        assert_eq!(earned["totalEarnings"], json!(10.0), "{shown:?}");
        let lines = site.api.get(&format!("/commissions?affiliateId={affiliate}")).await;
        let expected = if earned["paidEarnings"] == json!(20.0) { 2 } else { 1 };
        assert_eq!(lines.data()["total"], expected, "{shown:?} {lines:?}");
    }
    site.check_ledger().await;
}

/// Whichever comes first: what the refund takes back is not taken back by a rejection too.
#[tokio::test(flavor = "multi_thread")]
async fn a_refund_a_cancelled_payout_and_a_rejection_at_once_take_back_once() {
    let site = Site::start().await;
    for round in 0..2 * ROUNDS {
        let code = format!("BACK{round}");
        let affiliate = site.affiliate(&code).await;
        let by = json!({ "paymentMethod": "paypal", "paymentDetails": "a@example.com" });
        assert_eq!(site.api.patch(&format!("/affiliates/{affiliate}"), &by).await.status, 200);
        let sale = site.api.sale(&code, "100.00", &format!("back-{round}")).await;
        let conversion = sale.data()["conversionId"].as_str().unwrap().to_owned();
        let id = site.api.newest_commission(&affiliate).await;
        site.api.decide(&id, "approved").await.data();
        let made = site.api.post("/payouts", &json!({ "affiliateIds": [affiliate] })).await;
        let payout = made.data()["payout"]["id"].as_str().unwrap().to_owned();

        let (cancelling, deciding) = (site.api.clone(), site.api.clone());
        let cancel = async move {
            cancelling.post(&format!("/payouts/{payout}/status"), &json!({ "status": "cancelled" })).await
        };
        let reject = async move {
            for _ in 0..20 {
                if deciding.decide(&id, "rejected").await.status == 200 {
                    break;
                }
            }
        };
        let back = refund(site.api.clone(), conversion, "50.00", None);
        let (cancelled, refunded, ()) =
            tokio::try_join!(tokio::spawn(cancel), tokio::spawn(back), tokio::spawn(reject)).unwrap();
        assert_eq!((cancelled.status.as_u16(), refunded.status.as_u16()), (200, 201));
        let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
        let earned = shown.data()["affiliate"]["totalEarnings"].to_string();
        assert!(["10.0", "0.0"].contains(&earned.as_str()), "{round}: {earned} {shown:?}");
    }
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_affiliate_is_being_blocked_a_sale_is_recorded_or_refused() {
    let site = Site::start().await;
    for round in 0..ROUNDS {
        let code = format!("BLOCK{round}");
        let affiliate = site.affiliate(&code).await;
        let sell = |number: usize| {
            let (api, code) = (site.api.clone(), code.clone());
            async move { api.sale(&code, "10.00", &format!("{code}-{number}")).await }
        };
        let sales: Vec<_> = (0..12).map(|number| tokio::spawn(sell(number))).collect();
        site.set_affiliate(&affiliate, "blocked").await;
        let mut recorded = 0;
        for sale in sales {
            let sale = sale.await.unwrap();
            if sale.status == 201 {
                recorded += 1;
            } else {
                sale.refuses("referralCode");
            }
        }
        site.api.sale(&code, "10.00", &format!("{code}-late")).await.refuses("referralCode");
        let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
        assert_eq!(shown.data()["affiliate"]["conversionCount"], recorded);
    }
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_clicks_at_once_are_five_hundred() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let click = |number: usize| {
        let api = site.api.clone();
        async move { api.click(if number.is_multiple_of(5) { "ben" } else { "ANNA" }).await }
    };
    let mut ids = at_once((0..500).map(click)).await;
    for _ in 0..3 {
        let more = at_once((0..100).map(click)).await;
        ids.extend(more);
    }
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 800, "no id is given twice");
    for (affiliate, clicks) in [(anna, 640), (ben, 160)] {
        let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
        assert_eq!(shown.data()["affiliate"]["clickCount"], clicks);
    }
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_uses_of_one_idempotency_key_at_once_one_does_the_work() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for round in 0..ROUNDS {
        let send = |_| {
            let (api, key) = (site.api.clone(), format!("key-{round}"));
            async move {
                // Without an order number, so that nothing but the key holds it together.
                let request = api.request(Method::POST, "/referrals/convert").header("idempotency-key", key);
                let body = r#"{"referralCode":"ANNA","amount":5}"#;
                let sent = request.header("content-type", "application/json").body(body).send().await.unwrap();
                Answer::of(sent).await
            }
        };
        let answers = at_once((0..10).map(send)).await;
        let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
        assert!(!done.is_empty());
        let texts: HashSet<&str> = done.iter().map(|answer| answer.text.as_str()).collect();
        assert_eq!(texts.len(), 1, "{answers:?}");
        for answer in refused {
            answer.refuses("Idempotency-Key");
            assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
        }
    }
    assert_eq!(site.api.get("/conversions").await.data()["total"], ROUNDS);
    site.check_ledger().await;
}

/// Everything that touches the same rows at once, in orders that could meet each other half-way.
#[tokio::test(flavor = "multi_thread")]
async fn clicks_sales_and_decisions_at_once_do_not_get_in_each_others_way() {
    let site = Site::start().await;
    let codes: Vec<String> = (0..6).map(|number| format!("CROSS{number}")).collect();
    for code in &codes {
        site.affiliate(code).await;
    }
    for round in 0..ROUNDS {
        for number in 0..24 {
            // Newer commissions belong to older affiliates.
            let code = &codes[codes.len() - 1 - number % codes.len()];
            assert_eq!(site.api.sale(code, "10.00", &format!("cross-{round}-{number}")).await.status, 201);
        }
        let list = site.api.get("/commissions?limit=24").await;
        let ids: Vec<String> = list.data()["commissions"].as_array().unwrap().iter().map(id_of).collect();

        let mut callers: Vec<futures_util::future::BoxFuture<'static, Answer>> = Vec::new();
        for number in 0..30 {
            let (api, code) = (site.api.clone(), codes[number % codes.len()].clone());
            let track = json!({ "referralCode": code });
            callers.push(Box::pin(async move { api.post("/referrals/track", &track).await }));
            let (api, code) = (site.api.clone(), codes[(number + 3) % codes.len()].clone());
            let order = format!("meanwhile-{round}-{number}");
            callers.push(Box::pin(async move { api.sale(&code, "1.00", &order).await }));
        }
        for id in &ids {
            let (api, id) = (site.api.clone(), id.clone());
            callers.push(Box::pin(async move { api.decide(&id, "approved").await }));
        }
        for part in [ids.clone(), ids.iter().rev().cloned().collect(), ids[5..].to_vec()] {
            let (api, body) = (site.api.clone(), json!({ "ids": part, "status": "approved" }));
            callers.push(Box::pin(async move { api.post("/commissions/status", &body).await }));
        }
        let answers = at_once(callers).await;
        assert!(answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        let approved = site.api.get("/commissions?status=approved").await;
        assert_eq!(approved.data()["total"], 24 * (round + 1));
    }
    site.check_ledger().await;
}

fn id_of(row: &serde_json::Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}
