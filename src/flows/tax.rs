//! Tax profiles, the forms that a program asks for, and the agreement that lets it write an affiliate's invoices. What
//! a profile says of a person is sealed, as their payment details are, and the audit log says only that it is there.

use std::collections::HashMap;

use super::{Act, Change, Refusal};
use crate::{
    domain::{
        country::Country,
        id::{AffiliateId, Id, ProgramId},
        money::Rate,
        program::Difference,
        self_billing,
        tax::{
            Asked, Form, Profile, Signed, Standing,
            details::{Details, Whole},
            form_of,
            settings::{self, Settings},
            start_of_year, year,
        },
        time::Time,
    },
    secret::SecretKey,
    store::{
        Error, Tx, affiliates,
        tax::{self, Agreement, Facts, ProfileRow},
    },
};

fn purpose(affiliate: AffiliateId) -> String {
    format!("tax profile {affiliate}")
}

/// What a profile says of a person.
///
/// # Errors
/// What was sealed with another secret, or for somebody else.
pub fn open(secret: &SecretKey, affiliate: AffiliateId, sealed: &str) -> Result<Details, Error> {
    let opened = secret.open(&purpose(affiliate), sealed).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    opened.ok_or_else(|| Error::Corrupt(format!("tax profile of {affiliate}: sealed with another secret key")))
}

fn seal(secret: &SecretKey, affiliate: AffiliateId, details: &Details) -> Result<String, Error> {
    let text = serde_json::to_vec(details).ok();
    let sealed = text.and_then(|text| secret.seal(&purpose(affiliate), &text));
    sealed.ok_or_else(|| Error::Corrupt("a tax profile to seal".into()))
}

/// The affiliate's profile, if they have filled it in.
///
/// # Errors
/// The database's.
pub async fn whole(tx: &mut Tx, secret: &SecretKey, affiliate: AffiliateId) -> Result<Option<Whole>, Error> {
    let Some(row) = tax::profile(tx, affiliate).await? else { return Ok(None) };
    let details = open(secret, affiliate, &row.sealed)?;
    Ok(Some(Whole { profile: row.profile()?, details, vat_rate: row.vat_bps.map(Rate::from_basis_points) }))
}

/// Stores what the program says of itself and asks for; what differs.
///
/// # Errors
/// The first setting that cannot be.
pub async fn change_settings(tx: &mut Tx, act: &Act, after: &Settings) -> Result<Vec<Difference>, Refusal> {
    let (program, currency) = (act.program.id, act.program.currency);
    if let Some((field, issue)) = after.problems(currency).into_iter().next() {
        return Err(Refusal::Field { field, issue });
    }
    let before = tax::settings(tx, program).await?;
    let differences = settings::differences(&before, after, currency);
    if differences.is_empty() {
        return Ok(differences);
    }
    tax::save_settings(tx, program, after, act.now).await?;
    let (before, after) = Difference::in_words(&differences);
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    act.audit(tx, "program.changed", program, change).await?;
    Ok(differences)
}

/// What the audit log keeps of a profile.
fn audited(whole: Option<&Whole>) -> Option<String> {
    let whole = whole?;
    let form = whole.profile.form.map(|signed| {
        let checked = if signed.is_checked { ", checked" } else { "" };
        format!("{} of {}{checked}", signed.form.label(), signed.on.date())
    });
    let fields = serde_json::json!({
        "kind": if whole.profile.is_company { "company" } else { "person" },
        "country": whole.profile.country.code(),
        "hasTaxId": whole.details.tax_id.is_some(),
        "hasVatId": whole.details.vat_id.is_some(),
        "vatRate": whole.vat_rate.map(|rate| rate.to_string()),
        "form": form,
    });
    Some(fields.to_string())
}

async fn store(
    tx: &mut Tx,
    act: &Act,
    id: AffiliateId,
    (before, after): (Option<&Whole>, &Whole),
    action: &str,
) -> Result<(), Error> {
    if before == Some(after) {
        return Ok(());
    }
    let Profile { country, is_company, form } = after.profile;
    let row = ProfileRow {
        is_company,
        country: country.code(),
        sealed: seal(&act.secret, id, &after.details)?,
        vat_bps: after.vat_rate.map(Rate::basis_points),
        form: form.map(|signed| signed.form),
        signed_at: form.map(|signed| signed.on),
        checked_at: form.filter(|signed| signed.is_checked).map(|_| act.now),
    };
    tax::save_profile(tx, id, &row, act.now).await?;
    let (before, after) = (audited(before), audited(Some(after)));
    let change = Change { before: before.as_deref(), after: after.as_deref(), reason: None };
    act.audit(tx, action, id, change).await
}

/// Stores a profile. Whoever checked a form did so for the person whom it named then: for another it counts no longer.
///
/// # Errors
/// When there is no such affiliate.
pub async fn change_profile(tx: &mut Tx, act: &Act, id: AffiliateId, mut after: Whole) -> Result<(), Refusal> {
    affiliates::lock(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
    let before = whole(tx, &act.secret, id).await?;
    let checked = before.as_ref().filter(|before| before.is_who_signed(&after));
    let checked = checked.and_then(|before| before.profile.form).filter(|signed| signed.is_checked);
    after.profile.form = after.profile.form.map(|told| {
        let is_checked = checked.is_some_and(|checked| (checked.form, checked.on) == (told.form, told.on));
        Signed { is_checked, ..told }
    });
    Ok(store(tx, act, id, (before.as_ref(), &after), "affiliate.tax_changed").await?)
}

/// Writes down that the program has the form and has looked at it, or (`None`) that it has none. Of somebody who has
/// not filled in a profile, it says where they are.
///
/// # Errors
/// When there is no such affiliate, or it is not the form of somebody there.
pub async fn check_form(
    tx: &mut Tx,
    act: &Act,
    id: AffiliateId,
    form: Option<(Form, Time)>,
    country: Option<Country>,
) -> Result<(), Refusal> {
    let affiliate = affiliates::lock(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
    let before = whole(tx, &act.secret, id).await?;
    let mut after = match (&before, country) {
        (Some(known), _) => known.clone(),
        (None, Some(country)) => Whole {
            profile: Profile { country, is_company: matches!(form, Some((Form::W8benE, _))), form: None },
            details: Details { name: affiliate.name, address: String::new(), tax_id: None, vat_id: None },
            vat_rate: None,
        },
        (None, None) => {
            return Err(Refusal::field("country", "must be given: their tax details are not filled in yet"));
        }
    };
    if let Some((form, on)) = form {
        let needed = form_of(after.profile.country, after.profile.is_company);
        if form != needed {
            return Err(Refusal::field("form", needed_words(needed)));
        }
        if on > act.now {
            return Err(Refusal::field("signed_on", "must not be in the future"));
        }
    }
    after.profile.form = form.map(|(form, on)| Signed { form, on, is_checked: true });
    Ok(store(tx, act, id, (before.as_ref(), &after), "affiliate.tax_form_checked").await?)
}

/// Which form it must be, to follow the field's name.
pub const fn needed_words(needed: Form) -> &'static str {
    match needed {
        Form::W9 => "must be W-9: somebody in the United States signs that one",
        Form::W8ben => "must be W-8BEN: a person outside the United States signs that one",
        Form::W8benE => "must be W-8BEN-E: a company outside the United States signs that one",
    }
}

/// The affiliate agrees to having their invoices written, by these words.
///
/// # Errors
/// When the program does not offer it, the words are not the newest, or it is not known whose invoices they would be.
pub async fn agree(tx: &mut Tx, act: &Act, id: AffiliateId, version: i64) -> Result<(), Refusal> {
    affiliates::lock(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
    if !tax::settings(tx, act.program.id).await?.self_billing {
        return Err(Refusal::NotFound("agreement"));
    }
    if version != self_billing::VERSION {
        return Err(Refusal::field("agree", "is to other words than before: read them again"));
    }
    let known = whole(tx, &act.secret, id).await?;
    if !known.is_some_and(|known| !known.details.name.is_empty() && !known.details.address.is_empty()) {
        return Err(Refusal::field("agree", "needs your legal name and address first: an invoice must have them"));
    }
    if tax::agreement(tx, id).await?.is_some() {
        return Ok(());
    }
    tax::agree(tx, id, Agreement { id: act.id(), version }).await?;
    let after = format!("version {version} of the words");
    Ok(act.audit(tx, "affiliate.self_billing_agreed", id, Change { after: Some(&after), ..Change::default() }).await?)
}

/// Ends the agreement for what is paid from now on.
///
/// # Errors
/// When there is no such affiliate.
pub async fn withdraw(tx: &mut Tx, act: &Act, id: AffiliateId) -> Result<(), Refusal> {
    affiliates::lock(tx, act.program.id, id).await?.ok_or(Refusal::NotFound("affiliate"))?;
    if tax::withdraw(tx, id, act.now).await? {
        act.audit(tx, "affiliate.self_billing_withdrawn", id, Change::default()).await?;
    }
    Ok(())
}

/// Which forms are in the way of payments to some affiliates.
#[derive(Default)]
pub struct Forms {
    asked: Option<Asked>,
    facts: HashMap<AffiliateId, Facts>,
}

impl Forms {
    /// What keeps that much from being paid to the affiliate, in minor units.
    pub fn in_the_way(&self, affiliate: AffiliateId, net: i64, now: Time) -> Option<Standing> {
        let facts = self.facts.get(&affiliate);
        let paid = facts.map_or(0, |facts| facts.paid);
        self.asked?.in_the_way(facts.and_then(|facts| facts.profile.as_ref()), paid, net, now)
    }
}

/// Of the program's affiliates above one id and up to another.
///
/// # Errors
/// The database's.
pub async fn forms(
    tx: &mut Tx,
    program: ProgramId,
    now: Time,
    range: (AffiliateId, AffiliateId),
) -> Result<Forms, Error> {
    let asked = tax::settings(tx, program).await?.asked(year(now));
    if asked.is_none() {
        return Ok(Forms::default());
    }
    let facts = tax::facts(tx, program, range, start_of_year(now)).await?;
    Ok(Forms { asked, facts: facts.into_iter().map(|facts| (facts.affiliate, facts)).collect() })
}

/// What keeps that much from being paid to one affiliate.
///
/// # Errors
/// The database's.
pub async fn in_the_way(
    tx: &mut Tx,
    program: ProgramId,
    affiliate: AffiliateId,
    net: i64,
    now: Time,
) -> Result<Option<Standing>, Error> {
    let forms = forms(tx, program, now, (Id::new(affiliate.raw() - 1), affiliate)).await?;
    Ok(forms.in_the_way(affiliate, net, now))
}
