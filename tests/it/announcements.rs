//! A change of what is earned is told to those whom it touches, once each: on their first page and by mail.

use offshoot::{
    domain::{id::Id, message::Kind},
    flows::announcements,
    store::{
        Error,
        mail_preferences::{self, Recipient},
    },
};

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account, account_of, signed_in, texts},
    post::{MARA, Post},
};

const MAILS: &str = "SELECT COUNT(*) FROM mails WHERE kind = 'rate_changed'";

/// An affiliate who signs in: their id and a browser.
async fn earner(site: &Site, code: &str) -> (String, Browser) {
    let id = site.affiliate(code).await;
    let email = format!("{code}@example.com");
    account_of(site, &id, &email).await;
    let browser = signed_in(site, &email).await;
    (id, browser)
}

/// Those who were written to since the last time, by the beginnings of their addresses.
async fn told(post: &Post) -> Vec<String> {
    let before = post.server.taken().len();
    post.work().await;
    let mut all: Vec<_> = post.server.taken()[before..]
        .iter()
        .map(|mail| {
            mail.parsed().to().unwrap().first().unwrap().address().unwrap().split('@').next().unwrap().to_owned()
        })
        .collect();
    all.sort();
    all
}

async fn changes(browser: &Browser) -> String {
    texts(&browser.get("/home").await, "#changes ~ ul li").join(" | ")
}

#[tokio::test]
async fn each_change_is_told_to_those_whom_it_touches_and_to_nobody_else() {
    let post = Post::start().await;
    let site = &post.site;
    let (ann, anns) = earner(site, "ann").await;
    let (ben, bens) = earner(site, "ben").await;
    let (cyd, _) = earner(site, "cyd").await;
    earner(site, "dan").await;
    site.affiliate("without-account").await;
    site.set_affiliate(&cyd, "blocked").await;
    let dan = "SELECT id FROM accounts WHERE email = 'dan@example.com'";
    let by = Recipient::Account(Id::new(site.database.number(dan).await));
    let now = site.app.clock.now();
    let unwanted = site
        .app
        .db
        .write::<_, Error, _>(move |tx| Box::pin(mail_preferences::set(tx, by, Kind::RateChanged, false, now)));
    unwanted.await.unwrap();
    let browser = Browser::at(site.address);
    browser.sign_in(MARA, PASSWORD).await;
    let rule = async |fields: &[(&str, &str)]| {
        let base = [("kind", "share"), ("sales", "all"), ("products", "")];
        let made = browser.post("/m/acme/rules", &[&base[..], fields].concat()).await;
        assert_eq!(made.status, 303, "{made:?}");
        tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    };
    assert!(changes(&anns).await.is_empty());

    // The program's rate, and by the same form nothing.
    for _ in 0..2 {
        browser.post("/m/acme/settings/commission", &[("commission", "22%")]).await;
    }
    assert_eq!(told(&post).await, ["ann", "ben"]);
    assert_eq!(changes(&anns).await, "From 1 Mar 2026: 22% of each sale instead of 20%");
    let mail = post.server.taken().last().unwrap().text();
    assert!(
        mail.contains("changes what you earn, from 2026-03-01 on:") && mail.contains("> 22% of each sale"),
        "{mail}"
    );
    assert!(mail.contains("Stop these mails: "), "{mail}");

    // One's own rate: from then on what is for many touches them no more.
    browser.post(&format!("/m/acme/affiliates/{ben}/rates"), &[("rate", "40%"), ("from", "")]).await;
    assert_eq!(told(&post).await, ["ben"]);
    browser.post("/m/acme/settings/commission", &[("commission", "22%"), ("month_cap", "500")]).await;
    assert_eq!(told(&post).await, ["ann"]);
    assert_eq!(changes(&bens).await, "From 1 Mar 2026: 40% of each sale, your own rate");

    rule(&[("name", "<em>Spring</em>"), ("pays", "30%"), ("starts_at", "2026-03-10")]).await;
    assert_eq!(told(&post).await, ["ann"]);
    rule(&[("name", "Ben"), ("pays", "45%"), ("affiliate", "ben")]).await;
    assert_eq!(told(&post).await, ["ben"]);
    let group = crate::groups::group(site, &browser, "Gold").await;
    browser.post("/m/acme/affiliates/group", &[("group", &group), ("id", &ann)]).await;
    rule(&[("name", "Gold"), ("pays", "35%"), ("group", &group), ("sales", "first")]).await;
    assert_eq!(told(&post).await, ["ann"]);
    assert!(!changes(&bens).await.contains("Gold"));
    assert!(changes(&anns).await.starts_with("From 1 Mar 2026: “Gold”: 35% of"));
    assert!(!anns.get("/home").await.text.contains("<em>"), "it is inert");

    // Out of the group and back in, one earns something else too.
    for (to, text) in [("none", "no more “Gold”: 35% of"), (group.as_str(), "“Gold”: 35% of")] {
        browser.post("/m/acme/affiliates/group", &[("group", to), ("id", &ann), ("id", &ben)]).await;
        assert_eq!(told(&post).await, ["ann"], "Ben has a rate of his own");
        assert!(changes(&anns).await.starts_with(&format!("From 1 Mar 2026: {text}")));
    }

    // Ended, which is told too; ending it again is nothing.
    let page = browser.get("/m/acme/rules").await;
    let all = page.text.split("/m/acme/rules/rule_").skip(1);
    let ends: Vec<_> = all.map(|rest| format!("/m/acme/rules/rule_{}", rest.split('"').next().unwrap())).collect();
    for end in ends.iter().chain(&ends) {
        assert_eq!(browser.post(end, &[]).await.status, 303);
    }
    assert_eq!(told(&post).await, ["ann", "ann", "ben"]);
    assert!(changes(&anns).await.contains("“Gold” has ended: 35% of"));
    assert!(changes(&anns).await.contains("“<em>Spring</em>” does not begin after all: 30%"));

    // Who joins now was told when they joined; and after some weeks it is nothing new.
    let (_, news) = earner(site, "eve").await;
    assert!(changes(&news).await.is_empty());
    site.advance_seconds(25 * 86_400);
    anns.sign_in("ann@example.com", PASSWORD).await;
    assert!(changes(&anns).await.is_empty());
    site.check_ledger().await;
}

#[tokio::test]
async fn a_rule_for_every_sale_stands_before_the_programs_rate() {
    let post = Post::start().await;
    earner(&post.site, "ann").await;
    let browser = Browser::at(post.site.address);
    browser.sign_in(MARA, PASSWORD).await;
    let rule = [("name", "All"), ("pays", "30%"), ("kind", "share"), ("sales", "all"), ("products", "")];
    browser.post("/m/acme/rules", &rule).await;
    assert_eq!(told(&post).await, ["ann"]);
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    browser.post("/m/acme/settings/commission", &[("commission", "22%")]).await;
    assert!(told(&post).await.is_empty());
}

#[tokio::test]
async fn hundreds_are_written_to_in_steps_and_never_twice() {
    let site = Site::start().await;
    account(&site, MARA, true).await;
    let browser = Browser::at(site.address);
    browser.sign_in(MARA, PASSWORD).await;
    account(&site, "ann@example.com", false).await;
    for number in 0..450 {
        let id = site.app.ids.next::<offshoot::domain::id::Affiliate>(site.app.clock.now()).raw();
        let insert = format!(
            "INSERT INTO affiliates (id, program_id, account_id, email, email_key, name, status, custom_fields, created_at, updated_at)
             SELECT {id}, {}, a.id, 'x{number}@example.com', 'x{number}@example.com', 'X', 'active', '{{}}', 0, 0
             FROM accounts a WHERE a.email = 'ann@example.com'",
            site.program.id.raw()
        );
        site.database.execute(&insert).await.unwrap();
    }
    browser.post("/m/acme/settings/commission", &[("commission", "22%")]).await;
    assert_eq!(site.database.number(MAILS).await, 0, "nobody waits for them");
    let id = Id::new(site.database.number("SELECT id FROM announcements").await);
    let tell = async || {
        let (ids, now) = (site.app.ids.clone(), site.app.clock.now());
        let step = site
            .app
            .db
            .write::<_, Error, _>(move |tx| Box::pin(async move { announcements::tell(tx, &ids, now, id).await }));
        step.await.unwrap()
    };
    for (more, mails) in [(true, 200), (true, 400), (false, 450), (false, 450)] {
        assert_eq!((tell().await, site.database.number(MAILS).await), (more, mails));
    }
    // As if a server had forgotten how far it was.
    site.database.execute("UPDATE announcements SET told_to = 0").await.unwrap();
    while tell().await {}
    assert_eq!(site.database.number(MAILS).await, 450);
}
