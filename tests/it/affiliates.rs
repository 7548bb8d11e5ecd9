//! Affiliates: created, listed and shown. What changes about them is told in `affiliate_changes`.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

/// The id of an affiliate that was made.
fn id(made: &Answer) -> &str {
    assert_eq!(made.status, 201, "{made:?}");
    made.data()["affiliate"]["id"].as_str().unwrap()
}

async fn create(site: &Site, body: &Value) -> Answer {
    site.api.post("/affiliates", body).await
}

#[tokio::test]
async fn the_references_own_example() {
    let site = Site::start().await;
    let made = create(&site, &json!({ "email": "affiliate@example.com", "name": "John Doe" })).await;
    let id = id(&made);
    assert_eq!(
        made.text,
        format!(
            r#"{{"success":true,"data":{{"affiliate":{{"id":"{id}","email":"affiliate@example.com","name":"John Doe","status":"active","createdAt":"2026-03-01T12:00:00Z","referralCode":"JOHNDOE10"}}}}}}"#
        )
    );
    assert!(id.starts_with("aff_"));
    assert_eq!(made.header("location"), format!("/v1/affiliates/{id}"));
    assert_eq!(made.header("content-type"), "application/json");
    assert!(made.header("x-request-id").starts_with("req_"));
    site.check_ledger().await;
}

/// Three clicks, a sale of 99.99 that is approved and one of 10.00 that is paid.
async fn earner(site: &Site) -> String {
    let affiliate = site.affiliate("Earner").await;
    for _ in 0..3 {
        site.api.click("EARNER").await;
    }
    site.api.sale("Earner", "99.99", "o-1").await;
    let approved = site.api.newest_commission(&affiliate).await;
    assert_eq!(site.api.decide(&approved, "approved").await.status, 200);
    site.api.sale("Earner", "10", "o-2").await;
    let paid = site.api.newest_commission(&affiliate).await;
    assert_eq!(site.api.decide(&paid, "paid").await.status, 200);
    affiliate
}

#[tokio::test]
async fn the_list_carries_the_references_fields_in_their_order() {
    let site = Site::start().await;
    let affiliate = earner(&site).await;
    let list = site.api.get("/affiliates").await;
    assert_eq!(list.status, 200);
    assert_eq!(
        list.text,
        format!(
            r#"{{"success":true,"data":{{"affiliates":[{{"id":"{affiliate}","email":"Earner@example.com","name":"Earner","status":"active","createdAt":"2026-03-01T12:00:00Z","totalEarnings":22.00,"pendingEarnings":20.00,"paidEarnings":2.00,"conversionRate":0.6667,"clickCount":3,"conversionCount":2}}],"total":1,"limit":20,"offset":0}}}}"#
        )
    );
    site.check_ledger().await;
}

#[tokio::test]
async fn one_affiliate_adds_code_and_payment_method() {
    let site = Site::start().await;
    let affiliate = earner(&site).await;
    let expected = |method: &str, details: &str| {
        format!(
            r#"{{"success":true,"data":{{"affiliate":{{"id":"{affiliate}","email":"Earner@example.com","name":"Earner","status":"active","createdAt":"2026-03-01T12:00:00Z","totalEarnings":22.00,"pendingEarnings":20.00,"paidEarnings":2.00,"conversionRate":0.6667,"clickCount":3,"conversionCount":2,"referralCode":"Earner","paymentMethod":{method},"paymentDetails":{details}}}}}}}"#
        )
    };
    assert_eq!(site.api.get(&format!("/affiliates/{affiliate}")).await.text, expected("null", "null"));
    let change = json!({ "paymentMethod": "paypal", "paymentDetails": "affiliate@example.com" });
    let changed = site.api.patch(&format!("/affiliates/{affiliate}"), &change).await;
    assert_eq!(changed.text, expected(r#""paypal""#, r#""affiliate@example.com""#));
    assert_eq!(site.api.get(&format!("/affiliates/{affiliate}")).await.text, changed.text);
}

#[tokio::test]
async fn nobody_yet_is_an_empty_list() {
    let site = Site::start().await;
    let list = site.api.get("/affiliates").await;
    assert_eq!(list.text, r#"{"success":true,"data":{"affiliates":[],"total":0,"limit":20,"offset":0}}"#);
}

#[tokio::test]
async fn without_clicks_the_rate_is_0_and_it_may_exceed_1() {
    let site = Site::start().await;
    let affiliate = site.affiliate("rated").await;
    let path = format!("/affiliates/{affiliate}");
    site.api.sale("rated", "1", "o-1").await;
    assert!(site.api.get(&path).await.text.contains(r#""conversionRate":0,"clickCount":0,"conversionCount":1"#));
    site.api.click("rated").await;
    site.api.sale("rated", "1", "o-2").await;
    assert!(site.api.get(&path).await.text.contains(r#""conversionRate":2,"clickCount":1,"conversionCount":2"#));
}

#[tokio::test]
async fn the_newest_come_first_and_pages_join_without_a_gap() {
    let site = Site::start().await;
    let mut ids = Vec::new();
    for n in 0..25 {
        // All within one millisecond of the clock: ties are broken by the id, higher first.
        ids.push(site.affiliate(&format!("code{n}")).await);
    }
    ids.reverse();
    let mut seen = Vec::new();
    for offset in [0, 10, 20] {
        let list = site.api.get(&format!("/affiliates?limit=10&offset={offset}")).await;
        assert_eq!(list.data()["total"], 25);
        assert_eq!(list.data()["offset"], offset);
        let page = list.data()["affiliates"].as_array().unwrap().clone();
        seen.extend(page.iter().map(|row| row["id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, ids);
    let by_default = site.api.get("/affiliates").await;
    assert_eq!(by_default.data()["affiliates"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_list_takes_its_window_or_names_what_is_wrong_with_it() {
    let site = Site::start().await;
    site.affiliate("only").await;
    for list in ["/affiliates", "/commissions", "/conversions"] {
        for limit in ["101", "5000", "9223372036854775807"] {
            let answer = site.api.get(&format!("{list}?limit={limit}")).await;
            assert_eq!(answer.data()["limit"], 100, "{list}: {limit}");
        }
        for limit in ["0", "-1", "abc", "1.5", "", "9223372036854775808", "1e2", "%00", "10%20"] {
            site.api.get(&format!("{list}?limit={limit}")).await.refuses("limit");
        }
        for offset in ["-1", "abc", "0.5", "", "9223372036854775808", "--1"] {
            site.api.get(&format!("{list}?offset={offset}")).await.refuses("offset");
        }
        let beyond = site.api.get(&format!("{list}?limit=100&offset=9223372036854775807")).await;
        let rows = beyond.data().as_object().unwrap().values().next().unwrap();
        assert_eq!(rows, &json!([]), "{list}");
        assert_eq!(beyond.data()["total"], i64::from(list == "/affiliates"));
        assert_eq!(beyond.data()["offset"], 9_223_372_036_854_775_807_i64);
        let unknown = site.api.get(&format!("{list}?sort=name&limit=1&%ff=%00&x")).await;
        assert_eq!(unknown.data()["limit"], 1, "{list}: unknown parameters are ignored");
    }
}

#[tokio::test]
async fn a_status_filters_the_list_and_its_total() {
    let site = Site::start().await;
    let mut ids = Vec::new();
    for (code, status) in [("aaa", "active"), ("bbb", "pending"), ("ccc", "blocked"), ("ddd", "active")] {
        let id = site.affiliate(code).await;
        site.set_affiliate(&id, status).await;
        ids.push(id);
    }
    for (status, expected) in
        [("active", vec![&ids[3], &ids[0]]), ("pending", vec![&ids[1]]), ("blocked", vec![&ids[2]])]
    {
        let list = site.api.get(&format!("/affiliates?status={status}&limit=1")).await;
        assert_eq!(list.data()["total"], expected.len());
        assert_eq!(list.data()["affiliates"][0]["id"], *expected[0]);
        assert_eq!(list.data()["affiliates"][0]["status"], status);
        let next = site.api.get(&format!("/affiliates?status={status}&limit=1&offset=1")).await;
        assert_eq!(next.data()["affiliates"].as_array().unwrap().len(), expected.len() - 1);
    }
    for status in ["Active", "paid", "", "active,pending", "active%00"] {
        site.api.get(&format!("/affiliates?status={status}")).await.refuses("status");
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn ids_are_malformed_or_unknown() {
    let site = Site::start().await;
    let (_, theirs) = site.another_program("other").await;
    let foreign = theirs.affiliate("foreign").await;
    for malformed in
        ["123456", "comm_123456", "aff_", "AFF_123456", "aff_12%2034", "aff_%00", "%ff", "aff_é", "aff_1'--"]
    {
        let answer = site.api.get(&format!("/affiliates/{malformed}")).await;
        answer.refuses("affiliateId");
        let error = answer.text.split_once(r#""error":"#).unwrap().1;
        assert_eq!(
            error,
            r#"{"code":"invalid_request","message":"Invalid affiliate ID format","details":{"field":"affiliateId","issue":"must be a string beginning with 'aff_'"}}}"#
        );
    }
    for unknown in ["aff_123456", "aff_zzzzzzzzzzzzz", "aff_0000000000001", &foreign] {
        let answer = site.api.get(&format!("/affiliates/{unknown}")).await;
        answer.fails(404, "resource_not_found", None);
        assert!(!answer.text.contains("details"), "{answer:?}");
        site.api.patch(&format!("/affiliates/{unknown}"), &json!({})).await.fails(404, "resource_not_found", None);
    }
    assert_eq!(theirs.get(&format!("/affiliates/{foreign}")).await.status, 200);
}

#[tokio::test]
async fn an_address_is_trimmed_echoed_and_unique_in_any_case() {
    let site = Site::start().await;
    let made = create(&site, &json!({ "email": " \tJohn.Doe+x@Example.COM\n ", "name": "J" })).await;
    id(&made);
    assert_eq!(made.data()["affiliate"]["email"], "John.Doe+x@Example.COM");
    for taken in ["john.doe+x@example.com", "JOHN.DOE+X@EXAMPLE.COM", " John.Doe+x@Example.COM"] {
        create(&site, &json!({ "email": taken, "name": "J" })).await.refuses("email");
    }
    for malformed in ["", " ", "x", "x@", "@example.com", "a b@example.com", "a@b", "a@@example.com", "a@exa mple.com"]
    {
        create(&site, &json!({ "email": malformed, "name": "J" })).await.refuses("email");
    }
    let long = |local: usize, domain: usize| {
        format!("{}@{}example.com", "l".repeat(local), format!("{}.", "d".repeat(9)).repeat(domain))
    };
    // 64 + 1 + 170 + 11 and 64 + 1 + 190 + 11 characters.
    create(&site, &json!({ "email": long(64, 19), "name": "J" })).await.refuses("email");
    id(&create(&site, &json!({ "email": long(64, 17), "name": "J" })).await);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates").await, 2);
    let (_, theirs) = site.another_program("other").await;
    let elsewhere = theirs.post("/affiliates", &json!({ "email": "john.doe+x@example.com", "name": "J" })).await;
    assert_eq!(elsewhere.status, 201, "unique in the program only: {elsewhere:?}");
    site.check_ledger().await;
}

#[tokio::test]
async fn required_fields_are_named_in_turn() {
    let site = Site::start().await;
    create(&site, &json!({})).await.refuses("email");
    create(&site, &json!({ "email": null, "name": "J" })).await.refuses("email");
    create(&site, &json!({ "email": "j@example.com" })).await.refuses("name");
    create(&site, &json!({ "email": "j@example.com", "name": null })).await.refuses("name");
    for (field, value) in [
        ("email", json!(1)),
        ("name", json!(["J"])),
        ("referralCode", json!(12345)),
        ("customFields", json!("x")),
        ("customFields", json!([])),
        ("customFields", json!(true)),
    ] {
        let mut body = json!({ "email": "j@example.com", "name": "J" });
        body[field] = value;
        create(&site, &body).await.refuses(field);
    }
    let nulls = json!({ "email": "j@example.com", "name": "J", "referralCode": null, "customFields": null, "x": [1] });
    id(&create(&site, &nulls).await);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates").await, 1);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM codes").await, 1);
}

#[tokio::test]
async fn a_name_is_1_to_200_characters_stored_as_given() {
    let site = Site::start().await;
    let named = |n: usize, name: &str| json!({ "email": format!("n{n}@example.com"), "name": name });
    for (n, name) in ["J", " J ", &"é".repeat(200), "<b>李雷 \u{1f600}</b>", "two\nlines\tand"].into_iter().enumerate()
    {
        let made = create(&site, &named(n, name)).await;
        let id = id(&made);
        assert_eq!(made.data()["affiliate"]["name"], *name);
        assert_eq!(site.api.get(&format!("/affiliates/{id}")).await.data()["affiliate"]["name"], *name);
    }
    for name in ["", " ", " \t\n ", &"é".repeat(201), "a\u{0}", "a\r", "\u{1b}[31m", "\u{7f}"] {
        create(&site, &named(99, name)).await.refuses("name");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates").await, 5);
}

#[tokio::test]
async fn a_code_is_kept_as_typed_and_taken_in_any_case() {
    let site = Site::start().await;
    let coded =
        |n: usize, code: &str| json!({ "email": format!("c{n}@example.com"), "name": "C", "referralCode": code });
    for (n, code) in ["abc", "John_Doe-1", &"x".repeat(32), "___"].into_iter().enumerate() {
        assert_eq!(create(&site, &coded(n, code)).await.data()["affiliate"]["referralCode"], *code);
    }
    for code in ["ABC", "john_doe-1", "", "ab", "a b", "abc!", "äbc", "abc\n", " abc", &"x".repeat(33)] {
        create(&site, &coded(99, code)).await.refuses("referralCode");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates").await, 4, "a refused code makes nobody");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM codes").await, 4);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_code_is_made_from_the_name() {
    let site = Site::start().await;
    for (n, (name, base)) in
        [("John Doe", "JOHNDOE"), ("john doe", "JOHNDOE"), ("Zoë O'Neil 3rd", "ZOEONEIL3RD"), ("李雷", "")]
            .into_iter()
            .enumerate()
    {
        let made = create(&site, &json!({ "email": format!("m{n}@example.com"), "name": name })).await;
        let code = made.data()["affiliate"]["referralCode"].as_str().unwrap();
        let digits = code.strip_prefix(base).unwrap().trim_start_matches(|c: char| c.is_ascii_uppercase());
        assert!(digits.len() >= 2 && digits.bytes().all(|b| b.is_ascii_digit()), "{code}");
        assert!((3..=32).contains(&code.len()), "{code}");
        site.api.click(code).await;
    }
}

#[tokio::test]
async fn thirty_of_one_name_at_once_each_get_a_code_of_their_own() {
    let site = Site::start().await;
    let create = |n: usize| {
        let api = site.api.clone();
        async move { api.post("/affiliates", &json!({ "email": format!("j{n}@example.com"), "name": "John Doe" })).await }
    };
    let answers = futures_util::future::join_all((0..30).map(create)).await;
    let mut codes: Vec<_> = answers.iter().map(|made| made.data()["affiliate"]["referralCode"].to_string()).collect();
    codes.sort();
    codes.dedup();
    assert_eq!(codes.len(), 30);
    site.check_ledger().await;
}

#[tokio::test]
async fn custom_fields_have_50_keys_and_10240_bytes() {
    let site = Site::start().await;
    let body = |n: usize, fields: &str| format!(r#"{{"email":"f{n}@example.com","name":"F","customFields":{fields}}}"#);
    let keys = |n: usize| {
        let list: Vec<String> = (0..n).map(|n| format!(r#""k{n}":{n}"#)).collect();
        format!("{{{}}}", list.join(","))
    };
    let bytes = |n: usize| format!(r#"{{"k":"{}"}}"#, "x".repeat(n - 8));
    assert_eq!(bytes(10_240).len(), 10_240);
    let nested = format!(r#"{{"k":{}}}"#, keys(60));
    for (n, fields) in ["{}", "null", &keys(50), &bytes(10_240), &nested].into_iter().enumerate() {
        id(&site.api.raw(reqwest::Method::POST, "/affiliates", body(n, fields)).await);
    }
    for fields in [keys(51), bytes(10_241), r#"{"a":1,"a":2}"#.to_owned(), r#"{"a":"\u0000"}"#.to_owned()] {
        site.api.raw(reqwest::Method::POST, "/affiliates", body(99, &fields)).await.refuses("customFields");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates").await, 5);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM affiliates WHERE custom_fields = '{}'").await, 2);
}

#[tokio::test]
async fn twenty_creations_of_one_address_make_one_affiliate() {
    let site = Site::start().await;
    let create = |_| {
        let api = site.api.clone();
        async move { api.post("/affiliates", &json!({ "email": "One@example.com", "name": "One" })).await }
    };
    let answers = futures_util::future::join_all((0..20).map(create)).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    answers.iter().filter(|answer| answer.status != 201).for_each(|answer| answer.refuses("email"));
    assert_eq!(site.api.get("/affiliates").await.data()["total"], 1);
    site.check_ledger().await;
}
