//! What an affiliate sees beside their first page: links, earnings, payouts, settings. Every page belongs to
//! the one [`Earner`](super::earner::Earner) in its signature and reads nothing of anybody else.

pub mod claims;
pub mod earning;
pub mod earnings;
pub mod invoices;
pub mod links;
pub mod payouts;
pub mod settings;
pub mod tax;
pub mod viewing;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    app::App,
    domain::{
        commission::{Kind, Status},
        customer,
        id::AccountId,
        locale::NumberStyle,
        money::{Money, Rate},
        program::Program,
        rules,
        time::Time,
    },
    store::{self, Tx, accounts, earnings::Earned},
    web::earner::Earner,
};

/// Who reads, as far as figures depend on it: a statement's days are those that the dates on it show.
pub struct Reader {
    pub zone: TimeZone,
    pub style: NumberStyle,
}

impl Reader {
    pub async fn of(tx: &mut Tx, account: AccountId) -> Result<Self, store::Error> {
        let person = accounts::person(tx, account).await?;
        let (zone, style) =
            person.map_or((None, NumberStyle::Comma), |person| (Some(person.time_zone), person.number_style));
        let zone = zone.and_then(|zone| TimeZone::get(&zone).ok()).unwrap_or(TimeZone::UTC);
        Ok(Self { zone, style })
    }

    /// How many milliseconds before those of UTC the reader's days begin.
    pub fn offset(&self, at: Time) -> i64 {
        let at = Timestamp::from_millisecond(at.ms()).unwrap_or(Timestamp::UNIX_EPOCH);
        i64::from(at.to_zoned_datetime(self.zone.clone()).offset().seconds()) * 1_000
    }
}

/// The address that a code stands in.
pub fn link(app: &App, program: &Program, code: &str) -> String {
    format!("{}r/{}/{code}", app.config.base_url, program.slug)
}

/// A commission as its affiliate sees it.
pub struct Line {
    pub id: String,
    pub kind: Kind,
    pub amount: Money,
    pub rate: String,
    pub status: Status,
    pub reason: Option<String>,
    pub created_at: Time,
    pub approved_at: Option<Time>,
    pub paid_at: Option<Time>,
    pub payable_at: Time,
    /// A payout has taken it, and the money is on its way or was paid.
    pub is_in_payout: bool,
    pub order: Option<String>,
    pub sale: Money,
    pub refunded: Money,
    pub customer: Option<String>,
}

impl Line {
    pub fn new(found: Earned, me: &Earner) -> Self {
        let currency = me.program.currency;
        Self {
            id: found.id.to_string(),
            kind: found.kind,
            amount: currency.of(found.amount_minor),
            rate: rules::in_short(found.explanation.as_deref(), Rate::from_basis_points(found.rate_bps)),
            status: found.status,
            reason: found.reason.filter(|reason| !reason.trim().is_empty()),
            created_at: found.created_at,
            approved_at: found.approved_at,
            paid_at: found.paid_at,
            payable_at: found.payable_at,
            is_in_payout: found.is_in_payout,
            order: found.order_id,
            sale: currency.of(found.sale_minor),
            refunded: currency.of(found.refunded_minor),
            customer: found.customer.as_deref().and_then(|customer| customer::seen(customer, me.look.customers)),
        }
    }

    pub fn is_sale(&self) -> bool {
        self.kind == Kind::Sale
    }

    pub fn is_reversal(&self) -> bool {
        self.kind == Kind::Reversal
    }

    /// What a refund took back, come back because it failed.
    pub fn is_restoration(&self) -> bool {
        self.kind == Kind::Restoration
    }

    /// What the merchant entered by hand.
    pub fn is_adjustment(&self) -> bool {
        self.kind == Kind::Adjustment
    }

    pub fn is_rejected(&self) -> bool {
        self.status == Status::Rejected
    }

    /// What it is called: its order, where it has a number.
    pub fn title(&self) -> String {
        let nameless = if self.is_adjustment() { "Adjustment" } else { "Sale without an order number" };
        self.order.clone().unwrap_or_else(|| nameless.into())
    }
}
