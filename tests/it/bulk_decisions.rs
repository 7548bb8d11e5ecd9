//! Many commissions decided by one call: a result each, in the order asked.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

/// That many commissions of one affiliate, oldest first.
async fn commissions(site: &Site, count: usize) -> Vec<String> {
    let affiliate = site.affiliate("earner").await;
    let mut ids = Vec::new();
    for n in 0..count {
        site.api.sale("earner", "10", &format!("o-{n}")).await;
        ids.push(site.api.newest_commission(&affiliate).await);
    }
    ids
}

async fn decide(site: &Site, ids: &[&str], status: &str) -> Answer {
    site.api.post("/commissions/status", &json!({ "ids": ids, "status": status, "reason": "batch" })).await
}

#[tokio::test]
async fn each_has_its_result_in_the_order_asked() {
    let site = Site::start().await;
    let ids = commissions(&site, 3).await;
    site.api.decide(&ids[1], "paid").await;
    let (_, theirs) = site.another_program("other").await;
    let foreign = theirs.affiliate("foreign").await;
    theirs.sale("foreign", "10", "o-1").await;
    let foreign = theirs.newest_commission(&foreign).await;
    let asked = [ids[2].as_str(), "nonsense", &ids[1], "comm_123456", &ids[0], &foreign, &ids[2]];
    let answer = decide(&site, &asked, "rejected").await;
    assert_eq!(answer.status, 200);
    let results = answer.data()["results"].as_array().unwrap();
    let named: Vec<&str> = results.iter().map(|result| result["id"].as_str().unwrap()).collect();
    assert_eq!(named, asked);
    let succeeded: Vec<bool> = results.iter().map(|result| result["success"].as_bool().unwrap()).collect();
    assert_eq!(succeeded, [true, false, false, false, true, false, true]);
    let affiliate = results[0]["commission"]["affiliateId"].as_str().unwrap();
    let first = format!(
        r#"{{"success":true,"data":{{"results":[{{"id":"{0}","success":true,"commission":{{"id":"{0}","affiliateId":"{affiliate}","orderId":"o-2","amount":2.00,"status":"rejected","createdAt":"2026-03-01T12:00:00Z","updatedAt":"2026-03-01T12:00:00Z","paidAt":null,"conversionAmount":10.00}}}},{{"id":"nonsense","success":false,"error":{{"code":"invalid_request","message":"Invalid commission ID format","details":{{"field":"commissionId","issue":"must be a string beginning with 'comm_'"}}}}}},"#,
        ids[2]
    );
    assert!(answer.text.starts_with(&first), "{answer:?}");
    assert_eq!(results[2]["error"]["details"]["field"], "status");
    for place in [3, 5] {
        assert_eq!(results[place]["error"]["code"], "resource_not_found");
        assert!(results[place]["error"].get("details").is_none());
    }
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'commission.rejected' AND reason = 'batch'";
    assert_eq!(site.database.number(audited).await, 2, "the same one twice is one move");
    site.check_ledger().await;
}

#[tokio::test]
async fn a_hundred_at_once_and_no_more() {
    let site = Site::start().await;
    let ids = commissions(&site, 2).await;
    let hundred: Vec<&str> = ids.iter().map(String::as_str).cycle().take(100).collect();
    let answer = decide(&site, &hundred, "approved").await;
    assert_eq!(answer.data()["results"].as_array().unwrap().len(), 100);
    let more: Vec<&str> = ids.iter().map(String::as_str).cycle().take(101).collect();
    decide(&site, &more, "paid").await.refuses("ids");
    decide(&site, &[], "paid").await.refuses("ids");
    for ids in [json!(null), json!("comm_1"), json!([1]), json!([null])] {
        site.api.post("/commissions/status", &json!({ "ids": ids, "status": "paid" })).await.refuses("ids");
    }
    site.api.post("/commissions/status", &json!({ "status": "paid" })).await.refuses("ids");
    for status in [json!("pending"), json!("x"), json!(null)] {
        site.api.post("/commissions/status", &json!({ "ids": ids, "status": status })).await.refuses("status");
    }
    site.api
        .post("/commissions/status", &json!({ "ids": ids, "status": "paid", "reason": "x".repeat(501) }))
        .await
        .refuses("reason");
    assert_eq!(site.api.get("/commissions?status=approved").await.data()["total"], 2);
    site.check_ledger().await;
}

#[tokio::test]
async fn rival_batches_in_opposite_orders_all_get_an_answer() {
    let site = Site::start().await;
    let ids = commissions(&site, 12).await;
    let forwards: Vec<&str> = ids.iter().map(String::as_str).collect();
    let backwards: Vec<&str> = forwards.iter().copied().rev().collect();
    let (a, b, c) = tokio::join!(
        decide(&site, &forwards, "approved"),
        decide(&site, &backwards, "rejected"),
        decide(&site, &backwards, "paid"),
    );
    for answer in [a, b, c] {
        assert_eq!(answer.status, 200, "{answer:?}");
        let results: &Vec<Value> = answer.data()["results"].as_array().unwrap();
        assert!(
            results.iter().all(|result| result["success"] == true || result["error"]["details"]["field"] == "status")
        );
    }
    assert_eq!(site.api.get("/commissions?status=pending").await.data()["total"], 0);
    site.check_ledger().await;
}

#[tokio::test]
async fn batches_whose_affiliates_cross_all_get_an_answer() {
    let site = Site::start().await;
    let (a, b) = (site.affiliate("aaa").await, site.affiliate("bbb").await);
    let mut batches: Vec<Vec<String>> = Vec::new();
    for round in 0..6 {
        // Oldest first: one batch meets a and then b, the next b and then a.
        let mut batch = Vec::new();
        for place in 0..6 {
            let (code, affiliate) = if (round + place / 3) % 2 == 0 { ("aaa", &a) } else { ("bbb", &b) };
            site.api.sale(code, "10", &format!("o-{round}-{place}")).await;
            batch.push(site.api.newest_commission(affiliate).await);
        }
        batches.push(batch);
    }
    for status in ["approved", "rejected", "approved", "paid"] {
        let decide = |batch: &Vec<String>| {
            let (api, body) = (site.api.clone(), json!({ "ids": batch, "status": status }));
            async move { api.post("/commissions/status", &body).await }
        };
        for answer in futures_util::future::join_all(batches.iter().map(decide)).await {
            assert_eq!(answer.status, 200, "{status}: {answer:?}");
            assert!(answer.data()["results"].as_array().unwrap().iter().all(|result| result["success"] == true));
        }
    }
    assert_eq!(site.api.get("/commissions?status=paid").await.data()["total"], 36);
    site.check_ledger().await;
}

#[tokio::test]
async fn batches_single_decisions_and_refunds_do_not_wait_for_each_other_in_a_circle() {
    let site = Site::start().await;
    let ids = commissions(&site, 8).await;
    let list = site.api.get("/conversions").await;
    let sales: Vec<&str> =
        list.data()["conversions"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
    let forwards: Vec<&str> = ids.iter().map(String::as_str).collect();
    let refund = |sale: &&str| {
        let (api, path) = (site.api.clone(), format!("/conversions/{sale}/refunds"));
        async move { api.post(&path, &json!({ "amount": 1 })).await }
    };
    let (batches, singles, refunds) = tokio::join!(
        futures_util::future::join_all(["approved", "rejected", "approved"].map(|to| decide(&site, &forwards, to))),
        futures_util::future::join_all(ids.iter().rev().map(|id| site.api.decide(id, "approved"))),
        futures_util::future::join_all(sales.iter().map(refund)),
    );
    assert!(batches.iter().all(|answer| answer.status == 200), "{batches:?}");
    assert!(singles.iter().all(|answer| answer.status == 200), "{singles:?}");
    assert!(refunds.iter().all(|answer| answer.status == 201), "{refunds:?}");
    site.check_ledger().await;
}
