//! An affiliate's coupons on their page: given, put away and taken up again, as through `/v1/coupons`.

use axum::extract::State;

use super::affiliate;
use crate::{
    app::App,
    domain::{
        code::Code,
        id::{self, CouponId},
    },
    flows::{Refusal, coupons},
    web::{caller::ManagesAffiliates, failure::Failure, form::Form, input::PathId, reply::Reply, shell::Notice},
};

/// `POST /m/{program}/affiliates/{id}/coupons`
pub async fn create(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(affiliate): PathId<id::Affiliate>,
    mut form: Form,
) -> Result<Reply, Failure> {
    if let Some(code) = form.read("code", Code::parse) {
        let act = me.act(&app);
        let made = app.db.write(move |tx| Box::pin(async move { coupons::create(tx, &act, affiliate, &code).await }));
        match made.await {
            Ok(coupon) => {
                let told =
                    format!("{} is theirs. Make the same coupon in your shop, if it is not there yet.", coupon.code);
                return Ok(Reply::done(affiliate::links(&me.program, affiliate), Notice::done(told)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(affiliate::page(&app, &me, affiliate, "links", form).await?))
}

/// `POST /m/{program}/coupons/{id}/archive`
pub async fn archive(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Coupon>,
) -> Result<Reply, Failure> {
    set_archived(me, app, id, true).await
}

/// `POST /m/{program}/coupons/{id}/restore`
pub async fn restore(
    me: ManagesAffiliates,
    State(app): State<App>,
    PathId(id): PathId<id::Coupon>,
) -> Result<Reply, Failure> {
    set_archived(me, app, id, false).await
}

async fn set_archived(me: ManagesAffiliates, app: App, id: CouponId, is_archived: bool) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let done = app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move { coupons::set_archived(tx, &act, id, is_archived).await })
    });
    let coupon = done.await?;
    let back = affiliate::links(&me.program, coupon.affiliate_id);
    if !is_archived {
        return Ok(Reply::done(back, Notice::done(format!("{} credits them again.", coupon.code))));
    }
    let told = format!("{} credits nobody from now on. What it credited stays.", coupon.code);
    let undo = format!("/m/{}/coupons/{id}/restore", me.program.slug);
    Ok(Reply::done(back, Notice::done(told).with_undo(undo)))
}
