//! A program's own words in its mails: saved, looked at, tried, sent.

use offshoot::domain::message::Kind;

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account, texts},
    post::{MARA, Post},
};

const MAILS: &str = "/m/acme/settings/mails";
const MAIL: &str = "/m/acme/settings/mails/application_received";
const SCRIPT: &str = "<script>alert(1)</script>";

async fn owner() -> (Site, Browser) {
    let site = Site::start().await;
    account(&site, MARA, true).await;
    let browser = Browser::at(site.address);
    browser.sign_in(MARA, PASSWORD).await;
    (site, browser)
}

async fn rows(site: &Site) -> i64 {
    site.database.number("SELECT COUNT(*) FROM mail_texts").await
}

#[tokio::test]
async fn words_are_previewed_saved_and_taken_back() {
    let (site, mara) = owner().await;
    assert_eq!(texts(&mara.get(MAILS).await, "tbody tr").len(), 10);
    let usual = mara.get(MAIL).await;
    assert_eq!(texts(&usual, "#preview dd"), ["acme has your application"]);

    let words = [("subject", "Hi {name}, {program} got it"), ("your_words", "Dear {name},\r\n\r\nhere is {program}.")];
    let preview = mara.post(MAIL, &[words[0], words[1], ("preview", "yes")]).await;
    assert_eq!(preview.status, 200);
    assert_eq!(texts(&preview, "#preview dd"), ["Hi Nina Sommer, acme got it"]);
    let text = texts(&preview, "#preview pre").concat();
    assert!(text.contains("Dear Nina Sommer, here is acme. Your application to"), "{text}");
    assert_eq!(rows(&site).await, 0, "a preview saves nothing");

    assert_eq!(mara.post(MAIL, &words).await.status, 303);
    let page = mara.get(MAIL).await;
    let told = texts(&page, "#notice p").concat();
    assert!(told.contains("Subject: the usual one → Hi {name}, {program} got it"), "{told}");
    assert_eq!(texts(&page, "textarea"), ["Dear {name}, here is {program}."]);
    let log = texts(&mara.get("/m/acme/settings").await, ".audited").concat();
    assert!(log.contains("Mail “Application received”: Subject: the usual one"), "{log}");
    let words = texts(&mara.get(MAILS).await, "tbody td:last-child");
    assert_eq!(words.iter().filter(|own| *own != "Standard words").count(), 1);

    assert_eq!(mara.post(MAIL, &[("subject", ""), ("your_words", " ")]).await.status, 303);
    assert_eq!(rows(&site).await, 0);
    assert_eq!(texts(&mara.get(MAIL).await, "#preview dd"), ["acme has your application"]);
}

#[tokio::test]
async fn what_cannot_be_sent_is_not_saved() {
    let (site, mara) = owner().await;
    let long = "é".repeat(2_001);
    for (field, wrong, said) in [
        ("your_words", "Dear {first_name}", "{first_name}"),
        ("subject", "{amount} for you", "{amount}"),
        ("subject", "One\nBcc: x@example.com", "one line"),
        ("subject", &long, "150"),
        ("your_words", &long, "2000"),
        ("your_words", "\u{0}", "control"),
    ] {
        for preview in ["", "yes"] {
            let refused = mara.post(MAIL, &[(field, wrong), ("preview", preview)]).await;
            assert_eq!(refused.status, 422, "{wrong}");
            let issues = texts(&refused, "#issues li");
            assert!(issues.len() == 1 && issues[0].contains(said), "{issues:?}");
        }
    }
    assert_eq!(rows(&site).await, 0);
    for unknown in ["sign_in_link", "mail_test", "x"] {
        let at = format!("{MAILS}/{unknown}");
        assert_eq!(mara.get(&at).await.status, 404, "{unknown}");
        assert_eq!(mara.post(&at, &[("subject", "x")]).await.status, 404, "{unknown}");
        assert_eq!(mara.post(&format!("{at}/test"), &[]).await.status, 404, "{unknown}");
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM mails").await, 0);
}

#[tokio::test]
async fn hostile_words_do_nothing_and_what_was_not_changed_is_as_before() {
    let post = Post::start().await;
    let affiliate = post.affiliate_of("maya", post.mara).await;
    let name = format!("UPDATE accounts SET name = '{{program}} {SCRIPT}' WHERE id = {}", post.mara.raw());
    post.site.database.execute(&name).await.unwrap();
    // The worst that a database may hold, whoever wrote it.
    let (program, subject) =
        (post.site.program.id.raw(), format!("{SCRIPT}\nBcc: x@example.com \u{202e}{{name}} {{x}}"));
    let body = format!("{SCRIPT}\u{202e}\n{{name}}\n\n</p><img src=x>");
    let put = format!("INSERT INTO mail_texts VALUES ({program}, 'application_received', '{subject}', '{body}')");
    post.site.database.execute(&put).await.unwrap();
    for (cause, kind) in [(1, Kind::ApplicationReceived), (2, Kind::ApplicationApproved)] {
        assert!(post.enqueue(kind, cause, MARA, Some(affiliate)).await);
    }
    post.work().await;
    let taken = post.server.taken();
    assert_eq!(taken.len(), 2);
    let subject = taken[0].parsed().subject().unwrap().to_owned();
    assert!(subject.contains("Bcc: x@example.com") && subject.contains("{x}"), "{subject}");
    assert_eq!(taken[0].header("Bcc"), "");
    let (text, html) = (taken[0].text().replace("\r\n", "\n"), taken[0].html());
    assert!(!text.contains('\u{202e}') && !html.contains('\u{202e}'));
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    // Put in as it is: braces in a name are a name's, and the product's text follows.
    assert!(text.contains("\n\n</p><img src=x>\n\nYour application to the affiliate program of acme"), "{text}");
    assert_eq!(taken[1].parsed().subject(), Some("You are in: welcome to acme"));
    assert!(!taken[1].html().contains("<img") && !taken[1].text().contains("<img"));
}

#[tokio::test]
async fn a_test_goes_to_oneself_a_few_times_an_hour() {
    let post = Post::start().await;
    let mara = Browser::at(post.site.address);
    mara.sign_in(MARA, PASSWORD).await;
    assert_eq!(mara.post(MAIL, &[("subject", "We read it, {name}"), ("your_words", "Own words.")]).await.status, 303);
    assert_eq!(mara.post(&format!("{MAIL}/test"), &[]).await.status, 303);
    assert_eq!(texts(&mara.get(MAIL).await, "#notice p"), [format!("A test is on its way to {MARA}.")]);
    post.work().await;
    let taken = post.server.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].parsed().subject(), Some("Test: We read it, Somebody"));
    assert!(taken[0].text().contains("Own words.") && taken[0].html().contains("Own words."));
    assert!(taken[0].header("X-Envelope").contains(MARA));
    for kind in ["affiliate_invitation", "payout_failed", "rate_changed", "claim_answered"] {
        assert_eq!(mara.post(&format!("{MAILS}/{kind}/test"), &[]).await.status, 303, "{kind}");
    }
    assert_eq!(mara.post(&format!("{MAIL}/test"), &[]).await.status, 429);
    post.work().await;
    assert_eq!((post.server.taken().len(), post.count("sent_at IS NOT NULL").await), (5, 5));
    post.site.advance_seconds(3_600);
    assert_eq!(mara.post(&format!("{MAIL}/test"), &[]).await.status, 303);
}
