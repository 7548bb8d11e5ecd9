//! What a session remembers of signing in: who, when they last proved it, from which device, and who still owes
//! a second step.

use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::{client::Client, failure::Failure, html::ACCOUNT, shell::Notice};
use crate::{
    app::App,
    domain::{
        id::AccountId,
        key::{hash, hex},
        time::Time,
    },
    store::{
        self,
        accounts::{self, Account},
    },
};

/// When the person last gave a password or a code, in Unix milliseconds.
const CONFIRMED: &str = "confirmed_at";
/// The browser, in its own words.
pub const AGENT: &str = "agent";
const PENDING: &str = "pending";

/// For how long what a person proved is believed before what matters most.
const CONFIRMED_SECONDS: i64 = 10 * 60;
/// How long the second step may take.
const PENDING_SECONDS: i64 = 10 * 60;

#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
fn failed(error: tower_sessions::session::Error) -> Failure {
    tracing::warn!(%error, "a session cannot be kept");
    Failure::unavailable()
}

/// Signs the account in, as somebody who just proved to be its owner where `proof` says when.
///
/// # Errors
/// When the session cannot be kept.
pub async fn start(
    app: &App,
    session: &Session,
    client: &Client,
    account: AccountId,
    proof: Option<Time>,
) -> Result<(), Failure> {
    if let Some(hash) = client.ip_hash(app) {
        let noted = app.db.write(move |tx| Box::pin(accounts::signed_in_from(tx, account, hash)));
        noted.await.map_err(|error: store::Error| Failure::from(error))?;
    }
    // A new id at sign-in: one that somebody planted before is worth nothing.
    session.cycle_id().await.map_err(failed)?;
    let _ = session.remove_value(PENDING).await.map_err(failed)?;
    let _ = session.remove_value(CONFIRMED).await.map_err(failed)?;
    if let Some(agent) = &client.user_agent {
        session.insert(AGENT, agent).await.map_err(failed)?;
    }
    if let Some(at) = proof {
        confirm(session, at).await?;
    }
    session.insert(ACCOUNT, account.raw()).await.map_err(failed)
}

/// Remembers that the person proved who they are.
///
/// # Errors
/// When the session cannot be kept.
pub async fn confirm(session: &Session, at: Time) -> Result<(), Failure> {
    session.insert(CONFIRMED, at.ms()).await.map_err(failed)
}

/// Whether that is recent.
///
/// # Errors
/// When the session cannot be read.
pub async fn is_confirmed(session: &Session, now: Time) -> Result<bool, Failure> {
    let at: Option<i64> = session.get(CONFIRMED).await.map_err(failed)?;
    Ok(at.is_some_and(|at| Time::from_ms(at).plus_seconds(CONFIRMED_SECONDS) > now))
}

/// Somebody who gave the password, or opened a link, and owes the second step.
#[derive(Serialize, Deserialize)]
struct Pending {
    account: i64,
    at: i64,
    /// Of the password that was good then: a change of it ends this too.
    password: String,
    notice: Option<Notice>,
}

fn print(app: &App, account: &Account) -> String {
    hex(&app.secret.hash("pending", account.password_hash.as_deref().unwrap_or_default()))
}

/// # Errors
/// When the session cannot be kept.
pub async fn owe_second_step(
    app: &App,
    session: &Session,
    account: &Account,
    notice: Option<Notice>,
) -> Result<(), Failure> {
    session.cycle_id().await.map_err(failed)?;
    let _ = session.remove_value(ACCOUNT).await.map_err(failed)?;
    let pending =
        Pending { account: account.id.raw(), at: app.clock.now().ms(), password: print(app, account), notice };
    session.insert(PENDING, pending).await.map_err(failed)
}

/// Who owes a second step in this session, and what they will be told after it.
///
/// # Errors
/// When the session or the database cannot be read.
pub async fn pending(app: &App, session: &Session) -> Result<Option<(AccountId, Option<Notice>)>, Failure> {
    let Some(pending) = session.get::<Pending>(PENDING).await.map_err(failed)? else { return Ok(None) };
    if Time::from_ms(pending.at).plus_seconds(PENDING_SECONDS) <= app.clock.now() {
        return Ok(None);
    }
    let id = AccountId::new(pending.account);
    let account = crate::store::accounts::by_id(&mut *app.db.read().await?, id).await?;
    let is_good = account.is_some_and(|account| print(app, &account) == pending.password);
    Ok(is_good.then_some((id, pending.notice)))
}

/// The session's id as stored.
pub fn id_hash(session: &Session) -> String {
    session.id().map_or_else(String::new, |id| hash(&id.to_string()))
}
