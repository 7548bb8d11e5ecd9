//! The audit log: who did what, when, before and after.

use askama::Template;
use axum::{extract::State, response::Response};
use serde_json::Value;

use super::{caller::Audits, csv, failure::Failure, filters, input::Query, reply::Reply};
use crate::{
    app::App,
    domain::{
        id::{self, Id},
        providers::Provider,
        time::Time,
    },
    store::{self, Tx, accounts, audit, keys},
};

/// An entry as people read it.
pub struct Told {
    pub id: i64,
    pub at: Time,
    pub who: String,
    pub what: String,
    pub subject: String,
    /// Before → after.
    pub change: String,
    pub reason: Option<String>,
    before: Option<String>,
    after: Option<String>,
}

/// What a change changed. Of things with several fields, which are kept as JSON, only those that differ.
fn change(before: Option<&str>, after: Option<&str>) -> String {
    let fields = |side: Option<&str>| serde_json::from_str::<serde_json::Map<String, Value>>(side?).ok();
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match (fields(before), fields(after)) {
        (Some(before), Some(after)) => {
            let differs = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
            let was = |name: &String| before.get(name).map_or_else(|| "nothing".into(), word);
            differs.map(|(name, is)| format!("{name}: {} → {}", was(name), word(is))).collect::<Vec<_>>().join("; ")
        }
        _ => [before, after].into_iter().flatten().collect::<Vec<_>>().join(" → "),
    }
}

impl Told {
    /// The same entries, with the names of those who acted.
    ///
    /// # Errors
    /// The database's.
    pub async fn of(tx: &mut Tx, entries: Vec<audit::Entry>) -> Result<Vec<Self>, store::Error> {
        let mut names: Vec<(String, String)> = Vec::new();
        let mut told = Vec::with_capacity(entries.len());
        for entry in entries {
            let who = match names.iter().find(|(actor, _)| *actor == entry.actor) {
                Some((_, name)) => name.clone(),
                None => name(tx, &entry.actor).await?,
            };
            names.push((entry.actor, who.clone()));
            let what = entry.action.replace(['.', '_'], " ");
            told.push(Self {
                id: entry.id.raw(),
                at: entry.created_at,
                who,
                what,
                subject: entry.subject,
                change: change(entry.before.as_deref(), entry.after.as_deref()),
                reason: entry.reason,
                before: entry.before,
                after: entry.after,
            });
        }
        Ok(told)
    }

    /// Where in the program the subject is shown, if it has a page.
    pub fn page(&self) -> Option<String> {
        let kind = match self.subject.split_once('_')?.0 {
            "aff" => "affiliates",
            "comm" => "commissions",
            "claim" => "claims",
            "imp" => "imports",
            _ => return None,
        };
        Some(format!("{kind}/{}", self.subject))
    }
}

/// Who that is, in words.
///
/// # Errors
/// The database's.
pub async fn name(tx: &mut Tx, actor: &str) -> Result<String, store::Error> {
    Ok(match actor.split_once(':') {
        Some(("account", id)) => {
            let id: Id<id::Account> = Id::parse(id).unwrap_or(Id::new(0));
            accounts::by_id(tx, id).await?.map_or_else(|| "Somebody".into(), |account| account.name)
        }
        Some(("key", id)) => {
            let id: Id<id::Key> = Id::parse(id).unwrap_or(Id::new(0));
            keys::name(tx, id).await?.map_or_else(|| "An API key".into(), |name| format!("API key “{name}”"))
        }
        Some(("provider", word)) => Provider::parse(word).map_or_else(|_| actor.to_owned(), |one| one.label().into()),
        _ => match actor {
            "command line" => "The command line".into(),
            "schedule" => "The program’s settings".into(),
            other => other.to_owned(),
        },
    })
}

/// What the page lets one choose: the nouns of actions.
const ABOUT: [(&str, &str); 12] = [
    ("", "Everything"),
    ("affiliate", "Affiliates"),
    ("commission", "Commissions"),
    ("payout", "Payouts"),
    ("conversion", "Sales and refunds"),
    ("claim", "Claims of missing sales"),
    ("coupon", "Coupons"),
    ("rule", "Commission rules"),
    ("group", "Groups"),
    ("program", "Settings"),
    ("key", "API keys"),
    ("provider", "Payment providers"),
];
const AT_ONCE: i64 = 50;

#[derive(Template)]
#[template(path = "audit/index.html")]
struct Index {
    slug: String,
    about: String,
    subject: String,
    entries: Vec<Told>,
    /// The last one shown, where there are older ones.
    older: Option<i64>,
}

fn asked(query: &Query) -> audit::Filter {
    let text = |name: &str| query.get(name).unwrap_or_default().trim().to_owned();
    let about = ABOUT.iter().map(|(noun, _)| *noun).find(|noun| query.get("about") == Some(noun)).unwrap_or_default();
    let before = query.get("before").and_then(|id| id.parse().ok()).map(Id::new);
    audit::Filter { about: about.to_owned(), subject: text("subject"), before }
}

/// `GET /m/{program}/audit/export`: what the filter finds, as a file.
pub async fn export(me: Audits, State(app): State<App>, query: Query) -> Result<Response, Failure> {
    let filter = audit::Filter { before: None, ..asked(&query) };
    let mut tx = app.db.read().await?;
    let (entries, is_cut) = csv::cut(audit::page(&mut tx, me.program.id, &filter, csv::MOST + 1).await?);
    let mut sheet = csv::Sheet::new(&["at", "who", "action", "subject", "before", "after", "reason"])?;
    for told in Told::of(&mut tx, entries).await? {
        let typed = |text: Option<&String>| csv::text(text.map_or("", String::as_str));
        sheet.row(&[
            told.at.to_string(),
            csv::text(&told.who),
            told.what.clone(),
            csv::text(&told.subject),
            typed(told.before.as_ref()),
            typed(told.after.as_ref()),
            typed(told.reason.as_ref()),
        ])?;
    }
    sheet.end(is_cut)?;
    sheet.download(&format!("{}-audit-log.csv", me.program.slug))
}

/// `GET /m/{program}/audit`
pub async fn index(me: Audits, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let filter = asked(&query);
    let mut tx = app.db.read().await?;
    let mut page = audit::page(&mut tx, me.program.id, &filter, AT_ONCE + 1).await?;
    let has_more = i64::try_from(page.len()).unwrap_or(0) > AT_ONCE;
    page.truncate(usize::try_from(AT_ONCE).unwrap_or(0));
    let entries = Told::of(&mut tx, page).await?;
    let older = entries.last().filter(|_| has_more).map(|last| last.id);
    let audit::Filter { about, subject, .. } = filter;
    Ok(Reply::page(Index { slug: me.program.slug.clone(), about, subject, entries, older }))
}

#[cfg(test)]
mod tests {
    use super::change;

    #[test]
    fn only_what_differs_is_told() {
        let (before, after) =
            (r#"{"name":"A","status":"active","n":null}"#, r#"{"name":"A","status":"blocked","n":1}"#);
        assert_eq!(change(Some(before), Some(after)), "status: active → blocked; n: null → 1");
        assert_eq!(change(Some("pending"), Some("approved")), "pending → approved");
        assert_eq!((change(None, Some("102.43")).as_str(), change(None, None).as_str()), ("102.43", ""));
    }
}
