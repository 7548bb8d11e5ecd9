//! What an event of a payment provider does to the program: sales and refunds go through the same flows as those of
//! the API. Everything here may be done again, and in any order. Whose a sale is stands in [`super::provider_sales`].

use super::{
    Act, Refusal,
    provider_events::{self, Outcome},
    provider_settlement,
};
use crate::{
    domain::{
        code::Code,
        id::{ConversionId, ProviderEventId},
        money::Coded,
        providers::{
            Effect, Provider, State,
            reversal::{Fact, Kind},
        },
        text,
        time::Time,
    },
    store::{
        Error, Tx, commissions, conversions, coupons, provider_events as inbox,
        provider_payments::{self, Payment},
    },
};

/// An event that is being looked at.
#[derive(Clone, Copy)]
pub struct Cause<'a> {
    pub act: &'a Act,
    pub provider: Provider,
    pub event: ProviderEventId,
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

    pub(super) async fn payment(self, tx: &mut Tx, objects: &[String]) -> Result<Payment, Error> {
        provider_payments::of(tx, self.act.id(), self.act.program.id, self.provider, objects).await
    }

    /// When it happened, or else was told: it may be looked at much later.
    pub(super) fn moment(self, occurred_at: Option<Time>) -> Time {
        occurred_at.unwrap_or(self.event.time()).min(self.act.now)
    }

    /// In the program's currency: `USD 20.00`.
    pub(super) fn money(self, minor: i64) -> Coded {
        self.act.program.currency.coded(minor)
    }

    /// The page of the sale's commission.
    pub(super) async fn page(self, tx: &mut Tx, conversion: ConversionId) -> Result<Option<String>, Error> {
        let found = commissions::of_sale(tx, self.act.program.id, conversion).await?;
        Ok(found.map(|commission| format!("commissions/{}", commission.id)))
    }

    /// This event runs again when something is told of one of these.
    pub(super) async fn wait_for(self, tx: &mut Tx, objects: impl IntoIterator<Item = &String>) -> Result<(), Error> {
        for object in objects {
            inbox::wait_for(tx, self.act.program.id, self.provider, object, self.event).await?;
        }
        Ok(())
    }

    /// Something is told of these now: what has waited for it for no more than so many days runs again.
    pub(super) async fn wake(
        self,
        tx: &mut Tx,
        objects: impl IntoIterator<Item = &String>,
        days: i64,
    ) -> Result<(), Error> {
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
    pub(super) async fn wake_payment(self, tx: &mut Tx, payment: &Payment) -> Result<(), Error> {
        let objects = provider_payments::objects(tx, payment.id).await?;
        self.wake(tx, &objects, inbox::BODY_DAYS).await
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
        if payment.conversion_id.is_none()
            && let Some(sale) = self.recorded(tx, &all).await?
        {
            payment.conversion_id = Some(sale);
            provider_payments::save(tx, &payment).await?;
        }
        match (payment.conversion_id, payment.amount_minor) {
            (Some(conversion), _) => {
                let settled = provider_settlement::settle(tx, self.act, self.provider, &payment).await?;
                let (taken, of) = (self.money(settled.taken), self.money(settled.of));
                let words = format!("{taken} of the sale of {of} is taken back now.");
                Ok(Outcome::done(words, self.page(tx, conversion).await?))
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

    /// The sale of a payment of these names, where the API or a file told it and not the provider.
    async fn recorded(self, tx: &mut Tx, names: &[String]) -> Result<Option<ConversionId>, Error> {
        for order in names.iter().flat_map(|name| self.provider.orders_of(name)) {
            if let Some(sale) = conversions::by_order(tx, self.act.program.id, &order).await? {
                return Ok(Some(sale.id));
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
