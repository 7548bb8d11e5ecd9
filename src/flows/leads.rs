//! A customer whom a merchant's site names before they buy anything: bound to the affiliate of their click.

use super::{Act, Refusal};
use crate::{
    domain::{
        affiliate::Status,
        id::{AffiliateId, ClickId},
    },
    store::{
        Error, Tx, clicks, codes,
        customers::{self, Keys},
    },
};

/// Customers that one click may bind. A browser reports them, so anybody can: a household has more than one
/// customer, a list of other people's addresses has more than these.
const MOST_OF_A_CLICK: i64 = 6;

/// Whose the click is, if a sale could still be credited by it to them.
///
/// # Errors
/// The database's.
pub async fn owner(tx: &mut Tx, act: &Act, click: ClickId) -> Result<Option<AffiliateId>, Error> {
    if click.time().plus_days(act.program.attribution_days) < act.now {
        return Ok(None);
    }
    let Some(affiliate) = clicks::affiliate(tx, act.program.id, click).await? else { return Ok(None) };
    let named = codes::named_by_id(tx, act.program.id, affiliate).await?;
    Ok(named.filter(|named| named.status != Status::Blocked).map(|named| named.affiliate))
}

/// Binds whoever is not bound yet; whether the click is good for it. Who was bound before stays with whom they
/// were bound to, and the answer does not tell.
///
/// # Errors
/// The database's.
pub async fn bind(tx: &mut Tx, act: &Act, click: ClickId, keys: &Keys) -> Result<bool, Refusal> {
    let Some(affiliate) = owner(tx, act, click).await? else { return Ok(false) };
    if customers::bound_by(tx, click).await? < MOST_OF_A_CLICK {
        know(tx, act, keys, (affiliate, Some(click))).await?;
    }
    Ok(true)
}

/// Makes the customer known as that affiliate's, unless they are known.
///
/// # Errors
/// The database's.
pub(super) async fn know(tx: &mut Tx, act: &Act, keys: &Keys, by: (AffiliateId, Option<ClickId>)) -> Result<(), Error> {
    customers::lock(tx, act.program.id, keys).await?;
    if customers::find(tx, act.program.id, keys).await?.is_none() {
        customers::create(tx, act.id(), act.program.id, keys, by).await?;
    }
    Ok(())
}
