//! A program's team: invited, joined, given other roles, gone. An owner stays whatever two people do at once.

use offshoot::{
    domain::{id::AccountId, one_time_link::Purpose, role::Role},
    store,
};

use super::people::{link, mails};
use crate::support::{
    Answer, Site,
    browser::{Browser, account, signed_in, texts},
};

fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

async fn member(site: &Site, email: &str, role: Role) -> AccountId {
    let (id, now, program) = (account(site, email, false).await, site.app.clock.now(), site.program.id);
    let joined = site.app.db.write::<_, store::Error, _>(move |tx| {
        Box::pin(async move { store::accounts::join(tx, id, program, role, now).await })
    });
    joined.await.unwrap();
    id
}

async fn members(site: &Site, role: &str) -> i64 {
    site.database.number(&format!("SELECT COUNT(*) FROM memberships WHERE role = '{role}'")).await
}

async fn invite(browser: &Browser, email: &str, role: &str) -> Answer {
    browser.post("/m/acme/team/invite", &[("email", email), ("role", role)]).await
}

#[tokio::test]
async fn an_invitation_makes_an_account_and_a_member_once() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let owner = signed_in(&site, "mara@example.com").await;
    goes_to(&invite(&owner, "ben@example.com", "manager").await, "/m/acme/team");
    mails(&site, "team_invitation", 1).await;
    let page = owner.get("/m/acme/team").await;
    assert!(texts(&page, "#invitations li")[0].starts_with("ben@example.comManager."), "{page:?}");
    assert_eq!(texts(&page, "#roles dt"), ["Owner", "Admin", "Finance", "Manager", "Viewer"]);

    let path = link(&site, "team_invitation", Purpose::TeamInvitation).await;
    let guest = Browser::at(site.address);
    assert_eq!(texts(&guest.get(&path).await, "h1"), ["Join acme"]);
    let weak = guest.post(&path, &[("name", "Ben"), ("password", "password1234")]).await;
    assert_eq!(weak.status, 422);
    assert_eq!(members(&site, "manager").await, 0);
    // Somebody else who is signed in does not get in by it.
    account(&site, "eve@example.com", false).await;
    let eve = signed_in(&site, "eve@example.com").await;
    assert_eq!(texts(&eve.post(&path, &[]).await, "h1"), ["Join acme"]);
    assert_eq!(members(&site, "manager").await, 0);

    let fields = [("name", "Ben"), ("password", "a password of ben's")];
    let (one, two) = (Browser::at(site.address), Browser::at(site.address));
    let (first, second) = tokio::join!(one.post(&path, &fields), two.post(&path, &fields));
    let worked = [&first, &second].into_iter().filter(|answer| answer.status == 303).count();
    assert_eq!((worked, members(&site, "manager").await), (1, 1), "{first:?} {second:?}");
    let ben = if first.status == 303 { one } else { two };
    assert_eq!(ben.get("/m/acme/affiliates").await.status, 200);
    assert_eq!(ben.get("/m/acme/team").await.status, 404);
    assert_eq!(texts(&guest.get(&path).await, "h1"), ["This invitation no longer works"]);
    let again = invite(&owner, "BEN@example.com", "viewer").await;
    assert_eq!((again.status.as_u16(), texts(&again, "#issues li").len()), (422, 1), "a member already");
    let audited = "SELECT COUNT(*) FROM audit_log WHERE action IN ('team.invited', 'team.joined', 'account.created') AND program_id IS NOT NULL";
    assert_eq!(site.database.number(audited).await, 3);
}

#[tokio::test]
async fn an_invitation_is_sent_again_withdrawn_and_grows_old() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    account(&site, "ben@example.com", false).await;
    let owner = signed_in(&site, "mara@example.com").await;
    let works = async |path: &str| {
        let page = signed_in(&site, "ben@example.com").await.get(path).await;
        texts(&page, "h1") == ["Join acme"]
    };
    let newest = async || {
        let sql = "SELECT id FROM one_time_links WHERE used_at IS NULL ORDER BY id DESC LIMIT 1";
        site.database.number(sql).await.to_string()
    };
    invite(&owner, "ben@example.com", "viewer").await;
    let first = link(&site, "team_invitation", Purpose::TeamInvitation).await;
    owner.post("/m/acme/team/invitations/resend", &[("invitation", &newest().await)]).await;
    mails(&site, "team_invitation", 2).await;
    let second = link(&site, "team_invitation", Purpose::TeamInvitation).await;
    assert_eq!((works(&first).await, works(&second).await), (false, true));
    owner.post("/m/acme/team/invitations/withdraw", &[("invitation", &newest().await)]).await;
    assert!(!works(&second).await);
    assert!(texts(&owner.get("/m/acme/team").await, "#invitations li").is_empty());

    invite(&owner, "ben@example.com", "viewer").await;
    let third = link(&site, "team_invitation", Purpose::TeamInvitation).await;
    site.advance_seconds(7 * 86_400 + 1);
    assert!(!works(&third).await);
    let late = signed_in(&site, "ben@example.com").await.post(&third, &[]).await;
    assert_eq!(
        (texts(&late, "h1"), members(&site, "viewer").await),
        (vec!["This invitation no longer works".to_owned()], 0)
    );
}

#[tokio::test]
async fn only_owners_deal_in_owners_and_nobody_in_another_program() {
    let site = Site::start().await;
    let ada = member(&site, "ada@example.com", Role::Admin).await;
    let mara = account(&site, "mara@example.com", true).await;
    let ben = member(&site, "ben@example.com", Role::Viewer).await;
    let admin = signed_in(&site, "ada@example.com").await;
    let before = site.database.number("SELECT COUNT(*) FROM audit_log").await;
    assert_eq!(invite(&admin, "x@example.com", "owner").await.status, 422);
    for (id, role) in [(ben, "owner"), (mara, "viewer"), (ada, "owner")] {
        let refused = admin.post(&format!("/m/acme/team/{id}"), &[("role", role)]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{role}");
    }
    admin.post(&format!("/m/acme/team/{mara}/remove"), &[]).await;
    assert_eq!((members(&site, "owner").await, members(&site, "viewer").await), (2, 1));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM audit_log").await, before, "nothing was done");

    let (other, _) = site.another_program("other").await;
    let stranger = "SELECT account_id FROM memberships ORDER BY program_id DESC, account_id DESC LIMIT 1";
    let stranger = AccountId::new(site.database.number(stranger).await);
    for path in [format!("/m/acme/team/{stranger}"), format!("/m/{}/team", other.slug)] {
        assert_eq!(admin.get(&path).await.status, 404, "{path}");
    }
    assert_eq!(admin.post(&format!("/m/acme/team/{stranger}/remove"), &[]).await.status, 404);

    goes_to(&admin.post(&format!("/m/acme/team/{ben}"), &[("role", "finance")]).await, "/m/acme/team");
    assert_eq!(members(&site, "finance").await, 1);
    let gone = signed_in(&site, "ben@example.com").await;
    assert_eq!(gone.get("/m/acme/affiliates").await.status, 200);
    goes_to(&admin.post(&format!("/m/acme/team/{ben}/remove"), &[]).await, "/m/acme/team");
    assert_eq!(gone.get("/m/acme/affiliates").await.status, 404, "at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_last_owners_who_go_at_once_one_stays() {
    for round in 0..3 {
        let site = Site::start().await;
        let (one, two) = ("one@example.com", "two@example.com");
        let first = account(&site, one, true).await;
        let second = account(&site, two, true).await;
        let ours = format!("DELETE FROM memberships WHERE account_id NOT IN ({}, {})", first.raw(), second.raw());
        site.database.execute(&ours).await.unwrap();
        let (a, b) = (signed_in(&site, one).await, signed_in(&site, two).await);
        match round {
            0 => drop(tokio::join!(a.post("/m/acme/team/leave", &[]), b.post("/m/acme/team/leave", &[]))),
            1 => {
                let (to_b, to_a) = (format!("/m/acme/team/{second}/remove"), format!("/m/acme/team/{first}/remove"));
                drop(tokio::join!(a.post(&to_b, &[]), b.post(&to_a, &[])));
            }
            _ => {
                let (to_b, to_a) = (format!("/m/acme/team/{second}"), format!("/m/acme/team/{first}"));
                let role = [("role", "viewer")];
                drop(tokio::join!(a.post(&to_b, &role), b.post(&to_a, &role)));
            }
        }
        assert_eq!(members(&site, "owner").await, 1, "round {round}");
        let (browser, id) = if a.get("/m/acme/team").await.status == 200 { (&a, first) } else { (&b, second) };
        let refused = browser.post("/m/acme/team/leave", &[]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "[role=alert]").len()), (422, 1), "{refused:?}");
        assert_eq!(browser.post(&format!("/m/acme/team/{id}"), &[("role", "admin")]).await.status, 422);
        browser.post(&format!("/m/acme/team/{id}/remove"), &[]).await;
        assert_eq!(members(&site, "owner").await, 1, "round {round}");
    }
}
