//! What was paid so far, by the day it was paid, and what is to be paid next.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    response::Response,
};
use jiff::{civil::Date, tz::TimeZone};

use super::{Line, Reader};
use crate::{
    app::App,
    domain::{
        id::{AffiliateId, PayoutLineId},
        money::{Currency, Money},
        payment,
        payout::{Due, LineStatus, held_until},
        period::start_of,
        time::Time,
    },
    flows::payment_details,
    store::{
        Error, Tx,
        earnings::{self, Standing},
        invoices, payout_lines, payouts, tax,
    },
    web::{
        earner::Earner, failure::Failure, filters, html::SignedIn, input::path_parameter, paper, reply::Reply,
        shell::Notice, tax::Note,
    },
};

/// As many days of payments as are listed; as many commissions of one day.
const DAYS: i64 = 120;
const ROWS: i64 = 500;

/// Something that was paid, or is on its way: a payout's line, or what was paid on one day without a payout.
pub struct Payment {
    pub at: Time,
    /// Behind `/payouts/`.
    pub path: String,
    /// As a machine reads it: `2026-03-03`.
    pub date: String,
    pub label: String,
    pub count: i64,
    pub amount: Money,
    pub status: LineStatus,
    pub reason: Option<String>,
}

impl Payment {
    fn of_day(paid: earnings::Payment, offset: i64, currency: Currency) -> Self {
        let midnight = Time::from_ms(paid.day * 86_400_000);
        Self {
            // At the end of its day, because it paid what came before.
            at: midnight.plus_days(1).plus_seconds(-1 - offset / 1_000),
            path: midnight.date(),
            date: midnight.date(),
            label: filters::in_words(midnight, &TimeZone::UTC, DAY),
            count: paid.count,
            amount: currency.of(paid.amount),
            status: LineStatus::Paid,
            reason: None,
        }
    }

    fn of_line(line: payout_lines::Line, currency: Currency, reader: &Reader) -> Self {
        let at = line.paid_at.unwrap_or(line.updated_at);
        Self {
            at,
            path: line.id.to_string(),
            date: at.to_string(),
            label: filters::in_words(at, &reader.zone, DAY),
            count: line.commission_count,
            amount: currency.of(line.amount_minor),
            status: line.status,
            reason: line.reason,
        }
    }
}

const DAY: &str = "%-d %b %Y";

#[derive(Template)]
#[template(path = "affiliate/payouts.html")]
struct Payouts {
    program: String,
    found: Standing,
    payable: Money,
    on_hold: Money,
    in_payout: Money,
    pending: Money,
    paid: Money,
    minimum: Money,
    paid_by: Option<String>,
    /// What of tax is in the way.
    tax_note: Option<Note>,
    has_invoices: bool,
    /// Until when nothing is paid because the details were changed.
    held_until: Option<Time>,
    next: Option<Due>,
    may_ask: bool,
    asked_at: Option<Time>,
    payments: Vec<Payment>,
}

impl Payouts {
    fn is_below_minimum(&self) -> bool {
        self.payable.minor > 0 && self.payable.minor < self.minimum.minor
    }
}

/// The affiliate's payments, newest first.
pub async fn payments(tx: &mut Tx, me: &Earner, reader: &Reader, now: Time, limit: i64) -> Result<Vec<Payment>, Error> {
    let (currency, offset) = (me.program.currency, reader.offset(now));
    let by_day = earnings::payments(tx, me.affiliate, offset, limit).await?;
    let lines = payout_lines::of_affiliate(tx, me.affiliate, limit).await?;
    let mut payments: Vec<_> = by_day.into_iter().map(|paid| Payment::of_day(paid, offset, currency)).collect();
    payments.extend(lines.into_iter().map(|line| Payment::of_line(line, currency, reader)));
    payments.sort_by_key(|payment| std::cmp::Reverse(payment.at));
    Ok(payments)
}

/// `GET /payouts`
pub async fn index(me: Earner, account: SignedIn, State(app): State<App>) -> Result<Reply, Failure> {
    let (currency, now) = (me.program.currency, app.clock.now());
    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    let found = earnings::standing(&mut tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
    let settings = payouts::settings(&mut tx, me.program.id).await?;
    let balance = payouts::balance(&mut tx, me.program.id, me.affiliate, now).await?.ok_or_else(Failure::no_route)?;
    let owed = payouts::terms(&mut tx, me.affiliate).await?;
    let payments = payments(&mut tx, &me, &reader, now, DAYS).await?;
    let whose = (me.program.id, &*me.program.name);
    let tax_note = Note::of(&mut tx, whose, me.affiliate, balance.payable_minor, now).await?;
    let has_invoices = tax::settings(&mut tx, me.program.id).await?.self_billing
        || !invoices::of_affiliate(&mut tx, me.affiliate, 1).await?.is_empty();

    let on_hold = balance.approved_minor - balance.payable_minor - balance.in_payout_minor;
    let minimum = owed.minimum_minor.unwrap_or(settings.minimum);
    let is_payable = balance.payable_minor > 0
        && balance.payable_minor >= minimum
        && found.sealed_details.is_some()
        && tax_note.is_none();
    Ok(Reply::page(Payouts {
        program: me.program.name.clone(),
        payable: currency.of(balance.payable_minor),
        on_hold: currency.of(on_hold),
        in_payout: currency.of(balance.in_payout_minor),
        pending: currency.of(found.pending_minor),
        paid: currency.of(found.paid_minor),
        minimum: currency.of(minimum),
        paid_by: paid_by(&app, me.affiliate, &found)?,
        held_until: owed.payment_changed_at.map(held_until).filter(|until| *until > now),
        next: settings.next_due(now.day()),
        may_ask: settings.may_request && is_payable && !me.is_viewed,
        asked_at: owed.payout_requested_at,
        tax_note,
        has_invoices,
        found,
        payments,
    }))
}

/// `POST /payouts/request`
pub async fn ask(me: Earner, State(app): State<App>) -> Result<Reply, Failure> {
    let settings = payouts::settings(&mut *app.db.read().await?, me.program.id).await?;
    if !settings.may_request || me.is_viewed {
        return Err(Failure::no_route());
    }
    let (affiliate, now) = (me.affiliate, app.clock.now());
    app.db.write(move |tx| Box::pin(payouts::request(tx, affiliate, now))).await?;
    let told = format!("{} has been told that you would like to be paid.", me.program.name);
    Ok(Reply::done("/payouts", Notice::done(told)))
}

/// How they are paid, masked.
pub fn paid_by(app: &App, affiliate: AffiliateId, found: &Standing) -> Result<Option<String>, Error> {
    let Some(method) = found.payment_method else { return Ok(None) };
    let details = match &found.sealed_details {
        Some(sealed) => payment::masked(&payment_details::open(&app.secret, affiliate, sealed)?),
        None => String::new(),
    };
    Ok(Some(format!("{} {details}", method.label()).trim_end().to_owned()))
}

#[derive(Template)]
#[template(path = "affiliate/payment.html")]
struct Paid {
    program: String,
    label: String,
    status: LineStatus,
    way: Option<&'static str>,
    reason: Option<String>,
    total: Money,
    lines: Vec<Line>,
    is_cut: bool,
    /// Where its advice is, once it is paid.
    advice: Option<String>,
    /// What was written for it: where, and what it is.
    invoices: Vec<(String, &'static str)>,
}

impl Paid {
    fn title(&self) -> String {
        match self.status {
            LineStatus::Paid => format!("Paid on {}", self.label),
            LineStatus::Open => "On its way to you".into(),
            LineStatus::Failed => format!("Not paid on {}", self.label),
            LineStatus::Cancelled => format!("Cancelled on {}", self.label),
        }
    }
}

/// A payout's line, or a day on which something was paid without one.
pub enum Which {
    Line(PayoutLineId),
    On(Date),
}

impl FromRequestParts<App> for Which {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, app: &App) -> Result<Self, Failure> {
        let which = path_parameter(parts, app, "which").await?;
        if let Ok(line) = PayoutLineId::parse(&which) {
            return Ok(Self::Line(line));
        }
        let date: Date = which.parse().map_err(|_| Failure::no_route())?;
        // One address for one day.
        if date.to_string() == which { Ok(Self::On(date)) } else { Err(Failure::no_route()) }
    }
}

/// `GET /payouts/{which}`
pub async fn show(me: Earner, account: SignedIn, State(app): State<App>, which: Which) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    Ok(Reply::page(match which {
        Which::Line(line) => of_line(&mut tx, &me, &reader, line).await?,
        Which::On(date) => on_day(&mut tx, &me, reader.offset(app.clock.now()), date).await?,
    }))
}

/// `GET /payouts/{which}/advice.pdf`: of a line that was paid.
pub async fn advice(me: Earner, State(app): State<App>, which: Which) -> Result<Response, Failure> {
    let Which::Line(id) = which else { return Err(Failure::no_route()) };
    let line = payout_lines::by_id(&mut *app.db.read().await?, me.program.id, id).await?;
    let line = line.filter(|line| line.affiliate_id == me.affiliate).ok_or_else(Failure::no_route)?;
    paper::advice(&app, &me.program, &line).await
}

async fn of_line(tx: &mut Tx, me: &Earner, reader: &Reader, line: PayoutLineId) -> Result<Paid, Failure> {
    let line = payout_lines::by_id(tx, me.program.id, line).await?;
    let line = line.filter(|line| line.affiliate_id == me.affiliate).ok_or_else(Failure::no_route)?;
    let invoices = invoices::of_line(tx, line.id).await?;
    let made_of = earnings::of_payout_line(tx, me.affiliate, line.id, ROWS).await?;
    Ok(Paid {
        program: me.program.name.clone(),
        label: filters::in_words(line.paid_at.unwrap_or(line.updated_at), &reader.zone, DAY),
        status: line.status,
        way: Some(line.method.in_a_sentence()),
        reason: line.reason,
        is_cut: line.commission_count > ROWS,
        advice: (line.status == LineStatus::Paid).then(|| format!("/payouts/{}/advice.pdf", line.id)),
        invoices: invoices
            .iter()
            .map(|found| {
                let noun = if found.corrects_id.is_some() { "Credit note" } else { "Invoice" };
                (format!("/payouts/invoices/{}/invoice.pdf", found.id), noun)
            })
            .collect(),
        total: me.program.currency.of(line.amount_minor),
        lines: made_of.into_iter().map(|found| Line::new(found, me)).collect(),
    })
}

async fn on_day(tx: &mut Tx, me: &Earner, offset: i64, date: Date) -> Result<Paid, Failure> {
    // Cut as the list of payments cuts its days.
    let midnight = start_of(date, &TimeZone::UTC);
    let start = midnight.ms() - offset;
    let day = (Time::from_ms(start), Time::from_ms(start + 86_400_000));
    let total = earnings::paid_sum(tx, me.affiliate, day).await?;
    let paid = earnings::paid_between(tx, me.affiliate, day, ROWS).await?;
    if paid.is_empty() {
        return Err(Failure::no_route());
    }
    Ok(Paid {
        program: me.program.name.clone(),
        label: filters::in_words(midnight, &TimeZone::UTC, DAY),
        status: LineStatus::Paid,
        way: None,
        reason: None,
        is_cut: total.count > ROWS,
        advice: None,
        invoices: Vec::new(),
        total: me.program.currency.of(total.amount),
        lines: paid.into_iter().map(|found| Line::new(found, me)).collect(),
    })
}
