//! How affiliates come in: by application, confirmed and answered, and by invitation.

use offshoot::{
    domain::{email::Email, id::Id, one_time_link::Purpose, role::Role},
    flows::one_time_links,
    store,
};

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, texts},
};

#[track_caller]
fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

/// A site with an owner signed in.
async fn desk() -> (Site, Browser) {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let desk = Browser::at(site.address);
    goes_to(&desk.sign_in("mara@example.com", PASSWORD).await, "/");
    (site, desk)
}

async fn configure(desk: &Browser, fields: &[(&str, &str)]) {
    let saved = desk.post("/m/acme/settings/applications", fields).await;
    goes_to(&saved, "/m/acme/settings/applications");
}

const REVIEWED: [(&str, &str); 8] = [
    ("open", "yes"),
    ("review", "review"),
    ("contact", "partners@acme.example"),
    ("question_1", "How will you recommend us?"),
    ("length_1", "long"),
    ("required_1", "yes"),
    ("question_3", "How many people follow you?"),
    ("terms", "Be honest."),
];

/// The form's hidden stamp.
async fn stamp(site: &Site, browser: &Browser) -> String {
    let form = browser.get("/p/acme/apply").await;
    assert_eq!(form.status, 200, "{form:?}");
    let (_, rest) = form.text.split_once(r#"name="stamp" value=""#).unwrap();
    let stamp = rest.split('"').next().unwrap().to_owned();
    site.advance_seconds(5);
    stamp
}

async fn apply(site: &Site, browser: &Browser, name: &str, email: &str, more: &[(&str, &str)]) -> Answer {
    let stamp = stamp(site, browser).await;
    let mut fields = vec![("stamp", stamp.as_str()), ("name", name), ("email", email)];
    fields.extend(more);
    browser.post("/p/acme/apply", &fields).await
}

const AGREED: [(&str, &str); 4] = [("answer_1", "On my blog"), ("answer_2", ""), ("terms", "yes"), ("version", "1")];

/// Where the newest link of that purpose to the address leads.
async fn link(site: &Site, purpose: Purpose, email: &str) -> String {
    links(site, purpose, email).await.pop().unwrap()
}

async fn links(site: &Site, purpose: Purpose, email: &str) -> Vec<String> {
    let of = |what: &str| {
        format!(
            "SELECT {what} FROM one_time_links WHERE purpose = '{purpose}' AND email = '{email}' AND used_at IS NULL"
        )
    };
    let mut found = Vec::new();
    let mut last = 0;
    for _ in 0..site.database.number(&of("COUNT(*)")).await {
        last = site.database.number(&format!("{} AND id > {last}", of("MIN(id)"))).await;
        found.push(format!("/{}", one_time_links::path(&site.app.secret, purpose, Id::new(last))));
    }
    found
}

async fn count(site: &Site, sql: &str) -> i64 {
    site.database.number(&format!("SELECT COUNT(*) FROM {sql}")).await
}

/// Applies and confirms; the browser is signed in as the applicant.
async fn applicant(site: &Site, name: &str, email: &str) -> Browser {
    let browser = Browser::at(site.address);
    goes_to(&apply(site, &browser, name, email, &AGREED).await, "/p/acme/apply/sent");
    let at = link(site, Purpose::ConfirmApplication, email).await;
    goes_to(&browser.post(&at, &[("password", PASSWORD)]).await, "/home");
    browser
}

/// The public id of the affiliate with that address.
async fn affiliate(site: &Site, email: &str) -> String {
    let (email, program) = (Email::parse(email).unwrap(), site.program.id);
    let mut tx = site.app.db.read().await.unwrap();
    store::affiliates::by_email(&mut tx, program, &email).await.unwrap().unwrap().id.to_string()
}

#[tokio::test]
async fn somebody_applies_confirms_waits_and_is_approved() {
    let (site, desk) = desk().await;
    configure(&desk, &REVIEWED).await;
    let guest = Browser::at(site.address);
    let page = guest.get("/p/acme").await;
    assert_eq!(texts(&page, "h1"), ["Recommend acme and earn 20%"]);
    assert_eq!(texts(&page, "tbody td"), ["USD 5.00", "USD 20.00", "USD 80.00"]);
    assert!(page.text.contains(r#"<meta name="description""#));
    let form = guest.get("/p/acme/apply").await;
    assert!(texts(&form, "label").iter().any(|label| label == "How will you recommend us?"), "{form:?}");

    goes_to(&apply(&site, &guest, "Ada", "ada@example.com", &AGREED).await, "/p/acme/apply/sent");
    assert_eq!(count(&site, "affiliates").await, 0, "unconfirmed, it is in no list");
    assert_eq!(count(&site, "mails WHERE kind = 'confirm_application'").await, 1);
    assert_eq!(texts(&desk.get("/m/acme/applications").await, ".empty").len(), 1);

    let at = link(&site, Purpose::ConfirmApplication, "ada@example.com").await;
    assert_eq!(texts(&guest.get(&at).await, "form button"), ["Confirm and apply"]);
    let refused = guest.post(&at, &[("password", "short")]).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1));
    goes_to(&guest.post(&at, &[("password", PASSWORD)]).await, "/home");
    assert_eq!(texts(&guest.get(&at).await, "h1"), ["This link no longer works"]);
    let home = guest.get("/home").await;
    assert_eq!(texts(&home, ".standing h2"), ["Your application is in review at acme"]);
    assert!(texts(&home, ".standing dd a").contains(&"partners@acme.example".to_owned()), "{home:?}");

    let list = desk.get("/m/acme/applications").await;
    assert!(texts(&list, "tbody tr")[0].starts_with("Adaada@example.com"), "{list:?}");
    let id = affiliate(&site, "ada@example.com").await;
    let at = format!("/m/acme/applications/{id}");
    let shown = desk.get(&at).await;
    assert!(texts(&shown, ".answers dd").contains(&"On my blog".to_owned()), "{shown:?}");
    goes_to(&desk.post(&format!("{at}/approval"), &[]).await, "/m/acme/applications");
    let notice = desk.get("/m/acme/applications").await;
    assert_eq!(texts(&notice, "#notice p"), ["Ada is approved."]);
    assert_eq!(count(&site, "mails WHERE kind = 'application_approved'").await, 1);
    assert!(texts(&guest.get("/home").await, ".standing").is_empty());

    // Taken back, and rejected with a reason that the applicant reads.
    goes_to(&desk.post(&format!("{at}/reopening"), &[]).await, &at);
    let refused = desk.post(&format!("{at}/rejection"), &[("reason", ""), ("words", " ")]).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1));
    goes_to(&desk.post(&format!("{at}/rejection"), &[("words", "<b>No</b>")]).await, "/m/acme/applications");
    let home = guest.get("/home").await;
    assert_eq!(texts(&home, ".standing h2"), ["You were not accepted at acme"]);
    assert!(texts(&home, ".standing dd").contains(&"<b>No</b>".to_owned()), "stored text is inert");
    assert_eq!(count(&site, "mails WHERE kind = 'application_rejected'").await, 1);
    let audited = "audit_log WHERE action IN ('affiliate.approved', 'affiliate.reopened', 'affiliate.rejected')";
    assert_eq!(count(&site, audited).await, 3);
    site.check_ledger().await;
}

#[tokio::test]
async fn without_review_whoever_confirms_is_in() {
    let (site, desk) = desk().await;
    configure(&desk, &[("open", "yes"), ("review", "automatic")]).await;
    let ada = Browser::at(site.address);
    goes_to(&apply(&site, &ada, "Ada", "ada@example.com", &[]).await, "/p/acme/apply/sent");
    let at = link(&site, Purpose::ConfirmApplication, "ada@example.com").await;
    goes_to(&ada.post(&at, &[("password", PASSWORD)]).await, "/home");
    assert!(texts(&ada.get("/home").await, ".standing").is_empty());
    let listed = site.api.get("/affiliates").await;
    assert_eq!(listed.data()["affiliates"][0]["status"], "active");
    site.check_ledger().await;
}

#[tokio::test]
async fn the_answer_is_the_same_whoever_has_applied_before() {
    let (site, desk) = desk().await;
    configure(&desk, &REVIEWED).await;
    applicant(&site, "Ada", "ada@example.com").await;
    let guest = Browser::at(site.address);
    for email in ["ada@example.com", "mara@example.com", "new@example.com"] {
        let answer = apply(&site, &guest, "X", email, &AGREED).await;
        goes_to(&answer, "/p/acme/apply/sent");
        assert!(!answer.headers.contains_key("set-cookie"), "{answer:?}");
    }
    assert_eq!(count(&site, "affiliates").await, 1);
    // Somebody with an account signs in first.
    let at = link(&site, Purpose::ConfirmApplication, "mara@example.com").await;
    let shown = guest.get(&at).await;
    assert!(texts(&shown, "main a.button")[0].contains("Sign in"), "{shown:?}");
    assert_eq!(guest.post(&at, &[("password", PASSWORD)]).await.status, 422);
    let (other, _) = (Browser::at(site.address), account(&site, "other@example.com", false).await);
    other.sign_in("other@example.com", PASSWORD).await;
    assert_eq!(other.post(&at, &[("password", PASSWORD)]).await.status, 422, "another's link");
    goes_to(&desk.post(&at, &[]).await, "/home");
    assert_eq!(count(&site, "affiliates").await, 2);
    assert_eq!(count(&site, "accounts WHERE email_key = 'mara@example.com'").await, 1);
}

#[tokio::test]
async fn machines_are_kept_out_and_people_told_why() {
    let (site, desk) = desk().await;
    configure(&desk, &REVIEWED).await;
    let guest = Browser::at(site.address);
    let fresh = stamp(&site, &guest).await;
    let send = async |stamp: &str, more: &[(&str, &str)]| {
        let mut fields = vec![("stamp", stamp), ("name", "Ada"), ("email", "ada@example.com")];
        fields.extend(AGREED.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name)));
        fields.extend(more);
        guest.post("/p/acme/apply", &fields).await
    };
    goes_to(&send(&fresh, &[("nickname", "bot")]).await, "/p/acme/apply/sent");
    site.app.clock.set(site.app.clock.now().plus_seconds(-4));
    for (stamp, more) in [(fresh.as_str(), &[][..]), ("", &[]), ("1.00", &[]), (&format!("{fresh}0"), &[])] {
        let refused = send(stamp, more).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{stamp} {refused:?}");
    }
    site.advance_seconds(10);
    for more in [
        [("terms", "")],
        [("version", "7")],
        [("answer_1", "")],
        [("answer_1", &"x".repeat(2_001))],
        [("website", "javascript:alert(1)")],
    ] {
        let refused = send(&fresh, &more).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{more:?} {refused:?}");
    }
    assert_eq!(count(&site, "applications").await, 0);
    goes_to(&send(&fresh, &[]).await, "/p/acme/apply/sent");
    assert_eq!(count(&site, "applications").await, 1);
    let mut last = 303;
    for _ in 0..12 {
        last = send(&fresh, &[]).await.status.as_u16();
    }
    assert_eq!(last, 429, "so many an hour");
    assert!(count(&site, "applications").await <= 3, "and fewer still to one address");

    configure(&desk, &[("review", "review")]).await;
    goes_to(&send(&fresh, &[]).await, "/p/acme");
    goes_to(&guest.get("/p/acme/apply").await, "/p/acme");
    assert!(texts(&guest.get("/p/acme").await, ".note")[0].contains("no applications"));
    for path in ["/p/none", "/p/none/apply", "/p/acme/terms", "/p/acme/terms?version=9", "/p/acme/terms?version=x"] {
        assert_eq!(guest.get(path).await.status, 404, "{path}");
    }
    assert_eq!(guest.get("/p/acme/terms?version=1").await.status, 200, "what was agreed to stays readable");
    assert_eq!(texts(&guest.get("/applications/confirm/guess").await, "h1"), ["This link no longer works"]);
    assert_eq!(texts(&guest.post("/invitations/affiliate/guess", &[]).await, "h1"), ["This link no longer works"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_applications_with_one_address_make_one_affiliate() {
    let (site, desk) = desk().await;
    configure(&desk, &REVIEWED).await;
    let guest = Browser::at(site.address);
    let stamp = stamp(&site, &guest).await;
    let send = |_| {
        let (browser, stamp) = (Browser::at(site.address), stamp.clone());
        async move {
            let mut fields = vec![("stamp", stamp.as_str()), ("name", "Ada"), ("email", "ada@example.com")];
            fields.extend(AGREED);
            browser.post("/p/acme/apply", &fields).await.status.as_u16()
        }
    };
    let answers = futures_util::future::join_all((0..10).map(send)).await;
    assert!(answers.iter().all(|status| *status == 303), "{answers:?}");
    let links = links(&site, Purpose::ConfirmApplication, "ada@example.com").await;
    assert!(!links.is_empty());
    let confirm = |at: String| {
        let browser = Browser::at(site.address);
        async move { browser.post(&at, &[("password", PASSWORD)]).await.status.as_u16() }
    };
    let twice = links.iter().chain(&links).cloned().map(confirm);
    let done = futures_util::future::join_all(twice).await;
    assert_eq!(done.iter().filter(|status| **status == 303).count(), 1, "{done:?}");
    assert_eq!(count(&site, "affiliates").await, 1);
    assert_eq!(count(&site, "accounts WHERE email_key = 'ada@example.com'").await, 1);
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_decisions_at_once_one_counts() {
    let (site, desk) = desk().await;
    configure(&desk, &REVIEWED).await;
    for name in ["ada", "ben", "chi"] {
        let email = format!("{name}@example.com");
        applicant(&site, name, &email).await;
        let id = affiliate(&site, &email).await;
        let (yes, no) = (format!("/m/acme/applications/{id}/approval"), format!("/m/acme/applications/{id}/rejection"));
        let reason = [("reason", "No place free.")];
        tokio::join!(desk.post(&yes, &[]), desk.post(&no, &reason), desk.post(&yes, &[]));
        let decided = "audit_log WHERE action IN ('affiliate.approved', 'affiliate.rejected')";
        assert_eq!(count(&site, &format!("{decided} AND subject = '{id}'")).await, 1);
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn the_next_is_shown_and_signals_are_words() {
    let (site, desk) = desk().await;
    configure(&desk, &REVIEWED).await;
    applicant(&site, "Ada", "ada@mailinator.com").await;
    applicant(&site, "Ada", "ben@example.com").await;
    let (first, second) = (affiliate(&site, "ada@mailinator.com").await, affiliate(&site, "ben@example.com").await);
    let shown = desk.get(&format!("/m/acme/applications/{first}")).await;
    let signals = texts(&shown, ".note li");
    assert_eq!(signals.len(), 3, "{signals:?}");
    let decided = desk.post(&format!("/m/acme/applications/{first}/approval"), &[]).await;
    goes_to(&decided, &format!("/m/acme/applications/{second}"));
    let shown = desk.get(&format!("/m/acme/applications/{second}")).await;
    assert_eq!(texts(&shown, "#notice form button"), ["Undo"]);
    assert_eq!(texts(&desk.get("/m/acme/applications").await, ".rail a[aria-current] b"), ["waiting: 1"]);
    // The API decides too, and then it is decided.
    site.set_affiliate(&second, "active").await;
    assert_eq!(texts(&desk.get("/m/acme/applications").await, ".empty").len(), 1);
}

#[tokio::test]
async fn settings_are_kept_with_what_was_before() {
    let (site, desk) = desk().await;
    configure(&desk, &REVIEWED).await;
    let mut changed = REVIEWED.to_vec();
    changed.retain(|(name, _)| *name != "terms");
    changed.push(("terms", "Be very honest."));
    configure(&desk, &changed).await;
    let form = desk.get("/m/acme/settings/applications").await;
    assert_eq!(texts(&form, "textarea#terms"), ["Be very honest."]);
    let guest = Browser::at(site.address);
    assert_eq!(texts(&guest.get("/p/acme/terms?version=1").await, ".said"), ["Be honest."]);
    assert!(texts(&guest.get("/p/acme/terms").await, ".head p")[0].starts_with("Version 2"));
    let audited = "audit_log WHERE action = 'program.applications_changed' AND before LIKE '%version 1' AND after LIKE '%version 2'";
    assert_eq!(count(&site, audited).await, 1);
    for wrong in [("contact", "nobody"), ("question_1", &"x".repeat(201)), ("description", &"x".repeat(501))] {
        let refused = desk.post("/m/acme/settings/applications", &[wrong]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{refused:?}");
    }
    assert_eq!(count(&site, "terms").await, 2);
}

#[tokio::test]
async fn who_may_not_sees_nothing() {
    let (site, _) = desk().await;
    let made = site.affiliate("ANNA").await;
    for (role, at_applications, at_settings) in
        [(Role::Finance, 404, 404), (Role::Viewer, 404, 404), (Role::Manager, 200, 404), (Role::Admin, 200, 200)]
    {
        let email = format!("{role}@example.com");
        let member = account(&site, &email, false).await;
        let (program, now) = (site.program.id, site.app.clock.now());
        let joined = site.app.db.write::<_, store::Error, _>(move |tx| {
            Box::pin(async move { store::accounts::join(tx, member, program, role, now).await })
        });
        joined.await.unwrap();
        let browser = Browser::at(site.address);
        browser.sign_in(&email, PASSWORD).await;
        for path in ["/m/acme/applications", "/m/acme/affiliates/invite"] {
            assert_eq!(browser.get(path).await.status.as_u16(), at_applications, "{role} {path}");
        }
        assert_eq!(browser.get("/m/acme/settings/applications").await.status.as_u16(), at_settings, "{role}");
        if at_applications == 404 {
            for path in [
                "/m/acme/affiliates/invite".to_owned(),
                format!("/m/acme/affiliates/{made}/invitation"),
                format!("/m/acme/applications/{made}/approval"),
            ] {
                let refused = browser.post(&path, &[("people", "x@example.com")]).await;
                assert_eq!(refused.status, 404, "{role} {path}");
            }
        }
    }
    assert_eq!(count(&site, "invitations").await, 0);
    assert_eq!(count(&site, "application_settings").await, 0);
}
