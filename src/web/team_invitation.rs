//! The page that a team invitation leads to: for whoever is signed in with the invited address, or makes the
//! account there and then.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    client::Client, failure::Failure, filters, form::Form, html, input::PathToken, reply::Reply, session, shell::Notice,
};
use crate::{
    app::App,
    domain::{
        Issue, email::Email, id::AccountId, key::hash, one_time_link::Purpose, program::Program, role::Role, text,
    },
    flows::{
        Actor, Refusal,
        accounts::NewAccount,
        team::{self, Invited},
    },
    password,
    store::{accounts, one_time_links, programs},
};

/// What stands between the reader and the program.
enum Step {
    /// Signed in with the invited address.
    Join,
    /// Signed in with another.
    Other {
        email: String,
    },
    /// The address has an account.
    SignIn,
    Account,
    /// The invitation no longer works.
    Gone,
}

#[derive(Template)]
#[template(path = "team/invitation.html")]
struct Page {
    token: String,
    step: Step,
    program: String,
    email: String,
    role: Role,
    form: Form,
}

struct Found {
    step: Step,
    program: Arc<Program>,
    invited: Invited,
    account: Option<AccountId>,
}

async fn find(app: &App, session: &Session, token: &str) -> Result<Option<Found>, Failure> {
    let me = html::account(session).await?;
    let mut tx = app.db.read().await?;
    let link = one_time_links::good(&mut tx, Purpose::TeamInvitation, &hash(token), app.clock.now()).await?;
    let Some(invited) = link.as_ref().and_then(Invited::read) else { return Ok(None) };
    let Some(program) = programs::by_id(&mut tx, invited.program).await? else { return Ok(None) };
    let mine = match me {
        Some(me) => accounts::by_id(&mut tx, me).await?,
        None => None,
    };
    let step = match mine {
        Some(account) if account.email.to_lowercase() == invited.email.key() => Step::Join,
        Some(account) => Step::Other { email: account.email },
        None if accounts::by_email(&mut tx, &invited.email).await?.is_some() => Step::SignIn,
        None => Step::Account,
    };
    Ok(Some(Found { step, program: program.into(), invited, account: me }))
}

fn page(token: String, found: Option<Found>, form: Form) -> Page {
    match found {
        Some(Found { step, program, invited, .. }) => Page {
            token,
            step,
            program: program.name.clone(),
            email: invited.email.as_str().to_owned(),
            role: invited.role,
            form,
        },
        None => {
            Page { token, step: Step::Gone, program: String::new(), email: String::new(), role: Role::Viewer, form }
        }
    }
}

/// `GET /invitations/team/{token}`
pub async fn show(State(app): State<App>, session: Session, PathToken(token): PathToken) -> Result<Reply, Failure> {
    let found = find(&app, &session, &token).await?;
    Ok(Reply::page(page(token, found, Form::default())))
}

/// `POST /invitations/team/{token}`
pub async fn accept(
    State(app): State<App>,
    session: Session,
    client: Client,
    PathToken(token): PathToken,
    mut form: Form,
) -> Result<Reply, Failure> {
    let Some(found) = find(&app, &session, &token).await? else {
        return Ok(Reply::page(page(token, None, form)));
    };
    let new = match found.step {
        Step::Join => None,
        Step::Account => match read(&mut form, &found.invited.email, &found.program.name).await? {
            Some(new) => Some(new),
            None => return Ok(Reply::invalid(page(token, Some(found), form))),
        },
        Step::Other { .. } | Step::SignIn | Step::Gone => return Ok(Reply::page(page(token, Some(found), form))),
    };
    let is_new = new.is_some();
    let account = found.account.filter(|_| !is_new);
    let act = app.act(Arc::clone(&found.program), account.map_or(Actor::CommandLine, Actor::Account));
    let used = token.clone();
    let accepted =
        app.db.write(move |tx| Box::pin(async move { team::accept(tx, &act, &used, account, new.as_ref()).await }));
    match accepted.await {
        Ok(account) => {
            if is_new {
                session::start(&app, &session, &client, account, Some(app.clock.now())).await?;
            }
            let words = format!("Welcome to {}.", found.program.name);
            Ok(Reply::done(format!("/m/{}/affiliates", found.program.slug), Notice::done(words)))
        }
        Err(Refusal::NotFound(_)) => Ok(Reply::page(page(token, None, Form::default()))),
        Err(refusal) => {
            form.refused(refusal)?;
            Ok(Reply::invalid(page(token, Some(found), form)))
        }
    }
}

async fn read(form: &mut Form, email: &Email, program: &str) -> Result<Option<NewAccount>, Failure> {
    let name = form.read("name", |name| text::name(name).map(|()| name.to_owned()));
    let given = form.get("password").to_owned();
    if let Err(Issue(issue)) = password::check_for(&given, &[email.as_str(), program]) {
        form.wrong("password", issue);
    }
    let Some(name) = name.filter(|_| form.is_good()) else { return Ok(None) };
    let password_hash = password::hash(given).await.ok_or_else(Failure::unavailable)?;
    Ok(Some(NewAccount { email: email.clone(), name, password_hash: Some(password_hash) }))
}
