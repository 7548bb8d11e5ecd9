//! The ledger: entries that are only ever added. An affiliate's balance is their sum.

use super::{Error, Tx, execute, fetch_all, row};
use crate::domain::{
    commission::Entry,
    id::{AffiliateId, CommissionId, Id, PayoutLineId, ProgramId, RefundId},
    money::Currency,
    time::Time,
};

/// An entry has no public id.
#[derive(Debug)]
pub enum LedgerEntry {}

#[derive(Debug)]
pub struct NewEntry {
    pub id: Id<LedgerEntry>,
    pub program: ProgramId,
    pub affiliate: AffiliateId,
    pub currency: Currency,
    pub kind: Entry,
    pub amount: i64,
    pub commission: Option<CommissionId>,
    pub payout_line: Option<PayoutLineId>,
    pub refund: Option<RefundId>,
}

/// Adds the entry. Nothing moves nothing: an amount of 0 is no entry.
pub async fn post(tx: &mut Tx, new: &NewEntry) -> Result<(), Error> {
    if new.amount == 0 {
        return Ok(());
    }
    execute!(
        tx,
        "INSERT INTO ledger_entries (id, program_id, affiliate_id, currency, kind, amount_minor, commission_id, refund_id, created_at, payout_line_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        new.id,
        new.program,
        new.affiliate,
        new.currency,
        new.kind,
        new.amount,
        new.commission,
        new.refund,
        new.id.time(),
        new.payout_line
    )
    .map(drop)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Posted {
        pub kind: Entry,
        pub amount_minor: i64,
        pub refund_id: Option<RefundId>,
        pub created_at: Time,
    }
}

/// How one commission's money moved, oldest first.
pub async fn of_commission(tx: &mut Tx, commission: CommissionId) -> Result<Vec<Posted>, Error> {
    fetch_all!(
        Posted,
        tx,
        "SELECT kind, amount_minor, refund_id, created_at FROM ledger_entries WHERE commission_id = $1 ORDER BY id",
        commission
    )
}
