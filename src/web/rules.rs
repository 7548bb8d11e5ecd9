//! Rules of what sales earn: which hold, and which of them would decide a sale, and why.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{
    caller::Configures,
    failure::Failure,
    filters,
    form::Form,
    input::{PathId, Query},
    reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{
        Issue,
        affiliate::own_since,
        attribution::Named,
        code::Code,
        decimal,
        id::{self, GroupId},
        money::{Currency, Money, Rate},
        products::Product,
        program::Program,
        rules::{self, Customer, Facts, Needs, Pays, Rates, Rule, Sales, Scope},
        text,
        time::Time,
        volume::{Measure, SoFar, Span, Tiers},
    },
    flows::{Refusal, rules as flow},
    store::{
        Tx, codes,
        groups::{self, Group},
        rates, rules as stored,
        volume::{self, Hold},
    },
};

const KINDS: [(&str, &str); 2] = [("share", "A share of it"), ("flat", "An amount for each")];
const SALES: [(&str, &str); 3] =
    [("all", "Every sale"), ("first", "A customer’s first sale"), ("repeat", "Repeat sales and renewals")];
const TIERS: [(&str, &str); 5] = [
    ("", "Nothing: always the same"),
    ("count month", "How many sales the affiliate made this month"),
    ("amount month", "What the affiliate sold this month"),
    ("count ever", "How many sales the affiliate ever made"),
    ("amount ever", "What the affiliate ever sold"),
];
const TESTS: [(&str, &str); 2] = [("first", "A customer’s first"), ("repeat", "One more of a customer")];

/// A rule as the list shows it.
struct Line {
    rule: Rule,
    words: String,
    state: (&'static str, &'static str),
    /// The code of the affiliate it is for, or the name of the group.
    code: Option<String>,
    group: Option<String>,
}

/// What a sale that was tried would earn.
struct Tried {
    amount: Money,
    earned: Money,
    sentence: String,
    /// What the affiliate has sold so far, and how far it is to the next rate of each rule.
    so_far: SoFar,
    progress: Vec<rules::Told>,
    /// The rules that were not asked, and why.
    others: Vec<(String, &'static str)>,
}

#[derive(Template)]
#[template(path = "merchant/rules.html")]
struct Index {
    program: Arc<Program>,
    lines: Vec<Line>,
    /// Those that a rule can be for.
    groups: Vec<Group>,
    form: Form,
    trial: Form,
    tried: Option<Tried>,
}

impl Index {
    /// Whether what few need is filled in.
    fn is_advanced(&self) -> bool {
        ["months", "payments", "first_days", "first_sales", "tiers_by", "tiers"]
            .iter()
            .any(|field| self.form.filled(field).is_some())
    }
}

async fn page(me: &Configures, app: &App, form: Form, mut trial: Form) -> Result<Index, Failure> {
    let mut tx = app.db.read().await?;
    let now = app.clock.now();
    let mut groups = groups::of(&mut tx, me.program.id).await?;
    let mut held = stored::of(&mut tx, me.program.id).await?;
    let tried = if trial.has("affiliate") { try_out(&mut tx, me, &held, &mut trial, now).await? } else { None };
    let has_ended = |rule: &Rule| rule.ends_at.is_some_and(|end| end <= now);
    held.sort_by_key(|rule| (has_ended(rule), std::cmp::Reverse(rule.closeness())));
    let mut lines = Vec::new();
    for rule in held {
        let code = match rule.scope {
            Scope::Affiliate(id) => codes::current(&mut tx, id).await?,
            Scope::Everybody | Scope::Group(_) => None,
        };
        let is_its = |group: &&Group| rule.scope == Scope::Group(group.id);
        let group = groups.iter().find(is_its).map(|group| group.name.clone());
        let state = match () {
            () if has_ended(&rule) => ("", "Ended"),
            () if rule.starts_at > now => ("warn", "Begins"),
            () => ("ok", "In force"),
        };
        lines.push(Line { words: rule.in_words(me.program.currency), state, code, group, rule });
    }
    groups.retain(|group| group.archived_at.is_none());
    Ok(Index { program: Arc::clone(&me.program), lines, groups, form, trial, tried })
}

/// `GET /m/{program}/rules`, with a sale to try in the address.
pub async fn index(me: Configures, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let given = ["affiliate", "amount", "product", "sale", "earned"].map(|name| (name, query.get(name)));
    let trial: Vec<_> = given.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    Ok(Reply::page(page(&me, &app, Form::default(), Form::of(&trial)).await?))
}

async fn try_out(
    tx: &mut Tx,
    me: &Configures,
    held: &[Rule],
    trial: &mut Form,
    now: Time,
) -> Result<Option<Tried>, Failure> {
    let currency = me.program.currency;
    let amount = trial.read("amount", |text| currency.amount(text));
    let named = affiliate(tx, me, trial, "affiliate").await?;
    let (Some(amount), Some(named)) = (amount, named) else { return Ok(None) };
    let own = if named.has_own_rate { rates::of(tx, named.affiliate).await? } else { Vec::new() };
    let product = |id: &str| Product {
        id: id.to_owned(),
        sku: String::new(),
        name: id.to_owned(),
        total: amount.minor,
        quantity: 1,
    };
    let products: Vec<_> = trial.filled("product").map(product).into_iter().collect();
    let is_repeat = trial.is("sale", "repeat");
    let earned = trial.read_filled("earned", |text| currency.amount(text)).map_or(0, |money| money.minor);
    if !trial.is_good() {
        return Ok(None);
    }
    let sales = i64::from(is_repeat);
    let customer = Customer { sales, first_sale_at: is_repeat.then_some(now), earned };
    let everything = Needs { ever: true, month: true, customer: false };
    let so_far = volume::so_far(tx, named.affiliate, everything, now, Hold::Loosely).await?;
    let facts = Facts {
        amount,
        affiliate: named.affiliate,
        group: named.group,
        so_far,
        at: now,
        products: &products,
        customer: Some(customer),
        is_renewal: false,
    };
    let earning = rules::earn(Rates { program: me.program.rate, own: &own, caps: me.program.caps }, held, facts);
    let earned = amount.with(earning.amount);
    let sentence = if earning.parts.is_empty() {
        format!("{} of {} {amount}", earning.rate, currency.code())
    } else {
        rules::in_words(&earning.parts, currency)
    };
    let why = |rule: &Rule| match rule.misses(facts, products.first()) {
        Some(why) => Some((rule.name.clone(), why)),
        None if earning.parts.iter().any(|part| part.rule == rule.name) => None,
        None => Some((rule.name.clone(), "fits too, but another is closer")),
    };
    let others = held.iter().filter_map(why).collect();
    let (whose, has_own) = ((named.affiliate, named.group), own_since(&own, now).is_some());
    let mut progress = rules::told_to(held, whose, has_own, so_far, now, currency);
    progress.retain(|told| told.progress.is_some());
    Ok(Some(Tried { amount, earned, sentence, so_far, progress, others }))
}

/// The affiliate whose code a field names.
async fn affiliate(tx: &mut Tx, me: &Configures, form: &mut Form, field: &str) -> Result<Option<Named>, Failure> {
    let code = form.read(field, |text| Code::parse(text.trim()).map_err(|_| Issue::new("must be a code")));
    let Some(code) = code else { return Ok(None) };
    let found = codes::owner(tx, me.program.id, &code).await?;
    if found.is_none() {
        form.wrong(field, "is nobody’s");
    }
    Ok(found)
}

/// `POST /m/{program}/rules`
pub async fn create(me: Configures, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let now = app.clock.now();
    let only = if form.filled("affiliate").is_some() {
        affiliate(&mut *app.db.read().await?, &me, &mut form, "affiliate").await?
    } else {
        None
    };
    let act = me.act(&app);
    let group = form.read_filled("group", |id| GroupId::parse(id).map_err(|_| Issue::new("must be chosen")));
    if group.is_some() && form.filled("affiliate").is_some() {
        form.wrong("group", "must be left open where the rule is for one affiliate");
    }
    let scope = match (only, group) {
        (Some(named), _) => Scope::Affiliate(named.affiliate),
        (None, Some(group)) => Scope::Group(group),
        (None, None) => Scope::Everybody,
    };
    let Some(rule) = read(&me.program, &mut form, scope, now).map(|rule| Rule { id: act.id(), ..rule }) else {
        return Ok(Reply::invalid(page(&me, &app, form, Form::default()).await?));
    };
    let told = format!("Added. {}", rule.in_words(me.program.currency));
    let made = app.db.write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::create(tx, &act, &rule).await }));
    match made.await {
        Ok(()) => Ok(Reply::done(format!("/m/{}/rules", me.program.slug), Notice::done(told))),
        Err(refusal) => {
            form.refused(refusal)?;
            Ok(Reply::invalid(page(&me, &app, form, Form::default()).await?))
        }
    }
}

/// The rule as the form would have it, still without an id.
fn read(program: &Program, form: &mut Form, scope: Scope, now: Time) -> Option<Rule> {
    let name = form.read("name", |name| text::name(name).map(|()| name.trim().to_owned()));
    let pays = match form.get("kind") {
        "flat" => form.read("pays", |text| program.currency.amount(text)).map(|money| Pays::Flat(money.minor)),
        _ => form.read("pays", Rate::parse).map(Pays::Share),
    };
    let sales = form.read("sales", Sales::parse);
    let products = form.read("products", rules::product_list);
    let count = |text: &str| {
        let count = decimal::parse(text, 0).ok().filter(|count| (1..=1_000).contains(count));
        count.ok_or(Issue::new("must be 1 to 1000, or empty"))
    };
    let (months, payments) = (form.read_filled("months", count), form.read_filled("payments", count));
    let (first_days, first_sales) = (form.read_filled("first_days", count), form.read_filled("first_sales", count));
    let tiers = match (pays, form.filled("tiers_by").map(str::to_owned)) {
        (Some(pays), Some(word)) => read_tiers(form, &word, pays, program.currency),
        _ => None,
    };
    if form.filled("tiers").is_some() && form.filled("tiers_by").is_none() {
        form.wrong("tiers", "need to know what they go by");
    }
    let starts_at = form.read_filled("starts_at", |text| {
        // A sale of today's morning was recorded under what held then.
        Time::parse_date(text).map(|day| if day.day() == now.day() { now } else { day }).and_then(|start| {
            if start < now {
                Err(Issue::new("must be today or later: what was earned stays as it is"))
            } else {
                Ok(start)
            }
        })
    });
    if !form.is_good() {
        return None;
    }
    Some(Rule {
        id: id::Id::new(0),
        name: name?,
        scope,
        products: products?,
        sales: sales?,
        pays: pays?,
        months,
        payments,
        first_days,
        first_sales,
        tiers,
        starts_at: starts_at.unwrap_or(now),
        ends_at: None,
    })
}

/// The steps of a rule whose rate grows.
fn read_tiers(form: &mut Form, word: &str, pays: Pays, currency: Currency) -> Option<Tiers> {
    let (by, of) = word.split_once(' ').unwrap_or_default();
    let (Ok(by), Ok(of)) = (Measure::parse(by), Span::parse(of)) else {
        form.wrong("tiers_by", "must be one of the choices");
        return None;
    };
    let steps = form.read("tiers", |text| Tiers::read_steps(text, by, pays, currency))?;
    Some(Tiers { by, of, steps })
}

/// `POST /m/{program}/rules/{id}/end`
pub async fn end(me: Configures, State(app): State<App>, PathId(id): PathId<id::Rule>) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let ended = app.db.write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::end(tx, &act, id).await })).await?;
    let told = format!("“{}” has ended: it decides no sale from now on.", ended.name);
    Ok(Reply::done(format!("/m/{}/rules", me.program.slug), Notice::done(told)))
}
