//! Signals about a sale: they hold its commission for a person to look at, in words, and never take it away.

use offshoot::{
    domain::{
        id::{AccountId, AffiliateId},
        key::Scope,
    },
    store,
};
use reqwest::{Client, redirect::Policy};
use serde_json::{Value, json};

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, texts},
    site::Api,
};

const HELD: &str = "/m/acme/commissions?held=yes";

async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    browser
}

async fn give(site: &Site, affiliate: &str, to: AccountId) {
    let id = AffiliateId::parse(affiliate).unwrap();
    site.app.db.write(move |tx| Box::pin(store::affiliates::give_to(tx, id, to))).await.unwrap();
}

/// Records a sale; the commission as it is explained.
async fn sold(api: &Api, body: &Value) -> Value {
    let made = api.post("/referrals/convert", body).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert!(made.data().get("heldFor").is_none(), "the answer is the reference's: {made:?}");
    let commission = api.newest_commission(made.data()["affiliateId"].as_str().unwrap()).await;
    api.get(&format!("/commissions/{commission}")).await.data()["commission"].clone()
}

fn held(commission: &Value) -> Vec<&str> {
    let signals = commission["explanation"]["heldFor"].as_array().unwrap();
    signals.iter().map(|one| one["signal"].as_str().unwrap()).collect()
}

/// Follows an affiliate's link as a browser would; the click.
async fn follow(site: &Site, path: &str, from: &str) -> String {
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let mut request = client.get(site.url(path)).header("user-agent", "Mozilla/5.0");
    if !from.is_empty() {
        request = request.header("referer", from);
    }
    let answer = Answer::of(request.send().await.unwrap()).await;
    let (_, click) = answer.header("location").split_once("clickId=").unwrap_or_else(|| panic!("{answer:?}"));
    click.split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_customer_by_the_affiliates_own_address_is_held_told_and_released_by_a_person() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let paid = json!({ "paymentMethod": "paypal", "paymentDetails": "Anna, anna.pay@gmail.com" });
    assert_eq!(site.api.patch(&format!("/affiliates/{anna}"), &paid).await.status, 200);
    give(&site, &anna, account(&site, "anna@home.example", false).await).await;

    let sale = |email: &str, order: &str| json!({ "referralCode": "ANNA", "amount": 100, "orderId": order, "customer": { "email": email } });
    for (order, email, expected) in [
        ("A-1", "anna+deal@Example.com", vec!["own_email"]),
        ("A-2", "ANNA@home.example", vec!["own_email"]),
        ("A-3", "annapay+x@googlemail.com", vec!["payment_email"]),
        ("A-4", "x@mailinator.com", vec!["disposable_email"]),
        ("A-5", "somebody@example.com", vec![]),
        ("A-6", "<script>alert(1)</script>", vec![]),
    ] {
        let dry = site.api.post("/referrals/convert?dryRun=true", &sale(email, order)).await;
        assert_eq!(dry.data().as_object().map(serde_json::Map::len), Some(7), "{dry:?}");
        let commission = sold(&site.api, &sale(email, order)).await;
        assert_eq!(held(&commission), expected, "{email}");
        assert_eq!((&commission["status"], &commission["amount"]), (&json!("pending"), &json!(20.0)));
    }
    site.check_ledger().await;

    let browser = owner(&site).await;
    let queue = browser.get("/m/acme/commissions").await;
    assert_eq!(texts(&queue, ".tabs a")[..2], ["To review 6", "Held for review 4"]);
    let page = browser.get(HELD).await;
    assert_eq!(texts(&page, "tbody tr").len(), 4);
    assert!(texts(&page, "td.state")[0].contains("Throwaway e-mail (mailinator.com)"), "{page:?}");
    let first = &texts(&page, "td.order")[3];
    assert_eq!(first, "A-1");
    let of_anna = browser.get(&format!("{HELD}&affiliate={anna}")).await;
    assert_eq!(texts(&of_anna, "tbody tr").len(), 4);

    // Who decides all at once is told what is among them.
    let newest = site.api.newest_commission(&anna).await;
    let all = format!("/m/acme/commissions/decision?status=pending&to=approved&all=yes&newest={newest}");
    assert_eq!(texts(&browser.get(&all).await, ".note.warn p"), ["4 of these are held for review. Look at them first"]);

    let id = site.database.number("SELECT id FROM commissions WHERE held_for = 'payment_email'").await;
    let id = offshoot::domain::id::CommissionId::new(id).to_string();
    let path = format!("/m/acme/commissions/{id}");
    let shown = browser.get(&path).await;
    assert!(texts(&shown, ".note.warn li")[0].contains("the affiliate is paid by"), "{shown:?}");
    assert!(texts(&shown, ".timeline li").iter().any(|line| line.contains("Held for review")), "{shown:?}");

    // A person's approval is the release, and it is written down who it was.
    let released = browser.post("/m/acme/commissions/decision", &[("approve", &id)]).await;
    assert_eq!(released.status, 303, "{released:?}");
    assert_eq!(texts(&browser.get(HELD).await, "tbody tr").len(), 3);
    let shown = browser.get(&path).await;
    assert!(texts(&shown, ".note.warn").is_empty());
    assert!(texts(&shown, ".timeline li").iter().any(|line| line.contains("Held for review")), "it stays told");
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'commission.approved' AND actor LIKE 'account:%'";
    assert_eq!(site.database.number(audited).await, 1);
    // All that match are those that are held, and nothing else.
    let ask = browser.get(HELD).await;
    let href = {
        let page = scraper::Html::parse_document(&ask.text);
        let selector = scraper::Selector::parse(".whole a").unwrap();
        page.select(&selector).next().unwrap().value().attr("href").unwrap().to_owned()
    };
    assert!(href.contains("held=yes"), "{href}");
    assert_eq!(texts(&browser.get(&href).await, "h1"), ["Approve 3 commissions"]);
    site.check_ledger().await;
}

#[tokio::test]
async fn an_affiliate_reads_only_that_it_waits() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let of = account(&site, "anna@home.example", false).await;
    give(&site, &anna, of).await;
    let browser = Browser::at(site.address);
    browser.sign_in("anna@home.example", PASSWORD).await;
    let click = follow(&site, "/r/acme/ANNA?gclid=Cj0K&s1=bio", "").await;
    let commission =
        sold(&site.api, &json!({ "clickId": click, "amount": 100, "customer": { "email": "ANNA@home.example" } }))
            .await;
    // They came from where they had signed in from, by an ad, as themselves.
    assert_eq!(held(&commission), ["own_email", "own_network", "paid_ad"]);
    for path in ["/home".to_owned(), "/earnings".into(), format!("/earnings/{}", commission["id"].as_str().unwrap())] {
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200);
        for word in ["gclid", "Held", "held", "signal", "own e-mail", "network"] {
            assert!(!page.text.contains(word), "{path} says {word}");
        }
        assert!(page.text.contains("Pending"), "{path}");
    }
}

#[tokio::test]
async fn ads_referrers_and_pace_are_the_programs_to_say_and_each_change_is_told() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    site.affiliate("BEN").await;
    let browser = owner(&site).await;
    let ad = follow(&site, "/r/acme/ANNA?utm_medium=cpc", "https://www.coupons.example/x").await;
    let sale = |click: &str| json!({ "clickId": click, "amount": 100 });
    assert_eq!(held(&sold(&site.api, &sale(&ad)).await), ["paid_ad"]);

    for (field, value) in [("banned_referrers", "https://x.example/"), ("hourly_sales", "0"), ("hourly_sales", "x")] {
        let refused = browser.post("/m/acme/settings/review", &[(field, value)]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{field}");
    }
    let form = [("ads_allowed", "yes"), ("banned_referrers", "deals.example, Coupons.example"), ("hourly_sales", "3")];
    let saved = browser.post("/m/acme/settings/review", &form).await;
    assert_eq!((saved.status.as_u16(), saved.header("location")), (303, "/m/acme/settings"));
    let told = texts(&browser.get("/m/acme/settings").await, "#notice p").join("");
    assert_eq!(
        told,
        "Saved. Paid ads: held for review → allowed; Banned referrers: none → coupons.example, deals.example; \
         Sales an hour: any number → 3 without a look."
    );
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log WHERE action = 'program.changed'").await, 1);
    let page = browser.get("/m/acme/settings/review").await;
    assert!(page.text.contains(r#"value="coupons.example, deals.example""#), "{page:?}");

    // A new key knows the new settings at once.
    let api = site.key(Scope::Full).await;
    assert_eq!(held(&sold(&api, &sale(&ad)).await), ["banned_referrer"]);
    let code = json!({ "referralCode": "ANNA", "amount": 1 });
    assert_eq!(held(&sold(&api, &code).await), Vec::<&str>::new(), "the third");
    assert_eq!(held(&sold(&api, &code).await), ["many_sales"], "the fourth within an hour");
    // By a click of another affiliate's nothing is said of the one who is credited.
    let coupon = json!({ "affiliateId": site.affiliate("CARA").await, "code": "SAVE" });
    assert_eq!(api.post("/coupons", &coupon).await.status, 201);
    let by_coupon = json!({ "clickId": ad, "couponCode": "SAVE", "amount": 1 });
    assert_eq!(held(&sold(&api, &by_coupon).await), Vec::<&str>::new());
    site.advance_seconds(3_601);
    assert_eq!(held(&sold(&api, &code).await), Vec::<&str>::new(), "an hour later");
    let three = "SELECT COUNT(*) FROM commissions WHERE held_for IS NOT NULL AND status = 'pending'";
    assert_eq!(site.database.number(three).await, 3);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks WHERE ip_hash IS NOT NULL").await, 1);
    let of_anna = site.api.get(&format!("/commissions?affiliateId={anna}")).await;
    assert_eq!(of_anna.data()["total"], 5);
    site.check_ledger().await;
}
