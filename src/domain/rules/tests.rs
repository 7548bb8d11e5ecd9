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
        group: Some(Id::new(7)),
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
