//! Self-billing: who agreed gets an invoice for each payment, with the next number and nobody else's.

use std::sync::Arc;

use futures_util::future::join;
use offshoot::store::{Error, invoices};
use serde_json::json;
use sqlx::{Connection as _, PgConnection};

use crate::{
    papers::{amount, bonus, earner, pay, printed, table},
    races::at_once,
    support::{
        Api, Site,
        browser::{Browser, PASSWORD, account, signed_in, texts},
        post::{MARA, Post},
    },
};

const BUSINESS: [(&str, &str); 9] = [
    ("legal_name", "Acme Coffee Ltd"),
    ("address", "1 Quay\nDublin"),
    ("country", "IE"),
    ("VAT_ID", "IE6388047V"),
    ("forms", "none"),
    ("self_billing", "yes"),
    ("prefix", "SB-"),
    ("exchange", "EUR 0.92"),
    ("exchange_on", "2026-02-27"),
];

async fn saved(browser: &Browser, path: &str, fields: &[(&str, &str)]) {
    let answer = browser.post(path, fields).await;
    assert_eq!(answer.status, 303, "{path}: {answer:?}");
}

/// A site that offers it, and its owner's browser.
async fn offering() -> (Site, Browser) {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let mara = signed_in(&site, "mara@example.com").await;
    saved(&mara, "/m/acme/settings/tax", &BUSINESS).await;
    (site, mara)
}

/// An affiliate there who agreed; their id and browser.
async fn agreed(site: &Site, name: &str, country: &str, vat: &[(&str, &str)]) -> (String, Browser) {
    let id = earner(site, name).await;
    let browser = signed_in(site, &format!("{name}@people.example")).await;
    let mut fields =
        vec![("kind", "company"), ("legal_name", name), ("address", "Side Street 2\nTown"), ("country", country)];
    fields.extend(vat);
    saved(&browser, "/settings/tax", &fields).await;
    saved(&browser, "/settings/self-billing", &[("version", "1")]).await;
    (id, browser)
}

/// Where the newest invoice is.
async fn newest(browser: &Browser) -> String {
    let page = browser.get("/payouts/invoices").await;
    let at = page.text.split("href=\"/payouts/invoices/").nth(1).unwrap().split('"').next().unwrap();
    format!("/payouts/invoices/{at}")
}

async fn failed(site: &Site, (run, line): &(String, String)) {
    let back = json!({ "status": "failed", "reason": "Returned" });
    let answer = site.api.post(&format!("/payouts/{run}/lines/{line}/status"), &back).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn each_payment_makes_an_invoice_and_what_comes_back_a_credit_note() {
    let (site, mara) = offering().await;
    let german = [("VAT_ID", "DE123456789"), ("VAT_rate", "19%")];
    let irish = [("VAT_ID", "IE6433435OA"), ("VAT_rate", "23%")];
    let (anna, annas) = agreed(&site, "anna", "DE", &german).await;
    let (ben, bens) = agreed(&site, "ben", "IE", &irish).await;
    let (carla, carlas) = agreed(&site, "carla", "US", &[]).await;
    let dan = earner(&site, "dan").await;
    // Where it is tomorrow already, an invoice is of the same day.
    let ahead = "UPDATE accounts SET time_zone = 'Pacific/Kiritimati' WHERE email_key = 'anna@people.example'";
    site.database.execute(ahead).await.unwrap();
    for id in [&anna, &ben, &carla, &dan] {
        bonus(&site, id, 100, "A bonus").await;
    }
    let paid = pay(&site, &anna).await;
    for id in [&ben, &carla, &dan] {
        pay(&site, id).await;
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM invoices").await, 3, "one did not agree");

    // Across the border: the merchant owes the VAT.
    let path = newest(&annas).await;
    let (name, paper) = printed(&annas, &path).await;
    assert_eq!(name, "attachment; filename=\"invoice-acme-SB-1.pdf\"");
    let all = paper.join("\n");
    for said in [
        "Self-billing invoice",
        "Invoice number SB-1",
        "VAT ID DE123456789",
        "VAT ID IE6388047V",
        "Acme Coffee Ltd",
        "Germany",
        "Reverse charge: VAT is to be accounted for by the recipient",
        &paid.1,
    ] {
        assert!(all.contains(said), "{said} in {all}");
    }
    assert!(all.contains("1 Mar 2026") && !all.contains("2 Mar 2026"), "{all}");
    assert_eq!((amount(&paper, "Net USD"), amount(&paper, "Total")), ("USD 100.00".into(), "USD 100.00".into()));
    // At home: the VAT is in what was paid.
    let (_, paper) = printed(&bens, &newest(&bens).await).await;
    assert_eq!((amount(&paper, "Net USD"), amount(&paper, "VAT 23%")), ("USD 81.30".into(), "USD 18.70".into()));
    assert_eq!(amount(&paper, "Total"), "USD 100.00");
    assert!(paper.join("\n").contains("VAT in EUR: EUR 17.20, at 0.92 for one USD (27 Feb 2026)."), "{paper:?}");
    // Who has no number charges none.
    let (_, paper) = printed(&carlas, &newest(&carlas).await).await;
    assert!(paper.join("\n").contains("No VAT: the supplier is not registered for VAT."), "{paper:?}");

    // The merchant has the same, others have none of it.
    let theirs = format!("/m/acme{path}");
    assert_eq!(printed(&mara, &theirs).await.1.join("\n"), all);
    let list = mara.get("/m/acme/payouts/invoices").await;
    assert_eq!(texts(&list, "tbody th a"), ["SB-3", "SB-2", "SB-1"]);
    assert_eq!(bens.get(&path).await.status, 404);
    assert_eq!(bens.get(&theirs).await.status, 404);
    assert!(Browser::at(site.address).get(&path).await.header("location").starts_with("/login"));
    assert_eq!(annas.get("/payouts/invoices/inv_0000000000000/invoice.pdf").await.status, 404);
    let line = mara.get(&format!("/m/acme/payouts/{}/lines/{}", paid.0, paid.1)).await;
    assert!(line.text.contains(&theirs), "{}", line.text);
    assert!(annas.get(&format!("/payouts/{}", paid.1)).await.text.contains(&path));

    // It came back: whatever changed meanwhile, the note takes back what the invoice said.
    let moved = [("kind", "person"), ("legal_name", "Anna Moved"), ("address", "Elsewhere 3"), ("country", "FR")];
    let moved: Vec<_> = moved.into_iter().chain([("no_VAT_ID", "yes")]).collect();
    saved(&annas, "/settings/tax", &moved).await;
    saved(&annas, "/settings/self-billing/withdrawal", &[]).await;
    failed(&site, &paid).await;
    let (name, paper) = printed(&annas, &newest(&annas).await).await;
    assert_eq!(name, "attachment; filename=\"credit-note-acme-SB-4.pdf\"");
    let all = paper.join("\n");
    for said in ["Self-billing credit note", "Takes back invoice SB-1 of 1 Mar 2026", "VAT ID DE123456789"] {
        assert!(all.contains(said), "{said} in {all}");
    }
    assert_eq!(amount(&paper, "Total"), "USD -100.00");
    let list = mara.get("/m/acme/payouts/invoices").await;
    assert!(list.text.contains("Credit note for SB-1") && list.text.contains("Taken back by SB-4"), "{}", list.text);

    // She has withdrawn: the next payment makes none. The numbers go on for others, with another prefix too.
    pay(&site, &anna).await;
    let mut other = BUSINESS;
    other[6].1 = "2026/";
    saved(&mara, "/m/acme/settings/tax", &other).await;
    bonus(&site, &ben, 50, "Another").await;
    pay(&site, &ben).await;
    let list = mara.get("/m/acme/payouts/invoices").await;
    assert_eq!(texts(&list, "tbody th a"), ["2026/5", "SB-4", "SB-3", "SB-2", "SB-1"]);
    assert!(site.database.execute("UPDATE invoices SET number = 9 WHERE number = 1").await.is_err());
    assert!(site.database.execute("DELETE FROM invoices").await.is_err());

    // For the books of the year.
    let rows = table(&mara.get("/m/acme/payouts/years/2026").await.text);
    let of = |id: &str| rows.iter().find(|row| row[1] == id).unwrap()[9..].to_vec();
    assert_eq!(of(&ben), ["IE", "", "•••• 35OA", ""]);
    assert_eq!(of(&dan), ["", "", "", ""]);
    site.check_ledger().await;
}

/// Whoever gets an invoice in their name is told of it with the payment, and of its end with the payment's.
#[tokio::test]
async fn the_mails_about_a_payment_name_its_invoice() {
    let post = Post::start().await;
    let mara = Browser::at(post.site.address);
    mara.sign_in(MARA, PASSWORD).await;
    saved(&mara, "/m/acme/settings/tax", &BUSINESS).await;
    let (anna, _) = agreed(&post.site, "anna", "US", &[]).await;
    let ben = earner(&post.site, "ben").await;
    let told = async |to: &str, subject: &str| {
        post.work().await;
        let all = post.server.taken();
        let mut texts =
            all.iter().filter(|mail| mail.header("To").contains(to) && mail.header("Subject").contains(subject));
        let mail = texts.next().unwrap_or_else(|| panic!("{subject} to {to}"));
        (mail.text(), mail.html())
    };
    for id in [&anna, &ben] {
        bonus(&post.site, id, 100, "A bonus").await;
    }
    let (paid, _) = (pay(&post.site, &anna).await, pay(&post.site, &ben).await);
    let (text, html) = told("anna@", "on its way").await;
    let said = "written in your name as agreed, is there too. If something in it is wrong, please tell acme before";
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&format!("Invoice SB-1, {said}")), "{text}");
    assert!(html.contains("SB-1"), "{html}");
    assert!(!told("ben@", "on its way").await.0.contains("nvoice"), "ben did not agree");
    failed(&post.site, &paid).await;
    let (text, html) = told("anna@", "could not be paid").await;
    assert!(text.contains("Credit note SB-2 takes back the invoice") && html.contains("SB-2"), "{text}");
}

/// The state wants its VAT in its own money: without a rate of these days nothing is paid, and nothing is lost.
#[tokio::test]
async fn vat_is_stated_in_the_money_it_is_owed_in() {
    let (site, mara) = offering().await;
    let polish = [("VAT_ID", "PL5252248481"), ("VAT_rate", "23%")];
    // Without a number, the merchant counts as a consumer: the affiliate charges their own country's VAT.
    let settings = |rates: &'static str, on: &'static str| {
        let mut fields = BUSINESS;
        (fields[3].1, fields[7].1, fields[8].1) = ("", rates, on);
        fields
    };
    saved(&mara, "/m/acme/settings/tax", &settings("EUR 0.92", "2026-02-27")).await;
    let (ada, adas) = agreed(&site, "ada", "PL", &polish).await;
    bonus(&site, &ada, 123, "A bonus").await;
    let made = site.api.post("/payouts", &json!({ "affiliateIds": [ada] })).await;
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let (run, line) = (text(&made.data()["payout"]["id"]), text(&made.data()["lines"][0]["id"]));
    let pay = format!("/payouts/{run}/lines/{line}/status");
    let paid = json!({ "status": "paid" });
    let refused = site.api.post(&pay, &paid).await;
    let said = "in PLN too, and there is no exchange rate for it";
    assert!(refused.status == 400 && refused.text.contains(said), "{refused:?}");
    for (rates, on, told) in [
        ("PLN 4.1", "2026-03-02", "must not be in the future"),
        ("PLN 4.1", "", "must be a date"),
        ("PLN", "2026-02-27", "must be lines such as"),
        ("USD 1", "2026-02-27", "the program counts in USD"),
    ] {
        let answer = mara.post("/m/acme/settings/tax", &settings(rates, on)).await;
        assert!(answer.status == 422 && answer.text.contains(told), "{rates} {on}: {answer:?}");
    }
    saved(&mara, "/m/acme/settings/tax", &settings("EUR 0.92\nPLN 4.1", "2026-01-29")).await;
    let refused = site.api.post(&pay, &paid).await;
    assert!(refused.status == 400 && refused.text.contains("of 2026-01-29 is too old"), "{refused:?}");
    let page = mara.post(&format!("/m/acme/payouts/{run}/status"), &[("status", "paid")]).await;
    assert!(page.text.contains("too old"), "{page:?}");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM invoices").await, 0);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM ledger_entries WHERE kind = 'pay'").await, 0);

    saved(&mara, "/m/acme/settings/tax", &settings("EUR 0.92\nPLN 4.1", "2026-01-30")).await;
    assert_eq!(site.api.post(&pay, &paid).await.status, 200);
    let (_, paper) = printed(&adas, &newest(&adas).await).await;
    assert_eq!((amount(&paper, "Net USD"), amount(&paper, "VAT 23%")), ("USD 100.00".into(), "USD 23.00".into()));
    let said = "VAT in PLN: PLN 94.30, at 4.1 for one USD (30 Jan 2026).";
    assert!(paper.join("\n").contains(said), "{paper:?}");
    // What takes it back does so at the rate of then.
    saved(&mara, "/m/acme/settings/tax", &settings("", "")).await;
    failed(&site, &(run, line)).await;
    let (_, paper) = printed(&adas, &newest(&adas).await).await;
    assert!(paper.join("\n").contains("VAT in PLN: PLN -94.30, at 4.1 for one USD"), "{paper:?}");
    site.check_ledger().await;
}

#[tokio::test]
async fn both_must_agree() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let (mara, id) = (signed_in(&site, "mara@example.com").await, earner(&site, "anna").await);
    let anna = signed_in(&site, "anna@people.example").await;
    assert_eq!(anna.get("/settings/self-billing").await.status, 404, "not offered");
    assert_eq!(anna.post("/settings/self-billing", &[("version", "1")]).await.status, 404);
    saved(&mara, "/m/acme/settings/tax", &BUSINESS).await;
    let page = anna.get("/settings/self-billing").await;
    assert!(page.text.contains("Add your tax details first") && page.text.contains("14 days"), "{}", page.text);
    assert_eq!(anna.post("/settings/self-billing", &[("version", "1")]).await.status, 422);
    let profile = [("kind", "person"), ("legal_name", "Anna"), ("address", "Main Street 1"), ("country", "DE")];
    saved(&anna, "/settings/tax", &profile).await;
    let old = anna.post("/settings/self-billing", &[("version", "0")]).await;
    assert!(old.status == 422 && old.text.contains("read them again"), "{old:?}");
    saved(&anna, "/settings/self-billing", &[("version", "1")]).await;
    // Twice is once; ended and agreed to again is another agreement.
    saved(&anna, "/settings/self-billing", &[("version", "1")]).await;
    saved(&anna, "/settings/self-billing/withdrawal", &[]).await;
    saved(&anna, "/settings/self-billing/withdrawal", &[]).await;
    saved(&anna, "/settings/self-billing", &[("version", "1")]).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM self_billing_agreements").await, 2);
    let logged =
        format!("SELECT COUNT(*) FROM audit_log WHERE subject = '{id}' AND action LIKE 'affiliate.self_billing%'");
    assert_eq!(site.database.number(&logged).await, 3);

    // No longer offered: the agreement stays, and nothing is written.
    saved(&mara, "/m/acme/settings/tax", &[("forms", "none"), ("prefix", "SB-")]).await;
    bonus(&site, &id, 10, "A bonus").await;
    pay(&site, &id).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM invoices").await, 0);
    assert_eq!(anna.get("/settings/self-billing").await.status, 200);
}

/// On PostgreSQL a payout's affiliates' clicks wait for the last of what marks it as paid, and not for all of it.
#[tokio::test(flavor = "multi_thread")]
async fn clicks_are_counted_while_a_payout_is_marked_as_paid() {
    let (site, _) = offering().await;
    if site.database.is_sqlite() {
        return;
    }
    let (anna, _) = agreed(&site, "anna", "US", &[]).await;
    bonus(&site, &anna, 10, "The first, so that there is a series").await;
    pay(&site, &anna).await;
    bonus(&site, &anna, 10, "Another").await;
    let made = site.api.post("/payouts", &json!({ "affiliateIds": [anna] })).await;
    let run = made.data()["payout"]["id"].as_str().unwrap().to_owned();

    let mut other = PgConnection::connect(&site.database.url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT 1 FROM invoice_series FOR UPDATE").execute(&mut other).await.unwrap();
    let api = site.api.clone();
    let paying =
        tokio::spawn(async move { api.post(&format!("/payouts/{run}/status"), &json!({ "status": "paid" })).await });
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while site.database.number(waiting).await == 0 {
        assert!(!paying.is_finished(), "it did not wait");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    site.api.click("anna").await;
    assert!(!paying.is_finished());
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(paying.await.unwrap().status, 200);
    site.check_ledger().await;
}

/// Lines paid and taken back at once through two servers, while others take numbers and give them back: the series has
/// every number once.
#[tokio::test(flavor = "multi_thread")]
async fn numbers_have_no_gaps_whoever_takes_them() {
    const PEOPLE: usize = 8;
    let (site, _) = offering().await;
    let site = Arc::new(site);
    let other = Site::on(Arc::clone(&site.database), &[("OFFSHOOT_RATE_LIMIT", "0")], "other", "USD").await;
    let apis = [site.api.clone(), Api::new(other.address, &site.api.key)];
    let mut lines = Vec::new();
    for person in 0..PEOPLE {
        let (id, _) = agreed(&site, &format!("person{person}"), "DE", &[]).await;
        bonus(&site, &id, 10, "A bonus").await;
        let made = site.api.post("/payouts", &json!({ "affiliateIds": [id] })).await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        lines.push((text(&made.data()["payout"]["id"]), text(&made.data()["lines"][0]["id"])));
    }
    let moves = |status: &'static str| {
        let (apis, lines, site) = (apis.clone(), lines.clone(), Arc::clone(&site));
        async move {
            let callers = lines.into_iter().enumerate().flat_map(|(place, (run, line))| {
                let path = format!("/payouts/{run}/lines/{line}/status");
                // Each by both servers: one of them moves it, and it is one invoice.
                [apis[place % 2].clone(), apis[(place + 1) % 2].clone()].map(|api| {
                    let path = path.clone();
                    async move { api.post(&path, &json!({ "status": status, "reason": "x" })).await.status.as_u16() }
                })
            });
            let program = site.program.id;
            let lost = (0..PEOPLE).map(|_| {
                let db = site.app.db.clone();
                async move {
                    let lost = db.write::<(), Error, _>(move |tx| {
                        Box::pin(async move {
                            invoices::take_numbers(tx, program, 3).await?;
                            Err(Error::Corrupt("on purpose".into()))
                        })
                    });
                    assert!(lost.await.is_err());
                }
            });
            let (answers, _) = join(at_once(callers), at_once(lost)).await;
            assert!(answers.iter().all(|status| *status == 200), "{answers:?}");
        }
    };
    moves("paid").await;
    let people = i64::try_from(PEOPLE).unwrap();
    let count = async |rest: &str| site.database.number(&format!("SELECT COUNT(*) FROM invoices {rest}")).await;
    assert_eq!(count("").await, people);
    moves("failed").await;
    assert_eq!((count("").await, count("WHERE corrects_id IS NOT NULL").await), (2 * people, people));
    let series = "SELECT MIN(number) * 1000000 + MAX(number) * 1000 + COUNT(DISTINCT number) FROM invoices";
    assert_eq!(site.database.number(series).await, 1_000_000 + 2 * people * 1_000 + 2 * people);
    site.check_ledger().await;
}
