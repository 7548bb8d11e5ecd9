//! Paper for both sides, read back by Poppler's `pdftotext`.

use std::{io::Write as _, process::Command};

use offshoot::{domain::id::AffiliateId, store};
use serde_json::json;

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account, texts},
};

async fn signed_in(site: &Site, email: &str) -> Browser {
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, 303);
    browser
}

/// An affiliate with an account, who is paid by PayPal.
async fn earner(site: &Site, name: &str) -> String {
    let id = site.affiliate(name).await;
    let by = json!({ "paymentMethod": "paypal", "paymentDetails": format!("{name}@paypal.example") });
    assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
    let owner = account(site, &format!("{name}@people.example"), false).await;
    let affiliate = AffiliateId::parse(&id).unwrap();
    site.app.db.write(move |tx| Box::pin(store::affiliates::give_to(tx, affiliate, owner))).await.unwrap();
    id
}

/// What is owed by hand.
async fn bonus(site: &Site, id: &str, amount: i64, reason: &str) {
    let bonus = json!({ "amount": amount, "reason": reason });
    assert_eq!(site.api.post(&format!("/affiliates/{id}/adjustments"), &bonus).await.status, 201);
}

/// Pays them what is payable; the payout's id, and its line's.
async fn pay(site: &Site, id: &str) -> (String, String) {
    let made = site.api.post("/payouts", &json!({ "affiliateIds": [id] })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (run, line) = (text(&made.data()["payout"]["id"]), text(&made.data()["lines"][0]["id"]));
    let paid = site.api.post(&format!("/payouts/{run}/status"), &json!({ "status": "paid" })).await;
    assert_eq!(paid.status, 200, "{paid:?}");
    (run, line)
}

/// The lines of a PDF's pages with single spaces, and the name that it is saved under.
async fn printed(browser: &Browser, path: &str) -> (String, Vec<String>) {
    let (headers, bytes) = browser.download(path).await;
    assert_eq!(headers["content-type"], "application/pdf");
    assert_eq!(headers["cache-control"], "private, no-store");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&bytes).unwrap();
    let output = Command::new("pdftotext").arg("-layout").arg(file.path()).arg("-").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap().replace(['\u{a0}', '\u{202f}'], " ");
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let name = headers["content-disposition"].to_str().unwrap().to_owned();
    (name, lines.filter(|line| !line.is_empty()).collect())
}

/// The amounts at the end of the first line that begins so, as pages show them.
fn amount(lines: &[String], beginning: &str) -> String {
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
    let link = page.text.split("href=\"/earnings/statement.pdf?period=").nth(1).unwrap().split('"').next().unwrap();
    let (name, paper) = printed(&browser, &format!("/earnings/statement.pdf?period={link}")).await;
    assert_eq!(name, format!("attachment; filename=\"statement-acme-anna-{link}.pdf\""));
    let plain = |shown: &String| shown.replace(['\u{a0}', '\u{202f}'], " ");
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
    let theirs = format!("/m/acme/affiliates/{anna}/statement.pdf?period={link}");
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
