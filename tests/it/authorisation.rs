//! Who may do what: every operation of the OpenAPI document against every kind of caller.

use std::{collections::BTreeSet, sync::Arc};

use offshoot::{
    domain::{email::Email, key::Scope, one_time_link::Purpose},
    flows::{
        Actor, Refusal,
        one_time_links::{self, NewLink},
        programs,
    },
    store::{Error, accounts as stored},
};
use reqwest::header;
use serde_json::json;

use crate::support::{Answer, Api, Site, site::START};

/// What nobody with a good key is answered, then a track, a read and a full key, then another program's full
/// key that names what is the first's. Routes that name nothing are the other program's own.
const TABLE: &[(&str, &str, [u16; 5])] = &[
    ("GET", "/affiliates", [401, 403, 200, 200, 200]),
    ("POST", "/affiliates", [401, 403, 403, 201, 201]),
    ("GET", "/affiliates/{id}", [401, 403, 200, 200, 404]),
    ("PATCH", "/affiliates/{id}", [401, 403, 403, 200, 404]),
    ("POST", "/referrals/track", [401, 201, 403, 201, 404]),
    ("POST", "/referrals/convert", [401, 201, 403, 201, 404]),
    ("GET", "/commissions", [401, 403, 200, 200, 200]),
    ("GET", "/commissions/{id}", [401, 403, 200, 200, 404]),
    ("PUT", "/commissions/{id}/status", [401, 403, 403, 200, 404]),
    ("POST", "/commissions/status", [401, 403, 403, 200, 200]),
    ("GET", "/coupons", [401, 403, 200, 200, 200]),
    ("POST", "/coupons", [401, 403, 403, 201, 404]),
    ("GET", "/coupons/{id}", [401, 403, 200, 200, 404]),
    ("PATCH", "/coupons/{id}", [401, 403, 403, 200, 404]),
    ("GET", "/conversions", [401, 403, 200, 200, 200]),
    ("GET", "/conversions/{id}", [401, 403, 200, 200, 404]),
    ("POST", "/conversions/{id}/refunds", [401, 403, 403, 201, 404]),
    ("GET", "/affiliates/{id}/balance", [401, 403, 200, 200, 404]),
    ("POST", "/affiliates/{id}/adjustments", [401, 403, 403, 201, 404]),
    ("GET", "/payouts", [401, 403, 200, 200, 200]),
    // The other program owes nothing.
    ("POST", "/payouts", [401, 403, 403, 201, 400]),
    ("GET", "/payouts/{id}", [401, 403, 200, 200, 404]),
    ("POST", "/payouts/{id}/status", [401, 403, 403, 200, 404]),
    ("POST", "/payouts/{id}/lines/{line}/status", [401, 403, 403, 200, 404]),
    ("GET", "/program", [401, 403, 200, 200, 200]),
    ("GET", "/openapi.json", [200, 200, 200, 200, 200]),
];

const ROWS: &str =
    "SELECT (SELECT COUNT(*) FROM affiliates) + (SELECT COUNT(*) FROM clicks) + (SELECT COUNT(*) FROM conversions)
                    + (SELECT COUNT(*) FROM refunds) + (SELECT COUNT(*) FROM audit_log)";

/// What there is of the first program, and one of each to name.
struct World {
    site: Site,
    affiliate: String,
    click: String,
    conversion: String,
    commission: String,
    coupon: String,
    payout: String,
    line: String,
}

impl World {
    async fn new() -> Self {
        let site = Site::start().await;
        let affiliate = site.affiliate("mine").await;
        let click = site.api.click("mine").await;
        let sale = site.api.sale("mine", "1000", "o-1").await;
        let conversion = sale.data()["conversionId"].as_str().unwrap().to_owned();
        let commission = site.api.newest_commission(&affiliate).await;
        let made = site.api.post("/coupons", &json!({ "affiliateId": affiliate, "code": "MINE10" })).await;
        let coupon = made.data()["coupon"]["id"].as_str().unwrap().to_owned();
        let payee = site.affiliate("payee").await;
        let paid_by = json!({ "paymentMethod": "paypal", "paymentDetails": "payee@example.com" });
        site.api.patch(&format!("/affiliates/{payee}"), &paid_by).await;
        let earned = json!({ "amount": 5, "reason": "A bonus" });
        site.api.post(&format!("/affiliates/{payee}/adjustments"), &earned).await;
        let made = site.api.post("/payouts", &json!({})).await;
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let (payout, line) = (text(&made.data()["payout"]["id"]), text(&made.data()["lines"][0]["id"]));
        // For a payout more.
        site.api.post(&format!("/affiliates/{payee}/adjustments"), &earned).await;
        Self { site, affiliate, click, conversion, commission, coupon, payout, line }
    }

    /// The request of the line, as good as it can be. `n` keeps what must be unique apart.
    fn request(&self, api: &Api, method: &str, path: &str, n: usize) -> reqwest::RequestBuilder {
        let id = match path.split('/').nth(1).unwrap() {
            "affiliates" => &self.affiliate,
            "conversions" => &self.conversion,
            "coupons" => &self.coupon,
            "payouts" => &self.payout,
            _ => &self.commission,
        };
        let request = api.request(method.parse().unwrap(), &path.replace("{id}", id).replace("{line}", &self.line));
        let body = match (method, path) {
            ("POST", "/affiliates") => json!({ "email": format!("n{n}@example.com"), "name": "N" }),
            ("PATCH", _) => json!({ "name": "New" }),
            ("POST", "/referrals/track") => json!({ "referralCode": "mine" }),
            ("POST", "/referrals/convert") => json!({ "clickId": self.click, "amount": 1 }),
            ("POST", "/coupons") => json!({ "affiliateId": self.affiliate, "code": format!("CODE{n}") }),
            ("PUT", _) => json!({ "status": "approved" }),
            ("POST", "/commissions/status") => json!({ "ids": [self.commission], "status": "approved" }),
            ("POST", "/payouts") => json!({}),
            ("POST", path) if path.starts_with("/payouts/") => json!({ "status": "paid" }),
            ("POST", _) => json!({ "amount": 1, "reason": "A bonus" }),
            _ => return request,
        };
        request.json(&body)
    }

    async fn ask(&self, api: &Api, method: &str, path: &str, n: usize) -> Answer {
        Answer::of(self.request(api, method, path, n).send().await.unwrap()).await
    }

    /// A key that worked until it was revoked, or that expired; unknown to every cache.
    async fn spent_key(&self, revoked: bool) -> Api {
        let app = &self.site.app;
        let act = app.act(self.site.program.clone(), Actor::CommandLine);
        let made = app.db.write::<_, Refusal, _>(move |tx| {
            Box::pin(async move {
                let expiry = (!revoked).then_some(START);
                let secret = programs::create_key(tx, &act, "spent", Scope::Full, expiry).await?;
                if revoked {
                    programs::revoke_key(tx, &act, secret.prefix()).await?;
                }
                Ok(secret)
            })
        });
        Api::new(self.site.address, made.await.unwrap().as_str())
    }

    /// The cookie of the program's owner, signed in.
    async fn session(&self) -> String {
        let app = &self.site.app;
        let (ids, secret) = (Arc::clone(&app.ids), Arc::clone(&app.secret));
        let link = app.db.write::<_, Error, _>(move |tx| {
            Box::pin(async move {
                let email = Email::parse("owner@acme.example").unwrap();
                let owner = stored::by_email(tx, &email).await?.unwrap();
                one_time_links::create(tx, &ids, &secret, START, NewLink::sign_in(owner.id, &email)).await
            })
        });
        let path = one_time_links::path(&app.secret, Purpose::SignIn, link.await.unwrap());
        let url = self.site.url(&format!("/{path}"));
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let signed_in = client.post(url).header("sec-fetch-site", "same-origin").send().await.unwrap();
        let cookie = signed_in.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        let home =
            client.get(self.site.url("/m/acme/affiliates")).header(header::COOKIE, &cookie).send().await.unwrap();
        assert_eq!(home.status(), 200, "the session is good");
        cookie
    }
}

#[tokio::test]
async fn the_table_has_a_line_for_every_operation_and_no_other() {
    let site = Site::start().await;
    let served = site.api.get("/openapi.json").await;
    let described: BTreeSet<(String, String)> = served.json["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())))
        .collect();
    let lines: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(lines, described);
    assert_eq!(lines.len(), TABLE.len());
}

#[tokio::test]
async fn without_a_good_key_there_is_nothing() {
    let world = World::new().await;
    let (none, wrong) =
        (Api::new(world.site.address, ""), Api::new(world.site.address, "ofs_wrongwrongwrongwrongwrongwrong"));
    let (revoked, expired) = (world.spent_key(true).await, world.spent_key(false).await);
    let cookie = world.session().await;
    let before = world.site.database.number(ROWS).await;
    let client = reqwest::Client::new();
    for (method, path, [expected, ..]) in
        TABLE.iter().chain(&[("GET", "/nothing", [401; 5]), ("DELETE", "/affiliates", [401; 5])])
    {
        let mut answers = Vec::new();
        for api in [&none, &wrong, &revoked, &expired] {
            answers.push(world.ask(api, method, path, 0).await);
        }
        let mut with_cookie = world.request(&world.site.api, method, path, 0).build().unwrap();
        with_cookie.headers_mut().remove(header::AUTHORIZATION);
        with_cookie.headers_mut().insert(header::COOKIE, cookie.parse().unwrap());
        with_cookie.headers_mut().insert("sec-fetch-site", "same-origin".parse().unwrap());
        answers.push(Answer::of(client.execute(with_cookie).await.unwrap()).await);
        for answer in answers {
            assert_eq!(answer.status.as_u16(), *expected, "{method} {path}: {answer:?}");
            if *expected == 401 {
                answer.fails(401, "authentication_error", None);
                assert_eq!(answer.header("www-authenticate"), "Bearer");
                assert!(!answer.text.contains("details"), "{answer:?}");
            }
        }
    }
    assert_eq!(world.site.database.number(ROWS).await, before, "nothing was done");
}

#[tokio::test]
async fn a_key_does_what_its_scope_allows() {
    let world = World::new().await;
    for (scope, column) in [(Scope::Track, 1), (Scope::Read, 2), (Scope::Full, 3)] {
        let api = world.site.key(scope).await;
        for (n, (method, path, expected)) in TABLE.iter().enumerate() {
            let before = world.site.database.number(ROWS).await;
            let answer = world.ask(&api, method, path, n).await;
            assert_eq!(answer.status.as_u16(), expected[column], "{scope} {method} {path}: {answer:?}");
            if expected[column] == 403 {
                answer.fails(403, "permission_denied", None);
                assert_eq!(world.site.database.number(ROWS).await, before, "{scope} {method} {path}");
            }
        }
        // What is not there is not found for every good key.
        api.get("/nothing").await.fails(404, "resource_not_found", None);
    }
    world.site.check_ledger().await;
}

#[tokio::test]
async fn another_programs_key_finds_nothing_of_this_one() {
    let world = World::new().await;
    let (_, theirs) = world.site.another_program("other").await;
    let own = theirs.affiliate("theirs").await;
    let shown = |path: &str| {
        let (api, path) = (world.site.api.clone(), path.to_owned());
        async move { api.get(&path).await.text }
    };
    let mine = ["/affiliates", "/commissions", "/conversions"];
    let before = futures_util::future::join_all(mine.map(shown)).await;
    for (n, (method, path, [.., expected])) in TABLE.iter().enumerate() {
        let answer = world.ask(&theirs, method, path, n).await;
        assert_eq!(answer.status.as_u16(), *expected, "{method} {path}: {answer:?}");
        if *expected == 404 {
            answer.fails(404, "resource_not_found", None);
        }
        for secret in [&world.affiliate, &world.conversion, "mine@example.com"] {
            assert!(!answer.text.contains(secret), "{method} {path}: {answer:?}");
        }
        assert!(!answer.text.contains(r#""success":true,"commission""#), "{answer:?}");
    }
    for (list, first) in mine.into_iter().zip(before) {
        assert_eq!(shown(list).await, first, "{list} is as it was");
        let filtered = theirs.get(&format!("{list}?affiliateId={}", world.affiliate)).await;
        assert_eq!(filtered.status, 200);
    }
    assert_eq!(theirs.get("/affiliates").await.data()["affiliates"][1]["id"], own);
    world.site.check_ledger().await;
}

#[tokio::test]
async fn the_key_is_read_from_the_header_and_nowhere_else() {
    let world = World::new().await;
    let key = world.site.api.key.clone();
    let client = reqwest::Client::new();
    let url = world.site.url("/v1/program");
    for (value, expected) in [
        (format!("Bearer {key}"), 200),
        (format!("bearer {key}"), 200),
        (format!("BEARER  {key} "), 200),
        (key.clone(), 401),
        (format!("Basic {key}"), 401),
        (format!("Bearer {key}x"), 401),
        (format!("Bearer {}", key.to_lowercase()), 401),
        (format!("Bearer {}", &key[..key.len() - 1]), 401),
        ("Bearer".to_owned(), 401),
        ("Bearer ".to_owned(), 401),
        ("Bearer \u{e9}".to_owned(), 401),
        (String::new(), 401),
    ] {
        let answer = Answer::of(client.get(&url).header(header::AUTHORIZATION, &value).send().await.unwrap()).await;
        assert_eq!(answer.status.as_u16(), expected, "{value:?}: {answer:?}");
    }
    for query in ["key", "api_key", "access_token", "Authorization"] {
        let answer = client.get(format!("{url}?{query}={key}")).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{query}");
    }
}

#[tokio::test]
async fn a_key_never_opens_a_page() {
    let world = World::new().await;
    for page in ["/home", "/m/acme/affiliates", "/m/acme/commissions"] {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let asked = client.get(world.site.url(page)).bearer_auth(&world.site.api.key).send().await.unwrap();
        assert_eq!(asked.status(), 303, "{page}");
        assert!(asked.headers()[header::LOCATION].to_str().unwrap().starts_with("/login"));
    }
}

#[tokio::test]
async fn a_key_is_random_long_and_stored_as_a_hash_only() {
    let world = World::new().await;
    let key = &world.site.api.key;
    assert!(key.starts_with("ofs_") && key.len() >= 36, "{}", key.len());
    assert_ne!(world.site.key(Scope::Full).await.key, *key);
    let clear = "SELECT COUNT(*) FROM api_keys WHERE hash LIKE 'ofs%' OR LENGTH(hash) <> 64 OR LENGTH(prefix) > 12 OR LENGTH(last_four) <> 4";
    assert_eq!(world.site.database.number(clear).await, 0);
}
