//! Claims of missing sales: the queue, each with what is known of the sale, and the answer.

use askama::Template;
use axum::extract::State;

use super::{
    caller::{Caller, Decides, Reads},
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
        claim::{self, ANSWER_LENGTH, Status},
        id::{self, ClaimId, CommissionId, Id},
        money::{Currency, Money},
        role::Permission,
        text,
        time::Time,
    },
    flows::{
        Refusal,
        claims::{self as flow, Credit},
    },
    store::{
        Tx, affiliates, audit,
        claims::{self, Claim},
        commissions,
        conversions::{self, Conversion},
        days, provider_payments,
    },
};

const ROWS: i64 = 50;
/// Days before and after that of the sale whose clicks are shown.
const AROUND: i64 = 3;
/// Sales of the same amount on the same day that are shown.
const ALIKE: i64 = 5;

/// A claim as pages show it.
struct Row {
    claim: Claim,
    day: Option<Time>,
    amount: Option<Money>,
}

impl Row {
    fn new(claim: Claim, currency: Currency) -> Self {
        Self { day: claim.day.map(claim::noon), amount: claim.amount_minor.map(|minor| currency.of(minor)), claim }
    }
}

#[derive(Template)]
#[template(path = "claims/index.html")]
struct Index {
    slug: String,
    is_all: bool,
    rows: Vec<Row>,
    is_first: bool,
    older: Option<ClaimId>,
}

/// `GET /m/{program}/claims`
pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let is_all = query.get("status") == Some("all");
    let before = query.get("before").filter(|id| !id.is_empty()).map(super::failure::id::<id::Claim>).transpose()?;
    let from = before.unwrap_or(Id::new(i64::MAX));
    let mut rows = claims::page(&mut *app.db.read().await?, me.program.id, !is_all, from, ROWS + 1).await?;
    let mut older = None;
    if rows.len() > usize::try_from(ROWS).unwrap_or(usize::MAX) {
        rows.pop();
        older = rows.last().map(|claim| claim.id);
    }
    let currency = me.program.currency;
    Ok(Reply::page(Index {
        slug: me.program.slug.clone(),
        is_all,
        rows: rows.into_iter().map(|claim| Row::new(claim, currency)).collect(),
        is_first: before.is_none(),
        older,
    }))
}

/// A sale that may be the one that is meant.
struct Found {
    sale: Conversion,
    amount: Money,
    /// Whose it is.
    name: String,
    is_theirs: bool,
    commission: Option<CommissionId>,
}

#[derive(Template)]
#[template(path = "claims/show.html")]
struct Show {
    slug: String,
    row: Row,
    /// The sale of that order.
    found: Option<Found>,
    /// Which provider knows a payment of that name that is nobody's sale.
    nobodys: Option<&'static str>,
    /// Sales of that amount on that day, by whomever.
    alike: Vec<Found>,
    /// The affiliate's clicks and sales, day by day.
    days: Vec<days::Day>,
    /// The sale that the answer credited.
    credited: Option<Found>,
    answered_by: Option<String>,
    may_answer: bool,
    form: Form,
}

impl Show {
    fn is_open(&self) -> bool {
        self.row.claim.status == Status::Open
    }

    fn noon(day: i64) -> Time {
        claim::noon(day)
    }

    fn has_clicks(&self) -> bool {
        self.days.iter().any(|day| day.clicks > 0)
    }

    /// What a form begins with: what the affiliate says.
    fn filled(claim: &Claim, currency: Currency) -> Form {
        let amount = claim.amount_minor.map(|minor| currency.of(minor).to_string()).unwrap_or_default();
        Form::of(&[("order", claim.order_id.as_deref().unwrap_or_default()), ("amount", &amount)])
    }
}

/// The ids of what was made on that day, UTC: from the first to before the second.
fn ids<K>(day: i64) -> (Id<K>, Id<K>) {
    let begins = |day| Id::first_at(Time::from_ms(0).plus_days(day));
    (begins(day), begins(day + 1))
}

/// Each day around that one, also those on which nothing happened.
async fn days_around(tx: &mut Tx, claim: &Claim, about: i64, now: Time) -> Result<Vec<days::Day>, Failure> {
    let known = days::of_affiliate(tx, claim.affiliate_id, about - AROUND, about + AROUND).await?;
    let all = about - AROUND..=(about + AROUND).min(now.day());
    let day = |day| known.iter().find(|one| one.day == day).copied().unwrap_or(days::Day { day, ..Default::default() });
    Ok(all.map(day).collect())
}

async fn found(tx: &mut Tx, me: &Caller, claim: &Claim, sale: Conversion) -> Result<Found, Failure> {
    let whose = affiliates::summary(tx, me.program.id, sale.affiliate_id).await?;
    let commission = commissions::of_sale(tx, me.program.id, sale.id).await?;
    Ok(Found {
        amount: me.program.currency.of(sale.amount_minor),
        name: whose.map(|found| found.name).unwrap_or_default(),
        is_theirs: sale.affiliate_id == claim.affiliate_id,
        commission: commission.map(|commission| commission.id),
        sale,
    })
}

async fn page(tx: &mut Tx, me: &Caller, id: ClaimId, form: Option<Form>, now: Time) -> Result<Show, Failure> {
    let (program, currency) = (me.program.id, me.program.currency);
    let claim = claims::by_id(tx, program, id).await?.ok_or_else(|| Failure::not_found("claim"))?;
    let sale = match &claim.order_id {
        Some(order) => conversions::by_order(tx, program, order).await?,
        None => None,
    };
    let nobodys = match (&claim.order_id, &sale) {
        (Some(order), None) => provider_payments::known(tx, program, order).await?,
        _ => None,
    };
    let nobodys = nobodys.filter(|(_, payment)| payment.conversion_id.is_none());
    let mut alike = Vec::new();
    if let (None, Some(day), Some(amount)) = (&sale, claim.day, claim.amount_minor) {
        let (from, to) = ids(day);
        for sale in conversions::alike(tx, program, amount, from, to, ALIKE).await? {
            alike.push(found(tx, me, &claim, sale).await?);
        }
    }
    let about = claim.day.or(sale.as_ref().map(|sale| sale.created_at.day())).unwrap_or(claim.created_at.day());
    let days = days_around(tx, &claim, about, now).await?;
    let credited = match claim.conversion_id {
        Some(sale) => conversions::by_id(tx, program, sale).await?,
        None => None,
    };
    let credited = match credited {
        Some(sale) => Some(found(tx, me, &claim, sale).await?),
        None => None,
    };
    let found = match sale {
        Some(sale) => Some(found(tx, me, &claim, sale).await?),
        None => None,
    };
    let deeds = audit::page(tx, program, &audit::Filter::of(id.to_string()), 10).await?;
    let answered_by = match deeds.into_iter().find(|deed| deed.action != "claim.made") {
        Some(deed) => Some(super::audit::name(tx, &deed.actor).await?),
        None => None,
    };
    Ok(Show {
        slug: me.program.slug.clone(),
        found,
        nobodys: nobodys.map(|(provider, _)| provider.label()),
        alike,
        days,
        credited,
        answered_by,
        may_answer: me.grants.allow(Permission::Commissions),
        form: form.unwrap_or_else(|| Show::filled(&claim, currency)),
        row: Row::new(claim, currency),
    })
}

/// `GET /m/{program}/claims/{id}`
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Claim>) -> Result<Reply, Failure> {
    Ok(Reply::page(page(&mut *app.db.read().await?, &me, id, None, app.clock.now()).await?))
}

/// `POST /m/{program}/claims/{id}/acceptance`
pub async fn accept(
    me: Decides,
    State(app): State<App>,
    PathId(id): PathId<id::Claim>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let currency = me.program.currency;
    let amount = form.read("amount", |text| currency.amount(text));
    let order = form.read_filled("order", |order| text::bounded(order, 1, 255).map(|()| order.to_owned()));
    let words = form.read_filled("words", answer);
    let Some(amount) = amount.filter(|_| form.is_good()) else { return invalid(&app, &me, id, form).await };
    let (act, credit) = (me.act(&app), Credit { amount, order, words });
    match app.db.write(move |tx| Box::pin(async move { flow::accept(tx, &act, id, &credit).await })).await {
        Ok((_, true)) => {
            app.caches.sums.forget(&me.program.id);
            app.caches.standings.forget(&me.program.id);
            Ok(done(&me, "Accepted: the sale is credited, and its commission waits for your review."))
        }
        Ok((_, false)) => Ok(done(&me, "Accepted. The sale was credited to them before, so nothing new was recorded.")),
        Err(refusal) => refused(&app, &me, id, form, refusal).await,
    }
}

/// `POST /m/{program}/claims/{id}/refusal`
pub async fn decline(
    me: Decides,
    State(app): State<App>,
    PathId(id): PathId<id::Claim>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let Some(words) = form.read("reason", answer) else { return invalid(&app, &me, id, form).await };
    let act = me.act(&app);
    match app.db.write(move |tx| Box::pin(async move { flow::decline(tx, &act, id, &words).await })).await {
        Ok(()) => Ok(done(&me, "Declined. The affiliate gets your words by mail.")),
        Err(refusal) => refused(&app, &me, id, form, refusal).await,
    }
}

fn answer(text: &str) -> Result<String, crate::domain::Issue> {
    let text = text.replace("\r\n", "\n");
    text::bounded(&text, 1, ANSWER_LENGTH).map(|()| text)
}

fn done(me: &Caller, told: &str) -> Reply {
    Reply::done(format!("/m/{}/claims", me.program.slug), Notice::done(told))
}

async fn refused(app: &App, me: &Caller, id: ClaimId, mut form: Form, refusal: Refusal) -> Result<Reply, Failure> {
    if matches!(&refusal, Refusal::Field { field: "claim", .. }) {
        let here = format!("/m/{}/claims/{id}", me.program.slug);
        let told = "Nothing was changed: somebody has answered this claim before.";
        return Ok(Reply::done(here, Notice::problem(told)));
    }
    form.refused(refusal)?;
    invalid(app, me, id, form).await
}

async fn invalid(app: &App, me: &Caller, id: ClaimId, form: Form) -> Result<Reply, Failure> {
    Ok(Reply::invalid(page(&mut *app.db.read().await?, me, id, Some(form), app.clock.now()).await?))
}
