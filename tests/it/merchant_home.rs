//! The merchant's first page: what is to be done, how it goes, what is still to be set up.

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account, texts},
};

async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    browser
}

#[tokio::test]
async fn the_checklist_ticks_from_what_has_happened_and_then_goes() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let done = async || texts(&browser.get("/m/acme").await, ".checklist .done").len();
    assert_eq!(done().await, 2, "the landing page and the key that the tests have");
    let page = browser.get("/m/acme").await;
    assert_eq!(texts(&page, "h1"), ["Home"]);
    assert!(page.text.contains("hx-trigger=\"every 5s\""), "waits for a first click");
    let anna = site.affiliate("ANNA").await;
    assert_eq!(done().await, 3);
    site.api.click("ANNA").await;
    assert_eq!(done().await, 4);
    site.api.sale("ANNA", "100", "o-1").await;
    let page = browser.get("/m/acme").await;
    assert_eq!(texts(&page, ".checklist .done").len(), 6, "the sale and that the site tells of sales");
    assert!(!page.text.contains("hx-trigger"), "nothing to wait for any more");
    let first = site.api.newest_commission(&anna).await;
    site.api.decide(&first, "approved").await;
    assert_eq!(texts(&browser.get("/m/acme").await, ".checklist").len(), 0);
}

#[tokio::test]
async fn figures_are_the_sums_of_what_happened_beside_the_period_before() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let (_, other) = site.another_program("other").await;
    other.affiliate("ELSE").await;
    other.sale("ELSE", "500", "x").await;
    for n in 0..4 {
        site.api.click("ANNA").await;
        site.api.sale("ANNA", "100", &format!("a-{n}")).await;
    }
    // Seen today, then again when that day is over and remembered.
    for days in [0, 1, 1, 8] {
        site.advance_seconds(days * 86_400);
        browser.sign_in("mara@example.com", PASSWORD).await;
        for _ in 0..2 {
            let tiles = texts(&browser.get("/m/acme?days=30").await, ".tile");
            assert_eq!(tiles[0], "Clicks4none before", "{tiles:?}");
            assert_eq!(tiles[2], "RevenueUSD 400.00none before", "{tiles:?}");
            assert_eq!(tiles[4], "New affiliates2none before", "{tiles:?}");
        }
    }
    site.api.click("BEN").await;
    site.api.sale("BEN", "100", "b-1").await;
    let tiles = texts(&browser.get("/m/acme?days=7").await, ".tile");
    assert_eq!(tiles[0], "Clicks175% less than before", "{tiles:?}");
    assert_eq!(tiles[3], "CommissionsUSD 20.0075% less than before", "{tiles:?}");

    let todo = texts(&browser.get("/m/acme").await, ".todo li");
    assert_eq!(todo, ["5 commissions to reviewUSD 100.00 together"]);
    site.set_affiliate(&ben, "pending").await;
    let commission = site.api.newest_commission(&anna).await;
    site.api.decide(&commission, "approved").await;
    let todo = texts(&browser.get("/m/acme").await, ".todo li");
    assert_eq!(todo[0], "4 commissions to reviewUSD 80.00 together");
    assert!(todo[1].starts_with("1 affiliate waiting"), "{todo:?}");
    assert_eq!(todo[2], "1 affiliate without a payment methodUSD 20.00 is approved and cannot be paid");
    assert_eq!(texts(&browser.get("/m/acme").await, "tbody tr th a")[..2], ["ANNA", "BEN"]);
}

#[tokio::test]
async fn a_stranger_finds_no_program() {
    let site = Site::start().await;
    account(&site, "other@example.com", false).await;
    let browser = Browser::at(site.address);
    browser.sign_in("other@example.com", PASSWORD).await;
    assert_eq!(browser.get("/m/acme").await.status, 404);
}
