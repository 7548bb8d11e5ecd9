//! What is taken back of a payment, brought to what is known of its refunds and disputes: more is refunded, or what
//! was refunded is given back, through the same flow as a refund by hand.

use super::{
    Act, Refusal,
    refunds::{self, NewRefund},
};
use crate::{
    domain::{
        id::{ConversionId, RefundId},
        providers::{
            Provider,
            reversal::{self, Kind},
        },
        text,
    },
    store::{
        Error, Tx, conversions,
        provider_payments::{self, Payment},
        refunds as recorded,
    },
};

/// How much is taken back now, of which amount. Minor units.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settled {
    pub taken: i64,
    pub of: i64,
}

/// Takes back what is to be taken back of the payment's sale, if it is one.
///
/// # Errors
/// The database's.
pub async fn settle(tx: &mut Tx, act: &Act, provider: Provider, payment: &Payment) -> Result<Settled, Error> {
    let Some(conversion) = payment.conversion_id else { return Ok(Settled::default()) };
    let known = provider_payments::reversals(tx, payment.id).await?;
    if known.is_empty() {
        return Ok(Settled::default());
    }
    let sale = conversions::by_id(tx, act.program.id, conversion).await?;
    let Some(amount) = sale.map(|sale| sale.amount_minor) else { return Ok(Settled::default()) };
    // Until the provider tells what was paid in all, the sale's own amount stands for it.
    let paid = payment.paid_minor.unwrap_or(amount);
    let facts: Vec<_> = known.iter().map(provider_payments::Reversal::fact).collect();
    let target = reversal::taken_back(reversal::Payment { paid, amount }, &facts);
    let mut unused = None;
    for by in known.iter().filter(|reversal| reversal.holds) {
        match recorded::by_key(tx, act.program.id, &by.key).await? {
            // Or the merchant told it by the API too, under the same name.
            Some(told) if told.conversion_id == conversion => {
                provider_payments::applied(tx, payment.id, told.id, told.amount_minor).await?;
            }
            Some(_) => {}
            None => unused = unused.or(Some(by)),
        }
    }
    let applied = provider_payments::refunds(tx, payment.id).await?;
    let mut taken: i64 = applied.iter().map(|(_, amount)| amount).sum();
    for (refund, amount) in applied {
        if taken <= target {
            break;
        }
        restore(tx, act, refund).await?;
        provider_payments::restored(tx, refund).await?;
        taken -= amount;
    }
    if taken < target
        && let Some(by) = unused.or_else(|| known.iter().find(|reversal| reversal.holds))
    {
        let key = free_key(tx, act, &by.key).await?;
        taken += take(tx, act, payment, conversion, target - taken, key, reason(provider, by.kind)).await?;
    }
    Ok(Settled { taken, of: amount })
}

/// The provider's own name of what took it back; numbered where that stands for a refund already.
async fn free_key(tx: &mut Tx, act: &Act, name: &str) -> Result<String, Error> {
    let mut key = text::cut(name, 240).to_owned();
    for number in 2..1_000 {
        if recorded::by_key(tx, act.program.id, &key).await?.is_none() {
            break;
        }
        key = format!("{}#{number}", text::cut(name, 240));
    }
    Ok(key)
}

fn reason(provider: Provider, kind: Kind) -> String {
    let what = if kind == Kind::Dispute { "Disputed" } else { "Refunded" };
    match provider {
        Provider::Generic => format!("{what}, as your server told"),
        named => format!("{what} at {}", named.label()),
    }
}

/// Refunds that much of the sale, or what is left of it; how much.
async fn take(
    tx: &mut Tx,
    act: &Act,
    payment: &Payment,
    conversion: ConversionId,
    amount: i64,
    key: String,
    reason: String,
) -> Result<i64, Error> {
    let Some(sale) = conversions::lock(tx, act.program.id, conversion).await? else { return Ok(0) };
    let amount = amount.min(sale.amount_minor - sale.refunded_minor);
    if amount <= 0 {
        return Ok(0);
    }
    let new = NewRefund { conversion, amount: Some(amount), key: Some(key), reason: Some(reason) };
    match refunds::record(tx, act, new).await {
        Ok((refund, ..)) => {
            provider_payments::applied(tx, payment.id, refund.id, refund.amount_minor).await?;
            Ok(refund.amount_minor)
        }
        Err(Refusal::Store(error)) => Err(error),
        Err(refusal) => Err(Error::Corrupt(format!("a refund that fits was refused: {refusal}"))),
    }
}

/// Gives back what the refund took.
async fn restore(tx: &mut Tx, act: &Act, refund: RefundId) -> Result<(), Error> {
    match refunds::restore(tx, act, refund, None).await {
        Ok(_) => Ok(()),
        Err(Refusal::Store(error)) => Err(error),
        Err(refusal) => Err(Error::Corrupt(format!("a refund that was recorded cannot be undone: {refusal}"))),
    }
}
