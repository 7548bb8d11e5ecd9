//! The invoices that the program wrote for an affiliate.

use askama::Template;
use axum::{extract::State, response::Response};

use crate::{
    app::App,
    domain::{
        id::{self, Id},
        time::Time,
    },
    store::{invoices as stored, tax},
    web::{
        earner::Earner,
        failure::Failure,
        filters,
        input::PathId,
        invoices::{self, Shown},
        reply::Reply,
    },
};

/// As many as are listed.
const MOST: i64 = 200;

#[derive(Template)]
#[template(path = "affiliate/invoices.html")]
struct Index {
    program: String,
    is_offered: bool,
    agreed_at: Option<Time>,
    rows: Vec<Shown>,
}

/// `GET /payouts/invoices`
pub async fn index(me: Earner, State(app): State<App>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let rows = stored::of_affiliate(&mut tx, me.affiliate, MOST).await?;
    let rows = rows.into_iter().map(|found| Shown::new(&app.secret, found)).collect::<Result<_, _>>()?;
    let agreed = tax::agreement(&mut tx, me.affiliate).await?;
    Ok(Reply::page(Index {
        program: me.program.name.clone(),
        is_offered: tax::settings(&mut tx, me.program.id).await?.self_billing,
        agreed_at: agreed.map(|agreed| Id::time(agreed.id)),
        rows,
    }))
}

/// `GET /payouts/invoices/{id}/invoice.pdf`
pub async fn file(me: Earner, State(app): State<App>, PathId(id): PathId<id::Invoice>) -> Result<Response, Failure> {
    let found = stored::by_id(&mut *app.db.read().await?, me.program.id, id).await?;
    let found = found.filter(|found| found.affiliate_id == me.affiliate).ok_or_else(Failure::no_route)?;
    invoices::file(&app, &me.program, found).await
}
