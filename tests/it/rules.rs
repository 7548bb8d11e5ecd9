//! Rules of what sales earn, made in the browser, felt by the API.

use serde_json::{Value, json};

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, account_of, signed_in, texts},
};

const DAY: i64 = 86_400;

struct Shop {
    site: Site,
    browser: Browser,
}

impl Shop {
    async fn open() -> Self {
        let site = Site::start().await;
        account(&site, "mara@example.com", true).await;
        let browser = Browser::at(site.address);
        browser.sign_in("mara@example.com", PASSWORD).await;
        Self { site, browser }
    }

    /// Adds a rule; what is not named is empty.
    async fn rule(&self, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("kind", "share"), ("sales", "all"), ("products", "")];
        all.retain(|(name, _)| !fields.iter().any(|(given, _)| given == name));
        all.extend(fields);
        let made = self.browser.post("/m/acme/rules", &all).await;
        // What is kept of a program is believed for half a second.
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
        made
    }

    async fn added(&self, fields: &[(&str, &str)]) {
        let made = self.rule(fields).await;
        assert_eq!(made.status, 303, "{}", made.text);
    }

    async fn sale(&self, body: Value) -> String {
        let made = self.site.api.post("/referrals/convert", &body).await;
        assert!(made.status.is_success(), "{made:?}");
        made.data()["commission"].to_string()
    }
}

#[tokio::test]
async fn the_closest_rule_decides_and_is_told_with_the_commission() {
    let shop = Shop::open().await;
    shop.site.affiliate("star").await;
    shop.site.affiliate("other").await;
    shop.added(&[("name", "Everybody"), ("pays", "25%")]).await;
    shop.added(&[("name", "The star"), ("pays", "40%"), ("affiliate", "STAR")]).await;
    shop.added(&[("name", "Mugs"), ("pays", "3"), ("kind", "flat"), ("products", "mug, 17")]).await;
    assert_eq!(shop.sale(json!({ "referralCode": "other", "amount": 100 })).await, "25.0");
    assert_eq!(shop.sale(json!({ "referralCode": "star", "amount": 100 })).await, "40.0");
    let cart = json!([{ "id": "mug", "name": "A mug", "price": 10, "quantity": 2 }, { "id": "book", "price": 80 }]);
    let sale = json!({ "referralCode": "other", "amount": 100, "products": cart });
    assert_eq!(shop.sale(sale).await, "26.0");

    let list = shop.site.api.get("/commissions").await;
    let id = list.data()["commissions"][0]["id"].as_str().unwrap().to_owned();
    let shown = shop.site.api.get(&format!("/commissions/{id}")).await;
    assert_eq!(
        shown.data()["commission"]["explanation"]["sentence"],
        "USD 3.00 each of USD 20.00 for “A mug” by “Mugs”; 25% of USD 80.00 for “book” by “Everybody” is USD 26.00"
    );
    let page = shop.browser.get(&format!("/m/acme/commissions/{id}")).await;
    assert!(page.text.contains("by “Mugs”"), "{}", page.text);
    let short = "USD 3.00 each by “Mugs” and 25% by “Everybody”";
    assert_eq!(shown.data()["commission"]["explanation"]["rate"], short);
    let rate_alone = shop.site.database.number("SELECT COUNT(*) FROM commissions WHERE explanation IS NULL").await;
    assert_eq!(rate_alone, 0, "each of the three was made by a rule");
    let queue = shop.browser.get("/m/acme/commissions").await;
    let rows = texts(&queue, "td.sum small").join(" | ");
    assert!(rows.contains(&format!("{short} of USD 100.00")), "{rows}");
    assert!(rows.contains("40% by “The star” of USD 100.00"), "{rows}");
    shop.site.check_ledger().await;
}

#[tokio::test]
async fn affiliates_read_the_rules_that_are_theirs() {
    let shop = Shop::open().await;
    let ann = shop.site.affiliate("ann").await;
    shop.site.affiliate("other").await;
    shop.added(&[("name", "First orders"), ("pays", "25%"), ("sales", "first")]).await;
    shop.added(&[("name", "For Ann"), ("pays", "5"), ("kind", "flat"), ("affiliate", "ann"), ("products", "mug")])
        .await;
    shop.added(&[("name", "For another"), ("pays", "90%"), ("affiliate", "other")]).await;
    shop.added(&[("name", "Next year"), ("pays", "1%"), ("starts_at", "2027-01-01")]).await;
    account_of(&shop.site, &ann, "ann@example.com").await;
    let browser = signed_in(&shop.site, "ann@example.com").await;
    let home = texts(&browser.get("/home").await, "#yours ~ ul li").join(" | ");
    assert_eq!(
        home,
        "For Ann: USD 5.00 for each piece of every sale of mug | First orders: 25% of a customer’s first sale"
    );

    // A repeat sale earns the program's rate, which says it all.
    let repeat = json!({ "referralCode": "other", "amount": 100, "customer": { "id": "c1" } });
    shop.sale(repeat.clone()).await;
    let repeat = json!({ "referralCode": "ann", "amount": 100, "customer": { "id": "c1" } });
    assert_eq!(shop.sale(repeat).await, "20.0");
    assert_eq!(shop.site.database.number("SELECT COUNT(*) FROM commissions WHERE explanation IS NULL").await, 1);
}

#[tokio::test]
async fn repeat_sales_and_the_months_of_a_customer() {
    let shop = Shop::open().await;
    shop.site.affiliate("ann").await;
    shop.added(&[("name", "First"), ("pays", "50%"), ("sales", "first")]).await;
    shop.added(&[("name", "Again"), ("pays", "10%"), ("sales", "repeat"), ("months", "2")]).await;
    let of = |customer: &str| json!({ "referralCode": "ann", "amount": 100, "customer": { "id": customer } });
    assert_eq!(shop.sale(of("c1")).await, "50.0");
    assert_eq!(shop.sale(of("c1")).await, "10.0");
    shop.site.advance_seconds(62 * DAY);
    assert_eq!(shop.sale(of("c1")).await, "0.0");
    assert_eq!(shop.sale(of("c2")).await, "50.0");
    let mut renewal = of("c3");
    renewal["renewal"] = true.into();
    assert_eq!(shop.sale(renewal).await, "10.0");
    shop.site.check_ledger().await;
}

#[tokio::test]
async fn a_rule_begins_and_ends_and_the_past_stays() {
    let shop = Shop::open().await;
    let affiliate = shop.site.affiliate("ann").await;
    let sale = json!({ "referralCode": "ann", "amount": 100 });
    shop.added(&[("name", "Spring"), ("pays", "30%"), ("starts_at", "2026-03-05")]).await;
    assert_eq!(shop.sale(sale.clone()).await, "20.0");
    shop.site.advance_seconds(4 * DAY);
    assert_eq!(shop.sale(sale.clone()).await, "30.0");
    let commission = shop.site.api.newest_commission(&affiliate).await;

    let page = shop.browser.get("/m/acme/rules").await;
    let action = page.text.split("/m/acme/rules/rule_").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let ended = shop.browser.post(&format!("/m/acme/rules/rule_{action}/end"), &[]).await;
    assert_eq!(ended.status, 303);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(shop.sale(sale).await, "20.0");
    let shown = shop.site.api.get(&format!("/commissions/{commission}")).await;
    assert!(shown.text.contains("30% of USD 100.00 by “Spring” is USD 30.00"), "{}", shown.text);
    let told = shop.site.database.number("SELECT COUNT(*) FROM audit_log WHERE action LIKE 'rule.%'").await;
    assert_eq!(told, 2);
}

#[tokio::test]
async fn a_sale_is_tried_without_being_recorded() {
    let shop = Shop::open().await;
    shop.site.affiliate("star").await;
    shop.added(&[("name", "Everybody"), ("pays", "25%")]).await;
    shop.added(&[("name", "The star"), ("pays", "40%"), ("affiliate", "star")]).await;
    shop.added(&[("name", "<b>Again</b>"), ("pays", "5%"), ("sales", "repeat")]).await;
    let page = shop.browser.get("/m/acme/rules?affiliate=star&amount=50&product=&sale=first").await;
    let told = texts(&page, "[role=status]").join(" ");
    for words in [
        "It would earn USD 20.00 of USD 50.00: 40% of USD 50.00 by “The star”",
        "“Everybody” fits too, but another is closer",
        "“<b>Again</b>” is for repeat sales",
    ] {
        assert!(told.contains(words), "{words} in {told}");
    }
    let wrong = shop.browser.get("/m/acme/rules?affiliate=nobody&amount=x").await;
    assert!(texts(&wrong, ".issue").join(" ").contains("is nobody’s"));
    assert_eq!(shop.site.database.number("SELECT COUNT(*) FROM conversions").await, 0);
}

#[tokio::test]
async fn what_cannot_be_a_rule_is_refused_and_said_why() {
    let shop = Shop::open().await;
    for fields in [
        &[("name", " "), ("pays", "10%")][..],
        &[("name", "x"), ("pays", "101%")],
        &[("name", "x"), ("pays", "1.001"), ("kind", "flat")],
        &[("name", "x"), ("pays", "10%"), ("months", "0")],
        &[("name", "x"), ("pays", "10%"), ("payments", "1.5")],
        &[("name", "x"), ("pays", "10%"), ("starts_at", "2026-02-28")],
        &[("name", "x"), ("pays", "10%"), ("affiliate", "nobody")],
        &[("name", "x"), ("pays", "10%"), ("sales", "some")],
    ] {
        let refused = shop.rule(fields).await;
        assert_eq!(refused.status, 422, "{fields:?}");
        assert!(!texts(&refused, ".issue").is_empty(), "{fields:?}");
    }
    assert_eq!(shop.site.database.number("SELECT COUNT(*) FROM commission_rules").await, 0);
}
