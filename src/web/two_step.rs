//! Two-step sign-in set up, and turned off again.

use askama::Template;
use axum::extract::State;

use super::{
    challenge,
    confirm::{self, Confirmed},
    failure::Failure,
    filters,
    form::Form,
    html::SignedIn,
    qr::Qr,
    reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{id::AccountId, two_step},
    flows::two_steps,
    store::{accounts, two_steps as stored},
};

/// What the page shows: where things stand.
enum Stage {
    Off,
    /// The secret in words and as a picture, to be confirmed by a code.
    Begun {
        secret: String,
        picture: Option<Qr>,
    },
    On {
        codes_left: i64,
    },
}

#[derive(Template)]
#[template(path = "account/two_step.html")]
struct TwoStep {
    stage: Stage,
    has_password: bool,
    form: Form,
}

async fn page(app: &App, me: AccountId, form: Form) -> Result<TwoStep, Failure> {
    let mut tx = app.db.read().await?;
    let account = accounts::by_id(&mut tx, me).await?.ok_or_else(Failure::no_route)?;
    let stage = match stored::of(&mut tx, me).await? {
        None => Stage::Off,
        Some(found) if found.confirmed_at.is_some() => {
            Stage::On { codes_left: stored::recovery_codes_left(&mut tx, me).await? }
        }
        Some(found) => match two_steps::opened(&app.by(me), &found.sealed_secret) {
            Some(secret) => Stage::Begun {
                secret: two_step::in_words(&secret),
                picture: Qr::of(&two_step::address(&secret, &account.email), "QR code for your app"),
            },
            // Of an installation whose secret was changed since.
            None => Stage::Off,
        },
    };
    Ok(TwoStep { stage, has_password: account.password_hash.is_some(), form })
}

/// `GET /account/two-step`
pub async fn show(SignedIn(me): SignedIn, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::secret(page(&app, me, Form::default()).await?))
}

/// `POST /account/two-step/begin`
pub async fn begin(SignedIn(me): SignedIn, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    let by = app.by(me);
    let begun = app.db.write(move |tx| Box::pin(async move { two_steps::begin(tx, &by).await }));
    let mut form = Form::default();
    match begun.await {
        Ok(()) => Ok(Reply::Go("/account/two-step".into())),
        Err(refusal) => {
            form.refused(refusal)?;
            Ok(Reply::invalid(page(&app, me, form).await?))
        }
    }
}

#[derive(Template)]
#[template(path = "account/recovery_codes.html")]
struct Codes {
    codes: Vec<String>,
}

/// `POST /account/two-step`: on, by a first code.
pub async fn confirm(
    SignedIn(me): SignedIn,
    _: Confirmed,
    State(app): State<App>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let (by, code) = (app.by(me), form.get("code").to_owned());
    let confirmed = app.db.write(move |tx| Box::pin(async move { two_steps::confirm(tx, &by, &code).await }));
    match confirmed.await {
        Ok(codes) => Ok(Reply::secret(Codes { codes })),
        // Sent twice: it is on by now, and its codes were shown once.
        Err(crate::flows::Refusal::NotFound(_)) => Ok(Reply::Go("/account/two-step".into())),
        Err(refusal) => {
            form.refused(refusal)?;
            Ok(Reply::invalid(page(&app, me, form).await?))
        }
    }
}

/// `POST /account/two-step/codes`: new recovery codes; the old ones no longer work.
pub async fn renew(SignedIn(me): SignedIn, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    let by = app.by(me);
    let renewed = app.db.write(move |tx| Box::pin(async move { two_steps::renew_codes(tx, &by).await }));
    Ok(Reply::secret(Codes { codes: renewed.await? }))
}

/// `POST /account/two-step/end`: off, by the password, or by a code where there is none.
pub async fn end(SignedIn(me): SignedIn, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let account = accounts::by_id(&mut *app.db.read().await?, me).await?.ok_or_else(Failure::no_route)?;
    let (is_right, name) = if account.password_hash.is_some() {
        (confirm::is_password(&app, me, form.get("password")).await?, "password")
    } else {
        (challenge::is_right(&app, me, form.get("code")).await?, "code")
    };
    if !is_right {
        form.wrong(name, "is not right");
        return Ok(Reply::invalid(page(&app, me, form).await?));
    }
    let by = app.by(me);
    let ended = app.db.write(move |tx| Box::pin(async move { two_steps::end(tx, &by).await }));
    ended.await?;
    Ok(Reply::done("/account", Notice::done("Two-step sign-in is off. The recovery codes no longer work.")))
}
