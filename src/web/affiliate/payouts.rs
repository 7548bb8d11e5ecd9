//! What was paid so far, by the day it was paid, and what is to be paid next.

use askama::Template;
use axum::extract::{FromRequestParts, State};
use jiff::{civil::Date, tz::TimeZone};

use super::{Line, Reader};
use crate::{
    app::App,
    domain::{
        money::{Currency, Money},
        payment,
        period::start_of,
        time::Time,
    },
    store::earnings::{self, Standing},
    web::{earner::Earner, failure::Failure, filters, html::SignedIn, input::path_parameter, reply::Reply},
};

/// As many days of payments as are listed; as many commissions of one day.
const DAYS: i64 = 120;
const ROWS: i64 = 500;

/// The commissions that were paid on one day.
pub struct Payment {
    /// As its address says it: `2026-03-03`.
    pub date: String,
    pub label: String,
    pub count: i64,
    pub amount: Money,
}

impl Payment {
    pub fn new(paid: earnings::Payment, currency: Currency) -> Self {
        let midnight = Time::from_ms(paid.day * 86_400_000);
        Self {
            date: midnight.date(),
            label: filters::in_words(midnight, &TimeZone::UTC, "%-d %b %Y"),
            count: paid.count,
            amount: currency.of(paid.amount),
        }
    }
}

#[derive(Template)]
#[template(path = "affiliate/payouts.html")]
struct Payouts {
    program: String,
    found: Standing,
    available: Money,
    pending: Money,
    paid: Money,
    paid_by: Option<String>,
    payments: Vec<Payment>,
}

/// `GET /payouts`
pub async fn index(me: Earner, account: SignedIn, State(app): State<App>) -> Result<Reply, Failure> {
    let currency = me.program.currency;
    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    let found = earnings::standing(&mut tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
    let payments = earnings::payments(&mut tx, me.affiliate, reader.offset(app.clock.now()), DAYS).await?;
    Ok(Reply::page(Payouts {
        program: me.program.name.clone(),
        available: currency.of(found.approved_minor),
        pending: currency.of(found.pending_minor),
        paid: currency.of(found.paid_minor),
        paid_by: paid_by(&found),
        found,
        payments: payments.into_iter().map(|paid| Payment::new(paid, currency)).collect(),
    }))
}

/// How they are paid, masked.
pub fn paid_by(found: &Standing) -> Option<String> {
    let method = found.payment_method?;
    let details = found.payment_details.as_deref().map(payment::masked).unwrap_or_default();
    Some(format!("{} {details}", method.label()).trim_end().to_owned())
}

#[derive(Template)]
#[template(path = "affiliate/payment.html")]
struct Paid {
    program: String,
    label: String,
    total: Money,
    lines: Vec<Line>,
    is_cut: bool,
}

pub struct PaidOn(Date);

impl FromRequestParts<App> for PaidOn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &App) -> Result<Self, Failure> {
        let day = path_parameter(parts, app, "day").await?;
        let date: Date = day.parse().map_err(|_| Failure::no_route())?;
        // One address for one day.
        if date.to_string() == day { Ok(Self(date)) } else { Err(Failure::no_route()) }
    }
}

/// `GET /payouts/{day}`
pub async fn show(
    me: Earner,
    account: SignedIn,
    State(app): State<App>,
    PaidOn(date): PaidOn,
) -> Result<Reply, Failure> {
    let currency = me.program.currency;
    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    // Cut as the list of payments cuts its days.
    let midnight = start_of(date, &TimeZone::UTC);
    let start = midnight.ms() - reader.offset(app.clock.now());
    let day = (Time::from_ms(start), Time::from_ms(start + 86_400_000));
    let total = earnings::paid_sum(&mut tx, me.affiliate, day).await?;
    let paid = earnings::paid_between(&mut tx, me.affiliate, day, ROWS).await?;
    if paid.is_empty() {
        return Err(Failure::no_route());
    }
    Ok(Reply::page(Paid {
        program: me.program.name.clone(),
        label: filters::in_words(midnight, &TimeZone::UTC, "%-d %b %Y"),
        is_cut: total.count > ROWS,
        total: currency.of(total.amount),
        lines: paid.into_iter().map(|found| Line::new(found, &me)).collect(),
    }))
}
