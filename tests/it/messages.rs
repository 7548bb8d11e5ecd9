//! What the mails say, with the worst names that anybody could think of.

use offshoot::{
    domain::{id::AffiliateId, key::hash, message::Kind, one_time_link::Purpose},
    flows::one_time_links,
    store::{mail_preferences, one_time_links as links},
};
use reqwest::redirect::Policy;
use scraper::{Html, Selector};
use serde_json::json;

use crate::support::{
    browser::{account, texts},
    post::{MARA, Post},
    smtp::Taken,
};

const SCRIPT: &str = "<script>alert(1)</script>";
/// Everything that may stand in a name.
fn hostile() -> String {
    format!("{SCRIPT}\nBcc: victim@example.com\n\u{202e}gnp.exe שלום www.evil.example {}", "x".repeat(100))
}

/// A program and an affiliate of such names, and an approved reason for everything.
async fn hostile_post() -> (Post, AffiliateId) {
    let post = Post::start().await;
    let affiliate = post.affiliate_of("maya", post.mara).await;
    let name = hostile();
    let (program, by) = (post.site.program.id, post.site.database.clone());
    let quoted = name.replace('\'', "''");
    by.execute(&format!("UPDATE programs SET name = '{quoted}'")).await.unwrap();
    by.execute(&format!("UPDATE accounts SET name = '{quoted}' WHERE id = {}", post.mara.raw())).await.unwrap();
    by.execute(&format!("UPDATE affiliates SET name = '{quoted}' WHERE id = {}", affiliate.raw())).await.unwrap();
    assert_eq!(by.number(&format!("SELECT COUNT(*) FROM programs WHERE id = {}", program.raw())).await, 1);
    (post, affiliate)
}

/// One of each, in the order of their kinds.
async fn one_of_each() -> (Post, Vec<Taken>) {
    let (post, affiliate) = hostile_post().await;
    for (kind, purpose) in [
        (Kind::SignInLink, Purpose::SignIn),
        (Kind::ResetPassword, Purpose::ResetPassword),
        (Kind::ConfirmEmail, Purpose::ConfirmEmail),
        (Kind::TeamInvitation, Purpose::TeamInvitation),
        (Kind::AffiliateInvitation, Purpose::AffiliateInvitation),
        (Kind::ConfirmApplication, Purpose::ConfirmApplication),
    ] {
        let link = post.link(purpose, MARA).await;
        assert!(post.enqueue(kind, link.raw(), MARA, None).await);
    }
    post.enqueue(Kind::EmailChanged, 1, "before@example.com", None).await;
    post.enqueue(Kind::PasswordChanged, 1, MARA, None).await;
    for kind in [Kind::ApplicationReceived, Kind::ApplicationApproved] {
        post.enqueue(kind, 1, MARA, Some(affiliate)).await;
    }
    // These three come by themselves.
    let sale = post.site.api.sale("maya", "100", "o-1").await;
    let reason = format!("Own order.\n{SCRIPT}\u{202e}\n\n-- \nhttps://evil.example");
    let commission =
        post.site.api.get("/commissions").await.data()["commissions"][0]["id"].as_str().unwrap().to_owned();
    post.work().await;
    let body = json!({ "status": "rejected", "reason": reason });
    let rejected = post.site.api.put(&format!("/commissions/{commission}/status"), &body).await;
    assert_eq!(rejected.status, 200, "{rejected:?} {sale:?}");
    let audit = post.site.database.number("SELECT MAX(id) FROM audit_log").await;
    post.enqueue(Kind::ApplicationRejected, audit, MARA, Some(affiliate)).await;
    let details = json!({ "paymentMethod": "paypal", "paymentDetails": "maya@example.com" });
    assert_eq!(post.site.api.patch(&format!("/affiliates/{affiliate}"), &details).await.status, 200);
    post.site.api.sale("maya", "50", "o-2").await;
    post.site.api.post("/affiliates", &json!({ "name": "B", "email": "b@example.com" })).await;
    let pending = post.site.affiliate("waiting").await;
    post.site.set_affiliate(&pending, "pending").await;
    post.enqueue(Kind::WeeklyDigest, 1, MARA, None).await;
    post.work().await;
    let taken = post.server.taken();
    (post, taken)
}

const KINDS: [&str; 16] = [
    "sign_in_link",
    "reset_password",
    "confirm_email",
    "team_invitation",
    "affiliate_invitation",
    "confirm_application",
    "email_changed",
    "password_changed",
    "application_received",
    "application_approved",
    "new_commission",
    "commission_rejected",
    "application_rejected",
    "payment_details_changed",
    "new_commission_again",
    "weekly_digest",
];

#[tokio::test]
async fn every_message_in_words() {
    let (post, taken) = one_of_each().await;
    assert_eq!(post.count("sent_at IS NULL").await, 0);
    assert_eq!(taken.len(), KINDS.len());
    for (kind, mail) in KINDS.iter().zip(&taken) {
        let subject = mail.parsed().subject().unwrap().to_owned();
        let whole = format!(
            "Subject: {subject}\nList-Unsubscribe: {}\n\n{}\n{}",
            mail.header("List-Unsubscribe"),
            mail.text().replace("\r\n", "\n"),
            mail.html().replace("\r\n", "\n")
        );
        if *kind != "new_commission_again" {
            insta::assert_snapshot!(*kind, whole);
        }
    }
}

#[tokio::test]
async fn nothing_that_is_stored_does_anything_in_a_mail() {
    let (_post, taken) = one_of_each().await;
    for mail in &taken {
        let raw = String::from_utf8(mail.0.clone()).unwrap();
        let (head, _) = raw.split_once("\r\n\r\n").unwrap();
        let names: Vec<&str> = head
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split(':').next())
            .collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "each header once: {names:?}");
        assert!(!names.iter().any(|name| name.eq_ignore_ascii_case("bcc")), "{head}");
        assert!(raw.lines().all(|line| line.len() <= 998), "no line is too long");

        let parsed = mail.parsed();
        let (subject, sender) = (parsed.subject().unwrap(), parsed.from().unwrap().first().unwrap().name().unwrap());
        for line in [subject, sender] {
            assert!(!line.contains(['\r', '\n', '\u{202e}']), "{line:?}");
            assert!(line.chars().count() < 200, "{line}");
        }
        let (text, html) = (mail.text(), mail.html());
        assert!(!text.contains('\u{202e}') && !html.contains('\u{202e}'));
        assert!(!text.lines().any(|line| line.starts_with("Bcc:")), "{text}");
        assert!(!html.contains("<script"), "{html}");
        let page = Html::parse_document(&html);
        let find = |selector: &str| page.select(&Selector::parse(selector).unwrap()).count();
        assert_eq!(find("script, img, iframe, object, link, style, form"), 0, "nothing remote, nothing active");
        for link in page.select(&Selector::parse("a").unwrap()) {
            assert!(link.attr("href").unwrap().starts_with("https://partners.example/"), "{html}");
        }
        assert!(find("a") <= 6, "{html}");
    }
}

#[tokio::test]
async fn an_affiliate_whom_nobody_invited_is_not_written_to() {
    let post = Post::start().await;
    post.site.affiliate("entered").await;
    post.site.api.sale("entered", "100", "o-1").await;
    assert_eq!(post.count("1 = 1").await, 0);
}

#[tokio::test]
async fn rejected_twice_is_told_twice_and_taken_back_at_once_is_not_told() {
    let post = Post::start().await;
    post.affiliate_of("maya", post.mara).await;
    post.site.api.sale("maya", "100", "o-1").await;
    let commission =
        post.site.api.get("/commissions").await.data()["commissions"][0]["id"].as_str().unwrap().to_owned();
    let decide = async |status: &str, reason: &str| {
        let body = json!({ "status": status, "reason": reason });
        let done = post.site.api.put(&format!("/commissions/{commission}/status"), &body).await;
        assert_eq!(done.status, 200, "{done:?}");
    };
    decide("rejected", "by mistake").await;
    decide("approved", "").await;
    post.work().await;
    decide("rejected", "first").await;
    post.work().await;
    decide("approved", "").await;
    decide("rejected", "second").await;
    post.work().await;
    let told: Vec<String> = post.server.taken().iter().map(Taken::text).collect();
    let reasons: Vec<bool> =
        ["> first", "> second"].iter().map(|reason| told.iter().any(|text| text.contains(reason))).collect();
    assert_eq!(reasons, [true, true], "{told:?}");
    assert!(!told.iter().any(|text| text.contains("by mistake")));
    assert_eq!(post.count("kind = 'commission_rejected' AND dropped_at IS NOT NULL").await, 1);
}

#[tokio::test]
async fn one_click_stops_such_mails_and_no_others() {
    let post = Post::start().await;
    post.affiliate_of("maya", post.mara).await;
    post.site.api.sale("maya", "100", "o-1").await;
    post.work().await;
    let taken = post.server.taken();
    assert_eq!(taken[0].header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    let header = taken[0].header("List-Unsubscribe");
    let path = header.strip_prefix("<https://partners.example").unwrap().strip_suffix('>').unwrap();
    assert!(taken[0].html().contains(path) && taken[0].text().contains(path));

    // What a mail program's server sends: no cookie, no origin, no fetch metadata.
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    let shown = crate::support::Answer::of(client.get(post.site.url(path)).send().await.unwrap()).await;
    assert_eq!((shown.status.as_u16(), texts(&shown, "main button")), (200, vec!["Stop them".to_owned()]));
    post.site.api.sale("maya", "100", "o-2").await;
    post.work().await;
    assert_eq!(post.server.taken().len(), 2, "looking stops nothing");
    post.site.api.sale("maya", "100", "o-3").await;
    let form = "application/x-www-form-urlencoded";
    let press = |body: &'static str| client.post(post.site.url(path)).header("content-type", form).body(body).send();
    for _ in 0..2 {
        assert_eq!(press("List-Unsubscribe=One-Click").await.unwrap().status(), 200);
    }
    post.work().await;
    assert_eq!(post.count("dropped_at IS NOT NULL").await, 1, "one that was waiting already");
    post.site.api.sale("maya", "100", "o-4").await;
    assert_eq!(post.count("1 = 1").await, 3, "no more are enqueued");
    let mara = post.mara;
    let unwanted =
        post.write(move |tx, _| Box::pin(mail_preferences::unwanted(tx, mail_preferences::Recipient::Account(mara))));
    assert_eq!(unwanted.await, [Kind::NewCommission]);
    post.told(1, "mara").await;
    post.work().await;
    assert_eq!(post.server.taken().len(), 3, "what is essential still arrives");

    assert_eq!(press("again=yes").await.unwrap().status(), 200);
    post.site.api.sale("maya", "100", "o-5").await;
    post.work().await;
    assert_eq!(post.server.taken().len(), 4);
    for guess in [path.replace("new_commission", "weekly_digest"), format!("{path}0"), "/unsubscribe/x".into()] {
        assert_eq!(client.get(post.site.url(&guess)).send().await.unwrap().status(), 404, "{guess}");
        assert_eq!(client.post(post.site.url(&guess)).send().await.unwrap().status(), 404, "{guess}");
    }
}

#[tokio::test]
async fn once_a_week_those_who_decide_hear_what_waits() {
    let post = Post::start().await;
    let viewer = account(&post.site, "viewer@example.com", false).await;
    let program = post.site.program.id;
    post.write(move |tx, now| {
        Box::pin(offshoot::store::accounts::join(tx, viewer, program, offshoot::domain::role::Role::Viewer, now))
    })
    .await;
    let app = post.site.app.clone();
    let other = Post::another(&post.server, &post.site.database, "", "other").await;
    // Sunday noon: the first is due on Monday, 07:00.
    let start = async || {
        offshoot::jobs::enqueue_recurring(&app).await.unwrap();
        other.app.clock.set(app.clock.now());
        let (one, two) = tokio::join!(offshoot::jobs::work_off(&app), offshoot::jobs::work_off(&other.app));
        assert!(one.and(two).is_ok());
        post.work().await;
        post.server.taken().len()
    };
    post.site.affiliate("maya").await;
    post.site.api.sale("maya", "100", "o-1").await;
    post.site.api.sale("maya", "50", "o-2").await;
    assert_eq!(start().await, 0);
    post.site.advance_seconds(19 * 3_600);
    assert_eq!(start().await, 2, "the owner and Mara, no viewer, and no other program where nothing waits");
    let texts: Vec<String> = post.server.taken().iter().map(Taken::text).collect();
    assert!(
        texts.iter().all(|text| text.contains("2 commissions to approve or reject, USD 30.00 in all")),
        "{texts:?}"
    );
    post.site.advance_seconds(6 * 86_400);
    assert_eq!(start().await, 2);
    // Down for three weeks: one when it is up again, not three.
    post.site.advance_seconds(23 * 86_400);
    assert_eq!(start().await, 4);
    let ids: Vec<String> = post.site.api.get("/commissions").await.data()["commissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap().to_owned())
        .collect();
    post.site.api.post("/commissions/status", &json!({ "ids": ids, "status": "approved" })).await;
    post.site.advance_seconds(7 * 86_400);
    assert_eq!(start().await, 4, "nothing waits, nothing is sent");
    post.site.check_ledger().await;
}

/// The token in a mail opens the link, and the database does not know it.
#[tokio::test]
async fn a_links_token_is_in_the_mail_only() {
    let post = Post::start().await;
    let link = post.link(Purpose::TeamInvitation, MARA).await;
    let token = one_time_links::token(&post.site.app.secret, Purpose::TeamInvitation, link);
    let hashed = hash(token.as_str());
    let found = post.write(move |tx, now| {
        Box::pin(async move {
            let elsewhere = links::good(tx, Purpose::SignIn, &hashed, now).await?;
            assert!(elsewhere.is_none(), "for its own purpose only");
            let first = links::use_up(tx, Purpose::TeamInvitation, &hashed, now).await?;
            let second = links::use_up(tx, Purpose::TeamInvitation, &hashed, now).await?;
            assert!(second.is_none());
            Ok(first)
        })
    });
    let found = found.await.unwrap();
    assert_eq!((found.role.as_deref(), found.email.as_deref()), (Some("finance"), Some(MARA)));
    let stored = format!("SELECT COUNT(*) FROM one_time_links WHERE token_hash = '{}'", token.as_str());
    assert_eq!(post.site.database.number(&stored).await, 0);
}
