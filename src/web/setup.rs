//! The one-time address of a fresh installation: the first account and the first program in one form.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    failure::Failure,
    html,
    input::{Form, Query},
    reply::Reply,
};
use crate::{
    app::App,
    domain::{
        Issue, code,
        email::Email,
        key::hash,
        money::{Currency, Rate},
        program::{self, Program},
        text,
    },
    flows::{
        Actor, Refusal,
        accounts::{self, NewAccount},
        programs,
    },
    password, store,
};

/// What was filled in, and what is wrong with it.
#[derive(Template, Default)]
#[template(path = "setup.html")]
struct Setup {
    token: String,
    email: String,
    name: String,
    program: String,
    slug: String,
    currency: String,
    commission: String,
    landing_url: String,
    domains: String,
    errors: Vec<String>,
}

pub async fn show(State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let token = query.get("token").unwrap_or_default().to_owned();
    let mut tx = app.db.read().await?;
    if !store::accounts::is_setup_token(&mut tx, &hash(&token)).await? {
        return Err(Failure::no_route());
    }
    Ok(Reply::page(Setup { token, currency: "USD".into(), commission: "20%".into(), ..Setup::default() }))
}

pub async fn create(State(app): State<App>, session: Session, form: Form) -> Result<Reply, Failure> {
    let token = form.get("token").to_owned();
    if !store::accounts::is_setup_token(&mut *app.db.read().await?, &hash(&token)).await? {
        return Err(Failure::no_route());
    }
    let (email, program) = match read(&app, &form) {
        Ok(read) => read,
        Err(errors) => return Ok(again(&form, errors)),
    };
    let Some(password_hash) = password::hash(form.get("password").to_owned()).await else {
        return Err(Failure::unavailable());
    };
    let new = NewAccount { email, name: form.get("name").to_owned(), password_hash: Some(password_hash) };
    let act = app.act(program.into(), Actor::CommandLine);
    let made = app.db.write(move |tx| Box::pin(async move { accounts::set_up(tx, act, &token, &new).await })).await;
    match made {
        Ok(account) => {
            session.cycle_id().await.map_err(|_| Failure::unavailable())?;
            session.insert(html::ACCOUNT, account.raw()).await.map_err(|_| Failure::unavailable())?;
            Ok(Reply::Go("/home".into()))
        }
        Err(Refusal::Field { field, issue }) => Ok(again(&form, vec![format!("{field} {issue}")])),
        Err(refusal) => Err(refusal.into()),
    }
}

fn read(app: &App, form: &Form) -> Result<(Email, Program), Vec<String>> {
    let mut errors = Vec::new();
    let mut wrong = |label: &str, issue: Issue| errors.push(format!("{label} {issue}"));
    let email = Email::parse(form.get("email")).map_err(|issue| wrong("E-mail", issue)).ok();
    let _ = text::name(form.get("name")).map_err(|issue| wrong("Your name", issue));
    let _ = password::check(form.get("password")).map_err(|issue| wrong("Password", issue));
    let _ = text::name(form.get("program")).map_err(|issue| wrong("Program name", issue));
    let _ = code::slug(form.get("slug")).map_err(|issue| wrong("Short name", issue));
    let currency = Currency::parse(form.get("currency")).map_err(|issue| wrong("Currency", issue)).ok();
    let rate = Rate::parse(form.get("commission")).map_err(|issue| wrong("Commission", issue)).ok();
    let landing_url = Some(form.get("landing_url")).filter(|text| !text.is_empty()).map(program::landing_url);
    let landing_url = landing_url.transpose().map_err(|issue| wrong("Landing page", issue)).ok().flatten();
    let domains = program::domains(form.get("domains")).map_err(|issue| wrong("Allowed domains", issue)).ok();
    match (email, currency, rate, domains) {
        (Some(email), Some(currency), Some(rate), Some(domains)) if errors.is_empty() => {
            let id = app.ids.next(app.clock.now());
            let new = programs::new(id, form.get("slug").to_owned(), form.get("program").to_owned(), currency);
            Ok((email, Program { rate, landing_url, domains, ..new }))
        }
        _ => Err(errors),
    }
}

/// The form as it was filled in, but for the password.
fn again(form: &Form, errors: Vec<String>) -> Reply {
    let text = |name: &str| form.get(name).to_owned();
    Reply::page(Setup {
        token: text("token"),
        email: text("email"),
        name: text("name"),
        program: text("program"),
        slug: text("slug"),
        currency: text("currency"),
        commission: text("commission"),
        landing_url: text("landing_url"),
        domains: text("domains"),
        errors,
    })
}
