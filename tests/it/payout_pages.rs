//! Paying in the browser: looked at, asked once more, made, sent, and told how it went; and what happens by itself.

use offshoot::jobs;
use serde_json::json;

use crate::support::{
    Answer, Site,
    browser::{Browser, PASSWORD, account, account_of, signed_in, texts},
};

pub async fn owner(site: &Site) -> Browser {
    account(site, "mara@example.com", true).await;
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in("mara@example.com", PASSWORD).await.status, 303);
    browser
}

/// An affiliate who is paid that way, and is owed so much by hand.
pub async fn owed(site: &Site, code: &str, (method, details): (&str, &str), amount: i64) -> String {
    let id = site.affiliate(code).await;
    let by = json!({ "paymentMethod": method, "paymentDetails": details });
    assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
    let bonus = json!({ "amount": amount, "reason": "A bonus" });
    assert_eq!(site.api.post(&format!("/affiliates/{id}/adjustments"), &bonus).await.status, 201);
    id
}

/// Where the answer leads.
pub fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.header("location").to_owned()
}

/// The value of a hidden field.
pub fn hidden(answer: &Answer, name: &str) -> String {
    let after = answer.text.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap_or_else(|| panic!("{name}"));
    after.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn from_a_look_to_what_came_of_it() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let one = owed(&site, "one", ("paypal", "one@example.com"), 10).await;
    let two = owed(&site, "two", ("paypal", "two@example.com"), 20).await;
    owed(&site, "three", ("paypal", "three@example.com"), 30).await;
    owed(&site, "minus", ("paypal", "minus@example.com"), -5).await;

    let seen = browser.get("/m/acme/payouts/new").await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert!(seen.text.contains("60.00") && seen.text.contains("nothing is left after refunds"), "{}", seen.text);
    let without = browser.get(&format!("/m/acme/payouts/new?without={one}")).await;
    assert!(without.text.contains("50.00") && without.text.contains("not chosen"), "{}", without.text);
    let back = browser.get(&format!("/m/acme/payouts/new?without={one}&with={one}")).await;
    assert!(back.text.contains("60.00"), "{}", back.text);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM payouts").await, 0, "a look writes nothing");

    // Asked who one is, after a while, and then what was meant.
    site.advance_seconds(11 * 60);
    let query = format!("/m/acme/payouts/confirm?until=2026-03-01&method=paypal&without={one}");
    assert!(location(&browser.get(&query).await).starts_with("/confirm?"));
    browser.post("/confirm", &[("password", PASSWORD), ("next", &query)]).await;
    let asked = browser.get(&query).await;
    assert_eq!(asked.status, 200, "{asked:?}");
    let (count, amount, token) = (hidden(&asked, "count"), hidden(&asked, "amount"), hidden(&asked, "token"));
    assert_eq!((count.as_str(), amount.as_str()), ("2", "5000"));
    let form =
        |amount: &'static str| vec![("until", "2026-03-01"), ("method", "paypal"), ("count", "2"), ("amount", amount)];
    let send = async |amount: &'static str| {
        let mut fields = form(amount);
        fields.extend([("without", one.as_str()), ("token", token.as_str())]);
        browser.post("/m/acme/payouts", &fields).await
    };
    let changed = send("4999").await;
    assert_eq!(changed.status, 422);
    assert!(changed.text.contains("Something changed meanwhile"), "{}", changed.text);
    let run = location(&send("5000").await);
    assert_eq!(location(&send("5000").await), run, "sent twice, it makes one");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM payouts").await, 1);

    let shown = browser.get(&run).await;
    assert!(shown.text.contains("50.00"), "{}", shown.text);
    let files = browser.get(&format!("{run}/files")).await;
    assert!(
        files.text.contains("PayPal payouts") && files.text.contains("Carries nobody of this payout"),
        "{}",
        files.text
    );
    let file = browser.get(&format!("{run}/files/paypal")).await;
    assert_eq!(file.status, 200, "{file:?}");
    assert!(file.header("content-disposition").starts_with("attachment; filename=\"pay_"));
    let rows: Vec<_> = file.text.lines().filter(|row| row.contains("@example.com")).collect();
    assert!(rows.len() == 2 && rows.iter().all(|row| row.contains("pline_")), "{}", file.text);
    assert_eq!(browser.get(&format!("{run}/files/sepa")).await.status, 404, "no line of it is for a bank");

    // What PayPal says of one line, with a row that is nobody's.
    let lines = site.api.get(&run.replace("/m/acme", "")).await;
    let line = |of: &str| {
        let lines = lines.data()["lines"].as_array().unwrap();
        lines.iter().find(|line| line["affiliateId"] == *of).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let table =
        format!("id,status,reason\r\n{},Unclaimed failed,\r\n{},failed,No such account\r\n", "pline_x", line(&two));
    let body = format!(
        "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"r.csv\"\r\ncontent-type: text/csv\r\n\r\n{table}\r\n--xyz--\r\n"
    );
    let read = browser.upload(&format!("{run}/results"), "xyz", body.into_bytes()).await;
    assert_eq!(read.status, 422, "{read:?}");
    assert!(read.text.contains("Row 2") && read.text.contains("0 paid, 1 failed"), "{}", read.text);
    assert!(browser.get(&run).await.text.contains("No such account"));

    let done = browser.post(&format!("{run}/status"), &[("status", "paid")]).await;
    assert_eq!(location(&done), run);
    let told = "SELECT COUNT(*) FROM payout_lines WHERE status = 'paid'";
    assert_eq!(site.database.number(told).await, 1);

    // It came back after all: that needs a reason.
    let three = site.api.get(&run.replace("/m/acme", "")).await;
    let paid = three.data()["lines"].as_array().unwrap().iter().find(|line| line["status"] == "paid").unwrap();
    let at = format!("{run}/lines/{}", paid["id"].as_str().unwrap());
    assert!(browser.get(&at).await.text.contains("What it is made of"));
    assert_eq!(browser.post(&at, &[("status", "failed"), ("seen", "paid")]).await.status, 422);
    let came_back = [("status", "failed"), ("seen", "paid"), ("reason", "Returned")];
    assert_eq!(location(&browser.post(&at, &came_back).await), run);
    let entries = "SELECT COUNT(*) FROM ledger_entries WHERE kind IN ('pay', 'unpay')";
    assert_eq!(site.database.number(entries).await, 2);
    assert!(browser.get("/m/acme/payouts").await.text.contains("Failed"));
    site.check_ledger().await;
}

#[tokio::test]
async fn an_affiliate_sees_what_is_on_its_way_what_failed_and_what_is_in_the_way() {
    let site = Site::start().await;
    let id = owed(&site, "anna", ("paypal", "old@example.com"), 40).await;
    account_of(&site, &id, "anna@example.com").await;
    let anna = signed_in(&site, "anna@example.com").await;

    // Changed details wait three days, so that their owner can object.
    anna.post("/settings/payment", &[("method", "paypal"), ("details", "new@example.com")]).await;
    assert!(anna.get("/payouts").await.text.contains("Payments wait until"));
    site.api.post("/payouts", &json!({})).await.refuses("until");
    site.advance_seconds(3 * 86_400);
    let made = site.api.post("/payouts", &json!({})).await;
    assert_eq!(made.data()["lines"][0]["paymentDetails"], "new@example.com", "{made:?}");
    let run = made.data()["payout"]["id"].as_str().unwrap();
    let line = made.data()["lines"][0]["id"].as_str().unwrap();

    anna.sign_in("anna@example.com", PASSWORD).await;
    let payouts = anna.get("/payouts").await;
    assert!(payouts.text.contains("On its way") && payouts.text.contains("40.00"), "{}", payouts.text);
    let mine = anna.get(&format!("/payouts/{line}")).await;
    assert!(mine.text.contains("On its way to you") && mine.text.contains("A bonus"), "{}", mine.text);
    let at = format!("/payouts/{run}/lines/{line}/status");
    site.api.post(&at, &json!({ "status": "failed", "reason": "Account closed" })).await;
    assert!(anna.get("/payouts").await.text.contains("Account closed"));
    let mails = "SELECT COUNT(*) FROM mails WHERE kind = 'payout_failed'";
    assert_eq!(site.database.number(mails).await, 1);

    let again = site.api.post("/payouts", &json!({})).await;
    let (run, line) =
        (again.data()["payout"]["id"].as_str().unwrap(), again.data()["lines"][0]["id"].as_str().unwrap());
    site.api.post(&format!("/payouts/{run}/status"), &json!({ "status": "paid" })).await;
    let paid = anna.get(&format!("/payouts/{line}")).await;
    assert_eq!(texts(&paid, "h1"), ["Paid on 4 Mar 2026"]);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM mails WHERE kind = 'payout_paid'").await, 1);
    let other = owed(&site, "ben", ("paypal", "ben@example.com"), 5).await;
    let theirs = site.api.post("/payouts", &json!({ "affiliateIds": [other] })).await;
    let theirs = theirs.data()["lines"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(anna.get(&format!("/payouts/{theirs}")).await.status, 404, "somebody else's is not there");
    site.check_ledger().await;
}

const SETTINGS: [(&str, &str); 6] = [
    ("hold_days", "14"),
    ("minimum", "25.00"),
    ("schedule", "weekly"),
    ("auto_approve", "yes"),
    ("auto_approve_most", "50.00"),
    ("methods", "paypal"),
];

#[tokio::test]
async fn after_its_hold_a_commission_approves_itself_and_a_payout_is_prepared() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let wrong = browser.post("/m/acme/settings/payouts", &[("hold_days", "400"), ("minimum", "-1")]).await;
    assert_eq!(wrong.status, 422);
    // Whoever pays by SEPA is named with the account, or not at all.
    let paid_from = |name: &'static str, iban: &'static str| {
        let payer = [("name_on_the_account", name), ("IBAN", iban)];
        let fields: Vec<_> = SETTINGS.into_iter().chain(payer).collect();
        let browser = &browser;
        async move { browser.post("/m/acme/settings/payouts", &fields).await }
    };
    for (name, iban, told) in [
        ("Acme Ltd", "", "IBAN</a> must be valid"),
        ("Acme Ltd", "DE89370400440532013001", "IBAN</a> looks like"),
        ("", "DE89370400440532013000", "Name on the account</a> must"),
    ] {
        let wrong = paid_from(name, iban).await;
        assert!(wrong.status == 422 && wrong.text.contains(told), "{name} {iban}: {wrong:?}");
    }
    let saved = paid_from("Acme Ltd", "DE89370400440532013000 COBADEFFXXX").await;
    assert_eq!(location(&saved), "/m/acme/settings");
    let shown = browser.get("/m/acme/settings/payouts").await;
    for value in ["14", "25.00", "Acme Ltd", "DE89370400440532013000 COBADEFFXXX"] {
        assert!(shown.text.contains(&format!("value=\"{value}\"")), "{value}: {}", shown.text);
    }

    let id = owed(&site, "one", ("paypal", "one@example.com"), 1).await;
    for (amount, order) in [("200.00", "1"), ("251.00", "2")] {
        assert_eq!(site.api.sale("one", amount, order).await.status, 201);
    }
    let approved = "SELECT COUNT(*) FROM commissions WHERE status = 'approved' AND kind = 'sale'";
    jobs::enqueue_recurring(&site.app).await.unwrap();
    jobs::work_off(&site.app).await.unwrap();
    assert_eq!(site.database.number(approved).await, 0, "its hold is not over");
    let balance = site.api.get(&format!("/affiliates/{id}/balance")).await;
    assert!(balance.text.contains(r#""payable":1.00,"onHold":0.00"#), "{}", balance.text);

    // Somebody approves one that is on hold: approved, and still not payable.
    let large = site.api.newest_commission(&id).await;
    site.advance_seconds(13 * 86_400);
    site.api.decide(&large, "approved").await;
    let balance = site.api.get(&format!("/affiliates/{id}/balance")).await;
    assert!(balance.text.contains(r#""payable":1.00,"onHold":50.20"#), "{}", balance.text);
    site.api.post("/payouts", &json!({})).await.refuses("until");

    // Late, and from two servers' jobs at once, is as good as on time and once.
    site.advance_seconds(4 * 86_400);
    let (one, two) = tokio::join!(jobs::work_off(&site.app), jobs::work_off(&site.app));
    one.unwrap();
    two.unwrap();
    assert_eq!(site.database.number(approved).await, 2);
    let by = "SELECT COUNT(*) FROM audit_log WHERE action = 'commission.approved' AND actor = 'schedule'";
    assert_eq!(site.database.number(by).await, 1);
    let drafts = "SELECT COUNT(*) FROM payouts WHERE status = 'draft'";
    assert_eq!(site.database.number(drafts).await, 1);
    let told = "SELECT COUNT(*) FROM mails WHERE kind = 'payout_due'";
    // The program's first owner, and this one.
    assert_eq!(site.database.number(told).await, 2);
    jobs::work_off(&site.app).await.unwrap();
    assert_eq!(site.database.number(drafts).await, 1);

    let made = site.api.post("/payouts", &json!({})).await;
    assert!(made.text.contains(r#""amount":91.20"#), "{}", made.text);
    assert_eq!(site.database.number(drafts).await, 0);
    site.check_ledger().await;
}

/// NET-30: what was payable when a month ended is paid thirty days later, and nothing of the month that follows.
#[tokio::test]
async fn a_month_is_paid_some_days_after_its_end() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let net = |days: &'static str, schedule: &'static str| {
        [("hold_days", "0"), ("minimum", "0"), ("schedule", schedule), ("net_days", days), ("methods", "paypal")]
    };
    for (fields, told) in [(net("91", "monthly"), "0 to 90 days"), (net("30", "weekly"), "monthly payouts only")] {
        let answer = browser.post("/m/acme/settings/payouts", &fields).await;
        assert!(answer.status == 422 && answer.text.contains(told), "{answer:?}");
    }
    assert_eq!(location(&browser.post("/m/acme/settings/payouts", &net("30", "monthly")).await), "/m/acme/settings");
    assert!(browser.get("/m/acme/settings").await.text.contains("30 days after every month’s end"));

    // It is the 1st of March: what becomes payable in it is due on the 30th of April.
    let id = owed(&site, "anna", ("paypal", "a@example.com"), 40).await;
    account_of(&site, &id, "anna@example.com").await;
    jobs::enqueue_recurring(&site.app).await.unwrap();
    let drafts = "SELECT COUNT(*) FROM payouts WHERE status = 'draft'";
    let mut days = 0;
    while site.database.number(drafts).await == 0 {
        site.advance_seconds(86_400);
        jobs::work_off(&site.app).await.unwrap();
        days += 1;
        if days == 31 {
            let bonus = json!({ "amount": 7, "reason": "In April" });
            assert_eq!(site.api.post(&format!("/affiliates/{id}/adjustments"), &bonus).await.status, 201);
            let anna = signed_in(&site, "anna@example.com").await;
            for path in ["/payouts", "/home"] {
                let page = anna.get(path).await;
                assert!(page.text.contains("2026-04-30T00:00:00Z"), "{}", page.text);
                assert!(page.text.contains("for what could be paid by 31 Mar 2026"), "{}", page.text);
            }
        }
        assert!(days < 70, "never prepared");
    }
    assert_eq!(days, 60, "the 30th of April");
    let mara = signed_in(&site, "mara@example.com").await;
    let page = mara.get("/m/acme/payouts").await;
    assert!(page.text.contains("/payouts/new?until=2026-03-31"), "{}", page.text);
    let look = mara.get("/m/acme/payouts/new?until=2026-03-31").await.text.replace('\u{a0}', " ");
    assert!(look.contains("USD 40.00") && !look.contains("47.00"), "{look}");
}

#[tokio::test]
async fn who_may_ask_is_heard_once() {
    let site = Site::start().await;
    let browser = owner(&site).await;
    let id = owed(&site, "anna", ("paypal", "a@example.com"), 40).await;
    account_of(&site, &id, "anna@example.com").await;
    let anna = signed_in(&site, "anna@example.com").await;
    assert_eq!(anna.post("/payouts/request", &[]).await.status, 404, "the program does not offer it");
    let mut settings = SETTINGS.to_vec();
    settings.push(("may_request", "yes"));
    assert_eq!(browser.post("/m/acme/settings/payouts", &settings).await.status, 303);
    assert!(anna.get("/payouts").await.text.contains("Ask to be paid"));
    assert_eq!(location(&anna.post("/payouts/request", &[]).await), "/payouts");
    assert!(anna.get("/payouts").await.text.contains("You asked to be paid"));
    assert!(browser.get("/m/acme/payouts").await.text.contains("1 affiliate asked to be paid"));
    site.api.post("/payouts", &json!({})).await;
    assert!(!browser.get("/m/acme/payouts").await.text.contains("asked to be paid"));
}

#[tokio::test]
async fn details_that_were_taken_away_first_wait_too() {
    let site = Site::start().await;
    let id = owed(&site, "anna", ("paypal", "old@example.com"), 40).await;
    account_of(&site, &id, "anna@example.com").await;
    let anna = signed_in(&site, "anna@example.com").await;
    assert_eq!(anna.post("/settings/payment/removal", &[]).await.status, 303);
    site.advance_seconds(4 * 86_400);
    anna.sign_in("anna@example.com", PASSWORD).await;
    let fields = [("method", "paypal"), ("details", "thief@example.com")];
    assert_eq!(anna.post("/settings/payment", &fields).await.status, 303);
    assert!(anna.get("/payouts").await.text.contains("Payments wait until"));
    site.api.post("/payouts", &json!({})).await.refuses("until");
    site.check_ledger().await;
}
