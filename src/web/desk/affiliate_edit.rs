//! One affiliate's name, address, code, and how they are paid, changed by the merchant.

use std::iter;

use askama::Template;
use axum::extract::State;

use super::{affiliate::opened, minimum_hint};
use crate::{
    app::App,
    domain::{
        affiliate::PaymentMethod,
        code::Code,
        email::Email,
        id::{self, AffiliateId},
        payment, text,
    },
    flows::affiliates::{self as flow, Edit},
    store::{
        affiliates::{self, Details},
        groups, payouts, roster,
    },
    web::{
        caller::ManagesAffiliates, confirm::Confirmed, desk, failure::Failure, filters, form::Form, input::PathId,
        reply::Reply, shell::Notice,
    },
};

#[derive(Template)]
#[template(path = "merchant/affiliate_edit.html")]
struct Page {
    slug: String,
    id: AffiliateId,
    name: String,
    /// How they are paid now; the details themselves are never sent back.
    details_hint: String,
    minimum_hint: String,
    form: Form,
}

impl Page {
    fn methods() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
        let all = PaymentMethod::ALL.into_iter().map(|method| (method.as_str(), method.label()));
        iter::once(("", "None yet")).chain(all)
    }
}

async fn page(app: &App, me: &ManagesAffiliates, id: AffiliateId, form: Option<Form>) -> Result<Page, Failure> {
    let (currency, unknown) = (me.program.currency, || Failure::not_found("affiliate"));
    let mut tx = app.db.read().await?;
    let line = roster::one(&mut tx, me.program.id, id).await?.ok_or_else(unknown)?;
    let details = affiliates::details(&mut tx, me.program.id, id).await?.ok_or_else(unknown)?;
    let form = form.unwrap_or_else(|| {
        let minimum = details.minimum_minor.map(|minor| currency.of(minor).to_string());
        Form::of(&[
            ("name", &line.name),
            ("email", &line.email),
            ("referralCode", &line.code),
            ("paymentMethod", line.payment_method.map_or("", PaymentMethod::as_str)),
            ("minimum", &minimum.unwrap_or_default()),
        ])
    });
    let details_hint = match opened(app, id, details.sealed_details.as_deref())? {
        Some(kept) => format!("On file: {}. Empty: they stay.", payment::masked(&kept)),
        None => "Where the money goes. The audit log says that it changed, not what it is.".into(),
    };
    let program = payouts::settings(&mut tx, me.program.id).await?.minimum;
    let group = groups::of_affiliate(&mut tx, id).await?.and_then(|group| group.minimum_minor);
    let whose = if group.is_some() { "group" } else { "program" };
    let minimum_hint = minimum_hint(desk::style(&mut tx, me).await?, whose, currency.of(group.unwrap_or(program)));
    Ok(Page { slug: me.program.slug.clone(), id, name: line.name, details_hint, minimum_hint, form })
}

/// `GET /m/{program}/affiliates/{id}/edit`: asked again before the form, as wherever payment details can be changed.
pub async fn edit(
    me: ManagesAffiliates,
    _: Confirmed,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
) -> Result<Reply, Failure> {
    Ok(Reply::page(page(&app, &me, id, None).await?))
}

/// How they are paid, as the form would have it: details that are left empty stay, and go with their method.
fn paid_by(form: &mut Form, kept: &Details) -> Edit {
    let (given, is_good) = (form.filled("paymentDetails").is_some(), form.is_good());
    let Some(method) = form.read_filled("paymentMethod", PaymentMethod::parse) else {
        if given && is_good {
            form.wrong("paymentMethod", "must be chosen for these details");
        }
        return Edit { payment_method: Some(None), payment_details: Some(None), ..Edit::default() };
    };
    if given {
        let details = form.read("paymentDetails", |given| payment::details(method, given));
        return Edit { payment_method: Some(Some(method)), payment_details: Some(details), ..Edit::default() };
    }
    if kept.payment_method != Some(method) {
        form.wrong("paymentDetails", "must be given for another payment method");
    }
    Edit::default()
}

/// `POST /m/{program}/affiliates/{id}/edit`
pub async fn update(
    me: ManagesAffiliates,
    _: Confirmed,
    State(app): State<App>,
    PathId(id): PathId<id::Affiliate>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let kept = affiliates::details(&mut *app.db.read().await?, me.program.id, id).await?;
    let kept = kept.ok_or_else(|| Failure::not_found("affiliate"))?;
    let name = form.read("name", |name| text::name(name).map(|()| name.to_owned()));
    let email = form.read("email", Email::parse);
    let code = form.read("referralCode", Code::parse);
    let minimum = Some(form.read_filled("minimum", |text| me.program.currency.amount(text)));
    let paid = paid_by(&mut form, &kept);
    if form.is_good() {
        let (act, edit) = (me.act(&app), Edit { name, email, code, minimum, ..paid });
        let done = app.db.write(move |tx| Box::pin(async move { flow::edit(tx, &act, id, edit).await })).await;
        match done {
            Ok(()) => {
                return Ok(Reply::done(format!("/m/{}/affiliates/{id}", me.program.slug), Notice::done("Saved.")));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(page(&app, &me, id, Some(form)).await?))
}
