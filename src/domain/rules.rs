//! What a sale earns: the program's rate, an affiliate's own, or a rule that is closer to the sale than either.
//!
//! Of the rules that fit a line of a sale the closest wins: one for the affiliate before one for everybody; among
//! those one that names the product, then one for first or for repeat sales only, then the one that began last. What won, and the arithmetic, stays with the commission.

use serde::Serialize;

use super::{
    Issue,
    affiliate::{OwnRate, rate_at, words},
    id::{AffiliateId, RuleId},
    money::{Currency, Money, Rate, proportion},
    period,
    products::Product,
    time::Time,
};

/// For whom a rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Everybody,
    Affiliate(AffiliateId),
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
        let is_theirs = match self.scope {
            Scope::Everybody => true,
            Scope::Affiliate(affiliate) => facts.affiliate == affiliate,
        };
        if !is_theirs {
            return Some("is for other affiliates");
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
    pub fn closeness(&self) -> (bool, bool, bool, Time, i64) {
        let is_own = matches!(self.scope, Scope::Affiliate(_));
        (is_own, !self.products.is_empty(), self.sales != Sales::All, self.starts_at, self.id.raw())
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
pub fn told_to(rules: &[Rule], affiliate: AffiliateId, now: Time, currency: Currency) -> Vec<String> {
    let is_theirs = |rule: &&Rule| match rule.scope {
        Scope::Everybody => rule.is_in_force(now),
        Scope::Affiliate(id) => id == affiliate && rule.is_in_force(now),
    };
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
mod tests {
    use super::*;
    use crate::domain::{id::Id, money::Currency};

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn percent(share: i64) -> Pays {
        Pays::Share(Rate::from_basis_points(share * 100))
    }

    fn rule(id: i64, pays: Pays) -> Rule {
        Rule {
            id: Id::new(id),
            name: format!("rule {id}"),
            scope: Scope::Everybody,
            products: Vec::new(),
            sales: Sales::All,
            pays,
            months: None,
            payments: None,
            starts_at: Time::from_ms(0),
            ends_at: None,
        }
    }

    fn facts(products: &[Product]) -> Facts<'_> {
        Facts {
            amount: usd().of(10_000),
            affiliate: Id::new(1),
            at: Time::from_ms(1_772_366_400_000),
            products,
            customer: None,
            is_renewal: false,
        }
    }

    fn of(sales: i64) -> Customer {
        let first = Time::from_ms(1_772_366_400_000).plus_days(-100);
        Customer { sales, first_sale_at: (sales > 0).then_some(first) }
    }

    const RATES: Rates<'static> = Rates { program: Rate::from_basis_points(2_000), own: &[] };

    fn earned(rules: &[Rule], facts: Facts<'_>) -> i64 {
        earn(RATES, rules, facts).amount
    }

    fn product(id: &str, price: i64, quantity: i64) -> Product {
        Product { id: id.into(), sku: String::new(), name: id.to_uppercase(), total: price * quantity, quantity }
    }

    #[test]
    fn without_rules_the_rate_that_holds_decides() {
        assert_eq!(earn(RATES, &[], facts(&[])), Earning { amount: 2_000, rate: RATES.program, parts: Vec::new() });
        let own = [OwnRate { starts_at: Time::from_ms(0), rate: Some(Rate::from_basis_points(3_500)) }];
        assert_eq!(earn(Rates { own: &own, ..RATES }, &[], facts(&[])).amount, 3_500);
    }

    #[test]
    fn the_closest_rule_wins() {
        let everybody = rule(1, percent(10));
        let affiliate = Rule { scope: Scope::Affiliate(Id::new(1)), ..rule(3, percent(12)) };
        let other = Rule { scope: Scope::Affiliate(Id::new(9)), ..rule(4, percent(90)) };
        let all = [affiliate, other.clone(), everybody.clone()];
        assert_eq!(earned(&all, facts(&[])), 1_200);
        assert_eq!(earned(&all[1..], facts(&[])), 1_000);
        assert_eq!(earned(&[other], facts(&[])), 2_000);

        let own = [OwnRate { starts_at: Time::from_ms(0), rate: Some(Rate::from_basis_points(5_000)) }];
        let with_own = |rules: &[Rule]| earn(Rates { own: &own, ..RATES }, rules, facts(&[])).amount;
        assert_eq!(with_own(&all[1..]), 5_000, "an own rate is closer than everybody's");
        assert_eq!(with_own(&all), 1_200, "a rule for the affiliate is closer still");

        let first = Rule { sales: Sales::First, ..rule(6, percent(30)) };
        let repeat = Rule { sales: Sales::Repeat, ..rule(7, percent(5)) };
        let by_sale = [everybody, first, repeat];
        assert_eq!(earned(&by_sale, facts(&[])), 3_000);
        assert_eq!(earned(&by_sale, Facts { customer: Some(of(1)), ..facts(&[]) }), 500);
        assert_eq!(earned(&by_sale, Facts { is_renewal: true, ..facts(&[]) }), 500);
    }

    #[test]
    fn rules_begin_and_end() {
        let now = facts(&[]).at;
        let past = Rule { ends_at: Some(now), ..rule(1, percent(50)) };
        let future = Rule { starts_at: now.plus_seconds(1), ..rule(2, percent(60)) };
        assert_eq!(earned(&[past.clone(), future.clone()], facts(&[])), 2_000);
        assert_eq!(past.misses(facts(&[]), None), Some("has ended"));
        assert_eq!(future.misses(facts(&[]), None), Some("has not begun"));
        let begins_now = Rule { starts_at: now, ..rule(3, percent(40)) };
        assert_eq!(earned(&[rule(4, percent(30)), begins_now], facts(&[])), 4_000);
    }

    #[test]
    fn each_line_by_its_own_rule_and_rounded_once() {
        let mugs = Rule { products: vec!["mug".into()], ..rule(1, percent(50)) };
        let products = [product("mug", 2_500, 2), product("book", 5_000, 1)];
        let earning = earn(RATES, std::slice::from_ref(&mugs), facts(&products));
        assert_eq!(earning.amount, 2_500 + 1_000);
        let told: Vec<_> =
            earning.parts.iter().map(|part| (part.product.as_str(), part.amount, part.pays.as_str())).collect();
        assert_eq!(told, [("MUG", 5_000, "50%"), ("BOOK", 5_000, "20%")]);
        // A discount of a tenth is borne by both.
        let cheaper = Facts { amount: usd().of(9_000), ..facts(&products) };
        assert_eq!(earned(std::slice::from_ref(&mugs), cheaper), 2_250 + 900);
        // 0.5 and 0.2 of a cent are 0.7: one cent, not none and not two.
        let cents = [product("mug", 1, 1), product("book", 1, 1)];
        assert_eq!(earned(&[mugs], Facts { amount: usd().of(2), ..facts(&cents) }), 1);
    }

    #[test]
    fn flat_amounts_are_by_sale_or_by_piece_and_never_more_than_the_sale() {
        let sale = rule(1, Pays::Flat(700));
        let products = [product("mug", 2_000, 3), product("book", 4_000, 1)];
        assert_eq!(earned(std::slice::from_ref(&sale), facts(&[])), 700);
        assert_eq!(earned(std::slice::from_ref(&sale), facts(&products)), 700);
        assert_eq!(earned(std::slice::from_ref(&sale), Facts { amount: usd().of(300), ..facts(&[]) }), 300);
        assert_eq!(earned(std::slice::from_ref(&sale), Facts { amount: usd().of(0), ..facts(&[]) }), 0);
        let mugs = Rule { products: vec!["MUG".into()], ..rule(2, Pays::Flat(100)) };
        assert_eq!(earned(&[sale.clone(), mugs.clone()], facts(&products)), 300 + 700);
        assert_eq!(earned(&[mugs], facts(&products)), 300 + 800);
    }

    #[test]
    fn a_customer_earns_for_some_months_or_sales_only() {
        let limited = Rule { months: Some(3), ..rule(1, percent(30)) };
        let after = |sales| Facts { customer: Some(of(sales)), ..facts(&[]) };
        assert_eq!(earned(std::slice::from_ref(&limited), after(0)), 3_000);
        let over = earn(RATES, &[limited], after(5));
        assert_eq!((over.amount, over.parts[0].nothing.is_some()), (0, true));
        let four = Rule { payments: Some(4), ..rule(2, percent(30)) };
        assert_eq!(earned(std::slice::from_ref(&four), after(3)), 3_000);
        assert_eq!(earned(&[four], after(4)), 0);
    }
}
