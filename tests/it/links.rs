//! Affiliates' links: a click counted, a cookie set, and the visitor always arrives.

use reqwest::{Client, Method, redirect::Policy};
use serde_json::json;

use crate::support::{Answer, Site, browser::encoded};

async fn ask(site: &Site, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let mut request = client.request(method, site.url(path));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn visit(site: &Site, path: &str) -> Answer {
    ask(site, Method::GET, path, &[]).await
}

fn click_of(answer: &Answer) -> &str {
    let (_, click) = answer.header("location").split_once("clickId=").unwrap_or_else(|| panic!("{answer:?}"));
    click.split(['&', '#']).next().unwrap()
}

async fn clicks(site: &Site, affiliate: &str) -> i64 {
    let shown = site.api.get(&format!("/affiliates/{affiliate}")).await;
    shown.data()["affiliate"]["clickCount"].as_i64().unwrap()
}

/// To the landing page as it is, with neither a click nor a cookie.
fn arrives_without_a_click(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (302, "https://shop.example/start"), "{answer:?}");
    assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
}

#[tokio::test]
async fn a_followed_link_counts_a_click_that_can_be_converted() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let arrived = visit(&site, "/r/acme/ANNA").await;
    assert_eq!(arrived.status, 302);
    assert!(arrived.header("location").starts_with("https://shop.example/start?clickId=click_"));
    assert_eq!(arrived.header("cache-control"), "no-store");
    let cookie = arrived.header("set-cookie");
    let click = click_of(&arrived).to_owned();
    assert!(cookie.starts_with(&format!("offshoot_acme={click}; ")), "{cookie}");
    for part in ["Path=/", "Max-Age=5184000", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{part} in {cookie}");
    }
    let sale = site.api.post("/referrals/convert", &json!({ "clickId": click, "amount": 10, "orderId": "1" })).await;
    assert_eq!((sale.status.as_u16(), &sale.data()["affiliateId"]), (201, &json!(anna)));
    assert_eq!(clicks(&site, &anna).await, 1);
    site.check_ledger().await;
}

#[tokio::test]
async fn codes_work_in_any_case_and_after_they_were_given_up() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let renamed = site.api.patch(&format!("/affiliates/{anna}"), &json!({ "referralCode": "Annika" })).await;
    assert_eq!(renamed.status, 200);
    for code in ["ANNA", "anna", "aNnA", "Annika", "ANNIKA"] {
        click_of(&visit(&site, &format!("/r/acme/{code}")).await);
    }
    assert_eq!(clicks(&site, &anna).await, 5);
}

#[tokio::test]
async fn unknown_and_blocked_codes_arrive_too_but_count_nothing() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    site.set_affiliate(&anna, "blocked").await;
    site.set_affiliate(&ben, "pending").await;
    for code in ["ANNA", "NOBODY", "x", "%00", "%ff", &"y".repeat(200), "a%2Fb", "<script>"] {
        arrives_without_a_click(&visit(&site, &format!("/r/acme/{code}")).await);
    }
    click_of(&visit(&site, "/r/acme/BEN").await);
    assert_eq!((clicks(&site, &anna).await, clicks(&site, &ben).await), (0, 1));
    assert_eq!(visit(&site, "/r/nobody/ANNA").await.status, 404);
    site.check_ledger().await;
}

#[tokio::test]
async fn deep_links_stay_inside_the_programs_domains() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for to in ["https://shop.example/a?b=1", "http://shop.example/", "https://www.shop.example/x"] {
        let arrived = visit(&site, &format!("/r/acme/ANNA?to={}", encoded(to))).await;
        assert!(arrived.header("location").starts_with(to), "{to}: {arrived:?}");
        click_of(&arrived);
    }
    let there = visit(&site, &format!("/r/acme/NOBODY?to={}", encoded("https://shop.example/a"))).await;
    assert_eq!(there.header("location"), "https://shop.example/start", "nobody's link leads nowhere in particular");
    let crawled = "/r/acme/ANNA?to=https%3A%2F%2Fshop.example%2Fa";
    let ahead =
        Client::builder().redirect(Policy::none()).build().unwrap().head(site.url(crawled)).send().await.unwrap();
    assert_eq!(ahead.headers()["location"], "https://shop.example/a");
    for to in [
        "https://evil.example/",
        "//evil.example",
        "https://shop.example.evil.example/",
        "https://evilshop.example/",
        "https://shop.example@evil.example/",
        "javascript:alert(1)",
        "/local",
        "https://shop.example\\.evil.example/",
        "https://shop.example/\r\nset-cookie: a=b",
        "",
    ] {
        let arrived = visit(&site, &format!("/r/acme/ANNA?to={}", encoded(to))).await;
        assert!(arrived.header("location").starts_with("https://shop.example/start?clickId="), "{to}: {arrived:?}");
    }
}

#[tokio::test]
async fn looking_ahead_is_not_a_click() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    arrives_without_a_click(&ask(&site, Method::HEAD, "/r/acme/ANNA", &[]).await);
    for purpose in ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip"] {
        arrives_without_a_click(&ask(&site, Method::GET, "/r/acme/ANNA", &[("sec-purpose", purpose)]).await);
    }
    assert_eq!(clicks(&site, &anna).await, 0);
}

/// The keyed hashes of the addresses of all clicks, as one text.
async fn different_addresses(site: &Site) -> i64 {
    site.database.number("SELECT COUNT(DISTINCT ip_hash) FROM clicks").await
}

#[tokio::test]
async fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
    let alone = Site::start().await;
    alone.affiliate("ANNA").await;
    for address in ["203.0.113.7", "203.0.113.8"] {
        click_of(&ask(&alone, Method::GET, "/r/acme/ANNA", &[("x-forwarded-for", address)]).await);
    }
    assert_eq!(different_addresses(&alone).await, 1, "anybody can send the header");

    let behind =
        Site::with(&[("OFFSHOOT_TRUSTED_PROXIES", "127.0.0.0/8, 10.0.0.0/8"), ("OFFSHOOT_RATE_LIMIT", "0")]).await;
    behind.affiliate("ANNA").await;
    for (address, different) in [
        ("203.0.113.7", 1),
        ("203.0.113.8", 2),
        // What the visitor claimed before the proxies added what they saw.
        ("1.2.3.4, 203.0.113.8", 2),
        ("5.6.7.8, 203.0.113.8, 10.1.2.3", 2),
        ("203.0.113.9", 3),
        ("2001:db8::1", 4),
    ] {
        click_of(&ask(&behind, Method::GET, "/r/acme/ANNA", &[("x-forwarded-for", address)]).await);
        assert_eq!(different_addresses(&behind).await, different, "{address}");
    }
}

#[tokio::test]
async fn an_address_is_nowhere_in_the_database() {
    let site = Site::with(&[("OFFSHOOT_TRUSTED_PROXIES", "127.0.0.1"), ("OFFSHOOT_RATE_LIMIT", "0")]).await;
    site.affiliate("ANNA").await;
    let headers = [("x-forwarded-for", "203.0.113.77"), ("referer", "https://blog.example/"), ("user-agent", "Tester")];
    click_of(&ask(&site, Method::GET, "/r/acme/ANNA", &headers).await);
    let track = json!({ "referralCode": "ANNA", "ipAddress": "203.0.113.78", "userAgent": "Tester" });
    assert_eq!(site.api.post("/referrals/track", &track).await.status, 201);
    assert_eq!(different_addresses(&site).await, 2);
    assert_eq!(
        site.database.number("SELECT COUNT(*) FROM texts WHERE text IN ('Tester', 'https://blog.example/')").await,
        2
    );
    assert_eq!(site.database.number("SELECT COUNT(*) FROM texts WHERE text LIKE '%203.0.113%'").await, 0);
    if site.database.is_sqlite() {
        // Every byte of it, wherever it may have got to.
        site.database.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
        let bytes = std::fs::read(site.database.url.strip_prefix("sqlite://").unwrap()).unwrap();
        let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(holds(b"Tester"));
        assert!(!holds(b"203.0.113.") && !holds(&[203, 0, 113, 77]) && !holds(&[203, 0, 113, 78]));
    }
}

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1";
const DESK: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

#[tokio::test]
async fn crawlers_and_previews_arrive_and_count_nothing() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    for name in [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "facebookexternalhit/1.1",
        "WhatsApp/2.23.20.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    ] {
        arrives_without_a_click(&ask(&site, Method::GET, "/r/acme/ANNA", &[("user-agent", name)]).await);
    }
    assert_eq!(clicks(&site, &anna).await, 0);
    click_of(&ask(&site, Method::GET, "/r/acme/ANNA", &[("user-agent", PHONE)]).await);
    assert_eq!(clicks(&site, &anna).await, 1);
}

#[tokio::test]
async fn a_browser_counts_once_within_the_hour() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let follow = async |path: &str, agent: &str| ask(&site, Method::GET, path, &[("user-agent", agent)]).await;
    let first = click_of(&follow("/r/acme/ANNA", PHONE).await).to_owned();
    let renamed = site.api.patch(&format!("/affiliates/{anna}"), &json!({ "referralCode": "Annika" })).await;
    assert_eq!(renamed.status, 200);
    site.advance_seconds(1_800);
    for code in ["ANNA", "annika"] {
        let again = follow(&format!("/r/acme/{code}"), PHONE).await;
        assert_eq!(click_of(&again), first, "whichever code");
        assert!(again.header("set-cookie").contains("Max-Age=5182200"), "the click is no younger: {again:?}");
    }
    let at_once = futures_util::future::join_all((0..8).map(|_| follow("/r/acme/BEN", PHONE))).await;
    assert!(at_once.iter().all(|one| click_of(one) == click_of(&at_once[0])), "of several at once, one");
    assert_ne!(click_of(&follow("/r/acme/ANNA", DESK).await), first, "another browser");
    assert_eq!((clicks(&site, &anna).await, clicks(&site, &ben).await), (2, 1));

    // What is no browser counts each time, and so do the API's calls.
    for _ in 0..2 {
        click_of(&follow("/r/acme/BEN", "curl/8.9.1").await);
    }
    site.api.click("BEN").await;
    assert_eq!(clicks(&site, &ben).await, 4);

    site.set_affiliate(&anna, "blocked").await;
    arrives_without_a_click(&follow("/r/acme/ANNA", PHONE).await);
    site.set_affiliate(&anna, "active").await;
    site.advance_seconds(1_801);
    assert_ne!(click_of(&follow("/r/acme/ANNA", PHONE).await), first, "an hour later");
    assert_eq!(clicks(&site, &anna).await, 3);
    site.check_ledger().await;
}

#[tokio::test]
async fn another_server_knows_a_browser_by_its_cookie() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let (known, foreign) = (site.api.click("ANNA").await, site.another_program("other").await.1);
    foreign.affiliate("ELSE").await;
    let theirs = foreign.click("ELSE").await;
    let follow = async |code: &str, cookie: &str| {
        let headers = [("user-agent", DESK), ("cookie", cookie)];
        click_of(&ask(&site, Method::GET, &format!("/r/acme/{code}"), &headers).await).to_owned()
    };
    assert_eq!(follow("ANNA", &format!("a=b; offshoot_acme={known}")).await, known);
    assert_eq!(clicks(&site, &anna).await, 1);
    for cookie in [
        format!("offshoot_acme={known}"),
        format!("offshoot_acme={theirs}"),
        format!("offshoot_other={theirs}"),
        "offshoot_acme=click_zzzzzzzzzzzzz; offshoot_acme".to_owned(),
        "offshoot_acme=<script>".to_owned(),
    ] {
        let made = follow("BEN", &cookie).await;
        assert!(made != known && made != theirs, "{cookie}");
    }
    assert_eq!(clicks(&site, &ben).await, 1);
}

#[tokio::test]
async fn a_links_own_words_are_kept_with_the_click() {
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    click_of(&visit(&site, "/r/acme/ANNA?s1=newsletter&utm_source=mail+er&token=secret&s1=twice").await);
    let kept = "SELECT COUNT(*) FROM clicks c JOIN texts t ON t.id = c.landing_id WHERE t.text = '?s1=newsletter&utm_source=mail+er'";
    assert_eq!(site.database.number(kept).await, 1);
    let long = format!(
        "/r/acme/ANNA?{}",
        (0..300).map(|n| format!("utm_{n}={}", "x".repeat(20))).collect::<Vec<_>>().join("&")
    );
    click_of(&visit(&site, &long).await);
    assert!(site.database.number("SELECT CAST(MAX(LENGTH(text)) AS BIGINT) FROM texts").await <= 2_048);
}

#[tokio::test]
async fn where_the_first_is_credited_later_links_count_and_change_nothing() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let follow = async |code: &str, cookie: &str| {
        let headers = [("user-agent", DESK), ("cookie", cookie)];
        let answer = ask(&site, Method::GET, &format!("/r/acme/{code}"), &headers).await;
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        (click_of(&answer).to_owned(), cookie)
    };
    let (annas, cookie) = follow("ANNA", "").await;
    let (bens, _) = follow("BEN", &cookie).await;
    assert_ne!(annas, bens, "as a program begins, the last one is credited");

    site.database.execute("UPDATE programs SET touch = 'first'").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(follow("BEN", &cookie).await, (annas.clone(), cookie.clone()));
    site.advance_seconds(7_200);
    assert_eq!(follow("BEN", &cookie).await, (annas.clone(), cookie.clone()));
    assert_eq!((clicks(&site, &anna).await, clicks(&site, &ben).await), (1, 2));
    // Until the first does not count any more.
    site.set_affiliate(&anna, "blocked").await;
    assert_ne!(follow("BEN", &cookie).await.0, annas);
    site.set_affiliate(&anna, "active").await;
    site.advance_seconds(60 * 86_400);
    assert_ne!(follow("BEN", &cookie).await.0, annas);
    site.check_ledger().await;
}
