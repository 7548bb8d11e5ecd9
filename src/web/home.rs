//! An affiliate's first page: what was earned, when it is paid, and what is in the way.

use askama::Template;
use axum::extract::State;

use super::{earner::Earner, failure::Failure, filters, reply::Reply};
use crate::{app::App, domain::money::Money, store::affiliates};

#[derive(Template)]
#[template(path = "home.html")]
struct Home {
    program: String,
    unpaid: Money,
    paid: Money,
}

/// `GET /home`
pub async fn show(me: Earner, State(app): State<App>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let found = affiliates::summary(&mut tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
    let currency = me.program.currency;
    let (unpaid, paid) = (currency.of(found.unpaid_minor), currency.of(found.paid_minor));
    Ok(Reply::page(Home { program: me.program.name.clone(), unpaid, paid }))
}
