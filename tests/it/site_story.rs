//! A sale from end to end, in a real browser on two origins: an affiliate's link on a blog, a merchant's shop with
//! the script, a payment link of Stripe's, and what Stripe tells of it, signed; until the affiliate's statement says
//! what is left of the commission after a part of the money went back.

use std::net::SocketAddr;

use axum::{
    Router,
    http::header,
    response::{Html, IntoResponse},
    routing::get,
};
use offshoot::domain::providers::Provider;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    site_browser::{BROWSER, SHOP_JS, of},
    support::{
        Site,
        browser::{account, account_of},
        chromium::{Screen, Window, left_out},
        payments::{Payments, payload},
    },
};

const ANNA: &str = "anna@people.example";
const MARA: &str = "mara@shop.example";
/// The invoice of the payloads.
const ORDER: &str = "in_1Qw000001Invoice";

const HEAD: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">"#;
const BLOG: &str = r#"</head><body><main><h1>Shoes I like</h1><a href="LINK">These shoes</a></main></body></html>"#;
const SHOP: &str = r#"<script src="/shop.js"></script>
<script async src="PORTAL/t.js" data-program="acme" data-consent="wait"></script></head>
<body><main><h1>Shop</h1><p><a id="inside" href="/checkout">Checkout</a>
<a id="stripe" href="https://buy.stripe.com/test_1?locale=en">Pay</a></p><button id="agree">Agree</button></main></body></html>"#;

/// A blog with the affiliate's link, and a shop whose every other page is the same.
async fn shop(portal: &str, link: &str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let policy = format!("default-src 'none'; script-src 'self' {portal}; connect-src {portal}; img-src data:");
    let page = |body: String| {
        let answer = ([(header::CONTENT_SECURITY_POLICY, policy.clone())], Html(format!("{HEAD}{body}")));
        get(async || answer.into_response())
    };
    let router = Router::new()
        .route("/shop.js", get(async || ([(header::CONTENT_TYPE, "text/javascript")], SHOP_JS)))
        .route("/blog", page(BLOG.replace("LINK", link)))
        .fallback(page(SHOP.replace("PORTAL", portal)));
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

/// The affiliate's link, as their page offers it.
async fn link(site: &Site) -> String {
    let anna = Window::open(site.address, Screen::PHONE).await;
    anna.sign_in(ANNA).await;
    anna.visit("/links").await;
    anna.value("Your link").await
}

/// From the blog to the checkout; what the payment link was given to carry.
async fn pays(site: &Site) -> String {
    let portal = site.url("");
    let address = shop(&portal, &format!("{}?s1=review", link(site).await)).await;
    let landing = format!(
        "UPDATE programs SET landing_url = 'http://{address}/start', domains = '127.0.0.1' WHERE slug = 'acme'"
    );
    site.database.execute(&landing).await.unwrap();

    let visitor = Window::open(address, Screen::PHONE).await;
    visitor.expect(&portal);
    visitor.calls_itself(BROWSER).await;
    visitor.visit("/blog").await;
    visitor.click("These shoes").await;
    let landed = visitor.asks("return location.search").await.as_str().unwrap().to_owned();
    let click = landed.strip_prefix("?clickId=").unwrap();
    // Nothing is kept here until the visitor agrees, and it is not lost on the way to the checkout.
    visitor.click("Checkout").await;
    visitor.arrives_at(&format!("/checkout?clickId={click}")).await;
    assert_eq!(visitor.asks("return document.cookie + localStorage.length").await, "0");
    assert_eq!(visitor.asks(&of("#stripe", "href")).await, "https://buy.stripe.com/test_1?locale=en");
    visitor.click("Agree").await;
    assert_eq!(visitor.asks("return window.clicked").await, click);
    let paid_at = visitor.asks(&of("#stripe", "href")).await.as_str().unwrap().to_owned();
    let carried = paid_at.strip_prefix("https://buy.stripe.com/test_1?locale=en&client_reference_id=").unwrap();
    assert_eq!(carried, click);
    assert_eq!(site.database.number("SELECT COUNT(*) FROM clicks").await, 1);
    carried.to_owned()
}

/// What Stripe tells, each thing twice.
async fn tell(payments: &Payments<'_>, name: &str, change: impl Fn(&mut Value)) {
    let mut event: Value = serde_json::from_str(&payload(Provider::Stripe, name, 1)).unwrap();
    change(&mut event["data"]["object"]);
    for answer in ["stored\n", "known\n"] {
        assert_eq!(payments.tell_text(name, &event.to_string()).await.text, answer, "{name}");
        payments.work_off().await;
    }
}

/// What is left of the commission, as the merchant's pages tell it at a desk, down to each event.
async fn mara_reads(mara: &Window) {
    mara.sign_in(MARA).await;
    mara.visit("/m/acme/payments/events").await;
    let told = mara.texts("tbody tr").await;
    for (row, words) in told.iter().zip([
        "USD 10.00 of the sale of USD 100.00 is taken back now.",
        "in_1Qw000001Invoice, pi_3Qw000001Intent are one payment.",
        "Sale of USD 100.00 recorded as in_1Qw000001Invoice, credited to ANNA.",
        "Bound sub_1Qw000001Sub and cus_000001Ada to ANNA",
    ]) {
        assert!(row.contains(words), "{words} in {row}");
    }
    assert_eq!(told.len(), 4, "{told:?}");
    mara.visit("/m/acme/commissions").await;
    mara.sees("20% of USD 100.00, less USD 2.00 refunded").await;
    mara.click(ORDER).await;
    assert!(mara.text("h1").await.starts_with("USD 18.00"));
    mara.sees("Credited by The click that led to the sale").await;
    mara.sees("s1 review").await;
    mara.sees("20% of USD 100.00 is USD 20.00; refunds took back USD 2.00.").await;
    let moved = ["1 Mar 2026 Earned USD 20.00", "2 Mar 2026 Taken back by a refund USD −2.00", "Owed now USD 18.00"];
    assert_eq!(mara.texts("section table tr:has(td)").await, moved);
}

/// The same as the affiliate reads it on a phone, where the commission is in that state.
async fn anna_reads(site: &Site, screen: Screen, state: &str) {
    let anna = Window::open(site.address, screen).await;
    anna.sign_in(ANNA).await;
    anna.visit("/earnings").await;
    // At the start, earned, reversed, paid, at the end.
    let sums = ["USD 0.00", "USD 20.00", "USD −2.00", "USD 0.00", "USD 18.00"];
    assert_eq!(anna.texts(".balance dd").await, sums);
    let row = format!("{ORDER} a•••@e•••.com USD 18.00 {state} 20% of USD 100.00 USD 10.00 refunded 1 Mar 2026");
    assert_eq!(anna.texts("tbody tr").await, [row]);
    anna.click(ORDER).await;
    assert_eq!(anna.text(".big").await, "USD 18.00");
    assert_eq!(anna.texts(".balance dd").await, ["USD 100.00", "20%", "USD 20.00", "USD −2.00", "USD 18.00"]);
    for words in ["Somebody followed your link", "s1 review", "The customer was refunded USD 10.00"] {
        anna.sees(words).await;
    }
    anna.visit("/earnings/statement").await;
    let rows = [
        "Owed at the start USD 0.00".to_owned(),
        format!("1 Mar 2026 Earned, {ORDER} USD 20.00"),
        format!("2 Mar 2026 Taken back by a refund, {ORDER} USD −2.00"),
        "Owed at the end USD 18.00".to_owned(),
    ];
    assert_eq!(anna.texts("tbody tr").await, rows);
    assert_eq!(anna.texts(".balance dd").await, sums);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_an_affiliates_link_to_their_statement() {
    if left_out() {
        return;
    }
    let site = Site::start().await;
    account(&site, MARA, true).await;
    account_of(&site, &site.affiliate("ANNA").await, ANNA).await;
    let payments = Payments::connect(&site, Provider::Stripe).await;

    let carried = pays(&site).await;
    site.advance_seconds(600);
    tell(&payments, "checkout_session_completed_subscription", |session| {
        session["client_reference_id"] = carried.clone().into();
        session["metadata"] = json!({});
    })
    .await;
    tell(&payments, "invoice_paid", |_| {}).await;
    tell(&payments, "invoice_payment_paid", |_| {}).await;
    site.advance_seconds(86_400);
    tell(&payments, "charge_refunded_partly", |_| {}).await;
    assert_eq!(payments.events("done").await, 4);
    site.check_ledger().await;

    let mara = Window::open(site.address, Screen::DESK).await;
    mara_reads(&mara).await;
    // The affiliate's and the visitor's are one machine here: that is seen, and held until somebody has looked.
    mara.sees("The click came from the network address that the affiliate signed in from.").await;
    drop(mara);
    anna_reads(&site, Screen::PHONE, "Pending until acme approves it").await;

    let mara = Window::open(site.address, Screen::DESK.without_javascript()).await;
    mara_reads(&mara).await;
    mara.click("Approve").await;
    mara.sees("1 commission approved (USD 18.00).").await;
    drop(mara);
    anna_reads(&site, Screen::PHONE.without_javascript(), "Approved payable on 1 Mar 2026").await;
    assert_eq!(site.database.number("SELECT COUNT(*) FROM conversions").await, 1);
    site.check_ledger().await;
}
