//! Recording sales: once each, credited by the evidence that came with them.

use super::{Act, Refusal, mails, payment_details};
use crate::{
    domain::{
        attribution::{self, Attribution, Bound, By, Click, Evidence, Named},
        code::Code,
        commission::{Entry, Kind, Status},
        id::{ClickId, CommissionId, ConversionId, Id, LinkId},
        key::hex,
        message,
        money::Money,
        products::{self, Product},
        rules::{self, Earning, Needs},
        signals::{self, Signal},
        time::Time,
    },
    store::{
        Error, Tx,
        clicks::{self, Seen},
        codes,
        commissions::{self, NewCommission},
        conversions::{self, Conversion, NewConversion},
        coupons,
        customers::{self, Keys, Known},
        groups, ledger, links, rates, totals,
        volume::{self, Hold},
    },
};

/// A sale as it was reported.
#[derive(Debug, Clone)]
pub struct Sale {
    pub click: Option<ClickId>,
    /// As sent: one that is malformed is unknown.
    pub code: Option<String>,
    /// The shop's coupons are not all affiliates': one that is nobody's is no evidence.
    pub coupon: Option<String>,
    pub amount: Money,
    pub order: Option<String>,
    pub customer: Option<Customer>,
    /// JSON as given.
    pub products: Option<String>,
    /// The renewal of something bought before.
    pub is_renewal: bool,
    /// Where it is told later than it was bought: what speaks for somebody is judged as of then.
    pub bought_at: Option<Time>,
}

impl Sale {
    fn bought_at(&self, act: &Act) -> Time {
        self.bought_at.map_or(act.now, |at| at.min(act.now))
    }
}

/// Who bought, as the merchant described them.
#[derive(Debug, Clone, Default)]
pub struct Customer {
    /// JSON as given.
    pub json: String,
    /// The merchant's own id of them.
    pub id: Option<String>,
    pub email: Option<String>,
}

impl Customer {
    pub fn keys(&self, act: &Act) -> Option<Keys> {
        let hashed = |email: &String| hex(&act.secret.hash("customer e-mail", &email.trim().to_lowercase()));
        Keys::new(self.id.as_deref(), self.email.as_ref().filter(|email| !email.trim().is_empty()).map(hashed))
    }
}

pub enum Decided {
    /// The order was recorded before.
    Known(Conversion),
    New(Box<New>),
}

/// What recording a sale makes.
pub struct New {
    pub conversion: Conversion,
    /// What holds its commission for review.
    pub signals: Vec<Signal>,
    earning: Earning,
    payable_at: Time,
    customer: Option<Known>,
    /// Whose click decided.
    link: Option<LinkId>,
    is_repeat: bool,
    /// Whether the affiliate has an account to be told by.
    has_account: bool,
}

/// What recording the sale would do. Writes nothing.
///
/// # Errors
/// When the evidence names nobody who can be credited, or the order is known with another amount or
/// affiliate.
pub async fn decide(tx: &mut Tx, act: &Act, sale: &Sale) -> Result<Decided, Refusal> {
    weigh(tx, act, sale, Hold::Loosely).await
}

/// The same; for a sale that is to be recorded, what it is priced by stays so until it is.
async fn weigh(tx: &mut Tx, act: &Act, sale: &Sale, hold: Hold) -> Result<Decided, Refusal> {
    let keys = sale.customer.as_ref().and_then(|customer| customer.keys(act));
    if sale.click.is_none() && sale.code.is_none() && sale.coupon.is_none() && keys.is_none() {
        return Err(attribution::Refusal::NoEvidence.into());
    }
    if let Some(order) = &sale.order
        && let Some(known) = conversions::by_order(tx, act.program.id, order).await?
    {
        return same_again(tx, act, sale, known).await.map(Decided::Known);
    }
    let customer = match &keys {
        Some(keys) => customers::find(tx, act.program.id, keys).await?,
        None => None,
    };
    let (credit, seen) = credit(tx, act, sale, customer.as_ref()).await?;
    let signals = signals(tx, act, sale, &credit, seen.as_ref()).await?;
    // The day that it is counted on is the day that it is priced on.
    let (id, at) = match hold {
        Hold::Loosely => (Id::new(0), act.now),
        Hold::Fast => {
            let id: ConversionId = act.id();
            (id, id.time())
        }
    };
    // A customer who is named and not known yet has bought nothing.
    let buys = Buyer { is_named: keys.is_some(), known: customer };
    let Priced { customer, is_repeat, earning, payable_at } =
        price(tx, act, sale, &credit.to, buys, (at, hold)).await?;
    let has_account = credit.to.own.account_email.is_some();
    let conversion = Conversion {
        id,
        affiliate_id: credit.to.affiliate,
        click_id: sale.click,
        order_id: sale.order.clone(),
        amount_minor: sale.amount.minor,
        commission_minor: earning.amount,
        referral_code: credit.to.code,
        attributed_by: credit.by,
        conflict: credit.conflict,
        refunded_minor: 0,
        created_at: at,
    };
    let link = seen.filter(|_| credit.by == By::Click).and_then(|seen| seen.link_id);
    Ok(Decided::New(Box::new(New { conversion, signals, earning, payable_at, customer, link, is_repeat, has_account })))
}

/// Who buys, as far as anything is known of them.
pub(super) struct Buyer {
    pub is_named: bool,
    pub known: Option<Known>,
}

/// What a sale earns, and its customer as they stay until it is recorded.
pub(super) struct Priced {
    pub customer: Option<Known>,
    pub is_repeat: bool,
    pub earning: Earning,
    /// When the hold ends: that of the affiliate's group, else the program's.
    pub payable_at: Time,
}

/// What the sale of that moment earns the affiliate.
pub(super) async fn price(
    tx: &mut Tx,
    act: &Act,
    sale: &Sale,
    to: &Named,
    buys: Buyer,
    (at, hold): (Time, Hold),
) -> Result<Priced, Refusal> {
    let needs = Needs::of(&act.program.rules, act.program.caps, (to.affiliate, to.group), at);
    let customer = match buys.known {
        // Before the affiliate's totals: a sale changes the two in that order.
        Some(known) if needs.customer && hold == Hold::Fast => Some(customers::hold(tx, known).await?),
        known => known,
    };
    let so_far = volume::so_far(tx, to.affiliate, needs, at, hold).await?;
    let own = if to.has_own_rate { rates::of(tx, to.affiliate).await? } else { Vec::new() };
    let buyer = customer.as_ref().map(buyer).or(buys.is_named.then(rules::Customer::default));
    let facts = rules::Facts {
        amount: sale.amount,
        affiliate: to.affiliate,
        group: to.group,
        so_far,
        at,
        products: &products(act, sale),
        customer: buyer,
        is_renewal: sale.is_renewal,
    };
    let rates = rules::Rates { program: act.program.rate, own: &own, caps: act.program.caps };
    let (is_repeat, earning) = (facts.is_repeat(), rules::earn(rates, &act.program.rules, facts));
    let group_holds = match to.group {
        Some(group) => groups::hold_days(tx, group).await?,
        None => None,
    };
    let payable_at = at.plus_days(group_holds.unwrap_or(act.program.hold_days));
    Ok(Priced { customer, is_repeat, earning, payable_at })
}

fn buyer(known: &Known) -> rules::Customer {
    rules::Customer { sales: known.sales, first_sale_at: known.first_sale_at, earned: known.earned_minor }
}

/// What was sold, where a rule asks for it.
fn products(act: &Act, sale: &Sale) -> Vec<Product> {
    let names_product = act.program.rules.iter().any(|rule| !rule.products.is_empty());
    let json = sale.products.as_deref().filter(|_| names_product);
    json.map(|json| products::read(json, act.program.currency)).unwrap_or_default()
}

/// What about the sale somebody should look at. All that it takes was read to credit it, but for the pace of who
/// sells more than the program's number, where it has one.
pub(super) async fn signals(
    tx: &mut Tx,
    act: &Act,
    sale: &Sale,
    credit: &Attribution,
    seen: Option<&Seen>,
) -> Result<Vec<Signal>, Refusal> {
    let settings = &act.program.signals;
    let is_rush = match settings.hourly_sales {
        Some(most) => {
            let first = conversions::nth_last(tx, credit.to.affiliate, most).await?;
            first.is_some_and(|first| first.time().plus_seconds(3_600) > act.now)
        }
        None => false,
    };
    let is_evidence = |seen: &&Seen| seen.affiliate_id == credit.to.affiliate && credit.by != By::CodeAfterExpiredClick;
    let click = seen.filter(is_evidence).map(|seen| signals::Clicked {
        network: seen.ip_hash,
        landing: seen.landing.as_deref(),
        source: seen.source.as_deref(),
    });
    let customer_email = sale.customer.as_ref().and_then(|customer| customer.email.as_deref());
    let payment = match &credit.to.own.payment {
        Some(sealed) if customer_email.is_some() => {
            Some(payment_details::open(&act.secret, credit.to.affiliate, sealed)?)
        }
        _ => None,
    };
    let own = signals::Own { payment, ..credit.to.own.clone() };
    let facts = signals::Facts { own: &own, customer_email, click, is_rush };
    Ok(signals::of(&facts, settings))
}

/// Whose the sale is, and what its click told.
async fn credit(
    tx: &mut Tx,
    act: &Act,
    sale: &Sale,
    customer: Option<&Known>,
) -> Result<(Attribution, Option<Seen>), Refusal> {
    let (terms, at) = (act.program.terms(), sale.bought_at(act));
    let (click, seen) = click(tx, act, sale).await?.unzip();
    let code = match code(tx, act, sale).await {
        // Only a valid code stands in for a click that is too old, so it is the click that is refused.
        Err(Refusal::NotFound(_)) if click.as_ref().is_some_and(|click| !click.is_within(terms.window_days, at)) => {
            None
        }
        found => found?,
    };
    let coupon = match &sale.coupon {
        Some(text) => coupon(tx, act, text).await?,
        None => None,
    };
    let customer = match customer {
        Some(known) => {
            let by = codes::named_by_id(tx, act.program.id, known.affiliate_id).await?;
            by.map(|by| Bound { by, since: known.bound_at, has_bought: known.sales > 0 })
        }
        None => None,
    };
    let has_unknown_coupon = sale.coupon.is_some() && coupon.is_none();
    match attribution::decide(Evidence { click, code, coupon, customer }, terms, at) {
        Err(attribution::Refusal::NoEvidence) if has_unknown_coupon => Err(Refusal::NotFound("coupon")),
        decided => Ok((decided?, seen)),
    }
}

/// Records the sale and what it earned; the conversion, and whether it is new.
///
/// # Errors
/// As [`decide`].
pub async fn record(tx: &mut Tx, act: &Act, sale: &Sale) -> Result<(Conversion, bool), Refusal> {
    let keys = sale.customer.as_ref().and_then(|customer| customer.keys(act));
    if let Some(keys) = &keys {
        customers::lock(tx, act.program.id, keys).await?;
    }
    let New { conversion, signals, earning, payable_at, customer, link, is_repeat, has_account } =
        match weigh(tx, act, sale, Hold::Fast).await? {
            Decided::Known(known) => return Ok((known, false)),
            Decided::New(new) => *new,
        };
    let customer_id = match keys {
        Some(keys) => Some(bought(tx, act, (&conversion, sale.bought_at(act)), &keys, customer).await?),
        None => None,
    };
    let row = NewConversion {
        conversion,
        program: act.program.id,
        customer_id,
        customer: sale.customer.as_ref().map(|customer| customer.json.clone()).filter(|json| !json.is_empty()),
        products: sale.products.clone(),
        coupon: sale.coupon.clone(),
        is_repeat,
    };
    if !conversions::create(tx, &row).await? {
        // Somebody recorded the order at this very moment: theirs is the first answer.
        if let Some(id) = customer_id {
            customers::uncount(tx, id, row.conversion.commission_minor).await?;
        }
        let order = sale.order.as_deref().unwrap_or_default();
        let known = conversions::by_order(tx, act.program.id, order).await?;
        let known = known.ok_or(Refusal::NotFound("conversion"))?;
        return same_again(tx, act, sale, known).await.map(|known| (known, false));
    }
    let commission = earn(tx, act, &row.conversion, (&earning, payable_at), &signals).await?;
    if let Some(link) = link {
        links::count_sale(tx, link).await?;
    }
    if has_account && row.conversion.commission_minor > 0 {
        let (affiliate, kind) = (row.conversion.affiliate_id, message::Kind::NewCommission);
        mails::enqueue_for_affiliate(tx, act, affiliate, kind, commission.raw()).await?;
    }
    Ok((row.conversion, true))
}

/// Counts the sale of its customer, and binds them to who is credited.
async fn bought(
    tx: &mut Tx,
    act: &Act,
    (conversion, bought_at): (&Conversion, Time),
    keys: &Keys,
    known: Option<Known>,
) -> Result<Id<customers::Customer>, Refusal> {
    let id = if let Some(known) = known {
        customers::learn(tx, &known, keys).await?;
        known.id
    } else {
        let id = act.id();
        customers::create(tx, id, act.program.id, keys, (conversion.affiliate_id, None)).await?;
        id
    };
    let counted = customers::NewSale {
        affiliate: conversion.affiliate_id,
        at: conversion.created_at,
        bought_at,
        earned: conversion.commission_minor,
    };
    customers::count(tx, id, counted).await?;
    Ok(id)
}

pub(super) async fn earn(
    tx: &mut Tx,
    act: &Act,
    sale: &Conversion,
    (earning, payable_at): (&Earning, Time),
    signals: &[Signal],
) -> Result<CommissionId, Refusal> {
    let commission = NewCommission {
        id: act.id(),
        program: act.program.id,
        affiliate: sale.affiliate_id,
        conversion: Some(sale.id),
        kind: Kind::Sale,
        amount: sale.commission_minor,
        rate_bps: earning.rate.basis_points(),
        status: Status::Pending,
        refund: None,
        reason: None,
        payable_at,
        explanation: earning.explanation(),
        held_for: signals::written(signals),
    };
    commissions::create(tx, &commission).await?;
    let entry = ledger::NewEntry {
        id: act.id(),
        program: act.program.id,
        affiliate: sale.affiliate_id,
        currency: act.program.currency,
        kind: Entry::Earn,
        amount: sale.commission_minor,
        commission: Some(commission.id),
        payout_line: None,
        refund: None,
    };
    ledger::post(tx, &entry).await?;
    let day = sale.id.time().day();
    totals::count_conversion(tx, sale.affiliate_id, day, sale.amount_minor, sale.commission_minor).await?;
    Ok(commission.id)
}

/// The recorded order, if what came now is that same sale: whatever has become of affiliate or click since.
async fn same_again(tx: &mut Tx, act: &Act, sale: &Sale, known: Conversion) -> Result<Conversion, Refusal> {
    if known.amount_minor != sale.amount.minor {
        return Err(Refusal::field("orderId", "is already recorded with another amount"));
    }
    let is_same = if sale.click.is_some() && sale.click == known.click_id {
        true
    } else {
        let (click, code) = (click(tx, act, sale).await?, code(tx, act, sale).await?);
        let names_nobody = click.is_none() && code.is_none();
        let named = |by: Option<Named>| by.is_some_and(|by| by.affiliate == known.affiliate_id);
        let code_decides = click.is_none() || known.attributed_by == By::CodeAfterExpiredClick;
        // A coupon or the customer decided against what was named, or there was nothing else.
        let decided_otherwise = matches!(known.attributed_by, By::Coupon | By::Customer) || names_nobody;
        decided_otherwise || named(click.map(|(click, _)| click.by)) || (code_decides && named(code))
    };
    if is_same { Ok(known) } else { Err(Refusal::field("orderId", "is already recorded for another affiliate")) }
}

async fn click(tx: &mut Tx, act: &Act, sale: &Sale) -> Result<Option<(Click, Seen)>, Refusal> {
    let Some(id) = sale.click else { return Ok(None) };
    let unknown = Refusal::NotFound("click");
    let bans_referrers = !act.program.signals.banned_referrers.is_empty();
    let Some(seen) = clicks::seen(tx, act.program.id, id, bans_referrers).await? else { return Err(unknown) };
    let by = codes::named_by_id(tx, act.program.id, seen.affiliate_id).await?;
    Ok(Some((Click { id, by: by.ok_or(unknown)? }, seen)))
}

async fn code(tx: &mut Tx, act: &Act, sale: &Sale) -> Result<Option<Named>, Refusal> {
    let Some(text) = &sale.code else { return Ok(None) };
    let unknown = || Refusal::NotFound("referral code");
    let code = Code::parse(text).map_err(|_| unknown())?;
    codes::owner(tx, act.program.id, &code).await?.ok_or_else(unknown).map(Some)
}

/// Whose coupon it is.
pub(super) async fn coupon(tx: &mut Tx, act: &Act, text: &str) -> Result<Option<Named>, Error> {
    let Ok(code) = Code::parse(text) else { return Ok(None) };
    let program = act.program.id;
    Ok(match coupons::owner(tx, program, &code).await? {
        Some(affiliate) => codes::named_by_id(tx, program, affiliate).await?,
        // Shops make a coupon of an affiliate's code.
        None => codes::owner(tx, program, &code).await?,
    })
}
