//! A table of sales, or of the commissions that they earned: what was sold, when, by whom, and what has become of it.

use super::{
    Bad, Sheet,
    affiliates::past,
    cells::{self, Order},
    sale_columns::{Amounts, Columns, is_known},
    table::{Once, Row as Cells, Table, Unreadable, plain},
    tool::Tool,
};
use crate::domain::{Issue, email::Email, id::EPOCH_MS, money::Currency, text, time::Time};

/// What has become of a sale's commission elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Pending,
    Approved,
    Paid,
    Rejected,
    /// The whole sale was given back before its commission was paid.
    Refunded,
}

/// By what the file says whose a sale is. Where it says several things, they must agree.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Who {
    pub code: Option<String>,
    pub email: Option<String>,
    pub id: Option<String>,
}

impl Who {
    /// As a person would name them.
    pub fn shown(&self) -> &str {
        self.email.as_deref().or(self.code.as_deref()).or(self.id.as_deref()).unwrap_or_default()
    }
}

/// A sale as the file has it. Amounts in minor units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub line: i64,
    pub order: String,
    /// Less what was refunded of it, where that was a part.
    pub amount: i64,
    pub at: Time,
    pub who: Who,
    pub customer_id: Option<String>,
    pub customer_email: Option<String>,
    /// As the other tool counted it; by the program's rules where it did not say.
    pub commission: Option<i64>,
    pub state: State,
    pub paid_at: Option<Time>,
}

impl Row {
    /// As people read it.
    pub const fn state_word(&self) -> &'static str {
        match self.state {
            State::Pending => "pending",
            State::Approved => "approved",
            State::Paid => "paid",
            State::Rejected => "rejected",
            State::Refunded => "refunded",
        }
    }
}

/// How a file of sales is to be read.
#[derive(Debug, Clone, Copy)]
pub struct How {
    pub tool: Tool,
    pub currency: Currency,
    /// All amounts are in minor units, whatever their columns are called.
    pub in_minor_units: bool,
    pub now: Time,
}

/// The sales of a file, the oldest first, as they would have been recorded.
///
/// # Errors
/// When a column is missing that cannot be done without, or the file cannot be read at all.
pub fn read(text: &str, how: How) -> Result<Sheet<Row>, Unreadable> {
    let mut table = Table::open(text, is_known, "order id, date, amount and affiliate email")?;
    let columns = Columns::of(&mut table, how.tool)?;
    let (used, unused) = table.told();
    let order = |place: Option<usize>| Order::of(table.rows.iter().filter_map(|row| row.get(place)));
    let (order, paid_order) = (order(Some(columns.date)), order(columns.paid_at));
    let mut reading =
        Reading { table: &table, columns, how, order, paid_order, bad: Vec::new(), orders: Once::default() };
    let mut rows: Vec<Row> = table.rows.iter().filter_map(|row| reading.row(row)).collect();
    let mut bad = reading.bad;
    rows.sort_by_key(|row| (row.at, row.line));
    bad.extend(std::mem::take(&mut table.bad));
    bad.sort_by_key(|bad| bad.line);
    Ok(Sheet { rows, bad, used, unused })
}

struct Reading<'t> {
    table: &'t Table,
    columns: Columns,
    how: How,
    order: Order,
    paid_order: Order,
    bad: Vec<Bad>,
    orders: Once,
}

impl Reading<'_> {
    fn wrong(&mut self, row: &Cells, place: Option<usize>, why: impl Into<String>) {
        let (column, value) = (place.map_or("", |place| self.table.header(place)), row.get(place).unwrap_or_default());
        self.bad.push(Bad::new(row.line, column, value, why));
    }

    fn read<T>(
        &mut self,
        row: &Cells,
        place: Option<usize>,
        parse: impl FnOnce(&str) -> Result<T, Issue>,
    ) -> Option<T> {
        match parse(row.get(place)?) {
            Ok(value) => Some(value),
            Err(issue) => {
                self.wrong(row, place, issue.0);
                None
            }
        }
    }

    fn must<T>(&mut self, row: &Cells, place: usize, parse: impl FnOnce(&str) -> Result<T, Issue>) -> Option<T> {
        if row.get(Some(place)).is_none() {
            self.wrong(row, Some(place), "is empty");
        }
        self.read(row, Some(place), parse)
    }

    fn amount(&mut self, row: &Cells, of: Amounts) -> Option<i64> {
        let ((place, is_minor), how) = (of?, self.how);
        self.read(row, Some(place), |cell| cells::amount(cell, how.currency, is_minor || how.in_minor_units))
    }

    fn row(&mut self, row: &Cells) -> Option<Row> {
        let (before, now) = (self.bad.len(), self.how.now);
        let order = self.must(row, self.columns.order, |cell| text::bounded(cell, 1, 255).map(|()| cell.to_owned()));
        if let Some(order) = &order
            && let Some(line) = self.orders.earlier(order.clone(), row.line)
        {
            self.wrong(row, Some(self.columns.order), format!("stands on line {line} already"));
        }
        let currency = self.how.currency;
        self.read(row, self.columns.currency, |cell| same(cell, currency));
        if row.get(Some(self.columns.amount.0)).is_none() {
            self.wrong(row, Some(self.columns.amount.0), "is empty");
        }
        let amount = self.amount(row, Some(self.columns.amount));
        let (commission, refund) = (self.amount(row, self.columns.commission), self.amount(row, self.columns.refund));
        let order_of = self.order;
        let at = self.must(row, self.columns.date, |cell| past(cell, order_of, now).and_then(since_2020));
        let paid_order = self.paid_order;
        let paid_at = self.read(row, self.columns.paid_at, |cell| past(cell, paid_order, now));
        let state = self.state(row, amount, refund, paid_at);
        let who = self.who(row);
        // What has no @ is a name, by which nobody is known again.
        let has_address = row.get(self.columns.customer).is_some_and(|cell| cell.contains('@'));
        let customer = self.columns.customer.filter(|_| has_address);
        let customer_email = self.read(row, customer, |cell| Email::parse(cell).map(|_| cell.to_owned()));
        let short = |cell: &str| text::bounded(cell, 1, 255).map(|()| cell.to_owned());
        let customer_id = self.read(row, self.columns.customer_id, short);
        if self.bad.len() > before {
            return None;
        }
        let (amount, at, state) = (amount?, at?, state?);
        // A part of it that came back: what is left was sold. Where the commission was paid, that is settled too.
        let gone = refund.filter(|refund| *refund < amount && matches!(state, State::Pending | State::Approved));
        Some(Row {
            line: row.line,
            order: order?,
            amount: amount - gone.unwrap_or(0),
            at,
            who,
            customer_id,
            customer_email,
            commission,
            state,
            paid_at: paid_at.map(|paid| paid.max(at)).filter(|_| state == State::Paid),
        })
    }

    fn who(&mut self, row: &Cells) -> Who {
        let (code, named) = (row.get(self.columns.code), row.get(self.columns.who));
        let email = named.filter(|named| named.contains('@'));
        // A column that may hold a name or a code is a code where nothing else tells.
        let code = code.or(named.filter(|named| !named.contains('@') && !named.contains(' ')));
        let who = Who {
            code: code.map(str::to_owned),
            email: email.map(str::to_owned),
            id: row.get(self.columns.who_id).map(str::to_owned),
        };
        if who == Who::default() {
            let place = self.columns.who.or(self.columns.code).or(self.columns.who_id);
            let why = if row.get(place).is_some() {
                "names nobody: it must be an e-mail address or a code"
            } else {
                "is empty"
            };
            self.wrong(row, place, why);
        }
        who
    }

    fn state(&mut self, row: &Cells, amount: Option<i64>, refund: Option<i64>, paid_at: Option<Time>) -> Option<State> {
        let unknown = || Issue::new("is no state that is known: pending, approved, paid, rejected or refunded");
        let said = self.read(row, self.columns.state, |cell| state(cell).ok_or_else(unknown));
        let said = said.or((row.get(self.columns.state).is_none()).then_some(State::Pending))?;
        let is_refunded = row.get(self.columns.is_refunded).is_some_and(|cell| cells::yes(cell) != Some(false));
        let is_paid =
            paid_at.is_some() || row.get(self.columns.is_paid).is_some_and(|cell| cells::yes(cell) == Some(true));
        if amount.zip(refund).is_some_and(|(amount, refund)| refund > amount) {
            self.wrong(row, self.columns.refund.map(|(place, _)| place), "is more than the sale");
        }
        let all = amount.zip(refund).is_some_and(|(amount, refund)| refund == amount && amount > 0);
        Some(match said {
            State::Rejected | State::Refunded | State::Paid => said,
            State::Pending | State::Approved if is_paid => State::Paid,
            State::Pending | State::Approved if all || (is_refunded && refund.is_none()) => State::Refunded,
            other => other,
        })
    }
}

fn same(cell: &str, currency: Currency) -> Result<(), Issue> {
    let said = Currency::parse(cell)?;
    if said == currency {
        return Ok(());
    }
    Err(Issue::from(format!("is {}, but the program counts in {}", said.code(), currency.code())))
}

fn since_2020(at: Time) -> Result<Time, Issue> {
    if at.ms() > EPOCH_MS { Ok(at) } else { Err(Issue::new("is before 2020, from when on sales can be kept")) }
}

/// The words of the six tools, and of people. What Rewardful calls due has waited as long as it must.
fn state(cell: &str) -> Option<State> {
    Some(match plain(cell).as_str() {
        "pending" | "unapproved" | "onhold" | "hold" | "new" | "open" | "unpaid" | "waiting" => State::Pending,
        "approved" | "due" | "accepted" | "confirmed" | "payable" | "processing" | "ready" => State::Approved,
        "paid" | "fulfilled" | "paidout" => State::Paid,
        "rejected" | "denied" | "declined" | "disapproved" | "voided" | "void" | "canceled" | "cancelled"
        | "failed" | "fraud" => State::Rejected,
        "refunded" | "reversed" | "chargedback" | "chargeback" => State::Refunded,
        _ => return None,
    })
}
