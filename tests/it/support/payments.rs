//! A merchant's payment providers: they sign and send the payloads of `tests/payloads`.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use offshoot::{
    domain::{key::hex, providers::Provider},
    flows::{Actor, Refusal, provider_connections},
    jobs,
};
use reqwest::Client;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Answer, Site};

/// What stands in every id of a payload, so that one payload makes many payments.
const TOKEN: &str = "770001";

/// A payload's text with its own ids.
pub fn payload(provider: Provider, name: &str, number: usize) -> String {
    let file = format!("tests/payloads/{provider}/{name}.json");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&file));
    text.unwrap_or_else(|error| panic!("{file}: {error}")).replace(TOKEN, &format!("{number:06}"))
}

/// A sale of 100.00 as a merchant's own server tells it, with more in its data.
pub fn own_sale(order: &str, more: &Value) -> String {
    let mut data = json!({ "orderId": order, "amount": 100, "currency": "USD" });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "type": "sale", "data": data }).to_string()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

pub struct Payments<'a> {
    pub site: &'a Site,
    pub provider: Provider,
    pub secret: String,
    pub client: Client,
}

impl<'a> Payments<'a> {
    /// Connects the provider, live.
    pub async fn connect(site: &'a Site, provider: Provider) -> Self {
        let secret = format!("whsec_{}", STANDARD.encode(format!("{provider} secret of tests")));
        connect(site, provider, &secret, false).await;
        Self { site, provider, secret, client: Client::new() }
    }

    /// The signature's headers, made now.
    pub fn headers(&self, id: &str, body: &str) -> Vec<(&'static str, String)> {
        let now = self.site.app.clock.now().ms() / 1_000;
        let key = self.secret.as_bytes();
        match self.provider {
            Provider::Stripe => {
                vec![("stripe-signature", format!("t={now},v1={}", hex(&mac(key, &format!("{now}.{body}")))))]
            }
            Provider::Paddle => {
                vec![("paddle-signature", format!("ts={now};h1={}", hex(&mac(key, &format!("{now}:{body}")))))]
            }
            Provider::LemonSqueezy => vec![("x-signature", hex(&mac(key, body)))],
            Provider::Polar | Provider::Generic => {
                let own = STANDARD.decode(self.secret.strip_prefix("whsec_").unwrap()).unwrap();
                let key = if self.provider == Provider::Polar { key } else { &own };
                let signature = STANDARD.encode(mac(key, &format!("{id}.{now}.{body}")));
                let standard = [("webhook-id", id.to_owned()), ("webhook-timestamp", now.to_string())];
                standard.into_iter().chain([("webhook-signature", format!("v1,{signature}"))]).collect()
            }
        }
    }

    pub async fn send(&self, headers: &[(&'static str, String)], body: impl Into<reqwest::Body>) -> Answer {
        let mut request = self.client.post(self.site.url(&format!("/hooks/acme/{}", self.provider)));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        Answer::of(request.header("content-type", "application/json").body(body).send().await.unwrap()).await
    }

    /// Tells what the payload says, signed, and has it looked at.
    pub async fn tell(&self, name: &str, number: usize) -> Answer {
        let body = payload(self.provider, name, number);
        let told = self.tell_text(&format!("msg_{name}_{number}"), &body).await;
        self.work_off().await;
        told
    }

    /// The same of any text, without looking at it.
    pub async fn tell_text(&self, id: &str, body: &str) -> Answer {
        let told = self.send(&self.headers(id, body), body.to_owned()).await;
        assert_eq!(told.status, 200, "{told:?}");
        told
    }

    /// Tells it and has it looked at.
    pub async fn tells(&self, id: &str, body: &str) {
        self.tell_text(id, body).await;
        self.work_off().await;
    }

    pub async fn work_off(&self) {
        jobs::work_off(&self.site.app).await.unwrap();
    }

    /// How many events are in that state.
    pub async fn events(&self, state: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM provider_events WHERE state = '{state}'");
        self.site.database.number(&sql).await
    }

    /// Total, pending and paid earnings of an affiliate, as they are written.
    pub async fn earnings(&self, affiliate: &str) -> String {
        let shown = self.site.api.get(&format!("/affiliates/{affiliate}")).await;
        let data = &shown.data()["affiliate"];
        format!("{} {} {}", data["totalEarnings"], data["pendingEarnings"], data["paidEarnings"])
    }
}

/// Connects a provider as its page does.
pub async fn connect(site: &Site, provider: Provider, secret: &str, is_test: bool) {
    let (act, secret) = (site.app.act(site.program.clone(), Actor::CommandLine), secret.to_owned());
    let connected = site.app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move { provider_connections::connect(tx, &act, provider, &secret, is_test).await })
    });
    connected.await.unwrap();
}
