//! Refunds of sales, and what they take back of the commission.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        commission::{Entry, Kind, Status},
        id::{CommissionId, ConversionId},
        refund::{self, Sale},
    },
    store::{
        Tx,
        commissions::{self, NewCommission},
        conversions::{self, Conversion},
        ledger,
        refunds::{self, Refund},
        totals,
    },
};

#[derive(Debug)]
pub struct NewRefund {
    pub conversion: ConversionId,
    /// Minor units; all that is left where none is named.
    pub amount: Option<i64>,
    /// The merchant's own id of the refund.
    pub key: Option<String>,
    pub reason: Option<String>,
}

/// Records the refund; the refund, its sale, and whether it is new.
///
/// # Errors
/// When there is no such sale, less is left of it, or the refund id stands for another refund.
pub async fn record(tx: &mut Tx, act: &Act, new: NewRefund) -> Result<(Refund, Conversion, bool), Refusal> {
    let program = act.program.id;
    let sale = conversions::lock(tx, program, new.conversion).await?.ok_or(Refusal::NotFound("conversion"))?;
    if let Some(key) = &new.key
        && let Some(known) = refunds::by_key(tx, program, key).await?
    {
        let is_same = known.conversion_id == sale.id && new.amount.is_none_or(|amount| amount == known.amount_minor);
        return if is_same { Ok((known, sale, false)) } else { Err(key_taken()) };
    }

    let so_far = Sale {
        amount: sale.amount_minor,
        commission: sale.commission_minor,
        refunded: sale.refunded_minor,
        reversed: refunds::reversed(tx, sale.id).await?,
    };
    let decided = refund::decide(so_far, new.amount).map_err(|r| Refusal::field("amount", r.to_string()))?;
    let id = act.id();
    let refund = Refund {
        id,
        conversion_id: sale.id,
        refund_key: new.key,
        amount_minor: decided.amount,
        reversed_minor: decided.commission_reversed,
        reason: new.reason,
        created_at: id.time(),
    };
    if !refunds::create(tx, program, &refund).await? {
        return Err(key_taken());
    }
    conversions::refund(tx, sale.id, refund.amount_minor).await?;
    reverse(tx, act, &sale, &refund).await?;
    let after = act.program.currency.of(refund.amount_minor).to_string();
    let change = Change { after: Some(&after), reason: refund.reason.as_deref(), ..Change::default() };
    act.audit(tx, "conversion.refunded", sale.id, change).await?;
    Ok((refund, sale, true))
}

fn key_taken() -> Refusal {
    Refusal::field("refundId", "is already used for another refund")
}

/// Takes the refund's part back: off the commission while it is unpaid, as a negative line of its own once
/// it is paid or on its way, because that money went out.
async fn reverse(tx: &mut Tx, act: &Act, sale: &Conversion, refund: &Refund) -> Result<(), Refusal> {
    let amount = refund.reversed_minor;
    if amount == 0 {
        return Ok(());
    }
    loop {
        let found = commissions::of_sale(tx, act.program.id, sale.id).await?;
        let found = found.ok_or(Refusal::NotFound("commission"))?;
        if found.status == Status::Paid || found.is_in_payout {
            let line = NewCommission {
                id: act.id(),
                program: act.program.id,
                affiliate: sale.affiliate_id,
                conversion: sale.id,
                kind: Kind::Reversal,
                amount: -amount,
                rate_bps: found.rate_bps,
                status: Status::Approved,
                refund: Some(refund.id),
            };
            commissions::create(tx, &line).await?;
            totals::count_commission(tx, sale.affiliate_id, Status::Approved, 1, -amount).await?;
            return post(tx, act, sale, refund, line.id).await;
        }
        // Somebody may be deciding it at this moment; then look again.
        if commissions::lower(tx, found.id, found.status, amount, act.now).await? {
            if found.status == Status::Rejected {
                return Ok(());
            }
            totals::count_commission(tx, sale.affiliate_id, found.status, 0, -amount).await?;
            return post(tx, act, sale, refund, found.id).await;
        }
    }
}

async fn post(
    tx: &mut Tx,
    act: &Act,
    sale: &Conversion,
    refund: &Refund,
    commission: CommissionId,
) -> Result<(), Refusal> {
    let entry = ledger::NewEntry {
        id: act.id(),
        program: act.program.id,
        affiliate: sale.affiliate_id,
        currency: act.program.currency,
        kind: Entry::Reverse,
        amount: -refund.reversed_minor,
        commission,
        refund: Some(refund.id),
    };
    Ok(ledger::post(tx, &entry).await?)
}
