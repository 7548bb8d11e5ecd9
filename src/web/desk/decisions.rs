//! Deciding commissions: the page that asks before, what is done, and how it is taken back.

use askama::Template;
use axum::extract::State;

use super::{
    account, counted, forget_sums,
    queue::{Row, View},
    style,
};
use crate::{
    app::App,
    domain::{
        commission::Status,
        id::{self, CommissionId, Id},
        locale::NumberStyle,
        money::Money,
        role::Permission,
        text,
    },
    flows::{
        Refusal,
        decisions::{self as flow, Decision, Outcome},
    },
    store::{
        self, Tx,
        decisions::Batch,
        queue::{self, Filter, Only},
    },
    web::{
        caller::{Caller, Decides, Reads},
        failure::Failure,
        filters,
        form::Form,
        input::{PathId, Query},
        reply::Reply,
        shell::Notice,
    },
};

/// The most that is decided in one go; more than anybody reviews.
const MOST: usize = 10_000;
/// How many are decided in one transaction, so that clicks and sales do not wait for long.
const STEP: usize = 100;
/// How many of them the page that asks shows.
const SHOWN: usize = 12;
/// How many of those that stayed a notice names.
const NAMED: usize = 5;

fn verb(to: Status) -> &'static str {
    match to {
        Status::Approved | Status::Pending => "Approve",
        Status::Rejected => "Reject",
        Status::Paid => "Mark as paid:",
    }
}

/// What is decided: by id, or all that match up to the newest that was shown.
struct Scope {
    view: View,
    to: Status,
    is_all: bool,
    newest: CommissionId,
    chosen: Vec<CommissionId>,
}

impl Scope {
    /// # Errors
    /// 400 for what no page sends, 404 for what the caller may not do.
    fn read(me: &Caller, to: &str, get: impl Fn(&str) -> String, ids: &[String]) -> Result<Self, Failure> {
        let to = Status::parse(to).ok().filter(|to| *to != Status::Pending);
        let to = to.ok_or_else(|| Failure::field("to", "must be one of approved, paid, rejected"))?;
        me.must(Permission::Commissions, "")?;
        if to == Status::Paid {
            me.must(Permission::Payouts, "")?;
        }
        let is_all = !get("all").is_empty();
        // Without the last row, "all" would be whatever has come in since.
        let newest = if is_all { crate::web::failure::id::<id::Commission>(&get("newest"))? } else { Id::new(0) };
        let mut chosen = ids.iter().map(|id| crate::web::failure::id(id)).collect::<Result<Vec<_>, _>>()?;
        chosen.sort_unstable();
        chosen.dedup();
        Ok(Self { view: View::read(me, get)?, to, is_all, newest, chosen })
    }

    /// Each that it names, and how much it is.
    async fn amounts(&self, tx: &mut Tx, me: &Caller) -> Result<Vec<(CommissionId, i64)>, Failure> {
        let program = me.program.id;
        if self.is_all {
            let Ok(only) = self.view.only(tx, me).await? else { return Ok(Vec::new()) };
            let filter = Filter { status: self.view.status, only };
            let most = i64::try_from(MOST).unwrap_or(i64::MAX);
            return Ok(queue::amounts(tx, program, filter, self.newest, most).await?);
        }
        let mut found = Vec::new();
        for id in self.chosen.iter().take(MOST) {
            let one = store::commissions::by_id(tx, program, *id).await?;
            let one = one.ok_or_else(|| Failure::not_found("commission"))?;
            found.push((one.id, one.amount_minor));
        }
        Ok(found)
    }

    /// How many of all that match are held for review, where they would be released unseen.
    async fn held(&self, tx: &mut Tx, me: &Caller) -> Result<i64, Failure> {
        let is_seen = self.view.is_held || !matches!(self.view.status, None | Some(Status::Pending));
        if !self.is_all || self.to == Status::Rejected || is_seen {
            return Ok(0);
        }
        let of = match self.view.only(tx, me).await? {
            Ok(Only::All) => None,
            Ok(Only::Affiliate(id)) => Some(id),
            _ => return Ok(0),
        };
        let filter = Filter { status: Some(Status::Pending), only: Only::Held(of) };
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        Ok(summed(&queue::amounts(tx, me.program.id, filter, self.newest, most).await?).0)
    }
}

#[derive(Template)]
#[template(path = "merchant/decision.html")]
struct Ask {
    scope: Scope,
    form: Form,
    count: i64,
    sum: Money,
    rows: Vec<Row>,
    /// How many more there are than rows shown.
    more: i64,
    /// How many signals hold for review.
    held: i64,
    title: String,
    back: String,
    /// Other ones match than were shown before.
    has_changed: bool,
}

impl Ask {
    async fn new(
        tx: &mut Tx,
        app: &App,
        me: &Caller,
        scope: Scope,
        form: Form,
        amounts: &[(CommissionId, i64)],
    ) -> Result<Self, Failure> {
        let currency = me.program.currency;
        let (count, sum) = summed(amounts);
        let mut rows = Vec::new();
        for (id, _) in amounts.iter().take(SHOWN) {
            let filter = Filter { status: None, only: Only::All };
            let line = queue::page(tx, me.program.id, filter, *id, 1).await?.pop();
            rows.extend(line.map(|line| Row::new(line, currency, app.clock.now())));
        }
        let commissions = counted(style(tx, me).await?, count, "commission");
        let title = match scope.to {
            Status::Paid => format!("Mark {commissions} as paid"),
            to => format!("{} {commissions}", verb(to)),
        };
        let held = scope.held(tx, me).await?;
        let back = back(me, form.get("back")).unwrap_or_else(|| scope.view.href());
        let more = count - i64::try_from(rows.len()).unwrap_or(0);
        Ok(Self { scope, form, count, sum: currency.of(sum), rows, more, held, title, back, has_changed: false })
    }

    /// Where those are that signals hold.
    fn held_at(&self) -> String {
        View { status: Some(Status::Pending), is_held: true, ..self.scope.view.clone() }.href()
    }

    fn is(&self, to: &str) -> bool {
        self.scope.to.as_str() == to
    }
}

fn summed(amounts: &[(CommissionId, i64)]) -> (i64, i64) {
    let count = i64::try_from(amounts.len()).unwrap_or(i64::MAX);
    (count, amounts.iter().map(|(_, minor)| minor).sum())
}

/// The page that somebody came from, where it is one of the queue's.
fn back(me: &Caller, given: &str) -> Option<String> {
    let own = format!("/m/{}/commissions", me.program.slug);
    let rest = given.strip_prefix(&own)?;
    let is_below = rest.is_empty() || rest.starts_with(['?', '/']);
    (is_below && !given.contains(['\\', '\n', '\r', '\t'])).then(|| given.to_owned())
}

/// Asks before: for a reason, for what cannot be undone, and for more than one page shows.
pub async fn new(me: Decides, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let ids: Vec<String> = query.all("id").map(str::to_owned).collect();
    let scope = Scope::read(&me, &get("to"), get, &ids)?;
    let mut tx = app.db.read().await?;
    let amounts = scope.amounts(&mut tx, &me).await?;
    if amounts.is_empty() {
        let nothing = Notice::problem("Tick the commissions first, then say what to do with them.");
        return Ok(Reply::done(back(&me, &get("back")).unwrap_or_else(|| scope.view.href()), nothing));
    }
    let form = Form::of(&[("back", &get("back"))]);
    Ok(Reply::page(Ask::new(&mut tx, &app, &me, scope, form, &amounts).await?))
}

pub async fn create(me: Decides, State(app): State<App>, mut form: Form) -> Result<Reply, Failure> {
    // A row's own button names its row; the others name what to do with the ticked ones.
    let (to, ids) = match form.filled("approve") {
        Some(id) => ("approved".to_owned(), vec![id.to_owned()]),
        None => (form.get("to").to_owned(), form.all("id").map(str::to_owned).collect()),
    };
    let scope = Scope::read(&me, &to, |name| form.get(name).to_owned(), &ids)?;
    let here = back(&me, form.get("back")).unwrap_or_else(|| scope.view.href());
    let mut tx = app.db.read().await?;
    let amounts = scope.amounts(&mut tx, &me).await?;
    let style = style(&mut tx, &me).await?;
    if amounts.is_empty() {
        return Ok(Reply::done(here, Notice::problem("Tick the commissions first, then say what to do with them.")));
    }
    let reason = if scope.to == Status::Rejected {
        form.read("reason", |reason| text::bounded(reason, 1, 500).map(|()| reason.to_owned()))
    } else {
        None
    };
    // What cannot be undone and what nobody has seen whole is asked for first, as it is then.
    let is_asked = scope.is_all || scope.to == Status::Paid;
    let (count, sum) = summed(&amounts);
    let is_as_told = form.get("count") == count.to_string() && form.get("sum") == sum.to_string();
    if !form.is_good() || (is_asked && !is_as_told) {
        let has_changed = is_asked && !is_as_told && !form.get("count").is_empty();
        let ask = Ask::new(&mut tx, &app, &me, scope, form, &amounts).await?;
        return Ok(Reply::invalid(Ask { has_changed, ..ask }));
    }
    drop(tx);
    let by = account(&me).ok_or_else(Failure::no_route)?;
    let act = me.act(&app);
    let decision = Decision { batch: act.id(), account: by, to: scope.to, reason };
    let mut outcome = Outcome::default();
    let ids: Vec<CommissionId> = amounts.iter().map(|(id, _)| *id).collect();
    for step in ids.chunks(STEP) {
        let (act, decision, step) = (act.clone(), decision.clone(), step.to_vec());
        let work = app
            .db
            .write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::decide(tx, &act, &decision, &step).await }));
        outcome.add(work.await?);
        forget_sums(&app, me.program.id);
    }
    let sum = me.program.currency.of(outcome.sum);
    let mut notice = told(style, &outcome, past(scope.to), sum);
    if outcome.count > 0 && scope.to != Status::Paid {
        notice = notice.with_undo(format!("{}/decided/{}/undo", scope.view.path(), decision.batch));
    }
    Ok(Reply::done(here, notice))
}

fn past(to: Status) -> &'static str {
    match to {
        Status::Paid => "marked as paid",
        other => other.as_str(),
    }
}

/// `12 commissions approved (USD 310.00). 1 was left as it is: order 7 …`
fn told(style: NumberStyle, outcome: &Outcome, done: &str, sum: Money) -> Notice {
    let mut words = Vec::new();
    if outcome.count > 0 {
        let commissions = counted(style, outcome.count, "commission");
        words.push(format!("{commissions} {done} ({}).", style.money(sum)));
    }
    if !outcome.left.is_empty() {
        let count = outcome.left.len();
        let named: Vec<_> =
            outcome.left.iter().take(NAMED).map(|left| format!("{}: {}", left.what, left.why)).collect();
        let more = count.saturating_sub(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        let stayed =
            if count == 1 { "1 was left as it is".to_owned() } else { format!("{count} were left as they are") };
        words.push(format!("{stayed}: {}{more}.", named.join("; ")));
    }
    let text = words.join(" ");
    if outcome.count > 0 { Notice::done(text) } else { Notice::problem(text) }
}

struct Made {
    batch: Batch,
    sum: Money,
}

impl Made {
    fn what(&self) -> &'static str {
        match self.batch.action {
            Status::Paid => "Marked as paid",
            Status::Rejected => "Rejected",
            Status::Approved | Status::Pending => "Approved",
        }
    }
}

#[derive(Template)]
#[template(path = "merchant/decided.html")]
struct Decided {
    slug: String,
    batches: Vec<Made>,
    may_decide: bool,
}

/// What was decided in the browser, newest first.
pub async fn index(me: Reads, State(app): State<App>) -> Result<Reply, Failure> {
    let found = store::decisions::page(&mut *app.db.read().await?, me.program.id, 50).await?;
    let made = |batch: Batch| Made { sum: me.program.currency.of(batch.sum_minor), batch };
    Ok(Reply::page(Decided {
        slug: me.program.slug.clone(),
        batches: found.into_iter().map(made).collect(),
        may_decide: me.grants.allow(Permission::Commissions),
    }))
}

pub async fn undo(me: Decides, State(app): State<App>, PathId(id): PathId<id::Batch>) -> Result<Reply, Failure> {
    let style = style(&mut *app.db.read().await?, &me).await?;
    let act = me.act(&app);
    let undone = app.db.write(move |tx| Box::pin(async move { flow::undo(tx, &act, id).await })).await;
    let (_, outcome) = match undone {
        Ok(undone) => undone,
        Err(Refusal::Field { issue, .. }) => {
            return Ok(Reply::done_here(Notice::problem(format!("This decision {}.", issue.0))));
        }
        Err(other) => return Err(other.into()),
    };
    forget_sums(&app, me.program.id);
    Ok(Reply::done_here(told(style, &outcome, "put back", me.program.currency.of(outcome.sum))))
}
