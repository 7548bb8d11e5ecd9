//! A merchant's desk: the pages where commissions are decided and affiliates looked after. What they do,
//! they do by the flows that `/v1` calls.

pub mod affiliate;
pub mod affiliates;
pub mod commission;
pub mod decisions;
pub mod home;
pub mod queue;

use super::{audit::name as actor, caller::Caller};
use crate::{
    domain::{id::AccountId, locale::NumberStyle},
    flows::Actor,
    store::{self, Tx, accounts},
};

/// The account behind a page's caller; a key has no pages.
fn account(me: &Caller) -> Option<AccountId> {
    match me.actor {
        Actor::Account(account) => Some(account),
        Actor::Key(_) | Actor::CommandLine => None,
    }
}

/// How the reader likes their numbers, for what is said in a notice.
async fn style(tx: &mut Tx, me: &Caller) -> Result<NumberStyle, store::Error> {
    let person = match account(me) {
        Some(account) => accounts::person(tx, account).await?,
        None => None,
    };
    Ok(person.map_or(NumberStyle::Comma, |person| person.number_style))
}

/// `1 commission`, `12 commissions`.
fn counted(style: NumberStyle, count: i64, noun: &str) -> String {
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
