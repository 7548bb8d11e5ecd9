//! The second step of signing in, after the password or the link.

use askama::Template;
use axum::extract::State;
use tower_sessions::Session;

use super::{
    client::Client, failure::Failure, filters, form::Form, input::Query, reply::Reply, session, sign_in::local,
    throttle,
};
use crate::{
    app::App,
    domain::id::AccountId,
    flows::{Refusal, two_steps},
};

#[derive(Template)]
#[template(path = "sign_in_code.html")]
struct Challenge {
    next: String,
    form: Form,
}

fn again(next: &str) -> Reply {
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    Reply::Go(format!("/login?{query}"))
}

pub async fn show(State(app): State<App>, session: Session, query: Query) -> Result<Reply, Failure> {
    let next = query.get("next").unwrap_or_default().to_owned();
    if session::pending(&app, &session).await?.is_none() {
        return Ok(again(&next));
    }
    Ok(Reply::page(Challenge { next, form: Form::default() }))
}

pub async fn create(
    State(app): State<App>,
    session: Session,
    client: Client,
    mut form: Form,
) -> Result<Reply, Failure> {
    let next = form.get("next").to_owned();
    let Some((account, notice)) = session::pending(&app, &session).await? else { return Ok(again(&next)) };
    if !is_right(&app, account, form.get("code")).await? {
        form.wrong("code", "is not right, or was used before. Wait for the next one");
        return Ok(Reply::invalid(Challenge { next, form }));
    }
    session::start(&app, &session, &client, account, Some(app.clock.now())).await?;
    let to = local(&next).unwrap_or("/").to_owned();
    Ok(match notice {
        Some(notice) => Reply::done(to, notice),
        None => Reply::Go(to),
    })
}

/// Uses up a code of the account's, if it is good.
///
/// # Errors
/// 429 after too many that were not; the database's.
pub async fn is_right(app: &App, account: AccountId, code: &str) -> Result<bool, Failure> {
    let (by, code) = (app.by(account), code.to_owned());
    throttle::second_step(app, account, async {
        let used = app
            .db
            .write::<_, Refusal, _>(move |tx| Box::pin(async move { Ok(two_steps::use_code(tx, &by, &code).await?) }));
        Ok(used.await?)
    })
    .await
}
