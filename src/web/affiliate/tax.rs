//! What an affiliate says of themselves for the tax office, and whether the program may write their invoices.

use askama::Template;
use axum::extract::State;

use crate::{
    app::App,
    domain::{
        Issue,
        id::Id,
        money::Rate,
        payment, self_billing,
        tax::{
            self as domain, Form as TaxForm, Profile, Signed, Standing,
            details::{self, Details, Whole},
            settings::{Asks, Settings},
            vat::VatId,
        },
        text,
        time::Time,
    },
    flows::{Act, Actor, Refusal, tax as flow},
    store::{applications, tax},
    web::{
        confirm::Confirmed,
        earner::Earner,
        failure::Failure,
        filters,
        form::Form,
        html::SignedIn,
        reply::Reply,
        shell::Notice,
        tax::{FORMS, standing, tone},
        tax_settings::{countries, country, day_before},
    },
};

const KINDS: [(&str, &str); 2] = [("person", "Person"), ("company", "Company")];

#[derive(Template)]
#[template(path = "affiliate/tax.html")]
struct Page {
    program: String,
    countries: Vec<(&'static str, &'static str)>,
    /// What is kept, masked: it is never sent back.
    tax_id: Option<String>,
    vat_id: Option<String>,
    /// Where their form stands, in a program that asks for one.
    standing: Option<Standing>,
    holds_until: Option<Time>,
    contact: Option<String>,
    form: Form,
}

impl Page {
    fn forms() -> Vec<(&'static str, &'static str)> {
        let mut all = vec![("", "Not signed yet")];
        all.extend(FORMS);
        all
    }

    fn tone(&self) -> &'static str {
        self.standing.map_or("", tone)
    }

    fn kept(id: Option<&String>, words: &str) -> String {
        id.map_or_else(|| words.to_owned(), |id| format!("Kept: {id}. Leave this empty to keep it."))
    }
}

struct Known {
    settings: Settings,
    whole: Option<Whole>,
    contact: Option<String>,
}

async fn known(app: &App, me: &Earner) -> Result<Known, Failure> {
    let mut tx = app.db.read().await?;
    Ok(Known {
        settings: tax::settings(&mut tx, me.program.id).await?,
        whole: flow::whole(&mut tx, &app.secret, me.affiliate).await?,
        contact: applications::contact(&mut tx, me.program.id).await?,
    })
}

fn page(app: &App, me: &Earner, known: Known, form: Form) -> Page {
    let whole = known.whole.as_ref();
    let masked = |id: fn(&Details) -> &Option<String>| {
        whole.and_then(|whole| id(&whole.details).as_deref()).map(payment::masked)
    };
    let signed = whole.and_then(|whole| whole.profile.form);
    let lapses = signed.and_then(|signed| signed.form.lapses_on(signed.on));
    Page {
        program: me.program.name.clone(),
        countries: countries(),
        tax_id: masked(|details| &details.tax_id),
        vat_id: masked(|details| &details.vat_id),
        standing: standing(&known.settings, whole, app.clock.now()),
        holds_until: lapses.map(|day| day.plus_days(-1)),
        contact: known.contact,
        form,
    }
}

/// `GET /settings/tax`: asked again before the form, so that nothing that was filled in is lost.
pub async fn show(me: Earner, _: Confirmed, State(app): State<App>) -> Result<Reply, Failure> {
    if me.is_viewed {
        return Err(Failure::no_route());
    }
    let known = known(&app, &me).await?;
    let form = match &known.whole {
        None => Form::of(&[("kind", "person")]),
        Some(Whole { profile, details, vat_rate }) => {
            let rate = vat_rate.map_or(String::new(), |rate| rate.to_string());
            let signed_on = profile.form.map_or(String::new(), |signed| signed.on.date());
            Form::of(&[
                ("kind", if profile.is_company { "company" } else { "person" }),
                ("legal_name", &details.name),
                ("address", &details.address),
                ("country", &profile.country.code()),
                ("VAT_rate", &rate),
                ("form", profile.form.map_or("", |signed| signed.form.as_str())),
                ("signed_on", &signed_on),
            ])
        }
    };
    Ok(Reply::page(page(&app, &me, known, form)))
}

/// `POST /settings/tax`
pub async fn save(
    me: Earner,
    account: SignedIn,
    _: Confirmed,
    State(app): State<App>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let known = known(&app, &me).await?;
    if let Some(after) = read(&mut form, &known, app.clock.now()) {
        let (act, id) = (act(&app, &me, &account), me.affiliate);
        let done = app
            .db
            .write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::change_profile(tx, &act, id, after).await }));
        match done.await {
            Ok(()) => return Ok(Reply::done("/settings", Notice::done("Your tax details are saved."))),
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(page(&app, &me, known, form)))
}

fn act(app: &App, me: &Earner, account: &SignedIn) -> Act {
    app.act(me.program.clone(), Actor::Account(account.0))
}

fn read(form: &mut Form, known: &Known, now: Time) -> Option<Whole> {
    let is_company = form.read("kind", |kind| match kind {
        "person" => Ok(false),
        "company" => Ok(true),
        _ => Err(Issue::new("must be one of these")),
    });
    let name = form.read("legal_name", |name| text::name(name).map(|()| name.to_owned()));
    let address = form.read("address", details::address);
    let country = form.read("country", country);
    let rate = form.read_filled("VAT_rate", Rate::parse);
    let (is_company, country) = (is_company?, country?);
    let kept = known.whole.as_ref().map(|whole| &whole.details);
    let tax_id = kept.and_then(|details| details.tax_id.as_deref());
    let tax_id = number(form, ("tax_ID", "no_tax_ID"), tax_id, |id| details::tax_id(id, country));
    let vat_id = kept.and_then(|details| details.vat_id.as_deref());
    let vat_id =
        number(form, ("VAT_ID", "no_VAT_ID"), vat_id, |id| VatId::parse(id, country).map(|id| id.as_str().to_owned()));
    if rate.is_some() && vat_id.is_none() {
        form.wrong("VAT_rate", "needs your VAT ID: without one you charge none");
    }
    let signed = match known.settings.asks {
        // What is not asked for stays as it is.
        Asks::Nobody => known.whole.as_ref().and_then(|whole| whole.profile.form),
        _ => signed(form, domain::form_of(country, is_company), now),
    };
    if !form.is_good() {
        return None;
    }
    let details = Details { name: name?, address: address?, tax_id, vat_id };
    Some(Whole { profile: Profile { country, is_company, form: signed }, details, vat_rate: rate })
}

/// A number as it was filled in, or the one that is kept, where that is still right and is not to be forgotten.
fn number(
    form: &mut Form,
    (field, forgotten): (&'static str, &str),
    kept: Option<&str>,
    parse: impl Fn(&str) -> Result<String, Issue>,
) -> Option<String> {
    if form.filled(field).is_some() {
        return form.read(field, parse);
    }
    let kept = kept.filter(|_| !form.is_checked(forgotten))?;
    // A number of one country can have another's shape: it must be read as the very same.
    if parse(kept).is_ok_and(|read| read == kept) {
        return Some(kept.to_owned());
    }
    form.wrong(field, "of before is none of that country: type the new one, or remove it");
    None
}

/// The form that they say they signed; the program looks at it.
fn signed(form: &mut Form, needed: TaxForm, now: Time) -> Option<Signed> {
    let named = form.read_filled("form", |word| match TaxForm::parse(word) {
        Ok(form) if form == needed => Ok(form),
        _ => Err(Issue::new(flow::needed_words(needed))),
    })?;
    let on = form.read("signed_on", day_before(now))?;
    Some(Signed { form: named, on, is_checked: false })
}

#[derive(Template)]
#[template(path = "affiliate/self_billing.html")]
struct Agreement {
    program: String,
    words: &'static [&'static str],
    version: i64,
    agreed_at: Option<Time>,
    has_profile: bool,
    may_change: bool,
    form: Form,
}

async fn agreement(app: &App, me: &Earner, form: Form) -> Result<Agreement, Failure> {
    let mut tx = app.db.read().await?;
    let agreed = tax::agreement(&mut tx, me.affiliate).await?;
    if agreed.is_none() && !tax::settings(&mut tx, me.program.id).await?.self_billing {
        return Err(Failure::no_route());
    }
    let version = agreed.map_or(self_billing::VERSION, |agreed| agreed.version);
    Ok(Agreement {
        program: me.program.name.clone(),
        words: self_billing::agreement(version),
        version,
        agreed_at: agreed.map(|agreed| Id::time(agreed.id)),
        has_profile: tax::profile(&mut tx, me.affiliate).await?.is_some(),
        may_change: !me.is_viewed,
        form,
    })
}

/// `GET /settings/self-billing`
pub async fn show_agreement(me: Earner, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::page(agreement(&app, &me, Form::default()).await?))
}

/// `POST /settings/self-billing`
pub async fn agree(me: Earner, account: SignedIn, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    let version = form.read("version", |text| text.parse().map_err(|_| Issue::new("must be a number")));
    if let Some(version) = version {
        let (act, id) = (act(&app, &me, &account), me.affiliate);
        let done =
            app.db.write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::agree(tx, &act, id, version).await }));
        match done.await {
            Ok(()) => {
                let told = format!("Agreed. {} writes your invoices from the next payment on.", me.program.name);
                return Ok(Reply::done("/payouts/invoices", Notice::done(told)));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(agreement(&app, &me, form).await?))
}

/// `POST /settings/self-billing/withdrawal`
pub async fn withdraw(me: Earner, account: SignedIn, State(app): State<App>) -> Result<Reply, Failure> {
    let (act, id) = (act(&app, &me, &account), me.affiliate);
    app.db.write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::withdraw(tx, &act, id).await })).await?;
    let told = "Ended. You write your own invoices for what is paid from now on.";
    Ok(Reply::done("/settings", Notice::done(told)))
}
