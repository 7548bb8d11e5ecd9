//! Earnings, like a bank statement: what was owed at first, what came and went, what is owed at last, and
//! the commissions or the movements that make it. What is shown is in the address.

use askama::Template;
use axum::{extract::State, response::Response};

use super::{Line, Reader};
use crate::{
    app::App,
    domain::{
        commission::{Entry, Status},
        id::{Commission, Id},
        money::{Currency, Money},
        period::Period,
        time::Time,
    },
    store::{
        Tx,
        earnings::{self, Movement, Sums},
        ledger::LedgerEntry,
    },
    web::{csv, earner::Earner, failure::Failure, filters, html::SignedIn, input::Query, paper, reply::Reply},
};

const PAGE: i64 = 25;
/// The most rows of a file or a printed statement.
const WHOLE: i64 = 20_000;

/// What the address asks for.
pub struct Asked {
    pub period: Period,
    pub status: Option<Status>,
    pub order: String,
    /// The movements of money instead of the commissions.
    pub is_movements: bool,
    /// `earn`, `reverse` or `pay`; empty for all.
    pub kind: &'static str,
    before: Option<String>,
}

impl Asked {
    fn read(query: &Query, now: Time, reader: &Reader) -> Result<Self, Failure> {
        let given = |name: &str| query.get(name).map(str::trim).filter(|value| !value.is_empty());
        let kind = given("kind").map_or("", |kind| match kind {
            "earn" => "earn",
            "reverse" => "reverse",
            "pay" => "pay",
            "adjust" => "adjust",
            _ => "",
        });
        let wrong = |name: &'static str| move |issue: crate::domain::Issue| Failure::field(name, issue.0);
        Ok(Self {
            period: match given("period") {
                Some(text) => Period::parse(text).map_err(wrong("period"))?,
                None => Period::month_of(now, &reader.zone),
            },
            status: given("status").map(Status::parse).transpose().map_err(wrong("status"))?,
            order: given("q").unwrap_or_default().chars().take(255).collect(),
            is_movements: given("view") == Some("movements"),
            kind,
            before: given("before").map(str::to_owned),
        })
    }

    fn status_name(&self) -> &'static str {
        self.status.map_or("", Status::as_str)
    }

    fn has_filter(&self) -> bool {
        self.status.is_some() || !self.order.is_empty() || (self.is_movements && !self.kind.is_empty())
    }

    /// The first id that is too new.
    fn below<K: crate::domain::id::Kind>(&self, end: Time) -> Result<Id<K>, Failure> {
        let end = Id::first_at(end);
        match &self.before {
            Some(text) => Ok(Id::parse(text).map_err(Failure::malformed_id::<K>)?.min(end)),
            None => Ok(end),
        }
    }

    fn below_entry(&self, end: Time) -> Id<LedgerEntry> {
        // An entry has no public id; its number is as good.
        let before = self.before.as_deref().and_then(|text| text.parse().ok());
        before.map_or(Id::first_at(end), |raw| Id::new(raw).min(Id::first_at(end)))
    }

    /// The address's query for the same rows, up to where the next page begins.
    fn query(&self, period: Period, before: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("period", &period.to_string());
        for (name, value) in [
            ("view", if self.is_movements { "movements" } else { "" }),
            ("kind", self.kind),
            ("status", self.status_name()),
            ("q", &self.order),
            ("before", before),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

/// A movement of money as its affiliate sees it.
pub struct Moved {
    pub at: Time,
    pub what: &'static str,
    pub order: Option<String>,
    /// The id of the commission that moved.
    pub commission: Option<String>,
    pub amount: Money,
    raw: i64,
}

impl Moved {
    fn new(found: Movement, currency: Currency) -> Self {
        Self {
            at: found.created_at,
            what: match found.kind {
                Entry::Earn => "Earned",
                Entry::Reverse if found.is_refund => "Taken back by a refund",
                Entry::Reverse => "Rejected",
                Entry::Adjust => "Correction",
                Entry::Pay => "Paid",
                Entry::Unpay => "Payment came back",
            },
            order: found.order_id,
            commission: found.commission_id.map(|id| id.to_string()),
            amount: currency.of(found.amount_minor),
            raw: found.id.raw(),
        }
    }
}

/// The sums of a period, as a page shows them: what was taken back or paid without its sign.
pub struct Balance {
    pub opening: Money,
    pub earned: Money,
    pub reversed: Money,
    pub adjusted: Money,
    pub paid: Money,
    pub closing: Money,
}

impl Balance {
    fn new(sums: &Sums, currency: Currency) -> Self {
        Self {
            opening: currency.of(sums.opening),
            earned: currency.of(sums.earned),
            reversed: currency.of(-sums.reversed),
            adjusted: currency.of(sums.adjusted),
            paid: currency.of(-sums.paid),
            closing: currency.of(sums.closing()),
        }
    }
}

#[derive(Template)]
#[template(path = "affiliate/earnings.html")]
struct Index {
    program: String,
    asked: Asked,
    balance: Balance,
    lines: Vec<Line>,
    movements: Vec<Moved>,
    /// The queries of the pages around this one.
    older: Option<String>,
    newest: Option<String>,
    earlier: Option<String>,
    later: Option<String>,
    everything: String,
    same: String,
    choices: Vec<(&'static str, Vec<(String, String)>)>,
}

impl Index {
    fn statuses() -> [Status; 4] {
        [Status::Pending, Status::Approved, Status::Paid, Status::Rejected]
    }

    fn is_chosen(&self, value: &str) -> bool {
        self.asked.period.to_string() == value
    }
}

/// `GET /earnings`
pub async fn index(me: Earner, account: SignedIn, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    let asked = Asked::read(&query, now, &reader)?;
    let range = asked.period.range(&reader.zone);
    let found = earnings::standing(&mut tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
    let sums = earnings::sums(&mut tx, me.affiliate, range).await?;
    let (mut lines, mut movements) = (Vec::new(), Vec::new());
    let older = if asked.is_movements {
        movements = moved(&mut tx, &me, &asked, range, PAGE + 1).await?;
        cut(&mut movements, |last| last.raw.to_string())
    } else {
        lines = earned(&mut tx, &me, &asked, range, PAGE + 1).await?;
        cut(&mut lines, |last| last.id.clone())
    };

    let joined = Period::month_of(found.created_at, &reader.zone);
    let within = |period: Period| {
        let (start, end) = period.range(&reader.zone);
        end > found.created_at && start <= now
    };
    let beside = |by| asked.period.step(by).filter(|period| within(*period)).map(|period| asked.query(period, ""));
    Ok(Reply::page(Index {
        program: me.program.name.clone(),
        balance: Balance::new(&sums, me.program.currency),
        older: older.map(|before| asked.query(asked.period, &before)),
        newest: asked.before.is_some().then(|| asked.query(asked.period, "")),
        earlier: beside(-1),
        later: beside(1),
        everything: asked.query(Period::All, ""),
        same: asked.query(asked.period, ""),
        choices: choices(joined, Period::month_of(now, &reader.zone)),
        lines,
        movements,
        asked,
    }))
}

/// Cuts the row that only tells that there are more; where they begin.
fn cut<T>(rows: &mut Vec<T>, id: impl Fn(&T) -> String) -> Option<String> {
    let page = usize::try_from(PAGE).unwrap_or(0);
    if rows.len() <= page {
        return None;
    }
    rows.truncate(page);
    rows.last().map(id)
}

async fn earned(
    tx: &mut Tx,
    me: &Earner,
    asked: &Asked,
    (from, to): (Time, Time),
    limit: i64,
) -> Result<Vec<Line>, Failure> {
    let found = if asked.order.is_empty() {
        let below = asked.below::<Commission>(to)?;
        earnings::commissions(tx, me.affiliate, asked.status_name(), (from, below), limit).await?
    } else {
        let mut found = earnings::of_order(tx, me.program.id, me.affiliate, &asked.order).await?;
        let is_wanted = |status: Status| asked.status.is_none_or(|wanted| wanted == status);
        found.retain(|row| from <= row.created_at && row.created_at < to && is_wanted(row.status));
        found
    };
    Ok(found.into_iter().map(|found| Line::new(found, me)).collect())
}

async fn moved(
    tx: &mut Tx,
    me: &Earner,
    asked: &Asked,
    (from, to): (Time, Time),
    limit: i64,
) -> Result<Vec<Moved>, Failure> {
    let rows = earnings::movements(tx, me.affiliate, asked.kind, (from, asked.below_entry(to)), limit).await?;
    Ok(rows.into_iter().map(|found| Moved::new(found, me.program.currency)).collect())
}

/// The periods to choose from: a year of months, two of quarters, and every year since joining.
fn choices(joined: Period, this: Period) -> Vec<(&'static str, Vec<(String, String)>)> {
    let back = |from: Option<Period>, until: Option<Period>, most: i16| {
        let mut list = Vec::new();
        for by in 0..most {
            let Some(period) = from.and_then(|from| from.step(-by)) else { break };
            list.push((period.to_string(), period.label()));
            if Some(period) == until {
                break;
            }
        }
        list
    };
    vec![
        ("Months", back(Some(this), Some(joined), 12)),
        ("Quarters", back(this.quarter(), joined.quarter(), 8)),
        ("Years", back(this.year(), joined.year(), 20)),
    ]
}

/// `GET /earnings.csv`: the same rows as a file, all of them.
pub async fn file(me: Earner, account: SignedIn, State(app): State<App>, query: Query) -> Result<Response, Failure> {
    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    let asked = Asked::read(&query, app.clock.now(), &reader)?;
    let range = asked.period.range(&reader.zone);
    let currency = me.program.currency.code();
    let typed = |text: &Option<String>| csv::text(text.as_deref().unwrap_or_default());
    let time = |time: Option<Time>| time.map(|time| time.to_string()).unwrap_or_default();
    let sheet = if asked.is_movements {
        let mut sheet = csv::Sheet::new(&["Date", "What", "Order", "Commission", "Amount", "Currency"])?;
        let (rows, is_cut) = csv::cut(moved(&mut tx, &me, &asked, range, csv::MOST + 1).await?);
        for row in rows {
            let commission = row.commission.unwrap_or_default();
            let (order, amount) = (typed(&row.order), row.amount.to_string());
            sheet.row(&[row.at.to_string(), row.what.into(), order, commission, amount, currency.into()])?;
        }
        sheet.end(is_cut)?;
        sheet
    } else {
        let columns = [
            "Date",
            "Order",
            "Customer",
            "Sale",
            "Rate",
            "Commission",
            "Currency",
            "Status",
            "Reason",
            "Approved",
            "Paid",
            "Id",
        ];
        let mut sheet = csv::Sheet::new(&columns)?;
        let (rows, is_cut) = csv::cut(earned(&mut tx, &me, &asked, range, csv::MOST + 1).await?);
        for row in rows {
            sheet.row(&[
                row.created_at.to_string(),
                typed(&row.order),
                typed(&row.customer),
                row.sale.to_string(),
                row.rate.clone(),
                row.amount.to_string(),
                currency.into(),
                row.status.to_string(),
                typed(&row.reason),
                time(row.approved_at),
                time(row.paid_at),
                row.id.clone(),
            ])?;
        }
        sheet.end(is_cut)?;
        sheet
    };
    sheet.download(&format!("earnings-{}-{}.csv", me.program.slug, asked.period))
}

#[derive(Template)]
#[template(path = "affiliate/statement.html")]
struct Statement {
    program: String,
    name: String,
    code: String,
    number: String,
    period: String,
    zone: String,
    now: Time,
    balance: Balance,
    movements: Vec<Moved>,
    is_cut: bool,
    back: String,
    /// The same as a file, where one holds it.
    file: Option<Period>,
}

/// `GET /earnings/statement`: one period's movements on paper.
pub async fn statement(me: Earner, account: SignedIn, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let mut tx = app.db.read().await?;
    let reader = Reader::of(&mut tx, account.0).await?;
    let period = Asked::read(&query, now, &reader)?.period;
    let asked = Asked { period, status: None, order: String::new(), is_movements: true, kind: "", before: None };
    let range = period.range(&reader.zone);
    let found = earnings::standing(&mut tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
    let sums = earnings::sums(&mut tx, me.affiliate, range).await?;
    let mut movements = moved(&mut tx, &me, &asked, range, WHOLE + 1).await?;
    let is_cut = i64::try_from(movements.len()).unwrap_or(0) > WHOLE;
    movements.reverse();
    let page = Statement {
        program: me.program.name.clone(),
        name: found.name,
        number: format!("{}-{}-{period}", me.program.slug, found.code),
        code: found.code,
        period: period.label(),
        zone: reader.zone.iana_name().unwrap_or("UTC").to_owned(),
        now,
        balance: Balance::new(&sums, me.program.currency),
        file: (i64::try_from(movements.len()).unwrap_or(i64::MAX) <= paper::MOST).then_some(period),
        movements,
        is_cut,
        back: asked.query(period, ""),
    };
    Ok(Reply::page(page))
}

/// `GET /earnings/statement.pdf`: the same as a file.
pub async fn statement_file(me: Earner, State(app): State<App>, query: Query) -> Result<Response, Failure> {
    paper::statement(&app, &me.program, me.affiliate, &query).await
}
