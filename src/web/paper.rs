//! Paper to download: an affiliate's statement and the advice of a payment, the same file for them and for their
//! program. Days and numbers are the affiliate's own, because it is they who file it.

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use jiff::tz::TimeZone;
use tokio::task::spawn_blocking;

use super::{csv::attachment, failure::Failure, input::Query};
use crate::{
    app::App,
    domain::{
        commission::Entry,
        id::{AffiliateId, Id},
        locale::NumberStyle,
        payment,
        payout::LineStatus,
        period::Period,
        program::Program,
        time::Time,
    },
    flows::payment_details,
    paper::{self, Item, Kind, Party, Reader, Remittance, Statement, Unprintable},
    store::{
        earnings::{self, Addressee, Movement},
        payout_lines::{self, Held, Line},
        payouts,
    },
};

/// The most movements of a statement, a hundred and some pages; as many commissions are listed one by one on an advice.
pub const MOST: i64 = 5_000;

pub(super) fn reader(of: &Addressee) -> Reader {
    Reader {
        numbers: of.number_style.unwrap_or(NumberStyle::Comma),
        zone: of.time_zone.as_deref().and_then(|zone| TimeZone::get(zone).ok()).unwrap_or(TimeZone::UTC),
    }
}

const fn party<'a>(name: &'a str, email: Option<&'a str>) -> Party<'a> {
    Party { name, address: "", email, vat_id: None }
}

fn kind(of: Entry) -> Kind {
    match of {
        Entry::Earn => Kind::Earned,
        Entry::Reverse => Kind::TakenBack,
        Entry::Adjust => Kind::Adjusted,
        Entry::Pay => Kind::Paid,
        Entry::Unpay => Kind::NotPaid,
    }
}

/// What moved, in words.
fn cause(moved: &Movement) -> String {
    if let Some(line) = moved.payout_line_id {
        return line.to_string();
    }
    let sale = moved.order_id.as_ref().map_or_else(|| "a sale".to_owned(), |order| format!("order {order}"));
    let text = match moved.kind {
        Entry::Adjust => moved.reason.clone().unwrap_or_else(|| "Adjustment".to_owned()),
        Entry::Reverse if moved.is_refund => format!("Refund of {sale}"),
        Entry::Reverse => format!("Rejected: {sale}"),
        Entry::Earn if moved.is_refund => format!("Refund of {sale} undone"),
        Entry::Earn | Entry::Pay | Entry::Unpay => sale,
    };
    capital(&text)
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// The statement of the period that the address names, of this month where it names none.
pub async fn statement(
    app: &App,
    program: &Program,
    affiliate: AffiliateId,
    query: &Query,
) -> Result<Response, Failure> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let to = earnings::addressee(&mut tx, program.id, affiliate).await?;
    let to = to.ok_or_else(|| Failure::not_found("affiliate"))?;
    let reader = reader(&to);
    let period = match query.get("period").map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Period::parse(text).map_err(|issue| Failure::field("period", issue.0))?,
        None => Period::month_of(now, &reader.zone),
    };
    let (from, until) = period.range(&reader.zone);
    let opening = earnings::sums(&mut tx, affiliate, (from, until)).await?.opening;
    let mut moved = earnings::movements(&mut tx, affiliate, "", (from, Id::first_at(until)), MOST + 1).await?;
    if i64::try_from(moved.len()).unwrap_or(i64::MAX) > MOST {
        return Err(Failure::field(
            "period",
            "holds more movements than a statement has room for: choose a shorter one",
        ));
    }
    moved.reverse();
    let payer = payouts::settings(&mut tx, program.id).await?.payer;
    drop(tx);

    let file = format!("statement-{}-{}-{period}.pdf", program.slug, to.code);
    // What has no beginning and no end is told from when they joined until now.
    let (from, until) = if period == Period::All { (to.created_at, now.plus_seconds(1)) } else { (from, until) };
    let (name, currency) = (program.name.clone(), program.currency);
    download(&file, move || {
        let causes: Vec<_> = moved.iter().map(cause).collect();
        let movements = moved.iter().zip(&causes).map(|(moved, cause)| paper::Movement {
            at: moved.created_at,
            kind: kind(moved.kind),
            cause,
            amount: moved.amount_minor,
        });
        let of = Statement {
            program: &name,
            payer: party(payer.as_ref().map_or(&*name, |payer| &payer.name), None),
            affiliate: party(&to.name, Some(&to.email)),
            from,
            until,
            made_on: now,
            currency,
            opening,
            movements: &movements.collect::<Vec<_>>(),
        };
        paper::statement(&of, &reader)
    })
    .await
}

/// What a payment was for, a commission: its order, or why it was entered.
fn what(held: &Held) -> String {
    match (&held.order_id, &held.reason) {
        (Some(order), _) if held.amount_minor < 0 => format!("Refund of order {order}"),
        (Some(order), _) => format!("Order {order}"),
        (None, Some(reason)) => reason.clone(),
        (None, None) => "Sale".to_owned(),
    }
}

/// One row of an advice, with its own text.
struct Row {
    at: Time,
    id: String,
    what: String,
    amount: i64,
}

/// Oldest first; those that are not listed are one row, so that the rows are what was paid.
fn rows(line: &Line, held: &[Held]) -> Vec<Row> {
    let listed: i64 = held.iter().map(|held| held.amount_minor).sum();
    let more = line.commission_count - i64::try_from(held.len()).unwrap_or(i64::MAX);
    let rest = (more > 0).then(|| Row {
        at: line.created_at,
        id: String::new(),
        what: format!("{more} earlier commissions"),
        amount: line.amount_minor - listed,
    });
    let each = held.iter().rev().map(|held| Row {
        at: held.created_at,
        id: held.id.to_string(),
        what: what(held),
        amount: held.amount_minor,
    });
    rest.into_iter().chain(each).collect()
}

/// What a line paid, for whoever received it. Of a line that was not paid there is none.
pub async fn advice(app: &App, program: &Program, line: &Line) -> Result<Response, Failure> {
    let paid_on = line.paid_at.filter(|_| line.status == LineStatus::Paid);
    let paid_on = paid_on.ok_or_else(|| Failure::not_found("remittance advice"))?;
    let mut tx = app.db.read().await?;
    let to = earnings::addressee(&mut tx, program.id, line.affiliate_id).await?;
    let to = to.ok_or_else(|| Failure::not_found("affiliate"))?;
    let held = payout_lines::held(&mut tx, line.id, MOST).await?;
    let payer = payouts::settings(&mut tx, program.id).await?.payer;
    drop(tx);

    let details = payment::masked(&payment_details::open(&app.secret, line.affiliate_id, &line.sealed_details)?);
    let (file, rows) = (format!("remittance-{}-{}.pdf", program.slug, line.id), rows(line, &held));
    let (payout, id, method) = (line.payout_id.to_string(), line.id.to_string(), line.method);
    let (name, currency) = (program.name.clone(), program.currency);
    download(&file, move || {
        let items = rows.iter().map(|row| Item { at: row.at, id: &row.id, what: &row.what, amount: row.amount });
        let of = Remittance {
            program: &name,
            payer: party(payer.as_ref().map_or(&*name, |payer| &payer.name), None),
            affiliate: party(&to.name, Some(&to.email)),
            payout: &payout,
            line: &id,
            paid_on,
            method,
            details: &details,
            currency,
            items: &items.collect::<Vec<_>>(),
        };
        paper::remittance(&of, &reader(&to))
    })
    .await
}

/// The file, drawn where nobody else waits for it.
pub(super) async fn download(
    name: &str,
    draw: impl FnOnce() -> Result<Vec<u8>, Unprintable> + Send + 'static,
) -> Result<Response, Failure> {
    let name = attachment(name)?;
    let drawn = spawn_blocking(draw).await.map_err(|error| error.to_string());
    let bytes = drawn.and_then(|drawn| drawn.map_err(|error| error.to_string())).map_err(|error| {
        tracing::error!(%error, "no paper");
        Failure::internal()
    })?;
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/pdf")),
        (header::CACHE_CONTROL, HeaderValue::from_static("private, no-store")),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((head, bytes).into_response())
}
