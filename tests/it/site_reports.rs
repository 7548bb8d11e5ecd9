//! What the script on a merchant's site reports: clicks and customers, from the program's own pages only.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::{Answer, Site};

const SHOP: &str = "https://shop.example";
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CLICKS: &str = "SELECT COUNT(*) FROM clicks";
const CUSTOMERS: &str = "SELECT COUNT(*) FROM customers";

/// A report as the script sends it; headers given here come instead of its own.
async fn report(site: &Site, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Client::new().post(site.url(path)).body(body.to_owned());
    for (name, value) in [("origin", SHOP), ("user-agent", BROWSER), ("content-type", "text/plain;charset=UTF-8")] {
        if !headers.iter().any(|(own, _)| *own == name) {
            request = request.header(name, value);
        }
    }
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn click(site: &Site, mut body: Value) -> Answer {
    body["program"] = json!("acme");
    report(site, "/t/click", &body.to_string(), &[]).await
}

async fn lead(site: &Site, mut body: Value) -> Answer {
    body["program"] = json!("acme");
    report(site, "/t/lead", &body.to_string(), &[]).await
}

fn id(answer: &Answer) -> String {
    answer.json["click"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

/// Answered, with neither click nor cookie.
fn is_nothing(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), &answer.json["click"]), (200, &Value::Null), "{answer:?}");
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
}

#[tokio::test]
async fn the_script_is_small_and_lies_in_any_cache() {
    let site = Site::start().await;
    let get = async |headers: &[(&str, &str)]| {
        let mut request = Client::new().get(site.url("/t.js"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    };
    for encoding in ["br", "gzip"] {
        let script = get(&[("accept-encoding", encoding)]).await;
        assert_eq!(script.headers()["content-encoding"], encoding);
        let length = script.bytes().await.unwrap().len();
        assert!(length <= 3_072, "{length} bytes of {encoding}");
    }
    let script = get(&[]).await;
    assert_eq!(script.headers()["content-type"], "text/javascript; charset=utf-8");
    assert_eq!(script.headers()["cross-origin-resource-policy"], "cross-origin");
    assert!(script.headers()["cache-control"].to_str().unwrap().starts_with("public, max-age=3600"));
    let tag = script.headers()["etag"].to_str().unwrap().to_owned();
    let same = get(&[("if-none-match", &tag)]).await;
    assert_eq!((same.status().as_u16(), same.bytes().await.unwrap().len()), (304, 0));
    assert_eq!(get(&[("if-none-match", "W/\"other\"")]).await.status(), 200);
}

#[tokio::test]
async fn a_landing_is_a_click_with_all_that_it_told() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let landed = json!({
        "page": "https://shop.example/coffee?secret=1", "from": "https://blog.example/post",
        "query": { "page": "three", "via": "anna", "utm_source": "blog", "s2": "side<bar>", "token": "secret" },
        "names": "page,via,GCLID,utm_source,s2,token",
    });
    let made = click(&site, landed).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.header("access-control-allow-origin"), SHOP);
    assert_eq!((made.header("access-control-allow-credentials"), made.header("vary")), ("true", "Origin"));
    assert_eq!(made.header("cache-control"), "no-store");
    let found = id(&made);
    assert_eq!((&made.json["domain"], &made.json["age"]), (&json!("shop.example"), &json!(5_184_000)));
    let cookie = made.header("set-cookie");
    assert_eq!(cookie, format!("offshoot_acme={found}; Path=/; Max-Age=5184000; HttpOnly; SameSite=Lax"));
    for (column, text) in [
        ("source_id", "https://blog.example/post"),
        ("landing_id", "https://shop.example/coffee?ad=gclid&utm_source=blog&s2=side%3Cbar%3E"),
        ("user_agent_id", BROWSER),
    ] {
        let sql = format!("SELECT COUNT(*) FROM clicks c JOIN texts t ON t.id = c.{column} WHERE t.text = '{text}'");
        assert_eq!(site.database.number(&sql).await, 1, "{column}");
    }
    let sale = site.api.post("/referrals/convert", &json!({ "clickId": found, "amount": 10 })).await;
    assert_eq!(sale.data()["affiliateId"], json!(anna));

    // The same browser within the hour, however its address is written now.
    assert_eq!(id(&click(&site, json!({ "query": { "ref": "ANNA" } })).await), found);
    // And with the click that it has, by its own word or its cookie's.
    assert_eq!(id(&click(&site, json!({ "click": found })).await), found);
    let body = json!({ "program": "acme" }).to_string();
    let known = report(&site, "/t/click", &body, &[("cookie", &format!("offshoot_acme={found}"))]).await;
    assert_eq!(id(&known), found);
    assert_eq!(site.database.number(CLICKS).await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn over_https_the_cookie_is_the_hosts_own() {
    let site = Site::with(&[("OFFSHOOT_BASE_URL", "https://portal.example"), ("OFFSHOOT_RATE_LIMIT", "0")]).await;
    site.affiliate("ANNA").await;
    let body = json!({ "program": "acme", "query": { "ref": "ANNA" } }).to_string();
    let made = report(&site, "/t/click", &body, &[("sec-fetch-site", "cross-site")]).await;
    let found = id(&made);
    assert_eq!(
        made.header("set-cookie"),
        format!("__Host-offshoot_acme={found}; Path=/; Max-Age=5184000; HttpOnly; SameSite=None; Secure; Partitioned")
    );
    let own = report(&site, "/t/click", &body, &[("sec-fetch-site", "same-origin")]).await;
    assert!(own.header("set-cookie").ends_with("; SameSite=Lax; Secure"), "{own:?}");
    // A name that any page below the domain could have set is not believed.
    let body = json!({ "program": "acme" }).to_string();
    is_nothing(&report(&site, "/t/click", &body, &[("cookie", &format!("offshoot_acme={found}"))]).await);
    let known = report(&site, "/t/click", &body, &[("cookie", &format!("__Host-offshoot_acme={found}"))]).await;
    assert_eq!(id(&known), found);
}

#[tokio::test]
async fn unknown_blocked_and_crawling_is_nothing() {
    let site = Site::start().await;
    let (anna, _) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let (_, other) = site.another_program("other").await;
    other.affiliate("ELSE").await;
    let theirs = other.click("ELSE").await;
    site.set_affiliate(&anna, "blocked").await;
    for query in [
        json!({ "ref": "ANNA" }),
        json!({ "ref": "NOBODY" }),
        json!({ "ref": "ELSE" }),
        json!({ "partner": "BEN" }),
        json!({ "REF": "BEN" }),
        json!({ "ref": "<script>", "via": "'; DROP TABLE clicks; --" }),
        json!({ "ref": ["BEN"], "via": { "x": "BEN" } }),
        json!({ "__proto__": "BEN", "constructor": "BEN" }),
        json!({}),
    ] {
        is_nothing(&click(&site, json!({ "query": query })).await);
    }
    for id in [theirs.as_str(), "click_zzzzzzzzzzzzz", "click_0000000000000", "aff_1", "", "click_"] {
        is_nothing(&click(&site, json!({ "click": id })).await);
    }
    let body = json!({ "program": "acme", "query": { "ref": "BEN" } }).to_string();
    is_nothing(&report(&site, "/t/click", &body, &[("user-agent", "Mozilla/5.0 (compatible; bingbot/2.0)")]).await);
    for cookie in [format!("offshoot_other={theirs}"), format!("offshoot_acme={theirs}")] {
        let body = json!({ "program": "acme" }).to_string();
        is_nothing(&report(&site, "/t/click", &body, &[("cookie", &cookie)]).await);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks").await, 1, "of the other program");
    // A parameter that means something else does not hide the one that follows.
    id(&click(&site, json!({ "query": { "ref": "producthunt", "via": "BEN" } })).await);
    site.check_ledger().await;
}

#[tokio::test]
async fn only_the_programs_own_pages_may_report() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    let body = json!({ "program": "acme", "query": { "ref": "ANNA" } }).to_string();
    for origin in [
        "https://evil.example",
        "https://shop.example.evil.example",
        "https://evilshop.example",
        "null",
        "",
        "https://shop.example/",
        "https://shop.example, https://evil.example",
        "file://shop.example",
    ] {
        for path in ["/t/click", "/t/lead"] {
            let refused = report(&site, path, &body, &[("origin", origin)]).await;
            assert_eq!(refused.status, 403, "{origin}: {refused:?}");
            assert!(!refused.headers.contains_key("access-control-allow-origin"), "{origin}");
            assert!(!refused.headers.contains_key("set-cookie"), "{origin}");
        }
    }
    assert_eq!(site.database.number(CLICKS).await, 0);
    for origin in ["https://www.shop.example", "http://shop.example:8080"] {
        let made = report(&site, "/t/click", &body, &[("origin", origin)]).await;
        assert_eq!(made.header("access-control-allow-origin"), origin, "exactly");
    }

    let ask = async |path: &str, origin: &str| {
        let request = Client::new().request(Method::OPTIONS, site.url(path)).header("origin", origin);
        Answer::of(request.header("access-control-request-method", "POST").send().await.unwrap()).await
    };
    let allowed = ask("/t/click?program=acme", SHOP).await;
    assert_eq!((allowed.status.as_u16(), allowed.header("access-control-allow-origin")), (204, SHOP));
    assert_eq!(allowed.header("access-control-allow-headers"), "content-type");
    for (path, origin) in
        [("/t/click?program=acme", "https://evil.example"), ("/t/click", SHOP), ("/t/lead?program=nobody", SHOP)]
    {
        let refused = ask(path, origin).await;
        assert!(!refused.headers.contains_key("access-control-allow-origin"), "{path} {origin}");
    }
}

#[tokio::test]
async fn what_is_too_much_or_no_report_is_refused() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for (body, status) in [
        (String::new(), 400),
        ("{".into(), 400),
        ("[]".into(), 400),
        (r#"{"program":1}"#.into(), 400),
        (r#"{"query":{}}"#.into(), 400),
        (r#"{"program":"nobody"}"#.into(), 404),
        (r#"{"program":"acme","query":"ref=ANNA"}"#.into(), 400),
        (format!(r#"{{"program":"acme","page":"{}"}}"#, "x".repeat(9_000)), 413),
    ] {
        let refused = report(&site, "/t/click", &body, &[]).await;
        assert_eq!(refused.status.as_u16(), status, "{body}: {refused:?}");
        assert!(!refused.headers.contains_key("set-cookie"));
    }
    // As many parameters as fit: those after the first sixty are not looked at.
    let mut query: serde_json::Map<String, Value> = (0..80).map(|n| (format!("p{n}"), json!("x"))).collect();
    query.insert("ref".into(), json!("ANNA"));
    is_nothing(&click(&site, json!({ "query": query })).await);
    let hostile = json!({ "page": "javascript:alert(1)", "from": "\u{202E}<b>", "query": { "ref": "ANNA", "utm_x": "é".repeat(900) } });
    id(&click(&site, hostile).await);
    assert_eq!(site.database.number(CLICKS).await, 1);
    assert_eq!(Client::new().get(site.url("/t/click")).send().await.unwrap().status(), 405);

    for n in 0..700 {
        let answer = report(&site, "/t/click", r#"{"program":"acme"}"#, &[]).await;
        if answer.status == 429 {
            assert!(n > 500 && !answer.header("retry-after").is_empty(), "after {n}");
            return;
        }
    }
    panic!("there is a limit");
}

#[tokio::test]
async fn a_program_that_asks_for_consent_gets_nothing_before_it() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    let needed = format!("INSERT INTO tracking_settings VALUES ({}, 'fpr,ref', {})", site.program.id.raw(), "TRUE");
    site.database.execute(&needed).await.unwrap();
    for consent in [json!({}), json!({ "consent": "no" }), json!({ "consent": true })] {
        let mut body = json!({ "query": { "fpr": "ANNA" } });
        body.as_object_mut().unwrap().extend(consent.as_object().unwrap().clone());
        let told = click(&site, body).await;
        is_nothing(&told);
        assert_eq!(told.json["wait"], true);
    }
    assert_eq!(site.database.number(CLICKS).await, 0);
    let found = id(&click(&site, json!({ "query": { "fpr": "ANNA" }, "consent": "yes" })).await);
    let customer = json!({ "click": found, "id": "c1" });
    assert_eq!(lead(&site, customer.clone()).await.json["bound"], false);
    assert_eq!(site.database.number(CUSTOMERS).await, 0);
    let mut agreed = customer;
    agreed["consent"] = json!("yes");
    assert_eq!(lead(&site, agreed).await.json["bound"], true);
    let forgotten = click(&site, json!({ "click": found, "forget": "yes" })).await;
    assert!(forgotten.header("set-cookie").starts_with("offshoot_acme=; Path=/; Max-Age=0"), "{forgotten:?}");
}

#[tokio::test]
async fn a_customer_is_bound_once_to_whose_click_it_was() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let (annas, bens) = (site.api.click("ANNA").await, site.api.click("BEN").await);
    let bound = lead(&site, json!({ "click": annas, "id": 42, "email": "Zoe@Example.com" })).await;
    assert_eq!((bound.status.as_u16(), &bound.json["bound"]), (200, &json!(true)), "{bound:?}");
    assert_eq!(bound.header("access-control-allow-origin"), SHOP);
    let of = async |affiliate: &str| {
        let id = offshoot::domain::id::AffiliateId::parse(affiliate).unwrap().raw();
        site.database.number(&format!("SELECT COUNT(*) FROM customers WHERE affiliate_id = {id}")).await
    };
    assert_eq!(of(&anna).await, 1, "by the id and by the address");
    assert_eq!(lead(&site, json!({ "click": bens, "id": "42", "email": "zoe@example.com" })).await.json["bound"], true);
    assert_eq!((of(&anna).await, of(&ben).await), (1, 0), "nobody is taken away, and nobody is told");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM customers WHERE identity LIKE '%zoe%'").await, 0);

    let cookie = format!("offshoot_acme={bens}");
    let body = json!({ "program": "acme", "id": "from a cookie" }).to_string();
    assert_eq!(report(&site, "/t/lead", &body, &[("cookie", &cookie)]).await.json["bound"], true);
    assert_eq!(of(&ben).await, 1);

    // A list of other people's addresses is not a household.
    for n in 0..20 {
        lead(&site, json!({ "click": bens, "email": format!("p{n}@example.com") })).await;
    }
    assert_eq!(of(&ben).await, 6);
    for wrong in [json!({}), json!({ "id": "" }), json!({ "email": "nobody" }), json!({ "id": "x".repeat(300) })] {
        let mut body = wrong;
        body["click"] = json!(annas);
        assert_eq!(lead(&site, body.clone()).await.status, 400, "{body}");
    }
    let two_at_once = futures_util::future::join_all(
        [&annas, &bens].map(|click| lead(&site, json!({ "click": click, "id": "raced" }))),
    );
    assert!(two_at_once.await.iter().all(|one| one.json["bound"] == true));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM customers WHERE identity = 'id:raced'").await, 1);

    let before = site.database.number(CUSTOMERS).await;
    site.set_affiliate(&anna, "blocked").await;
    assert_eq!(lead(&site, json!({ "click": annas, "id": "late" })).await.json["bound"], false);
    site.set_affiliate(&anna, "active").await;
    site.advance_seconds(61 * 86_400);
    assert_eq!(lead(&site, json!({ "click": annas, "id": "late" })).await.json["bound"], false);
    assert_eq!(lead(&site, json!({ "id": "nobody's" })).await.json["bound"], false);
    assert_eq!(site.database.number(CUSTOMERS).await, before);
    site.check_ledger().await;
}

#[tokio::test]
async fn where_the_first_is_credited_a_visitor_keeps_the_click_that_they_had() {
    let site = Site::start().await;
    for code in ["ANNA", "BEN"] {
        site.affiliate(code).await;
    }
    site.database.execute("UPDATE programs SET touch = 'first'").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    let first = id(&click(&site, json!({ "query": { "ref": "ANNA" } })).await);
    // By a code in the address, and by a link through the portal.
    let coded = click(&site, json!({ "query": { "ref": "BEN" }, "had": first })).await;
    assert_eq!(id(&coded), first);
    assert_eq!(site.database.number(CLICKS).await, 2, "it counts all the same");
    let bens = site.api.click("BEN").await;
    assert_eq!(id(&click(&site, json!({ "click": bens, "had": first })).await), first);
    for unknown in [json!(null), json!("click_zzzzzzzzzzzzz"), json!("first")] {
        assert_eq!(id(&click(&site, json!({ "click": bens, "had": unknown })).await), bens, "{unknown}");
    }
}
