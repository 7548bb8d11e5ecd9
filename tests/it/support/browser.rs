//! A browser: keeps its cookies, says where its forms come from, follows nothing by itself.

use std::sync::Arc;

use offshoot::{
    domain::{
        email::Email,
        id::{AccountId, AffiliateId},
        role::Role,
    },
    flows::{
        Refusal,
        accounts::{self, NewAccount},
    },
    password, store,
};
use reqwest::{Client, RequestBuilder, redirect::Policy};
use scraper::{Html, Selector};

use super::{Answer, Site};

pub const PASSWORD: &str = "correct horse battery";

#[derive(Clone)]
pub struct Browser {
    client: Client,
    base: String,
}

impl Browser {
    pub fn at(address: std::net::SocketAddr) -> Self {
        let client = Client::builder().redirect(Policy::none()).cookie_store(true).build().unwrap();
        Self { client, base: format!("http://{address}") }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.base)).send().await.unwrap()).await
    }

    /// A download: its headers, and its bytes as they are.
    pub async fn download(&self, path: &str) -> (reqwest::header::HeaderMap, Vec<u8>) {
        let answer = self.client.get(format!("{}{path}", self.base)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        (answer.headers().clone(), answer.bytes().await.unwrap().to_vec())
    }

    /// A form that says nothing of where it comes from.
    pub fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let request = self.client.post(format!("{}{path}", self.base));
        let kind = "application/x-www-form-urlencoded";
        request.header("content-type", kind).body(body.collect::<Vec<_>>().join("&"))
    }

    /// A form of this portal's own page.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        Answer::of(self.form(path, fields).header("sec-fetch-site", "same-origin").send().await.unwrap()).await
    }

    /// A form with files in it, written out.
    pub async fn upload(&self, path: &str, boundary: &str, body: Vec<u8>) -> Answer {
        let request = self.client.post(format!("{}{path}", self.base)).header("sec-fetch-site", "same-origin");
        let kind = format!("multipart/form-data; boundary={boundary}");
        Answer::of(request.header("content-type", kind).body(body).send().await.unwrap()).await
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> Answer {
        self.post("/login", &[("email", email), ("password", password)]).await
    }
}

/// Percent-encoded, every byte that is not a letter or digit.
pub fn encoded(text: &str) -> String {
    let byte =
        |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(byte).collect()
}

/// An account with [`PASSWORD`]; an owner of the site's program, where it is one.
pub async fn account(site: &Site, email: &str, is_owner: bool) -> AccountId {
    let password_hash = password::hash(PASSWORD.into()).await;
    let new = NewAccount { email: Email::parse(email).unwrap(), name: "Somebody".into(), password_hash };
    let (ids, now, program) = (Arc::clone(&site.app.ids), site.app.clock.now(), site.program.id);
    let made = site.app.db.write(move |tx| {
        Box::pin(async move {
            let account = accounts::create(tx, &ids, now, &new).await?;
            if is_owner {
                store::accounts::join(tx, account, program, Role::Owner, now).await?;
            }
            Ok::<_, Refusal>(account)
        })
    });
    made.await.unwrap()
}

/// An account with [`PASSWORD`] that earns as that affiliate.
pub async fn account_of(site: &Site, affiliate: &str, email: &str) -> AccountId {
    let (owner, id) = (account(site, email, false).await, AffiliateId::parse(affiliate).unwrap());
    let given = site.app.db.write(move |tx| Box::pin(store::affiliates::give_to(tx, id, owner)));
    given.await.unwrap();
    owner
}

/// A browser in which somebody with [`PASSWORD`] is signed in.
pub async fn signed_in(site: &Site, email: &str) -> Browser {
    let browser = Browser::at(site.address);
    assert_eq!(browser.sign_in(email, PASSWORD).await.status, 303);
    browser
}

/// The text of everything that the selector finds, with single spaces.
pub fn texts(answer: &Answer, selector: &str) -> Vec<String> {
    let (page, selector) = (Html::parse_document(&answer.text), Selector::parse(selector).unwrap());
    let text = |element: scraper::ElementRef<'_>| {
        element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    page.select(&selector).map(text).collect()
}
