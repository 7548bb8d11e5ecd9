//! How an affiliate is paid and what the merchant calls them.

use askama::Template;
use axum::extract::State;

use super::payouts::paid_by;
use crate::{
    app::App,
    domain::{Issue, affiliate::PaymentMethod, money::Money, payment, text},
    flows::{
        Actor, Refusal,
        affiliates::{self, Edit},
    },
    store::{Tx, earnings, payouts},
    web::{
        confirm::Confirmed, earner::Earner, failure::Failure, filters, form::Form, html::SignedIn, reply::Reply,
        shell::Notice, tax::Card,
    },
};

#[derive(Template)]
#[template(path = "affiliate/settings.html")]
struct Settings {
    program: String,
    paid_by: Option<String>,
    /// What waits to be paid.
    available: Money,
    tax: Card,
    may_change: bool,
    profile: Form,
}

impl Settings {
    async fn of(tx: &mut Tx, app: &App, me: &Earner, profile: Option<Form>) -> Result<Self, Failure> {
        let found = earnings::standing(tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
        Ok(Self {
            program: me.program.name.clone(),
            paid_by: paid_by(app, me.affiliate, &found)?,
            available: me.program.currency.of(found.approved_minor),
            tax: Card::of(tx, app, me.program.id, me.affiliate).await?,
            may_change: !me.is_viewed,
            profile: profile.unwrap_or_else(|| Form::of(&[("name", &found.name)])),
        })
    }
}

/// `GET /settings`
pub async fn show(me: Earner, State(app): State<App>) -> Result<Reply, Failure> {
    let mut tx = app.db.read().await?;
    Ok(Reply::page(Settings::of(&mut tx, &app, &me, None).await?))
}

#[derive(Template)]
#[template(path = "affiliate/paid_by.html")]
struct PaidBy {
    program: String,
    method: Option<String>,
    /// The ways that the program offers.
    offered: Vec<PaymentMethod>,
    /// The details that are kept are never sent back.
    form: Form,
}

impl PaidBy {
    fn methods(&self) -> Vec<(&'static str, &'static str)> {
        self.offered.iter().map(|method| (method.as_str(), method.label())).collect()
    }

    async fn of(tx: &mut Tx, app: &App, me: &Earner, form: Option<Form>) -> Result<Self, Failure> {
        let found = earnings::standing(tx, me.program.id, me.affiliate).await?.ok_or_else(Failure::no_route)?;
        let offered = payouts::settings(tx, me.program.id).await?.methods;
        let first = offered.first().copied().unwrap_or(PaymentMethod::Other);
        let method = found.payment_method.filter(|method| offered.contains(method)).unwrap_or(first);
        Ok(Self {
            program: me.program.name.clone(),
            offered,
            method: paid_by(app, me.affiliate, &found)?,
            form: form.unwrap_or_else(|| Form::of(&[("method", method.as_str())])),
        })
    }
}

/// `GET /settings/payment`: asked again before the form, so that nothing that was filled in is lost.
pub async fn ask_how(me: Earner, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    if me.is_viewed {
        return Err(Failure::no_route());
    }
    let mut tx = app.db.read().await?;
    Ok(Reply::page(PaidBy::of(&mut tx, &app, &me, None).await?))
}

/// `POST /settings/payment`
pub async fn pay_by(
    me: Earner,
    account: SignedIn,
    _: Confirmed,
    State(app): State<App>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let offered = payouts::settings(&mut *app.db.read().await?, me.program.id).await?.methods;
    let method = form.read("method", |word| {
        PaymentMethod::parse(word)
            .ok()
            .filter(|method| offered.contains(method))
            .ok_or(Issue::new("must be one of these"))
    });
    let details = method.and_then(|method| form.read("details", |given| payment::details(method, given)));
    if let (Some(method), Some(details)) = (method, details) {
        let edit = Edit { payment_method: Some(Some(method)), payment_details: Some(Some(details)), ..Edit::default() };
        match change(&app, &me, account, edit).await {
            Ok(()) => {
                let way = method.in_a_sentence();
                let notice = format!("{} pays you {way} from now on.", me.program.name);
                return Ok(Reply::done("/settings", Notice::done(notice)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    let mut tx = app.db.read().await?;
    Ok(Reply::invalid(PaidBy::of(&mut tx, &app, &me, Some(form)).await?))
}

/// `POST /settings/payment/removal`
pub async fn forget_how(me: Earner, account: SignedIn, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    let edit = Edit { payment_method: Some(None), payment_details: Some(None), ..Edit::default() };
    change(&app, &me, account, edit).await?;
    let told = format!("Removed. {} cannot pay you until you add another way.", me.program.name);
    Ok(Reply::done("/settings", Notice::done(told)))
}

/// `POST /settings/profile`
pub async fn rename(me: Earner, account: SignedIn, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    if let Some(name) = form.read("name", |given| text::name(given).map(|()| given.to_owned())) {
        match change(&app, &me, account, Edit { name: Some(name), ..Edit::default() }).await {
            Ok(()) => return Ok(Reply::done("/settings", Notice::done("Your name is changed."))),
            Err(refusal) => form.refused(refusal)?,
        }
    }
    let mut tx = app.db.read().await?;
    Ok(Reply::invalid(Settings::of(&mut tx, &app, &me, Some(form)).await?))
}

/// The one place through which an affiliate changes what is kept of them.
async fn change(app: &App, me: &Earner, account: SignedIn, edit: Edit) -> Result<(), Refusal> {
    let (act, affiliate) = (app.act(me.program.clone(), Actor::Account(account.0)), me.affiliate);
    app.db.write(move |tx| Box::pin(async move { affiliates::edit(tx, &act, affiliate, edit).await })).await
}
