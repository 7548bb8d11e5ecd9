//! A merchant puts the script on their site and looks whether it works, without a figure changing.

use reqwest::Client;
use serde_json::{Value, json};

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, texts},
};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CHECK: &str = "/m/acme/site/check";

async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    browser
}

async fn report(site: &Site, path: &str, origin: &str, body: Value, cookie: &str) -> Answer {
    let mut body = body;
    body["program"] = json!("acme");
    let mut request = Client::new().post(site.url(path)).header("origin", origin).header("user-agent", BROWSER);
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    Answer::of(request.body(body.to_string()).send().await.unwrap()).await
}

/// The steps' states, as their classes.
async fn steps(browser: &Browser) -> Vec<String> {
    let page = browser.get(CHECK).await;
    let (page, item) = (scraper::Html::parse_document(&page.text), scraper::Selector::parse(".trail > li").unwrap());
    page.select(&item).map(|item| item.attr("class").unwrap().to_owned()).collect()
}

/// The code that a check runs under, out of the link that it offers.
async fn code(browser: &Browser) -> String {
    let page = browser.get(CHECK).await;
    let (_, rest) = page.text.split_once("https://shop.example/start?ref=").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn counted(site: &Site) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in ["clicks", "customers", "conversions", "commissions", "ledger_entries"] {
        counts.push(site.database.number(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    counts
}

#[tokio::test]
async fn each_step_is_seen_and_nothing_is_counted() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let page = browser.get("/m/acme/site").await;
    let snippet = format!("script async src=&#34;{}&#34; data-program=&#34;acme&#34;", site.url("/t.js"));
    assert!(page.text.contains(&snippet), "{page:?}");
    assert!(steps(&browser).await.is_empty());
    // Before a check nothing is noted.
    report(&site, "/t/click", "https://evil.example", json!({}), "").await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM site_observations").await, 0);

    assert_eq!(browser.post(CHECK, &[]).await.status, 303);
    assert_eq!(steps(&browser).await, ["waits"; 5]);
    assert!(browser.get(CHECK).await.text.contains("hx-trigger=\"every 2s\""));
    let code = code(&browser).await;
    let shop = "https://shop.example";

    // From a domain that is not the program's, which a button allows.
    assert_eq!(report(&site, "/t/click", "https://new-shop.example", json!({}), "").await.status, 403);
    let page = browser.get(CHECK).await;
    assert_eq!(texts(&page, ".fails form button"), ["Allow new-shop.example"]);
    assert_eq!(browser.post("/m/acme/site/allowed", &[("domain", "new-shop.example")]).await.status, 303);
    let page = browser.get(CHECK).await;
    assert!(texts(&page, "#notice p")[0].contains("Allowed domains: shop.example → shop.example, new-shop.example"));
    assert_eq!(report(&site, "/t/click", "https://new-shop.example", json!({}), "").await.status, 200);

    // In a parameter that is not the program's, which another button adds.
    let unread = report(&site, "/t/click", shop, json!({ "query": { "fpr": code } }), "").await;
    assert_eq!(unread.json["click"], Value::Null);
    assert_eq!(texts(&browser.get(CHECK).await, ".fails form button"), ["Read fpr too"]);
    browser.post("/m/acme/site/allowed", &[("parameter", "fpr")]).await;

    let clicked = report(&site, "/t/click", shop, json!({ "query": { "fpr": code } }), "").await;
    let click = clicked.json["click"].as_str().unwrap().to_owned();
    assert_eq!(clicked.json["check"], true, "{clicked:?}");
    assert_eq!(steps(&browser).await[..3], ["works", "works", "waits"]);
    report(&site, "/t/click", shop, json!({ "click": click }), "").await;
    assert_eq!(steps(&browser).await[2], "fair", "the cookie did not come back");
    report(&site, "/t/click", shop, json!({ "click": click }), &format!("offshoot_acme={click}")).await;
    assert_eq!(steps(&browser).await[2], "works");

    report(&site, "/t/click", shop, json!({ "lead": "yes" }), "").await;
    assert_eq!(steps(&browser).await[3], "fails", "a lead without a click");
    let lead = report(&site, "/t/lead", shop, json!({ "click": click, "email": "zoe@example.com" }), "").await;
    assert_eq!(lead.json["bound"], true);
    assert_eq!(steps(&browser).await[3], "works");

    // A sale needs somebody to belong to.
    browser.post(&format!("{CHECK}/sale"), &[]).await;
    assert!(texts(&browser.get(CHECK).await, "#notice p")[0].contains("Invite somebody"));
    site.affiliate("ANNA").await;
    let before = counted(&site).await;
    assert_eq!(browser.post(&format!("{CHECK}/sale"), &[]).await.status, 303);
    assert_eq!(steps(&browser).await, ["works"; 5]);
    let page = browser.get(CHECK).await;
    assert!(page.text.contains("A sale of USD\u{a0}100.00 would earn ANNA USD\u{a0}20.00. Nothing was recorded."));
    assert!(!page.text.contains("hx-trigger"), "there is nothing left to wait for");
    assert_eq!(texts(&page, "#found"), ["It works"]);

    // The shop's own server may report it too.
    let sale = site.api.post("/referrals/convert", &json!({ "clickId": click, "amount": 50, "orderId": "t-1" })).await;
    assert_eq!((sale.status.as_u16(), &sale.data()["conversionId"]), (200, &Value::Null), "{sale:?}");
    assert!(browser.get(CHECK).await.text.contains("Your shop reported one"));
    assert_eq!(counted(&site).await, before);
    assert_eq!(before, [0; 5]);
    let home = browser.get("/m/acme").await;
    assert!(texts(&home, ".checklist .done").iter().any(|step| step.starts_with("Your site")), "{home:?}");

    // It ends by itself, and its click is nothing then.
    site.advance_seconds(1_801);
    browser.sign_in("mara@example.com", PASSWORD).await;
    site.app.caches.sites.forget(&site.program.id);
    assert!(steps(&browser).await.is_empty());
    let late = site.api.post("/referrals/convert", &json!({ "clickId": click, "amount": 50 })).await;
    late.fails(404, "resource_not_found", None);
    assert_eq!(report(&site, "/t/click", shop, json!({ "click": click }), "").await.json["click"], Value::Null);
    site.check_ledger().await;
}

#[tokio::test]
async fn starting_over_forgets_what_was_seen_but_not_that_it_worked() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    site.affiliate("ANNA").await;
    browser.post(CHECK, &[]).await;
    let first = code(&browser).await;
    report(&site, "/t/click", "https://shop.example", json!({ "query": { "via": first } }), "").await;
    browser.post(&format!("{CHECK}/sale"), &[]).await;
    browser.post(CHECK, &[]).await;
    assert_ne!(code(&browser).await, first);
    assert_eq!(steps(&browser).await, ["waits"; 5]);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM site_checks WHERE passed_at IS NOT NULL").await, 1);
    let old = report(&site, "/t/click", "https://shop.example", json!({ "query": { "via": first } }), "").await;
    assert_eq!(old.json["click"], Value::Null);
    let hostile = format!("https://{}.example", "x".repeat(60));
    report(&site, "/t/click", &hostile, json!({}), "").await;
    for n in 0..30 {
        report(&site, "/t/click", &format!("https://evil{n}.example"), json!({ "query": { "<b>": "x" } }), "").await;
    }
    assert!(site.database.number("SELECT COUNT(*) FROM site_observations").await <= 10);
}

#[tokio::test]
async fn settings_say_what_changed_and_refuse_what_cannot_be() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let at = "/m/acme/settings/tracking";
    let fields = |parameters: &'static str, consent: &'static str| {
        [
            ("attribution_days", "60"),
            ("landing_url", "https://shop.example/start"),
            ("domains", "shop.example"),
            ("parameters", parameters),
            ("consent", consent),
        ]
    };
    for wrong in ["", "a b", "utm_source", "clickId", "<script>"] {
        let refused = browser.post(at, &fields(wrong, "")).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{wrong}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM tracking_settings").await, 0);
    assert_eq!(browser.post(at, &fields("fpr, ref", "yes")).await.status, 303);
    let page = browser.get("/m/acme/settings").await;
    let told = &texts(&page, "#notice p")[0];
    assert!(told.contains("Link parameters: ref, via → fpr, ref"), "{told}");
    assert!(told.contains("Consent: not asked for → asked for first"), "{told}");
    assert!(page.text.contains("Link parameters"));
    let snippet = browser.get("/m/acme/site").await;
    assert!(snippet.text.contains("data-params=&#34;fpr,ref&#34; data-consent=&#34;wait&#34;"), "{snippet:?}");
    // A form that does not ask leaves them alone.
    browser.post(at, &fields("fpr, ref", "yes")[..3]).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM tracking_settings WHERE parameters = 'fpr,ref'").await, 1);
    for (field, value) in [("domain", "https://x"), ("domain", "a.example,b.example"), ("parameter", "utm_x")] {
        let refused = browser.post("/m/acme/site/allowed", &[(field, value)]).await;
        assert_eq!(refused.status, 400, "{field} {value}");
    }
}

#[tokio::test]
async fn a_clicks_own_words_stand_where_the_click_does() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let anna = site.affiliate("ANNA").await;
    let landed = json!({ "page": "https://shop.example/a", "query": { "ref": "ANNA", "s1": "<i>top</i>", "utm_source": "mail" } });
    let click = report(&site, "/t/click", "https://shop.example", landed, "").await;
    let sale = json!({ "clickId": click.json["click"], "amount": 10, "orderId": "1" });
    assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
    let commission = site.api.newest_commission(&anna).await;
    let page = browser.get(&format!("/m/acme/commissions/{commission}")).await;
    let facts = texts(&page, ".facts dd");
    for wanted in ["https://shop.example/a", "<i>top</i>", "mail"] {
        assert!(facts.iter().any(|fact| fact == wanted), "{wanted}: {facts:?}");
    }
    assert!(texts(&page, ".facts i").is_empty());
}
