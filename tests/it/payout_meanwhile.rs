//! Payouts that somebody else decided meanwhile, and what a bank says of lines that are decided already.

use offshoot::jobs;
use serde_json::{Value, json};

use crate::{
    papers::earner,
    payout_pages::{hidden, location, owed, owner},
    support::{
        Answer, Site,
        browser::{Browser, signed_in},
    },
};

/// A run of everything payable; its id, and its lines' in their order.
async fn made(site: &Site) -> (String, Vec<String>) {
    let made = site.api.post("/payouts", &json!({})).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
    (text(&made.data()["payout"]), made.data()["lines"].as_array().unwrap().iter().map(text).collect())
}

async fn decided(site: &Site, run: &str, line: &str, status: &str) {
    let wanted = json!({ "status": status, "reason": "Returned" });
    let done = site.api.post(&format!("/payouts/{run}/lines/{line}/status"), &wanted).await;
    assert_eq!(done.status, 200, "{done:?}");
}

/// Three who are paid by `PayPal`: 10, 20 and 30.
async fn three(site: &Site) -> (String, Vec<String>) {
    for (code, amount) in [("one", 10), ("two", 20), ("three", 30)] {
        owed(site, code, ("paypal", &format!("{code}@example.com")), amount).await;
    }
    made(site).await
}

async fn results(browser: &Browser, run: &str, table: &str) -> Answer {
    let body = format!(
        "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"r.csv\"\r\ncontent-type: text/csv\r\n\r\n{table}\r\n--xyz--\r\n"
    );
    browser.upload(&format!("/m/acme/payouts/{run}/results"), "xyz", body.into_bytes()).await
}

#[tokio::test]
async fn the_files_of_an_open_run_carry_nobody_who_is_paid_already() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let (run, lines) = three(&site).await;
    decided(&site, &run, &lines[0], "paid").await;
    let at = format!("/m/acme/payouts/{run}/files");
    let shown = browser.get(&at).await;
    assert!(shown.text.contains("50.00") && shown.text.contains("to 2 affiliates"), "{}", shown.text);
    assert!(shown.text.contains("The line that is marked as paid is in none"), "{}", shown.text);
    let file = browser.get(&format!("{at}/paypal")).await;
    assert!(!file.text.contains("one@example.com") && file.text.contains("two@example.com"), "{}", file.text);

    // Whoever it did not reach is in none any longer; once it is closed, the files say what was paid.
    decided(&site, &run, &lines[1], "failed").await;
    decided(&site, &run, &lines[2], "paid").await;
    let shown = browser.get(&at).await;
    assert!(shown.text.contains("40.00") && !shown.text.contains("marked as paid"), "{}", shown.text);
    let file = browser.get(&format!("{at}/paypal")).await;
    assert!(file.text.contains("one@example.com") && !file.text.contains("two@example.com"), "{}", file.text);
}

#[tokio::test]
async fn an_old_page_takes_back_nothing_that_was_paid_meanwhile() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let (run, lines) = three(&site).await;
    let (at, line) = (format!("/m/acme/payouts/{run}"), format!("/m/acme/payouts/{run}/lines/{}", lines[0]));
    let (old, old_line) = (browser.get(&at).await, browser.get(&line).await);
    let cancels = async |page: &Answer| {
        let (open, paid) = (hidden(page, "open"), hidden(page, "paid"));
        let fields = [("status", "cancelled"), ("open", &open), ("paid", &paid)];
        browser.post(&format!("{at}/status"), &fields).await
    };
    let seen = hidden(&old_line, "seen");
    let moves = async |status: &str, seen: &str| {
        browser.post(&line, &[("status", status), ("seen", seen), ("reason", "Because")]).await
    };

    for id in &lines[..2] {
        decided(&site, &run, id, "paid").await;
    }
    let refused = cancels(&old).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let said = "2 lines were marked as paid since this page was shown: look again";
    assert!(refused.text.contains(said), "{}", refused.text);
    for status in ["failed", "cancelled"] {
        let refused = moves(status, &seen).await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.text.contains("was marked as paid since this page was shown: look again"), "{}", refused.text);
    }
    assert_eq!(browser.post(&format!("{at}/status"), &[("status", "cancelled")]).await.status, 422, "seen by nobody");
    let entries = "SELECT COUNT(*) FROM ledger_entries WHERE kind = 'unpay'";
    assert_eq!(site.database.number(entries).await, 0);

    // Said twice it is said once.
    assert_eq!(location(&moves("paid", &seen).await), at);
    // With open eyes: that line came back, and then all of it is undone.
    let seen = hidden(&browser.get(&line).await, "seen");
    let half = browser.get(&at).await;
    assert_eq!(location(&moves("failed", &seen).await), at);
    decided(&site, &run, &lines[2], "paid").await;
    assert_eq!(cancels(&half).await.status, 422, "as many are paid, but not the same");
    assert_eq!(location(&cancels(&browser.get(&at).await).await), at);
    assert_eq!(site.database.number(entries).await, 3);
    assert!(browser.get(&at).await.text.contains("Undone by"));
    site.check_ledger().await;
}

#[tokio::test]
async fn what_a_report_says_of_decided_lines_is_told() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let (run, lines) = three(&site).await;
    let table = |said: [&str; 3]| {
        let rows = lines.iter().zip(said).map(|(line, said)| format!("{line},{said}\r\n"));
        format!("id,status\r\n{}", rows.collect::<String>())
    };
    let at = format!("/m/acme/payouts/{run}");
    let first = results(&browser, &run, &table(["Completed", "Returned", "Pending"])).await;
    assert_eq!(location(&first), at);
    assert!(browser.get(&at).await.text.contains("1 paid, 1 failed."));
    // The same report, newer and as large as one of many: what it said before is so.
    let newer = table(["Completed", "Returned", "Completed"]) + &",\r\n".repeat(500_000);
    let newer = results(&browser, &run, &newer).await;
    assert_eq!(location(&newer), at);
    assert!(browser.get(&at).await.text.contains("1 paid, 0 failed, 2 already so."));
    let other = results(&browser, &run, &table(["Returned", "Completed", "Completed"])).await;
    assert_eq!(other.status, 422, "{other:?}");
    for said in [
        "Row 2 says something else of a line that is marked as paid already",
        "Row 3 says something else of a line that is marked as failed already",
        "0 paid, 0 failed, 1 already so",
    ] {
        assert!(other.text.contains(said), "{said} in {}", other.text);
    }
    site.check_ledger().await;
}

#[tokio::test]
async fn marking_as_paid_says_what_was_moved_and_who_was_told() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    earner(&site, "anna").await;
    let (run, lines) = three(&site).await;
    decided(&site, &run, &lines[1], "failed").await;
    let at = format!("/m/acme/payouts/{run}");
    let paid = async || {
        assert_eq!(location(&browser.post(&format!("{at}/status"), &[("status", "paid")]).await), at);
        browser.get(&at).await.text.replace('\u{a0}', " ")
    };
    let said = paid().await;
    assert!(said.contains("Paid: USD 40.00 to 2 affiliates. Nobody was told by e-mail"), "{said}");
    let said = paid().await;
    assert!(said.contains("It was marked as paid already."), "{said}");
}

#[tokio::test]
async fn what_failed_shows_what_it_held_then() {
    let site = Site::start().await;
    let anna = earner(&site, "anna").await;
    assert_eq!(site.api.sale("anna", "100.00", "A-1").await.status, 201);
    let commission = site.api.newest_commission(&anna).await;
    site.api.decide(&commission, "approved").await;
    let (run, lines) = made(&site).await;
    decided(&site, &run, &lines[0], "failed").await;
    let sale = site.api.get(&format!("/commissions/{commission}")).await.data()["commission"]["conversionId"].clone();
    let (at, back) = (format!("/conversions/{}/refunds", sale.as_str().unwrap()), json!({ "amount": 50 }));
    assert_eq!(site.api.post(&at, &back).await.status, 201);
    let browser = signed_in(&site, "anna@people.example").await;
    let page = browser.get(&format!("/payouts/{}", lines[0])).await;
    assert!(page.text.contains("20.00") && !page.text.contains("10.00"), "{}", page.text);
}

const WEEKLY: [(&str, &str); 4] =
    [("hold_days", "0"), ("minimum", "25.00"), ("schedule", "weekly"), ("methods", "paypal")];
const DRAFTS: &str = "SELECT COUNT(*) FROM payouts WHERE status = 'draft'";

#[tokio::test]
async fn a_payout_is_prepared_when_somebody_can_be_paid() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    assert_eq!(location(&browser.post("/m/acme/settings/payouts", &WEEKLY).await), "/m/acme/settings");
    // Below the minimum nobody is paid, and nobody is told.
    owed(&site, "one", ("paypal", "one@example.com"), 20).await;
    jobs::enqueue_recurring(&site.app).await.unwrap();
    site.advance_seconds(2 * 86_400);
    jobs::work_off(&site.app).await.unwrap();
    assert_eq!(site.database.number(DRAFTS).await, 0);
    // Who is owed enough is paid, however much others owe.
    owed(&site, "two", ("paypal", "two@example.com"), 40).await;
    owed(&site, "minus", ("paypal", "minus@example.com"), -500).await;
    site.advance_seconds(7 * 86_400);
    jobs::work_off(&site.app).await.unwrap();
    assert_eq!(site.database.number(DRAFTS).await, 1);
    let mara = signed_in(&site, "mara@example.com").await;
    let tiles = mara.get("/m/acme/payouts").await.text.replace('\u{a0}', " ");
    assert!(tiles.contains("60.00") && tiles.contains("2 affiliates"), "{tiles}");

    // A draft holds nothing that a bank could say anything of.
    let draft = "SELECT id FROM payouts WHERE status = 'draft'";
    let draft = offshoot::domain::id::PayoutId::new(site.database.number(draft).await);
    let refused = results(&mara, &draft.to_string(), "id,status\r\n").await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.text.contains("the payout is a draft"), "{}", refused.text);
    for status in ["paid", "failed"] {
        site.api.post(&format!("/payouts/{draft}/status"), &json!({ "status": status })).await.refuses("status");
    }
    assert_eq!(site.database.number(DRAFTS).await, 1);
}

#[tokio::test]
async fn whoever_may_only_read_sees_no_whole_account() {
    let site = Site::start().await;
    let (run, _) = three(&site).await;
    let details = async |api: &crate::support::Api| {
        let shown = api.get(&format!("/payouts/{run}")).await;
        shown.data()["lines"][0]["paymentDetails"].as_str().unwrap().to_owned()
    };
    assert_eq!(details(&site.api).await, "one@example.com");
    let masked = details(&site.key(offshoot::domain::key::Scope::Read).await).await;
    assert_eq!(masked, offshoot::domain::payment::masked("one@example.com"));
}
