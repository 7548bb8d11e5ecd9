//! Payments as their providers know them: by which names, what of them is taken back, and whose the customer is.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    id::{ClickId, ConversionId, Id, ProgramId, RefundId},
    providers::{
        Provider,
        reversal::{Fact, Kind},
    },
    time::Time,
};

/// A payment has no public id.
#[derive(Debug)]
pub enum PaymentRow {}

pub type PaymentId = Id<PaymentRow>;

row! {
    #[derive(Debug, Clone)]
    pub struct Payment {
        pub id: PaymentId,
        pub paid_minor: Option<i64>,
        pub amount_minor: Option<i64>,
        pub conversion_id: Option<ConversionId>,
    }
}

async fn named(tx: &mut Tx, program: ProgramId, provider: Provider, object: &str) -> Result<Option<Payment>, Error> {
    fetch_optional!(
        Payment,
        tx,
        "SELECT p.id, p.paid_minor, p.amount_minor, p.conversion_id
         FROM provider_objects o JOIN provider_payments p ON p.id = o.payment_id
         WHERE o.program_id = $1 AND o.provider = $2 AND o.object = $3",
        program,
        provider,
        object
    )
}

/// The payment of the order, where one of the providers has told of it.
pub async fn known(tx: &mut Tx, program: ProgramId, order: &str) -> Result<Option<(Provider, Payment)>, Error> {
    for provider in Provider::ALL {
        for object in provider.objects_of(order) {
            if let Some(payment) = named(tx, program, provider, &object).await? {
                return Ok(Some((provider, payment)));
            }
        }
    }
    Ok(None)
}

/// The one payment that has all these names, from now on if not before: what was known under some of them is known
/// under all.
pub async fn of(
    tx: &mut Tx,
    new: PaymentId,
    program: ProgramId,
    provider: Provider,
    objects: &[String],
) -> Result<Payment, Error> {
    let mut known: Option<Payment> = None;
    let mut nameless = Vec::new();
    for object in objects {
        match (named(tx, program, provider, object).await?, &known) {
            (None, _) => nameless.push(object),
            (Some(found), None) => known = Some(found),
            (Some(found), Some(first)) if found.id != first.id => known = Some(join(tx, first.clone(), found).await?),
            (Some(_), Some(_)) => {}
        }
    }
    let payment = if let Some(known) = known {
        known
    } else {
        execute!(
            tx,
            "INSERT INTO provider_payments (id, program_id, provider) VALUES ($1, $2, $3)",
            new,
            program,
            provider
        )?;
        Payment { id: new, paid_minor: None, amount_minor: None, conversion_id: None }
    };
    for object in nameless {
        execute!(
            tx,
            "INSERT INTO provider_objects (program_id, provider, object, payment_id) VALUES ($1, $2, $3, $4)",
            program,
            provider,
            object,
            payment.id
        )?;
    }
    Ok(payment)
}

/// Two that turn out to be one. Two that are both recorded as sales stay apart: neither can be taken back.
async fn join(tx: &mut Tx, one: Payment, other: Payment) -> Result<Payment, Error> {
    let (stays, goes) = match (&one.conversion_id, &other.conversion_id) {
        (Some(_), Some(_)) => return Ok(one),
        (None, Some(_)) => (other, one),
        _ => (one, other),
    };
    execute!(tx, "UPDATE provider_objects SET payment_id = $2 WHERE payment_id = $1", goes.id, stays.id)?;
    for reversal in reversals(tx, goes.id).await? {
        take_back(tx, stays.id, &reversal.key, reversal.fact()).await?;
    }
    execute!(tx, "DELETE FROM provider_reversals WHERE payment_id = $1", goes.id)?;
    execute!(tx, "UPDATE provider_refunds SET payment_id = $2 WHERE payment_id = $1", goes.id, stays.id)?;
    execute!(tx, "DELETE FROM provider_payments WHERE id = $1", goes.id)?;
    let joined = Payment {
        paid_minor: stays.paid_minor.or(goes.paid_minor),
        amount_minor: stays.amount_minor.or(goes.amount_minor),
        ..stays
    };
    save(tx, &joined).await?;
    Ok(joined)
}

/// Writes what is known of the payment by now.
pub async fn save(tx: &mut Tx, payment: &Payment) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE provider_payments SET paid_minor = $2, amount_minor = $3, conversion_id = $4 WHERE id = $1",
        payment.id,
        payment.paid_minor,
        payment.amount_minor,
        payment.conversion_id
    )
    .map(drop)
}

pub async fn objects(tx: &mut Tx, payment: PaymentId) -> Result<Vec<String>, Error> {
    let rows = fetch_all!(
        (String,),
        tx,
        "SELECT object FROM provider_objects WHERE payment_id = $1 ORDER BY object",
        payment
    )?;
    Ok(rows.into_iter().map(|(object,)| object).collect())
}

/// Writes down what takes money back. Of what is known already the larger amount counts, and what no longer holds
/// never does again, in whatever order it is told.
pub async fn take_back(tx: &mut Tx, payment: PaymentId, key: &str, fact: Fact) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO provider_reversals (payment_id, kind, key, amount_minor, holds) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (payment_id, kind, key) DO UPDATE SET
           amount_minor = CASE WHEN excluded.amount_minor > provider_reversals.amount_minor THEN excluded.amount_minor
                               ELSE provider_reversals.amount_minor END,
           holds = provider_reversals.holds AND excluded.holds",
        payment,
        fact.kind,
        key,
        fact.amount,
        fact.holds
    )
    .map(drop)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Reversal {
        pub kind: Kind,
        pub key: String,
        pub amount_minor: i64,
        pub holds: bool,
    }
}

impl Reversal {
    pub fn fact(&self) -> Fact {
        Fact { kind: self.kind, amount: self.amount_minor, holds: self.holds }
    }
}

/// All that takes back of the payment.
pub async fn reversals(tx: &mut Tx, payment: PaymentId) -> Result<Vec<Reversal>, Error> {
    fetch_all!(
        Reversal,
        tx,
        "SELECT kind, key, amount_minor, holds FROM provider_reversals WHERE payment_id = $1 ORDER BY kind, key",
        payment
    )
}

/// A refund was recorded for the payment, unless that is known.
pub async fn applied(tx: &mut Tx, payment: PaymentId, refund: RefundId, amount: i64) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO provider_refunds (refund_id, payment_id, amount_minor, holds) VALUES ($1, $2, $3, $4)
         ON CONFLICT (refund_id) DO NOTHING",
        refund,
        payment,
        amount,
        true
    )
    .map(drop)
}

/// The refunds that were recorded for the payment and hold, the newest first.
pub async fn refunds(tx: &mut Tx, payment: PaymentId) -> Result<Vec<(RefundId, i64)>, Error> {
    fetch_all!(
        (RefundId, i64),
        tx,
        "SELECT refund_id, amount_minor FROM provider_refunds WHERE payment_id = $1 AND holds ORDER BY refund_id DESC",
        payment
    )
}

/// The refund holds no more.
pub async fn restored(tx: &mut Tx, refund: RefundId) -> Result<(), Error> {
    execute!(tx, "UPDATE provider_refunds SET holds = $2 WHERE refund_id = $1", refund, false).map(drop)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Binding {
        pub click_id: Option<ClickId>,
        pub code: Option<String>,
        pub ended_at: Option<Time>,
    }
}

pub async fn binding(
    tx: &mut Tx,
    program: ProgramId,
    provider: Provider,
    object: &str,
) -> Result<Option<Binding>, Error> {
    fetch_optional!(
        Binding,
        tx,
        "SELECT click_id, code, ended_at FROM provider_bindings WHERE program_id = $1 AND provider = $2 AND object = $3",
        program,
        provider,
        object
    )
}

/// Whose the object is, unless that is known: who came first stays.
pub async fn bind(
    tx: &mut Tx,
    program: ProgramId,
    provider: Provider,
    object: &str,
    to: (Option<ClickId>, &str),
    now: Time,
) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO provider_bindings (program_id, provider, object, click_id, code, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (program_id, provider, object) DO UPDATE SET click_id = excluded.click_id, code = excluded.code
         WHERE provider_bindings.code IS NULL",
        program,
        provider,
        object,
        to.0,
        to.1,
        now
    )
    .map(drop)
}

/// The subscription ended; the earliest that was told.
pub async fn end(
    tx: &mut Tx,
    program: ProgramId,
    provider: Provider,
    object: &str,
    at: Time,
    now: Time,
) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO provider_bindings (program_id, provider, object, ended_at, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (program_id, provider, object) DO UPDATE SET ended_at = excluded.ended_at
         WHERE provider_bindings.ended_at IS NULL OR provider_bindings.ended_at > excluded.ended_at",
        program,
        provider,
        object,
        at,
        now
    )
    .map(drop)
}
