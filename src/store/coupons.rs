//! Coupons of the merchant's shop, each an affiliate's.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    code::Code,
    id::{AffiliateId, CouponId, ProgramId},
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Coupon {
        pub id: CouponId,
        pub affiliate_id: AffiliateId,
        pub code: String,
        pub created_at: Time,
        pub archived_at: Option<Time>,
    }
}

macro_rules! coupon {
    ($rest:literal) => {
        concat!("SELECT id, affiliate_id, code, created_at, archived_at FROM coupons ", $rest)
    };
}

/// Makes the coupon; `false` where the program has one of that code, archived or not.
pub async fn create(
    tx: &mut Tx,
    id: CouponId,
    program: ProgramId,
    affiliate: AffiliateId,
    code: &Code,
) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO coupons (id, program_id, affiliate_id, code, code_key, created_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (program_id, code_key) DO NOTHING",
        id,
        program,
        affiliate,
        code.as_str(),
        code.key(),
        id.time()
    )?;
    Ok(made == 1)
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: CouponId) -> Result<Option<Coupon>, Error> {
    fetch_optional!(Coupon, tx, coupon!("WHERE id = $1 AND +program_id = $2"), id, program)
}

pub async fn by_code(tx: &mut Tx, program: ProgramId, code: &Code) -> Result<Option<Coupon>, Error> {
    fetch_optional!(Coupon, tx, coupon!("WHERE program_id = $1 AND code_key = $2"), program, code.key())
}

/// The affiliate whose coupon it is, if it still counts.
pub async fn owner(tx: &mut Tx, program: ProgramId, code: &Code) -> Result<Option<AffiliateId>, Error> {
    let row = fetch_optional!(
        (AffiliateId,),
        tx,
        "SELECT affiliate_id FROM coupons WHERE program_id = $1 AND code_key = $2 AND archived_at IS NULL",
        program,
        code.key()
    )?;
    Ok(row.map(|(affiliate,)| affiliate))
}

/// Archives the coupon, or takes that back; whether anything changed.
pub async fn set_archived(tx: &mut Tx, id: CouponId, at: Option<Time>) -> Result<bool, Error> {
    let changed = execute!(
        tx,
        "UPDATE coupons SET archived_at = $2 WHERE id = $1 AND (archived_at IS NULL) <> ($3)",
        id,
        at,
        at.is_none()
    )?;
    Ok(changed == 1)
}

/// A page of a program's coupons or of one affiliate's, newest first.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    of: Option<AffiliateId>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Coupon>, Error> {
    match of {
        None => fetch_all!(
            Coupon,
            tx,
            coupon!("WHERE program_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3"),
            program,
            limit,
            offset
        ),
        Some(affiliate) => fetch_all!(
            Coupon,
            tx,
            coupon!("WHERE affiliate_id = $4 AND program_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3"),
            program,
            limit,
            offset,
            affiliate
        ),
    }
}

pub async fn count(tx: &mut Tx, program: ProgramId, of: Option<AffiliateId>) -> Result<i64, Error> {
    let found = match of {
        None => fetch_optional!((i64,), tx, "SELECT COUNT(*) FROM coupons WHERE program_id = $1", program),
        Some(affiliate) => fetch_optional!(
            (i64,),
            tx,
            "SELECT COUNT(*) FROM coupons WHERE affiliate_id = $2 AND program_id = $1",
            program,
            affiliate
        ),
    };
    Ok(found?.map_or(0, |(count,)| count))
}
