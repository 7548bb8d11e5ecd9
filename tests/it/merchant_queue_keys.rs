//! The queue by its keys: each of them does what the list of them says, and leads on to the next row.

use crate::support::{
    Site,
    browser::account,
    chromium::{Screen, Window, left_out},
};

const QUEUE: &str = "/m/acme/commissions";

/// Waits until the focus is on the row of that order, and is seen there.
async fn is_on(window: &Window, order: &str) {
    let script = format!(
        "const at = document.activeElement;
         return at.matches('tr[data-row]') && at.querySelector('.order').innerText.trim() === {order:?} || null"
    );
    window.asks(&script).await;
    window.sees_the_focus().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_keys_each_decision_leads_on_to_the_next_row() {
    if left_out() {
        return;
    }
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    for number in 0..4 {
        assert_eq!(site.api.sale("ANNA", "100", &format!("order-{number}")).await.status, 201);
        site.advance_seconds(1);
    }
    account(&site, "mara@example.com", true).await;
    let window = Window::open(site.address, Screen::DESK).await;
    window.sign_in("mara@example.com").await;
    window.visit(QUEUE).await;

    for (key, order) in [("j", "order-3"), ("j", "order-2"), ("j", "order-1"), ("k", "order-2")] {
        window.press(key).await;
        is_on(&window, order).await;
    }
    window.press("x").await;
    window.sees("1 selected, USD 20.00").await;
    window.press("x").await;
    window.sees("Nothing selected").await;
    is_on(&window, "order-2").await;

    // The next in its place, and back to it when that was wrong.
    window.press("a").await;
    window.sees("1 commission approved (USD 20.00).").await;
    is_on(&window, "order-1").await;
    window.press("z").await;
    window.sees("1 commission put back (USD 20.00).").await;
    is_on(&window, "order-2").await;

    // It asks for the reason at once.
    window.press("r").await;
    window.sees("Reject 1 commission").await;
    window.focuses("textarea \"Reason\"").await;
    window.enters("button \"Reject 1 commission\"", 1).await;
    window.sees("Please look at this again").await;
    window.asks("return document.activeElement.id === 'issues' || null").await;
    window.tabs_to("textarea \"Reason\"", 3).await;
    window.types("Own order").await;
    window.enters("button \"Reject 1 commission\"", 1).await;
    window.arrives_at(QUEUE).await;
    window.sees("1 commission rejected (USD 20.00).").await;
    is_on(&window, "order-1").await;
    window.press("z").await;
    window.sees("1 commission put back (USD 20.00).").await;
    is_on(&window, "order-2").await;

    window.press("?").await;
    window.sees("next and previous row").await;
    window.press("Escape").await;
    window.sees_no("next and previous row").await;
    is_on(&window, "order-2").await;
    // A field takes the keys as they are written.
    window.press("/").await;
    window.focuses("input \"Search by order, name, e-mail or code\"").await;
    window.types("jax").await;
    assert_eq!(window.value("Search by order, name, e-mail or code").await, "jax");

    // When nothing is left, what was done is said.
    window.visit(QUEUE).await;
    window.press("j").await;
    is_on(&window, "order-3").await;
    for left in ["order-2", "order-1", "order-0"] {
        window.press("a").await;
        is_on(&window, left).await;
    }
    window.press("a").await;
    window.sees("All caught up").await;
    window.focuses("div \"1 commission approved (USD 20.00). Undo\"").await;
    site.check_ledger().await;
}
