//! Whether the books agree: the ledger, the commissions, the totals that pages and the API show, and the payouts, each
//! summed for itself at one moment and set side by side; and how long what is owed has been waiting.

use askama::Template;
use axum::extract::State;

use crate::{
    app::App,
    domain::{
        commission::{Entry, Status},
        money::{Currency, Money},
        payout::{self, LineStatus},
        time::Time,
    },
    store::books::{self, Books},
    web::{caller::Reads, failure::Failure, filters, reply::Reply},
};

/// Days since the approval that an age ends with, and what it is called.
const AGES: [(i64, &str); 3] = [(31, "Up to 30 days"), (61, "31 to 60 days"), (91, "61 to 90 days")];
const OLDEST: &str = "More than 90 days";

/// One figure as each of those who know it has it. Minor units.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sides {
    ledger: Option<i64>,
    commissions: Option<i64>,
    totals: Option<i64>,
    payouts: Option<i64>,
}

impl Sides {
    /// How far apart they are: 0 where all agree.
    fn apart(self) -> i64 {
        let known = [self.ledger, self.commissions, self.totals, self.payouts].into_iter().flatten();
        known.clone().max().unwrap_or(0) - known.min().unwrap_or(0)
    }
}

/// A figure, the page of the rows that make it, below the program, and its sides.
fn compared(books: &Books) -> [(&'static str, &'static str, Sides); 9] {
    let entries = |kinds: &[Entry]| -> i64 {
        books.entries.iter().filter(|sum| kinds.contains(&sum.kind)).map(|sum| sum.amount).sum()
    };
    let by_payouts: i64 = -books.entries.iter().map(|sum| sum.by_payouts).sum::<i64>();
    let commissions = |wanted: Status| {
        let found = books.commissions.iter().find(|sum| sum.status == wanted);
        found.map_or((0, 0), |sum| (sum.amount, sum.in_payouts))
    };
    let lines = |wanted: LineStatus| books.lines.iter().find(|sum| sum.status == wanted).map_or(0, |sum| sum.amount);
    let held: i64 = books.commissions.iter().map(|sum| sum.in_payouts).sum::<i64>() + books.released;
    let (pending, approved, paid) =
        (commissions(Status::Pending), commissions(Status::Approved), commissions(Status::Paid));
    let ledger_paid = -entries(&[Entry::Pay, Entry::Unpay]);
    let totals = &books.totals;
    let sides = |ledger, commissions, totals, payouts| Sides { ledger, commissions, totals, payouts };
    [
        (
            "Earned in all",
            "/commissions?status=all",
            sides(
                Some(entries(&[Entry::Earn, Entry::Reverse, Entry::Adjust])),
                Some(pending.0 + approved.0 + paid.0),
                Some(totals.pending_minor + totals.approved_minor + totals.paid_minor),
                None,
            ),
        ),
        ("Pending", "/commissions", sides(None, Some(pending.0), Some(totals.pending_minor), None)),
        ("Approved", "/commissions?status=approved", sides(None, Some(approved.0), Some(totals.approved_minor), None)),
        (
            "Owed: pending and approved",
            "/commissions?status=all",
            sides(
                Some(books.entries.iter().map(|sum| sum.amount).sum()),
                Some(pending.0 + approved.0),
                Some(totals.pending_minor + totals.approved_minor),
                None,
            ),
        ),
        (
            "Paid in all",
            "/commissions?status=paid",
            sides(Some(ledger_paid), Some(paid.0), Some(totals.paid_minor), None),
        ),
        ("Paid by payouts", "/payouts", sides(Some(by_payouts), Some(paid.1), None, Some(lines(LineStatus::Paid)))),
        ("On its way in open payouts", "/payouts", sides(None, Some(approved.1), None, Some(lines(LineStatus::Open)))),
        // Those that failed or were cancelled too.
        ("All payouts", "/payouts", sides(None, Some(held), None, Some(books.runs.iter().map(|sum| sum.amount).sum()))),
        (
            "All payouts’ lines",
            "/payouts",
            sides(None, Some(held), None, Some(books.lines.iter().map(|sum| sum.amount).sum())),
        ),
    ]
}

struct Row {
    what: &'static str,
    path: String,
    /// Of the ledger, the commissions, the totals and the payouts.
    sides: [Option<Money>; 4],
    apart: Money,
}

/// How many there are of something, and their sum.
struct Sum {
    what: &'static str,
    path: Option<String>,
    count: i64,
    amount: Money,
}

#[derive(Template)]
#[template(path = "merchant/reconciliation.html")]
struct Show {
    slug: String,
    now: Time,
    rows: Vec<Row>,
    ages: Vec<Sum>,
    owed: Sum,
    entries: Vec<Sum>,
    balance: Sum,
    commissions: Vec<Sum>,
    runs: Vec<Sum>,
}

impl Show {
    fn new(books: &Books, slug: &str, currency: Currency, now: Time) -> Self {
        let below = |path: &str| format!("/m/{slug}{path}");
        let sum = |what, path: Option<String>, count, amount| Sum { what, path, count, amount: currency.of(amount) };
        let rows = compared(books).map(|(what, path, sides)| Row {
            what,
            path: below(path),
            sides: [sides.ledger, sides.commissions, sides.totals, sides.payouts]
                .map(|side| side.map(|minor| currency.of(minor))),
            apart: currency.of(sides.apart()),
        });
        let names = AGES.map(|(_, name)| name).into_iter().chain([OLDEST]);
        let ages = names.zip(0..).map(|(name, place)| {
            let found = books.aged.iter().find(|aged| aged.age == place);
            sum(name, None, found.map_or(0, |aged| aged.count), found.map_or(0, |aged| aged.amount))
        });
        let entries = [
            (Entry::Earn, "Earned"),
            (Entry::Reverse, "Taken back"),
            (Entry::Adjust, "Adjusted"),
            (Entry::Pay, "Paid"),
            (Entry::Unpay, "Payments that came back"),
        ];
        let entries = entries.into_iter().map(|(kind, name)| {
            let found = books.entries.iter().find(|sum| sum.kind == kind);
            sum(name, None, found.map_or(0, |found| found.count), found.map_or(0, |found| found.amount))
        });
        let statuses = [
            (Status::Pending, "Pending", "/commissions"),
            (Status::Approved, "Approved", "/commissions?status=approved"),
            (Status::Paid, "Paid", "/commissions?status=paid"),
            (Status::Rejected, "Rejected", "/commissions?status=rejected"),
        ];
        let commissions = statuses.into_iter().map(|(status, name, path)| {
            let found = books.commissions.iter().find(|sum| sum.status == status);
            let count = found.map_or(0, |found| found.count);
            sum(name, Some(below(path)), count, found.map_or(0, |found| found.amount))
        });
        let is_made = |status: payout::Status| status != payout::Status::Draft;
        let runs = books.runs.iter().filter(|run| is_made(run.status));
        let runs = runs.map(|run| sum(run.status.label(), Some(below("/payouts")), run.count, run.amount));
        let owed: (i64, i64) = books.aged.iter().fold((0, 0), |all, aged| (all.0 + aged.count, all.1 + aged.amount));
        let posted: (i64, i64) = books.entries.iter().fold((0, 0), |all, sum| (all.0 + sum.count, all.1 + sum.amount));
        Self {
            rows: rows.into(),
            ages: ages.collect(),
            owed: sum("Approved and unpaid", Some(below("/commissions?status=approved")), owed.0, owed.1),
            entries: entries.collect(),
            balance: sum("Balance", None, posted.0, posted.1),
            commissions: commissions.collect(),
            runs: runs.collect(),
            slug: slug.to_owned(),
            now,
        }
    }

    fn disagreeing(&self) -> usize {
        self.rows.iter().filter(|row| row.apart.minor != 0).count()
    }
}

/// `GET /m/{program}/payouts/reconciliation`
pub async fn show(me: Reads, State(app): State<App>) -> Result<Reply, Failure> {
    let (program, now) = (me.program.id, app.clock.now());
    let ages = AGES.map(|(days, _)| now.plus_days(-days));
    let books = app.db.snapshot(move |tx| Box::pin(books::all(tx, program, ages))).await?;
    Ok(Reply::page(Show::new(&books, &me.program.slug, me.program.currency, now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_agree_or_are_apart() {
        assert_eq!(Sides::default().apart(), 0);
        let one = Sides { ledger: Some(-5), commissions: Some(-5), ..Sides::default() };
        assert_eq!(one.apart(), 0);
        assert_eq!(Sides { payouts: Some(2), ..one }.apart(), 7);
    }
}
