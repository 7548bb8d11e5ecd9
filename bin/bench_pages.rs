//! What pages cost, as a browser asks for them: signed in through the form, compressed.

use std::error::Error;

use reqwest::{Client, header, redirect::Policy};
use sqlx::{Connection as _, PgConnection};

use super::{Bench, Engine, Load, print};

const MERCHANT: [(&str, &str); 3] = [
    ("the merchant's home", "/m/bench"),
    ("their affiliates", "/m/bench/affiliates"),
    ("their queue of commissions", "/m/bench/commissions"),
];
const AFFILIATE: [(&str, &str); 2] = [("an affiliate's home", "/home"), ("their earnings", "/earnings")];
/// What both accounts have.
pub const PASSWORD: &str = "only for measuring";
const AFFILIATES_ACCOUNT: &str = "affiliate@example.com";
/// So few that a page does not wait for others.
const CONNECTIONS: usize = 2;

/// The affiliate that most clicks are of gets an account of their own.
const GIVE: &str =
    "UPDATE affiliates SET account_id = (SELECT id FROM accounts WHERE email_key = 'affiliate@example.com')
    WHERE id = (SELECT MIN(affiliate_id) FROM affiliate_totals)";

impl Bench {
    pub async fn pages(&self, engine: &Engine) -> Result<(), Box<dyn Error>> {
        let who = ["user", "create", "--email", AFFILIATES_ACCOUNT, "--name", "Affiliate", "--password-stdin"];
        self.once(&engine.url, &who, &format!("{PASSWORD}\n"))?;
        if let Some(file) = engine.url.strip_prefix("sqlite://") {
            rusqlite::Connection::open(file)?.execute_batch(GIVE)?;
        } else {
            let mut pg = PgConnection::connect(&engine.url).await?;
            sqlx::query(GIVE).execute(&mut pg).await?;
        }
        for (email, pages) in [("bench@example.com", &MERCHANT[..]), (AFFILIATES_ACCOUNT, &AFFILIATE)] {
            let cookie = sign_in(engine, email).await?;
            for (what, path) in pages {
                let load = Load::page(path, &cookie, CONNECTIONS);
                is_shown(engine, path, &cookie).await?;
                let seen = load.run(&engine.server, self.settings.seconds.div_ceil(2), self.scratch.path())?;
                print(what, &seen, None, "< 5000 us");
            }
        }
        Ok(())
    }
}

fn client() -> reqwest::Result<Client> {
    Client::builder().redirect(Policy::none()).build()
}

/// The cookie of the session.
pub async fn sign_in(engine: &Engine, email: &str) -> Result<String, Box<dyn Error>> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("email", email)
        .append_pair("password", PASSWORD)
        .finish();
    let request = client()?.post(format!("http://{}/login", engine.server.address));
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let answer = request.header("sec-fetch-site", "same-origin").body(form).send().await?;
    let cookie = answer.headers().get(header::SET_COOKIE).ok_or_else(|| format!("{email} is not let in"))?;
    Ok(cookie.to_str()?.split(';').next().unwrap_or_default().to_owned())
}

pub async fn is_shown(engine: &Engine, path: &str, cookie: &str) -> Result<(), Box<dyn Error>> {
    let url = format!("http://{}{path}", engine.server.address);
    let answer = client()?.get(url).header(header::COOKIE, cookie).send().await?;
    if answer.status() == 200 { Ok(()) } else { Err(format!("{path}: {}", answer.status()).into()) }
}
