//! How programs take applications, the terms they set, and what people said when they applied.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    application::Settings,
    email::Email,
    id::{AffiliateId, Id, ProgramId},
    time::Time,
};

/// An application has no public id: it is its affiliate's.
#[derive(Debug)]
pub enum ApplicationRow {}

pub type ApplicationId = Id<ApplicationRow>;

row! {
    pub struct SettingsRow {
        pub is_open: bool,
        pub needs_review: bool,
        pub description: String,
        pub contact: Option<String>,
        pub questions: String,
    }
}

row! {
    pub struct Terms {
        pub version: i64,
        pub text: String,
        pub created_at: Time,
    }
}

/// The program's settings, or those of one that never set any.
pub async fn settings(tx: &mut Tx, program: ProgramId) -> Result<Settings, Error> {
    let row = fetch_optional!(
        SettingsRow,
        tx,
        "SELECT is_open, needs_review, description, contact, questions FROM application_settings WHERE program_id = $1",
        program
    )?;
    let terms = terms(tx, program, None).await?;
    let (terms, terms_version) = terms.map_or((String::new(), 0), |terms| (terms.text, terms.version));
    let Some(row) = row else { return Ok(Settings { terms, terms_version, ..Settings::default() }) };
    Ok(Settings {
        is_open: row.is_open,
        needs_review: row.needs_review,
        description: row.description,
        contact: row.contact.as_deref().and_then(|contact| Email::parse(contact).ok()),
        questions: read(&row.questions)?,
        terms,
        terms_version,
    })
}

/// A column's JSON.
fn read<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| Error::Corrupt(format!("applications: {error}")))
}

fn written(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".into())
}

/// Terms of one version, or the newest.
pub async fn terms(tx: &mut Tx, program: ProgramId, version: Option<i64>) -> Result<Option<Terms>, Error> {
    fetch_optional!(
        Terms,
        tx,
        "SELECT version, text, created_at FROM terms WHERE program_id = $1 AND version <= $2 ORDER BY version DESC LIMIT 1",
        program,
        version.unwrap_or(i64::MAX)
    )
}

/// Stores all but the terms.
pub async fn change(tx: &mut Tx, program: ProgramId, settings: &Settings, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO application_settings (program_id, is_open, needs_review, description, contact, questions, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (program_id) DO UPDATE SET is_open = excluded.is_open, needs_review = excluded.needs_review,
           description = excluded.description, contact = excluded.contact, questions = excluded.questions,
           updated_at = excluded.updated_at",
        program,
        settings.is_open,
        settings.needs_review,
        &settings.description,
        settings.contact.as_ref().map(Email::as_str),
        written(&settings.questions),
        now
    )
    .map(drop)
}

/// Puts other terms in force, under the next number.
///
/// # Errors
/// A unique violation where somebody else does at the same moment.
pub async fn add_terms(tx: &mut Tx, program: ProgramId, text: &str, now: Time) -> Result<i64, Error> {
    let (version,) = fetch_one!(
        (i64,),
        tx,
        "INSERT INTO terms (program_id, version, text, created_at)
         SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3 FROM terms WHERE program_id = $1 RETURNING version",
        program,
        text,
        now
    )?;
    Ok(version)
}

// Applications -----------------------------------------------------------------------------------------

row! {
    #[derive(Debug, Clone)]
    pub struct Application {
        pub id: ApplicationId,
        pub email: String,
        pub name: String,
        pub website: Option<String>,
        pub answers: String,
        pub terms_version: i64,
        pub ip_hash: Option<i64>,
        pub is_disposable: bool,
        pub created_at: Time,
        pub affiliate_id: Option<AffiliateId>,
    }
}

impl Application {
    /// # Errors
    /// When the row holds something else.
    pub fn answers(&self) -> Result<Vec<crate::domain::application::Answer>, Error> {
        read(&self.answers)
    }
}

#[derive(Debug)]
pub struct NewRow<'a> {
    pub id: ApplicationId,
    pub program: ProgramId,
    pub link: super::one_time_links::LinkId,
    pub email: &'a Email,
    pub name: &'a str,
    pub website: Option<&'a str>,
    pub answers: &'a [crate::domain::application::Answer],
    pub terms_version: i64,
    pub ip_hash: Option<i64>,
    pub is_disposable: bool,
}

pub async fn create(tx: &mut Tx, new: NewRow<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO applications (id, program_id, link_id, email, email_key, name, website, answers, terms_version, ip_hash, is_disposable, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        new.id,
        new.program,
        new.link,
        new.email.as_str(),
        new.email.key(),
        new.name,
        new.website,
        written(&new.answers),
        new.terms_version,
        new.ip_hash,
        new.is_disposable,
        new.id.time()
    )
    .map(drop)
}

macro_rules! application {
    ($rest:literal) => {
        concat!(
            "SELECT id, email, name, website, answers, terms_version, ip_hash, is_disposable, created_at, affiliate_id
             FROM applications ",
            $rest
        )
    };
}

pub async fn by_link(tx: &mut Tx, link: super::one_time_links::LinkId) -> Result<Option<Application>, Error> {
    fetch_optional!(Application, tx, application!("WHERE link_id = $1"), link)
}

pub async fn of_affiliate(tx: &mut Tx, affiliate: AffiliateId) -> Result<Option<Application>, Error> {
    fetch_optional!(Application, tx, application!("WHERE affiliate_id = $1"), affiliate)
}

/// The application has become the affiliate's; `false` where they have one already.
pub async fn confirm(tx: &mut Tx, id: ApplicationId, affiliate: AffiliateId, now: Time) -> Result<bool, Error> {
    let confirmed = execute!(
        tx,
        "UPDATE applications SET affiliate_id = $2, confirmed_at = $3
         WHERE id = $1 AND affiliate_id IS NULL AND NOT EXISTS (SELECT id FROM applications WHERE affiliate_id = $2)",
        id,
        affiliate,
        now
    )?;
    Ok(confirmed == 1)
}

/// How many times somebody has applied with that address since.
pub async fn count_since(tx: &mut Tx, program: ProgramId, email: &Email, since: Time) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM applications WHERE program_id = $1 AND email_key = $2 AND created_at > $3",
        program,
        email.key(),
        since
    )?;
    Ok(count)
}

/// Deletes what was not confirmed by then.
pub async fn forget_unconfirmed(tx: &mut Tx, before: Time) -> Result<u64, Error> {
    execute!(tx, "DELETE FROM applications WHERE affiliate_id IS NULL AND created_at <= $1", before)
}

// The queue --------------------------------------------------------------------------------------------

row! {
    #[derive(Debug, Clone)]
    pub struct Waiting {
        pub id: AffiliateId,
        pub name: String,
        pub email: String,
        pub website: Option<String>,
        pub is_disposable: bool,
        pub applied_at: Time,
    }
}

/// Those that wait for an answer, the oldest first.
pub async fn waiting(tx: &mut Tx, program: ProgramId, limit: i64) -> Result<Vec<Waiting>, Error> {
    fetch_all!(
        Waiting,
        tx,
        "SELECT a.id, a.name, a.email, p.website, p.is_disposable, a.applied_at
         FROM affiliates a JOIN applications p ON p.affiliate_id = a.id
         WHERE a.program_id = $1 AND a.status = 'pending' AND a.applied_at IS NOT NULL
         ORDER BY a.applied_at, a.id LIMIT $2",
        program,
        limit
    )
}

/// How many wait; at most `most` are counted.
pub async fn count_waiting(tx: &mut Tx, program: ProgramId, most: i64) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM (SELECT id FROM affiliates
         WHERE program_id = $1 AND status = 'pending' AND applied_at IS NOT NULL LIMIT $2) w",
        program,
        most
    )?;
    Ok(count)
}

row! {
    #[derive(Debug, Clone)]
    pub struct Namesake {
        pub id: AffiliateId,
        pub name: String,
    }
}

/// Others who applied from the same network address.
pub async fn from_same_address(
    tx: &mut Tx,
    program: ProgramId,
    ip_hash: i64,
    except: AffiliateId,
) -> Result<Vec<Namesake>, Error> {
    fetch_all!(
        Namesake,
        tx,
        "SELECT a.id, a.name FROM applications p JOIN affiliates a ON a.id = p.affiliate_id
         WHERE p.program_id = $1 AND p.ip_hash = $2 AND p.affiliate_id IS NOT NULL AND a.id <> $3 ORDER BY a.id LIMIT 3",
        program,
        ip_hash,
        except
    )
}

/// Other affiliates of the same name.
pub async fn of_same_name(
    tx: &mut Tx,
    program: ProgramId,
    name: &str,
    except: AffiliateId,
) -> Result<Vec<Namesake>, Error> {
    fetch_all!(
        Namesake,
        tx,
        "SELECT id, name FROM affiliates WHERE program_id = $1 AND name = $2 AND id <> $3 ORDER BY id LIMIT 3",
        program,
        name,
        except
    )
}

/// Whom a program's affiliates write to: the address it names, or its first owner's.
pub async fn contact(tx: &mut Tx, program: ProgramId) -> Result<Option<String>, Error> {
    let named = fetch_optional!(
        (Option<String>,),
        tx,
        "SELECT contact FROM application_settings WHERE program_id = $1",
        program
    )?;
    if let Some((Some(contact),)) = named {
        return Ok(Some(contact));
    }
    let owner = fetch_optional!(
        (String,),
        tx,
        "SELECT a.email FROM memberships m JOIN accounts a ON a.id = m.account_id
         WHERE m.program_id = $1 AND m.role = 'owner' ORDER BY m.created_at, a.id LIMIT 1",
        program
    )?;
    Ok(owner.map(|(email,)| email))
}
