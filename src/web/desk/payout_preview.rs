//! Before a payout: who would be paid how much, who not and why; then asked once more; then made.

use std::iter;

use askama::Template;
use axum::extract::State;

use super::{address, counted, forget_sums, style};
use crate::{
    app::App,
    domain::{Issue, affiliate::PaymentMethod, id::AffiliateId, key::hex, money::Money, payout::LeftOut, time::Time},
    flows::{
        Refusal,
        payouts::{self as flow, Choice, Sum},
    },
    store::payouts::Candidate,
    web::{
        caller::{Caller, Pays},
        confirm::Confirmed,
        failure::Failure,
        filters,
        form::Form,
        input::Query,
        payouts::until,
        reply::Reply,
        shell::Notice,
    },
};

/// As many rows as a list shows; sums are over all.
const SHOWN: usize = 200;
/// As many affiliates as may be left out by hand.
const WITHOUT: usize = 500;

/// What the forms of these pages carry from one to the next.
struct Wanted {
    /// As it was written: a day.
    until: String,
    method: String,
    without: Vec<String>,
}

impl Wanted {
    fn of(get: impl Fn(&str) -> String, without: Vec<String>) -> Self {
        Self { until: get("until"), method: get("method"), without }
    }

    /// By the end of today, where no day is named.
    fn today(self, now: Time) -> Self {
        Self { until: if self.until.is_empty() { now.date() } else { self.until }, ..self }
    }

    /// `None` where something is wrong, which the form says.
    fn choice(&self, form: &mut Form, now: Time) -> Option<Choice> {
        let day = form.read_filled("until", Time::parse_date);
        let until = form.read("until", |_| until(day, now));
        let method = form.read_filled("method", PaymentMethod::parse);
        let parse = |text: &String| AffiliateId::parse(text).ok();
        let without: Vec<_> = self.without.iter().take(WITHOUT).filter_map(parse).collect();
        if !form.is_good() {
            return None;
        }
        Some(Choice { until: until?, method, only: Vec::new(), without })
    }
}

pub struct Row {
    found: Candidate,
    opening: Money,
    earned: Money,
    reversed: Money,
    net: Money,
    why: Option<LeftOut>,
}

#[derive(Template)]
#[template(path = "merchant/payout_new.html")]
struct New {
    slug: String,
    form: Form,
    without: Vec<String>,
    rows: Vec<Row>,
    left_out: Vec<Row>,
    left_out_count: usize,
    sum: Sum,
    amount: Money,
    has_opening: bool,
}

impl New {
    fn methods() -> impl Iterator<Item = (&'static str, &'static str)> {
        let all = PaymentMethod::ALL.into_iter().map(|method| (method.as_str(), method.label()));
        iter::once(("", "Every way")).chain(all)
    }

    fn is_about_tax(row: &Row) -> bool {
        matches!(row.why, Some(LeftOut::TaxForm(_)))
    }

    fn is_chosen_out(row: &Row) -> bool {
        row.why == Some(LeftOut::NotChosen)
    }
}

/// `GET /m/{program}/payouts/new`, with the choice in its address. Writes nothing.
pub async fn new(me: Pays, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let put_back = query.get("with").unwrap_or_default().to_owned();
    let mut without: Vec<_> = query.all("without").map(str::to_owned).filter(|id| *id != put_back).collect();
    without.dedup();
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let now = app.clock.now();
    let wanted = Wanted::of(get, without).today(now);
    let form = Form::of(&[("until", &wanted.until), ("method", &wanted.method)]);
    page(&app, &me, wanted, form).await
}

async fn page(app: &App, me: &Caller, wanted: Wanted, mut form: Form) -> Result<Reply, Failure> {
    let currency = me.program.currency;
    let choice = wanted.choice(&mut form, app.clock.now());
    let is_good = form.is_good();
    let (mut rows, mut left_out, mut left_out_count, mut sum) = (Vec::new(), Vec::new(), 0, Sum::default());
    if let Some(choice) = choice {
        let act = me.act(app);
        let seen = app.db.snapshot(move |tx| {
            Box::pin(async move {
                let (mut rows, mut left_out, mut count) = (Vec::new(), Vec::new(), 0);
                let sum = flow::preview(tx, &act, &choice, |found, admitted| {
                    let why = admitted.err();
                    count += usize::from(why.is_some());
                    let list = if why.is_some() { &mut left_out } else { &mut rows };
                    if list.len() < SHOWN {
                        list.push(Row {
                            opening: currency.of(found.opening_minor),
                            earned: currency.of(found.earned_minor),
                            reversed: currency.of(found.reversed_minor),
                            net: currency.of(found.net()),
                            why,
                            found,
                        });
                    }
                });
                let sum = sum.await?;
                Ok((rows, left_out, count, sum))
            })
        });
        (rows, left_out, left_out_count, sum) = seen.await?;
    }
    let new = New {
        slug: me.program.slug.clone(),
        has_opening: rows.iter().chain(&left_out).any(|row: &Row| row.opening.minor != 0),
        without: wanted.without,
        rows,
        left_out,
        left_out_count,
        amount: currency.of(sum.amount),
        sum,
        form,
    };
    Ok(if is_good { Reply::page(new) } else { Reply::invalid(new) })
}

#[derive(Template)]
#[template(path = "merchant/payout_confirm.html")]
struct Confirm {
    slug: String,
    until: String,
    method: Option<PaymentMethod>,
    without: Vec<String>,
    token: String,
    sum: Sum,
    amount: Money,
    /// The preview with the same choice.
    back: String,
    has_changed: bool,
}

impl Confirm {
    fn method(&self) -> &'static str {
        self.method.map_or("", PaymentMethod::as_str)
    }
}

/// `GET /m/{program}/payouts/confirm`: the count and the sum once more, to somebody who proved who they are.
pub async fn ask(me: Pays, _: Confirmed, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let wanted = Wanted::of(get, query.all("without").map(str::to_owned).collect()).today(app.clock.now());
    // One for each time the page is asked for: sent twice, the form makes one payout.
    let token = hex(&rand::random::<[u8; 16]>());
    asked(&app, &me, wanted, token, false).await
}

async fn asked(app: &App, me: &Caller, wanted: Wanted, token: String, has_changed: bool) -> Result<Reply, Failure> {
    let mut form = Form::of(&[("until", &wanted.until), ("method", &wanted.method)]);
    let Some(choice) = wanted.choice(&mut form, app.clock.now()) else { return page(app, me, wanted, form).await };
    let (act, method) = (me.act(app), choice.method);
    let seen = app.db.snapshot(move |tx| Box::pin(async move { flow::preview(tx, &act, &choice, |_, _| ()).await }));
    let sum = seen.await?;
    let path = format!("/m/{}/payouts/new", me.program.slug);
    if sum.count == 0 {
        return Ok(Reply::Go(path));
    }
    let mut parameters = vec![("until", wanted.until.as_str()), ("method", wanted.method.as_str())];
    parameters.extend(wanted.without.iter().map(|id| ("without", id.as_str())));
    let confirm = Confirm {
        slug: me.program.slug.clone(),
        back: address(&path, &parameters),
        until: wanted.until,
        method,
        without: wanted.without,
        token,
        amount: me.program.currency.of(sum.amount),
        sum,
        has_changed,
    };
    Ok(if has_changed { Reply::invalid(confirm) } else { Reply::page(confirm) })
}

/// `POST /m/{program}/payouts`
pub async fn create(me: Pays, _: Confirmed, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let get = |name: &str| form.get(name).to_owned();
    let wanted = Wanted::of(get, form.all("without").map(str::to_owned).collect());
    let number = |text: &str| text.parse::<i64>().map_err(|_| Issue::new("must be a number"));
    let (count, amount) = (form.read("count", number), form.read("amount", number));
    let token = form.get("token").to_owned();
    let is_token = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    let choice = wanted.choice(&mut form, app.clock.now());
    let (Some(count), Some(amount), Some(choice), true) = (count, amount, choice, is_token) else {
        return page(&app, &me, wanted, form).await;
    };
    let (act, expected, token_of_form) = (me.act(&app), Sum { count, amount }, token.clone());
    let made = app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move { flow::make(tx, &act, &choice, &token_of_form, Some(expected)).await })
    });
    match made.await {
        Ok((run, _)) => {
            forget_sums(&app, me.program.id);
            let style = style(&mut *app.db.read().await?, &me).await?;
            let sum = style.money(me.program.currency.of(run.amount_minor));
            let told = format!(
                "Ready: {sum} to {}. Send the money, then say so here.",
                counted(style, run.line_count, "affiliate")
            );
            Ok(Reply::done(format!("/m/{}/payouts/{}", me.program.slug, run.id), Notice::done(told)))
        }
        Err(Refusal::Field { .. }) => asked(&app, &me, wanted, token, true).await,
        Err(other) => Err(other.into()),
    }
}
