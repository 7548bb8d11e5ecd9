//! A program's series of self-billing invoices.

use askama::Template;
use axum::{extract::State, response::Response};

use crate::{
    app::App,
    domain::{id, role::Permission},
    store::{invoices as stored, tax},
    web::{
        caller::Reads,
        failure::Failure,
        filters,
        input::{PathId, Query},
        invoices::{self, Shown},
        reply::Reply,
    },
};

/// Rows of a page.
const ROWS: i64 = 50;

#[derive(Template)]
#[template(path = "merchant/invoices.html")]
struct Index {
    slug: String,
    rows: Vec<Shown>,
    offset: i64,
    /// As many as there are numbers: the series has no gaps.
    total: i64,
    is_offered: bool,
    may_configure: bool,
}

impl Index {
    fn shown(&self) -> i64 {
        i64::try_from(self.rows.len()).unwrap_or(ROWS)
    }
}

/// `GET /m/{program}/payouts/invoices`
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let (program, offset) = (me.program.id, query.window()?.offset);
    let mut tx = app.db.read().await?;
    let rows = stored::page(&mut tx, program, ROWS, offset).await?;
    Ok(Reply::page(Index {
        slug: me.program.slug.clone(),
        rows: rows.into_iter().map(|found| Shown::new(&app.secret, found)).collect::<Result<_, _>>()?,
        offset,
        total: stored::last_number(&mut tx, program).await?,
        is_offered: tax::settings(&mut tx, program).await?.self_billing,
        may_configure: me.grants.allow(Permission::Settings),
    }))
}

/// `GET /m/{program}/payouts/invoices/{id}/invoice.pdf`: as its affiliate gets it.
pub async fn file(me: Reads, State(app): State<App>, PathId(id): PathId<id::Invoice>) -> Result<Response, Failure> {
    let found = stored::by_id(&mut *app.db.read().await?, me.program.id, id).await?;
    invoices::file(&app, &me.program, found.ok_or_else(|| Failure::not_found("invoice"))?).await
}
