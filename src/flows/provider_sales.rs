//! Whose a sale is that a payment provider tells, and whose the customers are that it tells of before they buy.

use serde_json::{Map, Value};

use super::{
    Refusal,
    conversions::{self, Customer},
    leads,
    provider_effects::Cause,
    provider_events::Outcome,
    provider_settlement,
};
use crate::{
    domain::{
        attribution::{self, Attribution, By, Click, Named, SKEW_SECONDS},
        code::Code,
        id::{ClickId, ConversionId},
        providers::{self, Bind, Evidence, Sale, State},
        text,
        time::Time,
    },
    store::{
        Error, Tx, clicks, codes, conversions as recorded, customers,
        provider_payments::{self, Binding},
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

/// Evidence that is known here, each as it was named.
#[derive(Debug, Default)]
struct Known {
    click: Option<Click>,
    code: Option<(String, Named)>,
    coupon: Option<(String, Named)>,
}

impl From<Known> for attribution::Evidence {
    fn from(known: Known) -> Self {
        let by = |(_, named)| named;
        Self { click: known.click, code: known.code.map(by), coupon: known.coupon.map(by), customer: None }
    }
}

/// What is known of whoever paid a sale at that moment.
#[derive(Clone, Copy)]
struct Past<'a> {
    known: Option<&'a customers::Known>,
    bindings: &'a [Binding],
    paid: Time,
}

impl<'a> Past<'a> {
    fn is_later(self, moment: Time) -> bool {
        moment > self.paid.plus_seconds(SKEW_SECONDS)
    }

    fn clicked_later(self, binding: &Binding) -> bool {
        binding.click_id.is_some_and(|click| self.is_later(click.time()))
    }

    fn has_bought(self) -> bool {
        self.known.is_some_and(|known| known.sales > 0)
    }

    /// They were somebody's, or had bought, by then.
    fn had_bought(self) -> bool {
        let known = self.known.filter(|known| known.sales > 0);
        let moments = known.map(|known| [Some(known.bound_at), known.first_sale_at]);
        moments.into_iter().flatten().flatten().any(|moment| !self.is_later(moment))
    }

    /// Whoever brought them did so after it.
    fn came_later(self) -> bool {
        self.known.is_some_and(|known| self.is_later(known.bound_at))
            || self.bindings.iter().any(|binding| self.clicked_later(binding))
    }

    /// Whom the provider's names of them were bound to before they bought anything. Whose a customer is who has
    /// bought before, and for how long, is the program's to say.
    fn bound(self) -> Option<&'a Binding> {
        let decides = |binding: &&Binding| binding.code.is_some() && !self.clicked_later(binding);
        self.bindings.iter().filter(|_| !self.has_bought()).find(decides)
    }
}

/// Why a sale was not recorded: in words, and whether somebody should look at it.
struct Unsold {
    state: State,
    why: String,
}

impl Unsold {
    /// The flow's own words as a sentence.
    fn because(refusal: Refusal) -> Result<Self, Error> {
        let is_late = matches!(refusal, Refusal::Credit(attribution::Refusal::ClickTooOld { .. }));
        let why = match refusal {
            Refusal::Store(error) => return Err(error),
            Refusal::NotFound(noun) => format!("Its {noun} is not one of this program's."),
            Refusal::Field { field: "orderId", issue } => format!("An order of that name {issue}."),
            Refusal::Credit(refusal) => format!("Not credited: {refusal}."),
            Refusal::Field { issue, .. } => format!("Not recorded: it {issue}."),
        };
        Ok(Self { state: if is_late { State::Ignored } else { State::Failed }, why })
    }
}

impl Cause<'_> {
    pub(super) async fn sale(self, tx: &mut Tx, sale: &Sale) -> Result<Outcome, Error> {
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
        let found = recorded::by_id(tx, program.id, conversion).await?;
        let to = found.map(|found| format!(", credited to {}", found.referral_code)).unwrap_or_default();
        let words = format!("Sale of {} recorded as {}{to}.", self.money(sale.amount), sale.key);
        Ok(Outcome::done(words, self.page(tx, conversion).await?))
    }

    /// Records the sale, if it is somebody's.
    async fn sell(self, tx: &mut Tx, sale: &Sale) -> Result<Result<ConversionId, Unsold>, Error> {
        let unsold = |state, why: &str| Ok(Err(Unsold { state, why: why.to_owned() }));
        let (act, buyer, bindings) = (self.act, customer(&sale.customer), self.bindings(tx, sale).await?);
        let ended = bindings.iter().filter_map(|binding| binding.ended_at).min();
        if sale.is_recurring && ended.is_some_and(|ended| sale.occurred_at.is_some_and(|paid| paid > ended)) {
            return unsold(State::Ignored, "Its subscription had ended by then.");
        }
        let known = match buyer.keys(act) {
            Some(keys) => customers::find(tx, act.program.id, &keys).await?,
            None => None,
        };
        let paid = self.moment(sale.occurred_at);
        let past = Past { known: known.as_ref(), bindings: &bindings, paid };
        // A renewal often carries what brought its customer once: that brings nobody again.
        let is_again = sale.is_recurring && past.had_bought();
        let own = if is_again { Ok(None) } else { self.known(tx, &sale.evidence).await? };
        // What is named, and not known here, somebody should look at; and nobody's customers are most of a shop's.
        let otherwise = match own {
            Ok(Some(_)) => None,
            Ok(None) if past.came_later() => Some((State::Ignored, EARLIER)),
            Ok(None) if past.has_bought() => Some((State::Ignored, NO_LONGER)),
            Ok(None) => Some((State::Ignored, NOBODY)),
            Err(()) => Some((State::Failed, NO_EVIDENCE)),
        };
        let bound = past.bound();
        let own = own.ok().flatten().unwrap_or_default();
        let (mut click, mut code) = (own.click.map(|click| click.id), own.code.map(|(text, _)| text));
        if let (None, None, Some(bound)) = (click, &code, bound) {
            (click, code) = (bound.click_id, bound.code.clone());
        }
        let unknown_coupon = sale.evidence.coupons.first().filter(|_| !is_again);
        let new = conversions::Sale {
            click,
            code,
            coupon: own.coupon.map(|(text, _)| text).or(unknown_coupon.cloned()),
            amount: sale.currency.of(sale.amount),
            order: Some(text::cut(&sale.key, 255).to_owned()),
            customer: Some(buyer),
            products: products(sale),
            // The first payment after a trial, though its provider counts the trial as one.
            is_renewal: sale.is_recurring && bound.is_none(),
            bought_at: Some(paid),
        };
        // Deciding writes nothing, so that a refusal leaves nothing behind.
        if let Err(refusal) = conversions::decide(tx, act, &new).await {
            let because = Unsold::because(refusal)?;
            return match otherwise.filter(|_| bound.is_none()) {
                Some((state, why)) => unsold(state, why),
                None => Ok(Err(because)),
            };
        }
        let (recorded, _) = match conversions::record(tx, act, &new).await {
            Ok(recorded) => recorded,
            Err(refusal) => return Unsold::because(refusal).map(Err),
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
        let (program, mut known) = (self.act.program.id, Known::default());
        let hints = evidence.click.as_ref().or(evidence.hint.as_ref());
        if let Some(id) = hints.and_then(|text| ClickId::parse(text).ok())
            && let Some(affiliate) = clicks::affiliate(tx, program, id).await?
        {
            known.click = codes::named_by_id(tx, program, affiliate).await?.map(|by| Click { id, by });
        }
        for text in [&evidence.code, &evidence.hint].into_iter().flatten() {
            if let (None, Ok(code)) = (&known.code, Code::parse(text)) {
                known.code = codes::owner(tx, program, &code).await?.map(|by| (text.clone(), by));
            }
        }
        for text in &evidence.coupons {
            if known.coupon.is_none() {
                known.coupon = conversions::coupon(tx, self.act, text).await?.map(|by| (text.clone(), by));
            }
        }
        Ok(match (&known, evidence.click.is_some() || evidence.code.is_some()) {
            (Known { click: None, code: None, coupon: None }, true) => Err(()),
            (Known { click: None, code: None, coupon: None }, false) => Ok(None),
            _ => Ok(Some(known)),
        })
    }

    /// Binds a customer to whom a sale of theirs would be credited now.
    pub(super) async fn bind(self, tx: &mut Tx, bind: &Bind, words: &str) -> Result<Outcome, Error> {
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
        let click = known.click.as_ref().map(|click| click.id);
        let Attribution { to, by, .. } =
            match attribution::decide(known.into(), act.program.terms(), self.moment(bind.occurred_at)) {
                Ok(credited) => credited,
                Err(refusal) => {
                    let Unsold { state, why } = Unsold::because(refusal.into())?;
                    return Ok(Outcome::not(state, why));
                }
            };
        let click = click.filter(|_| by == By::Click);
        for object in &objects {
            provider_payments::bind(tx, act.program.id, self.provider, object, (click, &to.code), act.now).await?;
        }
        if let Some(keys) = &keys {
            leads::know(tx, act, keys, (to.affiliate, click)).await?;
        }
        let names = objects.iter().map(|object| object.as_str()).collect::<Vec<_>>().join(" and ");
        let names = if names.is_empty() { "the customer" } else { &names };
        self.wake(tx, objects, LATE_DAYS).await?;
        Ok(Outcome::done(format!("{words} {names} to {}: what they pay is credited there.", to.code), None))
    }
}

/// By the merchant's own id, else by the address, else by the provider's.
fn customer(who: &providers::Customer) -> Customer {
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
    let line = |product: &providers::Product| {
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
