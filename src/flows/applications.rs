//! Applications: asked for, sent in, confirmed at the applicant's own address. What is decided about them is a
//! move of the affiliate (see `affiliates`).

use super::{
    Act, Change, Refusal,
    affiliates::{self, NewAffiliate},
    joining::{self, In, Who},
    mails::{self, NewMail},
    one_time_links::{self, NewLink},
};
use crate::{
    domain::{
        affiliate::Status,
        application::{Answer, Settings},
        email::{self, Email},
        message::Kind,
        one_time_link::Purpose,
    },
    store::{
        self, Tx,
        applications::{self, Application},
        one_time_links::LinkId,
    },
};

/// Who applies again and again with one address is sent this many links an hour, and no more.
const LINKS_AN_HOUR: i64 = 3;

/// Stores the settings. Terms that differ are a new version.
///
/// # Errors
/// The database's.
pub async fn change_settings(tx: &mut Tx, act: &Act, after: &Settings) -> Result<(), Refusal> {
    let (program, before) = (act.program.id, applications::settings(tx, act.program.id).await?);
    let mut after = after.clone();
    after.terms_version = before.terms_version;
    if after.terms != before.terms {
        after.terms_version = applications::add_terms(tx, program, &after.terms, act.now).await?;
    }
    if after == before {
        return Ok(());
    }
    applications::change(tx, program, &after, act.now).await?;
    let (before, after) = (before.in_words(), after.in_words());
    let change = Change { before: Some(&before), after: Some(&after), reason: None };
    Ok(act.audit(tx, "program.applications_changed", program, change).await?)
}

#[derive(Debug)]
pub struct NewApplication {
    pub email: Email,
    pub name: String,
    pub website: Option<String>,
    pub answers: Vec<Answer>,
    pub terms_version: i64,
    /// The keyed hash of where it came from.
    pub ip_hash: Option<i64>,
}

/// Takes an application in and sends the link that confirms it, which is returned where one was sent. Whoever is in the program already is sent what
/// became of it instead; on the page that is all the same.
///
/// # Errors
/// The database's.
pub async fn apply(tx: &mut Tx, act: &Act, new: &NewApplication) -> Result<Option<LinkId>, Refusal> {
    let program = act.program.id;
    let mail =
        |kind, cause| NewMail { kind, cause, to: &new.email, program: Some(program), account: None, affiliate: None };
    let known = store::affiliates::by_email(tx, program, &new.email).await?;
    if let Some(known) = known
        && known.account_id.is_some()
    {
        let kind = match known.status {
            Status::Pending => Kind::ApplicationReceived,
            Status::Active => Kind::ApplicationApproved,
            Status::Blocked => return Ok(None),
        };
        // The affiliate as the cause: they are told once, however often somebody types their address.
        let told = NewMail { account: known.account_id, affiliate: Some(known.id), ..mail(kind, known.id.raw()) };
        mails::enqueue(tx, &act.ids, act.now, told).await?;
        return Ok(None);
    }
    let an_hour_ago = act.now.plus_seconds(-3_600);
    if applications::count_since(tx, program, &new.email, an_hour_ago).await? >= LINKS_AN_HOUR {
        return Ok(None);
    }
    let link = NewLink { program: Some(program), ..NewLink::to(Purpose::ConfirmApplication, &new.email) };
    let link = one_time_links::create(tx, &act.ids, &act.secret, act.now, link).await?;
    let row = applications::NewRow {
        id: act.id(),
        program,
        link,
        email: &new.email,
        name: &new.name,
        website: new.website.as_deref(),
        answers: &new.answers,
        terms_version: new.terms_version,
        ip_hash: new.ip_hash,
        is_disposable: email::disposable(new.email.as_str()).is_some(),
    };
    applications::create(tx, row).await?;
    mails::enqueue(tx, &act.ids, act.now, mail(Kind::ConfirmApplication, link.raw())).await?;
    Ok(Some(link))
}

/// Makes the applicant an affiliate: active, or pending until somebody decides.
///
/// # Errors
/// When the link was used already, or the address has an account and this is not it.
pub async fn confirm(tx: &mut Tx, act: Act, token_hash: &str, who: Who) -> Result<In, Refusal> {
    let (link, email) = joining::use_link(tx, Purpose::ConfirmApplication, token_hash, act.now).await?;
    let application = applications::by_link(tx, link.id).await?.ok_or(Refusal::NotFound("application"))?;
    let (account, act) = joining::account(tx, act, &email, &application.name, who).await?;
    let settings = applications::settings(tx, act.program.id).await?;
    let status = if settings.needs_review { Status::Pending } else { Status::Active };

    let known = store::affiliates::by_email(tx, act.program.id, &email).await?;
    let (affiliate, status) = match known {
        // One that the API made, or that another link of theirs has confirmed.
        Some(known) => (known.id, known.status),
        None => (join(tx, &act, &application, email.clone(), status).await?, status),
    };
    if known.is_none_or(|known| known.account_id.is_none()) {
        store::affiliates::give_to(tx, affiliate, account).await?;
    }
    if known.is_some() {
        applications::confirm(tx, application.id, affiliate, act.now).await?;
        return Ok(In { account, affiliate, is_active: status == Status::Active });
    }
    let kind = if status == Status::Active { Kind::ApplicationApproved } else { Kind::ApplicationReceived };
    let told = NewMail {
        kind,
        cause: application.id.raw(),
        to: &email,
        program: Some(act.program.id),
        account: Some(account),
        affiliate: Some(affiliate),
    };
    mails::enqueue(tx, &act.ids, act.now, told).await?;
    Ok(In { account, affiliate, is_active: status == Status::Active })
}

async fn join(
    tx: &mut Tx,
    act: &Act,
    application: &Application,
    email: Email,
    status: Status,
) -> Result<crate::domain::id::AffiliateId, Refusal> {
    let new = NewAffiliate { email, name: application.name.clone(), code: None, custom_fields: "{}".into() };
    let joined = affiliates::join(tx, act, &new, status, Some(act.now)).await?;
    applications::confirm(tx, application.id, joined.id, act.now).await?;
    Ok(joined.id)
}
