//! What a sale earns: the program's rate, an affiliate's own, or a rule that is closer to the sale than either.
//!
//! Of the rules that fit a line of a sale the closest wins: one for the affiliate before one for their group
//! before one for everybody; among those one that names the product, then one for first or for repeat sales only,
//! then the one that began last. What won, and the arithmetic, stays with the commission.

use serde::Serialize;

use super::{
    Issue,
    affiliate::{OwnRate, rate_at, words},
    id::{AffiliateId, GroupId, RuleId},
    money::{Currency, Money, Rate, proportion},
    period,
    products::Product,
    time::Time,
};

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
    pub starts_at: Time,
    pub ends_at: Option<Time>,
}

/// What is known of whoever bought.
#[derive(Debug, Clone, Copy)]
pub struct Customer {
    /// Sales before this one.
    pub sales: i64,
    pub first_sale_at: Option<Time>,
}

/// A sale, as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub amount: Money,
    pub affiliate: AffiliateId,
    pub group: Option<GroupId>,
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
}

/// What decides for a line: a rule, or a rate as if it were one.
enum Closest<'a> {
    Rule(&'a Rule),
    Own(Rate),
    Program(Rate),
}

impl Closest<'_> {
    fn pays(&self) -> Pays {
        match self {
            Self::Rule(rule) => rule.pays,
            Self::Own(rate) | Self::Program(rate) => Pays::Share(*rate),
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
    /// What it pays, and for what.
    pub fn in_words(&self, currency: Currency) -> String {
        let each = if self.products.is_empty() { "sale" } else { "piece" };
        let pays = match self.pays {
            Pays::Share(rate) => rate.to_string(),
            Pays::Flat(minor) => format!("{} {} for each {each}", currency.code(), currency.of(minor)),
        };
        let of = match self.sales {
            Sales::All => "of every sale",
            Sales::First => "of a customer’s first sale",
            Sales::Repeat => "of repeat sales",
        };
        let products =
            if self.products.is_empty() { String::new() } else { format!(" of {}", self.products.join(", ")) };
        let months = self.months.map(|months| format!(", for {months} months of a customer")).unwrap_or_default();
        let most = self.payments.map(|most| format!(", for {most} sales of a customer")).unwrap_or_default();
        format!("{pays} {of}{products}{months}{most}")
    }

    pub fn is_in_force(&self, at: Time) -> bool {
        self.starts_at <= at && self.ends_at.is_none_or(|end| at < end)
    }

    /// Why it does not fit the line; `None` where it does.
    pub fn misses(&self, facts: Facts<'_>, product: Option<&Product>) -> Option<&'static str> {
        if !self.scope.is_for(facts.affiliate, facts.group) {
            return Some(match self.scope {
                Scope::Group(_) => "is for another group",
                _ => "is for other affiliates",
            });
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
    pub fn closeness(&self) -> (Scope, bool, bool, Time, i64) {
        (self.scope, !self.products.is_empty(), self.sales != Sales::All, self.starts_at, self.id.raw())
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
    if rules.is_empty() {
        let rate = rate_at(rates.program, rates.own, facts.at);
        return Earning { amount: rate.of(facts.amount).minor, rate, parts: Vec::new() };
    }
    let names_product = rules.iter().any(|rule| !rule.products.is_empty());
    let lines = if names_product { super::products::lines(facts.amount.minor, facts.products) } else { Vec::new() };
    let whole = [(None, facts.amount.minor)];
    let lines = if lines.is_empty() { &whole[..] } else { &lines[..] };

    let (mut shares, mut flat, mut rate, mut has_flat) = (0_i64, 0_i64, None, Vec::new());
    let mut parts = Vec::with_capacity(lines.len());
    for (product, amount) in lines.iter().copied() {
        let won = closest(rates, rules, facts, product);
        let nothing = match &won {
            Closest::Rule(rule) => rule.exhausted(facts),
            _ => None,
        };
        let pays = won.pays();
        let shown = match pays {
            Pays::Share(share) => share.to_string(),
            Pays::Flat(minor) => format!("{} {} each", facts.amount.currency.code(), facts.amount.with(minor)),
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
        if lines.len() == 1 && !matches!(won, Closest::Rule(_)) {
            // A rate of the whole sale says it all.
            break;
        }
        let product = product.map(|product| product.name.clone()).unwrap_or_default();
        parts.push(Part { product, amount, rule: won.name().to_owned(), pays: shown, nothing });
    }
    let by_rates = proportion(shares, 1, Rate::MAX);
    // Nobody earns more by a sale than it brought.
    let amount = by_rates.saturating_add(flat).min(facts.amount.minor);
    Earning { amount, rate: rate.unwrap_or(Rate::from_basis_points(0)), parts }
}

/// In words, from the parts that stay with a commission: `50% of USD 50.00 for “Mug” by “Mugs”`.
pub fn in_words(parts: &[Part], currency: Currency) -> String {
    let told = |part: &Part| {
        let (code, amount) = (currency.code(), currency.of(part.amount));
        let what = if part.product.is_empty() { String::new() } else { format!(" for “{}”", part.product) };
        match &part.nothing {
            Some(why) => format!("nothing of {code} {amount}{what} by “{}”: {why}", part.rule),
            None => format!("{} of {code} {amount}{what} by “{}”", part.pays, part.rule),
        }
    };
    parts.iter().map(told).collect::<Vec<_>>().join("; ")
}

/// The parts as they are stored with a commission; none where its rate is all there is to say.
pub fn read_parts(explanation: Option<&str>) -> Vec<Part> {
    explanation.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// By what a commission was made, short enough for a row: `20%`, or `USD 3.00 each by “Mugs” and 25% by “Everybody”`.
pub fn in_short(explanation: Option<&str>, rate: Rate) -> String {
    let told = |part: Part| {
        let pays = if part.nothing.is_some() { "nothing" } else { &part.pays };
        format!("{pays} by “{}”", part.rule)
    };
    let mut all: Vec<String> = read_parts(explanation).into_iter().map(told).collect();
    let mut seen = std::collections::HashSet::new();
    all.retain(|one| seen.insert(one.clone()));
    if all.is_empty() { rate.to_string() } else { all.join(" and ") }
}

/// The rules that hold for an affiliate, for them to read: the closest first.
pub fn told_to(
    rules: &[Rule],
    (affiliate, group): (AffiliateId, Option<GroupId>),
    now: Time,
    currency: Currency,
) -> Vec<String> {
    let is_theirs = |rule: &&Rule| rule.scope.is_for(affiliate, group) && rule.is_in_force(now);
    let mut theirs: Vec<_> = rules.iter().filter(is_theirs).collect();
    theirs.sort_by_key(|rule| std::cmp::Reverse(rule.closeness()));
    theirs.into_iter().map(|rule| format!("{}: {}", rule.name, rule.in_words(currency))).collect()
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
