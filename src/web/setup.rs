//! The one-time address of a fresh installation: the first account and the first program in one form.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    client::Client, failure::Failure, filters, form::Form, input::Query, reply::Reply, session, shell::Notice,
};
use crate::{
    app::App,
    domain::{
        code,
        email::Email,
        key::hash,
        money::{Currency, Rate},
        program::{self, Program},
        text,
    },
    flows::{
        Actor,
        accounts::{self, NewAccount},
        programs,
    },
    password, store,
};

#[derive(Template)]
#[template(path = "setup.html")]
struct Setup {
    form: Form,
}

async fn is_open(app: &App, token: &str) -> Result<(), Failure> {
    let is_good = store::accounts::is_setup_token(&mut *app.db.read().await?, &hash(token)).await?;
    if is_good { Ok(()) } else { Err(Failure::no_route()) }
}

pub async fn show(State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let token = query.get("token").unwrap_or_default();
    is_open(&app, token).await?;
    Ok(Reply::page(Setup { form: Form::of(&[("token", token), ("currency", "USD"), ("commission", "20%")]) }))
}

pub async fn create(
    State(app): State<App>,
    session: Session,
    client: Client,
    mut form: Form,
) -> Result<Reply, Failure> {
    let token = form.get("token").to_owned();
    is_open(&app, &token).await?;
    let Some((new, program)) = read(&app, &mut form) else { return Ok(Reply::invalid(Setup { form })) };
    let password_hash = password::hash(form.get("password").to_owned()).await.ok_or_else(Failure::unavailable)?;
    let new = NewAccount { password_hash: Some(password_hash), ..new };

    let act = app.act(program.into(), Actor::CommandLine);
    let made = app.db.write(move |tx| Box::pin(async move { accounts::set_up(tx, act, &token, &new).await })).await;
    match made {
        Ok(account) => {
            session::start(&app, &session, &client, account, Some(app.clock.now())).await?;
            Ok(Reply::done("/", Notice::done("Your program is ready. Invite your first affiliate next.")))
        }
        Err(refusal) => {
            form.refused(refusal)?;
            Ok(Reply::invalid(Setup { form }))
        }
    }
}

fn read(app: &App, form: &mut Form) -> Option<(NewAccount, Program)> {
    let name = form.read("name", |text| text::name(text).map(|()| text.to_owned()));
    let email = form.read("email", Email::parse);
    let own = [form.get("email").to_owned(), form.get("program").to_owned()];
    form.read("password", |password| password::check_for(password, &own.each_ref().map(String::as_str)));
    let program = form.read("program", |name| text::name(name).map(|()| name.to_owned()));
    let slug = form.read("slug", |slug| code::slug(slug).map(|()| slug.to_owned()));
    let currency = form.read("currency", Currency::parse);
    let rate = form.read("commission", Rate::parse);
    let landing_url = form.read_filled("landing_url", program::landing_url);
    let domains = form.read("domains", program::domains);
    if !form.is_good() {
        return None;
    }
    let new = programs::new(app.ids.next(app.clock.now()), slug?, program?, currency?);
    let program = Program { rate: rate?, landing_url, domains: domains?, ..new };
    Some((NewAccount { email: email?, name: name?, password_hash: None }, program))
}
