//! The affiliate whose pages are shown: the signed-in account's own, or one that a merchant looks at.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{Method, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tower_sessions::Session;

use super::{failure::Failure, html};
use crate::{
    app::App,
    domain::{affiliate::Status, id::AffiliateId, look::Look, program::Program, role::Permission},
    store::{accounts, affiliates, looks, programs},
};

#[derive(Debug, Clone)]
pub struct Earner {
    pub affiliate: AffiliateId,
    pub program: Arc<Program>,
    pub status: Status,
    pub look: Arc<Look>,
    /// A member of the program looks at the affiliate's pages and changes nothing.
    pub is_viewed: bool,
}

/// The session's choice among the programs that the account is an affiliate of: its short name.
pub const CHOSEN: &str = "earns_in";
/// The affiliate that a merchant looks at, in whose stead.
pub const VIEWED: &str = "views";

impl FromRequestParts<App> for Earner {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failure> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Failure::no_route)
    }
}

/// Lets affiliates pass, as whom they chose. For an account that is no affiliate there is nothing.
pub async fn admit(State(app): State<App>, session: Session, request: Request, next: Next) -> Response {
    match earner(&app, &session, request.method()).await {
        Ok(Some(earner)) => {
            let mut request = request;
            request.extensions_mut().insert(earner.clone());
            let mut response = next.run(request).await;
            response.extensions_mut().insert(earner);
            response
        }
        Ok(None) => Failure::no_route().into_response(),
        Err(failure) => failure.into_response(),
    }
}

async fn earner(app: &App, session: &Session, method: &Method) -> Result<Option<Earner>, Failure> {
    let account = html::account(session).await?.ok_or_else(|| Failure::unauthenticated("Sign in first"))?;
    let mut tx = app.db.read().await?;
    if let Some(viewed) = text(session, VIEWED).await? {
        let id = super::failure::id(&viewed)?;
        let found = affiliates::program_of(&mut tx, id).await?.ok_or_else(Failure::no_route)?;
        // Looked up each time: who has left the team, or may not look any longer, sees nothing any more.
        let role = accounts::role(&mut tx, account, found.program_id).await?;
        if !role.is_some_and(|role| role.grants().allow(Permission::Affiliates)) {
            let _ = session.remove_value(VIEWED).await.map_err(|_| Failure::unavailable())?;
            return Err(Failure::no_route());
        }
        if *method != Method::GET && *method != Method::HEAD {
            return Err(Failure::forbidden(
                "You are looking at this affiliate's pages and cannot change anything here",
            ));
        }
        let program = programs::by_id(&mut tx, found.program_id).await?.ok_or_else(Failure::no_route)?;
        let look = looks::of(&mut tx, program.id).await?.into();
        let (program, status) = (program.into(), found.status);
        return Ok(Some(Earner { affiliate: id, program, status, look, is_viewed: true }));
    }
    let chosen = text(session, CHOSEN).await?;
    let all = affiliates::of_account(&mut tx, account).await?;
    let at = all.iter().find(|at| chosen.as_ref() == Some(&at.slug)).or(all.first());
    let Some(at) = at else { return Ok(None) };
    let program = programs::by_slug(&mut tx, &at.slug).await?.ok_or_else(Failure::no_route)?;
    let look = looks::of(&mut tx, program.id).await?.into();
    Ok(Some(Earner { affiliate: at.id, program: program.into(), status: at.status, look, is_viewed: false }))
}

async fn text(session: &Session, key: &str) -> Result<Option<String>, Failure> {
    session.get(key).await.map_err(|_| Failure::unavailable())
}
