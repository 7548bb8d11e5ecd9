//! People who sign in, the programs they work for, and the address under which the first of them is made.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, row};
use crate::domain::{
    email::Email,
    id::{AccountId, ProgramId},
    locale::{NumberStyle, Theme},
    role::Role,
    time::Time,
};

row! {
    pub struct Account {
        pub id: AccountId,
        pub email: String,
        pub name: String,
        pub password_hash: Option<String>,
    }
}

row! {
    /// Who is signed in and how they like to read.
    #[derive(Debug, Clone)]
    pub struct Person {
        pub email: String,
        pub name: String,
        pub theme: Theme,
        pub number_style: NumberStyle,
        pub time_zone: String,
        pub has_shortcuts: bool,
    }
}

pub async fn person(tx: &mut Tx, id: AccountId) -> Result<Option<Person>, Error> {
    fetch_optional!(
        Person,
        tx,
        "SELECT email, name, theme, number_style, time_zone, has_shortcuts FROM accounts WHERE id = $1",
        id
    )
}

row! {
    /// A program that the account works for.
    #[derive(Debug, Clone)]
    pub struct Membership {
        pub slug: String,
        pub name: String,
        pub role: Role,
    }
}

/// The programs that the account works for, the one joined last first.
pub async fn memberships(tx: &mut Tx, account: AccountId) -> Result<Vec<Membership>, Error> {
    fetch_all!(
        Membership,
        tx,
        "SELECT p.slug, p.name, m.role FROM memberships m JOIN programs p ON p.id = m.program_id
         WHERE m.account_id = $1 ORDER BY m.created_at DESC, p.id DESC",
        account
    )
}

/// Makes the account; `false` where the address has one already.
pub async fn create(
    tx: &mut Tx,
    id: AccountId,
    email: &Email,
    name: &str,
    password_hash: Option<&str>,
) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO accounts (id, email, email_key, name, password_hash, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (email_key) DO NOTHING",
        id,
        email.as_str(),
        email.key(),
        name,
        password_hash,
        id.time()
    )?;
    Ok(made == 1)
}

pub async fn by_email(tx: &mut Tx, email: &Email) -> Result<Option<Account>, Error> {
    fetch_optional!(
        Account,
        tx,
        "SELECT id, email, name, password_hash FROM accounts WHERE email_key = $1",
        email.key()
    )
}

/// Remembers from where they signed in, by the keyed hash of the address.
pub async fn signed_in_from(tx: &mut Tx, id: AccountId, ip_hash: i64) -> Result<(), Error> {
    execute!(tx, "UPDATE accounts SET ip_hash = $2 WHERE id = $1", id, ip_hash).map(drop)
}

pub async fn by_id(tx: &mut Tx, id: AccountId) -> Result<Option<Account>, Error> {
    fetch_optional!(Account, tx, "SELECT id, email, name, password_hash FROM accounts WHERE id = $1", id)
}

pub async fn join(tx: &mut Tx, account: AccountId, program: ProgramId, role: Role, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO memberships (account_id, program_id, role, created_at) VALUES ($1, $2, $3, $4)",
        account,
        program,
        role,
        now
    )
    .map(drop)
}

/// The account's role in a program, if it has one.
pub async fn role(tx: &mut Tx, account: AccountId, program: ProgramId) -> Result<Option<Role>, Error> {
    let row = fetch_optional!(
        (Role,),
        tx,
        "SELECT role FROM memberships WHERE account_id = $1 AND program_id = $2",
        account,
        program
    )?;
    Ok(row.map(|(role,)| role))
}

/// Stores how the person is called and likes to read.
pub async fn change_person(tx: &mut Tx, id: AccountId, person: &Person, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE accounts SET name = $2, theme = $3, number_style = $4, time_zone = $5, has_shortcuts = $6, updated_at = $7
         WHERE id = $1",
        id,
        &person.name,
        person.theme,
        person.number_style,
        &person.time_zone,
        person.has_shortcuts,
        now
    )
    .map(drop)
}

pub async fn set_password(tx: &mut Tx, id: AccountId, password_hash: &str, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE accounts SET password_hash = $2, updated_at = $3 WHERE id = $1", id, password_hash, now)
        .map(drop)
}

/// Gives the account another address; `false` where another account has it.
pub async fn set_email(tx: &mut Tx, id: AccountId, email: &Email, now: Time) -> Result<bool, Error> {
    let changed = execute!(
        tx,
        "UPDATE accounts SET email = $2, email_key = $3, updated_at = $4
         WHERE id = $1 AND NOT EXISTS (SELECT id FROM accounts WHERE email_key = $3 AND id <> $1)",
        id,
        email.as_str(),
        email.key(),
        now
    )?;
    Ok(changed == 1)
}

pub async fn any(tx: &mut Tx) -> Result<bool, Error> {
    let (any,) = fetch_one!((bool,), tx, "SELECT EXISTS (SELECT id FROM accounts)")?;
    Ok(any)
}

row! {
    #[derive(Debug)]
    pub struct Member {
        pub account_id: AccountId,
        pub email: String,
    }
}

/// Those who may decide something in the program: everybody on the team but viewers.
pub async fn deciders(tx: &mut Tx, program: ProgramId) -> Result<Vec<Member>, Error> {
    fetch_all!(
        Member,
        tx,
        "SELECT a.id AS account_id, a.email FROM memberships m JOIN accounts a ON a.id = m.account_id
         WHERE m.program_id = $1 AND m.role <> 'viewer' ORDER BY a.id",
        program
    )
}

/// Those who may pay in the program.
pub async fn payers(tx: &mut Tx, program: ProgramId) -> Result<Vec<Member>, Error> {
    fetch_all!(
        Member,
        tx,
        "SELECT a.id AS account_id, a.email FROM memberships m JOIN accounts a ON a.id = m.account_id
         WHERE m.program_id = $1 AND m.role IN ('owner', 'admin', 'finance') ORDER BY a.id",
        program
    )
}

// The set-up address -----------------------------------------------------------------------------------

/// Replaces the set-up address: only the newest one works.
pub async fn set_setup_token(tx: &mut Tx, token_hash: &str, now: Time) -> Result<(), Error> {
    execute!(tx, "DELETE FROM setup_tokens")?;
    execute!(tx, "INSERT INTO setup_tokens (token_hash, created_at) VALUES ($1, $2)", token_hash, now).map(drop)
}

pub async fn is_setup_token(tx: &mut Tx, token_hash: &str) -> Result<bool, Error> {
    let row = fetch_optional!((String,), tx, "SELECT token_hash FROM setup_tokens WHERE token_hash = $1", token_hash)?;
    Ok(row.is_some())
}

/// Uses the set-up address up; `true` for the one caller who does.
pub async fn use_setup_token(tx: &mut Tx, token_hash: &str) -> Result<bool, Error> {
    Ok(execute!(tx, "DELETE FROM setup_tokens WHERE token_hash = $1", token_hash)? == 1)
}
