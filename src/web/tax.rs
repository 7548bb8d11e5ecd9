//! What pages of both sides show of tax: a profile with its numbers masked, where its form stands, and what is in the
//! way of a payment.

use crate::{
    app::App,
    domain::{
        id::{AffiliateId, ProgramId},
        payment,
        tax::{
            self, Form, Signed, Standing,
            details::Whole,
            settings::{Asks, Settings},
            year,
        },
        time::Time,
    },
    flows::tax as flow,
    store::{Error, Tx, tax as stored},
    web::tax_settings::countries,
};

/// A profile as it is shown.
pub struct Summary {
    pub name: String,
    pub kind: &'static str,
    pub country: &'static str,
    pub tax_id: Option<String>,
    pub vat_id: Option<String>,
    pub vat_rate: Option<String>,
    pub form: Option<Signed>,
}

impl Summary {
    pub fn of(whole: &Whole) -> Self {
        let masked = |id: &Option<String>| id.as_deref().map(payment::masked);
        Self {
            name: whole.details.name.clone(),
            kind: if whole.profile.is_company { "Company" } else { "Person" },
            country: whole.profile.country.name(),
            tax_id: masked(&whole.details.tax_id),
            vat_id: masked(&whole.details.vat_id),
            vat_rate: whole.vat_rate.map(|rate| rate.to_string()),
            form: whole.profile.form,
        }
    }

    /// The last day on which the form holds.
    pub fn holds_until(&self) -> Option<Time> {
        let lapses = self.form.and_then(|signed| signed.form.lapses_on(signed.on))?;
        Some(lapses.plus_days(-1))
    }
}

/// Where one affiliate stands.
pub struct Card {
    pub summary: Option<Summary>,
    /// `None` where the program asks for no form.
    pub standing: Option<Standing>,
    pub is_offered: bool,
    pub agreed_at: Option<Time>,
    /// Whether the reader may say that the form is here.
    pub may_check: bool,
}

impl Card {
    pub async fn of(tx: &mut Tx, app: &App, program: ProgramId, affiliate: AffiliateId) -> Result<Self, Error> {
        let settings = stored::settings(tx, program).await?;
        let whole = flow::whole(tx, &app.secret, affiliate).await?;
        Ok(Self {
            standing: standing(&settings, whole.as_ref(), app.clock.now()),
            summary: whole.as_ref().map(Summary::of),
            is_offered: settings.self_billing,
            agreed_at: stored::agreement(tx, affiliate).await?.map(|agreed| agreed.id.time()),
            may_check: false,
        })
    }

    pub fn tone(&self) -> &'static str {
        self.standing.map_or("", tone)
    }

    pub fn countries() -> Vec<(&'static str, &'static str)> {
        countries()
    }

    pub fn forms() -> [(&'static str, &'static str); 3] {
        FORMS
    }

    /// The form that it must be.
    pub fn needed(&self) -> &'static str {
        match self.standing {
            Some(
                Standing::OnFile(form) | Standing::Unchecked(form) | Standing::Missing(form) | Standing::Lapsed(form),
            ) => form.as_str(),
            Some(Standing::NotNeeded | Standing::Unknown) | None => "",
        }
    }
}

pub const FORMS: [(&str, &str); 3] =
    [(Form::W9.as_str(), "W-9"), (Form::W8ben.as_str(), "W-8BEN"), (Form::W8benE.as_str(), "W-8BEN-E")];

/// Where the form of somebody with that profile stands, in a program that asks for one.
pub fn standing(settings: &Settings, whole: Option<&Whole>, now: Time) -> Option<Standing> {
    let asked = settings.asked(year(now)).filter(|_| settings.asks != Asks::Nobody)?;
    Some(tax::standing(asked.payer, whole.map(|whole| &whole.profile), now))
}

/// A class of badges.
pub const fn tone(standing: Standing) -> &'static str {
    match standing {
        Standing::NotNeeded => "",
        Standing::OnFile(_) => "ok",
        Standing::Unchecked(_) => "info",
        Standing::Missing(_) | Standing::Lapsed(_) | Standing::Unknown => "warn",
    }
}

/// What an affiliate is told when a form keeps money from them.
pub struct Note {
    pub text: String,
    /// What leads on.
    pub action: &'static str,
}

impl Note {
    /// `payable` in minor units: what the next payment would be.
    pub async fn of(
        tx: &mut Tx,
        (program, name): (ProgramId, &str),
        affiliate: AffiliateId,
        payable: i64,
        now: Time,
    ) -> Result<Option<Self>, Error> {
        if payable <= 0 {
            return Ok(None);
        }
        let standing = flow::in_the_way(tx, program, affiliate, payable, now).await?;
        Ok(standing.map(|standing| {
            let (text, action) = match standing {
                Standing::Unchecked(form) => (
                    format!("{name} pays you once it has your signed {} and has looked at it.", form.label()),
                    "See your tax details",
                ),
                Standing::Lapsed(form) => {
                    (format!("{name} cannot pay you yet: your {} has expired.", form.label()), "Sign it again")
                }
                Standing::Missing(form) => (
                    format!("{name} cannot pay you yet: your tax form {} is missing.", form.label()),
                    "Add your tax form",
                ),
                Standing::Unknown => {
                    (format!("{name} cannot pay you yet: your tax details are missing."), "Add your tax details")
                }
                Standing::NotNeeded | Standing::OnFile(_) => (String::new(), ""),
            };
            Self { text, action }
        }))
    }
}
