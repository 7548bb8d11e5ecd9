//! Rates that grow with sales, rates for beginners, and the most that is earned: felt by the API, told on the pages,
//! and the same however many sales come at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    races::at_once,
    support::{
        Answer, Site,
        browser::{Browser, PASSWORD, account, account_of, signed_in, texts},
    },
};

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

    /// Later, and signed in anew.
    async fn advance_days(&self, days: i64) {
        self.site.advance_seconds(days * 86_400);
        self.browser.sign_in("mara@example.com", PASSWORD).await;
    }

    async fn rule(&self, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("name", "Rule"), ("kind", "share"), ("sales", "all"), ("products", "")];
        all.retain(|(name, _)| !fields.iter().any(|(given, _)| given == name));
        all.extend(fields);
        let made = self.browser.post("/m/acme/rules", &all).await;
        // What is kept of a program is believed for half a second.
        tokio::time::sleep(Duration::from_millis(600)).await;
        made
    }

    async fn added(&self, fields: &[(&str, &str)]) {
        let made = self.rule(fields).await;
        assert_eq!(made.status, 303, "{}", made.text);
    }

    async fn caps(&self, customer: &str, month: &str) {
        let form = [("commission", "20%"), ("customer_cap", customer), ("month_cap", month)];
        let saved = self.browser.post("/m/acme/settings/commission", &form).await;
        assert_eq!(saved.status, 303, "{}", saved.text);
        tokio::time::sleep(Duration::from_millis(600)).await;
    }

    async fn sale(&self, body: Value) -> String {
        let made = self.site.api.post("/referrals/convert", &body).await;
        assert!(made.status.is_success(), "{made:?}");
        made.data()["commission"].to_string()
    }

    async fn sold(&self, code: &str) -> String {
        self.sale(json!({ "referralCode": code, "amount": 100 })).await
    }

    async fn sentence(&self, affiliate: &str) -> String {
        let id = self.site.api.newest_commission(affiliate).await;
        let shown = self.site.api.get(&format!("/commissions/{id}")).await;
        shown.data()["commission"]["explanation"]["sentence"].as_str().unwrap().to_owned()
    }

    /// A browser of that affiliate's.
    async fn of(&self, affiliate: &str, email: &str) -> Browser {
        account_of(&self.site, affiliate, email).await;
        signed_in(&self.site, email).await
    }
}

#[tokio::test]
async fn a_rate_grows_with_the_months_sales_and_both_sides_see_how_far_it_is() {
    let shop = Shop::open().await;
    let ann = shop.site.affiliate("ann").await;
    shop.site.affiliate("ben").await;
    let theirs = shop.of(&ann, "ann@example.com").await;
    shop.added(&[("name", "Volume"), ("pays", "10%"), ("tiers_by", "count month"), ("tiers", "2: 25%\r\n3: 30%")])
        .await;
    let progress = async || {
        let home = texts(&theirs.get("/home").await, ".climb small").join("");
        let page = shop.browser.get(&format!("/m/acme/affiliates/{ann}")).await;
        assert_eq!(texts(&page, ".climb small").join(""), home, "both see the same");
        home
    };
    assert_eq!(progress().await, "2 more sales this month to 25%");
    for (earned, next) in [
        ("10.0", "1 more sale this month to 25%"),
        ("10.0", "1 more sale this month to 30%"),
        ("25.0", ""),
        ("30.0", ""),
        ("30.0", ""),
    ] {
        assert_eq!(shop.sold("ann").await, earned);
        assert_eq!(progress().await, next);
    }
    assert_eq!(shop.sold("ben").await, "10.0", "each climbs alone");
    assert_eq!(
        shop.sentence(&ann).await,
        "30% of USD 100.00 by “Volume” (after 3 sales this month it is 30%, and there were 4 sales) is USD 30.00"
    );
    // What is tried is what would be.
    let tried = shop.browser.get("/m/acme/rules?affiliate=ben&amount=100&product=&sale=first").await;
    let told = texts(&tried, "[role=status]").join(" ");
    assert!(told.contains("would earn USD 10.00"), "{told}");
    assert!(told.contains("They made 1 sale so far, 1 of them this month. 1 more sale this month to 25%."), "{told}");
    let dry = json!({ "referralCode": "ann", "amount": 100 });
    let dry = shop.site.api.post("/referrals/convert?dryRun=true", &dry).await;
    assert_eq!(dry.data()["commission"].to_string(), "30.0");

    shop.advance_days(31).await;
    assert_eq!(shop.sold("ann").await, "10.0", "another month");
    shop.site.check_ledger().await;
}

#[tokio::test]
async fn beginners_have_a_rate_for_their_first_days_or_sales() {
    let shop = Shop::open().await;
    shop.site.affiliate("ann").await;
    shop.added(&[("name", "Welcome"), ("pays", "50%"), ("first_sales", "2")]).await;
    shop.added(&[("name", "First week"), ("pays", "5"), ("kind", "flat"), ("first_days", "7"), ("sales", "repeat")])
        .await;
    let repeat = json!({ "referralCode": "ann", "amount": 100, "renewal": true, "customer": { "id": "c1" } });
    assert_eq!(shop.sold("ann").await, "50.0");
    assert_eq!(shop.sale(repeat.clone()).await, "5.0");
    assert_eq!(shop.sold("ann").await, "20.0");
    assert_eq!(shop.sale(repeat.clone()).await, "5.0");
    shop.advance_days(7).await;
    assert_eq!(shop.sale(repeat).await, "20.0");
    let tried = shop.browser.get("/m/acme/rules?affiliate=ann&amount=100&product=&sale=first").await;
    let told = texts(&tried, "[role=status]").join(" ");
    assert!(told.contains("“Welcome” is for an affiliate’s first sales, which are over"), "{told}");
    assert!(told.contains("“First week” is for an affiliate’s first days, which are over"), "{told}");
    shop.site.check_ledger().await;
}

#[tokio::test]
async fn a_customer_and_a_month_earn_at_most_so_much_and_what_was_cut_is_told() {
    let shop = Shop::open().await;
    let ann = shop.site.affiliate("ann").await;
    shop.caps("50", "90").await;
    let theirs = shop.of(&ann, "ann@example.com").await;
    let page = theirs.get("/home").await;
    assert!(page.text.contains("at most USD 50.00 by a customer, and USD 90.00 in a month"), "{}", page.text);
    let of = |customer: &str, amount: i64| json!({ "referralCode": "ann", "amount": amount, "customer": { "id": customer } });
    assert_eq!(shop.sale(of("c1", 200)).await, "40.0");
    assert_eq!(shop.sale(of("c1", 200)).await, "10.0");
    assert_eq!(
        shop.sentence(&ann).await,
        "20% of USD 200.00 by “The program’s rate”; USD 30.00 less, as USD 50.00 is the most for a customer is USD 10.00"
    );
    assert_eq!(shop.sale(of("c1", 200)).await, "0.0");
    assert_eq!(shop.sale(of("c2", 150)).await, "30.0");
    assert_eq!(shop.sale(of("c3", 150)).await, "10.0", "what is left of the month");
    let tried = shop.browser.get("/m/acme/rules?affiliate=ann&amount=100&product=&sale=first&earned=45").await;
    assert!(texts(&tried, "[role=status]").join(" ").contains("USD 20.00 less, as USD 90.00 is the most for a month"));
    // A sale that is taken back makes no room again; another month does, and a customer's limit stays.
    let conversion =
        shop.site.api.get("/conversions").await.data()["conversions"][0]["id"].as_str().unwrap().to_owned();
    shop.site.api.post(&format!("/conversions/{conversion}/refunds"), &json!({})).await;
    assert_eq!(shop.sold("ann").await, "0.0");
    shop.advance_days(31).await;
    assert_eq!(shop.sale(of("c1", 200)).await, "0.0");
    assert_eq!(shop.sale(of("c3", 500)).await, "40.0");
    shop.caps("", "").await;
    assert_eq!(shop.sale(of("c1", 200)).await, "40.0");
    shop.site.check_ledger().await;
}

#[tokio::test]
async fn what_cannot_grow_or_cap_is_refused() {
    let shop = Shop::open().await;
    let base = [("pays", "10%")];
    for fields in [
        &[("tiers_by", "count month"), ("tiers", "")][..],
        &[("tiers_by", "count month"), ("tiers", "<b>")],
        &[("tiers_by", "count week"), ("tiers", "2: 25%")],
        &[("tiers_by", ""), ("tiers", "2: 25%")],
        &[("tiers_by", "amount ever"), ("tiers", "2.001: 25%")],
        &[("first_days", "0")],
        &[("first_sales", "-1")],
    ] {
        let refused = shop
            .browser
            .post("/m/acme/rules", &[&base[..], &[("name", "x"), ("kind", "share"), ("sales", "all")], fields].concat())
            .await;
        assert_eq!(refused.status, 422, "{fields:?}");
        assert!(!texts(&refused, ".issue").is_empty() && !refused.text.contains("“<b>”"), "{fields:?}");
    }
    for cap in ["0", "-5", "x", "1.001"] {
        let form = [("commission", "20%"), ("customer_cap", cap), ("month_cap", "")];
        assert_eq!(shop.browser.post("/m/acme/settings/commission", &form).await.status, 422, "{cap}");
    }
    assert_eq!(shop.site.database.number("SELECT COUNT(*) FROM commission_rules").await, 0);
    assert_eq!(shop.site.database.number("SELECT COUNT(*) FROM programs WHERE customer_cap_minor > 0").await, 0);
}

/// What each of as many sales at once earned, in cents and in order.
async fn all_at_once(shop: &Shop, bodies: Vec<Value>) -> Vec<i64> {
    let send = |body: Value| {
        let api = shop.site.api.clone();
        async move { api.post("/referrals/convert", &body).await }
    };
    let answers = at_once(bodies.into_iter().map(send)).await;
    let earned = |answer: &Answer| {
        assert_eq!(answer.status, 201, "{answer:?}");
        offshoot::domain::decimal::parse(&answer.data()["commission"].to_string(), 2).unwrap()
    };
    let mut all: Vec<_> = answers.iter().map(earned).collect();
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sales_at_once_do_not_take_the_same_last_place() {
    let shop = Shop::open().await;
    shop.site.affiliate("ann").await;
    shop.site.affiliate("ben").await;
    shop.added(&[("pays", "10%"), ("tiers_by", "count month"), ("tiers", "5: 25%\n9: 30%")]).await;
    let sales = |code: &str, orders: &str, count: usize| -> Vec<Value> {
        let sale = |number| json!({ "referralCode": code, "amount": 100, "orderId": format!("{orders}{number}") });
        (0..count).map(sale).collect()
    };
    let all = all_at_once(&shop, [sales("ann", "a", 12), sales("ben", "b", 6)].concat()).await;
    let of = |cents: i64| all.iter().filter(|earned| **earned == cents).count();
    assert_eq!((of(1_000), of(2_500), of(3_000)), (5 + 5, 4 + 1, 3), "{all:?}");

    shop.advance_days(31).await;
    shop.caps("", "45").await;
    let all = all_at_once(&shop, sales("ann", "c", 12)).await;
    assert_eq!(all.iter().sum::<i64>(), 4_500, "{all:?}");
    // One customer, named in two ways that only the database knows are one.
    shop.caps("65", "").await;
    let known = json!({ "referralCode": "ben", "amount": 10, "customer": { "id": "c1", "email": "c1@example.com" } });
    assert_eq!(shop.sale(known).await, "1.0");
    let named = |number: usize| match number % 2 {
        0 => json!({ "referralCode": "ann", "amount": 100, "customer": { "id": "c1" } }),
        _ => json!({ "referralCode": "ann", "amount": 100, "customer": { "email": "c1@example.com" } }),
    };
    let all = all_at_once(&shop, (0..10).map(named).collect()).await;
    assert_eq!(all.iter().sum::<i64>(), 6_400, "{all:?}");
    shop.site.check_ledger().await;
}
