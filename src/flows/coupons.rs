//! Coupons being given to affiliates and put away.

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        code::Code,
        id::{AffiliateId, CouponId},
    },
    store::{
        Tx, affiliates, codes,
        coupons::{self, Coupon},
    },
};

/// # Errors
/// When there is no such affiliate, or the code is somebody's already.
pub async fn create(tx: &mut Tx, act: &Act, affiliate: AffiliateId, code: &Code) -> Result<Coupon, Refusal> {
    let program = act.program.id;
    affiliates::lock(tx, program, affiliate).await?.ok_or(Refusal::NotFound("affiliate"))?;
    // Otherwise one word would stand for one affiliate in a link and for another at the checkout.
    if codes::owner(tx, program, code).await?.is_some_and(|owner| owner.affiliate != affiliate) {
        return Err(Refusal::field("code", "is another affiliate's referral code"));
    }
    let id: CouponId = act.id();
    if !coupons::create(tx, id, program, affiliate, code).await? {
        return Err(Refusal::field("code", "is already a coupon"));
    }
    act.audit(tx, "coupon.created", id, Change { after: Some(code.as_str()), ..Change::default() }).await?;
    Ok(Coupon { id, affiliate_id: affiliate, code: code.as_str().to_owned(), created_at: id.time(), archived_at: None })
}

/// Archives the coupon, so that it credits nobody, or takes that back.
///
/// # Errors
/// When the program has no such coupon.
pub async fn set_archived(tx: &mut Tx, act: &Act, id: CouponId, is_archived: bool) -> Result<Coupon, Refusal> {
    let unknown = || Refusal::NotFound("coupon");
    let found = coupons::by_id(tx, act.program.id, id).await?.ok_or_else(unknown)?;
    if coupons::set_archived(tx, id, is_archived.then_some(act.now)).await? {
        let action = if is_archived { "coupon.archived" } else { "coupon.restored" };
        act.audit(tx, action, id, Change { after: Some(&found.code), ..Change::default() }).await?;
    }
    coupons::by_id(tx, act.program.id, id).await?.ok_or_else(unknown)
}
