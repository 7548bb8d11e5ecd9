//! What an affiliate sees: figures that add up and lead to their rows, links of their own, how they are
//! paid; and what somebody else sees of it, which is nothing.

use offshoot::{
    domain::{
        id::{AccountId, AffiliateId},
        role::Role,
    },
    store,
};
use serde_json::json;

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, texts},
};

fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

/// Lets an account earn as that affiliate.
async fn give(site: &Site, affiliate: &str, to: AccountId) {
    let id = AffiliateId::parse(affiliate).unwrap();
    let given = site.app.db.write(move |tx| Box::pin(store::affiliates::give_to(tx, id, to)));
    given.await.unwrap();
}

/// A browser that is signed in as an affiliate with that code, and the affiliate's id.
async fn earner(site: &Site, code: &str) -> (Browser, String) {
    let (id, email) = (site.affiliate(code).await, format!("{code}@people.example"));
    let owner = account(site, &email, false).await;
    give(site, &id, owner).await;
    let browser = Browser::at(site.address);
    browser.sign_in(&email, PASSWORD).await;
    (browser, id)
}

/// A browser of a member of the site's program.
async fn member(site: &Site, email: &str, role: Role) -> (Browser, AccountId) {
    let id = account(site, email, false).await;
    let (program, now) = (site.program.id, site.app.clock.now());
    let joined = site.app.db.write(move |tx| Box::pin(store::accounts::join(tx, id, program, role, now)));
    joined.await.unwrap();
    let browser = Browser::at(site.address);
    browser.sign_in(email, PASSWORD).await;
    (browser, id)
}

const PAGES: [&str; 6] = ["/home", "/links", "/earnings", "/earnings/statement", "/payouts", "/settings"];

#[tokio::test]
async fn home_says_what_to_do_first_and_then_what_is_owed() {
    let site = Site::start().await;
    let (anna, id) = earner(&site, "ANNA").await;
    let page = anna.get("/home").await;
    assert_eq!(texts(&page, ".checklist li").len(), 4, "{page:?}");
    assert_eq!(texts(&page, ".checklist .done").len(), 1, "only what is true is ticked");
    assert!(page.text.contains(&format!("{}r/acme/ANNA", site.app.config.base_url)));

    site.api.click("ANNA").await;
    site.api.sale("ANNA", "100", "A-1").await;
    let sale = site.api.newest_commission(&id).await;
    site.api.sale("ANNA", "50", "A-2").await;
    let page = anna.get("/home").await;
    assert_eq!(texts(&page, ".checklist li").len(), 0);
    assert_eq!(texts(&page, ".money .big"), ["USD 0.00"]);
    assert_eq!(texts(&page, ".money .note").len(), 1, "nobody knows how to pay");
    site.api.decide(&sale, "approved").await;
    let page = anna.get("/home").await;
    assert_eq!(texts(&page, ".money .big"), ["USD 20.00"]);
    assert_eq!(texts(&page, ".tile b"), ["USD 10.00", "USD 20.00", "USD 0.00", "1", "2"]);
    site.api.decide(&sale, "paid").await;
    let page = anna.get("/home").await;
    assert_eq!(texts(&page, ".tile b"), ["USD 10.00", "USD 0.00", "USD 20.00", "1", "2"]);
    assert_eq!(texts(&page, ".ledger li > a"), ["Payment for 1 sale", "A-2", "A-1"], "the newest first, payments too");
    assert_eq!(anna.get("/payouts/2026-03-01").await.status, 200);
    for none in ["/payouts/2026-03-02", "/payouts/2026-3-1", "/payouts/x", "/payouts/99999-01-01"] {
        assert_eq!(anna.get(none).await.status, 404, "{none}");
    }
    for range in ["7d", "30d", "90d", "12m", "nonsense"] {
        let page = anna.get(&format!("/home?period={range}&show=clicks")).await;
        assert_eq!(texts(&page, ".chart tbody td"), ["1"], "{range}");
    }
}

#[tokio::test]
async fn nobody_sees_what_somebody_else_earns() {
    let site = Site::start().await;
    let (anna, anna_id) = earner(&site, "ANNA").await;
    let (ben, _) = earner(&site, "BEN").await;
    site.api.sale("ANNA", "100", "SECRET-1").await;
    let commission = site.api.newest_commission(&anna_id).await;
    site.api.decide(&commission, "paid").await;
    anna.post("/links", &[("label", "Private"), ("code", "private-1")]).await;

    let guest = Browser::at(site.address);
    for path in PAGES {
        assert_eq!(anna.get(path).await.status, 200, "{path}");
        let others = ben.get(path).await;
        assert_eq!(others.status, 200, "{path}");
        assert!(!others.text.contains("SECRET-1") && !others.text.contains("private-1"), "{path}");
        assert_eq!(guest.get(path).await.status, 303, "{path}");
    }
    let own = format!("/earnings/{commission}");
    assert_eq!(texts(&anna.get(&own).await, "h1"), ["SECRET-1"]);
    for path in [own.as_str(), "/links/private-1/qr.svg", "/payouts/2026-03-01"] {
        assert_eq!(anna.get(path).await.status, 200, "{path}");
        assert_eq!(ben.get(path).await.status, 404, "{path}");
    }
    assert!(texts(&ben.get("/earnings?period=all&q=SECRET-1").await, "tbody tr").is_empty());
    let link = site.database.number("SELECT id FROM links").await;
    let link = offshoot::domain::id::LinkId::new(link);
    for deed in ["", "/archive", "/restore"] {
        let path = format!("/links/{link}{deed}");
        assert_eq!(ben.post(&path, &[("label", "Mine")]).await.status, 404, "{path}");
    }
    assert_eq!(
        site.database.number("SELECT COUNT(*) FROM links WHERE label = 'Private' AND archived_at IS NULL").await,
        1
    );
}

#[tokio::test]
async fn an_account_in_two_programs_sees_each_by_itself() {
    let site = Site::start().await;
    let (_, other) = site.another_program("other").await;
    let mara = account(&site, "mara@example.com", false).await;
    for (api, amount, order) in [(&site.api, "100", "ONE"), (&other, "300", "TWO")] {
        let id = api.affiliate("MARA").await;
        give(&site, &id, mara).await;
        api.sale("MARA", amount, order).await;
    }
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    for (slug, own, not) in [("acme", "ONE", "TWO"), ("other", "TWO", "ONE"), ("acme", "ONE", "TWO")] {
        goes_to(&browser.post("/switch", &[("program", slug)]).await, "/home");
        for path in ["/home", "/earnings", "/earnings/statement", "/earnings.csv"] {
            let page = browser.get(path).await;
            assert!(page.text.contains(own) && !page.text.contains(not), "{slug} {path}");
        }
        let page = browser.get("/home").await;
        assert_eq!(texts(&page, ".tile b")[0], if slug == "acme" { "USD 20.00" } else { "USD 60.00" });
    }
}

#[tokio::test]
async fn a_link_of_ones_own_leads_to_its_page_and_counts() {
    let site = Site::start().await;
    let (anna, id) = earner(&site, "ANNA").await;
    let (ben, _) = earner(&site, "BEN").await;
    let fields = [("label", "News"), ("code", "News-1"), ("destination", "shop.example/sale?x=1")];
    goes_to(&anna.post("/links", &fields).await, "/links");
    assert!(texts(&anna.get("/links").await, ".note p")[0].ends_with("/r/acme/News-1"));

    let visit = async |code: &str| {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Answer::of(client.get(site.url(&format!("/r/acme/{code}"))).send().await.unwrap()).await
    };
    let arrived = visit("news-1").await;
    assert!(arrived.header("location").starts_with("https://shop.example/sale?x=1&clickId=click_"), "{arrived:?}");
    assert!(visit("ANNA").await.header("location").starts_with("https://shop.example/start?clickId="));
    assert!(visit("news-1?to=https://shop.example/b").await.header("location").starts_with("https://shop.example/b?"));
    site.api.sale("NEWS-1", "10", "by-code").await;
    let shown = site.api.get(&format!("/affiliates/{id}")).await;
    assert_eq!(
        (&shown.data()["affiliate"]["clickCount"], &shown.data()["affiliate"]["conversionCount"]),
        (&json!(3), &json!(1))
    );

    // What must be refused, with nothing made.
    for (label, code, destination, field) in [
        ("", "fresh", "", "label"),
        ("x", "ANNA", "", "code"),
        ("x", "ben", "", "code"),
        ("x", "news-1", "", "code"),
        ("x", "a b", "", "code"),
        ("x", "fresh", "https://evil.example/", "destination"),
        ("x", "fresh", "https://shop.example@evil.example/", "destination"),
        ("x", "fresh", "javascript:alert(1)", "destination"),
    ] {
        let refused = ben.post("/links", &[("label", label), ("code", code), ("destination", destination)]).await;
        assert_eq!(refused.status, 422, "{code} {destination}");
        let at = format!("#issues a[href='#{field}']");
        assert_eq!(texts(&refused, &at).len(), 1, "{code} {destination} {refused:?}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM links").await, 1);
    // Told before it is sent.
    assert_eq!(texts(&ben.get("/links?code=fresh").await, "#code-state"), ["fresh is free."]);
    assert_eq!(texts(&ben.get("/links?code=NEWS-1").await, "#code-state"), ["NEWS-1 is already taken."]);

    // Archived, it is put away and leads on.
    let link = offshoot::domain::id::LinkId::new(site.database.number("SELECT id FROM links").await);
    goes_to(&anna.post(&format!("/links/{link}/archive"), &[]).await, "/links");
    let page = anna.get("/links").await;
    assert_eq!((texts(&page, "details .link").len(), texts(&page, "#notice button").len()), (1, 1));
    assert!(visit("News-1").await.header("location").starts_with("https://shop.example/sale"));
    goes_to(&anna.post(&format!("/links/{link}/restore"), &[]).await, "/links");
    goes_to(&anna.post(&format!("/links/{link}"), &[("label", "<b>Newer</b>")]).await, "/links");
    let page = anna.get("/links").await;
    assert_eq!((texts(&page, ".link h3"), texts(&page, ".link b").len()), (vec!["<b>Newer</b>".into()], 0));
    // A label is enough.
    goes_to(&anna.post("/links", &[("label", "Summer fair")]).await, "/links");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM codes WHERE code_key LIKE 'summerfair%'").await, 1);
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_want_the_same_ending_at_once() {
    let site = Site::start().await;
    let ((anna, _), (ben, _)) = (earner(&site, "ANNA").await, earner(&site, "BEN").await);
    for round in 0..8 {
        let code = format!("same-{round}");
        let fields = [("label", "x"), ("code", code.as_str())];
        let (one, two) = tokio::join!(anna.post("/links", &fields), ben.post("/links", &fields));
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 422]);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM links").await, 8);
}

#[tokio::test]
async fn how_one_is_paid_is_kept_audited_and_never_shown_whole() {
    let site = Site::start().await;
    let (anna, id) = earner(&site, "ANNA").await;
    for (method, details) in [("paypal", "anna"), ("bank", "DE89370400440532013001"), ("cash", "x"), ("other", "")] {
        let refused = anna.post("/settings/payment", &[("method", method), ("details", details)]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{method}");
    }
    let fields = [("method", "bank"), ("details", "DE89 3704 0044 0532 0130 00")];
    goes_to(&anna.post("/settings/payment", &fields).await, "/settings");
    for path in PAGES {
        assert!(!anna.get(path).await.text.contains("0532013"), "{path}");
    }
    assert!(anna.get("/settings").await.text.contains("Bank transfer •••• 3000"));
    let kept = site.api.get(&format!("/affiliates/{id}")).await;
    assert_eq!(kept.data()["affiliate"]["paymentDetails"], "DE89370400440532013000");
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action = 'affiliate.changed' AND actor LIKE 'account:%' AND after NOT LIKE '%3704%'";
    assert_eq!(site.database.number(audited).await, 1);

    // Told, at the address as it is, the first time and once for each change.
    let told = "SELECT COUNT(*) FROM mails WHERE kind = 'payment_details_changed'";
    assert_eq!(site.database.number(told).await, 1);
    for _ in 0..2 {
        anna.post("/settings/payment", &[("method", "paypal"), ("details", "new@example.com")]).await;
    }
    assert_eq!(site.database.number(told).await, 2);
    goes_to(&anna.post("/settings/payment/removal", &[]).await, "/settings");
    assert!(anna.get("/settings").await.text.contains("Not set yet"));
    assert_eq!(site.database.number(told).await, 3);

    // Asked again, when it is a while since they proved who they are.
    site.advance_seconds(11 * 60);
    for answer in [anna.get("/settings/payment").await, anna.post("/settings/payment", &fields).await] {
        assert!(answer.header("location").starts_with("/confirm?"), "{answer:?}");
    }
    assert_eq!(site.database.number(told).await, 3);

    let long = "و".repeat(200);
    goes_to(&anna.post("/settings/profile", &[("name", &long)]).await, "/settings");
    assert!(anna.get("/settings").await.text.contains(&long));
    for wrong in ["", " ", &"x".repeat(201)] {
        assert_eq!(anna.post("/settings/profile", &[("name", wrong)]).await.status, 422);
    }
}

#[tokio::test]
async fn who_is_not_active_sees_what_is_owed_and_makes_no_links() {
    let site = Site::start().await;
    let (anna, id) = earner(&site, "ANNA").await;
    site.api.sale("ANNA", "100", "A-1").await;
    for status in ["pending", "blocked"] {
        site.set_affiliate(&id, status).await;
        let page = anna.get("/home").await;
        assert_eq!((texts(&page, "#link").len(), &*texts(&page, ".tile b")[0]), (0, "USD 20.00"));
        assert_eq!(anna.get("/earnings.csv").await.status, 200);
        assert_eq!(texts(&anna.get("/links").await, "form[action='/links']").len(), 0);
        assert_eq!(anna.post("/links", &[("label", "x")]).await.status, 422);
        goes_to(
            &anna.post("/settings/payment", &[("method", "paypal"), ("details", "a@example.com")]).await,
            "/settings",
        );
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM links").await, 0);
}

#[tokio::test]
async fn a_merchant_looks_and_changes_nothing() {
    let site = Site::start().await;
    let (_, id) = earner(&site, "ANNA").await;
    site.api.sale("ANNA", "100", "A-1").await;
    let view = format!("/m/acme/affiliates/{id}/view");
    let (manager, account) = member(&site, "manager@example.com", Role::Manager).await;
    for (role, email) in [(Role::Viewer, "viewer@example.com"), (Role::Finance, "finance@example.com")] {
        let (other, _) = member(&site, email, role).await;
        assert_eq!(other.post(&view, &[]).await.status, 404, "{role}");
        assert_eq!(other.get("/home").await.status, 404);
    }
    let (program, api) = site.another_program("other").await;
    let foreign = api.affiliate("ZOE").await;
    assert_eq!(manager.post(&format!("/m/acme/affiliates/{foreign}/view"), &[]).await.status, 404);
    assert_eq!(manager.post(&format!("/m/{}/affiliates/{id}/view", program.slug), &[]).await.status, 404);

    goes_to(&manager.post(&view, &[]).await, "/home");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log WHERE action = 'affiliate.viewed'").await, 1);
    for path in PAGES {
        let page = manager.get(path).await;
        assert_eq!((page.status.as_u16(), texts(&page, ".strip form").len()), (200, 1), "{path}");
        assert_eq!(texts(&page, "main form[method=post]").len(), 0, "{path} offers nothing to change");
    }
    for (path, fields) in [
        ("/settings/payment", vec![("method", "paypal"), ("details", "thief@example.com")]),
        ("/settings/profile", vec![("name", "Thief")]),
        ("/links", vec![("label", "x")]),
    ] {
        assert_eq!(manager.post(path, &fields).await.status, 403, "{path}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log WHERE action = 'affiliate.changed'").await, 0);
    goes_to(&manager.post(&format!("{view}/end"), &[]).await, &format!("/m/acme/affiliates/{id}"));
    assert_eq!(manager.get("/home").await.status, 404);

    // Who may no longer look sees nothing from that moment on.
    goes_to(&manager.post(&view, &[]).await, "/home");
    site.database.execute(&format!("DELETE FROM memberships WHERE account_id = {}", account.raw())).await.unwrap();
    assert_eq!(manager.get("/earnings").await.status, 404);
    assert_eq!(manager.get("/home").await.status, 404);
}

#[tokio::test]
async fn hostile_text_is_inert_on_pages_and_in_files() {
    let site = Site::start().await;
    let (anna, id) = earner(&site, "ANNA").await;
    let body = json!({ "referralCode": "ANNA", "amount": 9_999_999_999.99, "orderId": "=cmd|' /C calc'!A0<script>x</script>",
        "customer": { "email": "jane@secret.example", "name": "Jane" } });
    assert_eq!(site.api.post("/referrals/convert", &body).await.status, 201);
    let commission = site.api.newest_commission(&id).await;
    let reason = json!({ "status": "rejected", "reason": "<img src=x onerror=y>" });
    site.api.put(&format!("/commissions/{commission}/status"), &reason).await;
    for path in
        ["/home", "/earnings", "/earnings?view=movements", "/earnings/statement", &format!("/earnings/{commission}")]
    {
        let page = anna.get(path).await;
        assert!(texts(&page, "main script, main img").is_empty(), "{path}");
        assert!(!page.text.contains("jane@"), "{path}");
    }
    let file = anna.get("/earnings.csv?period=all").await;
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    let mut rows = csv::Reader::from_reader(file.text.as_bytes());
    let row = rows.records().next().unwrap().unwrap();
    assert!(row[1].starts_with("'=cmd"), "{row:?}");
    assert_eq!((&row[2], &row[3], &row[5]), ("j•••@s•••.example", "9999999999.99", "2000000000.00"));
    for wrong in ["/earnings?period=x", "/earnings?status=x", "/earnings?before=x"] {
        assert_eq!(anna.get(wrong).await.status, 400, "{wrong}");
    }
    assert_eq!(anna.get("/earnings/comm_x").await.status, 404);
}
