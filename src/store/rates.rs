//! Rates that affiliates have instead of their program's.

use super::{Error, Tx, execute, fetch_all};
use crate::domain::{affiliate::OwnRate, id::AffiliateId, money::Rate, time::Time};

/// An affiliate's own rates, the latest first.
pub async fn of(tx: &mut Tx, affiliate: AffiliateId) -> Result<Vec<OwnRate>, Error> {
    let rows = fetch_all!(
        (Time, Option<i64>),
        tx,
        "SELECT starts_at, rate_bps FROM affiliate_rates WHERE affiliate_id = $1 ORDER BY starts_at DESC",
        affiliate
    )?;
    let own = |(starts_at, rate): (Time, Option<i64>)| OwnRate { starts_at, rate: rate.map(Rate::from_basis_points) };
    Ok(rows.into_iter().map(own).collect())
}

/// Sets the rate from that moment on, instead of one that was to begin at the same.
pub async fn set(tx: &mut Tx, affiliate: AffiliateId, own: OwnRate) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO affiliate_rates (affiliate_id, starts_at, rate_bps) VALUES ($1, $2, $3)
         ON CONFLICT (affiliate_id, starts_at) DO UPDATE SET rate_bps = excluded.rate_bps",
        affiliate,
        own.starts_at,
        own.rate.map(Rate::basis_points)
    )?;
    execute!(tx, "UPDATE affiliates SET has_own_rate = $2 WHERE id = $1", affiliate, true).map(drop)
}
