//! Sales that affiliates miss: said by them, answered by the merchant, once.

use super::{Act, Change, Refusal, conversions::Sale, mails, provider_settlement};
use crate::{
    domain::{
        claim::{MOST_A_DAY, Status},
        id::{AffiliateId, ClaimId},
        message::Kind,
        money::Money,
    },
    store::{
        Tx, affiliates,
        claims::{self, Claim, NewRow},
        codes,
        conversions::{self, Conversion},
        provider_payments,
    },
};

#[derive(Debug, Clone)]
pub struct NewClaim {
    pub order: Option<String>,
    /// Days since 1970.
    pub day: Option<i64>,
    pub amount: Option<Money>,
    pub words: String,
}

/// Notes the claim.
///
/// # Errors
/// When the affiliate has made as many as they may today, or waits for an answer about that order.
pub async fn make(tx: &mut Tx, act: &Act, affiliate: AffiliateId, new: &NewClaim) -> Result<ClaimId, Refusal> {
    if let Some(order) = &new.order {
        let known = conversions::by_order(tx, act.program.id, order).await?;
        if known.is_some_and(|known| known.affiliate_id == affiliate) {
            return Err(Refusal::field("order", "is credited to you already; you find it among your earnings"));
        }
        if claims::open_of_order(tx, affiliate, order).await?.is_some() {
            return Err(Refusal::field("order", "is one that you have asked about already"));
        }
    }
    if claims::count_since(tx, affiliate, act.now.plus_days(-1)).await? >= MOST_A_DAY {
        let issue = format!("was not sent: you have made {MOST_A_DAY} claims within a day. Try again tomorrow");
        return Err(Refusal::field("words", issue));
    }
    let id = act.id();
    let row = NewRow {
        id,
        program: act.program.id,
        affiliate,
        order: new.order.as_deref(),
        day: new.day,
        amount: new.amount.map(|amount| amount.minor),
        words: &new.words,
    };
    claims::create(tx, &row).await?;
    act.audit(tx, "claim.made", id, Change::default()).await?;
    Ok(id)
}

/// As what the merchant accepts a claim.
#[derive(Debug, Clone)]
pub struct Credit {
    pub amount: Money,
    pub order: Option<String>,
    /// What the affiliate is told besides.
    pub words: Option<String>,
}

/// Credits the affiliate with the sale, as any sale with their code; whether it is new. One that was theirs
/// already is only named.
///
/// # Errors
/// When somebody has answered, the order is somebody else's, or the affiliate cannot be credited.
pub async fn accept(tx: &mut Tx, act: &Act, id: ClaimId, credit: &Credit) -> Result<(Conversion, bool), Refusal> {
    let claim = answer(tx, act, id, Status::Accepted, credit.words.as_deref()).await?;
    let known = match &credit.order {
        Some(order) => conversions::by_order(tx, act.program.id, order).await?,
        None => None,
    };
    if let Some(known) = &known
        && known.affiliate_id != claim.affiliate_id
    {
        let whose = affiliates::summary(tx, act.program.id, known.affiliate_id).await?;
        let whose = whose.map_or_else(|| "somebody else".into(), |found| found.name);
        let issue =
            format!("is credited to {whose} already. Nothing was moved: decline the claim, or say another order");
        return Err(Refusal::field("order", issue));
    }
    let (sale, is_new) = match known {
        Some(known) => (known, false),
        None => record(tx, act, &claim, credit).await?,
    };
    claims::credited(tx, id, sale.id).await?;
    answered(tx, act, &claim, "claim.accepted", &sale.id.to_string(), credit.words.as_deref()).await?;
    Ok((sale, is_new))
}

async fn record(tx: &mut Tx, act: &Act, claim: &Claim, credit: &Credit) -> Result<(Conversion, bool), Refusal> {
    let sale = Sale {
        click: None,
        code: codes::current(tx, claim.affiliate_id).await?,
        coupon: None,
        amount: credit.amount,
        order: credit.order.clone(),
        customer: None,
        products: None,
        is_renewal: false,
        bought_at: None,
    };
    let recorded = super::conversions::record(tx, act, &sale).await.map_err(|refusal| match refusal {
        Refusal::Credit(why) => Refusal::field("order", format!("cannot be credited: {why}")),
        other => other,
    })?;
    // What a provider told of that payment, and will tell, is about this sale from now on.
    if let Some(order) = &credit.order
        && let Some((provider, mut payment)) = provider_payments::known(tx, act.program.id, order).await?
        && payment.conversion_id.is_none()
    {
        payment.conversion_id = Some(recorded.0.id);
        provider_payments::save(tx, &payment).await?;
        provider_settlement::settle(tx, act, provider, &payment).await?;
    }
    Ok(recorded)
}

/// Declines the claim, in words.
///
/// # Errors
/// When somebody has answered.
pub async fn decline(tx: &mut Tx, act: &Act, id: ClaimId, words: &str) -> Result<(), Refusal> {
    let claim = answer(tx, act, id, Status::Declined, Some(words)).await?;
    answered(tx, act, &claim, "claim.declined", "declined", Some(words)).await
}

/// Takes the answer, of whoever is first.
async fn answer(tx: &mut Tx, act: &Act, id: ClaimId, to: Status, words: Option<&str>) -> Result<Claim, Refusal> {
    let program = act.program.id;
    let claim = claims::by_id(tx, program, id).await?.ok_or(Refusal::NotFound("claim"))?;
    if !claims::answer(tx, program, id, to, words, act.now).await? {
        return Err(Refusal::field("claim", "was answered before"));
    }
    Ok(claim)
}

async fn answered(
    tx: &mut Tx,
    act: &Act,
    claim: &Claim,
    action: &str,
    after: &str,
    words: Option<&str>,
) -> Result<(), Refusal> {
    let change = Change { before: Some("open"), after: Some(after), reason: words };
    act.audit(tx, action, claim.id, change).await?;
    mails::enqueue_for_affiliate(tx, act, claim.affiliate_id, Kind::ClaimAnswered, claim.id.raw()).await?;
    Ok(())
}
