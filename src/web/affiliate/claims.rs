//! Sales that the affiliate misses: said here, and answered by the merchant.

use askama::Template;
use axum::extract::State;

use crate::{
    app::App,
    domain::{
        affiliate::Status as Standing,
        claim::{self, Status, WORDS_LENGTH},
        money::Money,
        text,
        time::Time,
    },
    flows::{
        Actor,
        claims::{self as flow, NewClaim},
    },
    store::{
        Tx,
        claims::{self, Claim},
    },
    web::{earner::Earner, failure::Failure, filters, form::Form, html::SignedIn, reply::Reply, shell::Notice},
};

/// As many as anybody looks back.
const SHOWN: i64 = 100;

struct Row {
    claim: Claim,
    day: Option<Time>,
    amount: Option<Money>,
}

impl Row {
    fn new(claim: Claim, me: &Earner) -> Self {
        Self {
            day: claim.day.map(claim::noon),
            amount: claim.amount_minor.map(|minor| me.program.currency.of(minor)),
            claim,
        }
    }
}

#[derive(Template)]
#[template(path = "affiliate/claims.html")]
struct Index {
    program: String,
    rows: Vec<Row>,
    may_claim: bool,
    form: Form,
}

impl Index {
    async fn of(tx: &mut Tx, me: &Earner, form: Form) -> Result<Self, Failure> {
        let all = claims::of_affiliate(tx, me.affiliate, SHOWN).await?;
        Ok(Self {
            program: me.program.name.clone(),
            rows: all.into_iter().map(|claim| Row::new(claim, me)).collect(),
            may_claim: me.status != Standing::Blocked && !me.is_viewed,
            form,
        })
    }
}

/// `GET /earnings/claims`
pub async fn index(me: Earner, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::page(Index::of(&mut *app.db.read().await?, &me, Form::default()).await?))
}

/// `POST /earnings/claims`
pub async fn create(me: Earner, account: SignedIn, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let Some(new) = read(&app, &me, &mut form) else { return invalid(&app, &me, form).await };
    let act = app.act(std::sync::Arc::clone(&me.program), Actor::Account(account.0));
    let affiliate = me.affiliate;
    match app.db.write(move |tx| Box::pin(async move { flow::make(tx, &act, affiliate, &new).await })).await {
        Ok(_) => {
            let told = format!("{} will answer. You get a mail, and find the answer here.", me.program.name);
            Ok(Reply::done("/earnings/claims", Notice::done(told)))
        }
        Err(refusal) => {
            form.refused(refusal)?;
            invalid(&app, &me, form).await
        }
    }
}

async fn invalid(app: &App, me: &Earner, form: Form) -> Result<Reply, Failure> {
    Ok(Reply::invalid(Index::of(&mut *app.db.read().await?, me, form).await?))
}

fn read(app: &App, me: &Earner, form: &mut Form) -> Option<NewClaim> {
    if me.status == Standing::Blocked {
        form.wrong("order", "cannot be claimed while your account is blocked");
    }
    let order = form.read_filled("order", |order| text::bounded(order, 1, 255).map(|()| order.to_owned()));
    let day = form.read_filled("day", |day| claim::day(day, app.clock.now()));
    if form.filled("order").is_none() && form.filled("day").is_none() {
        form.wrong("order", "or the day of the sale must be given, so that it can be found");
    }
    let amount = form.read_filled("amount", |amount| me.program.currency.amount(amount));
    let words = form.read("words", |words| {
        // A browser sends every line's end as two characters.
        let words = words.replace("\r\n", "\n");
        text::bounded(&words, 1, WORDS_LENGTH).map(|()| words)
    });
    if form.is_good() { Some(NewClaim { order, day, amount, words: words? }) } else { None }
}
