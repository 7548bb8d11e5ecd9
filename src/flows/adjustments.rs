//! What a merchant adds to an affiliate's balance, or takes off it, by hand.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        commission::{Entry, Kind, Status},
        id::{AffiliateId, CommissionId},
    },
    store::{
        Tx, affiliates,
        commissions::{self, NewCommission},
        ledger, totals,
    },
};

/// Adjusts by that many minor units, which may be negative; the adjustment is a line of its own, approved, and is paid
/// or netted with the next payout. The reason is shown to the affiliate.
///
/// # Errors
/// When there is no such affiliate.
pub async fn create(
    tx: &mut Tx,
    act: &Act,
    affiliate: AffiliateId,
    amount: i64,
    reason: &str,
) -> Result<CommissionId, Refusal> {
    affiliates::lock(tx, act.program.id, affiliate).await?.ok_or(Refusal::NotFound("affiliate"))?;
    let new = NewCommission {
        id: act.id(),
        program: act.program.id,
        affiliate,
        conversion: None,
        kind: Kind::Adjustment,
        amount,
        rate_bps: 0,
        status: Status::Approved,
        refund: None,
        reason: Some(reason),
        payable_at: act.now,
        explanation: None,
        held_for: None,
    };
    commissions::create(tx, &new).await?;
    let entry = ledger::NewEntry {
        id: act.id(),
        program: act.program.id,
        affiliate,
        currency: act.program.currency,
        kind: Entry::Adjust,
        amount,
        commission: Some(new.id),
        payout_line: None,
        refund: None,
    };
    ledger::post(tx, &entry).await?;
    totals::count_commission(tx, affiliate, Status::Approved, 1, amount).await?;
    let after = act.program.currency.of(amount).to_string();
    let change = Change { after: Some(&after), reason: Some(reason), ..Change::default() };
    act.audit(tx, "commission.adjusted", new.id, change).await?;
    Ok(new.id)
}
