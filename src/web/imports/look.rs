//! A file that was chosen: what it would do, what it is doing, what it did.

use std::sync::Arc;

use askama::Template;
use axum::{extract::State, response::Response};
use tokio::task::spawn_blocking;
use url::Url;

use super::{KEPT_HOURS, is_there, needs};
use crate::{
    app::App,
    domain::{
        id::{self, ImportId},
        imports::{Bad, Kind, Status, tool::Tool},
        money::Money,
        role::Permission,
    },
    flows::{
        Refusal,
        imports::{self as flow, Confirmation, Look, Made, Rows},
    },
    store::{
        self,
        imports::{self as stored, Import},
    },
    web::{
        caller::{Caller, Reads},
        csv, desk,
        failure::Failure,
        filters,
        form::Form,
        input::PathId,
        reply::Reply,
        shell::Notice,
    },
};

/// As many wrong cells as a page shows; a file has the rest.
const SHOWN: usize = 20;

/// A row as it would be.
struct First {
    made: Made,
    amount: Option<Money>,
    commission: Option<Money>,
}

/// What a file would do.
#[derive(Template)]
#[template(path = "imports/look.html")]
struct Dry {
    slug: String,
    import: Import,
    look: Look,
    first: Vec<First>,
    sold: Money,
    earned: Money,
    /// Wrong cells beyond those that are shown.
    more: i64,
    hours: i64,
    rows: i64,
    used: Vec<(String, &'static str)>,
    unused: Vec<String>,
    /// Parameters of old links, and those of them that the program does not read yet.
    parameters: Vec<String>,
    new: Vec<String>,
    has_room: bool,
    /// A link of the old tool as it would go on working.
    example: Option<String>,
    may_configure: bool,
    form: Form,
}

impl Dry {
    fn is_sales(&self) -> bool {
        self.import.kind == Kind::Sales
    }

    fn added(&self) -> &'static str {
        self.import.kind.noun(self.look.added)
    }

    fn shown(&self) -> &[Bad] {
        &self.look.bad[..self.look.bad.len().min(SHOWN)]
    }

    fn leave_out(&self) -> String {
        let rows = if self.look.bad_rows == 1 { "row" } else { "rows" };
        format!("Leave out {} {rows} that cannot be used", self.look.bad_rows)
    }
}

/// A file that is being written or was.
#[derive(Template)]
#[template(path = "imports/done.html")]
struct Done {
    slug: String,
    import: Import,
    bad: Vec<Bad>,
    is_more: bool,
}

impl Done {
    fn is_sales(&self) -> bool {
        self.import.kind == Kind::Sales
    }

    fn is_running(&self) -> bool {
        self.import.status == Status::Running
    }

    fn added(&self) -> &'static str {
        self.import.kind.noun(self.import.added)
    }
}

/// The file, if the reader may write such rows.
async fn find(app: &App, me: &Caller, id: ImportId) -> Result<Import, Failure> {
    let found = stored::by_id(&mut *app.db.ask().await?, id).await?;
    let found = found.filter(|import| import.program_id == me.program.id && is_there(import, app.clock.now()));
    let import = found.ok_or_else(|| Failure::not_found("import"))?;
    if !me.grants.allow(needs(import.kind)) {
        return Err(Failure::not_found("import"));
    }
    let may_pay = if import.status == Status::Open { me.grants.allow(Permission::Payouts) } else { import.may_pay };
    Ok(Import { may_pay, ..import })
}

struct Seen {
    rows: Arc<Rows>,
    look: Look,
    new: Vec<String>,
    has_room: bool,
}

/// What the file would do now: read away from where requests are served, and all at one moment.
async fn look(app: &App, me: &Caller, import: &Import) -> Result<Seen, Failure> {
    let text = stored::file(&mut *app.db.ask().await?, import.id).await?;
    let text = text.ok_or_else(|| Failure::not_found("import"))?;
    let (import, currency, program) = (import.clone(), me.program.currency, me.program.id);
    let as_of = import.clone();
    let rows = spawn_blocking(move || Rows::read(&text, &as_of, currency));
    // It could be read when it was chosen.
    let rows = rows.await.map_err(|_| Failure::internal())?.map_err(|_| Failure::internal())?;
    let rows = Arc::new(rows);
    let (theirs, found) = (Arc::clone(&rows), rows.parameters(import.tool));
    let seen = app.db.snapshot(move |tx| {
        Box::pin(async move {
            let look = flow::look(tx, program, &import, &theirs).await?;
            let (new, has_room) = flow::new_parameters(tx, program, &found).await?;
            Ok((look, new, has_room))
        })
    });
    let (look, new, has_room) = seen.await?;
    Ok(Seen { rows, look, new, has_room })
}

/// A landing address with the first old code in it.
fn example(me: &Caller, parameters: &[String], first: &[Made]) -> Option<String> {
    let code = first.iter().find_map(|made| made.codes.first())?;
    let mut url = me.program.landing_url.as_ref().map(Url::as_str).and_then(|url| Url::parse(url).ok())?;
    url.query_pairs_mut().append_pair(parameters.first()?, code);
    Some(url.into())
}

fn page(me: &Caller, import: Import, seen: Seen, form: Form) -> Dry {
    let Seen { rows, mut look, new, has_room } = seen;
    let money = |minor: i64| me.program.currency.of(minor);
    let (used, unused) = rows.columns();
    let parameters = rows.parameters(import.tool);
    let good = look.added + look.known;
    let first = |made: Made| First { amount: made.amount.map(money), commission: made.commission.map(money), made };
    Dry {
        slug: me.program.slug.clone(),
        sold: money(look.sold),
        earned: money(look.earned),
        more: i64::try_from(look.bad.len().saturating_sub(SHOWN)).unwrap_or(i64::MAX),
        hours: KEPT_HOURS,
        rows: good + look.bad_rows,
        used: used.to_vec(),
        unused: unused.to_vec(),
        example: example(me, &parameters, &look.first),
        first: std::mem::take(&mut look.first).into_iter().map(first).collect(),
        parameters,
        new,
        has_room,
        may_configure: me.grants.allow(Permission::Settings),
        import,
        look,
        form,
    }
}

/// `GET /m/{program}/imports/{id}`
pub async fn show(me: Reads, State(app): State<App>, PathId(id): PathId<id::Import>) -> Result<Reply, Failure> {
    let import = find(&app, &me, id).await?;
    if import.status == Status::Open {
        let seen = look(&app, &me, &import).await?;
        return Ok(Reply::page(page(&me, import, seen, Form::default())));
    }
    let most = i64::try_from(SHOWN).unwrap_or(0);
    let mut bad = stored::noted(&mut *app.db.ask().await?, id, most + 1).await?;
    let is_more = bad.len() > SHOWN;
    bad.truncate(SHOWN);
    Ok(Reply::page(Done { slug: me.program.slug.clone(), import, bad, is_more }))
}

/// `POST /m/{program}/imports/{id}`: writes it as it was looked at, or not at all.
pub async fn confirm(
    me: Reads,
    State(app): State<App>,
    PathId(id): PathId<id::Import>,
    mut form: Form,
) -> Result<Reply, Failure> {
    let import = find(&app, &me, id).await?;
    let here = format!("/m/{}/imports/{id}", me.program.slug);
    if import.status != Status::Open {
        return Ok(Reply::Go(here));
    }
    let seen = look(&app, &me, &import).await?;
    let is_as_seen = |name: &str, now: i64| form.get(name) == now.to_string();
    let (added, bad_rows) = (seen.look.added, seen.look.bad_rows);
    if !is_as_seen("added", added) || !is_as_seen("bad", bad_rows) {
        form.wrong("import", "is not as you saw it: something changed meanwhile, so look at it again");
    } else if added + seen.look.mended == 0 {
        form.wrong("import", "would change nothing: there is no good row that is new");
    }
    if bad_rows > 0 && !form.is_checked("leave_out") {
        form.wrong("leave_out", "must be ticked, or the file put right and chosen again");
    }
    if form.is_good() {
        let said = Confirmation {
            may_pay: me.grants.allow(Permission::Payouts),
            may_configure: me.grants.allow(Permission::Settings),
            invites: import.kind == Kind::Affiliates && form.is_checked("invite"),
        };
        let (act, rows, begun) = (me.act(&app), Arc::clone(&seen.rows), import.clone());
        let work = app.db.write(move |tx| Box::pin(async move { flow::begin(tx, &act, &begun, &rows, said).await }));
        match work.await {
            Ok(()) => {
                desk::forget_sums(&app, me.program.id);
                app.caches.sites.forget(&me.program.id);
                return Ok(Reply::Go(here));
            }
            Err(Refusal::Store(error)) => return Err(Refusal::Store(error).into()),
            Err(refusal) => form.refused(refusal)?,
        }
    }
    Ok(Reply::invalid(page(&me, import, seen, form)))
}

/// `POST /m/{program}/imports/{id}/discard`
pub async fn discard(me: Reads, State(app): State<App>, PathId(id): PathId<id::Import>) -> Result<Reply, Failure> {
    let import = find(&app, &me, id).await?;
    let gone = app.db.write::<_, store::Error, _>(move |tx| Box::pin(stored::discard(tx, id)));
    if !gone.await? {
        return Ok(Reply::Go(format!("/m/{}/imports/{id}", me.program.slug)));
    }
    let back = format!("/m/{}/{}/import", me.program.slug, import.kind);
    Ok(Reply::done(back, Notice::done("The file is thrown away. Nothing of it was written.")))
}

/// `GET /m/{program}/imports/{id}/rows.csv`: everything that is wrong.
pub async fn bad_rows(me: Reads, State(app): State<App>, PathId(id): PathId<id::Import>) -> Result<Response, Failure> {
    let import = find(&app, &me, id).await?;
    let bad = match import.status {
        Status::Open => look(&app, &me, &import).await?.look.bad,
        Status::Running | Status::Done => stored::noted(&mut *app.db.ask().await?, id, csv::MOST).await?,
    };
    let mut sheet = csv::Sheet::new(&["line", "column", "value", "reason"])?;
    for Bad { line, column, value, why } in bad {
        sheet.row(&[line.to_string(), csv::text(&column), csv::text(&value), csv::text(&why)])?;
    }
    sheet.download(&format!("{id}-rows.csv"))
}
