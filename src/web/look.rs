//! How a program shows itself: the page on which a merchant chooses it, and the stylesheet and the logo that
//! public pages and those of affiliates carry.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use sha2::{Digest as _, Sha256};

use super::{
    caller::Configures, failure::Failure, filters, form::Form, input::path_parameter, links::ProgramSlug, reply::Reply,
    shell::Notice, upload::Upload,
};
use crate::{
    app::App,
    domain::{
        key::{hex, unhex},
        look::{Colour, Look, Palette, Visibility, logo_kind},
        program::Difference,
    },
    flows::{
        Refusal,
        looks::{self as flow, NewLogo},
    },
    store::looks::{self, Logo},
};

/// Rides on a response: the short name of the program whose page it is.
#[derive(Debug, Clone)]
pub struct Of(pub String);

/// Where a page finds what is the program's own.
#[derive(Debug, Clone, Default)]
pub struct Brand {
    pub styles: Option<String>,
    pub logo: Option<String>,
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)[..8])
}

impl Brand {
    pub fn new(slug: &str, look: &Look) -> Self {
        let styles = look.colour.map(|colour| format!("/brand/{slug}/{}.css", hash(colour.styles().as_bytes())));
        Self { styles, logo: look.logo.as_ref().map(|file| format!("/brand/{slug}/{file}")) }
    }

    /// That of the program with the short name; a page without it is still worth showing.
    pub async fn of(app: &App, slug: &str) -> Self {
        let look = match app.db.read().await {
            Ok(mut tx) => looks::of_slug(&mut tx, slug).await,
            Err(error) => Err(error),
        };
        look.map_or_else(|_| Self::default(), |look| Self::new(slug, &look))
    }
}

pub struct FileName(String);

impl FromRequestParts<App> for FileName {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        path_parameter(parts, app, "file").await.map(Self)
    }
}

/// `GET /brand/{program}/{file}`: a stylesheet or a logo of this very content; every other name is unknown.
pub async fn file(
    State(app): State<App>,
    ProgramSlug(slug): ProgramSlug,
    FileName(file): FileName,
) -> Result<Response, Failure> {
    let (name, kind) = file.split_once('.').ok_or_else(Failure::no_route)?;
    let mut tx = app.db.read().await?;
    let (bytes, media) = match kind {
        "css" => {
            let colour = looks::of_slug(&mut tx, &slug).await?.colour.ok_or_else(Failure::no_route)?;
            let styles = colour.styles().into_bytes();
            if hash(&styles) != name {
                return Err(Failure::no_route());
            }
            (styles, "text/css; charset=utf-8")
        }
        "png" | "jpg" | "webp" => {
            let found = looks::logo(&mut tx, &slug, name, kind).await?.ok_or_else(Failure::no_route)?;
            let bytes = unhex(&found).ok_or_else(Failure::internal)?;
            let media = match kind {
                "png" => "image/png",
                "jpg" => "image/jpeg",
                _ => "image/webp",
            };
            (bytes, media)
        }
        _ => return Err(Failure::no_route()),
    };
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    Ok(response)
}

#[derive(Template)]
#[template(path = "settings/look.html")]
struct Page {
    slug: String,
    logo: Option<String>,
    /// The colour as it is filled in, in both themes.
    previews: Vec<(&'static str, Palette)>,
    form: Form,
}

impl Page {
    fn new(me: &Configures, look: &Look, form: Form) -> Self {
        let shown = Colour::parse(form.get("colour").trim()).ok();
        let previews = shown.map(|colour| vec![("Light", colour.palette(false)), ("Dark", colour.palette(true))]);
        Self {
            slug: me.program.slug.clone(),
            logo: Brand::new(&me.program.slug, look).logo,
            previews: previews.unwrap_or_default(),
            form,
        }
    }

    fn visibilities() -> [(&'static str, &'static str); 3] {
        [Visibility::Hidden, Visibility::Masked, Visibility::Shown].map(|each| (each.as_str(), each.label()))
    }
}

/// `GET /m/{program}/settings/look`
pub async fn show(me: Configures, State(app): State<App>) -> Result<Reply, Failure> {
    let look = looks::of(&mut *app.db.read().await?, me.program.id).await?;
    let colour = look.colour.map(|colour| colour.to_string()).unwrap_or_default();
    let form = Form::of(&[("customers", look.customers.as_str()), ("colour", &colour)]);
    Ok(Reply::page(Page::new(&me, &look, form)))
}

/// `POST /m/{program}/settings/look`: with `preview`, the same page again as it would be.
pub async fn save(me: Configures, State(app): State<App>, upload: Upload) -> Result<Reply, Failure> {
    let Upload { mut form, file, .. } = upload;
    let before = looks::of(&mut *app.db.read().await?, me.program.id).await?;
    let customers = form.read("customers", Visibility::parse);
    let colour = form.read_filled("colour", Colour::parse);
    let logo = match file {
        _ if form.is_checked("no_logo") => NewLogo::Removed,
        None => NewLogo::Kept,
        Some(bytes) => match logo_kind(&bytes) {
            Ok(kind) => NewLogo::Is(Logo { hash: hash(&bytes), kind, file: hex(&bytes) }),
            Err(issue) => {
                form.wrong("logo", issue.0);
                NewLogo::Kept
            }
        },
    };
    let Some(customers) = customers.filter(|_| form.is_good()) else {
        return Ok(Reply::invalid(Page::new(&me, &before, form)));
    };
    if form.is_checked("preview") {
        return Ok(Reply::page(Page::new(&me, &before, form)));
    }
    let act = me.act(&app);
    let after = Look { customers, colour, logo: None };
    let changed = app
        .db
        .write::<_, Refusal, _>(move |tx| Box::pin(async move { flow::change(tx, &act, after, logo).await }))
        .await?;
    Ok(Reply::done(format!("/m/{}/settings", me.program.slug), Notice::done(Difference::told(&changed))))
}
