//! A merchant's desk: the pages where commissions are decided and affiliates looked after. What they do,
//! they do by the flows that `/v1` calls.

pub mod affiliate;
pub mod affiliate_edit;
pub mod affiliates;
pub mod commission;
pub mod coupons;
pub mod decisions;
pub mod home;
pub mod invoices;
pub mod payout_files;
pub mod payout_preview;
pub mod payouts;
pub mod queue;
pub mod reconciliation;
pub mod tax;
pub mod years;

use std::time::{Duration, Instant};

use super::{audit::name as actor, caller::Caller};
use crate::{
    app::App,
    domain::{
        id::{AccountId, ProgramId},
        locale::NumberStyle,
        money::Money,
    },
    flows::Actor,
    store::{
        self, Tx, accounts,
        queue::{self as stored, Sums},
        totals,
    },
};

/// The account behind a page's caller; a key has no pages.
pub fn account(me: &Caller) -> Option<AccountId> {
    match me.actor {
        Actor::Account(account) => Some(account),
        Actor::Key(_) | Actor::CommandLine | Actor::Schedule | Actor::Provider(_) => None,
    }
}

/// With more affiliates than this, figures over all of them may be as old as [`OLD`]: each is summed from as
/// many rows as there are affiliates, and counting them as they change would make every sale wait for the
/// other sales of its program.
const LARGE: i64 = 1_000;
const OLD: Duration = Duration::from_secs(5);

async fn is_large(tx: &mut Tx, program: ProgramId) -> Result<bool, store::Error> {
    Ok(totals::affiliates(tx, program, None).await? > LARGE)
}

/// How many commissions there are of each status; what was decided here is always in it.
async fn sums(tx: &mut Tx, app: &App, program: ProgramId) -> Result<Sums, store::Error> {
    if !is_large(tx, program).await? {
        return stored::sums(tx, program, None).await;
    }
    if let Some(known) = app.caches.sums.get_within(&program, OLD) {
        return Ok(known);
    }
    let since = Instant::now();
    let sums = stored::sums(tx, program, None).await?;
    app.caches.sums.put(program, sums, since);
    Ok(sums)
}

/// After a decision: what is remembered of the program's sums is no longer so.
pub fn forget_sums(app: &App, program: ProgramId) {
    app.caches.sums.forget(&program);
    app.caches.standings.forget(&program);
}

/// How the reader likes their numbers, for what is said in a notice.
pub async fn style(tx: &mut Tx, me: &Caller) -> Result<NumberStyle, store::Error> {
    let person = match account(me) {
        Some(account) => accounts::person(tx, account).await?,
        None => None,
    };
    Ok(person.map_or(NumberStyle::Comma, |person| person.number_style))
}

/// What a minimum payout of one's own is, beside that of the group or the program.
pub fn minimum_hint(style: NumberStyle, whose: &str, minimum: Money) -> String {
    format!("Less than that waits until it is more. Empty: the {whose}’s, {}.", style.money(minimum))
}

/// `1 commission`, `12 commissions`.
pub fn counted(style: NumberStyle, count: i64, noun: &str) -> String {
    format!("{} {noun}{}", style.number(count), if count == 1 { "" } else { "s" })
}

/// An address with these parameters, without those that are empty.
fn address(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}
