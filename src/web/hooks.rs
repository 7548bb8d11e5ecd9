//! What payment providers call: answered when it is stored, and not before. What it does comes later, by a job, so
//! that a call costs the provider nothing but the time to write it down.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    failure::Failure,
    input::{self, path_parameter},
};
use crate::{
    app::App,
    domain::providers::{Call, Provider, Unsigned},
    flows::{
        provider_connections,
        provider_events::{self, Arrival},
    },
    store::{programs, providers},
};

/// A call as it came: the signature is of its very bytes.
pub struct Hook {
    program: String,
    provider: Provider,
    headers: HeaderMap,
    body: Bytes,
}

impl FromRequest<App> for Hook {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let program = path_parameter(&mut parts, app, "program").await?;
        let provider = path_parameter(&mut parts, app, "provider").await?;
        let provider = Provider::parse(&provider).map_err(|_| Failure::no_route())?;
        let body = input::read(&parts.headers, body).await?;
        Ok(Self { program, provider, headers: parts.headers, body })
    }
}

/// `POST /hooks/{program}/{provider}`
pub async fn receive(State(app): State<App>, hook: Hook) -> Result<Response, Failure> {
    let Hook { program, provider, headers, body } = hook;
    let mut tx = app.db.read().await?;
    let program = programs::by_slug(&mut tx, &program).await?.ok_or_else(Failure::no_route)?;
    let connection = providers::of(&mut tx, program.id, provider).await?;
    drop(tx);
    let connection = connection.filter(|found| found.secret.is_some()).ok_or_else(Failure::no_route)?;
    let now = app.clock.now();
    let secrets = provider_connections::secrets(&app.secret, program.id, &connection, now);
    let header = |name: &str| input::header_text(&headers, name);
    let message = provider.verify(&Call { body: &body, header: &header }, &secrets, now).map_err(|wrong| {
        tracing::warn!(provider = provider.as_str(), program = program.slug, why = %wrong, "a call was not believed");
        refused(wrong)
    })?;
    let body = String::from_utf8(body.into()).map_err(|_| Failure::invalid("The body is not UTF-8"))?;
    let event = provider.read(&body).ok_or_else(|| Failure::invalid("The body is not an event of this provider"))?;
    let arrival =
        Arrival { program: program.id, provider, is_test_connection: connection.is_test, message, event, body };
    let (ids, secret) = (app.ids.clone(), app.secret.clone());
    let stored = app
        .db
        .write(move |tx| Box::pin(async move { provider_events::receive(tx, &ids, &secret, now, &arrival).await }));
    let words = if stored.await? { "stored\n" } else { "known\n" };
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], words).into_response())
}

/// 400, as providers expect it: they try again, and show their user that it did not work.
fn refused(wrong: Unsigned) -> Failure {
    Failure::invalid(wrong.to_string())
}
