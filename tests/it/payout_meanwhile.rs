//! Payouts that somebody else decided meanwhile, and what a bank says of lines that are decided already.

use offshoot::jobs;
use serde_json::{Value, json};

use crate::{
    papers::{earner, signed_in},
    payout_pages::{hidden, location, owed, owner},
    support::{Answer, Site, browser::Browser},
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

