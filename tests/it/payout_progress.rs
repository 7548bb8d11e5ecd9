//! What takes long says so while it is on its way, and is sent once, however often one presses.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Site,
    browser::account,
    chromium::{Screen, Window, left_out},
};

const CONFIRM: &str = "/m/acme/payouts/confirm";

/// Writes down, where the next page finds it, what becomes of the form's button and what is told; and how often the
/// form was sent.
const WATCH: &str = "const seen = { button: [], told: [], sent: 0 };
    const button = document.querySelector('form.card button');
    const keep = () => { sessionStorage.seen = JSON.stringify(seen) };
    new MutationObserver(() => {
      const has = (name) => button.getAttribute(name) ?? button.form.getAttribute(name);
      seen.button.push([button.innerText, has('aria-disabled'), has('aria-busy'), document.activeElement === button]);
      keep();
    }).observe(button, { childList: true });
    const told = document.querySelector('#told');
    new MutationObserver(() => { if (told.textContent) seen.told.push(told.textContent); keep() }).observe(told, { childList: true });
    addEventListener('submit', (event) => { if (!event.defaultPrevented) seen.sent += 1; keep() });";

/// The same button while a form that goes nowhere is on its way, and after one has come back to the page.
const AND_BACK: &str = "const button = document.querySelector('form.card button');
    const is = () => [button.innerText, button.hasAttribute('aria-disabled'), button.form.hasAttribute('aria-busy')];
    addEventListener('submit', (event) => event.preventDefault(), { once: true });
    const before = is(); button.form.requestSubmit(button);
    const meanwhile = is(); dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
    return [before, meanwhile, is()];";

async fn somebody_is_owed(site: &Site) {
    let id = site.affiliate("ANNA").await;
    let by = json!({ "paymentMethod": "paypal", "paymentDetails": "anna@example.com" });
    assert_eq!(site.api.patch(&format!("/affiliates/{id}"), &by).await.status, 200);
    let bonus = json!({ "amount": 40, "reason": "A bonus" });
    assert_eq!(site.api.post(&format!("/affiliates/{id}/adjustments"), &bonus).await.status, 201);
    account(site, "mara@example.com", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payout_that_is_being_made_says_so_and_is_made_once() {
    if left_out() {
        return;
    }
    let site = Site::start().await;
    somebody_is_owed(&site).await;
    let window = Window::open(site.address, Screen::DESK).await;
    window.sign_in("mara@example.com").await;
    window.visit(CONFIRM).await;
    let told = window.asks(AND_BACK).await;
    let (button, busy) = ("Make payout, USD\u{a0}40.00", "Making the payout…");
    assert_eq!(told, json!([[button, false, false], [busy, true, true], [button, false, false]]));

    window.visit(CONFIRM).await;
    window.skips_to_content().await;
    window.tabs_to("button \"Make payout, USD 40.00\"", 2).await;
    window.does(WATCH).await;
    // Somebody else writes meanwhile: that takes as long as a payout to very many.
    let file = site.database.url.strip_prefix("sqlite://").unwrap();
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(900)).await;
        other.execute_batch("COMMIT").unwrap();
    });
    window.types("\n\n\n").await;
    writing.await.unwrap();
    window.sees("Ready: USD 40.00 to 1 affiliate.").await;
    let seen = window.asks("return sessionStorage.seen").await;
    let seen: serde_json::Value = serde_json::from_str(seen.as_str().unwrap()).unwrap();
    assert_eq!(seen, json!({ "button": [[busy, "true", "true", true]], "told": [busy], "sent": 1 }));
    assert_eq!(site.database.number("SELECT COUNT(*) FROM payouts").await, 1);
    site.check_ledger().await;

    window.enters("button \"Mark the open line as paid\"", 5).await;
    window.sees("Paid: USD 40.00 to 1 affiliate. Nobody was told by e-mail").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_the_button_is_a_button() {
    if left_out() {
        return;
    }
    let site = Site::start().await;
    somebody_is_owed(&site).await;
    let window = Window::open(site.address, Screen::PHONE.without_javascript()).await;
    window.sign_in("mara@example.com").await;
    window.visit(CONFIRM).await;
    window.click("Make payout, USD 40.00").await;
    window.sees("Ready: USD 40.00 to 1 affiliate.").await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM payouts").await, 1);
}
