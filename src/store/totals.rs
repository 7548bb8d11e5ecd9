//! Counters that pages and lists show, changed in the transaction of what they count.

use super::{Error, Tx, execute, fetch_one, row};
use crate::domain::{
    affiliate,
    commission::Status,
    id::{AffiliateId, ProgramId},
};

pub async fn start_program(tx: &mut Tx, program: ProgramId) -> Result<(), Error> {
    execute!(tx, "INSERT INTO program_totals (program_id) VALUES ($1)", program).map(drop)
}

pub async fn start_affiliate(tx: &mut Tx, program: ProgramId, affiliate: AffiliateId) -> Result<(), Error> {
    execute!(tx, "INSERT INTO affiliate_totals (affiliate_id, program_id) VALUES ($1, $2)", affiliate, program)
        .map(drop)
}

fn one_if(condition: bool) -> i64 {
    i64::from(condition)
}

/// An affiliate joined a status, or (`by` −1) left it.
pub async fn count_affiliate(tx: &mut Tx, program: ProgramId, status: affiliate::Status, by: i64) -> Result<(), Error> {
    use affiliate::Status::{Active, Blocked, Pending};
    execute!(
        tx,
        "UPDATE program_totals SET active = active + $2, pending = pending + $3, blocked = blocked + $4 WHERE program_id = $1",
        program,
        by * one_if(status == Active),
        by * one_if(status == Pending),
        by * one_if(status == Blocked)
    )
    .map(drop)
}

/// How many affiliates a program has, of one status or of all.
pub async fn affiliates(tx: &mut Tx, program: ProgramId, status: Option<affiliate::Status>) -> Result<i64, Error> {
    use affiliate::Status::{Active, Blocked, Pending};
    let (active, pending, blocked) = fetch_one!(
        (i64, i64, i64),
        tx,
        "SELECT active, pending, blocked FROM program_totals WHERE program_id = $1",
        program
    )?;
    Ok(match status {
        None => active + pending + blocked,
        Some(Active) => active,
        Some(Pending) => pending,
        Some(Blocked) => blocked,
    })
}

/// A conversion was recorded. Amounts in minor units.
pub async fn count_conversion(
    tx: &mut Tx,
    affiliate: AffiliateId,
    day: i64,
    sale: i64,
    commission: i64,
) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE affiliate_totals SET conversions = conversions + 1, sales_minor = sales_minor + $2,
           pending_count = pending_count + 1, pending_minor = pending_minor + $3 WHERE affiliate_id = $1",
        affiliate,
        sale,
        commission
    )?;
    execute!(
        tx,
        "INSERT INTO affiliate_days (affiliate_id, day, conversions, sales_minor, earned_minor) VALUES ($1, $2, 1, $3, $4)
         ON CONFLICT (affiliate_id, day) DO UPDATE SET
           conversions = affiliate_days.conversions + excluded.conversions,
           sales_minor = affiliate_days.sales_minor + excluded.sales_minor,
           earned_minor = affiliate_days.earned_minor + excluded.earned_minor",
        affiliate,
        day,
        sale,
        commission
    )
    .map(drop)
}

/// A commission joined a status with that amount, or (`by` −1) left it; `by` 0 changes its amount only.
pub async fn count_commission(
    tx: &mut Tx,
    affiliate: AffiliateId,
    status: Status,
    by: i64,
    amount: i64,
) -> Result<(), Error> {
    use Status::{Approved, Paid, Pending, Rejected};
    execute!(
        tx,
        "UPDATE affiliate_totals SET
           pending_count = pending_count + $2, approved_count = approved_count + $3,
           paid_count = paid_count + $4, rejected_count = rejected_count + $5,
           pending_minor = pending_minor + $6, approved_minor = approved_minor + $7, paid_minor = paid_minor + $8
         WHERE affiliate_id = $1",
        affiliate,
        by * one_if(status == Pending),
        by * one_if(status == Approved),
        by * one_if(status == Paid),
        by * one_if(status == Rejected),
        amount * one_if(status == Pending),
        amount * one_if(status == Approved),
        amount * one_if(status == Paid)
    )
    .map(drop)
}

row! {
    pub struct CommissionCounts {
        pub pending: i64,
        pub approved: i64,
        pub paid: i64,
        pub rejected: i64,
    }
}

impl CommissionCounts {
    pub fn of(&self, status: Option<Status>) -> i64 {
        match status {
            None => self.pending + self.approved + self.paid + self.rejected,
            Some(Status::Pending) => self.pending,
            Some(Status::Approved) => self.approved,
            Some(Status::Paid) => self.paid,
            Some(Status::Rejected) => self.rejected,
        }
    }
}

macro_rules! commission_counts {
    ($rest:literal) => {
        concat!(
            "SELECT CAST(COALESCE(SUM(pending_count), 0) AS BIGINT) AS pending,
                    CAST(COALESCE(SUM(approved_count), 0) AS BIGINT) AS approved,
                    CAST(COALESCE(SUM(paid_count), 0) AS BIGINT) AS paid,
                    CAST(COALESCE(SUM(rejected_count), 0) AS BIGINT) AS rejected
             FROM affiliate_totals ",
            $rest
        )
    };
}

/// How many commissions a program has, or one of its affiliates.
pub async fn commissions(tx: &mut Tx, program: ProgramId, of: Option<AffiliateId>) -> Result<CommissionCounts, Error> {
    match of {
        None => fetch_one!(CommissionCounts, tx, commission_counts!("WHERE program_id = $1"), program),
        Some(affiliate) => fetch_one!(
            CommissionCounts,
            tx,
            commission_counts!("WHERE program_id = $1 AND affiliate_id = $2"),
            program,
            affiliate
        ),
    }
}

/// How many conversions a program has, or one of its affiliates.
pub async fn conversions(tx: &mut Tx, program: ProgramId, of: Option<AffiliateId>) -> Result<i64, Error> {
    let (count,) = match of {
        None => fetch_one!(
            (i64,),
            tx,
            "SELECT CAST(COALESCE(SUM(conversions), 0) AS BIGINT) FROM affiliate_totals WHERE program_id = $1",
            program
        ),
        Some(affiliate) => fetch_one!(
            (i64,),
            tx,
            "SELECT CAST(COALESCE(SUM(conversions), 0) AS BIGINT) FROM affiliate_totals
             WHERE program_id = $1 AND affiliate_id = $2",
            program,
            affiliate
        ),
    }?;
    Ok(count)
}

row! {
    /// What waits for somebody's decision. The sum in minor units.
    #[derive(Debug, Clone, Copy)]
    pub struct Waiting {
        pub commissions: i64,
        pub sum: i64,
        pub applications: i64,
    }
}

pub async fn waiting(tx: &mut Tx, program: ProgramId) -> Result<Waiting, Error> {
    fetch_one!(
        Waiting,
        tx,
        "SELECT CAST(COALESCE(SUM(t.pending_count), 0) AS BIGINT) AS commissions,
                CAST(COALESCE(SUM(t.pending_minor), 0) AS BIGINT) AS sum,
                (SELECT pending FROM program_totals WHERE program_id = $1) AS applications
         FROM affiliate_totals t WHERE t.program_id = $1",
        program
    )
}
