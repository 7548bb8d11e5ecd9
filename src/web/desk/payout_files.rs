//! A payout's files: which there are and what each cannot carry, one to download, and what a bank or a provider says
//! came of it. All is read at one moment and made apart, so that nobody waits to write meanwhile.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use tokio::task::spawn_blocking;

use super::{forget_sums, payouts::invalid};
use crate::{
    app::App,
    domain::{
        id::{self, Id, PayoutId, PayoutLineId},
        money::Money,
        payout::{LineStatus, Settings, Status},
        payout_files::{self, File, Format, Plan, results},
        program::Program,
        time::Time,
    },
    flows::{Refusal, payment_details, payout_decisions, payouts as flow},
    store::{
        payout_lines::{self, Line},
        payouts::{self, Payout},
    },
    web::{
        caller::Pays,
        csv::attachment,
        failure::Failure,
        filters,
        form::Form,
        input::{PathId, Query, path_parameter},
        reply::Reply,
        shell::Notice,
        upload::{Large, Upload},
    },
};

/// As many lines as are read in one go.
const STEP: i64 = 500;
/// As many left-out lines of a format as are named.
const NAMED: usize = 50;

/// A line with what files say of it.
struct Carried {
    /// As files carry it.
    id: String,
    details: String,
    line: Line,
}

/// A run with all that its files need.
struct Source {
    program: Arc<Program>,
    run: Payout,
    id: String,
    settings: Settings,
    lines: Vec<Carried>,
    /// How many of the lines are marked as paid.
    paid: i64,
}

impl Source {
    /// The run with those of its lines that `is_wanted` takes, which is told where the run stands and the line.
    async fn read(
        app: &App,
        program: &Arc<Program>,
        id: PayoutId,
        is_wanted: fn(Status, LineStatus) -> bool,
    ) -> Result<Self, Failure> {
        let (program, secret) = (Arc::clone(program), Arc::clone(&app.secret));
        let read = app.db.snapshot(move |tx| {
            Box::pin(async move {
                let Some(run) = payouts::by_id(tx, program.id, id).await? else { return Ok(None) };
                let settings = payouts::settings(tx, program.id).await?;
                let paid = payout_lines::counts(tx, id).await?.paid;
                let (mut lines, mut above) = (Vec::new(), Id::new(0));
                loop {
                    let some = payout_lines::all(tx, id, None, above, STEP).await?;
                    let Some(last) = some.last() else { break };
                    above = last.id;
                    for line in some.into_iter().filter(|line| is_wanted(run.status, line.status)) {
                        let details = payment_details::open(&secret, line.affiliate_id, &line.sealed_details)?;
                        lines.push(Carried { id: line.id.to_string(), details, line });
                    }
                }
                Ok(Some(Self { program, id: id.to_string(), run, settings, lines, paid }))
            })
        });
        read.await?.ok_or_else(|| Failure::not_found("payout"))
    }

    /// What `work` makes of the run as files have it, to be paid on that day; away from where requests are served.
    async fn with<T: Send + 'static>(
        self,
        execute_on: Time,
        work: impl FnOnce(payout_files::Run<'_>, &Settings) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let done = spawn_blocking(move || {
            let mut lines = Vec::with_capacity(self.lines.len());
            for Carried { id, details, line } in &self.lines {
                lines.push(payout_files::Line {
                    id,
                    name: &line.name,
                    email: &line.email,
                    method: line.method,
                    details,
                    amount: line.amount_minor,
                    note: "",
                });
            }
            let (program, currency) = (self.program.name.as_str(), self.run.currency);
            let run = payout_files::Run { program, id: &self.id, currency, execute_on, lines: &lines };
            work(run, &self.settings)
        });
        done.await.map_err(|_| Failure::internal())
    }
}

/// A format, what its files carry, and whom they cannot carry and why.
struct Offer {
    format: Format,
    parts: usize,
    count: i64,
    sum: Money,
    left_out: Vec<(String, String)>,
    /// How many more are left out than are named.
    more: usize,
    needs_payer: bool,
}

impl Offer {
    fn of(format: Format, run: payout_files::Run<'_>, has_payer: bool) -> Self {
        let plan = Plan::of(format, run);
        let (count, sum) = plan.carried();
        let named = plan.left_out.iter().take(NAMED).map(|out| (out.line.name.to_owned(), out.why.to_string()));
        Self {
            format,
            parts: plan.files(),
            count: i64::try_from(count).unwrap_or(i64::MAX),
            sum: run.currency.of(sum),
            left_out: named.collect(),
            more: plan.left_out.len().saturating_sub(NAMED),
            needs_payer: format == Format::Sepa && !has_payer,
        }
    }

    fn numbers(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.parts
    }
}

#[derive(Template)]
#[template(path = "merchant/payout_files.html")]
struct Index {
    slug: String,
    run: PayoutId,
    amount: Money,
    /// Lines that no file carries, because they are marked as paid.
    left_out: i64,
    offers: Vec<Offer>,
}

/// `GET /m/{program}/payouts/{id}/files`
pub async fn index(me: Pays, State(app): State<App>, PathId(id): PathId<id::Payout>) -> Result<Reply, Failure> {
    let source = Source::read(&app, &me.program, id, Status::carries).await?;
    let amount = me.program.currency.of(source.run.amount_minor);
    let left_out = if source.run.status == Status::Open { source.paid } else { 0 };
    let offers = source
        .with(app.clock.now(), |run, settings| {
            Format::ALL.map(|format| Offer::of(format, run, settings.payer.is_some())).into()
        })
        .await?;
    Ok(Reply::page(Index { slug: me.program.slug.clone(), run: id, amount, left_out, offers }))
}

/// `GET /m/{program}/payouts/{id}/files/{format}`, with `part` where there are several.
pub async fn download(
    me: Pays,
    State(app): State<App>,
    PathId(id): PathId<id::Payout>,
    PathFormat(format): PathFormat,
    query: Query,
) -> Result<Response, Failure> {
    let part = query.get("part").and_then(|part| part.parse::<usize>().ok()).unwrap_or(1).saturating_sub(1);
    let (act, now) = (me.act(&app), app.clock.now());
    let made = Source::read(&app, &me.program, id, Status::carries).await?.with(now, move |run, settings| {
        let payer = settings.payer.as_ref();
        let payer = payer.map(|payer| payout_files::Payer { name: &payer.name, account: &payer.account });
        Plan::of(format, run).write(part, payer, now)
    });
    let file: File = made.await?.map_err(|_| Failure::not_found("file"))?;
    let taken = app
        .db
        .write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::took_file(tx, &act, id, format.label()).await }));
    taken.await?;
    let kind = HeaderValue::from_static(file.media_type);
    let head = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, attachment(&file.name)?)];
    Ok((head, file.bytes).into_response())
}

pub struct PathFormat(Format);

impl FromRequestParts<App> for PathFormat {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let word = path_parameter(parts, app, "format").await?;
        Format::parse(&word).map(Self).map_err(|_| Failure::no_route())
    }
}

/// `POST /m/{program}/payouts/{id}/results`: what the bank or the provider says came of it.
pub async fn results(
    me: Pays,
    State(app): State<App>,
    PathId(id): PathId<id::Payout>,
    Large(upload): Large,
) -> Result<Reply, Failure> {
    let (mut form, text) = match upload {
        Some(Upload { form, file, .. }) => (form, file.and_then(|bytes| String::from_utf8(bytes).ok())),
        None => (Form::default(), None),
    };
    let Some(text) = text else {
        form.wrong("file", "must be a CSV file in UTF-8 of 4 MB at most");
        return invalid(&app, &me, id, form, Vec::new()).await;
    };
    let act = me.act(&app);
    let read = Source::read(&app, &me.program, id, |_, _| true).await?.with(act.now, move |run, _| {
        let read = results::read(&text, run);
        let told = read.lines.into_iter().filter_map(|results::Told { line, row, outcome }| {
            Some(payout_decisions::Told { line: PayoutLineId::parse(line.id).ok()?, row, outcome })
        });
        (told.collect::<Vec<_>>(), read.problems)
    });
    let (told, mut problems) = read.await?;
    let done = app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move { payout_decisions::take_results(tx, &act, id, &told).await })
    });
    let mut taken = match done.await {
        Ok(taken) => taken,
        Err(refusal) => {
            form.refused(refusal)?;
            return invalid(&app, &me, id, form, Vec::new()).await;
        }
    };
    forget_sums(&app, me.program.id);
    problems.append(&mut taken.otherwise);
    if problems.is_empty() {
        return Ok(Reply::done(format!("/m/{}/payouts/{id}", me.program.slug), Notice::done(format!("{taken}."))));
    }
    problems.sort_by_key(|problem| problem.row);
    let problems = problems.iter().map(|problem| format!("Row {} {}", problem.row, problem.why)).collect();
    form.wrong("file", format!("has rows that changed nothing. From the others: {taken}."));
    invalid(&app, &me, id, form, problems).await
}
