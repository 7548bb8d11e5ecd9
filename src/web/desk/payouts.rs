//! Payouts that were made: the list, one of them with its lines, and what is said of how it went.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{actor, counted, forget_sums, style};
use crate::{
    app::App,
    domain::{
        Issue,
        id::{self, Id, PayoutId, PayoutLineId},
        locale::NumberStyle,
        money::{Currency, Money},
        payment,
        payout::{LineStatus, Lines, Seen, Status},
        role::Permission,
        text,
        time::Time,
    },
    flows::{
        Refusal, payment_details,
        payout_decisions::{self as flow, Moved},
    },
    secret::SecretKey,
    store::{
        Error, Tx, audit,
        invoices::{self, Invoice},
        payout_lines::{self, Held, Line},
        payouts::{self, Payout},
    },
    web::{
        caller::{Caller, Pays, Reads},
        failure::Failure,
        filters,
        form::Form,
        input::{PathId, Query},
        paper,
        payouts::PathLine,
        reply::Reply,
        shell::Notice,
    },
};

/// Rows of a page.
const ROWS: i64 = 50;
/// As many commissions of one line as are listed.
const HELD: i64 = 500;

pub struct Row {
    run: Payout,
    amount: Money,
    by: String,
}

#[derive(Template)]
#[template(path = "merchant/payouts.html")]
struct Index {
    slug: String,
    rows: Vec<Row>,
    offset: i64,
    total: i64,
    /// What could be paid at this moment.
    payable: Money,
    payable_count: i64,
    /// What open payouts hold.
    on_its_way: Money,
    /// The last day of what a prepared payout is for, where that is over.
    prepared: Option<String>,
    /// How many affiliates ask to be paid.
    requests: i64,
    /// In which something was paid, newest first.
    years: Vec<i16>,
    may_pay: bool,
}

impl Index {
    fn older(&self) -> Option<i64> {
        Some(self.offset + ROWS).filter(|next| *next < self.total)
    }
}

/// `GET /m/{program}/payouts`
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let (program, currency) = (me.program.id, me.program.currency);
    let offset = query.window()?.offset;
    let mut tx = app.db.read().await?;
    let mut rows = Vec::new();
    for run in payouts::page(&mut tx, program, None, ROWS, offset).await? {
        let by = actor(&mut tx, &run.actor).await?;
        rows.push(Row { amount: currency.of(run.amount_minor), by, run });
    }
    let total = payouts::count(&mut tx, program, None).await?;
    let (payable_count, payable) = payouts::payable(&mut tx, program, app.clock.now()).await?;
    let on_its_way = currency.of(payouts::open_sum(&mut tx, program).await?);
    let drafts = rows.iter().map(|row: &Row| &row.run).filter(|run| run.status == Status::Draft);
    let prepared = drafts.filter(|run| run.until_at < run.created_at).map(|run| run.until_at.date()).next();
    let requests = payouts::requests(&mut tx, program).await?;
    let may_pay = me.grants.allow(Permission::Payouts);
    let years = if may_pay { super::years::years(&mut tx, program).await? } else { Vec::new() };
    let (slug, payable) = (me.program.slug.clone(), currency.of(payable));
    Ok(Reply::page(Index {
        slug,
        rows,
        offset,
        total,
        payable,
        payable_count,
        on_its_way,
        prepared,
        requests,
        years,
        may_pay,
    }))
}

/// A line as its run shows it.
pub struct LineRow {
    line: Line,
    amount: Money,
    details: String,
}

impl LineRow {
    fn new(line: Line, secret: &SecretKey, currency: Currency) -> Result<Self, Error> {
        let details = payment_details::open(secret, line.affiliate_id, &line.sealed_details)?;
        Ok(Self { amount: currency.of(line.amount_minor), details: payment::masked(&details), line })
    }
}

struct Event {
    at: Time,
    what: String,
}

#[derive(Template)]
#[template(path = "merchant/payout.html")]
struct Show {
    slug: String,
    run: Payout,
    amount: Money,
    counts: Lines,
    rows: Vec<LineRow>,
    /// The last one shown, where there are more.
    next: Option<PayoutLineId>,
    is_first: bool,
    events: Vec<Event>,
    problems: Vec<String>,
    may_pay: bool,
    form: Form,
}

impl Show {
    fn is_open(&self) -> bool {
        self.run.status == Status::Open
    }

    fn can_be_undone(&self) -> bool {
        matches!(self.run.status, Status::Open | Status::Paid)
    }
}

/// `GET /m/{program}/payouts/{id}`
pub async fn show(
    me: Reads,
    State(app): State<App>,
    PathId(id): PathId<id::Payout>,
    query: Query,
) -> Result<Reply, Failure> {
    let above = match query.get("after") {
        Some(text) => crate::web::failure::id::<id::PayoutLine>(text)?,
        None => Id::new(0),
    };
    let mut tx = app.db.read().await?;
    Ok(Reply::page(page(&mut tx, &app.secret, &me, id, above, Form::default(), Vec::new()).await?))
}

async fn page(
    tx: &mut Tx,
    secret: &SecretKey,
    me: &Caller,
    id: PayoutId,
    above: PayoutLineId,
    form: Form,
    problems: Vec<String>,
) -> Result<Show, Failure> {
    let program = &me.program;
    let run = payouts::by_id(tx, program.id, id).await?.ok_or_else(|| Failure::not_found("payout"))?;
    let lines = payout_lines::all(tx, id, None, above, ROWS).await?;
    let is_full = lines.len() == usize::try_from(ROWS).unwrap_or(usize::MAX);
    let next = lines.last().map(|line| line.id).filter(|_| is_full);
    let may_pay = me.grants.allow(Permission::Payouts);
    Ok(Show {
        slug: program.slug.clone(),
        amount: program.currency.of(run.amount_minor),
        counts: payout_lines::counts(tx, id).await?,
        rows: lines.into_iter().map(|line| LineRow::new(line, secret, program.currency)).collect::<Result<_, _>>()?,
        next,
        is_first: above == Id::new(0),
        events: events(tx, me, id).await?,
        problems,
        may_pay,
        form,
        run,
    })
}

async fn events(tx: &mut Tx, me: &Caller, id: PayoutId) -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    for row in audit::page(tx, me.program.id, &audit::Filter::of(id.to_string()), 50).await? {
        let by = actor(tx, &row.actor).await?;
        let what = match row.action.as_str() {
            "payout.made" => format!("Made by {by}"),
            "payout.paid" => format!("Marked as paid by {by}"),
            "payout.failed" => format!("Marked as failed by {by}"),
            "payout.cancelled" if row.before.as_deref() == Some("paid") => format!("Undone by {by}"),
            "payout.cancelled" => format!("Cancelled by {by}"),
            "payout.file" => format!("{} downloaded by {by}", row.after.as_deref().unwrap_or("File")),
            "payout.results" => format!("Results read by {by}: {}", row.after.as_deref().unwrap_or_default()),
            other => format!("{} by {by}", other.replace(['.', '_'], " ")),
        };
        let what = match row.reason.filter(|reason| !reason.is_empty()) {
            Some(reason) => format!("{what}: {reason}"),
            None => what,
        };
        events.push(Event { at: row.created_at, what });
    }
    // The log's newest comes first.
    events.reverse();
    Ok(events)
}

/// The run's page again, with what is wrong.
pub(super) async fn invalid(
    app: &App,
    me: &Caller,
    id: PayoutId,
    form: Form,
    problems: Vec<String>,
) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    Ok(Reply::invalid(page(&mut tx, &app.secret, me, id, Id::new(0), form, problems).await?))
}

/// What the page showed that the form was on.
fn seen(form: &mut Form) -> Option<Seen> {
    let number = |text: &str| text.parse::<i64>().map_err(|_| Issue::new("must be a number"));
    let (open, paid) = (form.read("open", number), form.read("paid", number));
    Some(Seen { open: open?, paid: paid? })
}

/// `POST /m/{program}/payouts/{id}/status`: all of it. What somebody else marked as paid since the page was shown is
/// not taken back.
pub async fn decide(
    me: Pays,
    State(app): State<App>,
    PathId(id): PathId<id::Payout>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let wanted = form.read("status", LineStatus::parse);
    let reason = form.read_filled("reason", |text| text::bounded(text, 0, 500).map(|()| text.to_owned()));
    let seen = if wanted == Some(LineStatus::Cancelled) { seen(&mut form) } else { None };
    if let (Some(wanted), true) = (wanted, form.is_good()) {
        let act = me.act(&app);
        let done = app.db.write::<_, Refusal, _>(move |tx| {
            Box::pin(async move {
                if let Some(seen) = seen {
                    flow::must_be_as_seen(tx, &act, id, seen).await?;
                }
                flow::decide_all(tx, &act, id, wanted, reason.as_deref()).await
            })
        });
        match done.await {
            Ok((_, moved)) => {
                forget_sums(&app, me.program.id);
                let style = style(&mut *app.db.read().await?, &me).await?;
                let told = match wanted {
                    LineStatus::Paid => paid(moved, style, me.program.currency),
                    LineStatus::Failed => "Failed. What it held is owed again.".to_owned(),
                    _ => "Cancelled. What it held is owed again.".to_owned(),
                };
                return Ok(Reply::done(format!("/m/{}/payouts/{id}", me.program.slug), Notice::done(told)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    invalid(&app, &me, id, form, Vec::new()).await
}

/// What was marked as paid now, and whom a mail tells.
fn paid(moved: Moved, style: NumberStyle, currency: Currency) -> String {
    let Moved { count, amount, told } = moved;
    if count == 0 {
        return "It was marked as paid already.".to_owned();
    }
    let mails = match told {
        0 => "Nobody was told by e-mail: they have no account here, or want no such mails.".to_owned(),
        told if told == count => "They have been told by e-mail.".to_owned(),
        told => format!(
            "Told by e-mail: {} of them. The others have no account here, or want no such mails.",
            style.number(told)
        ),
    };
    format!("Paid: {} to {}. {mails}", style.money(currency.of(amount)), counted(style, count, "affiliate"))
}

#[derive(Template)]
#[template(path = "merchant/payout_line.html")]
struct ShowLine {
    slug: String,
    row: LineRow,
    held: Vec<(Held, Money)>,
    invoices: Vec<Invoice>,
    may_pay: bool,
    form: Form,
}

/// `GET /m/{program}/payouts/{id}/lines/{line}`
pub async fn line(
    me: Reads,
    State(app): State<App>,
    PathId(run): PathId<id::Payout>,
    PathLine(id): PathLine,
) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    Ok(Reply::page(line_page(&mut tx, &app.secret, &me, (run, id), Form::default()).await?))
}

/// `GET /m/{program}/payouts/{id}/lines/{line}/advice.pdf`: as its affiliate gets it.
pub async fn advice(
    me: Reads,
    State(app): State<App>,
    PathId(run): PathId<id::Payout>,
    PathLine(id): PathLine,
) -> Result<Response, Failure> {
    let found = payout_lines::by_id(&mut *app.db.read().await?, me.program.id, id).await?;
    let found = found.filter(|line| line.payout_id == run).ok_or_else(|| Failure::not_found("payout line"))?;
    paper::advice(&app, &me.program, &found).await
}

async fn line_page(
    tx: &mut Tx,
    secret: &SecretKey,
    me: &Caller,
    (run, id): (PayoutId, PayoutLineId),
    form: Form,
) -> Result<ShowLine, Failure> {
    let found = payout_lines::by_id(tx, me.program.id, id).await?.filter(|line| line.payout_id == run);
    let found = found.ok_or_else(|| Failure::not_found("payout line"))?;
    let currency = me.program.currency;
    let held = payout_lines::held(tx, id, HELD).await?;
    Ok(ShowLine {
        slug: me.program.slug.clone(),
        held: held.into_iter().map(|held| (held.clone(), currency.of(held.amount_minor))).collect(),
        row: LineRow::new(found, secret, currency)?,
        invoices: invoices::of_line(tx, id).await?,
        may_pay: me.grants.allow(Permission::Payouts),
        form,
    })
}

/// `POST /m/{program}/payouts/{id}/lines/{line}`
pub async fn decide_line(
    me: Pays,
    State(app): State<App>,
    PathId(run): PathId<id::Payout>,
    PathLine(id): PathLine,
    mut form: Form,
) -> Result<Reply, Failure> {
    let wanted = form.read("status", LineStatus::parse);
    let reason = form.read_filled("reason", |text| text::bounded(text, 0, 500).map(|()| text.to_owned()));
    if wanted == Some(LineStatus::Failed) && reason.is_none() && form.is_good() {
        form.wrong("reason", "must be given: the affiliate reads it");
    }
    let seen = form.read("seen", LineStatus::parse);
    if let (Some(wanted), Some(seen), true) = (wanted, seen, form.is_good()) {
        let act = me.act(&app);
        let done = app.db.write::<_, Refusal, _>(move |tx| {
            Box::pin(async move {
                flow::line_must_be_as_seen(tx, &act, id, seen, wanted).await?;
                flow::decide_line(tx, &act, (run, id), wanted, reason.as_deref()).await
            })
        });
        match done.await {
            Ok(line) => {
                forget_sums(&app, me.program.id);
                let told = match wanted {
                    LineStatus::Paid => format!("{} is paid.", line.name),
                    LineStatus::Failed => format!("{}’s payment failed. The amount is owed again.", line.name),
                    _ => format!("{} is out of this payout. The amount is owed again.", line.name),
                };
                return Ok(Reply::done(format!("/m/{}/payouts/{run}", me.program.slug), Notice::done(told)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    let mut tx = app.db.read().await?;
    Ok(Reply::invalid(line_page(&mut tx, &app.secret, &me, (run, id), form).await?))
}
