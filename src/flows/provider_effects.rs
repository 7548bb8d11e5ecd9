//! What an event of a payment provider does to the program: sales and refunds go through the same flows as those of
//! the API. Everything here may be done again, and in any order.

use serde_json::{Map, Value};

use super::{
    Act, Refusal,
    conversions::{self, Customer},
    leads,
    provider_events::{self, Outcome},
    provider_settlement,
};
use crate::{
    domain::{
        attribution::{self, Click, SKEW_SECONDS},
        code::Code,
        id::{ClickId, ConversionId, ProviderEventId},
        providers::{
            Bind, Effect, Evidence, Provider, Sale, State,
            reversal::{Fact, Kind},
        },
        text,
        time::Time,
    },
    store::{
        Error, Tx, clicks, codes, commissions,
        conversions::Conversion,
        coupons, customers, provider_events as inbox,
        provider_payments::{self, Binding, Payment},
    },
};

const NOBODY: &str = "No affiliate: no click and no referral code came with it, and the customer is nobody's yet. \
                      If that is told later, this event runs again by itself.";
const EARLIER: &str = "It was paid before anybody brought its customer.";
const NO_LONGER: &str = "The days for which a customer stays with who brought them are over.";
const NO_CUSTOMER: &str = "It names no customer and no subscription, so there is nobody to bind.";
const NO_EVIDENCE: &str = "Neither its click nor its code is one of this program's.";

/// For so long a sale may be told before what says whose it is: providers send again for three days at most. What is
/// told later still is of another visit, and must not pay for what was bought before it.
const LATE_DAYS: i64 = 3;

/// An event that is being looked at.
#[derive(Clone, Copy)]
pub struct Cause<'a> {
    pub act: &'a Act,
    pub provider: Provider,
    pub event: ProviderEventId,
}

/// Evidence that is known here.
#[derive(Debug, Clone, Default)]
struct Known {
    click: Option<ClickId>,
    code: Option<String>,
    coupon: Option<String>,
}

/// Why a sale was not recorded: in words, and whether somebody should look at it.
struct Unsold {
    state: State,
    why: String,
}

impl Cause<'_> {
    /// Does it; what came of that.
    ///
    /// # Errors
    /// The database's.
    pub async fn apply(self, tx: &mut Tx, effect: Effect) -> Result<Outcome, Error> {
        let refund = |amount, holds| Fact { kind: Kind::Refund, amount, holds };
        let dispute = |amount, holds| Fact { kind: Kind::Dispute, amount, holds };
        match effect {
            Effect::Sale(sale) => self.sale(tx, &sale).await,
            Effect::Bind(bind) => self.bind(tx, &bind, "Bound").await,
            Effect::Lead(bind) => self.bind(tx, &bind, "A trial began; bound").await,
            Effect::Same(objects) => self.same(tx, &objects).await,
            Effect::Refund { key, of, amount } => self.reverse(tx, &key, &of, refund(amount, true)).await,
            Effect::RefundFailed { key, of, amount } => self.reverse(tx, &key, &of, refund(amount, false)).await,
            Effect::RefundedSoFar { key, of, amount } => {
                self.reverse(tx, &key, &of, Fact { kind: Kind::SoFar, amount, holds: true }).await
            }
            Effect::DisputeOpened { key, of, amount } | Effect::DisputeLost { key, of, amount } => {
                self.reverse(tx, &key, &of, dispute(amount, true)).await
            }
            Effect::DisputeWon { key, of } => self.reverse(tx, &key, &of, dispute(0, false)).await,
            Effect::SubscriptionEnded { subscription, at } => self.end(tx, &subscription, at).await,
            Effect::CouponGone { codes } => self.archive(tx, &codes).await,
        }
    }

    /// A coupon that is no longer taken at the checkout credits nobody here either.
    async fn archive(self, tx: &mut Tx, codes: &[String]) -> Result<Outcome, Error> {
        let mut archived = Vec::new();
        for code in codes.iter().filter_map(|text| Code::parse(text).ok()) {
            let Some(coupon) = coupons::by_code(tx, self.act.program.id, &code).await? else { continue };
            match super::coupons::set_archived(tx, self.act, coupon.id, true).await {
                Ok(coupon) => archived.push(format!("“{}”", coupon.code)),
                Err(Refusal::Store(error)) => return Err(error),
                Err(refusal) => return Ok(Outcome::not(State::Failed, format!("The coupon stays: {refusal}."))),
            }
        }
        if archived.is_empty() {
            let shown = codes.iter().map(|code| format!("“{}”", text::cut(code, 64))).collect::<Vec<_>>().join(" or ");
            return Ok(Outcome::not(State::Ignored, format!("No affiliate has the coupon {shown}.")));
        }
        Ok(Outcome::done(format!("The coupon {} is archived.", archived.join(" and ")), None))
    }

    async fn payment(self, tx: &mut Tx, objects: &[String]) -> Result<Payment, Error> {
        provider_payments::of(tx, self.act.id(), self.act.program.id, self.provider, objects).await
    }

    /// When it happened, or else was told: it may be looked at much later.
    fn moment(self, occurred_at: Option<Time>) -> Time {
        occurred_at.unwrap_or(self.event.time()).min(self.act.now)
    }

    /// In the program's currency: `USD 20.00`.
    fn money(self, minor: i64) -> String {
        let currency = self.act.program.currency;
        format!("{} {}", currency.code(), currency.of(minor))
    }

    /// The page of the sale's commission.
    async fn page(self, tx: &mut Tx, conversion: ConversionId) -> Result<Option<String>, Error> {
        let found = commissions::of_sale(tx, self.act.program.id, conversion).await?;
        Ok(found.map(|commission| format!("commissions/{}", commission.id)))
    }

    /// This event runs again when something is told of one of these.
    async fn wait_for(self, tx: &mut Tx, objects: impl IntoIterator<Item = &String>) -> Result<(), Error> {
        for object in objects {
            inbox::wait_for(tx, self.act.program.id, self.provider, object, self.event).await?;
        }
        Ok(())
    }

    /// Something is told of these now: what has waited for it for no more than so many days runs again.
    async fn wake(self, tx: &mut Tx, objects: impl IntoIterator<Item = &String>, days: i64) -> Result<(), Error> {
        let since = ProviderEventId::first_at(self.act.now.plus_days(-days));
        for object in objects {
            for event in inbox::awaiting(tx, self.act.program.id, self.provider, object, since).await? {
                if event != self.event {
                    inbox::reopen(tx, event).await?;
                    provider_events::enqueue(tx, &self.act.ids, self.act.now, event).await?;
                }
            }
        }
        Ok(())
    }

    /// Something is told of a payment, by whichever of its names.
    async fn wake_payment(self, tx: &mut Tx, payment: &Payment) -> Result<(), Error> {
        let objects = provider_payments::objects(tx, payment.id).await?;
        self.wake(tx, &objects, inbox::BODY_DAYS).await
    }

    async fn sale(self, tx: &mut Tx, sale: &Sale) -> Result<Outcome, Error> {
        let program = &self.act.program;
        if sale.currency != program.currency {
            let (paid, counted) = (sale.currency.code(), program.currency.code());
            let why = format!("It was paid in {paid}, and this program counts in {counted}: it is not converted.");
            return Ok(Outcome::not(State::Failed, why));
        }
        let mut payment = self.payment(tx, &sale.objects).await?;
        if payment.amount_minor.is_none() {
            (payment.paid_minor, payment.amount_minor) = (Some(sale.paid), Some(sale.amount));
            provider_payments::save(tx, &payment).await?;
        }
        let who = || [&sale.subscription, &sale.customer.object].into_iter().flatten();
        if payment.conversion_id.is_none() {
            match self.sell(tx, sale).await? {
                Ok(conversion) => payment.conversion_id = Some(conversion),
                Err(Unsold { state, why }) => {
                    self.wait_for(tx, who()).await?;
                    self.wake_payment(tx, &payment).await?;
                    return Ok(Outcome::not(state, why));
                }
            }
            provider_payments::save(tx, &payment).await?;
            self.wake(tx, who(), LATE_DAYS).await?;
        }
        provider_settlement::settle(tx, self.act, self.provider, &payment).await?;
        self.wake_payment(tx, &payment).await?;
        let Some(conversion) = payment.conversion_id else { return Ok(Outcome::not(State::Ignored, NOBODY)) };
        let found = crate::store::conversions::by_id(tx, program.id, conversion).await?;
        let to = found.map(|found| format!(", credited to {}", found.referral_code)).unwrap_or_default();
        let words = format!("Sale of {} recorded as {}{to}.", self.money(sale.amount), sale.key);
        Ok(Outcome::done(words, self.page(tx, conversion).await?))
    }

    /// Records the sale, if it is somebody's.
    async fn sell(self, tx: &mut Tx, sale: &Sale) -> Result<Result<ConversionId, Unsold>, Error> {
        let unsold = |state, why: &str| Ok(Err(Unsold { state, why: why.to_owned() }));
        let bindings = self.bindings(tx, sale).await?;
        let ended = bindings.iter().filter_map(|binding| binding.ended_at).min();
        if sale.is_recurring && ended.is_some_and(|ended| sale.occurred_at.is_some_and(|paid| paid > ended)) {
            return unsold(State::Ignored, "Its subscription had ended by then.");
        }
        let (order, act, buyer) = (text::cut(&sale.key, 255).to_owned(), self.act, customer(&sale.customer));
        let known = match buyer.keys(act) {
            Some(keys) => customers::find(tx, act.program.id, &keys).await?,
            None => None,
        };
        let has_bought = known.as_ref().is_some_and(|known| known.sales > 0);
        let paid = self.moment(sale.occurred_at);
        let is_later = |moment: Time| moment > paid.plus_seconds(SKEW_SECONDS);
        // A renewal often carries what brought its customer once: that brings nobody again.
        let bought_before = known.as_ref().filter(|known| known.sales > 0).is_some_and(|known| {
            [Some(known.bound_at), known.first_sale_at].into_iter().flatten().any(|moment| !is_later(moment))
        });
        let is_again = sale.is_recurring && bought_before;
        let own = if is_again { Ok(None) } else { self.known(tx, &sale.evidence).await? };
        let clicked_later = |binding: &Binding| binding.click_id.is_some_and(|click| is_later(click.time()));
        let came_later = known.is_some_and(|known| is_later(known.bound_at)) || bindings.iter().any(clicked_later);
        // Whose a customer is who has bought before, and for how long, is the program's to say.
        let decides = |binding: &Binding| binding.code.is_some() && !has_bought && !clicked_later(binding);
        let bound = bindings.into_iter().find(decides);
        // What is named, and not known here, somebody should look at; and nobody's customers are most of a shop's.
        let otherwise = match own {
            Ok(Some(_)) => None,
            Ok(None) if came_later => Some((State::Ignored, EARLIER)),
            Ok(None) if has_bought => Some((State::Ignored, NO_LONGER)),
            Ok(None) => Some((State::Ignored, NOBODY)),
            Err(()) => Some((State::Failed, NO_EVIDENCE)),
        };
        let is_bound = bound.is_some();
        let Known { mut click, mut code, coupon } = own.ok().flatten().unwrap_or_default();
        if let (None, None, Some(bound)) = (click, &code, bound) {
            (click, code) = (bound.click_id, bound.code);
        }
        let new = conversions::Sale {
            click,
            code,
            coupon: coupon.or_else(|| sale.evidence.coupons.first().filter(|_| !is_again).cloned()),
            amount: sale.currency.of(sale.amount),
            order: Some(order),
            customer: Some(buyer),
            products: products(sale),
            // The first payment after a trial, though its provider counts the trial as one.
            is_renewal: sale.is_recurring && !is_bound,
            bought_at: Some(paid),
        };
        // Deciding writes nothing, so that a refusal leaves nothing behind.
        if let Err(refusal) = conversions::decide(tx, act, &new).await {
            let because = unsold_because(refusal)?;
            return match otherwise.filter(|_| !is_bound) {
                Some((state, why)) => unsold(state, why),
                None => Ok(Err(because)),
            };
        }
        let (recorded, _) = match conversions::record(tx, act, new).await {
            Ok(recorded) => recorded,
            Err(refusal) => return unsold_because(refusal).map(Err),
        };
        let to = (recorded.click_id, recorded.referral_code.as_str());
        for object in [&sale.subscription, &sale.customer.object].into_iter().flatten() {
            provider_payments::bind(tx, act.program.id, self.provider, object, to, act.now).await?;
        }
        Ok(Ok(recorded.id))
    }

    /// Whose the subscription is, then whose the customer is.
    async fn bindings(self, tx: &mut Tx, sale: &Sale) -> Result<Vec<Binding>, Error> {
        let mut found = Vec::new();
        for object in [&sale.subscription, &sale.customer.object].into_iter().flatten() {
            found.extend(provider_payments::binding(tx, self.act.program.id, self.provider, object).await?);
        }
        Ok(found)
    }

    /// What of the evidence this program knows; `Err` where something is named that it does not know.
    async fn known(self, tx: &mut Tx, evidence: &Evidence) -> Result<Result<Option<Known>, ()>, Error> {
        let mut known = Known::default();
        let hints = evidence.click.as_ref().or(evidence.hint.as_ref());
        if let Some(click) = hints.and_then(|text| ClickId::parse(text).ok())
            && clicks::affiliate(tx, self.act.program.id, click).await?.is_some()
        {
            known.click = Some(click);
        }
        for text in [&evidence.code, &evidence.hint].into_iter().flatten() {
            if let (None, Ok(code)) = (&known.code, Code::parse(text))
                && codes::owner(tx, self.act.program.id, &code).await?.is_some()
            {
                known.code = Some(text.clone());
            }
        }
        for text in &evidence.coupons {
            if known.coupon.is_none() && conversions::coupon(tx, self.act, text).await?.is_some() {
                known.coupon = Some(text.clone());
            }
        }
        Ok(match (&known, evidence.click.is_some() || evidence.code.is_some()) {
            (Known { click: None, code: None, coupon: None }, true) => Err(()),
            (Known { click: None, code: None, coupon: None }, false) => Ok(None),
            _ => Ok(Some(known)),
        })
    }

    async fn bind(self, tx: &mut Tx, bind: &Bind, words: &str) -> Result<Outcome, Error> {
        let act = self.act;
        let objects: Vec<_> = [&bind.subscription, &bind.customer.object].into_iter().flatten().collect();
        // The provider's own id of them is bound as its object.
        let is_named = bind.customer.own_id.is_some() || bind.customer.email.is_some();
        let keys = if is_named { customer(&bind.customer).keys(act) } else { None };
        if objects.is_empty() && keys.is_none() {
            return Ok(Outcome::not(State::Failed, NO_CUSTOMER));
        }
        let known = match self.known(tx, &bind.evidence).await? {
            Ok(Some(known)) => known,
            Ok(None) => return Ok(Outcome::not(State::Ignored, "No click and no known referral code came with it.")),
            Err(()) => return Ok(Outcome::not(State::Failed, NO_EVIDENCE)),
        };
        let terms = act.program.terms();
        let coupon = match &known.coupon {
            Some(text) => conversions::coupon(tx, act, text).await?.map(|named| (None, named)),
            None => None,
        };
        let (mut by, coupon) = if terms.coupon_wins { (coupon, None) } else { (None, coupon) };
        if by.is_none()
            && let Some(id) = known.click
            && let Some(affiliate) = clicks::affiliate(tx, act.program.id, id).await?
            && let Some(named) = codes::named_by_id(tx, act.program.id, affiliate).await?
        {
            let click = Click { id, by: named };
            let at = self.moment(bind.occurred_at);
            by = click.is_within(terms.window_days, at).then_some((Some(id), click.by));
        }
        if by.is_none()
            && let Some(Ok(code)) = known.code.as_deref().map(Code::parse)
        {
            by = codes::owner(tx, act.program.id, &code).await?.map(|named| (None, named));
        }
        let Some((click, by)) = by.or(coupon) else {
            let why = format!("Its click is older than the {} days that a click counts.", terms.window_days);
            return Ok(Outcome::not(State::Ignored, why));
        };
        for object in &objects {
            provider_payments::bind(tx, act.program.id, self.provider, object, (click, &by.code), act.now).await?;
        }
        if let Some(keys) = &keys {
            leads::know(tx, act, keys, (by.affiliate, click)).await?;
        }
        let names = objects.iter().map(|object| object.as_str()).collect::<Vec<_>>().join(" and ");
        let names = if names.is_empty() { "the customer" } else { &names };
        self.wake(tx, objects, LATE_DAYS).await?;
        Ok(Outcome::done(format!("{words} {names} to {}: what they pay is credited there.", by.code), None))
    }

    async fn same(self, tx: &mut Tx, objects: &[String]) -> Result<Outcome, Error> {
        let payment = self.payment(tx, objects).await?;
        provider_settlement::settle(tx, self.act, self.provider, &payment).await?;
        self.wake_payment(tx, &payment).await?;
        let page = match payment.conversion_id {
            Some(conversion) => self.page(tx, conversion).await?,
            None => None,
        };
        Ok(Outcome::done(format!("Noted that {} are one payment.", objects.join(", ")), page))
    }

    async fn reverse(self, tx: &mut Tx, key: &str, of: &[String], fact: Fact) -> Result<Outcome, Error> {
        let mut payment = self.payment(tx, of).await?;
        provider_payments::take_back(tx, payment.id, key, fact).await?;
        let all = provider_payments::objects(tx, payment.id).await?;
        let sale = self.recorded(tx, &payment, &all).await?;
        match (sale, payment.amount_minor) {
            (Some(sale), _) => {
                payment.conversion_id = Some(sale.id);
                provider_payments::save(tx, &payment).await?;
                let taken = provider_settlement::settle(tx, self.act, self.provider, &payment).await?;
                let (taken, amount) = (self.money(taken), self.money(sale.amount_minor));
                let words = format!("{taken} of the sale of {amount} is taken back now.");
                Ok(Outcome::done(words, self.page(tx, sale.id).await?))
            }
            (None, Some(_)) => {
                self.wait_for(tx, &all).await?;
                Ok(Outcome::not(State::Ignored, "Its sale is credited to nobody, so there is nothing to take back."))
            }
            (None, None) => {
                self.wait_for(tx, &all).await?;
                let why = "Its sale has not been counted yet. As soon as it is, this is taken back from it.";
                Ok(Outcome::not(State::Waiting, why))
            }
        }
    }

    /// The payment's sale, also where it was told by the API or a file and not by the provider.
    async fn recorded(self, tx: &mut Tx, payment: &Payment, names: &[String]) -> Result<Option<Conversion>, Error> {
        let program = self.act.program.id;
        if let Some(conversion) = payment.conversion_id {
            return crate::store::conversions::by_id(tx, program, conversion).await;
        }
        for order in names.iter().flat_map(|name| self.provider.orders_of(name)) {
            if let Some(sale) = crate::store::conversions::by_order(tx, program, &order).await? {
                return Ok(Some(sale));
            }
        }
        Ok(None)
    }

    async fn end(self, tx: &mut Tx, subscription: &str, at: Option<Time>) -> Result<Outcome, Error> {
        let (program, now) = (self.act.program.id, self.act.now);
        let bound = provider_payments::binding(tx, program, self.provider, subscription).await?;
        provider_payments::end(tx, program, self.provider, subscription, at.unwrap_or(now), now).await?;
        Ok(match bound.and_then(|bound| bound.code) {
            Some(code) => Outcome::done(format!("{subscription} ended: {code} earns nothing more by it."), None),
            None => Outcome::not(State::Ignored, "No affiliate brought this customer."),
        })
    }
}

/// The flow's own words as a sentence.
fn unsold_because(refusal: Refusal) -> Result<Unsold, Error> {
    match refusal {
        Refusal::Store(error) => Err(error),
        Refusal::NotFound(noun) => {
            Ok(Unsold { state: State::Failed, why: format!("Its {noun} is not one of this program's.") })
        }
        Refusal::Field { field: "orderId", issue } => {
            Ok(Unsold { state: State::Failed, why: format!("An order of that name {issue}.") })
        }
        Refusal::Credit(refusal) => {
            let is_late = matches!(refusal, attribution::Refusal::ClickTooOld { .. });
            let state = if is_late { State::Ignored } else { State::Failed };
            Ok(Unsold { state, why: format!("Not credited: {refusal}.") })
        }
        Refusal::Field { issue, .. } => Ok(Unsold { state: State::Failed, why: format!("Not recorded: it {issue}.") }),
    }
}

/// By the merchant's own id, else by the address, else by the provider's.
fn customer(who: &crate::domain::providers::Customer) -> Customer {
    let mut json = Map::new();
    let id = who.own_id.as_ref().or(who.object.as_ref());
    for (name, value) in [("id", id), ("email", who.email.as_ref())] {
        if let Some(value) = value {
            json.insert(name.into(), Value::String(value.clone()));
        }
    }
    // The provider's own id is nothing that the merchant would name them by.
    let object = who.object.as_ref().filter(|_| who.email.is_none());
    let id = who.own_id.as_ref().or(object).cloned();
    Customer { json: Value::Object(json).to_string(), id, email: who.email.clone() }
}

fn products(sale: &Sale) -> Option<String> {
    // Of an order of one product, that product's line is all of it.
    let whole = (sale.products.len() == 1).then_some(sale.amount);
    let line = |product: &crate::domain::providers::Product| {
        let mut line = Map::new();
        for (name, value) in [("id", &product.id), ("name", &product.name)] {
            if let Some(value) = value {
                line.insert(name.into(), Value::String(value.clone()));
            }
        }
        if let Some(quantity) = product.quantity {
            line.insert("quantity".into(), quantity.into());
        }
        if let Some(Ok(amount)) = product.amount.or(whole).map(|minor| sale.currency.of(minor).to_string().parse()) {
            line.insert("amount".into(), Value::Number(amount));
        }
        Value::Object(line)
    };
    let lines: Vec<_> = sale.products.iter().take(100).map(line).collect();
    (!lines.is_empty()).then(|| Value::Array(lines).to_string())
}
