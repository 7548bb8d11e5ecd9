//! Rules, and what they made, told to those who read them.

use super::{Facts, Part, Pays, Rule, Sales, Scope};
use crate::domain::{
    id::{AffiliateId, GroupId},
    money::{Currency, Rate},
    time::Time,
    volume::{Progress, SoFar},
};

impl Rule {
    /// What it pays, and for what.
    pub fn in_words(&self, currency: Currency) -> String {
        let each = if self.products.is_empty() { "sale" } else { "piece" };
        let pays = match self.pays {
            Pays::Share(rate) => rate.to_string(),
            flat @ Pays::Flat(_) => format!("{} for each {each}", flat.in_words(currency)),
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
        let days = self.first_days.map(|days| format!(", in an affiliate’s first {days} days")).unwrap_or_default();
        let first =
            self.first_sales.map(|sales| format!(", for an affiliate’s first {sales} sales")).unwrap_or_default();
        let tiers = self.tiers.as_ref().map(|tiers| format!("; {}", tiers.in_words(self.pays, currency)));
        format!("{pays} {of}{products}{months}{most}{days}{first}{}", tiers.unwrap_or_default())
    }
}

/// In words, from the parts that stay with a commission: `50% of USD 50.00 for “Mug” by “Mugs”`.
pub fn in_words(parts: &[Part], currency: Currency) -> String {
    let told = |part: &Part| {
        let amount = currency.coded(part.amount);
        let what = if part.product.is_empty() { String::new() } else { format!(" for “{}”", part.product) };
        if let Some(why) = &part.less {
            return format!("{amount} less, as {why}");
        }
        let because = part.because.as_ref().map(|because| format!(" ({because})")).unwrap_or_default();
        match &part.nothing {
            Some(why) => format!("nothing of {amount}{what} by “{}”: {why}", part.rule),
            None => format!("{} of {amount}{what} by “{}”{because}", part.pays, part.rule),
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
        if part.less.is_some() {
            return "capped".to_owned();
        }
        let pays = if part.nothing.is_some() { "nothing" } else { &part.pays };
        format!("{pays} by “{}”", part.rule)
    };
    let mut all: Vec<String> = read_parts(explanation).into_iter().map(told).collect();
    let mut seen = std::collections::HashSet::new();
    all.retain(|one| seen.insert(one.clone()));
    if all.is_empty() { rate.to_string() } else { all.join(" and ") }
}

/// A rule as its affiliate reads it, and how far it is to its next tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub words: String,
    pub progress: Option<Progress>,
}

/// The rules that hold for an affiliate, for them to read: the closest first. Where they have a rate of their own,
/// only what is for them alone is closer.
pub fn told_to(
    rules: &[Rule],
    (affiliate, group): (AffiliateId, Option<GroupId>),
    has_own_rate: bool,
    so_far: SoFar,
    now: Time,
    currency: Currency,
) -> Vec<Told> {
    let sale = Facts {
        amount: currency.of(0),
        affiliate,
        group,
        so_far,
        at: now,
        products: &[],
        customer: None,
        is_renewal: false,
    };
    let is_theirs = |rule: &&Rule| {
        let is_closer = !has_own_rate || matches!(rule.scope, Scope::Affiliate(_));
        rule.is_in_force(now) && is_closer && rule.misses_affiliate(&sale).is_none()
    };
    let mut theirs: Vec<_> = rules.iter().filter(is_theirs).collect();
    theirs.sort_by_key(|rule| std::cmp::Reverse(rule.closeness()));
    let told = |rule: &Rule| Told {
        words: format!("{}: {}", rule.name, rule.in_words(currency)),
        progress: rule.tiers.as_ref().and_then(|tiers| tiers.progress(&so_far, rule.pays, currency)),
    };
    theirs.into_iter().map(told).collect()
}
