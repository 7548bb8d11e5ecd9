//! What an affiliate has sold so far, from the counters: in total, and in a month.

use super::{Error, Tx, fetch_one};
use crate::domain::{
    id::AffiliateId,
    rules::Needs,
    time::Time,
    volume::{SoFar, Volume, month_of},
};

/// Whether what is read must stay so until the transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    Loosely,
    /// Other sales of the affiliate wait: two that are recorded at once do not both take the last place.
    Fast,
}

/// As much of it as is needed.
pub async fn so_far(tx: &mut Tx, of: AffiliateId, needs: Needs, at: Time, hold: Hold) -> Result<SoFar, Error> {
    let mut so_far = SoFar::default();
    if needs.ever || needs.month {
        // The row that every sale changes, so that it stands for all of them.
        so_far.ever = ever(tx, of, hold).await?;
    }
    if needs.month {
        (so_far.month, so_far.month_earned) = days(tx, of, month_of(at), at.day()).await?;
    }
    Ok(so_far)
}

async fn ever(tx: &mut Tx, of: AffiliateId, hold: Hold) -> Result<Volume, Error> {
    macro_rules! totals {
        ($lock:literal) => {
            fetch_one!(
                (i64, i64),
                tx,
                concat!("SELECT conversions, sales_minor FROM affiliate_totals WHERE affiliate_id = $1", $lock),
                of
            )
        };
    }
    let (sales, minor) = match (&tx, hold) {
        // On SQLite whoever writes is alone.
        (Tx::Sqlite(_), _) | (_, Hold::Loosely) => totals!("")?,
        (Tx::Postgres(_), Hold::Fast) => totals!(" FOR UPDATE")?,
    };
    Ok(Volume { sales, minor })
}

async fn days(tx: &mut Tx, of: AffiliateId, first: i64, last: i64) -> Result<(Volume, i64), Error> {
    let (sales, minor, earned) = fetch_one!(
        (i64, i64, i64),
        tx,
        "SELECT CAST(COALESCE(SUM(conversions), 0) AS BIGINT), CAST(COALESCE(SUM(sales_minor), 0) AS BIGINT),
                CAST(COALESCE(SUM(earned_minor), 0) AS BIGINT)
         FROM affiliate_days WHERE affiliate_id = $1 AND day BETWEEN $2 AND $3",
        of,
        first,
        last
    )?;
    Ok((Volume { sales, minor }, earned))
}
