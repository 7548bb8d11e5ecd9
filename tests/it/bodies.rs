//! What arrives: routes that are none, methods that are wrong, bodies that cannot be read. Each is refused in
//! the envelope, and nothing is stored.

use std::io::{Read as _, Write as _};

use reqwest::{Method, header};
use serde_json::json;

use crate::support::{Answer, Api, Site};

const AFFILIATES: &str = "SELECT COUNT(*) FROM affiliates";
const LIMIT: usize = 256 * 1024;

/// A body that makes an affiliate, with these members after the required ones.
fn with(members: &str) -> Vec<u8> {
    format!(r#"{{"email":"b@example.com","name":"B"{members}}}"#).into_bytes()
}

async fn post(site: &Site, body: impl Into<Vec<u8>>) -> Answer {
    site.api.raw(Method::POST, "/affiliates", body).await
}

async fn stored(site: &Site) -> i64 {
    site.database.number(AFFILIATES).await
}

/// 400 with this field, or none, and nothing stored.
async fn refused(site: &Site, body: impl Into<Vec<u8>>, field: Option<&str>) {
    let body = body.into();
    let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
    let answer = post(site, body).await;
    assert_eq!(answer.json["error"]["details"]["field"].as_str(), field, "{shown}: {answer:?}");
    answer.fails(400, "invalid_request", field);
    if field.is_none() {
        assert!(!answer.text.contains("details"), "left out when there is no field to name: {answer:?}");
    }
    assert_eq!(stored(site).await, 0, "{shown}");
}

#[tokio::test]
async fn unknown_routes_are_not_found() {
    let site = Site::start().await;
    for path in [
        "",
        "/",
        "/nothing",
        "/affiliates/",
        "/affiliates/aff_1/x",
        "/AFFILIATES",
        "/v1/affiliates",
        "/%00",
        "/%ff",
        "//affiliates",
        "?limit=1",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = Answer::of(site.api.request(method.clone(), path).body("x").send().await.unwrap()).await;
            answer.fails(404, "resource_not_found", None);
            assert!(!answer.text.contains("details"), "{answer:?}");
        }
        let keyless = Api::new(site.address, "").get(path).await;
        keyless.fails(401, "authentication_error", None);
    }
}

#[tokio::test]
async fn wrong_methods_say_which_are_right() {
    let site = Site::start().await;
    for (method, path, allow) in [
        (Method::DELETE, "/affiliates", "GET,HEAD,POST"),
        (Method::PUT, "/affiliates/aff_1", "GET,HEAD,PATCH"),
        (Method::GET, "/referrals/track", "POST"),
        (Method::PATCH, "/referrals/convert", "POST"),
        (Method::POST, "/commissions", "GET,HEAD"),
        (Method::POST, "/commissions/comm_1/status", "PUT"),
        (Method::GET, "/commissions/status", "POST"),
        (Method::GET, "/conversions/conv_1/refunds", "POST"),
        (Method::POST, "/program", "GET,HEAD"),
        (Method::OPTIONS, "/affiliates", "GET,HEAD,POST"),
        (Method::from_bytes(b"BREW").unwrap(), "/affiliates", "GET,HEAD,POST"),
        (Method::POST, "/openapi.json", "GET,HEAD"),
    ] {
        let answer = Answer::of(site.api.request(method.clone(), path).json(&json!({})).send().await.unwrap()).await;
        answer.fails(405, "invalid_request", None);
        assert!(!answer.text.contains("details"), "{answer:?}");
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    assert_eq!(stored(&site).await, 0);
}

#[tokio::test]
async fn a_body_must_be_declared_as_json() {
    let site = Site::start().await;
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonx"),
        Some("text/json"),
        Some(""),
    ] {
        for (method, path) in [
            (Method::POST, "/affiliates"),
            (Method::PATCH, "/affiliates/aff_1"),
            (Method::POST, "/referrals/track"),
            (Method::POST, "/referrals/convert"),
            (Method::PUT, "/commissions/comm_1/status"),
            (Method::POST, "/commissions/status"),
            (Method::POST, "/conversions/conv_1/refunds"),
        ] {
            let mut request = site.api.request(method, path).body(with(""));
            if let Some(kind) = kind {
                request = request.header(header::CONTENT_TYPE, kind);
            }
            let answer = Answer::of(request.send().await.unwrap()).await;
            answer.fails(415, "invalid_request", None);
            assert!(!answer.text.contains("details"), "{answer:?}");
        }
    }
    assert_eq!(stored(&site).await, 0);
    let typed =
        site.api.request(Method::POST, "/affiliates").header(header::CONTENT_TYPE, "Application/JSON ; charset=utf-8");
    assert_eq!(typed.body(with("")).send().await.unwrap().status(), 201);
}

#[tokio::test]
async fn bad_json_as_a_whole_names_no_field() {
    let site = Site::start().await;
    for body in [
        "",
        " ",
        "{",
        "}",
        "[]",
        "[{}]",
        "null",
        "1",
        "\"x\"",
        "{'email':1}",
        "{\"email\":}",
        "{} {}",
        "{}x",
        "\u{feff}{}",
        "{\"email\":\"a\\x\"}",
        "{\"a\":tru}",
        "{\"a\":NaN}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{1:2}",
        "// x\n{}",
        "\0",
        "{\"a\":\"\n\"}",
    ] {
        refused(&site, body, None).await;
    }
    // A comma too many, and members that would make an affiliate otherwise.
    for members in
        [",", ",\"x\":[1,]", ",\"x\":{\"a\":1", ",\"x\":\"\\ud800\"", ",\"x\":\"\\udc00\\ud800\"", ",\"\\ud800\":1"]
    {
        refused(&site, with(members), None).await;
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8() {
    let site = Site::start().await;
    for bytes in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80"] {
        for place in ["name", "unknown"] {
            let body = [b"{\"email\":\"b@example.com\",\"name\":\"B\",\"", place.as_bytes(), b"2\":\"", bytes, b"\"}"]
                .concat();
            refused(&site, body, None).await;
        }
    }
    // A pair of surrogates is a character, and so is its UTF-8.
    assert_eq!(post(&site, with(r#","x":"\ud83d\ude00 😀""#)).await.status, 201);
}

#[tokio::test]
async fn control_characters_are_refused_wherever_they_are() {
    let site = Site::start().await;
    for code in (0u32..0x20).chain([0x7f]) {
        let escape = format!("\\u{code:04x}");
        if code == 0x0a || code == 0x09 {
            continue;
        }
        refused(&site, with(&format!(r#","unknown":"a{escape}b""#)), Some("unknown")).await;
        refused(&site, with(&format!(r#","customFields":{{"a":[{{"b":"{escape}"}}]}}"#)), Some("customFields")).await;
        refused(&site, with(&format!(r#","customFields":{{"a{escape}":1}}"#)), Some("customFields")).await;
        refused(&site, with(&format!(r#","a{escape}":1"#)), None).await;
    }
    refused(&site, br#"{"email":"b@example.com\u0000","name":"B"}"#.to_vec(), Some("email")).await;
    refused(&site, br#"{"email":"b@example.com","name":"B\r"}"#.to_vec(), Some("name")).await;
    assert_eq!(post(&site, with(r#","customFields":{"a\nb":"c\td\u0080"}"#)).await.status, 201);
}

#[tokio::test]
async fn a_name_twice_in_one_object_is_refused_anywhere() {
    let site = Site::start().await;
    for (members, field) in [
        (r#","name":"B""#, None),
        (r#","\u006eame":"B""#, None),
        (r#","x":1,"x":1"#, None),
        (r#","customFields":{"a":1,"a":1}"#, Some("customFields")),
        (r#","unknown":[[{"a":{"b":1,"c":2,"b":3}}]]"#, Some("unknown")),
    ] {
        refused(&site, with(members), field).await;
    }
    assert_eq!(post(&site, with(r#","x":{"a":1},"y":{"a":1},"Name":"other""#)).await.status, 201, "in two objects");
}

#[tokio::test]
async fn nesting_ends_at_64_with_the_body_as_1() {
    let site = Site::start().await;
    let arrays = |depth: usize| format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth - 1), "}".repeat(depth - 1));
    for depth in [65, 66, 127, 128, 129, 200, 20_000] {
        for value in [arrays(depth), objects(depth)] {
            refused(&site, with(&format!(r#","x":{value}"#)), Some("x")).await;
            refused(&site, with(&format!(r#","customFields":{{"x":{value}}}"#)), Some("customFields")).await;
        }
    }
    refused(&site, "[".repeat(200_000), None).await;
    let body = format!(r#"{{"email":"b@example.com","name":"B","x":{},"customFields":{}}}"#, arrays(64), objects(64));
    assert_eq!(post(&site, body).await.status, 201, "64 is allowed");
}

#[tokio::test]
async fn numbers_have_at_most_64_characters() {
    let site = Site::start().await;
    for number in [
        "1".repeat(65),
        format!("-{}", "1".repeat(64)),
        format!("0.{}", "0".repeat(63)),
        format!("1e{}", "0".repeat(63)),
    ] {
        assert_eq!(number.len(), 65);
        refused(&site, with(&format!(r#","x":{number}"#)), Some("x")).await;
        refused(&site, with(&format!(r#","customFields":{{"a":[{number}]}}"#)), Some("customFields")).await;
    }
    assert_eq!(post(&site, with(&format!(r#","x":{},"y":1e400,"z":-0"#, "1".repeat(64)))).await.status, 201);
}

/// What a client that writes its own HTTP is answered to `POST /affiliates` with the rest of its head and its body.
async fn raw_http(site: &Site, rest: String) -> String {
    let (address, key) = (site.address, site.api.key.clone());
    let talk = move || {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let head = "POST /v1/affiliates HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
        stream.write_all(format!("{head}Authorization: Bearer {key}\r\n{rest}").as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(talk).await.unwrap()
}

#[tokio::test]
async fn a_body_has_at_most_256_kib() {
    let site = Site::start().await;
    let padded = |size: usize| {
        let mut body = with("");
        body.resize(size, b' ');
        body
    };
    for size in [LIMIT + 1, 3 * 1024 * 1024] {
        for (method, path) in [
            (Method::POST, "/affiliates"),
            (Method::POST, "/referrals/convert"),
            (Method::PUT, "/commissions/comm_1/status"),
        ] {
            let answer = site.api.raw(method, path, padded(size)).await;
            answer.fails(413, "invalid_request", None);
            assert!(!answer.text.contains("details"), "{answer:?}");
        }
        assert_eq!(stored(&site).await, 0);
    }
    let chunk = format!("2000\r\n{}\r\n", " ".repeat(0x2000)).repeat(64);
    let answer = raw_http(&site, format!("Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains(r#""code":"invalid_request""#), "{answer}");
    let asking = format!("Content-Length: {}\r\nExpect: 100-continue\r\n\r\n", LIMIT + 1);
    let answer = raw_http(&site, asking).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "told before it is sent: {answer}");
    assert_eq!(stored(&site).await, 0);
    assert_eq!(post(&site, padded(LIMIT)).await.status, 201, "256 KiB to the byte");
}

#[tokio::test]
async fn text_is_counted_in_characters_and_kept_as_given() {
    let site = Site::start().await;
    let name = "\u{1f469}\u{200d}\u{1f680}".repeat(66);
    let made = site.api.post("/affiliates", &json!({ "email": "b@example.com", "name": name })).await;
    assert_eq!(made.data()["affiliate"]["name"], name, "198 characters in 726 bytes");
    assert_eq!(site.api.get("/affiliates").await.data()["affiliates"][0]["name"], name);
}
