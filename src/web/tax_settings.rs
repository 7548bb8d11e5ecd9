//! What a program says of itself for the tax office, and what it asks its affiliates for: a page of its settings.

use askama::Template;
use axum::extract::State;

use super::{caller::Configures, failure::Failure, filters, form::Form, reply::Reply, shell::Notice};
use crate::{
    app::App,
    domain::{
        Issue,
        country::Country,
        money::Currency,
        program::Difference,
        self_billing,
        tax::{
            details,
            exchange::Rates,
            settings::{Asks, Business, Settings},
            threshold,
            vat::VatId,
            year,
        },
        text,
        time::Time,
    },
    flows::{Refusal, tax as flow},
    store::{invoices, tax},
};

#[derive(Template)]
#[template(path = "settings/tax.html")]
struct Page {
    slug: String,
    currency: Currency,
    countries: Vec<(&'static str, &'static str)>,
    /// What a year's payments must be reported from: the year, in whole dollars, and whether that is known for it.
    reported: (i16, i64, bool),
    /// The last number that was given out.
    last_number: i64,
    form: Form,
}

impl Page {
    async fn new(app: &App, me: &Configures, form: Form) -> Result<Self, Failure> {
        let this = year(app.clock.now());
        let threshold = threshold(this);
        Ok(Self {
            slug: me.program.slug.clone(),
            currency: me.program.currency,
            countries: countries(),
            reported: (this, threshold.cents / 100, threshold.is_published),
            last_number: invoices::last_number(&mut *app.db.read().await?, me.program.id).await?,
            form,
        })
    }

    /// What must be reported is a sum in dollars.
    fn asks(&self) -> Vec<(&'static str, String)> {
        let (year, dollars, _) = self.reported;
        let all = [Asks::Nobody, Asks::First, Asks::Reported, Asks::Amount];
        let offered = all.into_iter().filter(|asks| *asks != Asks::Reported || self.currency.code() == "USD");
        let words = |asks: Asks| match asks {
            Asks::Reported => format!("{} (USD {dollars} in {year})", asks.label()),
            other => other.label().to_owned(),
        };
        offered.map(|asks| (asks.as_str(), words(asks))).collect()
    }
}

/// To choose one from.
pub fn countries() -> Vec<(&'static str, &'static str)> {
    let mut all = vec![("", "Choose a country")];
    all.extend(Country::all());
    all
}

/// # Errors
/// When none was chosen.
pub fn country(code: &str) -> Result<Country, Issue> {
    Country::parse(code).map_err(|_| Issue::new("must be chosen"))
}

/// `GET /m/{program}/settings/tax`
pub async fn show(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let settings = tax::settings(&mut *app.db.read().await?, me.program.id).await?;
    let business = settings.business.as_ref();
    let of = |part: fn(&Business) -> String| business.map_or(String::new(), part);
    let (name, address) = (of(|business| business.name.clone()), of(|business| business.address.clone()));
    let country = of(|business| business.country.code());
    let vat_id = of(|business| business.vat_id.as_ref().map_or(String::new(), |id| id.as_str().to_owned()));
    let from = match settings.asks {
        Asks::Amount => me.program.currency.of(settings.from_minor).to_string(),
        _ => String::new(),
    };
    let form = Form::of(&[
        ("legal_name", &name),
        ("address", &address),
        ("country", &country),
        ("VAT_ID", &vat_id),
        ("forms", settings.asks.as_str()),
        ("sum", &from),
        ("self_billing", if settings.self_billing { "yes" } else { "" }),
        ("prefix", &settings.prefix),
        ("exchange", &settings.exchange.to_string()),
        ("exchange_on", &settings.exchange.on().map_or(String::new(), Time::date)),
    ]);
    Ok(Reply::page(Page::new(&app, &me, form).await?))
}

/// `POST /m/{program}/settings/tax`
pub async fn save(me: Configures, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    if let Some(settings) = read(&mut form, me.program.currency, app.clock.now()) {
        let act = me.act(&app);
        let done = app.db.write::<_, Refusal, _>(move |tx| {
            Box::pin(async move { flow::change_settings(tx, &act, &settings).await })
        });
        match done.await {
            Ok(changed) => {
                let to = format!("/m/{}/settings", me.program.slug);
                return Ok(Reply::done(to, Notice::done(Difference::told(&changed))));
            }
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(Page::new(&app, &me, form).await?))
}

fn read(form: &mut Form, currency: Currency, now: Time) -> Option<Settings> {
    let is_somebody = ["legal_name", "address", "country", "VAT_ID"].iter().any(|name| form.filled(name).is_some());
    let business = if is_somebody { business(form) } else { None };
    let asks = form.read("forms", Asks::parse);
    let from = match asks {
        Some(Asks::Amount) => form.read("sum", |text| currency.amount(text)),
        _ => Some(currency.of(0)),
    };
    let prefix = form.read("prefix", self_billing::prefix);
    let exchange = match form.filled("exchange") {
        Some(_) => match form.read("exchange_on", day_before(now)) {
            Some(on) => form.read("exchange", |text| Rates::parse(text, on, currency)),
            None => None,
        },
        None => Some(Rates::default()),
    };
    if !form.is_good() {
        return None;
    }
    let self_billing = form.is_checked("self_billing");
    let (asks, from_minor, prefix, exchange) = (asks?, from?.minor, prefix?, exchange?);
    Some(Settings { business, asks, from_minor, self_billing, prefix, exchange })
}

fn business(form: &mut Form) -> Option<Business> {
    let name = form.read("legal_name", |name| text::name(name).map(|()| name.to_owned()));
    let address = form.read("address", details::address);
    let country = form.read("country", country);
    let vat_id = match country {
        Some(country) => form.read_filled("VAT_ID", |id| VatId::parse(id, country)),
        None => None,
    };
    Some(Business { name: name?, address: address?, country: country?, vat_id })
}

/// A day that has been, as a form has it.
///
/// # Errors
/// No day, or one that is still to come.
pub fn day_before(now: Time) -> impl FnOnce(&str) -> Result<Time, Issue> {
    move |text| {
        let day = Time::parse_date(text)?;
        if day > now { Err(Issue::new("must not be in the future")) } else { Ok(day) }
    }
}
