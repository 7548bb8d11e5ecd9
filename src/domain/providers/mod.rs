//! What payment providers say, in our words. A provider's module knows how it signs (`verify`) and what its
//! events mean (`read`); what becomes of the effects is not decided here.
//!
//! An object of a provider (a payment, a subscription, a customer) is a word of its own: the provider's id where
//! that tells what it is (`in_…`), else with its kind before it (`order:17`).

pub mod generic;
mod json;
pub mod lemonsqueezy;
pub mod paddle;
#[cfg(test)]
mod payloads;
pub mod polar;
pub mod reversal;
pub mod signature;
pub mod stripe;

use std::borrow::Cow;

use serde_json::Value;

use super::{affiliate::words, money::Currency, time::Time};
pub use signature::{Call, Unsigned};

words! {
    /// Who tells of payments. Generic is a merchant's own server.
    Provider as PaymentProvider {
        Stripe = "stripe", Paddle = "paddle", LemonSqueezy = "lemonsqueezy", Polar = "polar", Generic = "generic"
    }
    "must be one of stripe, paddle, lemonsqueezy, polar, generic"
}

words! {
    /// Of an event in the inbox. Received: about to be looked at. Waiting: for another event. Failed: somebody should
    /// look at it.
    State as ProviderEventState {
        Received = "received", Done = "done", Waiting = "waiting", Ignored = "ignored", Failed = "failed"
    }
    "must be one of received, done, waiting, ignored, failed"
}

/// An event as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Where the body names itself; other providers do so in a header.
    pub id: Option<String>,
    /// In the provider's own words: `invoice.paid`.
    pub kind: String,
    /// What it is about.
    pub object: Option<String>,
    pub mode: Mode,
    pub reading: Reading,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Live,
    Test,
    /// The provider keeps test and live apart without saying so in each event.
    Unsaid,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    Effects(Vec<Effect>),
    /// Why there is nothing to do, as a sentence.
    Ignored(Cow<'static, str>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Sale(Box<Sale>),
    /// From now on what this customer pays is whose link brought them.
    Bind(Bind),
    /// Somebody began a trial; money may follow.
    Lead(Bind),
    /// These objects are one payment.
    Same(Vec<String>),
    Refund {
        key: String,
        of: Vec<String>,
        amount: i64,
    },
    /// How much of the payment is refunded in all; single refunds may be told too.
    RefundedSoFar {
        key: String,
        of: Vec<String>,
        amount: i64,
    },
    /// The money did not leave, or came back.
    RefundFailed {
        key: String,
        of: Vec<String>,
        /// 0 where it is not told.
        amount: i64,
    },
    DisputeOpened {
        key: String,
        of: Vec<String>,
        amount: i64,
    },
    DisputeWon {
        key: String,
        of: Vec<String>,
    },
    DisputeLost {
        key: String,
        of: Vec<String>,
        amount: i64,
    },
    SubscriptionEnded {
        subscription: String,
        at: Option<Time>,
    },
    /// By each of its names.
    CouponGone {
        codes: Vec<String>,
    },
}

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// What the order is called in the program: the same payment is never counted twice.
    pub key: String,
    /// By what refunds and disputes may name the payment.
    pub objects: Vec<String>,
    /// Minor units, without tax.
    pub amount: i64,
    /// Minor units, in what the provider counts refunds of this payment: with tax, or without.
    pub paid: i64,
    pub currency: Currency,
    pub evidence: Evidence,
    pub customer: Customer,
    pub subscription: Option<String>,
    /// Not the first of its subscription.
    pub is_recurring: bool,
    pub products: Vec<Product>,
    pub occurred_at: Option<Time>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bind {
    pub evidence: Evidence,
    pub customer: Customer,
    pub subscription: Option<String>,
    pub occurred_at: Option<Time>,
}

/// What came along to tell who sent the customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    pub click: Option<String>,
    pub code: Option<String>,
    /// A field that merchants use for other things too: counts only where it is a click's id or a known code.
    pub hint: Option<String>,
    /// Of every coupon the words to type and the provider's ids, as far as they are told. Most shops have others too.
    pub coupons: Vec<String>,
}

impl Evidence {
    pub fn is_none(&self) -> bool {
        self.click.is_none() && self.code.is_none() && self.hint.is_none() && self.coupons.is_empty()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Customer {
    /// As an object of the provider.
    pub object: Option<String>,
    /// The merchant's own id.
    pub own_id: Option<String>,
    pub email: Option<String>,
}

/// A line of a sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    pub id: Option<String>,
    pub name: Option<String>,
    pub quantity: Option<i64>,
    /// Minor units, of the whole line without tax, where that is told.
    pub amount: Option<i64>,
}

impl Provider {
    pub const ALL: [Self; 5] = [Self::Stripe, Self::Paddle, Self::LemonSqueezy, Self::Polar, Self::Generic];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Stripe => "Stripe",
            Self::Paddle => "Paddle",
            Self::LemonSqueezy => "Lemon Squeezy",
            Self::Polar => "Polar",
            Self::Generic => "Your own server",
        }
    }

    /// Whether each event says if it is a test.
    pub const fn tells_mode(self) -> bool {
        !matches!(self, Self::Paddle | Self::Polar)
    }

    /// The events to choose where the provider asks which to send.
    pub const fn events(self) -> &'static [&'static str] {
        match self {
            Self::Stripe => stripe::EVENTS,
            Self::Paddle => paddle::EVENTS,
            Self::LemonSqueezy => lemonsqueezy::EVENTS,
            Self::Polar => polar::EVENTS,
            Self::Generic => generic::EVENTS,
        }
    }

    /// Whether the call was signed with one of these secrets, and lately; the message's id where the headers name
    /// it.
    ///
    /// # Errors
    /// Why it is not to be believed.
    pub fn verify(self, call: &Call<'_>, secrets: &[String], now: Time) -> Result<Option<String>, Unsigned> {
        match self {
            Self::Stripe => stripe::verify(call, secrets, now).map(|()| None),
            Self::Paddle => paddle::verify(call, secrets, now).map(|()| None),
            Self::LemonSqueezy => lemonsqueezy::verify(call, secrets).map(|()| None),
            Self::Polar => polar::verify(call, secrets, now).map(Some),
            Self::Generic => generic::verify(call, secrets, now).map(Some),
        }
    }

    /// The names under which this provider may know the payment of an order that the program calls that.
    pub fn objects_of(self, order: &str) -> Vec<String> {
        let own = match self {
            Self::Stripe | Self::Paddle => None,
            Self::LemonSqueezy => lemonsqueezy::object_of(order),
            Self::Polar | Self::Generic => Some(format!("order:{order}")),
        };
        std::iter::once(order.to_owned()).chain(own).collect()
    }

    /// What the order of a payment that this provider knows by that name may be called in the program: as sales are
    /// called here, or by the provider's id where the sale was told by the API or a file.
    pub fn orders_of(self, object: &str) -> Vec<String> {
        let bare = object.strip_prefix("order:").map(str::to_owned);
        let own = if self == Self::LemonSqueezy { lemonsqueezy::order_of(object) } else { None };
        std::iter::once(object.to_owned()).chain(own).chain(bare).collect()
    }

    /// What the body says; `None` where it is not an event of this provider at all.
    pub fn read(self, body: &str) -> Option<Event> {
        if self == Self::Generic {
            return generic::read(body);
        }
        let body: Value = serde_json::from_str(body).ok()?;
        match self {
            Self::Stripe => stripe::read(&body),
            Self::Paddle => paddle::read(&body),
            Self::LemonSqueezy => lemonsqueezy::read(&body),
            Self::Polar | Self::Generic => polar::read(&body),
        }
    }
}

/// For types that mean nothing here.
pub(crate) const UNKNOWN: &str = "This kind of event changes nothing here.";

impl Reading {
    fn one(effect: Effect) -> Self {
        Self::Effects(vec![effect])
    }

    const fn ignored(why: &'static str) -> Self {
        Self::Ignored(Cow::Borrowed(why))
    }

    /// Nothing came along that could bind anybody.
    fn bind(bind: Bind, is_lead: bool) -> Self {
        if bind.evidence.is_none() {
            return Self::ignored("No click and no referral code came with it.");
        }
        Self::one(if is_lead { Effect::Lead(bind) } else { Effect::Bind(bind) })
    }
}
