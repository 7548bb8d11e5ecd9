//! The listening end: stopping, what every answer carries, and what the log does not.

use std::time::Duration;

use reqwest::{Client, Method, redirect::Policy};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, time::sleep};

use crate::{
    connections::{socket, until_closed},
    support::{
        Answer, Database, Process, Site,
        process::{run_with, set_up},
    },
};

/// Everything that a client can do to be in the way of stopping, all at once.
#[tokio::test(flavor = "multi_thread")]
async fn stopping_answers_what_is_in_flight_and_takes_a_bounded_time_whatever_slow_clients_do() {
    for signal in ["TERM", "INT"] {
        let database = Database::new().await;
        let key = set_up(&database);
        let server = Process::start(&database);
        let api = server.api(&key);
        api.affiliate("ANNA").await;

        let mut silent = Vec::new();
        for start in ["", "GET /healthz HT", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"] {
            let mut socket = socket(server.address).await;
            socket.write_all(start.as_bytes()).await.unwrap();
            silent.push(socket);
        }
        let head = |length: usize| {
            format!(
                "POST /v1/referrals/track HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            )
        };
        let mut half = socket(server.address).await;
        half.write_all((head(100) + "{").as_bytes()).await.unwrap();
        silent.push(half);
        // In flight: the last byte of the body is still to come.
        let body = r#"{"referralCode":"ANNA"}"#;
        let mut in_flight = Vec::new();
        for _ in 0..10 {
            let mut socket = socket(server.address).await;
            socket.write_all((head(body.len()) + &body[..body.len() - 1]).as_bytes()).await.unwrap();
            in_flight.push(socket);
        }
        sleep(Duration::from_millis(500)).await;

        server.signal(signal);
        sleep(Duration::from_millis(500)).await;
        assert!(TcpStream::connect(server.address).await.is_err(), "no new requests");
        for mut socket in in_flight {
            socket.write_all(b"}").await.unwrap();
            let (said, _) = until_closed(socket, Duration::from_secs(5)).await;
            assert!(said.starts_with("HTTP/1.1 201"), "{said}");
        }
        let (code, took) = tokio::task::spawn_blocking(move || server.ended(Duration::from_secs(15))).await.unwrap();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(11), "stopped after {took:?}");
        drop(silent);
        assert_eq!(database.number("SELECT COUNT(*) FROM clicks").await, 10);
    }
}

#[tokio::test]
async fn every_kind_of_answer_carries_the_same_guards() {
    let site = Site::start().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let stylesheet = {
        let page = client.get(site.url("/login")).send().await.unwrap().text().await.unwrap();
        let (_, rest) = page.split_once(r#"rel="stylesheet" href=""#).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let kinds = [
        (Method::GET, "/login", 200),
        (Method::GET, "/home", 303),
        (Method::GET, "/nowhere", 404),
        (Method::DELETE, "/login", 405),
        (Method::POST, "/login", 403),
        (Method::GET, "/m/acme/affiliates", 303),
        (Method::GET, "/setup", 404),
        (Method::GET, "/p/acme", 200),
        (Method::GET, stylesheet.as_str(), 200),
        (Method::GET, "/static/nothing.css", 404),
        (Method::POST, stylesheet.as_str(), 405),
        (Method::GET, "/healthz", 200),
        (Method::GET, "/readyz", 200),
        (Method::POST, "/healthz", 405),
        (Method::GET, "/r/acme/NOBODY", 302),
        (Method::GET, "/r/nobody/NOBODY", 404),
        (Method::PUT, "/r/acme/NOBODY", 405),
        (Method::GET, "/v1/affiliates", 401),
        (Method::GET, "/v1/nowhere", 401),
        (Method::GET, "/v1/openapi.json", 200),
    ];
    let mut ids = std::collections::HashSet::new();
    for (method, path, status) in kinds {
        let mut request = client.request(method.clone(), site.url(path));
        if status == 405 {
            request = request.header("sec-fetch-site", "same-origin");
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{method} {path}");
        }
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{method} {path}");
        assert!(answer.header("x-request-id").starts_with("req_"), "{method} {path}");
        assert!(ids.insert(answer.header("x-request-id").to_owned()), "an id of its own: {method} {path}");
        assert!(answer.headers.contains_key("allow") || status != 405, "{method} {path}: {answer:?}");
    }
}

#[tokio::test]
async fn pages_are_compressed_and_heads_are_like_their_bodies() {
    let site = Site::start().await;
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    for (encoding, path) in [("gzip", "/login"), ("br", "/login"), ("gzip", "/v1/openapi.json")] {
        let zipped = client.get(site.url(path)).header("accept-encoding", encoding).send().await.unwrap();
        assert_eq!(zipped.headers()["content-encoding"], encoding);
        assert!(zipped.headers()["vary"].to_str().unwrap().to_lowercase().contains("accept-encoding"));
        let plain = client.get(site.url(path)).header("accept-encoding", "identity").send().await.unwrap();
        assert!(plain.headers().get("content-encoding").is_none());
        let zipped = zipped.bytes().await.unwrap();
        assert!(zipped.len() < plain.bytes().await.unwrap().len());
    }
    let small = client.get(site.url("/v1/program")).header("accept-encoding", "gzip").bearer_auth(&site.api.key);
    assert!(small.send().await.unwrap().headers().get("content-encoding").is_none(), "takes longer than to send it");
    for path in ["/login", "/healthz", "/nowhere", "/v1/affiliates", "/v1/affiliates/aff_1", "/r/acme/NOBODY"] {
        let ask = |method| client.request(method, site.url(path)).bearer_auth(&site.api.key).send();
        let (get, head) = (ask(Method::GET).await.unwrap(), ask(Method::HEAD).await.unwrap());
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-type", "location", "content-security-policy", "content-length"] {
            assert_eq!(head.headers().get(name), get.headers().get(name), "{name} of {path}");
        }
        assert_eq!(head.bytes().await.unwrap().len(), 0, "{path}");
    }
}

/// A busy session, in which secrets are sent in all the places where they belong and some where they do not.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_holds_no_key_no_secret_no_session_and_no_whole_address() {
    let database = Database::new().await;
    let key = set_up(&database);
    let server = Process::with(&database, &[("OFFSHOOT_LOG", "debug")], &[]);
    let base = format!("http://{}", server.address);
    let api = server.api(&key);
    let made = api.post("/affiliates", &serde_json::json!({ "email": "anna@private.example", "name": "Anna" })).await;
    assert_eq!(made.status, 201);
    api.post("/affiliates", &serde_json::json!({ "email": "anna@private.example", "name": "Anna" }))
        .await
        .refuses("email");
    api.post("/affiliates", &serde_json::json!({ "email": "anna@private.example@", "name": "A" }))
        .await
        .refuses("email");
    let body =
        serde_json::json!({ "referralCode": "x", "amount": 1, "customer": { "email": "buyer@private.example" } });
    api.post("/referrals/convert", &body).await;

    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let post = |path: &str, form: &str| {
        let request = client.post(format!("{base}{path}")).header("sec-fetch-site", "same-origin");
        request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned()).send()
    };
    let wrong = post("/login", "email=m%40example.com&password=not+the+password").await.unwrap();
    assert_eq!(wrong.status(), 422);
    let signed_in = post("/login", "email=m%40example.com&password=correct+horse+battery").await.unwrap();
    let cookie = signed_in.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let page = client.get(format!("{base}/m/acme/affiliates")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let linked = ["user", "create", "--email", "l@private.example", "--name", "Lin"];
    let link = run_with(&database, &[], &linked, "");
    let link = String::from_utf8(link.stdout).unwrap();
    let token = link.trim().rsplit('/').next().unwrap().to_owned();
    assert!(token.len() > 30);
    client.get(format!("{base}/login/link/{token}")).send().await.unwrap();
    post(&format!("/login/link/{token}"), "").await.unwrap();
    client.get(format!("{base}/v1/affiliates?key={key}")).send().await.unwrap();

    let session = cookie.split_once('=').unwrap().1.to_owned();
    server.signal("TERM");
    let log = server.log.clone();
    let (code, _) = tokio::task::spawn_blocking(move || server.ended(Duration::from_secs(12))).await.unwrap();
    assert_eq!(code, Some(0));
    let log = log.lock().unwrap().clone();
    assert!(log.contains(r#""message":"stopping""#), "{log}");
    let secret_key = std::fs::read_to_string(database.folder.path().join(if database.is_sqlite() {
        "secret.key"
    } else {
        "data/secret.key"
    }));
    let secret_key = secret_key.unwrap();
    for (what, secret) in [
        ("key", key.as_str()),
        ("session", &session),
        ("token", &token),
        ("secret", secret_key.trim()),
        ("password", "correct horse"),
        ("password", "not the password"),
        ("address", "m@example.com"),
        ("address", "@private.example"),
    ] {
        assert!(!log.contains(secret), "the log tells a {what}: {log}");
    }
}
