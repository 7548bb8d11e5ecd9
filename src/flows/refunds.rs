//! Refunds of sales, and what they take back of the commission.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        commission::{Entry, Kind, Status},
        id::{CommissionId, ConversionId, RefundId},
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
    let (refund, sale, is_new) = enter(tx, act, new).await?;
    if is_new {
        let after = act.program.currency.of(refund.amount_minor).to_string();
        let change = Change { after: Some(&after), reason: refund.reason.as_deref(), ..Change::default() };
        act.audit(tx, "conversion.refunded", sale.id, change).await?;
    }
    Ok((refund, sale, is_new))
}

/// The same without a word in the audit log, for a refund that is part of something else.
pub(super) async fn enter(tx: &mut Tx, act: &Act, new: NewRefund) -> Result<(Refund, Conversion, bool), Refusal> {
    let program = act.program.id;
    let sale = conversions::lock(tx, program, new.conversion).await?.ok_or(Refusal::NotFound("conversion"))?;
    if let Some(key) = &new.key
        && let Some(known) = refunds::by_key(tx, program, key).await?
    {
        let is_same = known.conversion_id == sale.id && new.amount.is_none_or(|amount| amount == known.amount_minor);
        return if is_same { Ok((known, sale, false)) } else { Err(key_taken()) };
    }

    let decided =
        refund::decide(so_far(tx, &sale).await?, new.amount).map_err(|r| Refusal::field("amount", r.to_string()))?;
    let id = act.id();
    let refund = Refund {
        id,
        conversion_id: sale.id,
        refund_key: new.key,
        amount_minor: decided.amount,
        reversed_minor: decided.commission_reversed,
        reason: new.reason,
        created_at: id.time(),
        restored_at: None,
        restored_minor: 0,
    };
    if !refunds::create(tx, program, &refund).await? {
        return Err(key_taken());
    }
    conversions::refund(tx, sale.id, refund.amount_minor).await?;
    move_back(tx, act, &sale, refund.id, refund.reversed_minor, false).await?;
    Ok((refund, sale, true))
}

fn key_taken() -> Refusal {
    Refusal::field("refundId", "is already used for another refund")
}

/// Undoes a refund that came to nothing: it failed, or its dispute was won. Once; whether this was it.
///
/// # Errors
/// When the program has no such refund.
pub async fn restore(tx: &mut Tx, act: &Act, id: RefundId, reason: Option<&str>) -> Result<bool, Refusal> {
    let program = act.program.id;
    let unknown = || Refusal::NotFound("refund");
    let found = refunds::by_id(tx, program, id).await?.ok_or_else(unknown)?;
    let sale = conversions::lock(tx, program, found.conversion_id).await?.ok_or_else(unknown)?;
    let so_far = so_far(tx, &sale).await?;
    let back = refund::restore(so_far, found.amount_minor);
    if !refunds::restore(tx, found.id, back, act.now).await? {
        return Ok(false);
    }
    conversions::refund(tx, sale.id, -found.amount_minor).await?;
    let has_own_line = commissions::of_refund(tx, found.id, sale.id).await?.is_some();
    move_back(tx, act, &sale, found.id, -back, has_own_line).await?;
    let after = act.program.currency.of(found.amount_minor).to_string();
    let change = Change { before: Some(&after), reason, ..Change::default() };
    act.audit(tx, "conversion.refund_restored", sale.id, change).await?;
    Ok(true)
}

async fn so_far(tx: &mut Tx, sale: &Conversion) -> Result<Sale, Refusal> {
    Ok(Sale {
        amount: sale.amount_minor,
        commission: sale.commission_minor,
        refunded: sale.refunded_minor,
        reversed: refunds::reversed(tx, sale.id).await?,
    })
}

/// Takes the refund's part back (gives it back, where `amount` is negative): off the commission while it is unpaid, as
/// a line of its own once it is paid or on its way, because that money went out, or where a line of its own is what
/// is undone.
async fn move_back(
    tx: &mut Tx,
    act: &Act,
    sale: &Conversion,
    refund: RefundId,
    amount: i64,
    has_own_line: bool,
) -> Result<(), Refusal> {
    if amount == 0 {
        return Ok(());
    }
    let unknown = || Refusal::NotFound("commission");
    let earned = commissions::of_sale(tx, act.program.id, sale.id).await?.ok_or_else(unknown)?.id;
    // Whoever decides it at this moment, or lets go of it, is waited for: then it is where it will be.
    commissions::lock(tx, act.program.id, &[earned]).await?;
    let found = commissions::by_id(tx, act.program.id, earned).await?.ok_or_else(unknown)?;
    if has_own_line || found.status == Status::Paid || found.payout_line_id.is_some() {
        let line = NewCommission {
            id: act.id(),
            program: act.program.id,
            affiliate: sale.affiliate_id,
            conversion: Some(sale.id),
            kind: if amount > 0 { Kind::Reversal } else { Kind::Restoration },
            amount: -amount,
            rate_bps: found.rate_bps,
            status: Status::Approved,
            refund: Some(refund),
            reason: None,
            payable_at: act.now,
            explanation: None,
            held_for: None,
        };
        commissions::create(tx, &line).await?;
        totals::count_commission(tx, sale.affiliate_id, Status::Approved, 1, -amount).await?;
        return post(tx, act, sale, (refund, -amount), line.id).await;
    }
    if !commissions::lower(tx, found.id, found.status, amount, act.now).await? {
        return Err(unknown());
    }
    if found.status == Status::Rejected {
        return Ok(());
    }
    totals::count_commission(tx, sale.affiliate_id, found.status, 0, -amount).await?;
    post(tx, act, sale, (refund, -amount), found.id).await
}

async fn post(
    tx: &mut Tx,
    act: &Act,
    sale: &Conversion,
    (refund, amount): (RefundId, i64),
    commission: CommissionId,
) -> Result<(), Refusal> {
    let entry = ledger::NewEntry {
        id: act.id(),
        program: act.program.id,
        affiliate: sale.affiliate_id,
        currency: act.program.currency,
        kind: Entry::Reverse,
        amount,
        commission: Some(commission),
        payout_line: None,
        refund: Some(refund),
    };
    Ok(ledger::post(tx, &entry).await?)
}
