//! What each affiliate was paid in a calendar year, for whoever does the books. Years are UTC's.

use axum::{
    extract::{FromRequestParts, State},
    response::Response,
};
use jiff::tz::TimeZone;

use crate::{
    app::App,
    domain::{
        affiliate::PaymentMethod,
        id::ProgramId,
        payment,
        period::{Period, date_of},
        tax::year::{Year, table},
    },
    flows::tax as flow,
    store::{self, Tx, books, tax},
    web::{caller::Pays, csv, failure::Failure, input::path_parameter},
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
    let (settings, rows) = app
        .db
        .snapshot(move |tx| {
            Box::pin(async move { Ok((tax::settings(tx, program).await?, books::paid(tx, program, range).await?)) })
        })
        .await?;
    let mut known = Vec::with_capacity(rows.len());
    for row in &rows {
        let sealed = row.sealed.as_deref();
        let details = sealed.map(|sealed| flow::open(&app.secret, row.affiliate_id, sealed)).transpose()?;
        let number = details.and_then(|details| details.tax_id.or(details.vat_id));
        let paid = [(PaymentMethod::Paypal, row.by_paypal), (PaymentMethod::Other, row.amount - row.by_paypal)];
        let masked = number.map_or(String::new(), |number| payment::masked(&number));
        known.push((row, row.affiliate_id.to_string(), row.profile()?, masked, paid));
    }
    let rows = known.iter().map(|(row, id, profile, masked, paid)| Year {
        affiliate: id,
        name: &row.name,
        email: &row.email,
        profile: profile.as_ref(),
        tax_id: masked,
        currency,
        count: row.count,
        paid,
    });
    let is_american = settings.business.is_some_and(|business| business.country.is_the_states());
    csv::download(table(year, is_american, rows), &format!("paid-{}-{year}.csv", me.program.slug))
}
