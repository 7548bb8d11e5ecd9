//! Paper for both sides, read back by Poppler's `pdftotext`, and the year's and the whole program's figures.

use std::{io::Write as _, process::Command};

use jiff::tz::TimeZone;
use offshoot::{domain::period::Period, store::books};
use serde_json::json;

use crate::support::{
    Site,
    browser::{Browser, account, account_of, signed_in, texts},
};

/// An affiliate with an account, who is paid by `PayPal`.
pub async fn earner(site: &Site, name: &str) -> String {
    let id = site.affiliate(name).await;
    let by = json!({ "paymentMethod": "paypal", "paymentDetails": format!("{name}@paypal.example") });
    assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
    account_of(site, &id, &format!("{name}@people.example")).await;
    id
}

/// What is owed by hand.
pub async fn bonus(site: &Site, id: &str, amount: i64, reason: &str) {
    let bonus = json!({ "amount": amount, "reason": reason });
    assert_eq!(site.api.post(&format!("/affiliates/{id}/adjustments"), &bonus).await.status, 201);
}

/// Pays them what is payable; the payout's id, and its line's.
pub async fn pay(site: &Site, id: &str) -> (String, String) {
    let made = site.api.post("/payouts", &json!({ "affiliateIds": [id] })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (run, line) = (text(&made.data()["payout"]["id"]), text(&made.data()["lines"][0]["id"]));
    let paid = site.api.post(&format!("/payouts/{run}/status"), &json!({ "status": "paid" })).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    (run, line)
}

/// The lines of a PDF's pages with single spaces, and the name that it is saved under.
pub async fn printed(browser: &Browser, path: &str) -> (String, Vec<String>) {
    let (headers, bytes) = browser.download(path).await;
    assert_eq!(headers["content-type"], "application/pdf");
    assert_eq!(headers["cache-control"], "private, no-store");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let output = Command::new("pdftotext").arg("-layout").arg(file.path()).arg("-").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap().replace(['\u{a0}', '\u{202f}'], " ").replace('\u{2212}', "-");
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let name = headers["content-disposition"].to_str().unwrap().to_owned();
    (name, lines.filter(|line| !line.is_empty()).collect())
}

/// The amounts at the end of the first line that begins so, as pages show them.
pub fn amount(lines: &[String], beginning: &str) -> String {
    let line =
        lines.iter().find(|line| line.starts_with(beginning)).unwrap_or_else(|| panic!("{beginning}: {lines:#?}"));
    line[line.rfind("USD").unwrap()..].to_owned()
}

#[tokio::test]
async fn a_statement_and_an_advice_say_on_paper_what_the_pages_say() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let (anna, ben) = (earner(&site, "anna").await, earner(&site, "ben").await);
    // In Tokyo it is the first of March since three in the afternoon; to them, what follows is of that day.
    let tokyo = "UPDATE accounts SET time_zone = 'Asia/Tokyo' WHERE email_key = 'anna@people.example'";
    site.database.execute(tokyo).await.unwrap();
    assert_eq!(site.api.sale("anna", "1000.00", "A-1").await.status, 201);
    let sold = site.api.sale("anna", "50.00", "A-2").await;
    let refund = format!("/conversions/{}/refunds", sold.data()["conversionId"].as_str().unwrap());
    let first = site.api.newest_commission(&anna).await;
    site.api.decide(&first, "approved").await;
    assert_eq!(site.api.post(&refund, &json!({ "amount": 25 })).await.status, 201);
    bonus(&site, &anna, 40, "=Welcome <b>bonus</b> 李").await;
    bonus(&site, &anna, -3, "A mistake").await;
    bonus(&site, &ben, 7, "Only Ben's").await;
    let (run, line) = pay(&site, &anna).await;
    let (_, bens) = pay(&site, &ben).await;

    let browser = signed_in(&site, "anna@people.example").await;
    let page = browser.get("/earnings/statement").await;
    let shown = texts(&page, ".balance dd");
    let address = page.text.split("href=\"/earnings/statement.pdf?period=").nth(1).unwrap().split('"').next().unwrap();
    let (name, paper) = printed(&browser, &format!("/earnings/statement.pdf?period={address}")).await;
    assert_eq!(name, format!("attachment; filename=\"statement-acme-anna-{address}.pdf\""));
    let plain = |shown: &String| shown.replace(['\u{a0}', '\u{202f}'], " ").replace('\u{2212}', "-");
    assert_eq!(amount(&paper, "Balance at the beginning"), plain(&shown[0]));
    assert_eq!(amount(&paper, "Earned"), plain(&shown[1]));
    assert_eq!(amount(&paper, "Taken back"), plain(&shown[2]));
    assert_eq!(amount(&paper, "Adjusted"), plain(&shown[3]));
    assert_eq!(amount(&paper, "Paid"), plain(&shown[4]));
    assert_eq!(amount(&paper, "Balance at the end"), plain(&shown[5]));
    let all = paper.join("\n");
    for said in ["Order A-1", "Refund of order A-2", "anna@people.example", &line, "Balance at the end"] {
        assert!(all.contains(said) || said.ends_with("people.example"), "{said} in {all}");
    }
    assert!(all.contains("=Welcome <b>bonus</b>") && !all.contains("Only Ben's"), "{all}");

    // The whole time, a month in which nothing was, and what is none.
    let (_, ever) = printed(&browser, "/earnings/statement.pdf?period=all").await;
    assert_eq!(amount(&ever, "Balance at the end"), plain(&shown[5]));
    let (_, empty) = printed(&browser, "/earnings/statement.pdf?period=2020-01").await;
    assert!(empty.iter().any(|line| line == "Nothing moved in this period."), "{empty:?}");
    assert_eq!(browser.get("/earnings/statement.pdf?period=2020-13").await.status, 400);

    let paid = browser.get(&format!("/payouts/{line}")).await;
    let advice = format!("/payouts/{line}/advice.pdf");
    assert!(paid.text.contains(&advice), "{}", paid.text);
    let (name, told) = printed(&browser, &advice).await;
    assert_eq!(name, format!("attachment; filename=\"remittance-acme-{line}.pdf\""));
    assert_eq!(amount(&told, "Total"), plain(&texts(&paid, ".big")[0]));
    let all = told.join("\n");
    assert!(all.contains(&run) && all.contains("Order A-2") && !all.contains("Order A-1"), "{all}");
    assert!(!all.contains("anna@paypal.example"), "the address stays masked: {all}");

    // The merchant has the same paper, and nobody else has it.
    let mara = signed_in(&site, "mara@example.com").await;
    let theirs = format!("/m/acme/affiliates/{anna}/statement.pdf?period={address}");
    assert_eq!(printed(&mara, &theirs).await.1, paper);
    let beside = format!("/m/acme/payouts/{run}/lines/{line}/advice.pdf");
    assert_eq!(printed(&mara, &beside).await.1, told);
    assert!(mara.get(&format!("/m/acme/payouts/{run}/lines/{line}")).await.text.contains(&beside));
    assert!(mara.get(&format!("/m/acme/affiliates/{anna}")).await.text.contains("statement.pdf?period="));
    let elsewhere = beside.replace(&line, &bens);
    assert_eq!(mara.get(&elsewhere).await.status, 404, "a line of another payout");
    for path in [&theirs, &beside, &format!("/payouts/{bens}/advice.pdf"), &"/payouts/2026-03-01/advice.pdf".to_owned()]
    {
        assert_eq!(browser.get(path).await.status, 404, "{path}");
    }
    assert!(Browser::at(site.address).get(&advice).await.header("location").starts_with("/login"));

    // What came back was not paid.
    let back = json!({ "status": "failed", "reason": "Returned" });
    site.api.post(&format!("/payouts/{run}/lines/{line}/status"), &back).await;
    assert_eq!(browser.get(&advice).await.status, 404);
    assert!(!browser.get(&format!("/payouts/{line}")).await.text.contains("advice.pdf"));
    assert_eq!(mara.get(&beside).await.status, 404);
    site.check_ledger().await;
}

/// A CSV's rows, by a reader that is not ours to write.
pub fn table(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn a_years_totals_are_what_was_paid_and_stayed_paid() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let (anna, ben) = (earner(&site, "anna").await, earner(&site, "ben").await);
    let hostile = json!({ "name": "=HYPERLINK(\"x\")" });
    assert_eq!(site.api.patch(&format!("/affiliates/{anna}"), &hostile).await.status, 200);
    let mara = signed_in(&site, "mara@example.com").await;
    assert!(!mara.get("/m/acme/payouts").await.text.contains("/payouts/years/"), "nothing was paid yet");

    bonus(&site, &anna, 40, "One").await;
    pay(&site, &anna).await;
    bonus(&site, &anna, 2, "Two").await;
    pay(&site, &anna).await;
    // Paid without a payout.
    assert_eq!(site.api.sale("ben", "100.00", "B-1").await.status, 201);
    let sale = site.api.newest_commission(&ben).await;
    site.api.decide(&sale, "approved").await;
    site.api.decide(&sale, "paid").await;
    // Paid, and it came back.
    bonus(&site, &ben, 9, "Three").await;
    let (run, line) = pay(&site, &ben).await;
    let back = json!({ "status": "failed", "reason": "Returned" });
    site.api.post(&format!("/payouts/{run}/lines/{line}/status"), &back).await;

    let page = mara.get("/m/acme/payouts").await;
    assert!(page.text.contains("/payouts/years/2026") && !page.text.contains("/payouts/years/2025"), "{}", page.text);
    let file = mara.get("/m/acme/payouts/years/2026").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"paid-acme-2026.csv\"");
    let rows = table(&file.text);
    let expected = |id: &str, name: &str, email: &str, count: &str, paid: [&str; 3]| {
        let [paid, by_paypal, otherwise] = paid;
        ["2026", id, name, email, count, paid, "USD", by_paypal, otherwise, "", "", "", ""].map(str::to_owned).to_vec()
    };
    assert_eq!(rows.len(), 2, "{rows:?}");
    let paid = ["42.00", "42.00", "0.00"];
    assert_eq!(rows[0], expected(&anna, "'=HYPERLINK(\"x\")", &rows[0][3], "2", paid));
    // What no payout paid went by no way that is known.
    assert_eq!(rows[1], expected(&ben, &rows[1][2], &rows[1][3], "1", ["20.00", "0.00", "20.00"]));
    assert!(table(&mara.get("/m/acme/payouts/years/2025").await.text).is_empty());
    assert_eq!(mara.get("/m/acme/payouts/years/2026-03").await.status, 404);

    // And the same again in another year, in which nobody is signed in any longer.
    site.advance_seconds(365 * 86_400);
    pay(&site, &ben).await;
    let (program, of) = (site.program.id, |year| Period::Year { year }.range(&TimeZone::UTC));
    let mut tx = site.app.db.read().await.unwrap();
    let (first, last) = books::first_and_last(&mut tx, program).await.unwrap().unwrap();
    assert!(first.date().starts_with("2026-") && last.date().starts_with("2027-"), "{first} {last}");
    let next = books::paid(&mut tx, program, of(2027)).await.unwrap();
    assert_eq!(next.iter().map(|paid| (paid.count, paid.amount)).collect::<Vec<_>>(), [(1, 900)]);
    let before = books::paid(&mut tx, program, of(2026)).await.unwrap();
    let as_it_was = [(2, 4_200), (1, 2_000)];
    assert_eq!(before.iter().map(|paid| (paid.count, paid.amount)).collect::<Vec<_>>(), as_it_was);
    drop(tx);

    // What comes back is taken off the year in which it was paid.
    bonus(&site, &anna, 7, "Four").await;
    let (run, line) = pay(&site, &anna).await;
    site.advance_seconds(365 * 86_400);
    site.api.post(&format!("/payouts/{run}/lines/{line}/status"), &back).await;
    let mut tx = site.app.db.read().await.unwrap();
    assert!(books::paid(&mut tx, program, of(2028)).await.unwrap().is_empty());
    let (_, last) = books::first_and_last(&mut tx, program).await.unwrap().unwrap();
    assert!(last.date().starts_with("2027-"), "{last}");
    let next = books::paid(&mut tx, program, of(2027)).await.unwrap();
    assert_eq!(next.iter().map(|paid| (paid.count, paid.amount)).collect::<Vec<_>>(), [(1, 900)]);
    drop(tx);

    // What the API says was paid is what the years say.
    let mut said = 0.0;
    for id in [&anna, &ben] {
        said += site.api.get(&format!("/affiliates/{id}/balance")).await.data()["balance"]["paid"].as_f64().unwrap();
    }
    assert!((said - 71.0).abs() < 0.001, "{said}");
    site.check_ledger().await;
}

#[tokio::test]
async fn the_books_agree_and_tell_when_they_do_not() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let (anna, ben) = (earner(&site, "anna").await, earner(&site, "ben").await);
    bonus(&site, &anna, 10, "Old").await;
    site.advance_seconds(100 * 86_400);
    for order in ["1", "2", "3"] {
        assert_eq!(site.api.sale("anna", "100.00", order).await.status, 201);
        let sale = site.api.newest_commission(&anna).await;
        site.api.decide(&sale, if order == "2" { "rejected" } else { "approved" }).await;
        if order == "3" {
            site.api.decide(&sale, "paid").await;
        }
    }
    site.advance_seconds(40 * 86_400);
    assert_eq!(site.api.sale("ben", "70.00", "4").await.status, 201);
    bonus(&site, &ben, 30, "Paid").await;
    pay(&site, &ben).await;
    bonus(&site, &ben, 31, "Came back").await;
    let (run, _) = pay(&site, &ben).await;
    site.api.post(&format!("/payouts/{run}/status"), &json!({ "status": "cancelled" })).await;
    let open = site.api.post("/payouts", &json!({ "affiliateIds": [ben] })).await;
    assert_eq!(open.status, 201, "{open:?}");
    // Another program's books are its own.
    let (_, other) = site.another_program("other").await;
    let stranger = other.affiliate("stranger").await;
    let gift = json!({ "amount": 1_000, "reason": "Elsewhere" });
    assert_eq!(other.post(&format!("/affiliates/{stranger}/adjustments"), &gift).await.status, 201);

    let mara = signed_in(&site, "mara@example.com").await;
    let page = mara.get("/m/acme/payouts/reconciliation").await;
    assert_eq!(page.status, 200, "{page:?}");
    let cells: Vec<_> = texts(&page, "[aria-label='What must agree'] tbody td")
        .iter()
        .map(|cell| cell.trim().replace('\u{a0}', " "))
        .collect();
    let rows: Vec<Vec<&str>> = cells.chunks(5).map(|row| row.iter().map(String::as_str).collect()).collect();
    assert_eq!(rows[0], ["USD 125.00", "USD 125.00", "USD 125.00", "", "Yes"], "earned in all");
    assert_eq!(rows[1], ["", "USD 14.00", "USD 14.00", "", "Yes"], "pending");
    assert_eq!(rows[2], ["", "USD 61.00", "USD 61.00", "", "Yes"], "approved");
    assert_eq!(rows[3], ["USD 75.00", "USD 75.00", "USD 75.00", "", "Yes"], "owed");
    assert_eq!(rows[4], ["USD 50.00", "USD 50.00", "USD 50.00", "", "Yes"], "paid");
    assert_eq!(rows[5], ["USD 30.00", "USD 30.00", "", "USD 30.00", "Yes"], "paid by payouts");
    assert_eq!(rows[6], ["", "USD 31.00", "", "USD 31.00", "Yes"], "on its way");
    assert_eq!(rows[7], ["", "USD 92.00", "", "USD 92.00", "Yes"], "all payouts");
    assert_eq!(rows[8], ["", "USD 92.00", "", "USD 92.00", "Yes"], "their lines");
    let ages: Vec<_> = texts(&page, "[aria-label='How long it has been owed'] td")
        .iter()
        .map(|cell| cell.trim().replace('\u{a0}', " "))
        .collect();
    assert_eq!(
        ages,
        ["1", "USD 31.00", "1", "USD 20.00", "0", "USD 0.00", "1", "USD 10.00", "3", "USD 61.00"],
        "{}",
        page.text
    );

    // A counter that went astray is seen, and by how much.
    site.check_ledger().await;
    site.database.execute("UPDATE affiliate_totals SET approved_minor = approved_minor + 5").await.unwrap();
    let page = mara.get("/m/acme/payouts/reconciliation").await;
    assert!(page.text.contains("3 figures do") && page.text.contains("USD\u{a0}0.10 apart"), "{}", page.text);
}
