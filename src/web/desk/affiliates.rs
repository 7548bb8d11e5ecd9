//! The affiliates of a program: tabs, search, filters, any order, as a file, and a status for several.

use askama::Template;
use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};

use super::{account, address, counted};
use crate::{
    app::App,
    domain::{
        affiliate::Status,
        id::{self, AffiliateId, GroupId},
        money::{Currency, Money},
        role::Permission,
    },
    flows::{
        Refusal,
        affiliates::{self as flow, Edit},
    },
    store::{
        groups::{self, Group},
        roster::{self, Asked, Line},
        totals,
    },
    web::{
        caller::{Caller, ManagesAffiliates, Reads},
        csv::{self, Sheet},
        failure::{self, Failure},
        filters,
        form::Form,
        input::Query,
        reply::Reply,
        shell::Notice,
    },
};

const ROWS: i64 = 50;
/// The most that one form changes.
pub const AT_ONCE: usize = 10_000;
const PAGE: &str = "affiliates";
/// Columns that can be chosen: word, label, whether one can sort by it.
const COLUMNS: [(&str, &str, bool); 10] = [
    ("email", "E-mail", false),
    ("code", "Code", false),
    ("status", "Status", false),
    ("group", "Group", false),
    ("clicks", "Clicks", true),
    ("conversions", "Sales", true),
    ("revenue", "Revenue", true),
    ("unpaid", "Not yet paid", true),
    ("paid", "Paid", true),
    ("joined", "Joined", true),
];
const AT_FIRST: &str = "email,status,clicks,conversions,unpaid,paid,joined";
const FILTERS: [(&str, &str); 4] = [
    ("", "All"),
    ("earning", "Has earnings"),
    ("no-method", "No payment method"),
    ("unpayable", "Approved money, no payment method"),
];

/// What the address asks for.
#[derive(Debug, Clone)]
struct View {
    slug: String,
    status: Option<Status>,
    search: String,
    only: String,
    /// Those of one group.
    group: Option<GroupId>,
    sort: String,
    is_rising: bool,
}

impl View {
    fn read(me: &Caller, query: &Query) -> Result<Self, Failure> {
        let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let status = match get("status").as_str() {
            "all" => None,
            // Looking for somebody or for what is missing, one looks everywhere.
            "" if !get("q").is_empty() || !get("only").is_empty() || !get("group").is_empty() => None,
            "" => Some(Status::Active),
            word => Some(Status::parse(word).map_err(|issue| Failure::field("status", issue.0))?),
        };
        let only = Some(get("only")).filter(|word| FILTERS.iter().any(|(known, _)| known == word));
        let only = only.ok_or_else(|| Failure::field("only", "must be one of earning, no-method, unpayable"))?;
        let sort = Some(get("sort")).filter(|word| COLUMNS.iter().any(|(known, _, sorts)| *sorts && known == word));
        Ok(Self {
            slug: me.program.slug.clone(),
            status,
            search: get("q").trim().chars().take(255).collect(),
            only,
            group: query.get("group").filter(|id| !id.is_empty()).map(failure::id::<id::Group>).transpose()?,
            sort: sort.unwrap_or_else(|| "joined".into()),
            is_rising: get("dir") == "up",
        })
    }

    fn path(&self) -> String {
        format!("/m/{}/affiliates", self.slug)
    }

    fn word(&self) -> &'static str {
        self.status.map_or("all", Status::as_str)
    }

    fn at(&self, path: &str, more: &[(&str, &str)]) -> String {
        let sort = if self.sort == "joined" { "" } else { &self.sort };
        let group = self.group.map(|id| id.to_string()).unwrap_or_default();
        let own = [
            ("status", self.word()),
            ("q", self.search.as_str()),
            ("only", self.only.as_str()),
            ("group", &group),
            ("sort", sort),
            ("dir", if self.is_rising { "up" } else { "" }),
        ];
        address(path, &[&own[..], more].concat())
    }

    fn href(&self) -> String {
        self.at(&self.path(), &[])
    }

    fn tab(&self, status: Option<Status>) -> String {
        Self { status, ..self.clone() }.href()
    }

    /// Sorted by that column; by the one that it is sorted by, the other way round.
    fn sorted(&self, column: &str) -> String {
        let is_rising = self.sort == column && !self.is_rising;
        Self { sort: column.to_owned(), is_rising, ..self.clone() }.href()
    }

    fn asked<'v>(&'v self, like: &'v str) -> Asked<'v> {
        Asked {
            status: self.status.map_or("", Status::as_str),
            like,
            only: &self.only,
            group: self.group.map_or(0, GroupId::raw),
            sort: &self.sort,
            is_rising: self.is_rising,
        }
    }

    fn like(&self) -> String {
        if self.search.is_empty() {
            return String::new();
        }
        let text = self.search.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        format!("%{text}%")
    }
}

pub struct Row {
    pub line: Line,
    pub revenue: Money,
    pub unpaid: Money,
    pub paid: Money,
}

impl Row {
    pub fn new(line: Line, currency: Currency) -> Self {
        Self {
            revenue: currency.of(line.sales_minor),
            unpaid: currency.of(line.unpaid_minor),
            paid: currency.of(line.paid_minor),
            line,
        }
    }
}

impl Row {
    pub fn status(&self) -> &'static str {
        in_words(self.line.status)
    }
}

fn in_words(status: Status) -> &'static str {
    match status {
        Status::Active => "Active",
        Status::Pending => "Pending",
        Status::Blocked => "Blocked",
    }
}

struct Tab {
    href: String,
    label: &'static str,
    count: i64,
    is_here: bool,
}

#[derive(Template)]
#[template(path = "merchant/affiliates.html")]
struct Index {
    view: View,
    tabs: Vec<Tab>,
    rows: Vec<Row>,
    columns: Vec<(&'static str, &'static str, bool)>,
    older: Option<String>,
    newer: Option<String>,
    first: i64,
    last: i64,
    /// Those that are in use.
    groups: Vec<Group>,
    may_manage: bool,
    may_configure: bool,
}

impl Index {
    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|(word, ..)| *word == column)
    }

    fn export(&self) -> String {
        self.view.at(&format!("{}/export", self.view.path()), &[])
    }
}

pub async fn index(me: Reads, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let (view, offset) = (View::read(&me, &query)?, query.window()?.offset);
    let mut tx = app.db.read().await?;
    let like = view.like();
    let mut lines = roster::page(&mut tx, me.program.id, view.asked(&like), ROWS + 1, offset).await?;
    let has_more = lines.len() > usize::try_from(ROWS).unwrap_or(usize::MAX);
    lines.truncate(usize::try_from(ROWS).unwrap_or(usize::MAX));
    let mut tabs = Vec::new();
    for (status, label) in [
        (Some(Status::Active), "Active"),
        (Some(Status::Pending), "Pending"),
        (Some(Status::Blocked), "Blocked"),
        (None, "All"),
    ] {
        let count = totals::affiliates(&mut tx, me.program.id, status).await?;
        tabs.push(Tab { href: view.tab(status), label, count, is_here: view.status == status });
    }
    let mut groups = groups::of(&mut tx, me.program.id).await?;
    groups.retain(|group| group.archived_at.is_none());
    let chosen = match account(&me) {
        Some(account) => roster::columns(&mut tx, account, PAGE).await?,
        None => None,
    };
    let chosen = chosen.unwrap_or_else(|| AT_FIRST.into());
    let columns = COLUMNS.into_iter().filter(|(word, ..)| chosen.split(',').any(|one| one == *word)).collect();
    let page = |at: i64| view.at(&view.path(), &[("offset", &at.to_string())]);
    Ok(Reply::page(Index {
        tabs,
        columns,
        older: has_more.then(|| page(offset + ROWS)),
        newer: (offset > 0).then(|| page((offset - ROWS).max(0))),
        first: offset + 1,
        last: offset + i64::try_from(lines.len()).unwrap_or(0),
        rows: lines.into_iter().map(|line| Row::new(line, me.program.currency)).collect(),
        view,
        groups,
        may_manage: me.grants.allow(Permission::Affiliates),
        may_configure: me.grants.allow(Permission::Settings),
    }))
}

/// What is listed, as a file.
pub async fn export(me: Reads, State(app): State<App>, query: Query) -> Result<Response, Failure> {
    let view = View::read(&me, &query)?;
    let mut tx = app.db.read().await?;
    let like = view.like();
    let (lines, is_cut) = csv::cut(roster::page(&mut tx, me.program.id, view.asked(&like), csv::MOST + 1, 0).await?);
    let currency = me.program.currency;
    let mut sheet = Sheet::new(&[
        "id",
        "name",
        "email",
        "code",
        "status",
        "joined",
        "clicks",
        "conversions",
        "currency",
        "revenue",
        "unpaid",
        "paid",
        "paymentMethod",
        "group",
    ])?;
    for line in lines {
        let amount = |minor: i64| currency.of(minor).to_string();
        sheet.row(&[
            line.id.to_string(),
            csv::text(&line.name),
            csv::text(&line.email),
            csv::text(&line.code),
            line.status.to_string(),
            line.created_at.to_string(),
            line.clicks.to_string(),
            line.conversions.to_string(),
            currency.code().to_owned(),
            amount(line.sales_minor),
            amount(line.unpaid_minor),
            amount(line.paid_minor),
            line.payment_method.map(|method| method.to_string()).unwrap_or_default(),
            csv::text(line.group_name.as_deref().unwrap_or_default()),
        ])?;
    }
    sheet.end(is_cut)?;
    Ok(sheet.download(&format!("{}-affiliates.csv", view.slug))?.into_response())
}

pub async fn choose(me: Reads, State(app): State<App>, form: Form) -> Result<Reply, Failure> {
    let by = account(&me).ok_or_else(Failure::no_route)?;
    let chosen: Vec<_> = COLUMNS.iter().map(|(word, ..)| *word).filter(|word| form.is("column", word)).collect();
    let chosen = chosen.join(",");
    let kept =
        app.db.write(move |tx| Box::pin(async move { roster::choose_columns(tx, by, PAGE, &chosen).await })).await;
    kept.map_err(|error: crate::store::Error| Failure::from(error))?;
    Ok(Reply::done_here(Notice::done("The table shows the columns you chose.")))
}

#[derive(Template)]
#[template(path = "merchant/affiliate_status.html")]
struct Ask {
    slug: String,
    to: Status,
    title: String,
    rows: Vec<Line>,
    back: String,
}

fn verb(to: Status) -> &'static str {
    match to {
        Status::Active => "Activate",
        Status::Pending => "Pause",
        Status::Blocked => "Block",
    }
}

fn past(to: Status) -> &'static str {
    match to {
        Status::Active => "activated",
        Status::Pending => "paused",
        Status::Blocked => "blocked",
    }
}

impl Ask {
    fn status(line: &Line) -> &'static str {
        in_words(line.status)
    }

    /// What it means, before it is done.
    fn meaning(&self) -> &'static str {
        match self.to {
            Status::Active => "Their links count, they earn, and what they have earned can be approved.",
            Status::Pending => {
                "Their links still count and sales are still credited, but nothing of it can be approved until they are active again."
            }
            Status::Blocked => {
                "Their links lead to your landing page without counting, and no further sale is credited. What they have earned stays theirs."
            }
        }
    }
}

fn wanted<'i>(to: &str, ids: impl Iterator<Item = &'i str>) -> Result<(Status, Vec<AffiliateId>), Failure> {
    let to = Status::parse(to).map_err(|issue| Failure::field("to", issue.0))?;
    let ids = ids.take(AT_ONCE).map(crate::web::failure::id::<id::Affiliate>).collect::<Result<Vec<_>, _>>()?;
    Ok((to, ids))
}

/// Where a form of several leads when it is done: only back into the list.
pub fn back(me: &Caller, given: &str) -> String {
    let own = format!("/m/{}/affiliates", me.program.slug);
    let is_below = given.strip_prefix(&own).is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '/']));
    if is_below && !given.contains(['\\', '\n', '\r', '\t']) { given.to_owned() } else { own }
}

/// Says what a status means for those it is for, and asks.
pub async fn ask(me: ManagesAffiliates, State(app): State<App>, query: Query) -> Result<Reply, Failure> {
    let (to, ids) = wanted(query.get("to").unwrap_or_default(), query.all("id"))?;
    let back = back(&me, query.get("back").unwrap_or_default());
    if ids.is_empty() {
        return Ok(Reply::done(back, Notice::problem("Tick the affiliates first, then say what to do with them.")));
    }
    let mut tx = app.db.read().await?;
    let mut rows = Vec::new();
    for id in ids {
        let found = roster::one(&mut tx, me.program.id, id).await?;
        rows.push(found.ok_or_else(|| Failure::not_found("affiliate"))?);
    }
    let title = match rows.as_slice() {
        [one] => format!("{} {}", verb(to), one.name),
        many => {
            let count = i64::try_from(many.len()).unwrap_or(i64::MAX);
            format!("{} {}", verb(to), counted(super::style(&mut tx, &me).await?, count, "affiliate"))
        }
    };
    Ok(Reply::page(Ask { slug: me.program.slug.clone(), to, title, rows, back }))
}

pub async fn set(me: ManagesAffiliates, State(app): State<App>, form: Form) -> Result<Reply, Failure> {
    let (to, ids) = wanted(form.get("to"), form.all("id"))?;
    let back = back(&me, form.get("back"));
    let style = super::style(&mut *app.db.read().await?, &me).await?;
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let act = me.act(&app);
    app.db
        .write::<_, Refusal, _>(move |tx| {
            Box::pin(async move {
                let mut ids = ids;
                // In one order, so that two who do the same do not meet half-way.
                ids.sort_unstable();
                ids.dedup();
                for id in ids {
                    flow::edit(tx, &act, id, Edit { status: Some(to), ..Edit::default() }).await?;
                }
                Ok(())
            })
        })
        .await?;
    Ok(Reply::done(back, Notice::done(format!("{} {}.", counted(style, count, "affiliate"), past(to)))))
}
