//! The pages that mailed links open: confirming an application and accepting an invitation. Looking changes
//! nothing, only the button does.

use askama::Template;
use axum::{
    Extension,
    extract::State,
    response::{IntoResponse as _, Response},
};
use tower_sessions::Session;

use super::{
    client::Client, earner, failure::Failure, filters, form::Form, html, input::PathToken, look, reply::Reply, session,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{application::Settings, email::Email, key::hash, one_time_link::Purpose, program::Program, text},
    flows::{
        Actor, Refusal, applications, invitations,
        joining::{In, Who},
    },
    password,
    store::{self, accounts, one_time_links, programs},
};

/// How the holder of a link comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Door {
    /// Nobody has an account with this address yet.
    Password,
    /// Somebody has, and is not signed in here.
    SignIn,
    /// Signed in with this address.
    Open,
    /// Signed in with another.
    Another(String),
}

#[derive(Template)]
#[template(path = "public/join.html")]
struct Join {
    is_invitation: bool,
    program: Program,
    settings: Settings,
    email: String,
    path: String,
    door: Door,
    form: Form,
}

impl Join {
    /// The page in the program's own look.
    fn branded(self, reply: fn(Self) -> Reply) -> Response {
        (Extension(look::Of(self.program.slug.clone())), reply(self)).into_response()
    }
}

#[derive(Template)]
#[template(path = "public/gone.html")]
struct Gone {
    is_invitation: bool,
}

async fn load(app: &App, session: &Session, purpose: Purpose, token: &str) -> Result<Option<Join>, Failure> {
    let signed_in = html::account(session).await?;
    let mut tx = app.db.read().await?;
    let link = one_time_links::good(&mut tx, purpose, &hash(token), app.clock.now()).await?;
    let Some(link) = link else { return Ok(None) };
    let (Some(program), Some(email)) = (link.program_id, link.email.as_deref()) else { return Ok(None) };
    let (Some(program), Ok(email)) = (programs::by_id(&mut tx, program).await?, Email::parse(email)) else {
        return Ok(None);
    };
    let is_invitation = purpose == Purpose::AffiliateInvitation;
    let name = if is_invitation {
        store::invitations::by_link(&mut tx, link.id).await?.map(|found| found.name)
    } else {
        store::applications::by_link(&mut tx, link.id).await?.map(|found| found.name)
    };
    let Some(name) = name else { return Ok(None) };
    let owner = accounts::by_email(&mut tx, &email).await?.map(|account| account.id);
    let door = match (signed_in, owner) {
        (Some(me), owner) if owner == Some(me) => Door::Open,
        (Some(me), _) => {
            Door::Another(accounts::person(&mut tx, me).await?.map(|person| person.email).unwrap_or_default())
        }
        (None, Some(_)) => Door::SignIn,
        (None, None) => Door::Password,
    };
    let settings = store::applications::settings(&mut tx, program.id).await?;
    let form = Form::of(&[("name", &name)]);
    let path = format!("/{}{token}", purpose.path());
    Ok(Some(Join { is_invitation, program, settings, email: email.as_str().to_owned(), path, door, form }))
}

async fn show(app: &App, session: &Session, purpose: Purpose, token: &str) -> Result<Response, Failure> {
    Ok(match load(app, session, purpose, token).await? {
        Some(page) => page.branded(Reply::page),
        None => Reply::page(Gone { is_invitation: purpose == Purpose::AffiliateInvitation }).into_response(),
    })
}

async fn go_in(
    app: App,
    session: Session,
    client: &Client,
    purpose: Purpose,
    token: &str,
    form: Form,
) -> Result<Response, Failure> {
    let is_invitation = purpose == Purpose::AffiliateInvitation;
    let Some(mut page) = load(&app, &session, purpose, token).await? else {
        return Ok(Reply::page(Gone { is_invitation }).into_response());
    };
    let offered = page.form.get("name").to_owned();
    page.form = form;
    let name = if is_invitation {
        page.form.read("name", |text| text::name(text).map(|()| text.to_owned()))
    } else {
        Some(offered)
    };
    if is_invitation && page.settings.has_terms() && !page.form.is_checked("terms") {
        page.form.wrong("terms", "must be agreed to before you join");
    }
    let who = match page.door {
        Door::Open => html::account(&session).await?.map(Who::Account),
        Door::Password => {
            let given = page.form.get("password").to_owned();
            match password::check(&given) {
                Ok(()) if page.form.is_good() => {
                    let password_hash = password::hash(given).await.ok_or_else(Failure::unavailable)?;
                    Some(Who::New { password_hash })
                }
                Ok(()) => None,
                Err(issue) => {
                    page.form.wrong("password", issue.0);
                    None
                }
            }
        }
        Door::SignIn | Door::Another(_) => None,
    };
    let (Some(who), Some(name), true) = (who, name, page.form.is_good()) else {
        return Ok(page.branded(Reply::invalid));
    };

    let (is_new, program) = (matches!(who, Who::New { .. }), page.program.clone());
    let (act, token_hash) = (app.act(program.into(), Actor::CommandLine), hash(token));
    let work = app.db.write(move |tx| {
        Box::pin(async move {
            if is_invitation {
                invitations::accept(tx, act, &token_hash, &name, who).await
            } else {
                applications::confirm(tx, act, &token_hash, who).await
            }
        })
    });
    match work.await {
        Ok(joined) => {
            if is_new {
                session::start(&app, &session, client, joined.account, Some(app.clock.now())).await?;
            }
            Ok(welcome(&session, &page, joined).await?.into_response())
        }
        Err(Refusal::NotFound(_)) => Ok(Reply::page(Gone { is_invitation }).into_response()),
        Err(refusal) => {
            page.form.refused(refusal)?;
            Ok(page.branded(Reply::invalid))
        }
    }
}

async fn welcome(session: &Session, page: &Join, joined: In) -> Result<Reply, Failure> {
    session.insert(earner::CHOSEN, &page.program.slug).await.map_err(|_| Failure::unavailable())?;
    let _ = session.remove_value(earner::VIEWED).await.map_err(|_| Failure::unavailable())?;
    let name = &page.program.name;
    let told = if joined.is_active {
        format!("Welcome to {name}. Your link is ready.")
    } else {
        format!("Your address is confirmed. {name} has your application.")
    };
    Ok(Reply::done("/home", Notice::done(told)))
}

/// `GET /applications/confirm/{token}`
pub async fn confirmation(
    State(app): State<App>,
    session: Session,
    PathToken(token): PathToken,
) -> Result<Response, Failure> {
    show(&app, &session, Purpose::ConfirmApplication, &token).await
}

/// `POST /applications/confirm/{token}`
pub async fn confirm(
    State(app): State<App>,
    session: Session,
    client: Client,
    PathToken(token): PathToken,
    form: Form,
) -> Result<Response, Failure> {
    go_in(app, session, &client, Purpose::ConfirmApplication, &token, form).await
}

/// `GET /invitations/affiliate/{token}`
pub async fn invitation(
    State(app): State<App>,
    session: Session,
    PathToken(token): PathToken,
) -> Result<Response, Failure> {
    show(&app, &session, Purpose::AffiliateInvitation, &token).await
}

/// `POST /invitations/affiliate/{token}`
pub async fn accept(
    State(app): State<App>,
    session: Session,
    client: Client,
    PathToken(token): PathToken,
    form: Form,
) -> Result<Response, Failure> {
    go_in(app, session, &client, Purpose::AffiliateInvitation, &token, form).await
}
