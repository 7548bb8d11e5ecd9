//! Affiliates who are invited: pasted, sent again, withdrawn, accepted.

use offshoot::{
    domain::{id::Id, one_time_link::Purpose},
    flows::one_time_links,
};

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, texts},
};

const INVITE: &str = "/m/acme/affiliates/invite";

#[track_caller]
fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

async fn desk() -> (Site, Browser) {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let desk = Browser::at(site.address);
    goes_to(&desk.sign_in("mara@example.com", PASSWORD).await, "/");
    (site, desk)
}

async fn count(site: &Site, sql: &str) -> i64 {
    site.database.number(&format!("SELECT COUNT(*) FROM {sql}")).await
}

async fn link(site: &Site, email: &str) -> String {
    let sql = format!("SELECT MAX(id) FROM one_time_links WHERE email = '{email}' AND used_at IS NULL");
    let id = Id::new(site.database.number(&sql).await);
    format!("/{}", one_time_links::path(&site.app.secret, Purpose::AffiliateInvitation, id))
}

/// Where the first form of the list goes that ends so.
fn action(page: &Answer, end: &str) -> String {
    let actions = page.text.split(r#"action=""#).skip(1).map(|rest| rest.split('"').next().unwrap());
    actions.into_iter().find(|action| action.ends_with(end)).unwrap().to_owned()
}

#[tokio::test]
async fn one_bad_line_and_nobody_is_invited() {
    let (site, desk) = desk().await;
    site.affiliate("known").await;
    let pasted = "Ada <ada@example.com>\nnobody\n<script>alert(1)</script>\nADA@example.com";
    let refused = desk.post(INVITE, &[("people", pasted)]).await;
    let issues = texts(&refused, "#issues li");
    assert_eq!((refused.status.as_u16(), issues.len()), (422, 3), "{issues:?}");
    assert!(issues[0].starts_with("People line 2 ") && issues[2].starts_with("People line 4 "), "{issues:?}");
    assert!(texts(&refused, "main script").is_empty(), "what was pasted is inert");
    assert_eq!(desk.post(INVITE, &[("people", " \n ")]).await.status, 422);
    assert_eq!((count(&site, "invitations").await, count(&site, "mails").await), (0, 0));

    goes_to(&desk.post(INVITE, &[("people", "Ada <ada@example.com>\nben@example.com")]).await, INVITE);
    assert_eq!(count(&site, "mails WHERE kind = 'affiliate_invitation'").await, 2);
    let again = desk.post(INVITE, &[("people", "new@example.com\nBEN@example.com")]).await;
    assert!(texts(&again, "#issues li")[0].contains("line 2 was invited already"), "{again:?}");
    assert_eq!(count(&site, "invitations").await, 2);
    assert_eq!(texts(&desk.get(INVITE).await, "tbody tr").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_accepted_once() {
    let (site, desk) = desk().await;
    let terms = [("open", "yes"), ("review", "review"), ("terms", "Be honest.")];
    goes_to(&desk.post("/m/acme/settings/applications", &terms).await, "/m/acme/settings/applications");
    desk.post(INVITE, &[("people", "Ada <ada@example.com>")]).await;
    let at = link(&site, "ada@example.com").await;
    let (one, two) = (Browser::at(site.address), Browser::at(site.address));
    let shown = one.get(&at).await;
    assert_eq!(texts(&shown, "h1"), ["acme invites you"]);
    assert!(shown.text.contains(r#"value="Ada""#), "the name is filled in");
    let refused = one.post(&at, &[("name", "Ada"), ("password", PASSWORD)]).await;
    assert_eq!(refused.status, 422, "without the terms");
    let fields = [("name", "Ada Marlowe"), ("password", PASSWORD), ("terms", "yes")];
    let (first, second) = tokio::join!(one.post(&at, &fields), two.post(&at, &fields));
    let worked = [&first, &second].into_iter().filter(|answer| answer.status == 303).count();
    assert_eq!(worked, 1, "{first:?} {second:?}");
    let list = site.api.get("/affiliates").await;
    assert_eq!(list.data()["total"], 1);
    assert_eq!(list.data()["affiliates"][0]["name"], "Ada Marlowe");
    assert_eq!(list.data()["affiliates"][0]["status"], "active");
    let me = if first.status == 303 { one } else { two };
    assert_eq!(me.get("/home").await.status, 200);
    assert_eq!(count(&site, "invitations WHERE terms_version = 1 AND accepted_at IS NOT NULL").await, 1);
    let again = desk.post(INVITE, &[("people", "ada@example.com")]).await;
    assert!(texts(&again, "#issues li")[0].contains("is an affiliate already"), "{again:?}");
    site.check_ledger().await;
}

#[tokio::test]
async fn sent_again_and_withdrawn_links_are_worth_nothing() {
    let (site, desk) = desk().await;
    desk.post(INVITE, &[("people", "ada@example.com")]).await;
    let old = link(&site, "ada@example.com").await;
    goes_to(&desk.post(&action(&desk.get(INVITE).await, "/mail"), &[]).await, INVITE);
    let (new, guest) = (link(&site, "ada@example.com").await, Browser::at(site.address));
    assert_ne!(old, new);
    assert_eq!(texts(&guest.get(&old).await, "h1"), ["This link no longer works"]);
    assert_eq!(texts(&guest.get(&new).await, "h1"), ["acme invites you"]);
    assert_eq!(count(&site, "mails WHERE kind = 'affiliate_invitation'").await, 2);

    site.advance_seconds(14 * 86_400 + 1);
    desk.sign_in("mara@example.com", PASSWORD).await;
    assert_eq!(texts(&guest.get(&new).await, "h1"), ["This link no longer works"]);
    let list = desk.get(INVITE).await;
    assert_eq!(texts(&list, "tbody .badge"), ["Expired"], "it can be sent again");
    goes_to(&desk.post(&action(&list, "/mail"), &[]).await, INVITE);
    let newest = link(&site, "ada@example.com").await;
    let withdrawal = action(&desk.get(INVITE).await, "/withdrawal");
    goes_to(&desk.post(&withdrawal, &[]).await, INVITE);
    let fields = [("name", "Ada"), ("password", PASSWORD)];
    assert_eq!(texts(&guest.post(&newest, &fields).await, "h1"), ["This link no longer works"]);
    assert_eq!(desk.post(&withdrawal, &[]).await.status, 404, "once");
    assert_eq!(count(&site, "affiliates").await, 0);
}

#[tokio::test]
async fn one_that_the_api_made_is_given_to_who_accepts() {
    let (site, desk) = desk().await;
    let id = site.affiliate("anna").await;
    site.api.sale("anna", "100", "o-1").await;
    let invite = format!("/m/acme/affiliates/{id}/invitation");
    assert_eq!(desk.post(&invite, &[]).await.status, 303);
    assert_eq!(desk.post(&invite, &[]).await.status, 303, "again is the same again");
    assert_eq!((count(&site, "invitations").await, count(&site, "affiliates").await), (1, 1));

    account(&site, "anna@example.com", false).await;
    let anna = Browser::at(site.address);
    let at = link(&site, "anna@example.com").await;
    assert!(texts(&anna.get(&at).await, "main a.button")[0].contains("Sign in"));
    anna.sign_in("anna@example.com", PASSWORD).await;
    goes_to(&anna.post(&at, &[("name", "Anna")]).await, "/home");
    assert!(anna.get("/home").await.text.contains("20.00"), "what was earned before is theirs");
    assert_eq!(count(&site, "affiliates WHERE account_id IS NOT NULL").await, 1);

    // Blocked through the API: no longer in, and what is owed stays to be seen.
    site.set_affiliate(&id, "blocked").await;
    let home = anna.get("/home").await;
    assert_eq!(texts(&home, ".standing h2"), ["You are no longer in the program of acme"]);
    assert!(texts(&home, ".standing dd")[1].starts_with("USD 20.00"), "{home:?}");
    assert_eq!(desk.post(&invite, &[]).await.status, 303);
    assert_eq!(count(&site, "invitations").await, 1);
    site.check_ledger().await;
}
