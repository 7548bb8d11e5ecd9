//! Claims of missing sales: an affiliate says so, the merchant looks and answers once, and the books stay right.

use offshoot::{
    domain::{id::ClaimId, role::Role},
    store,
};
use serde_json::json;

use crate::support::{
    Answer, Site,
    browser::{Browser, account, account_of, signed_in, texts},
    post::{MARA, Post},
};

const CLAIMS: &str = "/earnings/claims";
const QUEUE: &str = "/m/acme/claims";

fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

/// An affiliate with that code who can sign in, and their id.
async fn earner(site: &Site, code: &str) -> (Browser, String) {
    let (id, email) = (site.affiliate(code).await, format!("{code}@people.example"));
    account_of(site, &id, &email).await;
    (signed_in(site, &email).await, id)
}

async fn member(site: &Site, role: Role) -> Browser {
    let email = format!("{role}@example.com");
    let id = account(site, &email, false).await;
    let (now, program) = (site.app.clock.now(), site.program.id);
    let joined = site.app.db.write(move |tx| Box::pin(store::accounts::join(tx, id, program, role, now)));
    joined.await.unwrap();
    signed_in(site, &email).await
}

async fn claimed(browser: &Browser, order: &str, amount: &str) {
    let form = [("order", order), ("day", "2026-02-27"), ("amount", amount), ("words", "She said so")];
    goes_to(&browser.post(CLAIMS, &form).await, CLAIMS);
}

/// Where the newest claim is answered.
async fn newest(site: &Site) -> String {
    let id = site.database.number("SELECT MAX(id) FROM claims").await;
    format!("{QUEUE}/{}", ClaimId::new(id))
}

async fn count(site: &Site, what: &str) -> i64 {
    site.database.number(&format!("SELECT COUNT(*) FROM {what}")).await
}

#[tokio::test]
async fn a_claim_is_accepted_and_credited_as_any_sale() {
    let site = Site::start().await;
    let (anna, _) = earner(&site, "ANNA").await;
    let mara = member(&site, Role::Manager).await;
    let page = anna.get(CLAIMS).await;
    assert_eq!(texts(&page, ".empty h2"), ["No claims yet"]);
    assert!(anna.get("/earnings").await.text.contains(r#"href="/earnings/claims""#));
    claimed(&anna, "A-1", "50").await;
    assert!(texts(&anna.get(CLAIMS).await, ".ledger li")[0].starts_with("A-1 USD 50.00"));

    let home = mara.get("/m/acme").await;
    assert!(texts(&home, ".todo b").contains(&"1 missing sale claimed".to_owned()), "{home:?}");
    assert_eq!(texts(&mara.get(QUEUE).await, "tbody tr").len(), 1);
    let claim = newest(&site).await;
    let page = mara.get(&claim).await;
    assert!(page.text.contains("No sale with this order number is recorded."), "{page:?}");
    assert!(page.text.contains("Nobody followed their links"), "{page:?}");

    let refused = mara.post(&format!("{claim}/acceptance"), &[("order", "A-1"), ("amount", "-1")]).await;
    assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1));
    assert_eq!(count(&site, "conversions").await, 0);
    let form = [("order", "A-1"), ("amount", "49.90"), ("words", "Found it")];
    goes_to(&mara.post(&format!("{claim}/acceptance"), &form).await, QUEUE);
    let sale = "conversions WHERE order_id = 'A-1' AND amount_minor = 4990 AND attributed_by = 'code'";
    assert_eq!(count(&site, sale).await, 1);
    assert_eq!(count(&site, "commissions WHERE amount_minor = 998 AND status = 'pending'").await, 1);
    site.check_ledger().await;

    let shown = texts(&anna.get(CLAIMS).await, ".ledger li").join("");
    assert!(shown.contains("Accepted") && shown.contains("Found it"), "{shown}");
    assert!(texts(&mara.get(QUEUE).await, "tbody tr").is_empty());
    assert_eq!(texts(&mara.get(&format!("{QUEUE}?status=all")).await, "tbody tr").len(), 1);
    let page = mara.get(&claim).await;
    assert!(page.text.contains("credited to this affiliate") && page.text.contains("Found it"), "{page:?}");
    assert_eq!(count(&site, "audit_log WHERE action = 'claim.accepted' AND actor LIKE 'account:%'").await, 1);
    let again = mara.post(&format!("{claim}/refusal"), &[("reason", "No")]).await;
    goes_to(&again, &claim);
    assert!(texts(&mara.get(&claim).await, "#notice p")[0].contains("has answered this claim before"));
    assert_eq!(count(&site, "claims WHERE status = 'accepted'").await, 1);
}

#[tokio::test]
async fn what_belongs_to_somebody_is_told_and_not_moved() {
    let site = Site::start().await;
    let (anna, affiliate) = earner(&site, "ANNA").await;
    site.affiliate("BEN").await;
    let mara = member(&site, Role::Owner).await;
    assert_eq!(site.api.sale("BEN", "80", "B-1").await.status, 201);
    // A coupon decided for Ben: the flow of sales alone would take this for the same sale.
    site.api.post("/coupons", &json!({ "affiliateId": affiliate, "code": "SAVE" })).await;
    claimed(&anna, "B-1", "80").await;
    let claim = newest(&site).await;
    let page = mara.get(&claim).await;
    assert!(page.text.contains("The order is somebody else’s") && page.text.contains("BEN"), "{page:?}");
    assert!(page.text.contains("The referral code that came with the sale"), "{page:?}");
    let refused = mara.post(&format!("{claim}/acceptance"), &[("order", "B-1"), ("amount", "80")]).await;
    assert_eq!(refused.status, 422);
    assert!(texts(&refused, "#issues li")[0].contains("is credited to BEN already. Nothing was moved"), "{refused:?}");
    assert_eq!(count(&site, "claims WHERE status = 'open'").await, 1, "nothing was answered");
    assert_eq!((count(&site, "conversions").await, count(&site, "ledger_entries").await), (1, 1));

    // Without an order the day and the amount find what may be meant.
    let form = [("day", "2026-03-01"), ("amount", "80"), ("words", "x")];
    goes_to(&anna.post(CLAIMS, &form).await, CLAIMS);
    let page = mara.get(&newest(&site).await).await;
    assert!(page.text.contains("Of that amount, on that day") && page.text.contains("B-1"), "{page:?}");

    // Of an order that is theirs there is nothing to claim; one that becomes theirs meanwhile is only named.
    claimed(&anna, "A-1", "10").await;
    let claim = newest(&site).await;
    assert_eq!(site.api.sale("ANNA", "10", "A-1").await.status, 201);
    let refused = anna.post(CLAIMS, &[("order", "A-1"), ("words", "x")]).await;
    assert!(texts(&refused, "#issues li")[0].contains("credited to you already"), "{refused:?}");
    goes_to(&mara.post(&format!("{claim}/acceptance"), &[("order", "A-1"), ("amount", "10")]).await, QUEUE);
    assert!(texts(&mara.get(QUEUE).await, "#notice p")[0].contains("nothing new was recorded"));
    assert_eq!(count(&site, "conversions").await, 2);
    site.check_ledger().await;

    // Who is blocked is not credited, and that is said.
    claimed(&anna, "A-2", "10").await;
    let claim = newest(&site).await;
    site.set_affiliate(&affiliate, "blocked").await;
    let refused = mara.post(&format!("{claim}/acceptance"), &[("order", "A-2"), ("amount", "10")]).await;
    assert!(texts(&refused, "#issues li")[0].contains("the affiliate is blocked"), "{refused:?}");
    let refused = anna.post(CLAIMS, &[("order", "A-3"), ("words", "x")]).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    site.check_ledger().await;
}

#[tokio::test]
async fn what_cannot_be_claimed_is_refused_and_five_a_day_are_enough() {
    let site = Site::start().await;
    let (anna, _) = earner(&site, "ANNA").await;
    for (form, field) in [
        (vec![("words", "x")], "Order"),
        (vec![("order", "A-1")], "Words"),
        (vec![("day", "2026-03-09"), ("words", "x")], "Day"),
        (vec![("day", "2019-03-09"), ("words", "x")], "Day"),
        (vec![("order", "A-1"), ("amount", "1.234"), ("words", "x")], "Amount"),
        (vec![("order", "a\u{7}b"), ("words", "x")], "Order"),
    ] {
        let refused = anna.post(CLAIMS, &form).await;
        assert_eq!(refused.status, 422, "{form:?}");
        assert!(texts(&refused, "#issues li")[0].starts_with(field), "{form:?} {:?}", texts(&refused, "#issues li"));
    }
    assert_eq!(count(&site, "claims").await, 0);
    for number in 0..5 {
        claimed(&anna, &format!("<script>alert({number})</script>"), "1").await;
    }
    let again = anna.post(CLAIMS, &[("order", "<script>alert(0)</script>"), ("words", "x")]).await;
    assert!(texts(&again, "#issues li")[0].contains("asked about already"), "{again:?}");
    let sixth = anna.post(CLAIMS, &[("order", "A-6"), ("words", "x")]).await;
    assert!(texts(&sixth, "#issues li")[0].contains("Try again tomorrow"), "{sixth:?}");
    site.advance_seconds(86_401);
    claimed(&anna, "A-6", "1").await;
    let mara = member(&site, Role::Owner).await;
    let claim = newest(&site).await;
    for page in [anna.get(CLAIMS).await, mara.get(QUEUE).await, mara.get(&claim).await] {
        assert!(!page.text.contains("<script>alert("), "{page:?}");
    }
    // Another affiliate sees nothing of it, and a viewer answers nothing.
    let (ben, _) = earner(&site, "BEN").await;
    assert!(texts(&ben.get(CLAIMS).await, ".ledger li").is_empty());
    assert_eq!(ben.get(&claim).await.status, 404);
    let viewer = member(&site, Role::Viewer).await;
    assert_eq!(texts(&viewer.get(&claim).await, "main form").len(), 0);
    assert_eq!(viewer.post(&format!("{claim}/refusal"), &[("reason", "x")]).await.status, 404);
}

#[tokio::test]
async fn two_who_answer_at_once_give_one_answer() {
    let site = Site::start().await;
    let (anna, _) = earner(&site, "ANNA").await;
    let (one, two) = (member(&site, Role::Owner).await, member(&site, Role::Finance).await);
    for turn in 0..5 {
        let form = [("day", "2026-02-27"), ("words", "x")];
        goes_to(&anna.post(CLAIMS, &form).await, CLAIMS);
        let (claim, before) = (newest(&site).await, count(&site, "conversions").await);
        let accepted = [("amount", "10"), ("order", "")];
        let (accept, decline) = (format!("{claim}/acceptance"), format!("{claim}/refusal"));
        let (a, b, c) = tokio::join!(
            one.post(&accept, &accepted),
            two.post(&accept, &accepted),
            two.post(&decline, &[("reason", "No")])
        );
        let answered = [&a, &b, &c].iter().filter(|answer| answer.header("location") == QUEUE).count();
        assert_eq!(answered, 1, "{turn}: {a:?} {b:?} {c:?}");
        let is_accepted = count(&site, "claims WHERE status = 'accepted'").await;
        assert_eq!(count(&site, "conversions").await, is_accepted, "{turn}: {before}");
    }
    assert_eq!(count(&site, "mails WHERE kind = 'claim_answered'").await, 5);
    site.check_ledger().await;
}

#[tokio::test]
async fn an_answer_is_mailed_in_the_merchants_words() {
    let post = Post::start().await;
    post.affiliate_of("maya", post.mara).await;
    let maya = signed_in(&post.site, MARA).await;
    for (order, answer, path) in [("A-1", "Returned <b>unopened</b>", "refusal"), ("A-2", "Thank you", "acceptance")] {
        goes_to(&maya.post(CLAIMS, &[("order", order), ("words", "x")]).await, CLAIMS);
        let claim = newest(&post.site).await;
        let form = [("order", order), ("amount", "30"), ("words", answer), ("reason", answer)];
        goes_to(&maya.post(&format!("{claim}/{path}"), &form).await, QUEUE);
    }
    post.work().await;
    let told: Vec<_> =
        post.server.taken().iter().map(|mail| (mail.parsed().subject().unwrap().to_owned(), mail.text())).collect();
    let (_, declined) = told.iter().find(|(subject, _)| subject.starts_with("About your claim")).unwrap();
    assert!(
        declined.contains("declined your claim of the sale A-1") && declined.contains("> Returned <b>unopened</b>"),
        "{declined}"
    );
    let (_, accepted) = told.iter().find(|(subject, _)| subject.contains("was accepted")).unwrap();
    assert!(
        accepted.contains("It is credited to you: USD 6.00") && accepted.contains("/earnings/claims"),
        "{accepted}"
    );
}

#[tokio::test]
async fn a_commissions_page_says_who_won_and_against_whom() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let mara = member(&site, Role::Owner).await;
    site.api.post("/coupons", &json!({ "affiliateId": ben, "code": "SAVE10" })).await;
    let click = site.api.click("ANNA").await;
    let sale = json!({ "clickId": click, "couponCode": "SAVE10", "amount": 10, "customer": { "id": "42" } });
    assert_eq!(site.api.post("/referrals/convert", &sale).await.status, 201);
    let page = mara.get(&format!("/m/acme/commissions/{}", site.api.newest_commission(&ben).await)).await;
    let told = texts(&page, ".timeline li").join("|");
    assert!(told.contains("Visitor clicked the link of ANNA"), "{told}");
    assert!(
        told.contains("credited to BEN")
            && told.contains("The coupon SAVE10 decided. A coupon counted before a link: the link was ANNA’s."),
        "{told}"
    );
    let facts = texts(&page, ".facts dd").join("|");
    assert!(facts.contains("SAVE10") && facts.contains("ANNA, by the link"), "{facts}");
    assert!(facts.contains("Bought for the first time"), "{facts}");

    let again = json!({ "amount": 10, "customer": { "id": "42" } });
    assert_eq!(site.api.post("/referrals/convert", &again).await.status, 201);
    let page = mara.get(&format!("/m/acme/commissions/{}", site.api.newest_commission(&ben).await)).await;
    assert!(texts(&page, ".timeline li").join("").contains("The customer had been brought by them before."));
    assert!(texts(&page, ".facts dd").join("").contains("Had bought before"));
    assert_eq!(site.api.get(&format!("/commissions?affiliateId={anna}")).await.data()["total"], 0);
}
