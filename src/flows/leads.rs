//! A customer whom a merchant's site names before they buy anything: bound to the affiliate of their click.

use super::{Act, Refusal};
use crate::{
    domain::{affiliate::Status, id::ClickId},
    store::{
        Tx, clicks, codes,
        customers::{self, Keys},
    },
};

/// Customers that one click may bind. A browser reports them, so anybody can: a household has more than one
/// customer, a list of other people's addresses has more than these.
const MOST_OF_A_CLICK: i64 = 6;

/// Whether the click is one that a sale could still be credited by, of an affiliate who may earn.
///
/// # Errors
/// The database's.
pub async fn is_good(tx: &mut Tx, act: &Act, click: ClickId) -> Result<bool, crate::store::Error> {
    if click.time().plus_days(act.program.attribution_days) < act.now {
        return Ok(false);
    }
    let Some(affiliate) = clicks::affiliate(tx, act.program.id, click).await? else { return Ok(false) };
    let named = codes::named_by_id(tx, act.program.id, affiliate).await?;
    Ok(named.is_some_and(|named| named.status != Status::Blocked))
}

/// Binds whoever is not bound yet; whether the click is good for it. Who was bound before stays with whom they
/// were bound to, and the answer does not tell.
///
/// # Errors
/// The database's.
pub async fn bind(tx: &mut Tx, act: &Act, click: ClickId, keys: &Keys) -> Result<bool, Refusal> {
    if !is_good(tx, act, click).await? {
        return Ok(false);
    }
    let Some(affiliate) = clicks::affiliate(tx, act.program.id, click).await? else { return Ok(false) };
    customers::lock(tx, act.program.id, keys).await?;
    let is_new = customers::find(tx, act.program.id, keys).await?.is_none();
    if is_new && customers::bound_by(tx, click).await? < MOST_OF_A_CLICK {
        customers::create(tx, act.id(), act.program.id, keys, (affiliate, Some(click))).await?;
    }
    Ok(true)
}
