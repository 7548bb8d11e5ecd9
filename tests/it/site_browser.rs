//! The script in a real browser, on a merchant's site of another origin than the portal's.

use std::net::SocketAddr;

use axum::{
    Router,
    http::header,
    response::{Html, IntoResponse},
    routing::get,
};
use serde_json::json;
use tokio::net::TcpListener;

use crate::support::{
    Site,
    chromium::{Screen, Window, left_out},
};

pub const BROWSER: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

/// A page of the shop: its own script's buttons, links of every kind, a form.
const PAGE: &str = r##"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<script src="/shop.js"></script><script async src="PORTAL/t.js" data-program="acme" data-consent="wait"></script></head>
<body><main><h1>Shop</h1><p><a id="inside" href="/checkout?x=1">Checkout</a> <a id="here" href="#top">Up</a>
<a id="sister" href="http://localhost:9/cart">Cart</a> <a id="stripe" href="https://buy.stripe.com/test_1?a=b">Pay</a>
<a id="named" data-offshoot="custom_id" href="https://pay.example/x">Pay there</a>
<a id="stranger" href="https://elsewhere.example/">Elsewhere</a></p>
<form data-offshoot action="/done"><button>Buy</button></form><form id="plain" action="/done"><button>Search</button></form>
<button id="agree">Agree</button><button id="join">Join</button></main></body></html>"##;

pub const SHOP_JS: &str = "window.offshoot = window.offshoot || function () { (offshoot.q = offshoot.q || []).push(arguments) }
offshoot('click', (id) => { window.clicked = id || 'none' })
document.addEventListener('click', ({ target }) => {
  if (target.id === 'agree') offshoot('consent', true)
  if (target.id === 'join') offshoot('lead', { id: 'customer-7', email: 'zoe@example.com' }, (told) => { window.joined = String(told.bound) })
})";

async fn shop(portal: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let html = PAGE.replace("PORTAL", portal);
    let policy = format!(
        "default-src 'none'; script-src 'self' {portal}; connect-src {portal}; form-action 'self'; img-src data:"
    );
    let page = move || {
        let answer = ([(header::CONTENT_SECURITY_POLICY, policy.clone())], Html(html.clone())).into_response();
        async { answer }
    };
    let script = get(async || ([(header::CONTENT_TYPE, "text/javascript")], SHOP_JS));
    let router = Router::new().route("/shop.js", script).fallback(get(page));
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// An attribute of the first that the selector finds.
pub fn of(selector: &str, attribute: &str) -> String {
    format!("const at = document.querySelector({selector:?}); return at && at.getAttribute({attribute:?})")
}

#[tokio::test]
async fn a_visitor_lands_agrees_and_is_followed_to_the_checkout() {
    if left_out() {
        return;
    }
    let site = Site::start().await;
    site.affiliate("ANNA").await;
    let domains = format!("UPDATE programs SET domains = '127.0.0.1,localhost' WHERE id = {}", site.program.id.raw());
    site.database.execute(&domains).await.unwrap();
    let portal = site.url("");
    let window = Window::open(shop(&portal).await, Screen::PHONE).await;
    window.expect(&portal);
    window.calls_itself(BROWSER).await;

    // Before the visitor agrees nothing is asked and nothing kept, but nothing is lost.
    window.visit("/start?ref=ANNA&utm_source=blog&s1=top&q=shoes").await;
    let carried = "/checkout?x=1&ref=ANNA&utm_source=blog&s1=top";
    window.asks(&format!("return document.querySelector('#inside').href.endsWith({carried:?}) || null")).await;
    assert_eq!(window.asks(&of("#here", "href")).await, "#top");
    assert_eq!(window.asks(&of("#stripe", "href")).await, "https://buy.stripe.com/test_1?a=b");
    assert_eq!(window.asks("return document.cookie + localStorage.length + sessionStorage.length").await, "00");
    window.click("Checkout").await;
    window.arrives_at(carried).await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks").await, 0);

    window.click("Agree").await;
    let click = window.asks("return window.clicked").await.as_str().unwrap().to_owned();
    assert!(click.starts_with("click_"), "{click}");
    let kept = "SELECT COUNT(*) FROM clicks c JOIN texts t ON t.id = c.landing_id WHERE t.text LIKE '%/checkout?utm_source=blog&s1=top'";
    assert_eq!(site.database.number(kept).await, 1);
    assert_eq!(window.asks("return document.cookie").await, format!("offshoot_click_acme={click}"));
    for (selector, attribute, wanted) in [
        ("#inside", "href", "/checkout?x=1".to_owned()),
        ("#sister", "href", format!("http://localhost:9/cart?clickId={click}")),
        ("#stripe", "href", format!("https://buy.stripe.com/test_1?a=b&client_reference_id={click}")),
        ("#named", "href", format!("https://pay.example/x?custom_id={click}")),
        ("#stranger", "href", "https://elsewhere.example/".to_owned()),
        ("form[data-offshoot] input[type=hidden]", "name", "offshoot_click".to_owned()),
    ] {
        assert_eq!(window.asks(&of(selector, attribute)).await, wanted, "{selector}");
    }
    assert_eq!(window.asks("return document.querySelectorAll('#plain input').length + ''").await, "0");
    // Those that appear later too.
    let later = "document.querySelector('main').insertAdjacentHTML('beforeend',
        '<p><a id=\"late\" href=\"https://buy.stripe.com/late\">Late</a></p><form data-offshoot id=\"late-form\"></form>'); return 'done'";
    window.asks(later).await;
    assert_eq!(
        window.asks(&of("#late", "href")).await,
        format!("https://buy.stripe.com/late?client_reference_id={click}")
    );
    assert_eq!(
        window.asks("const at = document.querySelector('#late-form input'); return at && at.value").await,
        click
    );

    // On the next page nobody is asked again, and the customer is bound.
    window.visit("/start").await;
    window.click("Agree").await;
    assert_eq!(window.asks("return window.clicked").await, click);
    window.click("Join").await;
    assert_eq!(window.asks("return window.joined").await, "true");
    assert_eq!(site.database.number("SELECT COUNT(*) FROM customers").await, 1);
    window.click("Buy").await;
    window.arrives_at(&format!("/done?offshoot_click={click}")).await;

    // The same visitor by the same link, within the hour: once. A code of nobody's changes nothing.
    for code in ["ANNA", "NOBODY"] {
        window.visit(&format!("/start?via={code}")).await;
        window.click("Agree").await;
        assert_eq!(window.asks("return window.clicked").await, click);
    }
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks").await, 1);

    let sale = site.api.post("/referrals/convert", &json!({ "clickId": click, "amount": 10, "orderId": "1" })).await;
    assert_eq!(sale.data()["referralCode"], "ANNA");

    // And the visitor may change their mind.
    window.asks("offshoot('consent', false); return 'done'").await;
    window.asks("return document.cookie === '' && !localStorage.length ? 'forgotten' : null").await;
    window.visit("/start").await;
    window.click("Agree").await;
    assert_eq!(window.asks("return window.clicked").await, "none");
    site.check_ledger().await;
}
