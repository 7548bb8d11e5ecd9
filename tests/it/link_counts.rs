//! What came by each of an affiliate's links: clicks of it, and the sales that they led to.

use serde_json::json;

use crate::{
    races::at_once,
    support::{
        Answer, Site,
        browser::{Browser, account_of, signed_in, texts},
    },
};

const ANNA: &str = "anna@people.example";

/// Anna's browser, and her id.
async fn anna(site: &Site) -> (Browser, String) {
    let id = site.affiliate("ANNA").await;
    account_of(site, &id, ANNA).await;
    (signed_in(site, ANNA).await, id)
}

async fn makes(browser: &Browser, code: &str) {
    let made = browser.post("/links", &[("label", code), ("code", code), ("destination", "")]).await;
    assert_eq!(made.status, 303, "{made:?}");
}

/// Of the first link, and of the others from the newest on.
async fn counts(browser: &Browser) -> Vec<String> {
    texts(&browser.get("/links").await, "p .num")
}

async fn sells(site: &Site, click: &str, order: &str) -> Answer {
    site.api.post("/referrals/convert", &json!({ "clickId": click, "amount": 10, "orderId": order })).await
}

#[tokio::test]
async fn each_link_says_what_came_by_it() {
    let site = Site::start().await;
    let (browser, id) = anna(&site).await;
    makes(&browser, "News-1").await;
    assert_eq!(counts(&browser).await, ["0 clicks · 0 sales", "0 clicks · 0 sales"]);
    site.api.click("ANNA").await;
    let click = site.api.click("news-1").await;
    site.api.click("NEWS-1").await;
    assert_eq!(Browser::at(site.address).get("/r/acme/news-1").await.status, 302);
    assert_eq!(sells(&site, &click, "1").await.status, 201);
    assert_eq!(sells(&site, &click, "1").await.status, 200, "the same again is no other");
    // A code that is typed in is no click.
    assert_eq!(site.api.sale("NEWS-1", "10", "2").await.status, 201);
    assert_eq!(counts(&browser).await, ["1 click · 1 sale", "3 clicks · 1 sale"]);

    // A code that was given up becomes a link's.
    let renamed = site.api.patch(&format!("/affiliates/{id}"), &json!({ "referralCode": "ANNIKA" })).await;
    assert_eq!(renamed.status, 200);
    site.api.click("ANNA").await;
    makes(&browser, "anna").await;
    site.api.click("ANNA").await;
    assert_eq!(counts(&browser).await, ["2 clicks · 1 sale", "1 click · 0 sales", "3 clicks · 1 sale"]);

    site.set_affiliate(&id, "blocked").await;
    let refused = site.api.post("/referrals/track", &json!({ "referralCode": "news-1" })).await;
    refused.refuses("referralCode");
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clicks_and_sales_at_once_are_all_counted() {
    let site = Site::start().await;
    let (browser, _) = anna(&site).await;
    for code in ["one", "two", "three"] {
        makes(&browser, code).await;
    }
    let callers = (0..60).map(|number| {
        let api = site.api.clone();
        async move {
            let click = api.click(["one", "two", "three"][number % 3]).await;
            if number % 4 == 0 {
                let sale = json!({ "clickId": click, "amount": 10, "orderId": number.to_string() });
                assert_eq!(api.post("/referrals/convert", &sale).await.status, 201);
            }
        }
    });
    at_once(callers).await;
    let each = "20 clicks · 5 sales";
    assert_eq!(counts(&browser).await, ["0 clicks · 0 sales", each, each, each]);
    site.check_ledger().await;
}
