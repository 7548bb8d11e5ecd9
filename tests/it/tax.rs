//! What affiliates say of themselves for the tax office, and forms without which nobody is paid.

use offshoot::{
    domain::{
        id::AffiliateId,
        key::hex,
        tax::{Form, Standing},
    },
    flows::tax,
};
use serde_json::json;

use crate::{
    papers::{bonus, earner, pay},
    support::{
        Site,
        browser::{Browser, account, signed_in, texts},
    },
};

const DAY: i64 = 86_400;

/// A business in the United States that asks for a form.
fn american<'a>(forms: &'a str, from: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("legal_name", "Acme Inc."),
        ("address", "1 Market Street\nSan Francisco"),
        ("country", "US"),
        ("forms", forms),
        ("sum", from),
        ("prefix", "SB-"),
    ]
}

/// What somebody fills in, with these fields instead.
fn profile<'a>(other: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let all =
        [("kind", "person"), ("legal_name", "Anna Example"), ("address", "Main Street 1\nTown"), ("country", "US")];
    let mut all: Vec<_> = all.into_iter().filter(|(name, _)| !other.iter().any(|(other, _)| other == name)).collect();
    all.extend(other);
    all
}

async fn saved(browser: &Browser, path: &str, fields: &[(&str, &str)]) {
    let answer = browser.post(path, fields).await;
    assert_eq!(answer.status, 303, "{path}: {answer:?}");
    assert!(!answer.header("location").starts_with("/confirm"), "{path}");
}

async fn refused(browser: &Browser, path: &str, fields: &[(&str, &str)], words: &str) {
    let answer = browser.post(path, fields).await;
    assert_eq!(answer.status, 422, "{path}: {answer:?}");
    let issues = texts(&answer, "#issues li").join("; ");
    assert!(issues.contains(words), "{words} in {issues}");
}

#[tokio::test]
async fn a_profile_is_sealed_and_shown_in_part() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let (id, _) = (earner(&site, "anna").await, earner(&site, "ben").await);
    let anna = signed_in(&site, "anna@people.example").await;
    assert!(anna.get("/settings").await.text.contains("Add tax details"));
    for (wrong, words) in [
        (&[("country", "")][..], "Country must be chosen"),
        (&[("kind", "ghost")], "Kind must be one of these"),
        (&[("legal_name", "  ")], "Legal name must"),
        (&[("address", "x")], "Address must"),
        (&[("tax_ID", "1234")], "Tax ID must be nine digits"),
        (&[("country", "DE"), ("VAT_ID", "FR12345678901")], "VAT ID is no VAT number of Germany"),
        (&[("country", "DE"), ("VAT_rate", "19")], "VAT rate needs your VAT ID"),
        (&[("country", "DE"), ("VAT_ID", "DE123456789"), ("VAT_rate", "x")], "VAT rate must be a percentage"),
    ] {
        refused(&anna, "/settings/tax", &profile(wrong), words).await;
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM tax_profiles").await, 0);

    let hostile = "Anna <script>alert(1)</script>";
    let german = [
        ("legal_name", hostile),
        ("country", "DE"),
        ("tax_ID", "12/345/67890"),
        ("VAT_ID", "de 123 456 789"),
        ("VAT_rate", "19%"),
    ];
    saved(&anna, "/settings/tax", &profile(&german)).await;
    for page in ["/settings", "/settings/tax"] {
        let shown = anna.get(page).await;
        assert!(shown.text.contains("•••• 7890") && shown.text.contains("•••• 6789"), "{page}: {}", shown.text);
        assert!(!shown.text.contains("1234567890") && !shown.text.contains("DE123456789"), "{page}");
        assert!(!shown.text.contains("<script>alert"), "{page}");
    }
    // Neither as they are, so many digits that no sealed text has them by chance, nor any part of them in hex.
    let parts = ["Anna", "123456789", "12/345/67890", "1234567890"].map(str::to_owned);
    let in_hex = ["Anna", "6789", "7890"].map(|part| hex(part.as_bytes()));
    let hides = parts.iter().chain(&in_hex).map(|part| format!("sealed NOT LIKE '%{part}%'")).collect::<Vec<_>>();
    let kept = format!("SELECT COUNT(*) FROM tax_profiles WHERE country = 'DE' AND {}", hides.join(" AND "));
    assert_eq!(site.database.number(&kept).await, 1);
    let logged = format!("SELECT COUNT(*) FROM audit_log WHERE subject = '{id}' AND action = 'affiliate.tax_changed'");
    assert_eq!(site.database.number(&logged).await, 1);
    assert_eq!(site.database.number(&format!("{logged} AND after LIKE '%6789%'")).await, 0);

    // The same again is no change; what is left empty stays, and must still be right.
    saved(&anna, "/settings/tax", &profile(&[("legal_name", hostile), ("country", "DE"), ("VAT_rate", "19%")])).await;
    assert_eq!(site.database.number(&logged).await, 1);
    refused(&anna, "/settings/tax", &profile(&[("country", "FR")]), "VAT ID of before is none of that country").await;
    let gone = [("country", "FR"), ("no_VAT_ID", "yes"), ("no_tax_ID", "yes")];
    saved(&anna, "/settings/tax", &profile(&gone)).await;
    let shown = anna.get("/settings").await;
    assert!(shown.text.contains("France") && !shown.text.contains("•••• 6789"), "{}", shown.text);
    saved(&anna, "/settings/tax", &profile(&german)).await;

    // The merchant sees as much, and others nothing; whoever looks on as the affiliate does not see the form.
    let mara = signed_in(&site, "mara@example.com").await;
    let theirs = mara.get(&format!("/m/acme/affiliates/{id}")).await;
    assert!(theirs.text.contains("•••• 6789") && theirs.text.contains("Germany"), "{}", theirs.text);
    assert!(!theirs.text.contains("DE123456789") && !theirs.text.contains("<script>alert"));
    assert_eq!(mara.post(&format!("/m/acme/affiliates/{id}/view"), &[]).await.status, 303);
    assert_eq!(mara.get("/settings").await.status, 200);
    assert_eq!(mara.get("/settings/tax").await.status, 404);
    assert_eq!(mara.post("/settings/tax", &profile(&[])).await.status, 403);
    let ben = signed_in(&site, "ben@people.example").await;
    assert!(!ben.get("/settings").await.text.contains("6789"));

    // Asked for the password again, before the form and after.
    site.advance_seconds(660);
    assert!(anna.get("/settings/tax").await.header("location").starts_with("/confirm"));
    assert!(anna.post("/settings/tax", &profile(&[])).await.header("location").starts_with("/confirm"));
    assert!(Browser::at(site.address).get("/settings/tax").await.header("location").starts_with("/login"));
}

#[tokio::test]
async fn what_a_program_says_of_itself_is_checked() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let mara = signed_in(&site, "mara@example.com").await;
    let path = "/m/acme/settings/tax";
    refused(&mara, path, &[("forms", "none"), ("prefix", "SB1")], "Prefix must be").await;
    refused(&mara, path, &[("forms", "none"), ("prefix", "SB-"), ("self_billing", "yes")], "Legal name must be").await;
    refused(&mara, path, &[("forms", "first"), ("prefix", "SB-")], "Forms are for a business").await;
    refused(&mara, path, &american("amount", "-1"), "Sum must").await;
    refused(&mara, path, &[("legal_name", "Acme"), ("forms", "none"), ("prefix", "SB-")], "Country must be").await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM tax_settings").await, 0);
    saved(&mara, path, &american("reported", "")).await;
    let index = mara.get("/m/acme/settings").await;
    assert!(index.text.contains("Acme Inc., United States"), "{}", index.text);
    assert!(mara.get(path).await.text.contains("(USD 2000 in 2026)"));
    let logged = "SELECT COUNT(*) FROM audit_log WHERE action = 'program.changed' AND after LIKE '%Acme Inc.%'";
    assert_eq!(site.database.number(logged).await, 1);

    // In another currency there is no such sum.
    let yen = Site::in_currency("JPY").await;
    account(&yen, "mara@example.com", true).await;
    let mara = signed_in(&yen, "mara@example.com").await;
    assert!(!mara.get(path).await.text.contains("must be reported (USD"));
    refused(&mara, path, &american("reported", ""), "Forms can follow").await;
    saved(&mara, path, &american("amount", "60000")).await;
}

#[tokio::test]
async fn who_has_no_form_is_left_out_and_told() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let (id, other) = (earner(&site, "anna").await, earner(&site, "ben").await);
    let (mara, anna) = (signed_in(&site, "mara@example.com").await, signed_in(&site, "anna@people.example").await);
    saved(&mara, "/m/acme/settings/tax", &american("first", "")).await;
    bonus(&site, &id, 40, "A bonus").await;

    let why = async || {
        let page = mara.get("/m/acme/payouts/new").await;
        assert_eq!(page.status, 200, "{page:?}");
        texts(&page, "[aria-label='Left out'] td").first().cloned().unwrap_or_default()
    };
    assert_eq!(why().await, "tax form: tax details are missing What to do");
    site.api.post("/payouts", &json!({})).await.refuses("until");
    for page in ["/home", "/payouts"] {
        let shown = anna.get(page).await;
        assert!(
            shown.text.contains("acme cannot pay you yet: your tax details are missing."),
            "{page}: {}",
            shown.text
        );
    }
    let ben = signed_in(&site, "ben@people.example").await;
    assert!(!ben.get("/home").await.text.contains("tax details are missing"), "nothing is owed to him");

    // Which form it is depends on who they are; their word alone is not enough.
    let (form, signed_on) = (("form", "w8ben"), ("signed_on", "2026-02-20"));
    refused(&anna, "/settings/tax", &profile(&[form, signed_on]), "Form must be W-9").await;
    refused(&anna, "/settings/tax", &profile(&[("form", "w9"), ("signed_on", "2026-03-20")]), "Signed on must not")
        .await;
    refused(&anna, "/settings/tax", &profile(&[("form", "w9")]), "Signed on must be a date").await;
    saved(&anna, "/settings/tax", &profile(&[("form", "w9"), signed_on])).await;
    assert_eq!(why().await, "tax form: W-9 is signed, but nobody has checked it yet What to do");
    assert!(anna.get("/home").await.text.contains("pays you once it has your signed W-9"));

    let check = format!("/m/acme/affiliates/{id}/tax-form");
    refused(&mara, &check, &[form, signed_on], "Form must be W-9").await;
    saved(&mara, &check, &[("form", "w9"), signed_on]).await;
    assert_eq!(why().await, "");
    assert!(!anna.get("/home").await.text.contains("W-9"));
    let logged =
        format!("SELECT COUNT(*) FROM audit_log WHERE subject = '{id}' AND action = 'affiliate.tax_form_checked'");
    assert_eq!(site.database.number(&logged).await, 1);

    // Saved once more it stays checked; of another person it is not.
    saved(&anna, "/settings/tax", &profile(&[("form", "w9"), signed_on])).await;
    assert_eq!(why().await, "");
    saved(&anna, "/settings/tax", &profile(&[("form", "w9"), signed_on, ("legal_name", "Anna Other")])).await;
    assert!(why().await.contains("nobody has checked it yet"));
    saved(&mara, &check, &[("form", "w9"), signed_on]).await;
    pay(&site, &id).await;
    saved(&mara, &check, &[("removed", "yes")]).await;
    bonus(&site, &id, 1, "Another").await;
    assert!(why().await.starts_with("tax form: W-9 is missing"));

    // Of somebody who filled in nothing, the merchant says where they are.
    bonus(&site, &other, 5, "A bonus").await;
    let check = format!("/m/acme/affiliates/{other}/tax-form");
    refused(&mara, &check, &[form, signed_on], "Country must be given").await;
    saved(&mara, &check, &[form, signed_on, ("country", "FR")]).await;
    pay(&site, &other).await;

    // It holds to the end of the third year after.
    bonus(&site, &other, 5, "Another").await;
    site.advance_seconds((365 * 4 - 50) * DAY);
    // By then nobody is signed in any longer.
    site.api.post("/payouts", &json!({})).await.refuses("until");
    let (ben, now) = (AffiliateId::parse(&other).unwrap(), site.app.clock.now());
    let mut tx = site.app.db.read().await.unwrap();
    let found = tax::in_the_way(&mut tx, site.program.id, ben, 500, now).await.unwrap();
    assert_eq!(found, Some(Standing::Lapsed(Form::W8ben)));
    drop(tx);
    site.check_ledger().await;
}

#[tokio::test]
async fn a_form_is_asked_for_from_a_years_sum_on() {
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    let id = earner(&site, "anna").await;
    let mara = signed_in(&site, "mara@example.com").await;
    saved(&mara, "/m/acme/settings/tax", &american("reported", "")).await;
    bonus(&site, &id, 1_999, "Below").await;
    let (run, line) = pay(&site, &id).await;
    bonus(&site, &id, 1, "And that makes two thousand").await;
    site.api.post("/payouts", &json!({})).await.refuses("until");
    // What came back was not paid.
    let back = json!({ "status": "failed", "reason": "Returned" });
    assert_eq!(site.api.post(&format!("/payouts/{run}/lines/{line}/status"), &back).await.status, 200);
    bonus(&site, &id, -1, "Less again").await;
    let (run, line) = pay(&site, &id).await;
    // Another year begins at nothing, and what comes back then of the last one makes it no less.
    site.advance_seconds(365 * DAY);
    bonus(&site, &id, 1_000, "Next year").await;
    assert_eq!(site.api.post(&format!("/payouts/{run}/lines/{line}/status"), &back).await.status, 200);
    site.api.post("/payouts", &json!({})).await.refuses("until");
    bonus(&site, &id, -1_500, "Less again").await;
    // What an open payout holds will be paid: it counts as well.
    let open = site.api.post("/payouts", &json!({})).await;
    assert!(open.text.contains(r#""amount":1499.00"#), "{open:?}");
    bonus(&site, &id, 501, "And that makes two thousand").await;
    site.api.post("/payouts", &json!({})).await.refuses("until");
    bonus(&site, &id, -1, "Less again").await;
    pay(&site, &id).await;
    site.check_ledger().await;
}
