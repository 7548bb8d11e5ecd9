//! The portal: set up once, signing in and out, and what each account sees.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use offshoot::{
    domain::{email::Email, one_time_link::Purpose},
    flows::one_time_links::{self, NewLink},
    store,
};

use crate::support::{
    Answer, Database, Process, Site,
    browser::{Browser, PASSWORD, account, encoded, signed_in, texts},
};

fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_installation_is_set_up_once_by_whoever_holds_the_address() {
    let database = Database::new().await;
    let server = Process::start(&database);
    let token = server.setup_token();
    let browser = Browser::at(server.address);
    for wrong in ["/setup", "/setup?token=", "/setup?token=guess"] {
        assert_eq!(browser.get(wrong).await.status, 404, "{wrong}");
    }
    let page = browser.get(&format!("/setup?token={token}")).await;
    assert_eq!(texts(&page, "h1"), ["Set up Offshoot"]);

    let form = |email: &'static str, password: &'static str| {
        let token = token.clone();
        let browser = Browser::at(server.address);
        async move {
            let fields = [
                ("token", token.as_str()),
                ("email", email),
                ("name", "Mara"),
                ("password", password),
                ("program", "Acme"),
                ("slug", "acme"),
                ("currency", "EUR"),
                ("commission", "15%"),
                ("landing_url", "https://shop.example/"),
                ("domains", "shop.example"),
            ];
            (browser.clone(), browser.post("/setup", &fields).await)
        }
    };
    let (_, refused) = form("mara@example.com", "short").await;
    assert_eq!(texts(&refused, "#issues li").len(), 1, "{refused:?}");
    assert!(!refused.text.contains("short"), "a password is not sent back");

    let (one, two) = tokio::join!(form("one@example.com", PASSWORD), form("two@example.com", PASSWORD));
    let (won, lost): (Vec<_>, Vec<_>) = [one, two].into_iter().partition(|(_, answer)| answer.status == 303);
    assert_eq!((won.len(), lost[0].1.status.as_u16()), (1, 404), "{:?}", lost[0].1);
    goes_to(&won[0].0.get("/").await, "/m/acme");
    assert_eq!(browser.get(&format!("/setup?token={token}")).await.status, 404, "once");
    assert_eq!(database.number("SELECT COUNT(*) FROM accounts").await, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM programs WHERE currency = 'EUR' AND rate_bps = 1500").await, 1);

    drop(server);
    let again = Process::start(&database);
    assert!(!again.log.lock().unwrap().contains("/setup?token="), "there is an account");
}

#[tokio::test]
async fn nobody_can_tell_an_unknown_account_from_a_wrong_password() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    let (unknown, wrong) =
        (browser.sign_in("nobody@example.com", PASSWORD).await, browser.sign_in("mara@example.com", "wrong").await);
    let said = |answer: &Answer, email: &str| (answer.status, answer.text.replace(email, "?"));
    assert_eq!(said(&unknown, "nobody@example.com"), said(&wrong, "mara@example.com"));
    assert_eq!(texts(&wrong, "[role=alert]").len(), 1);
    assert!(!wrong.headers.contains_key("set-cookie"));
    goes_to(&browser.get("/home").await, "/login?next=%2Fhome");
    goes_to(&browser.sign_in("MARA@example.com", PASSWORD).await, "/");
}

#[tokio::test]
async fn a_session_is_new_at_sign_in_hashed_at_rest_and_kept_from_scripts() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let planted = "offshoot=AAAAAAAAAAAAAAAAAAAAAA";
    let browser = Browser::at(site.address);
    let fields = [("email", "mara@example.com"), ("password", PASSWORD)];
    let form = browser.form("/login", &fields).header("sec-fetch-site", "same-origin").header("cookie", planted);
    let signed_in = Answer::of(form.send().await.unwrap()).await;
    let (session, whole) = (cookie(&signed_in), signed_in.header("set-cookie").to_owned());
    assert_ne!(session, planted);
    assert!(whole.contains("HttpOnly") && whole.contains("SameSite=Lax") && whole.contains("Path=/"), "{whole}");

    let with = |cookie: String| {
        let request = reqwest::Client::new().get(site.url("/m/acme/affiliates")).header("cookie", cookie);
        async move { request.send().await.unwrap().url().path().to_owned() }
    };
    assert_eq!(with(planted.into()).await, "/login", "what was planted is worth nothing");
    assert_eq!(with(session.clone()).await, "/m/acme/affiliates");
    // Signing in again where a session is known gives another, and ends the first.
    let form = browser.form("/login", &fields).header("sec-fetch-site", "same-origin").header("cookie", &session);
    let second = cookie(&Answer::of(form.send().await.unwrap()).await);
    assert_ne!(second, session);
    assert_eq!(with(session.clone()).await, "/login");
    assert_eq!(with(second).await, "/m/acme/affiliates");

    let value = session.split_once('=').unwrap().1;
    let stored = format!("SELECT COUNT(*) FROM sessions WHERE id_hash = '{value}' OR data LIKE '%{value}%'");
    assert_eq!(site.database.number(&stored).await, 0);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM sessions WHERE LENGTH(id_hash) = 64").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_ends_the_session_whatever_is_in_flight() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    for _ in 0..3 {
        let browser = Browser::at(site.address);
        let session = cookie(&browser.sign_in("mara@example.com", PASSWORD).await);
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let (stop, request) = (stop.clone(), site.url("/m/acme/commissions"));
                let (client, session) = (reqwest::Client::new(), session.clone());
                tokio::spawn(async move {
                    while !stop.load(Ordering::Relaxed) {
                        client.get(&request).header("cookie", &session).send().await.unwrap();
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        goes_to(&browser.post("/logout", &[]).await, "/login");
        let form = browser.form("/login", &[]).header("cookie", &session);
        drop(form);
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.store(true, Ordering::Relaxed);
        for one in busy {
            one.await.unwrap();
        }
        let late = reqwest::Client::new().get(site.url("/m/acme/commissions")).header("cookie", &session);
        assert_eq!(late.send().await.unwrap().url().path(), "/login");
        assert_eq!(site.database.number("SELECT COUNT(*) FROM sessions").await, 0, "and does not come back");
    }
}

#[tokio::test]
async fn a_form_from_another_site_is_refused() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let own = format!("http://{}", site.address);
    let fields = [("email", "mara@example.com"), ("password", PASSWORD)];
    let table: [(Option<&str>, Option<&str>, u16); 11] = [
        (Some("same-origin"), None, 303),
        (Some("none"), None, 303),
        (Some("same-origin"), Some(&own), 303),
        (None, Some(&own), 303),
        (Some("cross-site"), None, 403),
        (Some("same-site"), None, 403),
        (Some("cross-site"), Some(&own), 403),
        (None, Some("https://evil.example"), 403),
        (None, Some("null"), 403),
        (Some("nonsense"), None, 403),
        (None, None, 403),
    ];
    for (fetch, origin, status) in table {
        let mut form = Browser::at(site.address).form("/login", &fields);
        for (name, value) in [("sec-fetch-site", fetch), ("origin", origin)] {
            if let Some(value) = value {
                form = form.header(name, value);
            }
        }
        let answer = Answer::of(form.send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{fetch:?} {origin:?}");
        assert_eq!(answer.headers.contains_key("set-cookie"), status == 303, "{fetch:?} {origin:?}");
    }
}

#[tokio::test]
async fn a_member_sees_their_program_and_nobody_else_does() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    account(&site, "other@example.com", false).await;
    let body =
        serde_json::json!({ "email": "x@example.com", "name": "<script>alert(1)</script>", "referralCode": "ANNA" });
    assert_eq!(site.api.post("/affiliates", &body).await.status, 201);
    site.affiliate("BEN").await;
    site.api.click("ANNA").await;
    for order in ["<b>1</b>", "order-2"] {
        assert_eq!(site.api.sale("ANNA", "99.99", order).await.status, 201);
    }

    let (member, other, guest) = (Browser::at(site.address), Browser::at(site.address), Browser::at(site.address));
    goes_to(&member.sign_in("mara@example.com", PASSWORD).await, "/");
    goes_to(&other.sign_in("other@example.com", PASSWORD).await, "/");
    goes_to(&member.get("/").await, "/m/acme");

    let page = member.get("/m/acme/affiliates").await;
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let rows = texts(&page, "tbody tr");
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[1].starts_with("<script>alert(1)</script>x@example.com Active 1 2 USD 40.00 USD 0.00"), "{rows:?}");
    assert_eq!(texts(&page, ".tabs a")[..2], ["Active 2", "Pending 0"]);
    assert!(texts(&page, "main script").is_empty(), "stored text is inert");
    let page = member.get("/m/acme/commissions").await;
    assert_eq!(texts(&page, "tbody td.number b"), ["USD 20.00", "USD 20.00"]);
    assert_eq!(texts(&page, "tbody td.number small"), ["20% of USD 99.99", "20% of USD 99.99"]);
    assert!(texts(&page, "tbody a b").is_empty(), "stored text is inert");
    assert_eq!(texts(&page, "h1"), ["Commissions"]);

    for path in ["/m/acme/affiliates", "/m/acme/commissions"] {
        let (stranger, nothing) = (other.get(path).await, other.get(&path.replace("acme", "none")).await);
        assert_eq!((stranger.status.as_u16(), nothing.status.as_u16()), (404, 404));
        assert_eq!(stranger.text, nothing.text, "what is not theirs is as good as not there");
        goes_to(&guest.get(path).await, &format!("/login?next={}", path.replace('/', "%2F")));
    }
    assert_eq!(texts(&other.get("/").await, ".empty").len(), 1);
    // A session is no key, and a key no session.
    let cookie = cookie(&Browser::at(site.address).sign_in("mara@example.com", PASSWORD).await);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let crossed = client.get(site.url("/v1/affiliates")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(crossed.status(), 401);
    let crossed = client.get(site.url("/m/acme/affiliates")).bearer_auth(&site.api.key).send().await.unwrap();
    assert_eq!(crossed.status(), 303);
}

#[tokio::test]
async fn a_sign_in_link_works_once_and_only_by_its_button() {
    let site = Site::start().await;
    let mara = account(&site, "mara@example.com", true).await;
    let now = site.app.clock.now();
    let make = async || {
        let (ids, secret) = (Arc::clone(&site.app.ids), Arc::clone(&site.app.secret));
        let made = site.app.db.write::<_, store::Error, _>(move |tx| {
            Box::pin(async move {
                let email = Email::parse("mara@example.com").unwrap();
                one_time_links::create(tx, &ids, &secret, now, NewLink::sign_in(mara, &email)).await
            })
        });
        format!("/{}", one_time_links::path(&site.app.secret, Purpose::SignIn, made.await.unwrap()))
    };
    let link = make().await;
    for _ in 0..2 {
        let shown = Browser::at(site.address).get(&link).await;
        assert_eq!(texts(&shown, "form button"), ["Sign in"], "looking does not use it up");
    }
    let (one, two) = (Browser::at(site.address), Browser::at(site.address));
    let (first, second) = tokio::join!(one.post(&link, &[]), two.post(&link, &[]));
    let worked = [&first, &second].into_iter().filter(|answer| answer.status == 303).count();
    assert_eq!(worked, 1, "{first:?} {second:?}");
    let signed_in = if first.status == 303 { one } else { two };
    goes_to(&signed_in.get("/").await, "/m/acme");
    let used = Browser::at(site.address);
    assert_eq!(texts(&used.get(&link).await, "h1"), ["This link no longer works"]);
    assert_eq!(texts(&used.post("/login/link/guess", &[]).await, "h1"), ["This link no longer works"]);

    let late = make().await;
    site.advance_seconds(15 * 60 + 1);
    assert_eq!(texts(&used.post(&late, &[]).await, "h1"), ["This link no longer works"]);
    goes_to(&used.get("/home").await, "/login?next=%2Fhome");
}

#[tokio::test]
async fn next_leads_to_a_page_of_this_portal_and_nowhere_else() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let own = "/m/acme/commissions?limit=5";
    for (next, to) in [
        (own, own),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/home\r\nset-cookie: a=b", "/"),
    ] {
        let browser = Browser::at(site.address);
        let shown = browser.get(&format!("/login?next={}", encoded(next))).await;
        assert_eq!(texts(&shown, "h1"), ["Sign in"]);
        let fields = [("email", "mara@example.com"), ("password", PASSWORD), ("next", next)];
        goes_to(&browser.post("/login", &fields).await, to);
    }
}

#[tokio::test]
async fn a_slash_too_many_leads_to_the_page_without_it() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let mara = signed_in(&site, "mara@example.com").await;
    for (path, to) in [
        ("/m/acme/", "/m/acme"),
        ("/m/acme/payouts//?from=2", "/m/acme/payouts?from=2"),
        ("/r/acme/ANNA/", "/r/acme/ANNA"),
    ] {
        goes_to(&mara.get(path).await, to);
    }
    for path in ["//elsewhere.example/", "//", "/nowhere", "/v1/affiliates/"] {
        assert_eq!(mara.get(path).await.status.as_u16() / 100, 4, "{path}");
    }
    assert_eq!(mara.post("/m/acme/", &[]).await.status, 404);
}
