//! The server inside the test's process, on a clock that the test sets: a real listener, real requests.

use std::{net::SocketAddr, sync::Arc};

use offshoot::{
    app::App,
    clock::Clock,
    config::{Config, Given},
    domain::{
        email::Email, id::Id, key::Scope, money::Currency, money::Rate, one_time_link::Purpose, program::Program,
        time::Time,
    },
    flows::{
        Act, Actor, Refusal,
        accounts::{self, NewAccount},
        one_time_links, programs,
    },
    secret::SecretKey,
    store::{self, proof},
    web,
};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;
use tokio::{net::TcpListener, sync::oneshot};

use super::Database;

/// When every site begins: 2026-03-01T12:00:00Z.
pub const START: Time = Time::from_ms(1_772_366_400_000);

pub struct Site {
    pub app: App,
    pub database: Arc<Database>,
    pub address: SocketAddr,
    pub program: Arc<Program>,
    /// With a full key of the program `acme`.
    pub api: Api,
    stop: Option<oneshot::Sender<()>>,
}

impl Site {
    /// A program `acme` in USD at 20 %, without rate limits.
    pub async fn start() -> Self {
        Self::with(&[("OFFSHOOT_RATE_LIMIT", "0")]).await
    }

    /// The same with these settings.
    pub async fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(Arc::new(Database::new().await), settings, "acme", "USD").await
    }

    /// The same in another currency.
    pub async fn in_currency(currency: &str) -> Self {
        Self::on(Arc::new(Database::new().await), &[("OFFSHOOT_RATE_LIMIT", "0")], "acme", currency).await
    }

    /// A server of its own on a database that others may use too, with a program of that slug.
    pub async fn on(database: Arc<Database>, settings: &[(&str, &str)], slug: &str, currency: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let base = format!("http://{address}");
        let given = Given { listen: address.to_string(), database_url: database.url.clone() };
        let config = Config::read(&given, |name| {
            let set = settings.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            set.or_else(|| (name == "OFFSHOOT_BASE_URL").then(|| base.clone()))
        });
        let app = App::open(config.unwrap(), SecretKey::new([7; 32]), Clock::set_to(START)).await.unwrap();

        let (stop, stopped) = oneshot::channel::<()>();
        let trees = web::Trees::new(app.clone());
        tokio::spawn(web::server::serve(listener, trees, async { drop(stopped.await) }));
        let program = program(&app, slug, currency).await;
        let key = key(&app, &program, Scope::Full).await;
        let api = Api::new(address, &key);
        Self { app, database, address, program, api, stop: Some(stop) }
    }

    /// Another program on the same server, with a full key of its own.
    pub async fn another_program(&self, slug: &str) -> (Arc<Program>, Api) {
        let program = program(&self.app, slug, "USD").await;
        let key = key(&self.app, &program, Scope::Full).await;
        (program, Api::new(self.address, &key))
    }

    /// A client with a key of that scope.
    pub async fn key(&self, scope: Scope) -> Api {
        Api::new(self.address, &key(&self.app, &self.program, scope).await)
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Moves the site's clock.
    pub fn advance_seconds(&self, seconds: i64) {
        self.app.clock.set(self.app.clock.now().plus_seconds(seconds));
    }

    /// Every total is the sum of its rows.
    pub async fn check_ledger(&self) {
        let differences = self.app.db.snapshot(|tx| Box::pin(proof::differences(tx))).await.unwrap();
        assert_eq!(differences, Vec::<String>::new());
    }

    /// An affiliate with that code, by the API; their id.
    pub async fn affiliate(&self, code: &str) -> String {
        self.api.affiliate(code).await
    }

    /// Where the newest good link of that purpose to the address leads; waited for, as some are made after
    /// the answer.
    pub async fn link(&self, purpose: Purpose, email: &str) -> String {
        let is_it = format!("purpose = '{purpose}' AND email = '{email}' AND used_at IS NULL");
        let sql = format!("SELECT COALESCE(MAX(id), 0) FROM one_time_links WHERE {is_it}");
        for _ in 0..100 {
            match self.database.number(&sql).await {
                0 => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                id => return format!("/{}", one_time_links::path(&self.app.secret, purpose, Id::new(id))),
            }
        }
        panic!("no link of {purpose} to {email}")
    }

    /// Blocks, pauses or activates an affiliate.
    pub async fn set_affiliate(&self, id: &str, status: &str) {
        let changed = self.api.patch(&format!("/affiliates/{id}"), &serde_json::json!({ "status": status })).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}

async fn program(app: &App, slug: &str, currency: &str) -> Arc<Program> {
    let mut new =
        programs::new(app.ids.next(app.clock.now()), slug.into(), slug.into(), Currency::parse(currency).unwrap());
    new.rate = Rate::parse("20%").unwrap();
    new.landing_url = Some("https://shop.example/start".parse().unwrap());
    new.domains = vec!["shop.example".into()];
    let act = app.act(Arc::new(new), Actor::CommandLine);
    let program = Arc::clone(&act.program);
    let email = Email::parse(&format!("owner@{slug}.example")).unwrap();
    let account = NewAccount { email, name: "Owner".into(), password_hash: None };
    write(app, act, move |tx, act| {
        Box::pin(async move {
            let owner = accounts::create(tx, &act.ids, act.now, &account).await?;
            programs::create(tx, &act, owner).await
        })
    })
    .await;
    program
}

async fn key(app: &App, program: &Arc<Program>, scope: Scope) -> String {
    let act = app.act(Arc::clone(program), Actor::CommandLine);
    let secret = write(app, act, move |tx, act| {
        Box::pin(async move { programs::create_key(tx, &act, "test", scope, None).await })
    });
    secret.await.as_str().to_owned()
}

async fn write<T, F>(app: &App, act: Act, work: F) -> T
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut store::Tx, Act) -> futures_util::future::BoxFuture<'t, Result<T, Refusal>>
        + Send
        + 'static,
{
    app.db.write(move |tx| work(tx, act)).await.unwrap()
}

/// A client of `/v1` with a key.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    pub key: String,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    /// `null` where the answer is not JSON.
    pub json: Value,
}

impl Answer {
    pub async fn of(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap_or_default();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, json }
    }

    /// What is under `data`, of a success.
    pub fn data(&self) -> &Value {
        assert_eq!(self.json["success"], true, "{self:?}");
        &self.json["data"]
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// A failure in the envelope of the reference: status, code and the field it names.
    #[track_caller]
    pub fn fails(&self, status: u16, code: &str, field: Option<&str>) {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        assert_eq!(self.json["success"], false, "{self:?}");
        assert_eq!(self.json["error"]["code"], code, "{self:?}");
        assert!(self.json["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        assert_eq!(self.json["error"]["details"]["field"].as_str(), field, "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
    }

    /// 400 naming the field.
    #[track_caller]
    pub fn refuses(&self, field: &str) {
        self.fails(400, "invalid_request", Some(field));
    }
}

impl Api {
    pub fn new(address: SocketAddr, key: &str) -> Self {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { client, base: format!("http://{address}/v1"), key: key.to_owned() }
    }

    /// A request to a path below `/v1`, with the key.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.key)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body).send().await.unwrap()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body).send().await.unwrap()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(body).send().await.unwrap()).await
    }

    /// A body of bytes as they are, as JSON.
    pub async fn raw(&self, method: Method, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.try_raw(method, path, body).await.unwrap()
    }

    /// The same, where the server may go away in the middle.
    pub async fn try_raw(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Vec<u8>>,
    ) -> Result<Answer, reqwest::Error> {
        let request = self.request(method, path).header("content-type", "application/json").body(body.into());
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, text, json })
    }

    /// An affiliate with that code; their id.
    pub async fn affiliate(&self, code: &str) -> String {
        let body = serde_json::json!({ "email": format!("{code}@example.com"), "name": code, "referralCode": code });
        let made = self.post("/affiliates", &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.data()["affiliate"]["id"].as_str().unwrap().to_owned()
    }

    /// A click by code; its id.
    pub async fn click(&self, code: &str) -> String {
        let made = self.post("/referrals/track", &serde_json::json!({ "referralCode": code })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        made.data()["clickId"].as_str().unwrap().to_owned()
    }

    /// A sale by code; the whole answer.
    pub async fn sale(&self, code: &str, amount: &str, order: &str) -> Answer {
        let body = format!(r#"{{"referralCode":"{code}","amount":{amount},"orderId":"{order}"}}"#);
        self.raw(Method::POST, "/referrals/convert", body).await
    }

    /// The commission of the newest sale of an affiliate; its id.
    pub async fn newest_commission(&self, affiliate: &str) -> String {
        let list = self.get(&format!("/commissions?affiliateId={affiliate}&limit=1")).await;
        list.data()["commissions"][0]["id"].as_str().unwrap().to_owned()
    }

    /// Sets a commission's status; the whole answer.
    pub async fn decide(&self, commission: &str, status: &str) -> Answer {
        self.put(&format!("/commissions/{commission}/status"), &serde_json::json!({ "status": status })).await
    }
}
