//! Commissions: listed, decided, explained.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

/// An affiliate with one commission of 20.00.
async fn one(site: &Site) -> (String, String) {
    let affiliate = site.affiliate("earner").await;
    assert_eq!(site.api.sale("earner", "99.99", "o-1").await.status, 201);
    let commission = site.api.newest_commission(&affiliate).await;
    (affiliate, commission)
}

async fn status(site: &Site, id: &str, body: &Value) -> Answer {
    site.api.put(&format!("/commissions/{id}/status"), body).await
}

fn issue(refused: &Answer) -> &str {
    refused.refuses("status");
    refused.json["error"]["details"]["issue"].as_str().unwrap()
}

#[tokio::test]
async fn the_list_carries_the_references_fields_in_their_order() {
    let site = Site::start().await;
    let (affiliate, commission) = one(&site).await;
    let row = |status: &str, paid: &str| {
        format!(
            r#"{{"success":true,"data":{{"commissions":[{{"id":"{commission}","affiliateId":"{affiliate}","orderId":"o-1","amount":20.00,"status":"{status}","createdAt":"2026-03-01T12:00:00Z","paidAt":{paid},"conversionAmount":99.99}}],"total":1,"limit":20,"offset":0}}}}"#
        )
    };
    assert!(commission.starts_with("comm_"));
    assert_eq!(site.api.get("/commissions").await.text, row("pending", "null"));
    site.advance_seconds(90);
    site.api.decide(&commission, "paid").await;
    assert_eq!(site.api.get("/commissions").await.text, row("paid", r#""2026-03-01T12:01:30Z""#));
    site.check_ledger().await;
}

#[tokio::test]
async fn a_decision_answers_as_the_reference_does() {
    let site = Site::start().await;
    let (affiliate, commission) = one(&site).await;
    let answer = |status: &str, updated: &str, paid: &str| {
        format!(
            r#"{{"success":true,"data":{{"commission":{{"id":"{commission}","affiliateId":"{affiliate}","orderId":"o-1","amount":20.00,"status":"{status}","createdAt":"2026-03-01T12:00:00Z","updatedAt":"{updated}","paidAt":{paid},"conversionAmount":99.99}}}}}}"#
        )
    };
    site.advance_seconds(60);
    let approved = site.api.decide(&commission, "approved").await;
    assert_eq!((approved.status.as_u16(), approved.text), (200, answer("approved", "2026-03-01T12:01:00Z", "null")));
    site.advance_seconds(60);
    let paid = site.api.decide(&commission, "paid").await;
    let at = "2026-03-01T12:02:00Z";
    assert_eq!((paid.status.as_u16(), paid.text), (200, answer("paid", at, &format!("\"{at}\""))));
    site.check_ledger().await;
}

#[tokio::test]
async fn the_legal_moves_and_no_others() {
    let site = Site::start().await;
    let affiliate = site.affiliate("mover").await;
    let ways: [(&str, &[&str]); 5] = [
        ("pending", &[]),
        ("approved", &["approved"]),
        ("paid", &["paid"]),
        ("rejected", &["rejected"]),
        ("approved", &["rejected", "approved"]),
    ];
    let legal = [
        "pending>approved",
        "pending>paid",
        "pending>rejected",
        "approved>paid",
        "approved>rejected",
        "rejected>approved",
    ];
    let mut sales = 0;
    for (from, way) in ways {
        for to in ["approved", "paid", "rejected", "pending"] {
            sales += 1;
            site.api.sale("mover", "10", &format!("o-{sales}")).await;
            let commission = site.api.newest_commission(&affiliate).await;
            for step in way {
                assert_eq!(site.api.decide(&commission, step).await.status, 200);
            }
            let path = format!("/commissions/{commission}");
            let before = site.api.get(&path).await.text;
            let audited = site.database.number("SELECT COUNT(*) FROM audit_log").await;
            site.advance_seconds(1);
            let answer = site.api.decide(&commission, to).await;
            let moved = site.database.number("SELECT COUNT(*) FROM audit_log").await - audited;
            if legal.contains(&format!("{from}>{to}").as_str()) {
                assert_eq!((&answer.data()["commission"]["status"], moved), (&json!(to), 1), "{from} > {to}");
            } else if from == to && to != "pending" {
                assert_eq!((answer.status.as_u16(), moved), (200, 0), "the same again changes nothing");
                assert_eq!(site.api.get(&path).await.text, before);
            } else {
                assert!(!issue(&answer).is_empty());
                assert_eq!(moved, 0);
                assert_eq!(site.api.get(&path).await.text, before, "{from} > {to}");
            }
        }
        site.check_ledger().await;
    }
}

#[tokio::test]
async fn refusals_say_why() {
    let site = Site::start().await;
    let (_, commission) = one(&site).await;
    for word in ["Approved", "PAID", "", "void", "approved ", "pending"] {
        let refused = site.api.decide(&commission, word).await;
        assert_eq!(issue(&refused), "must be one of approved, paid, rejected", "{word}");
    }
    for body in [json!({}), json!({ "status": null }), json!({ "status": 1 }), json!({ "status": ["paid"] })] {
        status(&site, &commission, &body).await.refuses("status");
    }
    site.api.decide(&commission, "rejected").await;
    assert!(issue(&site.api.decide(&commission, "paid").await).contains("rejected"));
    site.api.decide(&commission, "approved").await;
    site.api.decide(&commission, "paid").await;
    for word in ["approved", "rejected"] {
        assert!(issue(&site.api.decide(&commission, word).await).contains("final"));
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn a_commission_in_an_open_payout_is_changed_only_there() {
    let site = Site::start().await;
    let (affiliate, commission) = one(&site).await;
    site.api.decide(&commission, "approved").await;
    let paid_by = json!({ "paymentMethod": "paypal", "paymentDetails": "a@example.com" });
    site.api.patch(&format!("/affiliates/{affiliate}"), &paid_by).await;
    assert_eq!(site.api.post("/payouts", &json!({})).await.status, 201);
    for word in ["paid", "rejected"] {
        assert!(issue(&site.api.decide(&commission, word).await).contains("open payout"));
    }
    assert_eq!(site.api.decide(&commission, "approved").await.status, 200, "the same again");
    // What a refund takes back is then a line of its own: the money is on its way.
    let list = site.api.get("/conversions").await;
    let conversion = list.data()["conversions"][0]["id"].as_str().unwrap();
    let refunded = site.api.post(&format!("/conversions/{conversion}/refunds"), &json!({})).await;
    assert_eq!(refunded.status, 201);
    let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
    assert!(shown.text.contains(r#""totalEarnings":0.00,"pendingEarnings":0.00,"paidEarnings":0.00"#), "{shown:?}");
    assert_eq!(site.api.get("/commissions").await.data()["total"], 2);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_reason_is_kept_and_audited_with_who_gave_it() {
    let site = Site::start().await;
    let (_, commission) = one(&site).await;
    for reason in [json!("x".repeat(501)), json!(1), json!("a\u{0}")] {
        status(&site, &commission, &json!({ "status": "rejected", "reason": reason })).await.refuses("reason");
    }
    let reason = format!("{}\nline", "é".repeat(495));
    let done = status(&site, &commission, &json!({ "status": "rejected", "reason": reason })).await;
    assert_eq!(done.status, 200, "{done:?}");
    let shown = site.api.get(&format!("/commissions/{commission}")).await;
    assert_eq!(shown.data()["commission"]["reason"], reason);
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'commission.rejected' AND before = 'pending'
                   AND after = 'rejected' AND LENGTH(reason) = 500 AND actor LIKE 'key:key!_%' ESCAPE '!'";
    assert_eq!(site.database.number(audited).await, 1);
    for null in [json!({ "status": "approved", "reason": null }), json!({ "status": "paid" })] {
        assert_eq!(status(&site, &commission, &null).await.status, 200);
    }
}

#[tokio::test]
async fn totals_follow_every_move() {
    let site = Site::start().await;
    let (affiliate, commission) = one(&site).await;
    let earned = async |expected: &str| {
        for text in
            [site.api.get(&format!("/affiliates/{affiliate}")).await.text, site.api.get("/affiliates").await.text]
        {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        site.check_ledger().await;
    };
    earned(r#""totalEarnings":20.00,"pendingEarnings":20.00,"paidEarnings":0.00"#).await;
    for (move_to, expected) in [
        ("rejected", r#""totalEarnings":0.00,"pendingEarnings":0.00,"paidEarnings":0.00"#),
        ("approved", r#""totalEarnings":20.00,"pendingEarnings":20.00,"paidEarnings":0.00"#),
        ("paid", r#""totalEarnings":20.00,"pendingEarnings":0.00,"paidEarnings":20.00"#),
    ] {
        site.api.decide(&commission, move_to).await;
        earned(expected).await;
    }
}

#[tokio::test]
async fn the_list_is_filtered_by_affiliate_and_status() {
    let site = Site::start().await;
    let (affiliate, _) = one(&site).await;
    for n in 2..=5 {
        site.api.sale("earner", "10", &format!("o-{n}")).await;
        let newest = site.api.newest_commission(&affiliate).await;
        let to = ["approved", "paid", "rejected", "rejected"][n - 2];
        site.api.decide(&newest, to).await;
    }
    let other = site.affiliate("other").await;
    site.api.sale("other", "10", "o-6").await;
    for (query, total) in [
        ("", 6),
        ("?status=pending", 2),
        ("?status=approved", 1),
        ("?status=paid", 1),
        ("?status=rejected", 2),
        (&format!("?affiliateId={affiliate}"), 5),
        (&format!("?affiliateId={affiliate}&status=rejected"), 2),
        (&format!("?affiliateId={other}&status=rejected"), 0),
        ("?affiliateId=aff_123456", 0),
    ] {
        let list = site.api.get(&format!("/commissions{query}")).await;
        assert_eq!((list.status.as_u16(), &list.data()["total"]), (200, &json!(total)), "{query}");
        assert_eq!(list.data()["commissions"].as_array().unwrap().len(), total, "{query}");
    }
    let ids: Vec<Value> =
        site.api.get("/commissions?limit=100").await.data()["commissions"].as_array().unwrap().clone();
    let orders: Vec<&str> = ids.iter().map(|row| row["orderId"].as_str().unwrap()).collect();
    assert_eq!(orders, ["o-6", "o-5", "o-4", "o-3", "o-2", "o-1"], "newest first");
    for wrong in ["x", "comm_1", ""] {
        site.api.get(&format!("/commissions?affiliateId={wrong}")).await.refuses("affiliateId");
    }
    for wrong in ["open", "Paid", ""] {
        site.api.get(&format!("/commissions?status={wrong}")).await.refuses("status");
    }
    let (_, theirs) = site.another_program("elsewhere").await;
    assert_eq!(theirs.get(&format!("/commissions?affiliateId={affiliate}")).await.data()["total"], 0);
}

#[tokio::test]
async fn ids_are_malformed_or_unknown() {
    let site = Site::start().await;
    let (_, commission) = one(&site).await;
    let (_, theirs) = site.another_program("other").await;
    for id in ["aff_123456", "comm_", "1"] {
        let answer = site.api.decide(id, "approved").await;
        answer.refuses("commissionId");
        assert_eq!(answer.json["error"]["details"]["issue"], "must be a string beginning with 'comm_'");
        assert_eq!(answer.json["error"]["message"], "Invalid commission ID format");
        site.api.get(&format!("/commissions/{id}")).await.refuses("commissionId");
    }
    for answer in [
        site.api.decide("comm_123456", "approved").await,
        site.api.get("/commissions/comm_123456").await,
        theirs.decide(&commission, "approved").await,
        theirs.get(&format!("/commissions/{commission}")).await,
    ] {
        answer.fails(404, "resource_not_found", None);
    }
    assert_eq!(site.api.get("/commissions?status=pending").await.data()["total"], 1);
}

#[tokio::test]
async fn a_commission_is_explained() {
    let site = Site::start().await;
    let (affiliate, commission) = one(&site).await;
    site.api.decide(&commission, "approved").await;
    let list = site.api.get("/conversions").await;
    let conversion = list.data()["conversions"][0]["id"].as_str().unwrap();
    let refunded = site.api.post(&format!("/conversions/{conversion}/refunds"), &json!({ "amount": 49.99 })).await;
    let refund = refunded.data()["refund"]["id"].as_str().unwrap();
    let at = "2026-03-01T12:00:00Z";
    let shown = site.api.get(&format!("/commissions/{commission}")).await;
    assert_eq!(
        shown.text,
        format!(
            r#"{{"success":true,"data":{{"commission":{{"id":"{commission}","affiliateId":"{affiliate}","orderId":"o-1","amount":10.00,"status":"approved","createdAt":"{at}","updatedAt":"{at}","paidAt":null,"conversionAmount":99.99,"conversionId":"{conversion}","reason":null,"approvedAt":"{at}","payableAt":"{at}","payoutLineId":null,"explanation":{{"kind":"sale","conversionAmount":99.99,"rate":"20%","originalAmount":20.00,"reversedAmount":10.00,"sentence":"20% of USD 99.99 is USD 20.00; refunds took back USD 10.00","heldFor":[],"entries":[{{"kind":"earn","amount":20.00,"refundId":null,"createdAt":"{at}"}},{{"kind":"reverse","amount":-10.00,"refundId":"{refund}","createdAt":"{at}"}}]}}}}}}}}"#
        )
    );
    site.check_ledger().await;
}

#[tokio::test]
async fn paying_records_the_approval_too() {
    let site = Site::start().await;
    let (_, commission) = one(&site).await;
    site.api.decide(&commission, "paid").await;
    let shown = site.api.get(&format!("/commissions/{commission}")).await;
    assert_eq!(shown.data()["commission"]["approvedAt"], "2026-03-01T12:00:00Z");
    assert_eq!(shown.data()["commission"]["explanation"]["entries"][1]["kind"], "pay");
    assert_eq!(shown.data()["commission"]["explanation"]["entries"][1]["amount"], json!(-20.0));
}

#[tokio::test]
async fn rivals_are_served_one_after_the_other() {
    let site = Site::start().await;
    let (_, commission) = one(&site).await;
    let audited = site.database.number("SELECT COUNT(*) FROM audit_log").await;
    let rivals = ["approved", "rejected", "paid"].into_iter().cycle().take(24);
    let answers = futures_util::future::join_all(rivals.map(|to| {
        let site = &site;
        let commission = &commission;
        async move { (to, site.api.decide(commission, to).await) }
    }))
    .await;
    for (to, answer) in &answers {
        if answer.status == 200 {
            assert_eq!(answer.data()["commission"]["status"], **to, "its move, as made");
        } else {
            assert!(issue(answer).contains("(the commission is "), "a refusal tells the state: {answer:?}");
        }
    }
    let shown = site.api.get(&format!("/commissions/{commission}")).await;
    let end = shown.data()["commission"]["status"].as_str().unwrap();
    assert!(answers.iter().any(|(to, answer)| *to == end && answer.status == 200), "the end was granted: {end}");
    let rows = "SELECT COUNT(*) FROM audit_log WHERE action LIKE 'commission.%'";
    let moves = site.database.number(rows).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log").await - audited, moves);
    // Each row begins where the one before it ended.
    let broken = "SELECT COUNT(*) FROM (SELECT before, LAG(after) OVER (ORDER BY id) AS was FROM audit_log
                  WHERE action LIKE 'commission.%') moves WHERE was IS NOT NULL AND was <> before";
    assert_eq!(site.database.number(broken).await, 0);
    site.check_ledger().await;
}

#[tokio::test]
async fn who_was_never_let_in_has_nothing_approved_by_being_blocked() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let become_ = async |status: &str| {
        site.api.patch(&format!("/affiliates/{anna}"), &json!({ "status": status })).await.data().clone()
    };
    become_("pending").await;
    let sale = site.api.sale("ANNA", "10", "o-1").await.data().clone();
    let commission =
        site.api.get(&format!("/commissions?affiliateId={anna}")).await.data()["commissions"][0]["id"].clone();
    let commission = commission.as_str().unwrap().to_owned();
    assert_eq!(sale["affiliateId"], anna.as_str());
    become_("blocked").await;
    for status in ["approved", "paid"] {
        site.api.decide(&commission, status).await.refuses("status");
    }
    become_("active").await;
    become_("blocked").await;
    assert_eq!(site.api.decide(&commission, "approved").await.status, 200, "what is owed stays owed");
    site.check_ledger().await;
}
