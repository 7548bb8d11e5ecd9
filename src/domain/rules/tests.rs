use super::*;
use crate::domain::{
    id::Id,
    money::Currency,
    volume::{Measure, Step, Volume},
};

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
        first_days: None,
        first_sales: None,
        tiers: None,
        starts_at: Time::from_ms(0),
        ends_at: None,
    }
}

fn facts(products: &[Product]) -> Facts<'_> {
    Facts {
        amount: usd().of(10_000),
        affiliate: Id::new(1),
        group: Some(Id::new(7)),
        so_far: SoFar::default(),
        at: Time::from_ms(1_772_366_400_000),
        products,
        customer: None,
        is_renewal: false,
    }
}

fn of(sales: i64) -> Customer {
    let first = Time::from_ms(1_772_366_400_000).plus_days(-100);
    Customer { sales, first_sale_at: (sales > 0).then_some(first), earned: 0 }
}

const RATES: Rates<'static> =
    Rates { program: Rate::from_basis_points(2_000), own: &[], caps: Caps { customer: None, month: None } };

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
    assert_eq!(earned(std::slice::from_ref(&other), facts(&[])), 2_000);

    let group = Rule { scope: Scope::Group(Id::new(7)), ..rule(2, percent(15)) };
    let strangers = Rule { scope: Scope::Group(Id::new(8)), ..rule(5, percent(80)) };
    assert_eq!(earned(&[group.clone(), everybody.clone(), strangers.clone()], facts(&[])), 1_500);
    assert_eq!(earned(&[all[0].clone(), group.clone(), everybody.clone()], facts(&[])), 1_200);
    assert_eq!(earned(&[group, strangers.clone()], Facts { group: None, ..facts(&[]) }), 2_000);
    assert_eq!(strangers.misses(facts(&[]), None), Some("is for another group"));

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

#[test]
fn beginners_earn_by_their_own_rule_until_they_are_none() {
    let days = Rule { first_days: Some(30), ..rule(1, percent(40)) };
    let sales = Rule { first_sales: Some(2), ..rule(2, percent(50)) };
    let everybody = Rule { starts_at: Time::from_ms(1), ..rule(3, percent(10)) };
    let joined = Id::first_of(facts(&[]).at.plus_days(-29));
    let of = |sales: i64| SoFar { ever: Volume { sales, minor: 0 }, ..SoFar::default() };
    let fresh = |so_far| Facts { affiliate: joined, so_far, ..facts(&[]) };
    let all = [days, sales, everybody];
    assert_eq!(earned(&all[..1], fresh(of(9))), 4_000);
    assert_eq!(earned(&all[..1], Facts { at: facts(&[]).at.plus_days(1), ..fresh(of(9)) }), 2_000);
    assert_eq!(earned(&all, fresh(of(1))), 5_000, "closer than everybody's, though that began later");
    assert_eq!(earned(&all[1..], fresh(of(2))), 1_000);
    assert_eq!(
        earn(RATES, &all[1..], fresh(of(1))).parts[0].because.as_deref(),
        Some("sale 2 of the affiliate’s first 2")
    );
}

#[test]
fn what_is_read_is_what_a_rule_asks_for() {
    let needs = |rules: &[Rule], caps| Needs::of(rules, caps, (Id::new(1), Some(Id::new(7))), facts(&[]).at);
    let tiered = |of| Tiers { by: Measure::Count, of, steps: vec![Step { after: 1, pays: 1 }] };
    let monthly = Rule { tiers: Some(tiered(Span::Month)), ..rule(1, percent(10)) };
    let theirs = Rule { scope: Scope::Affiliate(Id::new(9)), ..monthly.clone() };
    let over = Rule { ends_at: Some(Time::from_ms(1)), ..monthly.clone() };
    assert_eq!(needs(&[rule(1, percent(10)), theirs, over], Caps::default()), Needs::default());
    assert_eq!(needs(&[monthly], Caps::default()), Needs { month: true, ..Needs::default() });
    let ever = Rule { tiers: Some(tiered(Span::Ever)), ..rule(1, percent(10)) };
    assert_eq!(needs(&[ever], Caps::default()), Needs { ever: true, ..Needs::default() });
    let caps = Caps { customer: Some(1), month: Some(1) };
    assert_eq!(needs(&[], caps), Needs { ever: false, month: true, customer: true });
}

/// The same as the rules say, told another way: every sale is kept, and everything is counted from them anew.
struct Model {
    sales: Vec<(i64, Option<usize>, i64, i64)>,
}

impl Model {
    fn month(at: Time) -> String {
        at.date()[..7].to_owned()
    }

    fn expects(&self, amount: i64, customer: Option<usize>, at: Time, tiers: &Tiers, caps: Caps) -> i64 {
        let is_now = |ms: i64| Self::month(Time::from_ms(ms)) == Self::month(at);
        let counted = self.sales.iter().filter(|sale| tiers.of == Span::Ever || is_now(sale.0));
        let done: i64 = match tiers.by {
            Measure::Count => counted.map(|_| 1).sum(),
            Measure::Amount => counted.map(|sale| sale.2).sum(),
        };
        let mut rate = 1_000;
        for step in &tiers.steps {
            if done >= step.after {
                rate = step.pays;
            }
        }
        let mut earns = (amount * rate * 2 + 10_000) / 20_000;
        if let (Some(cap), Some(_)) = (caps.customer, customer) {
            let before: i64 = self.sales.iter().filter(|sale| sale.1 == customer).map(|sale| sale.3).sum();
            earns = earns.min((cap - before).max(0));
        }
        if let Some(cap) = caps.month {
            let before: i64 = self.sales.iter().filter(|sale| is_now(sale.0)).map(|sale| sale.3).sum();
            earns = earns.min((cap - before).max(0));
        }
        earns
    }
}

#[test]
fn a_thousand_sequences_of_sales_earn_what_a_simple_model_says() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        i64::try_from((seed >> 11) % bound).unwrap()
    };
    for _ in 0..1_000 {
        let by = if below(2) == 0 { Measure::Count } else { Measure::Amount };
        let of = if below(2) == 0 { Span::Month } else { Span::Ever };
        let unit = if by == Measure::Count { 1 } else { 5_000 };
        let first = 1 + below(4);
        let steps = vec![
            Step { after: first * unit, pays: below(10_001) },
            Step { after: (first + 1 + below(5)) * unit, pays: below(10_001) },
        ];
        let tiers = Tiers { by, of, steps };
        let mut cap = || (below(3) > 0).then(|| 1 + below(9_000));
        let caps = Caps { customer: cap(), month: cap() };
        let rules = [Rule { tiers: Some(tiers.clone()), ..rule(1, percent(10)) }];
        let (mut model, mut at) = (Model { sales: Vec::new() }, facts(&[]).at);
        for _ in 0..25 {
            at = at.plus_seconds(below(6) * 86_400);
            let (amount, customer) = (below(12_000), usize::try_from(below(4)).ok().filter(|customer| *customer > 0));
            let in_month =
                |sale: &&(i64, Option<usize>, i64, i64)| Model::month(Time::from_ms(sale.0)) == Model::month(at);
            let volume = |sales: Vec<&(i64, Option<usize>, i64, i64)>| Volume {
                sales: i64::try_from(sales.len()).unwrap(),
                minor: sales.iter().map(|sale| sale.2).sum(),
            };
            let so_far = SoFar {
                ever: volume(model.sales.iter().collect()),
                month: volume(model.sales.iter().filter(in_month).collect()),
                month_earned: model.sales.iter().filter(in_month).map(|sale| sale.3).sum(),
            };
            let of_customer = model.sales.iter().filter(|sale| customer.is_some() && sale.1 == customer);
            let buyer =
                customer.map(|_| Customer { earned: of_customer.map(|sale| sale.3).sum(), ..Customer::default() });
            let sale = Facts { amount: usd().of(amount), at, so_far, customer: buyer, ..facts(&[]) };
            let earning = earn(Rates { caps, ..RATES }, &rules, sale);
            assert_eq!(
                earning.amount,
                model.expects(amount, customer, at, &tiers, caps),
                "{rules:?} {caps:?} {sale:?}"
            );
            // What was cut is told: the parts come to what is earned.
            let less: i64 = earning.parts.iter().filter(|part| part.less.is_some()).map(|part| part.amount).sum();
            let uncut = earn(RATES, &rules, sale).amount;
            assert_eq!(uncut - less, earning.amount);
            model.sales.push((at.ms(), customer, amount, earning.amount));
        }
    }
}

#[test]
fn what_was_cut_is_told_even_of_the_programs_rate() {
    let caps = Caps { customer: None, month: Some(2_500) };
    let so_far = SoFar { month_earned: 1_000, ..SoFar::default() };
    let earning = earn(Rates { caps, ..RATES }, &[], Facts { so_far, ..facts(&[]) });
    assert_eq!(earning.amount, 1_500);
    let json = earning.explanation().unwrap();
    let parts = read_parts(Some(&json));
    assert_eq!(
        in_words(&parts, usd()),
        "20% of USD 100.00 by “The program’s rate”; USD 5.00 less, as USD 25.00 is the most for a month"
    );
    assert_eq!(in_short(Some(&json), earning.rate), "20% by “The program’s rate” and capped");
    assert!(earn(Rates { caps, ..RATES }, &[], facts(&[])).parts.is_empty(), "nothing was cut");
}
