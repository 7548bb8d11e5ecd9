//! Affiliates, read together with their totals.

use super::{Error, Tx, With, execute, fetch_all, fetch_one, fetch_optional, row, totals};
use crate::domain::{
    affiliate::{PaymentMethod, Status},
    email::Email,
    id::{AccountId, AffiliateId, ProgramId},
    message::Kind,
    money::Currency,
    standing::{BlockedAs, Facts},
    time::Time,
};

row! {
    /// What a list shows. Amounts in minor units of the program's currency.
    pub struct Summary {
        pub id: AffiliateId,
        pub email: String,
        pub name: String,
        pub status: Status,
        pub created_at: Time,
        pub clicks: i64,
        pub conversions: i64,
        pub unpaid_minor: i64,
        pub paid_minor: i64,
    }
}

row! {
    pub struct Details {
        pub referral_code: String,
        pub payment_method: Option<PaymentMethod>,
        /// Sealed.
        pub sealed_details: Option<String>,
        pub custom_fields: String,
        /// The least that is paid out to them, in minor units, where it is their own.
        pub minimum_minor: Option<i64>,
    }
}

#[derive(Debug)]
pub struct NewAffiliate<'a> {
    pub id: AffiliateId,
    pub program: ProgramId,
    pub email: &'a Email,
    pub name: &'a str,
    pub status: Status,
    pub custom_fields: &'a str,
    pub applied_at: Option<Time>,
}

/// Makes the affiliate; `false` where the program has one with that address.
pub async fn create(tx: &mut Tx, new: NewAffiliate<'_>) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO affiliates (id, program_id, email, email_key, name, status, custom_fields, created_at, updated_at, applied_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) ON CONFLICT (program_id, email_key) DO NOTHING",
        new.id,
        new.program,
        new.email.as_str(),
        new.email.key(),
        new.name,
        new.status,
        new.custom_fields,
        new.id.time(),
        new.applied_at
    )?;
    Ok(made == 1)
}

macro_rules! summary {
    ($more:literal, $rest:literal) => {
        concat!(
            "SELECT a.id, a.email, a.name, a.status, a.created_at, t.clicks, t.conversions,
                    t.pending_minor + t.approved_minor AS unpaid_minor, t.paid_minor ",
            $more,
            " FROM affiliates a LEFT JOIN affiliate_totals t ON t.affiliate_id = a.id ",
            $rest
        )
    };
}

/// A page of a program's affiliates, newest first, and how many there are. The number comes with the page,
/// because on PostgreSQL the way there and back takes longer than either. Every affiliate has totals: the join is
/// an outer one so that it begins with the affiliates, or PostgreSQL might walk through everybody's totals to find
/// those of the program. (To cut the page first, in a subquery, takes SQLite half as long again.)
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    status: Option<Status>,
    limit: i64,
    offset: i64,
) -> Result<(Vec<Summary>, i64), Error> {
    let rows: Vec<With<Summary>> = match status {
        None => fetch_all!(
            With<Summary>,
            tx,
            summary!(
                ", (SELECT active + pending + blocked FROM program_totals WHERE program_id = $1)",
                "WHERE a.program_id = $1 ORDER BY a.id DESC LIMIT $2 OFFSET $3"
            ),
            program,
            limit,
            offset
        ),
        Some(status) => fetch_all!(
            With<Summary>,
            tx,
            summary!(
                ", (SELECT CASE $4 WHEN 'active' THEN active WHEN 'pending' THEN pending ELSE blocked END
                    FROM program_totals WHERE program_id = $1)",
                "WHERE a.program_id = $1 AND a.status = $4 ORDER BY a.id DESC LIMIT $2 OFFSET $3"
            ),
            program,
            limit,
            offset,
            status
        ),
    }?;
    let total = match rows.first() {
        Some(With(_, total)) => *total,
        // Behind the last page there is no row to bring it.
        None => totals::affiliates(tx, program, status).await?,
    };
    Ok((rows.into_iter().map(|With(summary, _)| summary).collect(), total))
}

pub async fn summary(tx: &mut Tx, program: ProgramId, id: AffiliateId) -> Result<Option<Summary>, Error> {
    fetch_optional!(Summary, tx, summary!("", "WHERE a.id = $1 AND +a.program_id = $2"), id, program)
}

pub async fn details(tx: &mut Tx, program: ProgramId, id: AffiliateId) -> Result<Option<Details>, Error> {
    fetch_optional!(
        Details,
        tx,
        "SELECT c.code AS referral_code, a.payment_method, a.payment_details AS sealed_details, a.custom_fields, a.minimum_minor
         FROM affiliates a JOIN codes c ON c.affiliate_id = a.id AND c.is_current
         WHERE a.id = $1 AND +a.program_id = $2",
        id,
        program
    )
}

row! {
    /// What an edit may change.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Editable {
        pub name: String,
        pub email: String,
        pub email_key: String,
        pub status: Status,
        pub payment_method: Option<PaymentMethod>,
        /// Sealed.
        pub sealed_details: Option<String>,
        pub custom_fields: String,
        pub blocked_as: Option<BlockedAs>,
        pub status_reason: Option<String>,
        /// The least that is paid out to them, in minor units; their group's or the program's where there is none.
        pub minimum_minor: Option<i64>,
    }
}

/// Reads what an edit may change and keeps others from changing it until the transaction ends: on
/// PostgreSQL by writing the row, on SQLite there is only one writer anyway.
pub async fn lock(tx: &mut Tx, program: ProgramId, id: AffiliateId) -> Result<Option<Editable>, Error> {
    fetch_optional!(
        Editable,
        tx,
        "UPDATE affiliates SET updated_at = updated_at WHERE id = $1 AND +program_id = $2
         RETURNING name, email, email_key, status, payment_method, payment_details AS sealed_details, custom_fields, blocked_as, status_reason, minimum_minor",
        id,
        program
    )
}

/// # Errors
/// A unique violation where another affiliate took the address at the same moment.
pub async fn update(tx: &mut Tx, id: AffiliateId, edit: &Editable, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE affiliates SET name = $2, email = $3, email_key = $4, status = $5, payment_method = $6,
           payment_details = $7, custom_fields = $8, updated_at = $9, blocked_as = $10, status_reason = $11, minimum_minor = $12 WHERE id = $1",
        id,
        &edit.name,
        &edit.email,
        &edit.email_key,
        edit.status,
        edit.payment_method,
        &edit.sealed_details,
        &edit.custom_fields,
        now,
        edit.blocked_as,
        &edit.status_reason,
        edit.minimum_minor
    )
    .map(drop)
}

/// Whether another affiliate of the program has that address.
pub async fn is_email_taken(
    tx: &mut Tx,
    program: ProgramId,
    email: &Email,
    except: AffiliateId,
) -> Result<bool, Error> {
    let row = fetch_optional!(
        (AffiliateId,),
        tx,
        "SELECT id FROM affiliates WHERE program_id = $1 AND email_key = $2 AND id <> $3",
        program,
        email.key(),
        except
    )?;
    Ok(row.is_some())
}

pub async fn status(tx: &mut Tx, id: AffiliateId) -> Result<Status, Error> {
    let (status,) = fetch_one!((Status,), tx, "SELECT status FROM affiliates WHERE id = $1", id)?;
    Ok(status)
}

/// The account of the affiliate and its address, unless there is none or it does not want such mails.
pub async fn mailed(tx: &mut Tx, id: AffiliateId, kind: Kind) -> Result<Option<(AccountId, String)>, Error> {
    fetch_optional!(
        (AccountId, String),
        tx,
        "SELECT c.id, c.email FROM affiliates a JOIN accounts c ON c.id = a.account_id
         WHERE a.id = $1 AND NOT EXISTS (SELECT o.kind FROM mail_opt_outs o WHERE o.account_id = c.id AND o.kind = $2)",
        id,
        kind
    )
}

/// Lets an account see what the affiliate earns.
pub async fn give_to(tx: &mut Tx, id: AffiliateId, account: AccountId) -> Result<(), Error> {
    execute!(tx, "UPDATE affiliates SET account_id = $2 WHERE id = $1", id, account).map(drop)
}

row! {
    pub struct Belonging {
        pub program_id: ProgramId,
        pub status: Status,
    }
}

/// Where an affiliate belongs, whatever the program.
pub async fn program_of(tx: &mut Tx, id: AffiliateId) -> Result<Option<Belonging>, Error> {
    fetch_optional!(Belonging, tx, "SELECT program_id, status FROM affiliates WHERE id = $1", id)
}

row! {
    pub struct Earning {
        pub id: AffiliateId,
        pub slug: String,
        pub program: String,
        pub currency: Currency,
        pub status: Status,
        pub unpaid_minor: i64,
        pub paid_minor: i64,
    }
}

/// What an account has earned in each program.
pub async fn of_account(tx: &mut Tx, account: AccountId) -> Result<Vec<Earning>, Error> {
    fetch_all!(
        Earning,
        tx,
        "SELECT a.id, p.slug, p.name AS program, p.currency, a.status, t.pending_minor + t.approved_minor AS unpaid_minor, t.paid_minor
         FROM affiliates a JOIN programs p ON p.id = a.program_id JOIN affiliate_totals t ON t.affiliate_id = a.id
         WHERE a.account_id = $1 ORDER BY a.id DESC",
        account
    )
}

row! {
    /// Where an affiliate stands and what they were told about it.
    #[derive(Debug, Clone)]
    pub struct Stand {
        pub status: Status,
        pub blocked_as: Option<BlockedAs>,
        pub status_reason: Option<String>,
        pub applied_at: Option<Time>,
        pub account_id: Option<AccountId>,
        pub is_invited: bool,
    }
}

impl Stand {
    pub const fn facts(&self) -> Facts {
        Facts {
            status: self.status,
            blocked_as: self.blocked_as,
            has_applied: self.applied_at.is_some(),
            is_invited: self.is_invited,
        }
    }
}

pub async fn stand(tx: &mut Tx, program: ProgramId, id: AffiliateId) -> Result<Option<Stand>, Error> {
    fetch_optional!(
        Stand,
        tx,
        "SELECT a.status, a.blocked_as, a.status_reason, a.applied_at, a.account_id,
                EXISTS (SELECT i.id FROM invitations i WHERE i.affiliate_id = a.id AND i.accepted_at IS NULL
                        AND i.withdrawn_at IS NULL) AS is_invited
         FROM affiliates a WHERE a.id = $1 AND +a.program_id = $2",
        id,
        program
    )
}

row! {
    #[derive(Debug, Clone, Copy)]
    pub struct Known {
        pub id: AffiliateId,
        pub account_id: Option<AccountId>,
        pub status: Status,
    }
}

/// The program's affiliate with that address.
pub async fn by_email(tx: &mut Tx, program: ProgramId, email: &Email) -> Result<Option<Known>, Error> {
    fetch_optional!(
        Known,
        tx,
        "SELECT id, account_id, status FROM affiliates WHERE program_id = $1 AND email_key = $2",
        program,
        email.key()
    )
}
