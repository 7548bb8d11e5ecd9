//! The queue of commissions: tabs, one row a commission, and what can be done with one, some or all of them.

use askama::Template;
use axum::extract::State;

use super::address;
use crate::{
    app::App,
    domain::{
        affiliate,
        commission::{Kind, Status},
        id::{self, AffiliateId, BatchId, CommissionId, Id},
        money::{Currency, Money, Rate},
        role::Permission,
        rules,
        signals::{self, Signal},
        time::Time,
    },
    store::{
        self, Tx, commissions,
        queue::{self, Filter, Found, Line, Only, Sums},
    },
    web::{
        caller::{Caller, Reads},
        failure::Failure,
        filters,
        input::Query,
        reply::Reply,
    },
};

/// Rows of a page.
const ROWS: i64 = 50;
/// As far as those that are held are counted.
const MOST_HELD: i64 = 1_000;
/// Affiliates that a search offers.
const OFFERED: i64 = 8;

/// What the address asks for. Everything in it can be sent on as it is.
#[derive(Debug, Clone)]
pub struct View {
    pub slug: String,
    pub status: Option<Status>,
    pub affiliate: Option<AffiliateId>,
    pub batch: Option<BatchId>,
    pub search: String,
    /// Only what signals hold for review.
    pub is_held: bool,
}

impl View {
    /// # Errors
    /// 400 for a status or an id that is none.
    pub fn read(me: &Caller, get: impl Fn(&str) -> String) -> Result<Self, Failure> {
        let status = match get("status").as_str() {
            "all" => None,
            // What was decided in one go is of one status by then.
            "" if !get("batch").is_empty() => None,
            "" => Some(Status::Pending),
            word => Some(Status::parse(word).map_err(|issue| Failure::field("status", issue.0))?),
        };
        Ok(Self {
            slug: me.program.slug.clone(),
            status,
            affiliate: read_id::<id::Affiliate>(&get("affiliate"))?,
            batch: read_id::<id::Batch>(&get("batch"))?,
            search: get("q").trim().chars().take(255).collect(),
            is_held: get("held") == "yes" && status == Some(Status::Pending),
        })
    }

    pub fn word(&self) -> &'static str {
        self.status.map_or("all", Status::as_str)
    }

    /// The parameters that lead here again.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        let is_first = self.status == Some(Status::Pending) || (self.status.is_none() && self.batch.is_some());
        vec![
            ("status", if is_first { String::new() } else { self.word().to_owned() }),
            ("affiliate", self.affiliate.map(|id| id.to_string()).unwrap_or_default()),
            ("batch", self.batch.map(|id| id.to_string()).unwrap_or_default()),
            ("held", if self.is_held { "yes" } else { "" }.to_owned()),
            ("q", self.search.clone()),
        ]
    }

    pub fn path(&self) -> String {
        format!("/m/{}/commissions", self.slug)
    }

    fn at(&self, more: &[(&'static str, &str)]) -> String {
        let own = self.parameters();
        let mut all: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend_from_slice(more);
        address(&self.path(), &all)
    }

    pub fn href(&self) -> String {
        self.at(&[])
    }

    /// The same with another status.
    fn tab(&self, word: &str) -> String {
        let status = if word == "pending" { Some(Status::Pending) } else { Status::parse(word).ok() };
        Self { status, batch: None, is_held: false, ..self.clone() }.href()
    }

    /// What the search stands for: one sale, one affiliate, or several to choose from.
    ///
    /// # Errors
    /// The database's.
    pub async fn only(&self, tx: &mut Tx, me: &Caller) -> Result<Result<Only, Vec<Found>>, store::Error> {
        if let Some(batch) = self.batch {
            return Ok(Ok(Only::Batch(batch)));
        }
        if self.search.is_empty() && self.is_held {
            return Ok(Ok(Only::Held(self.affiliate)));
        }
        if self.search.is_empty() {
            return Ok(Ok(self.affiliate.map_or(Only::All, Only::Affiliate)));
        }
        let program = me.program.id;
        if let Some(sale) = queue::sale(tx, program, &self.search).await? {
            return Ok(Ok(Only::Sale(sale)));
        }
        let text = self.search.to_lowercase();
        let like = format!("%{}%", text.replace('!', "!!").replace('%', "!%").replace('_', "!_"));
        let found = queue::affiliates(tx, program, &like, &text, OFFERED).await?;
        Ok(match found.as_slice() {
            [one] => Ok(Only::Affiliate(one.id)),
            _ => Err(found),
        })
    }
}

fn read_id<K: id::Kind>(text: &str) -> Result<Option<Id<K>>, Failure> {
    if text.is_empty() { Ok(None) } else { crate::web::failure::id::<K>(text).map(Some) }
}

/// A commission as a row shows it.
pub struct Row {
    pub line: Line,
    pub amount: Money,
    pub sale: Money,
    /// What refunds took off it, where they did.
    pub refunded: Option<Money>,
    pub age: String,
}

impl Row {
    pub fn new(line: Line, currency: Currency, now: Time) -> Self {
        let taken = line.original_minor - line.amount_minor;
        Self {
            amount: currency.of(line.amount_minor),
            sale: currency.of(line.sale_minor),
            refunded: (taken != 0).then(|| currency.of(taken)),
            age: age(line.created_at, now),
            line,
        }
    }

    /// By what it was made: the rate, or the rules.
    pub fn rate(&self) -> String {
        rules::in_short(self.line.explanation.as_deref(), Rate::from_basis_points(self.line.rate_bps))
    }

    pub fn is_reversal(&self) -> bool {
        self.line.kind == Kind::Reversal
    }

    pub fn order(&self) -> String {
        let nameless = if self.line.kind == Kind::Adjustment { "Adjustment" } else { "No order number" };
        self.line.order_id.clone().unwrap_or_else(|| nameless.into())
    }

    pub fn status(&self) -> &'static str {
        match self.line.status {
            Status::Approved if self.line.is_in_payout => "Scheduled",
            Status::Pending if self.is_held() => "Held for review",
            Status::Pending => "Pending",
            Status::Approved => "Approved",
            Status::Paid => "Paid",
            Status::Rejected => "Rejected",
        }
    }

    /// Why it has that status, or what is in the way.
    pub fn why(&self) -> Option<&str> {
        match (self.line.status, self.line.affiliate_status) {
            (Status::Pending, affiliate::Status::Pending) => Some("The affiliate is not active yet"),
            (Status::Pending, affiliate::Status::Blocked) => Some("The affiliate is blocked"),
            (Status::Approved, _) if self.line.is_in_payout => Some("In a payout"),
            _ => self.line.reason.as_deref().filter(|reason| !reason.is_empty()),
        }
    }

    /// What about it somebody should look at, whether or not they have.
    pub fn signals(&self) -> Vec<Signal> {
        signals::read(self.line.held_for.as_deref())
    }

    /// It waits for that look.
    pub fn is_held(&self) -> bool {
        self.line.held_for.is_some() && self.line.status == Status::Pending
    }

    fn is_open(&self) -> bool {
        !self.line.is_in_payout && self.line.status != Status::Paid
    }

    pub fn can_be_approved(&self) -> bool {
        let is_active = self.line.affiliate_status != affiliate::Status::Pending;
        self.is_open() && is_active && self.line.status != Status::Approved
    }

    pub fn can_be_rejected(&self) -> bool {
        self.is_open() && self.line.status != Status::Rejected
    }

    pub fn can_be_paid(&self) -> bool {
        let is_active = self.line.affiliate_status != affiliate::Status::Pending;
        self.is_open() && is_active && self.line.status != Status::Rejected
    }
}

/// `today`, `1 day`, `12 days`, `14 months`.
pub fn age(since: Time, now: Time) -> String {
    let some = |count: i64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    match now.day() - since.day() {
        ..=0 => "today".into(),
        days @ 1..61 => some(days, "day"),
        days @ 61..731 => some(days / 30, "month"),
        days => some(days / 365, "year"),
    }
}

struct Tab {
    href: String,
    label: &'static str,
    count: i64,
    is_here: bool,
}

/// What may be done with what is listed.
#[derive(Default)]
pub struct Actions {
    pub approve: bool,
    pub reject: bool,
    pub pay: bool,
}

impl Actions {
    fn of(me: &Caller, status: Option<Status>) -> Self {
        let decides = me.grants.allow(Permission::Commissions);
        let pays = decides && me.grants.allow(Permission::Payouts);
        Self {
            approve: decides && !matches!(status, Some(Status::Approved | Status::Paid)),
            reject: decides && !matches!(status, Some(Status::Rejected | Status::Paid)),
            pay: pays && matches!(status, None | Some(Status::Approved)),
        }
    }

    fn any(&self) -> bool {
        self.approve || self.reject || self.pay
    }
}

#[derive(Template)]
#[template(path = "merchant/queue.html")]
struct Queue {
    view: View,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    shown: i64,
    /// The affiliate that the list is narrowed to.
    of: Option<Found>,
    /// Where the search means several.
    offered: Vec<Found>,
    actions: Actions,
    currency: Currency,
    /// All that match, where the totals tell.
    total: Option<(i64, Money)>,
    /// The newest that is shown: what comes after is not part of "all".
    newest: Option<CommissionId>,
    older: Option<String>,
    is_first: bool,
}

impl Queue {
    /// Where all that match are decided, after a look at how many they are.
    fn all(&self, to: &str) -> String {
        let newest = self.newest.map(|id| id.to_string()).unwrap_or_default();
        let own = self.view.parameters();
        let mut all: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.retain(|(name, _)| *name != "status");
        all.extend([("status", self.view.word()), ("to", to), ("all", "yes"), ("newest", &newest)]);
        address(&format!("{}/decision", self.view.path()), &all)
    }

    /// Where one is rejected, and then back here.
    fn reject(&self, id: CommissionId) -> String {
        let (id, here) = (id.to_string(), self.view.href());
        address(&format!("{}/decision", self.view.path()), &[("to", "rejected"), ("id", &id), ("back", &here)])
    }

    fn with(&self, affiliate: AffiliateId) -> String {
        View { search: String::new(), affiliate: Some(affiliate), ..self.view.clone() }.href()
    }

    fn without(&self) -> String {
        View { search: String::new(), affiliate: None, batch: None, ..self.view.clone() }.href()
    }
}

pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let view = View::read(&me, get)?;
    if let Ok(id) = CommissionId::parse(&view.search) {
        return Ok(Reply::Go(format!("{}/{id}", view.path())));
    }
    let before = read_id::<id::Commission>(&get("before"))?;
    let mut tx = app.db.read().await?;
    let only = view.only(&mut tx, &me).await?;
    let of = match only {
        Ok(Only::Affiliate(id)) => Some(id),
        Ok(Only::Held(of)) => of,
        _ => None,
    };
    let sums = match of {
        None => super::sums(&mut tx, &app, me.program.id).await?,
        Some(_) => queue::sums(&mut tx, me.program.id, of).await?,
    };
    let held = commissions::count_held(&mut tx, me.program.id, MOST_HELD).await?;
    let mut page = Queue {
        tabs: tabs(&view, &sums, held),
        rows: Vec::new(),
        shown: 0,
        of: None,
        offered: Vec::new(),
        actions: Actions::of(&me, view.status),
        currency: me.program.currency,
        total: None,
        newest: None,
        older: None,
        is_first: before.is_none(),
        view,
    };
    let only = match only {
        Ok(only) => only,
        Err(offered) => {
            page.offered = offered;
            return Ok(Reply::page(page));
        }
    };
    if let Some(id) = of {
        let found = store::affiliates::summary(&mut tx, me.program.id, id).await?;
        page.of = found.map(|found| Found { id, name: found.name, email: found.email });
    }
    let filter = Filter { status: page.view.status, only };
    let newest = before.map_or(Id::new(i64::MAX), |id| Id::new(id.raw() - 1));
    let mut lines = queue::page(&mut tx, me.program.id, filter, newest, ROWS + 1).await?;
    if lines.len() > usize::try_from(ROWS).unwrap_or(usize::MAX) {
        lines.pop();
        let last = lines.last().map(|line| line.id.to_string()).unwrap_or_default();
        page.older = Some(page.view.at(&[("before", &last)]));
    }
    page.newest = match (before, lines.first()) {
        (None, first) => first.map(|line| line.id),
        // Further down, all that match still begins with what is newest now.
        (Some(_), _) => {
            queue::amounts(&mut tx, me.program.id, filter, Id::new(i64::MAX), 1).await?.first().map(|a| a.0)
        }
    };
    page.total = total(&page, only, &sums);
    page.shown = i64::try_from(lines.len()).unwrap_or(0);
    let now = app.clock.now();
    page.rows = lines.into_iter().map(|line| Row::new(line, me.program.currency, now)).collect();
    Ok(Reply::page(page))
}

fn total(page: &Queue, only: Only, sums: &Sums) -> Option<(i64, Money)> {
    if !matches!(only, Only::All | Only::Affiliate(_)) {
        return None;
    }
    let (count, minor) = match page.view.status {
        Some(Status::Pending) => (sums.pending, sums.pending_minor),
        Some(Status::Approved) => (sums.approved, sums.approved_minor),
        Some(Status::Paid) => (sums.paid, sums.paid_minor),
        Some(Status::Rejected) | None => return None,
    };
    Some((count, page.currency.of(minor)))
}

fn tabs(view: &View, sums: &Sums, held: i64) -> Vec<Tab> {
    let all = sums.pending + sums.approved + sums.paid + sums.rejected;
    let tab = |word: &str, label, count| Tab {
        href: view.tab(word),
        label,
        count,
        is_here: view.word() == word && view.batch.is_none() && !view.is_held,
    };
    let mut tabs = vec![
        tab("pending", "To review", sums.pending),
        tab("approved", "Approved", sums.approved),
        tab("paid", "Paid", sums.paid),
        tab("rejected", "Rejected", sums.rejected),
        tab("all", "All", all),
    ];
    if held > 0 || view.is_held {
        let pending = View { status: Some(Status::Pending), batch: None, is_held: true, ..view.clone() };
        let label = "Held for review";
        tabs.insert(1, Tab { href: pending.href(), label, count: held, is_here: view.is_held });
    }
    tabs
}
