//! The merchant's queue: commissions decided in the browser, one or many, and taken back.

use offshoot::domain::role::Role;

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, encoded, texts},
};

const QUEUE: &str = "/m/acme/commissions";
const DECIDE: &str = "/m/acme/commissions/decision";

fn goes_to(answer: &Answer, to: &str) {
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, to), "{answer:?}");
}

async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    browser.sign_in("mara@example.com", PASSWORD).await;
    browser
}

async fn member(site: &Site, role: Role) -> Browser {
    let email = format!("{role}@example.com");
    let id = account(site, &email, false).await;
    let (now, program) = (site.app.clock.now(), site.program.id);
    let joined = site.app.db.write(move |tx| Box::pin(offshoot::store::accounts::join(tx, id, program, role, now)));
    joined.await.unwrap();
    let browser = Browser::at(site.address);
    browser.sign_in(&email, PASSWORD).await;
    browser
}

/// Sales of 100.00 by that code; the ids of their commissions.
async fn sales(site: &Site, affiliate: &str, code: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        assert_eq!(site.api.sale(code, "100", &format!("{code}-{number}")).await.status, 201);
        ids.push(site.api.newest_commission(affiliate).await);
        site.advance_seconds(1);
    }
    ids
}

async fn notice(browser: &Browser) -> String {
    texts(&browser.get(QUEUE).await, "#notice p").join("|")
}

/// The form of a page that asks, as a browser would send it.
fn fields(page: &Answer, selector: &str) -> Vec<(String, String)> {
    let (page, selector) = (
        scraper::Html::parse_document(&page.text),
        scraper::Selector::parse(&format!("{selector} input[type=hidden]")).unwrap(),
    );
    let field = |input: scraper::ElementRef<'_>| {
        let value = |name| input.value().attr(name).unwrap_or_default().to_owned();
        (value("name"), value("value"))
    };
    page.select(&selector).map(field).collect()
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn attribute(page: &Answer, selector: &str, name: &str) -> Vec<String> {
    let (page, selector) = (scraper::Html::parse_document(&page.text), scraper::Selector::parse(selector).unwrap());
    page.select(&selector).filter_map(|element| element.value().attr(name).map(str::to_owned)).collect()
}

async fn undo_path(browser: &Browser) -> String {
    let page = browser.get(QUEUE).await;
    attribute(&page, "#notice form", "action").pop().expect("an undo")
}

#[tokio::test]
async fn a_row_is_approved_and_taken_back_and_the_books_are_right() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let ids = sales(&site, &anna, "ANNA", 3).await;
    let browser = owner(&site).await;
    let page = browser.get(QUEUE).await;
    assert_eq!(texts(&page, "h1"), ["Commissions"]);
    assert_eq!(texts(&page, ".tabs a")[0], "To review 3");
    assert_eq!(texts(&page, "tbody tr").len(), 3);
    assert!(texts(&page, "tbody tr")[0].contains("20% of USD 100.00"), "{page:?}");

    goes_to(&browser.post(DECIDE, &[("approve", &ids[1])]).await, QUEUE);
    let page = browser.get(QUEUE).await;
    assert_eq!(texts(&page, "#notice p"), ["1 commission approved (USD 20.00)."]);
    assert_eq!(texts(&page, "tbody tr").len(), 2);
    let undo = attribute(&page, "#notice form", "action").pop().unwrap();
    assert_eq!(texts(&browser.get(QUEUE).await, "#notice").len(), 0, "told once");
    site.check_ledger().await;

    assert_eq!(browser.post(&undo, &[]).await.status, 303);
    assert_eq!(notice(&browser).await, "1 commission put back (USD 20.00).");
    assert_eq!(texts(&browser.get(QUEUE).await, "tbody tr").len(), 3);
    let undone = site.database.number("SELECT COUNT(*) FROM audit_log WHERE action = 'commission.undone'").await;
    assert_eq!(undone, 1);
    site.check_ledger().await;
    browser.post(&undo, &[]).await;
    assert_eq!(notice(&browser).await, "This decision was undone before.");
    let decided = browser.get("/m/acme/commissions/decided").await;
    assert!(texts(&decided, "tbody tr")[0].contains("Undone"), "{decided:?}");
}

#[tokio::test]
async fn rejecting_asks_for_a_reason_that_is_kept_and_undoing_earns_it_again() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let ids = sales(&site, &anna, "ANNA", 2).await;
    let browser = owner(&site).await;
    let ask = browser.get(&format!("{DECIDE}?to=rejected&id={}&id={}", ids[0], ids[1])).await;
    assert_eq!(texts(&ask, "h1"), ["Reject 2 commissions"]);
    assert_eq!(texts(&ask, "tfoot b"), ["USD 40.00"]);
    let mut form = fields(&ask, "form.card");
    let refused = browser.post(DECIDE, &borrowed(&form)).await;
    assert_eq!(refused.status, 422);
    assert_eq!(texts(&refused, "#issues li").len(), 1);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM commissions WHERE status = 'rejected'").await, 0);

    form.push(("reason".into(), "<b>Own order</b>".into()));
    goes_to(&browser.post(DECIDE, &borrowed(&form)).await, QUEUE);
    let undo = undo_path(&browser).await;
    let rejected = browser.get(&format!("{QUEUE}?status=rejected")).await;
    assert!(texts(&rejected, "tbody tr")[0].contains("<b>Own order</b>"), "{rejected:?}");
    assert!(texts(&rejected, "td small b").is_empty(), "stored text is inert");
    site.check_ledger().await;

    // A refund while it was rejected takes nothing from the ledger; undoing earns what is left.
    let shown = site.api.get(&format!("/commissions/{}", ids[0])).await;
    let sale = shown.data()["commission"]["conversionId"].as_str().unwrap().to_owned();
    assert_eq!(
        site.api.post(&format!("/conversions/{sale}/refunds"), &serde_json::json!({"amount": 50})).await.status,
        201
    );
    browser.post(&undo, &[]).await;
    assert_eq!(notice(&browser).await, "2 commissions put back (USD 30.00).");
    let shown = site.api.get(&format!("/commissions/{}", ids[0])).await;
    assert_eq!(shown.data()["commission"]["status"], "pending");
    assert!(shown.data()["commission"]["reason"].is_null());
    site.check_ledger().await;
}

#[tokio::test]
async fn what_cannot_be_decided_or_undone_is_told_and_stays() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    let (a, b) = (sales(&site, &anna, "ANNA", 2).await, sales(&site, &ben, "BEN", 1).await);
    site.set_affiliate(&ben, "pending").await;
    let browser = owner(&site).await;
    browser.post(DECIDE, &[("to", "approved"), ("id", &a[0]), ("id", &a[1]), ("id", &b[0])]).await;
    let page = browser.get(QUEUE).await;
    let told = texts(&page, "#notice p").join("");
    assert!(told.starts_with("2 commissions approved (USD 40.00). 1 was left as it is: BEN-0:"), "{told}");
    let undo = attribute(&page, "#notice form", "action").pop().unwrap();
    // One of them is paid meanwhile, and stays so.
    assert_eq!(site.api.decide(&a[0], "paid").await.status, 200);
    browser.post(&undo, &[]).await;
    let told = notice(&browser).await;
    assert!(told.starts_with("1 commission put back (USD 20.00). 1 was left as it is: ANNA-0: it was paid"), "{told}");
    site.check_ledger().await;

    // Decided again since, even to the same: that is somebody else's decision.
    browser.post(DECIDE, &[("approve", &a[1])]).await;
    let undo = undo_path(&browser).await;
    site.api.decide(&a[1], "rejected").await;
    site.api.decide(&a[1], "approved").await;
    browser.post(&undo, &[]).await;
    assert!(notice(&browser).await.contains("decided it again since"));
    site.check_ledger().await;
    browser.post(DECIDE, &[("to", "approved")]).await;
    assert!(notice(&browser).await.starts_with("Tick the commissions first"));
    for wrong in [("to", "pending"), ("to", "nonsense")] {
        assert_eq!(browser.post(DECIDE, &[wrong, ("id", &a[0])]).await.status, 400);
    }
}

#[tokio::test]
async fn all_that_match_are_those_that_were_shown_and_no_others() {
    let site = Site::start().await;
    let (anna, ben) = (site.affiliate("ANNA").await, site.affiliate("BEN").await);
    sales(&site, &anna, "ANNA", 5).await;
    sales(&site, &ben, "BEN", 2).await;
    let browser = owner(&site).await;
    let page = browser.get(&format!("{QUEUE}?affiliate={anna}")).await;
    assert_eq!(texts(&page, ".tabs a")[0], "To review 5");
    assert!(texts(&page, ".bulk .whole")[0].starts_with("All 5 matching, USD 100.00"), "{page:?}");
    let all = attribute(&page, ".bulk .whole a", "href");
    sales(&site, &ben, "BEN-late", 0).await;
    assert_eq!(site.api.sale("ANNA", "100", "late").await.status, 201);
    let ask = browser.get(&all[0]).await;
    assert_eq!(texts(&ask, "h1"), ["Approve 5 commissions"]);
    let form = fields(&ask, "form.card");
    // Without the count that was told, nothing happens but the question.
    let bare: Vec<_> = form.iter().filter(|(name, _)| name != "count").cloned().collect();
    assert_eq!(browser.post(DECIDE, &borrowed(&bare)).await.status, 422);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM commissions WHERE status = 'approved'").await, 0);
    assert_eq!(browser.post(DECIDE, &borrowed(&form)).await.status, 303);
    assert_eq!(notice(&browser).await, "5 commissions approved (USD 100.00).");
    assert_eq!(texts(&browser.get(QUEUE).await, "tbody tr").len(), 3, "the late one and Ben's are still there");
    // The same form again: others match now, so it asks again.
    let again = browser.post(DECIDE, &borrowed(&form)).await;
    assert_eq!(again.header("location"), format!("{QUEUE}?affiliate={anna}"), "{again:?}");
    assert!(notice(&browser).await.starts_with("Tick the commissions first"));
    site.check_ledger().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_at_once_decide_and_undo_once() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let ids = sales(&site, &anna, "ANNA", 4).await;
    let one = owner(&site).await;
    let two = member(&site, Role::Manager).await;
    let approve: Vec<_> = [("to", "approved")].into_iter().chain(ids.iter().map(|id| ("id", id.as_str()))).collect();
    let reject: Vec<_> =
        [("to", "rejected"), ("reason", "No")].into_iter().chain(approve[1..].iter().copied()).collect();
    for _ in 0..3 {
        let (a, b) = tokio::join!(one.post(DECIDE, &approve), two.post(DECIDE, &reject));
        assert_eq!((a.status.as_u16(), b.status.as_u16()), (303, 303), "{a:?} {b:?}");
        site.check_ledger().await;
        let undos: Vec<_> = attribute(&one.get("/m/acme/commissions/decided").await, "tbody form", "action");
        for undo in undos {
            let (a, b) = tokio::join!(one.post(&undo, &[]), two.post(&undo, &[]));
            assert_eq!((a.status.as_u16(), b.status.as_u16()), (303, 303));
            site.check_ledger().await;
        }
    }
}

#[tokio::test]
async fn who_may_not_finds_nothing_and_changes_nothing() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let ids = sales(&site, &anna, "ANNA", 1).await;
    let (viewer, manager, finance) =
        (member(&site, Role::Viewer).await, member(&site, Role::Manager).await, member(&site, Role::Finance).await);
    let page = viewer.get(QUEUE).await;
    assert_eq!((texts(&page, "tbody tr").len(), texts(&page, "main input[type=checkbox], .bulk").len()), (1, 0));
    assert_eq!(viewer.post(DECIDE, &[("approve", &ids[0])]).await.status, 404);
    assert_eq!(viewer.get(&format!("{DECIDE}?to=rejected&id={}", ids[0])).await.status, 404);
    let pay = format!("{DECIDE}?to=paid&id={}", ids[0]);
    assert_eq!(manager.get(&pay).await.status, 404);
    let sent = [("to", "paid"), ("id", ids[0].as_str()), ("count", "1"), ("sum", "2000")];
    assert_eq!(manager.post(DECIDE, &sent).await.status, 404);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM commissions WHERE status = 'pending'").await, 1);

    assert_eq!(finance.post(DECIDE, &sent[..2]).await.status, 422, "money that leaves is asked for first");
    let ask = finance.get(&pay).await;
    assert_eq!(texts(&ask, "h1"), ["Mark 1 commission as paid"]);
    assert_eq!(finance.post(DECIDE, &borrowed(&fields(&ask, "form.card"))).await.status, 303);
    let page = finance.get(QUEUE).await;
    assert_eq!(texts(&page, "#notice p"), ["1 commission marked as paid (USD 20.00)."]);
    assert!(texts(&page, "#notice form").is_empty(), "that is final");
    let decided = finance.get("/m/acme/commissions/decided").await;
    assert!(texts(&decided, "tbody tr")[0].ends_with("Final"), "{decided:?}");
    site.check_ledger().await;

    let (_, other) = site.another_program("other").await;
    let theirs = other.affiliate("XXX").await;
    other.sale("XXX", "1", "x-1").await;
    let foreign = other.newest_commission(&theirs).await;
    finance.post(DECIDE, &[("approve", &foreign)]).await;
    assert_eq!(other.get("/commissions?status=pending").await.data()["total"], 1);
    assert_eq!(finance.get(&format!("{QUEUE}/{foreign}")).await.status, 404);
    assert_eq!(finance.get(&format!("{DECIDE}?to=rejected&id={foreign}")).await.status, 404);
}

#[tokio::test]
async fn the_search_finds_orders_and_people_and_hostile_text_is_inert() {
    let site = Site::start().await;
    let hostile = "<script>alert(1)</script> \u{202e}%_!";
    let long = "x".repeat(200);
    for (code, name) in [("ONE", hostile), ("TWO", long.as_str())] {
        let body = serde_json::json!({ "email": format!("{code}@shop.example"), "name": name, "referralCode": code });
        assert_eq!(site.api.post("/affiliates", &body).await.status, 201);
        assert_eq!(site.api.sale(code, "999999999.99", &format!("{code}\\u003cb\\u003e")).await.status, 201);
    }
    let browser = owner(&site).await;
    let page = browser.get(QUEUE).await;
    assert_eq!(texts(&page, "tbody tr").len(), 2);
    assert!(texts(&page, "main script, tbody a b").is_empty());
    let rows = |q: &str| {
        let (browser, at) = (browser.clone(), format!("{QUEUE}?q={}", encoded(q)));
        async move { texts(&browser.get(&at).await, "tbody tr").len() }
    };
    for found in ["ONE<b>", "one@shop", "two", "alert(1)", "%_!"] {
        assert_eq!(rows(found).await, 1, "{found}");
    }
    assert_eq!(rows("nobody").await, 0);
    let both = browser.get(&format!("{QUEUE}?q=shop.example")).await;
    assert_eq!(texts(&both, "main .plain-list a").len(), 2, "{both:?}");
    for wrong in ["status=sold", "affiliate=x", "before=1"] {
        assert_eq!(browser.get(&format!("{QUEUE}?{wrong}")).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn one_commission_is_explained_and_its_sale_refunded() {
    let site = Site::start().await;
    let anna = site.affiliate("ANNA").await;
    let id = sales(&site, &anna, "ANNA", 1).await.remove(0);
    let browser = owner(&site).await;
    browser.post(DECIDE, &[("approve", &id)]).await;
    let at = format!("{QUEUE}/{id}");
    let page = browser.get(&at).await;
    assert_eq!(texts(&page, "h1"), ["USD 20.00 Approved"]);
    let refund = format!("{at}/refunds");
    for wrong in ["-1", "0", "100.01", "abc"] {
        let refused = browser.post(&refund, &[("amount", wrong), ("reason", "r")]).await;
        assert_eq!((refused.status.as_u16(), texts(&refused, "#issues li").len()), (422, 1), "{wrong}");
    }
    site.advance_seconds(1);
    goes_to(&browser.post(&refund, &[("amount", "50"), ("reason", "Broken")]).await, &at);
    let page = browser.get(&at).await;
    assert_eq!(texts(&page, "#notice p"), ["USD 50.00 refunded; that took back USD 10.00 of the commission."]);
    assert_eq!(texts(&page, "tfoot b"), ["USD 10.00"]);
    let story = texts(&page, ".timeline li");
    assert_eq!(story.len(), 3, "{story:?}");
    assert!(story[1].contains("By Somebody") && story[2].contains("Broken"), "{story:?}");
    site.check_ledger().await;
    let viewer = member(&site, Role::Viewer).await;
    assert_eq!(viewer.post(&refund, &[]).await.status, 404);
    assert!(texts(&viewer.get(&at).await, "main form[method=post]").is_empty());
}
