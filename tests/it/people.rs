//! People and their accounts: signing in by link, a forgotten password, the second step, being asked again, and
//! what each tells to strangers, which is nothing.

use std::time::{Duration, Instant};

use offshoot::{
    domain::{one_time_link::Purpose, two_step},
    flows::{one_time_links, two_steps},
    store::{one_time_links::LinkId, two_steps as stored},
};
use scraper::{Html, Selector};

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, signed_in, texts},
};

const NEW_PASSWORD: &str = "another horse entirely";

fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

/// Waits until so many mails of that kind are enqueued: some are made after the answer.
pub async fn mails(site: &Site, kind: &str, expected: i64) {
    let sql = format!("SELECT COUNT(*) FROM mails WHERE kind = '{kind}'");
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let found = site.database.number(&sql).await;
        if found == expected {
            return;
        }
        assert!(Instant::now() < until && found < expected, "{found} mails of {kind}, not {expected}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The address that the newest mail of that kind carries.
pub async fn link(site: &Site, kind: &str, purpose: Purpose) -> String {
    let sql = format!("SELECT cause_id FROM mails WHERE kind = '{kind}' ORDER BY id DESC LIMIT 1");
    format!("/{}", one_time_links::path(&site.app.secret, purpose, LinkId::new(site.database.number(&sql).await)))
}

#[tokio::test]
async fn a_link_by_mail_says_the_same_to_everybody_and_goes_to_owners_only() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    for (path, kind) in [("/login/link", "sign_in_link"), ("/forgot", "reset_password")] {
        let browser = Browser::at(site.address);
        let known = browser.post(path, &[("email", "mara@example.com")]).await;
        let unknown = browser.post(path, &[("email", "nobody@example.com")]).await;
        let said = |answer: &Answer, email: &str| (answer.status, answer.text.replace(email, "?"));
        assert_eq!(said(&known, "mara@example.com"), said(&unknown, "nobody@example.com"));
        assert_eq!((known.status.as_u16(), texts(&known, "h1")), (200, vec!["Check your mail".to_owned()]));
        mails(&site, kind, 1).await;
        assert_eq!(site.database.number("SELECT COUNT(*) FROM mails WHERE to_email LIKE 'nobody%'").await, 0);
        let bad = browser.post(path, &[("email", "<script>alert(1)</script>")]).await;
        assert_eq!(bad.status, 422);
        assert!(texts(&bad, "main script").is_empty());
    }
    let browser = Browser::at(site.address);
    let own = "/m/acme/commissions?limit=5";
    browser.post("/login/link", &[("email", "mara@example.com"), ("next", own)]).await;
    mails(&site, "sign_in_link", 2).await;
    let path = link(&site, "sign_in_link", Purpose::SignIn).await;
    goes_to(&browser.post(&path, &[]).await, own);
    // A link proves less than a password.
    let asked = browser.get("/account/email").await;
    goes_to(&asked, "/confirm?next=%2Faccount%2Femail");
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once_and_everybody_else_is_out() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let elsewhere = signed_in(&site, "mara@example.com").await;
    let browser = Browser::at(site.address);
    browser.post("/forgot", &[("email", "MARA@example.com")]).await;
    mails(&site, "reset_password", 1).await;
    let path = link(&site, "reset_password", Purpose::ResetPassword).await;
    for wrong in ["short", "password1234", "mara@example.com"] {
        let refused = browser.post(&path, &[("password", wrong)]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{wrong}");
        assert!(!refused.text.contains(&format!("value=\"{wrong}\" type")), "a password is not sent back");
    }
    assert_eq!(elsewhere.get("/account").await.status, 200, "nothing has happened yet");
    let (one, two) = (Browser::at(site.address), Browser::at(site.address));
    let (first, second) =
        tokio::join!(one.post(&path, &[("password", NEW_PASSWORD)]), two.post(&path, &[("password", NEW_PASSWORD)]));
    let won: Vec<_> =
        [(&one, &first), (&two, &second)].into_iter().filter(|(_, answer)| answer.status == 303).collect();
    assert_eq!(won.len(), 1, "{first:?} {second:?}");
    let page = won[0].0.get("/account").await;
    assert!(texts(&page, "#notice")[0].contains("Every other session was signed out"), "{page:?}");
    goes_to(&elsewhere.get("/account").await, "/login?next=%2Faccount");
    assert_eq!(texts(&browser.get(&path).await, "h1"), ["This link no longer works"]);
    assert_eq!(browser.sign_in("mara@example.com", PASSWORD).await.status, 422);
    goes_to(&browser.sign_in("mara@example.com", NEW_PASSWORD).await, "/");
    mails(&site, "password_changed", 1).await;
}

#[tokio::test]
async fn guessing_is_slowed_down_and_forged_headers_do_not_help() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let fields = [("email", "mara@example.com"), ("password", "wrong")];
    let mut refused = None;
    for n in 0..11 {
        let form = Browser::at(site.address).form("/login", &fields).header("sec-fetch-site", "same-origin");
        let form = form.header("x-forwarded-for", format!("192.0.2.{n}")).header("forwarded", "for=192.0.2.9");
        let answer = Answer::of(form.send().await.unwrap()).await;
        assert_eq!(answer.status.as_u16(), if n < 10 { 422 } else { 429 }, "{n}");
        refused = Some(answer);
    }
    let refused = refused.unwrap();
    assert!(refused.header("retry-after").parse::<i64>().unwrap() > 0);
    assert!(texts(&refused, "main")[0].contains("try again in a minute"), "{refused:?}");
    let browser = Browser::at(site.address);
    let (known, unknown) =
        (browser.sign_in("mara@example.com", PASSWORD).await, browser.sign_in("nobody@example.com", PASSWORD).await);
    assert_eq!((known.status.as_u16(), unknown.status.as_u16()), (429, 429));
    assert_eq!(known.text.split("request").next(), unknown.text.split("request").next());
    site.advance_seconds(31);
    goes_to(&browser.sign_in("mara@example.com", PASSWORD).await, "/");
}

#[tokio::test]
async fn an_accounts_own_count_is_loose_and_does_not_keep_its_owner_out() {
    let site = Site::with(&[("OFFSHOOT_TRUSTED_PROXIES", "127.0.0.1")]).await;
    account(&site, "mara@example.com", true).await;
    let from = async |address: String, email: &str, password: &str| {
        let fields = [("email", email), ("password", password)];
        let form = Browser::at(site.address).form("/login", &fields).header("sec-fetch-site", "same-origin");
        Answer::of(form.header("x-forwarded-for", address).send().await.unwrap()).await.status.as_u16()
    };
    assert_eq!(from("198.51.100.7".into(), "mara@example.com", PASSWORD).await, 303);
    for email in ["mara@example.com", "nobody@example.com"] {
        for n in 0..30 {
            assert_eq!(from(format!("192.0.2.{}", n + 1), email, "wrong").await, 422, "{email} {n}");
        }
        assert_eq!(from("203.0.113.5".into(), email, "wrong").await, 429, "{email}: known or not");
    }
    assert_eq!(from("198.51.100.7".into(), "mara@example.com", PASSWORD).await, 303, "where she was before");
    site.advance_seconds(61);
    assert_eq!(from("203.0.113.6".into(), "mara@example.com", PASSWORD).await, 303, "nobody is out for ever");
}

#[tokio::test]
async fn mails_with_links_are_counted_too() {
    let site = Site::start().await;
    for email in ["mara@example.com", "nobody@example.com"] {
        account(&site, &format!("x{email}"), false).await;
        for n in 0..6 {
            let answer = Browser::at(site.address).post("/forgot", &[("email", email)]).await;
            assert_eq!(answer.status.as_u16(), if n < 5 { 200 } else { 429 }, "{email} {n}");
        }
        site.advance_seconds(3_600);
    }
}

/// The code that the app shows for the account now.
async fn code(site: &Site, account: offshoot::domain::id::AccountId) -> String {
    let found = stored::of(&mut site.app.db.read().await.unwrap(), account).await.unwrap().unwrap();
    let secret = two_steps::opened(&site.app.by(account), &found.sealed_secret).unwrap();
    two_step::code(&secret, site.app.clock.now())
}

fn codes(answer: &Answer) -> Vec<String> {
    texts(answer, "#codes li")
}

#[tokio::test]
async fn a_second_step_is_asked_for_and_no_code_is_good_twice() {
    let site = Site::start().await;
    let mara = account(&site, "mara@example.com", true).await;
    let browser = signed_in(&site, "mara@example.com").await;
    goes_to(&browser.post("/account/two-step/begin", &[]).await, "/account/two-step");
    let page = browser.get("/account/two-step").await;
    assert_eq!(texts(&page, "svg.qr").len(), 1, "{page:?}");
    assert_eq!(browser.post("/account/two-step", &[("code", "000000")]).await.status, 422);
    let first = code(&site, mara).await;
    let shown = browser.post("/account/two-step", &[("code", &first)]).await;
    let recovery = codes(&shown);
    assert_eq!((shown.status.as_u16(), recovery.len()), (200, 10), "{shown:?}");
    goes_to(&browser.post("/account/two-step", &[("code", &first)]).await, "/account/two-step");
    assert!(!browser.get("/account/two-step").await.text.contains(&recovery[0]), "shown once");
    for clear in [&recovery[0], &first] {
        let at_rest =
            format!("SELECT COUNT(*) FROM recovery_codes WHERE code_hash LIKE '%{}%'", clear.replace('-', ""));
        assert_eq!(site.database.number(&at_rest).await, 0);
    }

    let sign_in = async || {
        let browser = Browser::at(site.address);
        let fields = [("email", "mara@example.com"), ("password", PASSWORD), ("next", "/account")];
        goes_to(&browser.post("/login", &fields).await, "/login/code?next=%2Faccount");
        browser
    };
    let next = [("next", "/account")];
    let with = |code: &str| [next[0], ("code", code)].map(|(name, value)| (name, value.to_owned()));
    let enter = async |browser: &Browser, code: &str| {
        let fields = with(code);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/login/code", &fields).await
    };
    let half = sign_in().await;
    goes_to(&half.get("/account").await, "/login?next=%2Faccount");
    assert_eq!(enter(&half, &first).await.status, 422, "the code that turned it on is used up");
    site.advance_seconds(30);
    let now = code(&site, mara).await;
    goes_to(&enter(&half, &now).await, "/account");
    assert_eq!(half.get("/account").await.status, 200);
    let again = sign_in().await;
    assert_eq!(enter(&again, &now).await.status, 422, "none is good twice");

    // Two at once with one recovery code: one gets in.
    let (one, two) = (sign_in().await, sign_in().await);
    let (a, b) = tokio::join!(enter(&one, &recovery[0]), enter(&two, &recovery[0]));
    assert_eq!([&a, &b].into_iter().filter(|answer| answer.status == 303).count(), 1, "{a:?} {b:?}");
    goes_to(&enter(&sign_in().await, &recovery[1].to_uppercase().replace('-', " ")).await, "/account");

    // Attempts are few.
    site.advance_seconds(10_000);
    let guesser = sign_in().await;
    for n in 0..6 {
        assert_eq!(enter(&guesser, "123456").await.status.as_u16(), if n < 5 { 422 } else { 429 }, "{n}");
    }
    site.advance_seconds(600);
    goes_to(&enter(&guesser, &recovery[2]).await, "/login?next=%2Faccount");

    let browser = signed_in_by(&site, &recovery[3]).await;
    assert_eq!(browser.post("/account/two-step/end", &[("password", "wrong")]).await.status, 422);
    goes_to(&browser.post("/account/two-step/end", &[("password", PASSWORD)]).await, "/account");
    goes_to(&Browser::at(site.address).sign_in("mara@example.com", PASSWORD).await, "/");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM recovery_codes").await, 0);
}

async fn signed_in_by(site: &Site, code: &str) -> Browser {
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    goes_to(&browser.post("/login/code", &[("code", code)]).await, "/");
    browser
}

#[tokio::test]
async fn a_password_change_ends_a_half_finished_sign_in() {
    let site = Site::start().await;
    let mara = account(&site, "mara@example.com", true).await;
    let browser = signed_in(&site, "mara@example.com").await;
    browser.post("/account/two-step/begin", &[]).await;
    let first = code(&site, mara).await;
    assert_eq!(browser.post("/account/two-step", &[("code", &first)]).await.status, 200);
    let half = Browser::at(site.address);
    goes_to(&half.sign_in("mara@example.com", PASSWORD).await, "/login/code?next=");
    let fields = [("current", PASSWORD), ("password", NEW_PASSWORD)];
    goes_to(&browser.post("/account/password", &fields).await, "/account");
    site.advance_seconds(30);
    let now = code(&site, mara).await;
    goes_to(&half.post("/login/code", &[("code", &now)]).await, "/login?next=");
}

#[tokio::test]
async fn what_matters_is_asked_again_and_leads_back() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let browser = signed_in(&site, "mara@example.com").await;
    assert_eq!(browser.get("/account/email").await.status, 200, "signing in was proof");
    site.advance_seconds(601);
    goes_to(&browser.get("/account/email").await, "/confirm?next=%2Faccount%2Femail");
    let form = browser.form("/account/email", &[("email", "new@example.com")]);
    let from = site.url("/account/email");
    let form = form.header("sec-fetch-site", "same-origin").header("referer", from);
    let asked = Answer::of(form.send().await.unwrap()).await;
    goes_to(&asked, "/confirm?next=%2Faccount%2Femail");
    mails(&site, "confirm_email", 0).await;
    goes_to(&browser.get("/m/acme/team/invite?x=1").await, "/confirm?next=%2Fm%2Facme%2Fteam%2Finvite%3Fx%3D1");

    let wrong = browser.post("/confirm", &[("password", "wrong"), ("next", "/account/email")]).await;
    assert_eq!((wrong.status.as_u16(), texts(&wrong, "#issues li").len()), (422, 1));
    for (next, to) in [("https://evil.example/", "/"), ("//evil.example", "/"), ("/account/email", "/account/email")] {
        goes_to(&browser.post("/confirm", &[("password", PASSWORD), ("next", next)]).await, to);
    }
    assert_eq!(browser.get("/account/email").await.status, 200);
    goes_to(&Browser::at(site.address).get("/confirm").await, "/login?next=%2Fconfirm");
}

#[tokio::test]
async fn an_address_changes_when_the_new_one_says_so() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    account(&site, "taken@example.com", false).await;
    let browser = signed_in(&site, "mara@example.com").await;
    let taken = browser.post("/account/email", &[("email", "taken@example.com")]).await;
    goes_to(&taken, "/account");
    mails(&site, "confirm_email", 0).await;
    goes_to(&browser.post("/account/email", &[("email", "new@example.com")]).await, "/account");
    mails(&site, "confirm_email", 1).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM mails WHERE to_email = 'new@example.com'").await, 1);
    let path = link(&site, "confirm_email", Purpose::ConfirmEmail).await;
    let elsewhere = Browser::at(site.address);
    assert_eq!(texts(&elsewhere.get(&path).await, "form button"), ["Use this address"]);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM accounts WHERE email = 'mara@example.com'").await, 1);
    goes_to(&elsewhere.post(&path, &[]).await, "/account");
    assert_eq!(texts(&elsewhere.post(&path, &[]).await, "h1"), ["This link no longer works"]);
    mails(&site, "email_changed", 1).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM mails WHERE to_email = 'mara@example.com'").await, 1);
    assert_eq!(elsewhere.sign_in("mara@example.com", PASSWORD).await.status, 422);
    goes_to(&elsewhere.sign_in("new@example.com", PASSWORD).await, "/");

    // Taken by another between asking and opening.
    browser.post("/account/email", &[("email", "late@example.com")]).await;
    mails(&site, "confirm_email", 2).await;
    account(&site, "late@example.com", false).await;
    let path = link(&site, "confirm_email", Purpose::ConfirmEmail).await;
    let refused = elsewhere.post(&path, &[]).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "h1")), (422, vec!["This address is taken".to_owned()]));
}

#[tokio::test]
async fn how_somebody_reads_is_theirs_to_choose() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let browser = signed_in(&site, "mara@example.com").await;
    let hostile = "<script>alert(1)</script>";
    let fields = |theme: &'static str, zone: &'static str| {
        [("name", hostile), ("theme", theme), ("number_style", "point"), ("time_zone", zone)]
    };
    for (theme, zone) in [("pink", "Europe/Berlin"), ("dark", "Mars/Base"), ("dark", "")] {
        assert_eq!(browser.post("/account", &fields(theme, zone)).await.status, 422, "{theme} {zone}");
    }
    goes_to(&browser.post("/account", &fields("dark", "Europe/Berlin")).await, "/account");
    let page = browser.get("/account").await;
    assert!(page.text.contains("data-theme=\"dark\"") && page.text.contains("data-shortcuts=\"off\""));
    assert!(texts(&page, "body script").is_empty(), "stored text is inert");
    assert_eq!(texts(&page, "#time_zone option[selected]"), ["Europe/Berlin"]);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    account(&site, "other@example.com", false).await;
    let (here, there) = (signed_in(&site, "mara@example.com").await, signed_in(&site, "mara@example.com").await);
    let stranger = signed_in(&site, "other@example.com").await;
    let page = here.get("/account").await;
    let listed = texts(&page, "#sessions li");
    assert_eq!(listed.len(), 2);
    assert!(listed[0].contains("This one") && !listed[1].contains("This one"), "{listed:?}");
    let ids: Vec<String> = {
        let (page, input) = (Html::parse_document(&page.text), Selector::parse("input[name=session]").unwrap());
        page.select(&input).map(|field| field.attr("value").unwrap().to_owned()).collect()
    };
    stranger.post("/account/sessions/end", &[("session", &ids[1])]).await;
    assert_eq!(there.get("/account").await.status, 200, "not a stranger's to end");
    goes_to(&here.post("/account/sessions/end", &[("session", &ids[1])]).await, "/account");
    goes_to(&there.get("/account").await, "/login?next=%2Faccount");
    let third = signed_in(&site, "mara@example.com").await;
    goes_to(&here.post("/account/sessions/end-all", &[]).await, "/login");
    for browser in [&here, &third] {
        goes_to(&browser.get("/account").await, "/login?next=%2Faccount");
    }
    assert_eq!(stranger.get("/account").await.status, 200);
}

#[tokio::test]
async fn what_is_not_essential_is_sent_to_those_who_want_it() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    account(&site, "other@example.com", true).await;
    let browser = signed_in(&site, "mara@example.com").await;
    let ticked = async || {
        let page = Html::parse_document(&browser.get("/account").await.text);
        let boxes = Selector::parse("form[action='/account/mails'] input[checked]").unwrap();
        page.select(&boxes).map(|field| field.attr("name").unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        ticked().await,
        ["new_commission", "payout_paid", "commission_rejected", "rate_changed", "weekly_digest"]
    );
    goes_to(&browser.post("/account/mails", &[("weekly_digest", "yes"), ("password_changed", "")]).await, "/account");
    assert_eq!(ticked().await, ["weekly_digest"]);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM mail_opt_outs").await, 4, "of nobody and nothing else");
    browser.post("/account/mails", &[("new_commission", "yes"), ("weekly_digest", "yes")]).await;
    assert_eq!(ticked().await, ["new_commission", "weekly_digest"]);
}
