//! Conversions: recorded, answered again, previewed, listed. Who is credited is told in `attribution`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Site};

async fn convert(site: &Site, body: &Value) -> Answer {
    site.api.post("/referrals/convert", body).await
}

const CONVERSIONS: &str = "SELECT COUNT(*) FROM conversions";

#[tokio::test]
async fn the_references_own_example() {
    let site = Site::start().await;
    let affiliate = site.affiliate("JOHNDOE10").await;
    let click = site.api.click("JOHNDOE10").await;
    site.advance_seconds(45);
    let body = json!({
        "clickId": click, "referralCode": "JOHNDOE10", "amount": 99.99, "orderId": "order_123456",
        "customer": { "email": "c@example.com", "name": "C" }, "products": [{ "sku": "A", "price": 99.99 }],
    });
    let made = convert(&site, &body).await;
    assert_eq!(made.status, 201);
    let conversion = made.data()["conversionId"].as_str().unwrap();
    assert!(conversion.starts_with("conv_"));
    assert_eq!(made.header("location"), format!("/v1/conversions/{conversion}"));
    assert_eq!(
        made.text,
        format!(
            r#"{{"success":true,"data":{{"conversionId":"{conversion}","affiliateId":"{affiliate}","referralCode":"JOHNDOE10","amount":99.99,"commission":20.00,"orderId":"order_123456","timestamp":"2026-03-01T12:00:45Z"}}}}"#
        )
    );
    site.check_ledger().await;
}

#[tokio::test]
async fn without_an_order_id_it_shows_as_null_and_each_call_is_a_sale() {
    let site = Site::start().await;
    site.affiliate("orderless").await;
    for order in ["", r#","orderId":null"#] {
        let body = format!(r#"{{"referralCode":"orderless","amount":1{order}}}"#);
        let made = site.api.raw(Method::POST, "/referrals/convert", body).await;
        assert_eq!(made.status, 201);
        assert!(made.text.contains(r#""amount":1.00,"commission":0.20,"orderId":null,"timestamp""#), "{made:?}");
    }
    assert_eq!(site.database.number(CONVERSIONS).await, 2);
    site.check_ledger().await;
}

#[tokio::test]
async fn an_amount_of_0_is_a_conversion() {
    let site = Site::start().await;
    let affiliate = site.affiliate("free").await;
    let made = site.api.sale("free", "0", "o-1").await;
    assert_eq!(made.status, 201);
    assert!(made.text.contains(r#""amount":0.00,"commission":0.00"#), "{made:?}");
    let commission = site.api.newest_commission(&affiliate).await;
    for status in ["approved", "paid"] {
        assert_eq!(site.api.decide(&commission, status).await.status, 200);
    }
    assert_eq!(site.api.get(&format!("/affiliates/{affiliate}")).await.data()["affiliate"]["conversionCount"], 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn the_same_order_again_is_answered_byte_for_byte_whatever_happened_since() {
    let site = Site::start().await;
    let affiliate = site.affiliate("first").await;
    let click = site.api.click("first").await;
    let by_click = json!({ "clickId": click, "amount": 99.99, "orderId": "by-click" });
    let by_code = json!({ "referralCode": "first", "amount": 10, "orderId": "by-code" });
    let (clicked, coded) = (convert(&site, &by_click).await, convert(&site, &by_code).await);
    assert_eq!((clicked.status.as_u16(), coded.status.as_u16()), (201, 201));

    let again = async |what: &str| {
        for (body, first) in [(&by_click, &clicked), (&by_code, &coded)] {
            let answer = convert(&site, body).await;
            assert_eq!((answer.status.as_u16(), &answer.text), (200, &first.text), "{what}");
            assert!(answer.headers.get("idempotent-replayed").is_none());
        }
    };
    again("at once").await;
    site.advance_seconds(3_600);
    again("later").await;
    let path = format!("/affiliates/{affiliate}");
    site.api.patch(&path, &json!({ "referralCode": "second", "name": "New", "email": "new@example.com" })).await;
    again("after another code").await;
    for status in ["pending", "blocked"] {
        site.set_affiliate(&affiliate, status).await;
        again(status).await;
    }
    site.advance_seconds(86_400 * 61);
    again("after the click's window").await;
    let conversion = clicked.data()["conversionId"].as_str().unwrap();
    site.api.post(&format!("/conversions/{conversion}/refunds"), &json!({})).await;
    again("after a refund").await;
    // The other spellings of the same sale are the same sale.
    for body in [
        json!({ "referralCode": "FIRST", "amount": 99.99, "orderId": "by-click" }),
        json!({ "referralCode": "second", "clickId": click, "amount": 99.990, "orderId": "by-click", "products": [] }),
        json!({ "clickId": click, "amount": 10, "orderId": "by-code" }),
    ] {
        assert_eq!(convert(&site, &body).await.status, 200, "{body}");
    }
    assert_eq!(site.database.number(CONVERSIONS).await, 2);
    site.check_ledger().await;
}

#[tokio::test]
async fn the_same_order_with_another_amount_or_affiliate_is_refused() {
    let site = Site::start().await;
    site.affiliate("mine").await;
    site.affiliate("theirs").await;
    let click = site.api.click("theirs").await;
    site.api.sale("mine", "10", "o-1").await;
    site.api.sale("mine", "10.01", "o-1").await.refuses("orderId");
    site.api.sale("theirs", "10", "o-1").await.refuses("orderId");
    convert(&site, &json!({ "clickId": click, "amount": 10, "orderId": "o-1" })).await.refuses("orderId");
    assert_eq!(site.api.sale("mine", "10", "O-1").await.status, 201, "another order: ids are told apart by case");
    let (_, other) = site.another_program("other").await;
    other.affiliate("mine").await;
    assert_eq!(other.sale("mine", "10", "o-1").await.status, 201, "unique in the program only");
    assert_eq!(site.database.number(CONVERSIONS).await, 3);
    site.check_ledger().await;
}

#[tokio::test]
async fn the_same_order_thirty_times_at_once_is_one_conversion() {
    let site = Site::start().await;
    site.affiliate("once").await;
    let answers = futures_util::future::join_all((0..30).map(|_| site.api.sale("once", "5", "o-1"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(answers.iter().all(|answer| answer.text == answers[0].text));
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.status == 201));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM commissions").await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn an_order_id_is_1_to_255_characters() {
    let site = Site::start().await;
    site.affiliate("ordered").await;
    for order in ["x", &"é".repeat(255), "#1 / 李雷", " "] {
        let made = convert(&site, &json!({ "referralCode": "ordered", "amount": 1, "orderId": order })).await;
        assert_eq!(made.data()["orderId"], *order);
    }
    for order in [json!(""), json!("é".repeat(256)), json!(1), json!("a\u{0}"), json!({})] {
        convert(&site, &json!({ "referralCode": "ordered", "amount": 1, "orderId": order })).await.refuses("orderId");
    }
    assert_eq!(site.database.number(CONVERSIONS).await, 4);
}

#[tokio::test]
async fn wrong_types_are_named_and_nothing_is_stored() {
    let site = Site::start().await;
    site.affiliate("typed").await;
    for (field, value) in [
        ("amount", json!(null)),
        ("amount", json!("10")),
        ("amount", json!(true)),
        ("amount", json!([1])),
        ("clickId", json!(1)),
        ("referralCode", json!({})),
        ("customer", json!("c@example.com")),
        ("customer", json!([])),
        ("products", json!({})),
        ("products", json!("A")),
        ("customer", json!({ "name": "a\u{8}b" })),
        ("products", json!([{ "deep": [{ "er": "\u{1}" }] }])),
        ("products", json!([{ "\u{7f}": 1 }])),
    ] {
        let mut body = json!({ "referralCode": "typed", "amount": 1 });
        body[field] = value;
        convert(&site, &body).await.refuses(field);
    }
    convert(&site, &json!({ "referralCode": "typed" })).await.refuses("amount");
    assert_eq!(site.database.number(CONVERSIONS).await, 0);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM customers").await, 0);
    let nulls = json!({ "referralCode": "typed", "amount": 1, "clickId": null, "customer": null, "products": null });
    assert_eq!(convert(&site, &nulls).await.status, 201);
}

#[tokio::test]
async fn customer_and_products_are_kept_as_given() {
    let site = Site::start().await;
    site.affiliate("kept").await;
    let customer = r#"{ "email":"c@example.com", "note": "two\nlines", "n": 1.50 }"#;
    let products = r#"[ {"sku":"A","price":0.10}, null, "x" ]"#;
    let body = format!(r#"{{"referralCode":"kept","amount":1,"customer":{customer},"products":{products}}}"#);
    assert_eq!(site.api.raw(Method::POST, "/referrals/convert", body).await.status, 201);
    let kept = r#"SELECT COUNT(*) FROM conversions WHERE customer = '{ "email":"c@example.com", "note": "two\nlines", "n": 1.50 }'
                  AND products = '[ {"sku":"A","price":0.10}, null, "x" ]'"#;
    assert_eq!(site.database.number(kept).await, 1);
}

#[tokio::test]
async fn one_customer_buying_twenty_times_at_once_is_one_customer() {
    let site = Site::start().await;
    site.affiliate("loved").await;
    let buy = |n: usize| {
        let api = site.api.clone();
        let customer = if n.is_multiple_of(2) { json!({ "id": "c-1" }) } else { json!({ "email": "C@Example.com" }) };
        let body = json!({ "referralCode": "loved", "amount": 1, "orderId": format!("o-{n}"), "customer": customer });
        async move { api.post("/referrals/convert", &body).await }
    };
    let answers = futures_util::future::join_all((0..20).map(buy)).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM customers").await, 2);
    let clear = "SELECT COUNT(*) FROM customers WHERE identity LIKE '%xample%'";
    assert_eq!(site.database.number(clear).await, 0, "an address is known by its hash");
    assert_eq!(site.database.number(CONVERSIONS).await, 20);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_dry_run_answers_and_writes_nothing() {
    let site = Site::start().await;
    let affiliate = site.affiliate("dry").await;
    let body = json!({ "referralCode": "DRY", "amount": 12.5, "orderId": "o-1", "customer": { "id": "c" } });
    let rows = "SELECT (SELECT COUNT(*) FROM conversions) + (SELECT COUNT(*) FROM commissions) + (SELECT COUNT(*) FROM ledger_entries)
                + (SELECT COUNT(*) FROM customers) + (SELECT COUNT(*) FROM idempotency)";
    let request = site.api.request(Method::POST, "/referrals/convert?dryRun=true").header("idempotency-key", "k");
    let preview = Answer::of(request.json(&body).send().await.unwrap()).await;
    assert_eq!(preview.status, 200);
    assert_eq!(
        preview.text,
        format!(
            r#"{{"success":true,"data":{{"conversionId":null,"affiliateId":"{affiliate}","referralCode":"dry","amount":12.50,"commission":2.50,"orderId":"o-1","timestamp":"2026-03-01T12:00:00Z"}}}}"#
        )
    );
    assert_eq!(site.database.number(rows).await, 0);

    let first = convert(&site, &body).await;
    assert_eq!(first.status, 201);
    let written = site.database.number(rows).await;
    let recorded = site.api.post("/referrals/convert?dryRun=true", &body).await;
    assert_eq!((recorded.status.as_u16(), &recorded.text), (200, &first.text), "its recorded answer");
    for (field, value) in [("amount", json!(13)), ("referralCode", json!("nobody")), ("clickId", json!("x"))] {
        let mut body = body.clone();
        body[field] = value;
        let (dry, real) = (site.api.post("/referrals/convert?dryRun=true", &body).await, convert(&site, &body).await);
        assert_eq!((dry.status, &dry.text), (real.status, &real.text), "the refusal it would give: {field}");
        assert!(dry.status.is_client_error());
    }
    assert_eq!(site.database.number(rows).await, written);
    assert_eq!(
        site.api.post("/referrals/convert?dryRun=false", &json!({ "referralCode": "dry", "amount": 1 })).await.status,
        201
    );
    site.check_ledger().await;
}

#[tokio::test]
async fn listed_and_shown_with_their_evidence() {
    let site = Site::start().await;
    let affiliate = site.affiliate("listed").await;
    let click = site.api.click("listed").await;
    convert(&site, &json!({ "clickId": click, "amount": 10, "orderId": "o-1" })).await;
    let made = site.api.sale("listed", "99.99", "o-2").await;
    let conversion = made.data()["conversionId"].as_str().unwrap();
    site.api.post(&format!("/conversions/{conversion}/refunds"), &json!({ "amount": 9.99 })).await;
    let row = format!(
        r#"{{"id":"{conversion}","affiliateId":"{affiliate}","referralCode":"listed","clickId":null,"orderId":"o-2","amount":99.99,"commission":20.00,"refundedAmount":9.99,"attributedBy":"code","conflict":false,"createdAt":"2026-03-01T12:00:00Z"}}"#
    );
    let shown = site.api.get(&format!("/conversions/{conversion}")).await;
    assert_eq!(shown.text, format!(r#"{{"success":true,"data":{{"conversion":{row}}}}}"#));
    let list = site.api.get("/conversions?limit=1").await;
    assert_eq!(
        list.text,
        format!(r#"{{"success":true,"data":{{"conversions":[{row}],"total":2,"limit":1,"offset":0}}}}"#)
    );
    let older = site.api.get("/conversions?limit=1&offset=1").await;
    assert_eq!(older.data()["conversions"][0]["clickId"], *click);
    assert_eq!(older.data()["conversions"][0]["attributedBy"], "click");

    let other = site.affiliate("nothing").await;
    for (id, total) in [(affiliate.as_str(), 2), (&other, 0), ("aff_123456", 0)] {
        let list = site.api.get(&format!("/conversions?affiliateId={id}")).await;
        assert_eq!((list.status.as_u16(), &list.data()["total"]), (200, &json!(total)), "{id}");
        assert_eq!(list.data()["conversions"].as_array().unwrap().len(), total);
    }
    site.api.get("/conversions?affiliateId=conv_1").await.refuses("affiliateId");
    site.api.get("/conversions/aff_1").await.refuses("conversionId");
    site.api.get("/conversions/conv_1").await.fails(404, "resource_not_found", None);
    let (_, theirs) = site.another_program("other").await;
    theirs.get(&format!("/conversions/{conversion}")).await.fails(404, "resource_not_found", None);
    assert_eq!(theirs.get(&format!("/conversions?affiliateId={affiliate}")).await.data()["total"], 0);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_wish_to_try_is_never_taken_for_the_deed() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    let sale = json!({ "referralCode": "ANNA", "amount": 10 });
    for query in ["dryRun=1", "dryRun=TRUE", "dryRun=yes", "dryRun=", "dryRun=true&dryRun=false"] {
        site.api.post(&format!("/referrals/convert?{query}"), &sale).await.refuses("dryRun");
    }
    let abroad = json!({ "referralCode": "ANNA", "amount": 10, "currency": "EUR" });
    site.api.post("/referrals/convert", &abroad).await.refuses("currency");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 0);
    for (order, extra) in [("o-1", json!({ "currency": "usd" })), ("o-2", json!({ "currency": null }))] {
        let mut sale = json!({ "referralCode": "ANNA", "amount": 10, "orderId": order });
        sale["currency"] = extra["currency"].clone();
        assert_eq!(site.api.post("/referrals/convert?dryRun=false", &sale).await.status, 201);
    }
}

#[tokio::test]
async fn a_sale_is_found_by_its_order() {
    let site = Site::start().await;
    let (anna, bert) = (site.affiliate("ANNA").await, site.affiliate("BERT").await);
    for order in ["o-1", "o 2/ö"] {
        site.api.sale("ANNA", "10", order).await.data();
    }
    let found = async |query: &str| {
        let answer = site.api.get(&format!("/conversions?{query}")).await;
        let orders: Vec<_> =
            answer.data()["conversions"].as_array().unwrap().iter().map(|one| one["orderId"].clone()).collect();
        assert_eq!(answer.data()["total"], if query.contains("offset") { 1 } else { orders.len() });
        orders
    };
    assert_eq!(found("orderId=o%202%2F%C3%B6").await, ["o 2/ö"]);
    assert_eq!(found(&format!("orderId=o-1&affiliateId={anna}")).await, ["o-1"]);
    assert!(found(&format!("orderId=o-1&affiliateId={bert}")).await.is_empty());
    assert!(found("orderId=o-1&offset=1").await.is_empty());
    assert!(found("orderId=O-1").await.is_empty());
}
