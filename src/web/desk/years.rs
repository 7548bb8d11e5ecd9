//! What each affiliate was paid in a calendar year, for whoever does the books. Years are UTC's.

use axum::{
    extract::{FromRequestParts, State},
    response::Response,
};
use jiff::tz::TimeZone;

use crate::{
    app::App,
    domain::{
        id::ProgramId,
        period::{Period, date_of},
    },
    store::{self, Tx, books},
    web::{
        caller::Pays,
        csv::{Sheet, text},
        failure::Failure,
        input::path_parameter,
    },
};

pub struct PathYear(i16);

impl FromRequestParts<App> for PathYear {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &App) -> Result<Self, Failure> {
        match Period::parse(&path_parameter(parts, app, "year").await?) {
            Ok(Period::Year { year }) => Ok(Self(year)),
            _ => Err(Failure::no_route()),
        }
    }
}

/// The years that anything was paid in, newest first, and those between.
pub async fn years(tx: &mut Tx, program: ProgramId) -> Result<Vec<i16>, store::Error> {
    let Some((first, last)) = books::first_and_last(tx, program).await? else { return Ok(Vec::new()) };
    let year = |time| date_of(time, &TimeZone::UTC).year();
    Ok((year(first)..=year(last)).rev().collect())
}

/// `GET /m/{program}/payouts/years/{year}`
pub async fn file(me: Pays, State(app): State<App>, PathYear(year): PathYear) -> Result<Response, Failure> {
    let (program, currency) = (me.program.id, me.program.currency);
    let range = Period::Year { year }.range(&TimeZone::UTC);
    let rows = app.db.snapshot(move |tx| Box::pin(books::paid(tx, program, range))).await?;
    let mut sheet = Sheet::new(&["Year", "Affiliate", "Name", "E-mail", "Payments", "Paid", "Currency"])?;
    for row in rows {
        sheet.row(&[
            year.to_string(),
            row.affiliate_id.to_string(),
            text(&row.name),
            text(&row.email),
            row.count.to_string(),
            currency.of(row.amount).to_string(),
            currency.code().to_owned(),
        ])?;
    }
    sheet.download(&format!("paid-{}-{year}.csv", me.program.slug))
}
