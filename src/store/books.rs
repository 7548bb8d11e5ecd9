//! A program's books: what each affiliate was paid in a year, and the sums that must agree with each other. These
//! read every row that they sum, because a counter proves nothing; who asks does so in one snapshot.

use super::{
    Error, Tx, fetch_all, fetch_one,
    ledger::LedgerEntry,
    payout_lines::stayed_paid,
    queue::{self, Sums},
    row,
    tax::profile_of,
};
use crate::domain::{
    commission::{Entry, Status},
    id::{AffiliateId, Id, ProgramId},
    payout::{self, LineStatus},
    tax::{Form, Profile},
    time::Time,
};

row! {
    /// What one affiliate was paid, but for what came back, whenever that was. Minor units.
    #[derive(Debug, Clone)]
    pub struct Paid {
        pub affiliate_id: AffiliateId,
        pub name: String,
        pub email: String,
        pub count: i64,
        pub amount: i64,
        /// Of it, what went by `PayPal`.
        pub by_paypal: i64,
        pub is_company: Option<bool>,
        pub country: Option<String>,
        pub form: Option<Form>,
        pub signed_at: Option<Time>,
        pub checked_at: Option<Time>,
        /// Of their tax profile.
        pub sealed: Option<String>,
    }
}

impl Paid {
    /// What they say of themselves for the tax office.
    ///
    /// # Errors
    /// A country that is none.
    pub fn profile(&self) -> Result<Option<Profile>, Error> {
        let (Some(country), Some(is_company)) = (&self.country, self.is_company) else { return Ok(None) };
        profile_of(country, is_company, (self.form, self.signed_at, self.checked_at)).map(Some)
    }
}

/// Whoever was paid from one moment to another, in the order of their ids. What came back counts in no year.
pub async fn paid(tx: &mut Tx, program: ProgramId, (from, to): (Time, Time)) -> Result<Vec<Paid>, Error> {
    fetch_all!(
        Paid,
        tx,
        concat!(
            "SELECT a.id AS affiliate_id, a.name, a.email, p.count, p.amount, p.by_paypal,
                t.is_company, t.country, t.form, t.signed_at, t.checked_at, t.sealed
         FROM (SELECT e.affiliate_id, COUNT(*) AS count,
                      CAST(-SUM(e.amount_minor) AS BIGINT) AS amount,
                      CAST(-SUM(CASE WHEN l.method = 'paypal' THEN e.amount_minor ELSE 0 END) AS BIGINT) AS by_paypal
               FROM ledger_entries e LEFT JOIN payout_lines l ON l.id = e.payout_line_id
               WHERE e.program_id = $1 AND e.id >= $2 AND e.id < $3 AND ",
            stayed_paid!(),
            "
               GROUP BY e.affiliate_id) p
         JOIN affiliates a ON a.id = p.affiliate_id LEFT JOIN tax_profiles t ON t.affiliate_id = a.id ORDER BY a.id"
        ),
        program,
        Id::<LedgerEntry>::first_at(from),
        Id::<LedgerEntry>::first_at(to)
    )
}

/// When the first payment of all was, and the last.
pub async fn first_and_last(tx: &mut Tx, program: ProgramId) -> Result<Option<(Time, Time)>, Error> {
    let (first, last) = fetch_one!(
        (i64, i64),
        tx,
        "SELECT COALESCE((SELECT id FROM ledger_entries WHERE program_id = $1 AND kind = 'pay' ORDER BY id LIMIT 1), 0),
                COALESCE((SELECT id FROM ledger_entries WHERE program_id = $1 AND kind = 'pay' ORDER BY id DESC LIMIT 1), 0)",
        program
    )?;
    let time = |raw: i64| Id::<LedgerEntry>::new(raw).time();
    Ok((first > 0).then(|| (time(first), time(last))))
}

row! {
    /// Entries of one kind; `by_payouts` is what of them a payout's lines moved.
    #[derive(Debug, Clone, Copy)]
    pub struct Entries {
        pub kind: Entry,
        pub count: i64,
        pub amount: i64,
        pub by_payouts: i64,
    }
}

row! {
    /// Commissions of one status; `in_payouts` is what of them a payout's lines hold or paid.
    #[derive(Debug, Clone, Copy)]
    pub struct Commissions {
        pub status: Status,
        pub count: i64,
        pub amount: i64,
        pub in_payouts: i64,
    }
}

row! {
    /// Payouts of one status, by what each says of itself.
    #[derive(Debug, Clone, Copy)]
    pub struct Runs {
        pub status: payout::Status,
        pub count: i64,
        pub amount: i64,
    }
}

row! {
    #[derive(Debug, Clone, Copy)]
    pub struct Lines {
        pub status: LineStatus,
        pub amount: i64,
    }
}

row! {
    /// What is approved and unpaid, by how long ago it was approved: the place of its age among those asked for.
    #[derive(Debug, Clone, Copy)]
    pub struct Aged {
        pub age: i64,
        pub count: i64,
        pub amount: i64,
    }
}

/// Every sum of a program. Minor units.
#[derive(Debug, Clone)]
pub struct Books {
    pub entries: Vec<Entries>,
    pub commissions: Vec<Commissions>,
    pub totals: Sums,
    pub runs: Vec<Runs>,
    pub lines: Vec<Lines>,
    /// What failed and cancelled lines once held.
    pub released: i64,
    pub aged: Vec<Aged>,
}

/// `older`: the moments before which an approval is of the next age, newest first.
pub async fn all(tx: &mut Tx, program: ProgramId, older: [Time; 3]) -> Result<Books, Error> {
    let entries = fetch_all!(
        Entries,
        tx,
        "SELECT kind, COUNT(*) AS count, CAST(SUM(amount_minor) AS BIGINT) AS amount,
                CAST(SUM(CASE WHEN payout_line_id IS NOT NULL THEN amount_minor ELSE 0 END) AS BIGINT) AS by_payouts
         FROM ledger_entries WHERE program_id = $1 GROUP BY kind",
        program
    )?;
    let commissions = fetch_all!(
        Commissions,
        tx,
        "SELECT status, COUNT(*) AS count, CAST(SUM(amount_minor) AS BIGINT) AS amount,
                CAST(SUM(CASE WHEN payout_line_id IS NOT NULL THEN amount_minor ELSE 0 END) AS BIGINT) AS in_payouts
         FROM commissions WHERE program_id = $1 GROUP BY status",
        program
    )?;
    let runs = fetch_all!(
        Runs,
        tx,
        "SELECT status, COUNT(*) AS count, CAST(SUM(amount_minor) AS BIGINT) AS amount
         FROM payouts WHERE program_id = $1 GROUP BY status",
        program
    )?;
    let lines = fetch_all!(
        Lines,
        tx,
        "SELECT status, CAST(SUM(amount_minor) AS BIGINT) AS amount FROM payout_lines WHERE program_id = $1 GROUP BY status",
        program
    )?;
    let (released,) = fetch_one!(
        (i64,),
        tx,
        "SELECT CAST(COALESCE(SUM(r.amount_minor), 0) AS BIGINT)
         FROM payout_releases r JOIN payout_lines l ON l.id = r.payout_line_id WHERE l.program_id = $1",
        program
    )?;
    let [first, second, third] = older;
    let aged = fetch_all!(
        Aged,
        tx,
        "SELECT age, COUNT(*) AS count, CAST(SUM(amount_minor) AS BIGINT) AS amount
         FROM (SELECT amount_minor, CAST(CASE WHEN COALESCE(approved_at, created_at) > $2 THEN 0
                                              WHEN COALESCE(approved_at, created_at) > $3 THEN 1
                                              WHEN COALESCE(approved_at, created_at) > $4 THEN 2 ELSE 3 END AS BIGINT) AS age
               FROM commissions WHERE program_id = $1 AND status = 'approved') c
         GROUP BY age",
        program,
        first,
        second,
        third
    )?;
    let totals = queue::sums(tx, program, None).await?;
    Ok(Books { entries, commissions, totals, runs, lines, released, aged })
}
