//! What a sale earns: the program's rate, an affiliate's own, or a rule that is closer to the sale than either.
//!
//! Of the rules that fit a line of a sale the closest wins: one for the affiliate before one for their group
//! before one for everybody; among those one that names the product, then one for an affiliate's first days or
//! sales, then one for first or for repeat sales only, then the one that began last. Its rate may grow with what the
//! affiliate sells, and the program may say how much is earned at most. What won, and the arithmetic, stays with the commission.

mod words;

use serde::Serialize;

use super::{
    Issue,
    affiliate::{OwnRate, rate_at, words},
    id::{AffiliateId, GroupId, RuleId},
    money::{Currency, Money, Rate, proportion},
    period,
    products::Product,
    time::Time,
    volume::{Caps, SoFar, Span, Tiers},
};

pub use words::{Told, in_short, in_words, read_parts, told_to};

/// For whom a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Everybody,
    Group(GroupId),
    Affiliate(AffiliateId),
}

impl Scope {
    /// Whom it names.
    pub const fn columns(self) -> (Option<AffiliateId>, Option<GroupId>) {
        match self {
            Self::Everybody => (None, None),
            Self::Group(group) => (None, Some(group)),
            Self::Affiliate(affiliate) => (Some(affiliate), None),
        }
    }

    /// Whether it is for an affiliate who is in that group.
    pub fn is_for(self, affiliate: AffiliateId, group: Option<GroupId>) -> bool {
        match self {
            Self::Everybody => true,
            Self::Group(id) => group == Some(id),
            Self::Affiliate(id) => id == affiliate,
        }
    }
}

words! {
    /// For which sales of a customer a rule is.
    Sales as RuleSales { All = "all", First = "first", Repeat = "repeat" }
    "must be one of all, first, repeat"
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pays {
    Share(Rate),
    /// Minor units for each sale, or, where the rule names products, for each piece.
    Flat(i64),
}

impl Pays {
    /// So much of the same kind: basis points or minor units.
    #[must_use]
    pub const fn of(self, pays: i64) -> Self {
        match self {
            Self::Share(_) => Self::Share(Rate::from_basis_points(pays)),
            Self::Flat(_) => Self::Flat(pays),
        }
    }

    /// `20%` or `USD 5.00`.
    pub fn in_words(self, currency: Currency) -> String {
        match self {
            Self::Share(rate) => rate.to_string(),
            Self::Flat(minor) => currency.coded(minor).to_string(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub id: RuleId,
    pub name: String,
    pub scope: Scope,
    /// The merchant's ids or numbers of products; all where there is none.
    pub products: Vec<String>,
    pub sales: Sales,
    pub pays: Pays,
    /// How many months from a customer's first sale on, and how many of their sales, earn anything.
    pub months: Option<i64>,
    pub payments: Option<i64>,
    /// Only in that many days from an affiliate's joining on, and for that many of their first sales.
    pub first_days: Option<i64>,
    pub first_sales: Option<i64>,
    /// What it pays instead once the affiliate has sold enough.
    pub tiers: Option<Tiers>,
    pub starts_at: Time,
    pub ends_at: Option<Time>,
}

/// What is known of whoever bought.
#[derive(Debug, Clone, Copy, Default)]
pub struct Customer {
    /// Sales before this one.
    pub sales: i64,
    pub first_sale_at: Option<Time>,
    /// What their sales earned, in minor units.
    pub earned: i64,
}

/// A sale, as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub amount: Money,
    pub affiliate: AffiliateId,
    pub group: Option<GroupId>,
    /// What the affiliate sold before; as much of it as [`Needs`] says.
    pub so_far: SoFar,
    pub at: Time,
    pub products: &'a [Product],
    pub customer: Option<Customer>,
    /// The renewal of something bought before.
    pub is_renewal: bool,
}

impl Facts<'_> {
    pub fn is_repeat(&self) -> bool {
        self.is_renewal || self.customer.is_some_and(|customer| customer.sales > 0)
    }

    /// Ids carry the moment at which an affiliate joined.
    fn is_within_first(&self, days: i64) -> bool {
        self.at < self.affiliate.time().plus_days(days)
    }
}

/// What must be known beyond the sale to price it, so that nothing is read where no rule asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// What the affiliate has sold in total, and in the month.
    pub ever: bool,
    pub month: bool,
    /// What is known of the customer, as it stays until the sale is recorded.
    pub customer: bool,
}

impl Needs {
    pub fn of(rules: &[Rule], caps: Caps, (affiliate, group): (AffiliateId, Option<GroupId>), at: Time) -> Self {
        let mut needs = Self { ever: false, month: caps.month.is_some(), customer: caps.customer.is_some() };
        for rule in rules.iter().filter(|rule| rule.scope.is_for(affiliate, group) && rule.is_in_force(at)) {
            let span = rule.tiers.as_ref().map(|tiers| tiers.of);
            needs.ever |= rule.first_sales.is_some() || span == Some(Span::Ever);
            needs.month |= span == Some(Span::Month);
            needs.customer |= rule.payments.is_some();
        }
        needs
    }
}

/// A part of the sale and what it earned by which rule, as it stays with the commission. Amounts in minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Part {
    /// The product; empty for the sale as a whole.
    pub product: String,
    pub amount: i64,
    /// The rule's name.
    pub rule: String,
    /// `20%`, or `USD 5.00 each`.
    pub pays: String,
    /// Why it earns nothing although the rule would pay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing: Option<String>,
    /// Why it pays that, where the rule pays differently at other times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Why so much less is earned than the parts before come to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less: Option<String>,
}

impl Part {
    fn less(amount: i64, why: String) -> Self {
        let nothing = String::new;
        Self {
            product: nothing(),
            amount,
            rule: nothing(),
            pays: nothing(),
            nothing: None,
            because: None,
            less: Some(why),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earning {
    /// Minor units.
    pub amount: i64,
    /// The one rate behind it; of several parts the rate of the first.
    pub rate: Rate,
    /// Empty where the program's or the affiliate's own rate of the whole sale is all there is to say.
    pub parts: Vec<Part>,
}

impl Earning {
    /// What stays with the commission beside its rate: JSON.
    pub fn explanation(&self) -> Option<String> {
        if self.parts.is_empty() { None } else { serde_json::to_string(&self.parts).ok() }
    }
}

/// The program's rate and the affiliate's own, which hold where no rule is closer.
#[derive(Debug, Clone, Copy)]
pub struct Rates<'a> {
    pub program: Rate,
    pub own: &'a [OwnRate],
    /// The most that is earned, whatever decides.
    pub caps: Caps,
}

/// What decides for a line: a rule, or a rate as if it were one.
enum Closest<'a> {
    Rule(&'a Rule),
    Own(Rate),
    Program(Rate),
}

impl Closest<'_> {
    /// What it pays for that sale, and why that.
    fn pays(&self, facts: &Facts<'_>) -> (Pays, Option<String>) {
        match self {
            Self::Rule(rule) => rule.pays_now(facts),
            Self::Own(rate) | Self::Program(rate) => (Pays::Share(*rate), None),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Rule(rule) => &rule.name,
            Self::Own(_) => "The affiliate’s own rate",
            Self::Program(_) => "The program’s rate",
        }
    }
}

impl Rule {
    pub fn is_in_force(&self, at: Time) -> bool {
        self.starts_at <= at && self.ends_at.is_none_or(|end| at < end)
    }

    /// Why it is not for the affiliate, or not any more.
    fn misses_affiliate(&self, facts: &Facts<'_>) -> Option<&'static str> {
        if !self.scope.is_for(facts.affiliate, facts.group) {
            return Some(match self.scope {
                Scope::Group(_) => "is for another group",
                _ => "is for other affiliates",
            });
        }
        if self.first_days.is_some_and(|days| !facts.is_within_first(days)) {
            return Some("is for an affiliate’s first days, which are over");
        }
        if self.first_sales.is_some_and(|sales| facts.so_far.ever.sales >= sales) {
            return Some("is for an affiliate’s first sales, which are over");
        }
        None
    }

    /// Why it does not fit the line; `None` where it does.
    pub fn misses(&self, facts: Facts<'_>, product: Option<&Product>) -> Option<&'static str> {
        if let Some(why) = self.misses_affiliate(&facts) {
            return Some(why);
        }
        if facts.at < self.starts_at {
            return Some("has not begun");
        }
        if !self.is_in_force(facts.at) {
            return Some("has ended");
        }
        if !self.products.is_empty() && !product.is_some_and(|product| product.is_one_of(&self.products)) {
            return Some("is for other products");
        }
        match (self.sales, facts.is_repeat()) {
            (Sales::First, true) => Some("is for a customer’s first sale"),
            (Sales::Repeat, false) => Some("is for repeat sales"),
            _ => None,
        }
    }

    /// The higher, the closer to a sale.
    pub fn closeness(&self) -> (Scope, bool, bool, bool, Time, i64) {
        (
            self.scope,
            !self.products.is_empty(),
            self.is_for_beginners(),
            self.sales != Sales::All,
            self.starts_at,
            self.id.raw(),
        )
    }

    /// Whether every sale of everybody is priced by it or by what is closer still.
    pub fn decides_all(&self, at: Time) -> bool {
        let is_for_all = self.scope == Scope::Everybody && self.products.is_empty() && self.sales == Sales::All;
        is_for_all && !self.is_for_beginners() && self.is_in_force(at)
    }

    pub const fn is_for_beginners(&self) -> bool {
        self.first_days.is_some() || self.first_sales.is_some()
    }

    /// What it pays for that sale, and why that and not something else.
    fn pays_now(&self, facts: &Facts<'_>) -> (Pays, Option<String>) {
        let currency = facts.amount.currency;
        if let Some(tiers) = &self.tiers
            && let Some(step) = tiers.reached(&facts.so_far)
        {
            let because = tiers.because(step, &facts.so_far, self.pays, currency);
            return (self.pays.of(step.pays), Some(because));
        }
        let sale = facts.so_far.ever.sales + 1;
        let because = match (self.first_sales, self.first_days) {
            (Some(sales), _) => Some(format!("sale {sale} of the affiliate’s first {sales}")),
            (None, Some(days)) => Some(format!("within the affiliate’s first {days} days")),
            (None, None) => None,
        };
        (self.pays, because)
    }

    /// Why a customer's sale earns nothing any more by this rule.
    fn exhausted(&self, facts: Facts<'_>) -> Option<String> {
        let customer = facts.customer?;
        if let (Some(months), Some(first)) = (self.months, customer.first_sale_at)
            && facts.at >= period::plus_months(first, months)
        {
            return Some(format!("the {months} months for which a customer earns are over"));
        }
        match self.payments {
            Some(most) if customer.sales >= most => {
                Some(format!("a customer earns for {most} sales, and this is one more"))
            }
            _ => None,
        }
    }
}

fn closest<'a>(rates: Rates<'_>, rules: &'a [Rule], facts: Facts<'_>, product: Option<&Product>) -> Closest<'a> {
    let fits = rules.iter().filter(|rule| rule.misses(facts, product).is_none());
    let rule = fits.max_by_key(|rule| rule.closeness());
    let has_own = rates.own.iter().filter(|own| own.starts_at <= facts.at).max_by_key(|own| own.starts_at);
    let own = has_own.filter(|own| own.rate.is_some());
    match (rule, own) {
        // An own rate is a rule for the affiliate and all they sell.
        (Some(rule), Some(_)) if matches!(rule.scope, Scope::Affiliate(_)) => Closest::Rule(rule),
        (Some(rule), None) => Closest::Rule(rule),
        (_, Some(_)) => Closest::Own(rate_at(rates.program, rates.own, facts.at)),
        (None, None) => Closest::Program(rates.program),
    }
}

/// What the sale earns. Rounded once, at the end, half away from zero.
pub fn earn(rates: Rates<'_>, rules: &[Rule], facts: Facts<'_>) -> Earning {
    if rules.is_empty() && rates.caps.is_none() {
        let rate = rate_at(rates.program, rates.own, facts.at);
        return Earning { amount: rate.of(facts.amount).minor, rate, parts: Vec::new() };
    }
    let names_product = rules.iter().any(|rule| !rule.products.is_empty());
    let lines = if names_product { super::products::lines(facts.amount.minor, facts.products) } else { Vec::new() };
    let whole = [(None, facts.amount.minor)];
    let lines = if lines.is_empty() { &whole[..] } else { &lines[..] };

    let (mut shares, mut flat, mut rate, mut has_flat) = (0_i64, 0_i64, None, Vec::new());
    let mut is_rate_alone = false;
    let mut parts = Vec::with_capacity(lines.len());
    for (product, amount) in lines.iter().copied() {
        let won = closest(rates, rules, facts, product);
        let nothing = match &won {
            Closest::Rule(rule) => rule.exhausted(facts),
            _ => None,
        };
        let (pays, because) = won.pays(&facts);
        let shown = match pays {
            Pays::Share(share) => share.to_string(),
            flat @ Pays::Flat(_) => format!("{} each", flat.in_words(facts.amount.currency)),
        };
        if nothing.is_none() {
            match (pays, &won) {
                (Pays::Share(share), _) => shares += amount * share.basis_points(),
                // Once for a sale, however many lines of it the rule pays.
                (Pays::Flat(minor), Closest::Rule(rule)) if rule.products.is_empty() => {
                    if amount > 0 && !has_flat.contains(&rule.id) {
                        has_flat.push(rule.id);
                        flat = flat.saturating_add(minor);
                    }
                }
                (Pays::Flat(minor), _) if amount > 0 => {
                    flat = flat.saturating_add(minor.saturating_mul(product.map_or(1, |product| product.quantity)));
                }
                (Pays::Flat(_), _) => {}
            }
            if let Pays::Share(share) = pays {
                rate.get_or_insert(share);
            }
        }
        is_rate_alone = lines.len() == 1 && !matches!(won, Closest::Rule(_));
        let product = product.map(|product| product.name.clone()).unwrap_or_default();
        let because = because.filter(|_| nothing.is_none());
        parts.push(Part { product, amount, rule: won.name().to_owned(), pays: shown, nothing, because, less: None });
    }
    let by_rates = proportion(shares, 1, Rate::MAX);
    // Nobody earns more by a sale than it brought.
    let whole = by_rates.saturating_add(flat).min(facts.amount.minor);
    let earned = facts.customer.map(|customer| customer.earned);
    let (amount, less) = rates.caps.cut(whole, earned, facts.so_far.month_earned, facts.amount.currency);
    match less {
        Some(why) => parts.push(Part::less(whole - amount, why)),
        // A rate of the whole sale says it all.
        None if is_rate_alone => parts.clear(),
        None => {}
    }
    Earning { amount, rate: rate.unwrap_or(Rate::from_basis_points(0)), parts }
}

/// The products that a rule names, as typed: separated by commas or lines.
///
/// # Errors
/// More than a hundred, or one of more than 255 characters.
pub fn product_list(text: &str) -> Result<Vec<String>, Issue> {
    let list: Vec<String> =
        text.split([',', '\n']).map(str::trim).filter(|product| !product.is_empty()).map(str::to_owned).collect();
    if list.len() > 100 || list.iter().any(|product| product.chars().count() > 255) {
        return Err(Issue::new("must be at most 100 products, each of at most 255 characters"));
    }
    Ok(list)
}

#[cfg(test)]
mod tests;
