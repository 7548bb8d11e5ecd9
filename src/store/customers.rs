//! Who bought, as far as the merchant said: the identity that binds a customer to an affiliate.

use super::{Error, Tx, execute, fetch_one, fetch_optional};
use crate::domain::id::{AffiliateId, ClickId, Id, ProgramId};

/// A customer has no public id.
#[derive(Debug)]
pub enum Customer {}

/// The customer with that identity, made with the affiliate who brought them where there is none.
pub async fn find_or_create(
    tx: &mut Tx,
    new: Id<Customer>,
    program: ProgramId,
    identity: &str,
    affiliate: AffiliateId,
) -> Result<Option<Id<Customer>>, Error> {
    let known = fetch_optional!(
        (Id<Customer>,),
        tx,
        "SELECT id FROM customers WHERE program_id = $1 AND identity = $2",
        program,
        identity
    )?;
    if let Some((id,)) = known {
        return Ok(Some(id));
    }
    // Somebody else may make it at this very moment; touching the row waits for them and tells its id.
    let made = fetch_optional!(
        (Id<Customer>,),
        tx,
        "INSERT INTO customers (id, program_id, identity, affiliate_id, created_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (program_id, identity) DO UPDATE SET identity = excluded.identity RETURNING id",
        new,
        program,
        identity,
        affiliate,
        new.time()
    )?;
    Ok(made.map(|(id,)| id))
}

/// Binds an identity that nobody has been seen with to the affiliate of a click; `false` where it is bound.
pub async fn bind(
    tx: &mut Tx,
    new: Id<Customer>,
    program: ProgramId,
    identity: &str,
    (affiliate, click): (AffiliateId, ClickId),
) -> Result<bool, Error> {
    let bound = execute!(
        tx,
        "INSERT INTO customers (id, program_id, identity, affiliate_id, created_at, click_id) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (program_id, identity) DO NOTHING",
        new,
        program,
        identity,
        affiliate,
        new.time(),
        click
    )?;
    Ok(bound == 1)
}

/// How many identities that click has bound.
pub async fn bound_by(tx: &mut Tx, click: ClickId) -> Result<i64, Error> {
    let (count,) = fetch_one!((i64,), tx, "SELECT COUNT(*) FROM customers WHERE click_id = $1", click)?;
    Ok(count)
}
