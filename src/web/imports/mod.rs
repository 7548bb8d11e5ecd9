//! Choosing a file of affiliates or of sales that another tool exported. It is kept for a day to be looked at; nothing
//! is written of it before somebody confirms what it would do.

pub mod look;

use askama::Template;
use axum::extract::State;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::{
    caller::{Caller, ManagesAffiliates, Tracks},
    desk,
    failure::Failure,
    filters,
    form::Form,
    reply::Reply,
    upload::{Large, Upload},
};
use crate::{
    app::App,
    domain::{
        imports::{self as domain, Kind, MOST_ROWS, Status, table, tool::Tool},
        key::hex,
        role::Permission,
        text,
        time::Time,
    },
    flows::imports::{self as flow, Rows},
    store::{
        self,
        imports::{self as stored, Import, New},
    },
};

/// As many of a program's files as are listed.
const RECENT: i64 = 10;
const NAME_LENGTH: usize = 120;
/// Hours that a file is kept that nobody confirms.
const KEPT_HOURS: i64 = 24;

/// Who may write such rows: who may make affiliates, and who may record sales.
const fn needs(kind: Kind) -> Permission {
    match kind {
        Kind::Affiliates => Permission::Affiliates,
        Kind::Sales => Permission::Track,
    }
}

#[derive(Template)]
#[template(path = "imports/choose.html")]
struct Choose {
    slug: String,
    kind: Kind,
    form: Form,
    recent: Vec<Import>,
    may: [bool; 2],
    /// Rows of a file.
    most: i64,
}

impl Choose {
    async fn load(app: &App, me: &Caller, kind: Kind, form: Form) -> Result<Self, Failure> {
        let recent = stored::recent(&mut *app.db.ask().await?, me.program.id, kind, RECENT).await?;
        let now = app.clock.now();
        Ok(Self {
            slug: me.program.slug.clone(),
            kind,
            form,
            recent: recent.into_iter().filter(|import| is_there(import, now)).collect(),
            may: [Kind::Affiliates, Kind::Sales].map(|kind| me.grants.allow(needs(kind))),
            most: i64::try_from(MOST_ROWS).unwrap_or(i64::MAX),
        })
    }

    fn is_sales(&self) -> bool {
        self.kind == Kind::Sales
    }

    /// Value and words of the choice of a tool.
    fn tools() -> Vec<(&'static str, &'static str)> {
        let guess = ("", "Tell by the columns’ names");
        std::iter::once(guess).chain(Tool::ALL.map(|tool| (tool.as_str(), tool.label()))).collect()
    }
}

/// Not one that was chosen, never confirmed, and is thrown away any minute.
fn is_there(import: &Import, now: Time) -> bool {
    import.status != Status::Open || now < import.created_at.plus_seconds(KEPT_HOURS * 3_600)
}

/// `GET /m/{program}/affiliates/import`
pub async fn affiliates(me: ManagesAffiliates, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::page(Choose::load(&app, &me, Kind::Affiliates, Form::default()).await?))
}

/// `GET /m/{program}/sales/import`
pub async fn sales(me: Tracks, State(app): State<App>) -> Result<Reply, Failure> {
    Ok(Reply::page(Choose::load(&app, &me, Kind::Sales, Form::default()).await?))
}

/// `POST /m/{program}/affiliates/import`
pub async fn choose_affiliates(
    me: ManagesAffiliates,
    State(app): State<App>,
    Large(upload): Large,
) -> Result<Reply, Failure> {
    choose(&app, &me, Kind::Affiliates, upload).await
}

/// `POST /m/{program}/sales/import`
pub async fn choose_sales(me: Tracks, State(app): State<App>, Large(upload): Large) -> Result<Reply, Failure> {
    choose(&app, &me, Kind::Sales, upload).await
}

async fn choose(app: &App, me: &Caller, kind: Kind, upload: Option<Upload>) -> Result<Reply, Failure> {
    let Some(Upload { mut form, file, file_name }) = upload else {
        let mut form = Form::default();
        form.wrong("file", "is larger than 4 MB: split it");
        return Ok(Reply::invalid(Choose::load(app, me, kind, form).await?));
    };
    let tool = form.read_filled("tool", Tool::parse);
    let Some(bytes) = file else {
        form.wrong("file", "must be chosen: a CSV that has a row for each");
        return Ok(Reply::invalid(Choose::load(app, me, kind, form).await?));
    };
    let account = desk::account(me).ok_or_else(Failure::no_route)?;
    let act = me.act(app);
    let (in_minor_units, currency, now) = (form.is("amounts", "minor"), me.program.currency, act.now);
    let (id, program) = (act.id(), me.program.id);
    let made = spawn_blocking(move || {
        let file = table::text(&bytes)?;
        let tool = tool.unwrap_or_else(|| domain::guess(&file, kind));
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let digest = hex(&digest);
        let file_name = called(file_name.as_deref());
        let new = New { id, program, account, kind, tool, file_name, digest, in_minor_units, file };
        // One that cannot be read at all is not kept.
        Rows::read(&new.file, &flow::unread(&new, now), currency).map(|_| new)
    });
    match made.await.map_err(|_| Failure::internal())? {
        Ok(new) => {
            app.db
                .write::<_, store::Error, _>(move |tx| Box::pin(async move { stored::create(tx, &new).await }))
                .await?;
            Ok(Reply::Go(format!("/m/{}/imports/{id}", me.program.slug)))
        }
        Err(unreadable) => {
            form.wrong("file", unreadable.to_string());
            Ok(Reply::invalid(Choose::load(app, me, kind, form).await?))
        }
    }
}

/// The file's own name, without where it lay.
fn called(name: Option<&str>) -> String {
    let name = name.unwrap_or_default().rsplit(['/', '\\']).next().unwrap_or_default().trim();
    let name = if name.is_empty() || text::printable(name).is_err() { "file.csv" } else { name };
    text::cut(name, NAME_LENGTH).to_owned()
}
