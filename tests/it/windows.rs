//! The browser itself, as the stories use it: the verbs do what they say, and a page that is not sound is
//! found out.

use std::net::SocketAddr;

use axum::{Router, http::header, response::Html, routing::get};
use tokio::net::TcpListener;

use crate::support::{
    Site,
    browser::account,
    chromium::{Screen, Window, left_out},
};

#[tokio::test]
async fn a_merchant_signs_in_and_out_with_scripts_and_without() {
    if left_out() {
        return;
    }
    let site = Site::start().await;
    account(&site, "mara@example.com", true).await;
    site.affiliate("nina").await;
    for screen in [Screen::DESK.dark(), Screen::PHONE.without_javascript()] {
        let window = Window::open(site.address, screen).await;
        window.visit("/m/acme/affiliates").await;
        window.sees("Sign in").await;
        window.sign_in("mara@example.com").await;
        window.visit("/m/acme/commissions").await;
        window.click("Affiliates").await;
        window.arrives_at("/m/acme/affiliates").await;
        window.sees("nina@example.com").await;
        window.click("Account of Somebody").await;
        window.click("Sign out").await;
        window.sees_no("nina@example.com").await;
    }
}

/// A site of these pages only.
async fn pages(pages: &'static [(&'static str, &'static str)]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut router = Router::new();
    for (path, page) in pages {
        let policy = (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'self'; form-action 'self'");
        router = router.route(path, get(async || ([policy], Html(*page))));
    }
    tokio::spawn(async { axum::serve(listener, router).await });
    address
}

const FORM: &str = r#"<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A form</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main><h1>Form</h1><form>
<label>Name <input name="name" value="Old"></label>
<label for="note">Note <small>optional</small></label><textarea name="note" id="note"></textarea>
<label>Day <input type="date" name="day"></label>
<label>Currency <select name="currency"><option>EUR<option>USD</select></label>
<fieldset><legend>How often</legend><label><input type="radio" name="often" value="d" checked>Daily</label>
<label><input type="radio" name="often" value="w">Weekly</label></fieldset>
<label><input type="checkbox" name="mail" value="y">By mail</label>
<label><input type="checkbox" name="sms" value="y" checked>By text</label>
<table><tr><th scope="row">Ada<td><button name="row" value="ada">Approve</button>
<tr><th scope="row">Nina<td><button name="row" value="nina">Approve</button></table>
<button hidden>Nothing</button></form></main></body></html>"#;

#[tokio::test]
async fn the_verbs_do_what_a_hand_would() {
    if left_out() {
        return;
    }
    let address = pages(&[("/form", FORM)]).await;
    for screen in [Screen::PHONE, Screen::DESK.without_javascript()] {
        let window = Window::open(address, screen).await;
        window.visit("/form").await;
        window.fill("Name", "Zoë").await;
        window.fill("Note", "two words").await;
        window.fill("Note", "").await;
        window.fill("Day", "2026-03-01").await;
        window.choose("Currency", "USD").await;
        window.choose("How often", "Weekly").await;
        window.check("By mail").await;
        window.check("By mail").await;
        window.uncheck("By text").await;
        assert_eq!((window.value("Name").await, window.value("Day").await), ("Zoë".into(), "2026-03-01".into()));
        window.click_beside("Nina", "Approve").await;
        window.arrives_at("/form?name=Zo%C3%AB&note=&day=2026-03-01&currency=USD&often=w&mail=y&row=nina").await;
        window.press("Tab").await;
        window.focuses("input \"Name\"").await;
        for key in ["?", "+", "j"] {
            window.press(key).await;
        }
        assert_eq!(window.value("Name").await, "?+j");
        window.press("Shift+Tab").await;
        assert_ne!(window.focus().await, "input \"Name\"");
        assert_eq!(window.texts("th").await, ["Ada", "Nina"]);
        assert_eq!(window.text("legend").await, "How often");
    }
}

const BROKEN: &str = r#"<html><body><h1>One</h1><h1>Two</h1><p id="a" style="color: red">a</p><p id="a">b</p>
<div><svg width="2000" height="9"></svg></div><script>1</script><img alt="" src="/nowhere.png">
<button onclick="x()">Go</button></body></html>"#;
const FAR: &str = r#"<!doctype html><html lang="en"><head><title>Far</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="http://127.0.0.2:9/far.css"><link rel="stylesheet" href="/nowhere.css"></head>
<body><h1>Far</h1></body></html>"#;

const BARRED: &str = r#"<!doctype html><html lang="en"><head><title>Barred</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><main><h1>Barred</h1><button></button><input></main></body></html>"#;

#[tokio::test]
async fn what_is_not_sound_is_told() {
    if left_out() {
        return;
    }
    let address = pages(&[("/form", FORM), ("/broken", BROKEN), ("/far", FAR), ("/barred", BARRED)]).await;
    let mut window = Window::open(address, Screen::PHONE).await;
    for (path, expected) in [
        (
            "/broken",
            &[
                "2 h1 headings",
                "no title",
                "no language",
                "no doctype",
                "scrolls sideways",
                "ids more than once: a",
                "inline style at <p#a>",
                "inline script at <button>",
                "no picture at",
                "Executing inline script violates",
                "Applying inline style violates",
                "img-src",
            ][..],
        ),
        ("/far", &["a request to another host: http://127.0.0.2:9/far.css", "/nowhere.css: answered 404", "far.css"]),
    ] {
        let faults = window.faults_of(path).await;
        for fault in expected {
            assert!(faults.iter().any(|told| told.contains(fault)), "{fault} of {path} in {faults:#?}");
        }
    }
    window.visit("/form").await;
    window.has_no_barriers().await;
    window.visit("/barred").await;
    let barriers = window.barriers().await;
    for rule in ["button-name", "label"] {
        assert!(barriers.iter().any(|told| told.starts_with(rule)), "{rule} in {barriers:#?}");
    }
    for screen in [Screen::PHONE, Screen::DESK, Screen::DESK.dark().without_javascript()] {
        window.show_on(screen).await;
        assert_eq!(window.faults_of("/form").await, Vec::<String>::new(), "{screen}");
    }
    assert!(window.is_told("(prefers-color-scheme: dark) and (scripting: none) and (width: 1280px)").await);
    window.show_on(Screen::PHONE).await;
    window.visit("/form").await;
    let phone = "(prefers-color-scheme: light) and (scripting: enabled) and (width: 390px) and (hover: none)";
    assert!(window.is_told(phone).await);
}
