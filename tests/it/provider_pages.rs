//! The pages of payments coming in: connecting, the inbox, an event, and who sees what.

use std::sync::Arc;

use offshoot::{
    domain::{email::Email, providers::Provider, role::Role},
    flows::{
        Refusal,
        accounts::{self, NewAccount},
    },
    password, store,
};

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, texts},
    payments::{Payments, connect, payload},
};

async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in("mara@example.com", PASSWORD).await.status, 303);
    browser
}

async fn member(site: &Site, role: Role) -> Browser {
    let email = format!("{role}@example.com");
    let password_hash = password::hash(PASSWORD.into()).await;
    let new = NewAccount { email: Email::parse(&email).unwrap(), name: role.to_string(), password_hash };
    let (ids, now, program) = (Arc::clone(&site.app.ids), site.app.clock.now(), site.program.id);
    let made = site.app.db.write(move |tx| {
        Box::pin(async move {
            let account = accounts::create(tx, &ids, now, &new).await?;
            store::accounts::join(tx, account, program, role, now).await?;
            Ok::<_, Refusal>(())
        })
    });
    made.await.unwrap();
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in(&email, PASSWORD).await.status, 303);
    browser
}

/// The address of the newest event's page.
async fn newest(browser: &Browser) -> String {
    let inbox = browser.get("/m/acme/payments/events").await;
    let link = inbox.text.split("href=\"").find(|part| part.starts_with("/m/acme/payments/events/pevt_")).unwrap();
    link.split('"').next().unwrap().to_owned()
}

fn says(answer: &Answer, words: &str) {
    let text = texts(answer, "main").join(" ");
    assert!(text.contains(words), "{words} in: {text}");
}

#[tokio::test]
async fn stripe_is_connected_changed_and_cut() {
    let site = Site::start().await;
    let owner = owner(&site).await;
    let page = owner.get("/m/acme/payments").await;
    assert_eq!(texts(&page, "h1"), ["Payments coming in"]);
    assert_eq!(texts(&page, ".badge"), vec!["Not connected"; 5]);

    let form = owner.get("/m/acme/payments/stripe").await;
    assert!(form.text.contains(&format!("value=\"{}\"", site.url("/hooks/acme/stripe"))), "{form:?}");
    says(&form, "charge.dispute.funds_reinstated");
    for wrong in ["", "  ", "short", "with a space in it", "whsec_\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
        let again = owner.post("/m/acme/payments/stripe", &[("secret", wrong), ("mode", "live")]).await;
        assert_eq!(again.status, 422, "{wrong}: {again:?}");
        assert_eq!(texts(&again, "#secret-issue").len(), 1);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM provider_connections").await, 0);
    let saved = owner.post("/m/acme/payments/stripe", &[("secret", " whsec_first_one "), ("mode", "live")]).await;
    assert_eq!(saved.header("location"), "/m/acme/payments");
    let page = owner.get("/m/acme/payments").await;
    says(&page, "Stripe is connected");
    says(&page, "secret …_one");
    assert!(!page.text.contains("whsec_first_one"));
    owner.post("/m/acme/payments/stripe", &[("secret", "whsec_second_two"), ("mode", "test")]).await;
    let form = owner.get("/m/acme/payments/stripe").await;
    says(&form, "Now …_two. The one before it still counts until");
    assert_eq!(texts(&form, "h1 .badge"), ["For tests"]);
    let cut = owner.post("/m/acme/payments/stripe/disconnection", &[]).await;
    assert_eq!(cut.status, 303);
    assert_eq!(owner.post("/m/acme/payments/stripe/disconnection", &[]).await.status, 404);
    let body = payload(Provider::Stripe, "product_created", 1);
    let payments = Payments::connect(&site, Provider::Paddle).await;
    let stripe = Payments { provider: Provider::Stripe, secret: "whsec_second_two".into(), ..payments };
    assert_eq!(stripe.send(&stripe.headers("", &body), body).await.status, 404);
    let kept = "SELECT COUNT(*) FROM provider_connections WHERE secret IS NOT NULL AND provider = 'stripe'";
    assert_eq!(site.database.number(kept).await, 0);
    let log = owner.get("/m/acme/audit?about=provider").await;
    assert_eq!(texts(&log, "tbody tr").len(), 4, "{log:?}");
    assert!(!log.text.contains("whsec_"), "{log:?}");
}

#[tokio::test]
async fn a_server_of_ones_own_is_given_a_secret() {
    let site = Site::start().await;
    let owner = owner(&site).await;
    let made = owner.post("/m/acme/payments/generic", &[("mode", "live")]).await;
    assert_eq!(made.status, 200, "{made:?}");
    assert_eq!(made.header("cache-control"), "no-store");
    let secret = made.text.split("value=\"whsec_").nth(1).unwrap().split('"').next().unwrap();
    let payments = Payments::connect(&site, Provider::Paddle).await;
    let own = Payments { provider: Provider::Generic, secret: format!("whsec_{secret}"), ..payments };
    own.tell("sale", 1).await;
    assert_eq!(own.events("ignored").await, 1);
}

#[tokio::test]
async fn asked_again_before_a_secret_is_taken() {
    let site = Site::start().await;
    let owner = owner(&site).await;
    site.advance_seconds(11 * 60);
    for asked in [
        owner.get("/m/acme/payments/stripe").await,
        owner.post("/m/acme/payments/stripe", &[("secret", "whsec_first_one")]).await,
        owner.post("/m/acme/payments/stripe/disconnection", &[]).await,
    ] {
        assert!(asked.header("location").starts_with("/confirm?"), "{asked:?}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM provider_connections").await, 0);
}

#[tokio::test]
async fn the_inbox_tells_what_each_did_and_why_not() {
    let site = Site::start().await;
    let owner = owner(&site).await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    payments.tell("invoice_paid_2024", 1).await;
    let page = owner.get("/m/acme/payments").await;
    says(&page, "One event needs a look");
    let failed = owner.get("/m/acme/payments/events?state=failed").await;
    assert_eq!(texts(&failed, "tbody tr").len(), 1);
    says(&failed, "Neither its click nor its code is one of this program's.");
    let at = newest(&owner).await;
    let event = owner.get(&at).await;
    says(&event, "Needs a look");
    assert!(texts(&event, "pre")[0].contains("ada.buyer@example.com"), "{event:?}");

    // What was missing is there now.
    let ada = site.affiliate("ADA").await;
    assert_eq!(owner.post(&format!("{at}/run"), &[]).await.header("location"), at);
    let event = owner.get(&at).await;
    says(&event, "It ran again. Sale of USD 100.00 recorded as in_1Qw000001Invoice, credited to ADA.");
    assert!(event.text.contains("/m/acme/commissions/comm_"), "{event:?}");
    owner.post(&format!("{at}/run"), &[]).await;
    assert_eq!(payments.earnings(&ada).await, "20.0 20.0 0.0");
    for (query, rows) in [
        ("?provider=stripe", 1),
        ("?provider=paddle", 0),
        ("?provider=stripe&state=done", 1),
        ("?state=failed", 0),
        ("", 1),
    ] {
        let inbox = owner.get(&format!("/m/acme/payments/events{query}")).await;
        assert_eq!(texts(&inbox, "tbody tr").len(), rows, "{query}");
    }
    for odd in ["?provider=other", "?state=odd", "?before=x"] {
        assert_eq!(owner.get(&format!("/m/acme/payments/events{odd}")).await.status, 400, "{odd}");
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn pages_of_the_inbox_follow_each_other() {
    let site = Site::start().await;
    let owner = owner(&site).await;
    let payments = Payments::connect(&site, Provider::Polar).await;
    for number in 0..60 {
        payments.tell_text(&format!("msg_{number}"), &payload(Provider::Polar, "benefit_created", number)).await;
    }
    let first = owner.get("/m/acme/payments/events?provider=polar").await;
    assert_eq!(texts(&first, "tbody tr").len(), 50);
    let older = first.text.split("rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let older = older.replace("&#38;", "&").replace("&amp;", "&");
    let second = owner.get(&format!("/m/acme/payments/events{older}")).await;
    assert_eq!(texts(&second, "tbody tr").len(), 10, "{second:?}");
}

#[tokio::test]
async fn what_came_is_inert_and_for_those_who_pay() {
    let site = Site::start().await;
    let payments = Payments::connect(&site, Provider::Generic).await;
    let hostile = r#"{"type":"<script>alert(1)</script>","data":{"orderId":"\"><img src=x onerror=alert(1)>"}}"#;
    payments.tell_text("<b>id</b>", hostile).await;
    for (role, sees, runs) in [
        (Role::Admin, true, true),
        (Role::Finance, true, true),
        (Role::Manager, false, true),
        (Role::Viewer, false, false),
    ] {
        let browser = member(&site, role).await;
        let at = newest(&browser).await;
        let page = browser.get(&at).await;
        assert!(!page.text.contains("<script>alert") && !page.text.contains("<img"), "{page:?}");
        assert_eq!(texts(&page, "pre").len(), usize::from(sees), "{role}");
        assert_eq!(texts(&page, "main form button").len(), usize::from(runs), "{role}");
        let again = browser.post(&format!("{at}/run"), &[]).await;
        assert_eq!(again.status, if runs { 303 } else { 404 }, "{role}");
    }
}

#[tokio::test]
async fn another_programs_events_do_not_exist() {
    let site = Site::start().await;
    let owner = owner(&site).await;
    let payments = Payments::connect(&site, Provider::Stripe).await;
    payments.tell("product_created", 1).await;
    let at = newest(&owner).await;
    let (_, _) = site.another_program("other").await;
    let hash = password::hash(PASSWORD.into()).await.unwrap();
    let set = format!("UPDATE accounts SET password_hash = '{hash}' WHERE email_key = 'owner@other.example'");
    site.database.execute(&set).await.unwrap();
    let other = Browser::at(site.address);
    assert_eq!(other.sign_in("owner@other.example", PASSWORD).await.status, 303);
    let there = at.replace("/m/acme/", "/m/other/");
    assert_eq!(other.get(&there).await.status, 404);
    assert_eq!(other.post(&format!("{there}/run"), &[]).await.status, 404);
    assert_eq!(texts(&other.get("/m/other/payments/events").await, "tbody tr").len(), 0);
    connect(&site, Provider::Stripe, &payments.secret, true).await;
    assert_eq!(texts(&other.get("/m/other/payments").await, ".badge"), vec!["Not connected"; 5]);
}
