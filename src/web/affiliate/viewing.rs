//! A merchant looks at an affiliate's pages, as the affiliate sees them and without being able to change
//! anything there (see `earner`). That they did is audited.

use axum::extract::State;
use tower_sessions::Session;

use crate::{
    app::App,
    domain::id,
    flows::affiliates,
    web::{
        caller::{ManagesAffiliates, Reads},
        earner::VIEWED,
        failure::Failure,
        input::PathId,
        reply::Reply,
    },
};

/// `POST /m/{program}/affiliates/{id}/view`
pub async fn start(
    me: ManagesAffiliates,
    State(app): State<App>,
    session: Session,
    PathId(id): PathId<id::Affiliate>,
) -> Result<Reply, Failure> {
    let act = me.act(&app);
    app.db.write(move |tx| Box::pin(async move { affiliates::view(tx, &act, id).await })).await?;
    session.insert(VIEWED, id.to_string()).await.map_err(|_| Failure::unavailable())?;
    Ok(Reply::Go("/home".into()))
}

/// `POST /m/{program}/affiliates/{id}/view/end`
pub async fn end(me: Reads, session: Session, PathId(id): PathId<id::Affiliate>) -> Result<Reply, Failure> {
    let _ = session.remove_value(VIEWED).await.map_err(|_| Failure::unavailable())?;
    Ok(Reply::Go(format!("/m/{}/affiliates/{id}", me.program.slug)))
}
