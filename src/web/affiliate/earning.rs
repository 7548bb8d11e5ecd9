//! One commission: what happened to it, and the arithmetic that made it.

use askama::Template;
use axum::extract::State;

use super::Line;
use crate::{
    app::App,
    domain::{
        attribution::By,
        commission::{Entry, Kind, Status},
        id,
        money::{Currency, Money},
        time::Time,
        tracking,
    },
    store::{
        clicks,
        commissions::{self, Commission},
        conversions::{self, Conversion},
        earnings, ledger,
        refunds::{self, Refund},
    },
    web::{
        commissions::{Explanation, explain},
        earner::Earner,
        failure::Failure,
        filters,
        input::PathId,
        reply::Reply,
    },
};

/// One thing that happened.
pub struct Step {
    pub at: Time,
    pub what: String,
    /// By how much that changed what is owed.
    pub amount: Option<Money>,
    /// Somebody's own words.
    pub said: Option<String>,
    /// What a link's address said of itself: sub ids and `utm_*`, name and value.
    pub told: Vec<(String, String)>,
}

impl Step {
    fn new(at: Time, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), amount: None, said: None, told: Vec::new() }
    }

    fn moving(self, amount: Money) -> Self {
        Self { amount: Some(amount).filter(|amount| amount.minor != 0), ..self }
    }

    fn said(self, words: Option<&String>) -> Self {
        Self { said: words.filter(|words| !words.trim().is_empty()).cloned(), ..self }
    }
}

#[derive(Template)]
#[template(path = "affiliate/earning.html")]
struct Show {
    program: String,
    line: Line,
    explained: Explanation,
    sentence: String,
    steps: Vec<Step>,
    /// The other lines of the same sale.
    beside: Vec<Line>,
}

/// `GET /earnings/{id}`
pub async fn show(me: Earner, State(app): State<App>, PathId(id): PathId<id::Commission>) -> Result<Reply, Failure> {
    let currency = me.program.currency;
    let mut tx = app.db.read().await?;
    let line = earnings::one(&mut tx, me.affiliate, id).await?.ok_or_else(|| Failure::not_found("commission"))?;
    let unknown = || Failure::not_found("commission");
    let found = commissions::by_id(&mut tx, me.program.id, id).await?.ok_or_else(unknown)?;
    let sale = match found.conversion_id {
        Some(sale) => conversions::by_id(&mut tx, me.program.id, sale).await?,
        None => None,
    };
    let refunds = match &sale {
        Some(sale) => refunds::of_sale(&mut tx, sale.id).await?,
        None => Vec::new(),
    };
    let entries = ledger::of_commission(&mut tx, id).await?;
    let beside = earnings::beside(&mut tx, me.affiliate, id).await?;
    let origin = match sale.as_ref().and_then(|sale| sale.click_id) {
        Some(click) => clicks::origin(&mut tx, click).await?,
        None => clicks::Origin::default(),
    };
    drop(tx);

    let steps = steps(&me.program.name, &found, (sale.as_ref(), &origin), &refunds, &entries, currency);
    let explained = explain(&found, entries, currency);
    let mut letters = explained.sentence.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    Ok(Reply::page(Show {
        program: me.program.name.clone(),
        sentence: format!("{first}{}.", letters.as_str()),
        line: Line::new(line, &me),
        explained,
        steps,
        beside: beside.into_iter().map(|found| Line::new(found, &me)).collect(),
    }))
}

/// What an affiliate wrote into their own link. The landing page is the merchant's to know.
fn told(origin: &clicks::Origin) -> Vec<(String, String)> {
    let mut told = origin.landing.as_deref().map(|landing| tracking::told(landing).1).unwrap_or_default();
    told.retain(|(name, _)| name != tracking::AD);
    told
}

/// Everything that happened, in its order.
fn steps(
    program: &str,
    found: &Commission,
    (sale, origin): (Option<&Conversion>, &clicks::Origin),
    refunds: &[Refund],
    entries: &[ledger::Posted],
    currency: Currency,
) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(sale) = sale {
        steps.extend(brought(found, sale, origin, currency));
    }
    // A refund that made a line of its own belongs to that line.
    let is_ours = |refund: &&Refund| match found.kind {
        Kind::Reversal | Kind::Restoration => found.refund_id == Some(refund.id),
        Kind::Sale | Kind::Adjustment => true,
    };
    for refund in refunds.iter().filter(is_ours) {
        let amount = format!("{}\u{a0}{}", currency.code(), currency.of(refund.amount_minor));
        let moved = |is_ours: fn(i64) -> bool| {
            let mut of_it = entries.iter().filter(|entry| entry.refund_id == Some(refund.id));
            of_it.find(|entry| is_ours(entry.amount_minor)).map_or(0, |entry| entry.amount_minor)
        };
        let (took, gave) = (moved(i64::is_negative), moved(i64::is_positive));
        let step = Step::new(refund.created_at, format!("The customer was refunded {amount}"));
        steps.push(step.moving(currency.of(took)).said(refund.reason.as_ref()));
        if let Some(at) = refund.restored_at {
            steps.push(Step::new(at, "That refund came to nothing").moving(currency.of(gave)));
        }
    }
    for (place, entry) in entries.iter().enumerate() {
        let amount = currency.of(entry.amount_minor);
        match entry.kind {
            Entry::Reverse if entry.refund_id.is_none() => {
                let is_last = found.status == Status::Rejected;
                let step = Step::new(entry.created_at, format!("{program} rejected it")).moving(amount);
                steps.push(if is_last { step.said(found.reason.as_ref()) } else { step });
            }
            Entry::Earn if place > 0 => {
                steps.push(Step::new(entry.created_at, format!("{program} took the rejection back")).moving(amount));
            }
            Entry::Adjust => {
                let step = Step::new(entry.created_at, format!("{program} entered it")).moving(amount);
                steps.push(step.said(found.reason.as_ref()));
            }
            Entry::Unpay => steps.push(Step::new(entry.created_at, "The payment came back").moving(amount)),
            _ => {}
        }
    }
    if let Some(at) = found.approved_at.filter(|_| found.kind == Kind::Sale) {
        steps.push(Step::new(at, format!("{program} approved it")));
    }
    if let Some(at) = found.paid_at {
        let paid = if found.kind == Kind::Sale { "Paid to you" } else { "Settled with a payment" };
        steps.push(Step::new(at, paid).moving(currency.of(-found.amount_minor)));
    }
    if found.status == Status::Rejected && !entries.iter().any(|entry| entry.kind == Entry::Reverse) {
        // Nothing was owed, so that nothing moved.
        steps.push(Step::new(found.updated_at, format!("{program} rejected it")).said(found.reason.as_ref()));
    }
    steps.sort_by_key(|step| step.at);
    steps
}

/// How the sale came about.
fn brought(found: &Commission, sale: &Conversion, origin: &clicks::Origin, currency: Currency) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(click) = sale.click_id {
        steps.push(Step { told: told(origin), ..Step::new(click.time(), "Somebody followed your link") });
    }
    let by = match sale.attributed_by {
        By::Click => "by that click".to_owned(),
        By::Code => format!("by your code {}", sale.referral_code),
        By::CodeAfterExpiredClick => format!("by your code {}; the click was too old", sale.referral_code),
        By::Coupon => "by your coupon".to_owned(),
        By::Customer => "because you brought them before".to_owned(),
    };
    let amount = format!("{}\u{a0}{}", currency.code(), currency.of(sale.amount_minor));
    let sold = Step::new(sale.created_at, format!("They bought for {amount}, credited to you {by}"));
    let earned = if found.kind == Kind::Sale { sale.commission_minor } else { 0 };
    steps.push(sold.moving(currency.of(earned)));
    steps
}
