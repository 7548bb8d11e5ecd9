//! Payments coming in: which providers tell of sales, and connecting them.

use askama::Template;
use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
};

use super::{
    caller::{Caller, HoldsKeys, Reads},
    confirm::Confirmed,
    failure::Failure,
    filters,
    form::Form,
    input::path_parameter,
    provider_inbox::Row,
    reply::Reply,
    shell::Notice,
};
use crate::{
    app::App,
    domain::{
        id::Id,
        providers::{Provider, State as Outcome, signature},
        role::Permission,
        time::Time,
    },
    flows::{
        Refusal,
        provider_connections::{self, OVERLAP_HOURS},
    },
    store::{
        provider_events,
        providers::{self, Connection},
    },
};

/// Events that the first page shows.
const LATEST: i64 = 8;
/// Those that failed are counted up to here.
const MANY: i64 = 100;
const MODES: [(&str, &str); 2] =
    [("live", "Live: what it tells counts"), ("test", "For tests: what it tells in test mode counts too")];

/// The provider that the address names.
pub struct PathProvider(Provider);

impl FromRequestParts<App> for PathProvider {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let word = path_parameter(parts, app, "provider").await?;
        Provider::parse(&word).map(Self).map_err(|_| Failure::no_route())
    }
}

struct Line {
    provider: Provider,
    connection: Option<Connection>,
    last: Option<Time>,
}

impl Line {
    fn state(&self) -> (&'static str, &'static str) {
        match &self.connection {
            Some(connection) if connection.is_test => ("warn", "For tests"),
            Some(_) => ("ok", "Connected"),
            None => ("", "Not connected"),
        }
    }
}

#[derive(Template)]
#[template(path = "payments/index.html")]
struct Index {
    slug: String,
    lines: Vec<Line>,
    events: Vec<Row>,
    failed: i64,
    may_connect: bool,
}

fn is_on(connection: &Connection) -> bool {
    connection.secret.is_some()
}

/// `GET /m/{program}/payments`
pub async fn index(me: Reads, State(app): State<App>) -> Result<Reply, Failure> {
    let (mut tx, program) = (app.db.read().await?, me.program.id);
    let known = providers::all(&mut tx, program).await?;
    let mut lines = Vec::new();
    for provider in Provider::ALL {
        let connection = known.iter().find(|one| one.provider == provider && is_on(one)).cloned();
        let last = provider_events::last(&mut tx, program, provider).await?.map(|event| event.received_at);
        lines.push(Line { provider, connection, last });
    }
    let events = provider_events::page(&mut tx, program, None, None, Id::new(i64::MAX), LATEST).await?;
    let failed = provider_events::count(&mut tx, program, Outcome::Failed, MANY).await?;
    Ok(Reply::page(Index {
        slug: me.program.slug.clone(),
        lines,
        events: events.into_iter().map(Row::new).collect(),
        failed,
        may_connect: me.grants.allow(Permission::Keys),
    }))
}

#[derive(Template)]
#[template(path = "payments/provider.html")]
struct Show {
    slug: String,
    provider: Provider,
    address: String,
    connection: Option<Connection>,
    /// The secret before still counts until then.
    overlap: Option<Time>,
    last: Option<Time>,
    form: Form,
}

impl Show {
    fn is_own(&self) -> bool {
        self.provider == Provider::Generic
    }

    /// Where in the provider's own pages this is done.
    fn place(&self) -> &'static str {
        match self.provider {
            Provider::Stripe => {
                "In Stripe, open Workbench, Webhooks, and add a destination for your account with this address:"
            }
            Provider::Paddle => {
                "In Paddle, open Developer tools, Notifications, and add a webhook destination with this address:"
            }
            Provider::LemonSqueezy => "In Lemon Squeezy, open Settings, Webhooks, and add one with this address:",
            Provider::Polar => {
                "In Polar, open Settings, Webhooks, and add an endpoint in the raw format with this address:"
            }
            Provider::Generic => "Your server sends each event as JSON with POST to this address:",
        }
    }

    /// Where the provider shows the secret.
    fn secret_hint(&self) -> &'static str {
        match self.provider {
            Provider::Stripe => "Stripe shows it on the destination’s page; it begins with whsec_.",
            Provider::Paddle => "Paddle shows it when you edit the destination, as “Secret key”; it begins with pdl_.",
            Provider::LemonSqueezy => {
                "The one that you typed there as “Signing secret”: 8 characters or more, hard to guess."
            }
            Provider::Polar | Provider::Generic => "The endpoint’s secret, as it is shown there.",
        }
    }

    /// What a sale must carry to be somebody's.
    fn evidence(&self) -> &'static str {
        match self.provider {
            Provider::Stripe => {
                "Give the checkout the click’s id as client_reference_id, or click_id or referral_code as metadata."
            }
            Provider::Paddle | Provider::LemonSqueezy => "Give the checkout click_id or referral_code as custom data.",
            Provider::Polar => "Give the checkout click_id or referral_code as metadata.",
            Provider::Generic => {
                "Send clickId or referralCode with the first sale; later ones are found by the customer or subscription."
            }
        }
    }
}

async fn page(me: &Caller, app: &App, provider: Provider, form: Form) -> Result<Show, Failure> {
    let (mut tx, program) = (app.db.read().await?, me.program.id);
    let connection = providers::of(&mut tx, program, provider).await?.filter(is_on);
    let last = provider_events::last(&mut tx, program, provider).await?.map(|event| event.received_at);
    let now = app.clock.now();
    Ok(Show {
        slug: me.program.slug.clone(),
        provider,
        address: format!("{}hooks/{}/{provider}", app.config.base_url, me.program.slug),
        overlap: connection.as_ref().and_then(|one| one.previous_until).filter(|until| now < *until),
        connection,
        last,
        form,
    })
}

/// `GET /m/{program}/payments/{provider}`
pub async fn show(
    me: HoldsKeys,
    _: Confirmed,
    State(app): State<App>,
    PathProvider(provider): PathProvider,
) -> Result<Reply, Failure> {
    let mut shown = page(&me, &app, provider, Form::default()).await?;
    let mode = if shown.connection.as_ref().is_some_and(|one| one.is_test) { "test" } else { "live" };
    shown.form = Form::of(&[("mode", mode)]);
    Ok(Reply::page(shown))
}

#[derive(Template)]
#[template(path = "payments/secret.html")]
struct Made {
    slug: String,
    address: String,
    secret: String,
}

/// `POST /m/{program}/payments/{provider}`: connects it, or replaces its secret. For a server of the merchant's own
/// the secret is made here, and shown this once.
pub async fn connect(
    me: HoldsKeys,
    _: Confirmed,
    State(app): State<App>,
    PathProvider(provider): PathProvider,
    mut form: Form,
) -> Result<Reply, Failure> {
    let is_test = form.get("mode") == "test";
    let is_own = provider == Provider::Generic;
    let secret = if is_own { signature::new_secret(rand::random()) } else { form.get("secret").trim().to_owned() };
    if secret.is_empty() {
        form.wrong("secret", "is needed");
        return Ok(Reply::invalid(page(&me, &app, provider, form).await?));
    }
    let before =
        providers::of(&mut *app.db.read().await?, me.program.id, provider).await?.is_some_and(|one| is_on(&one));
    let (act, given) = (me.act(&app), secret.clone());
    let connected = app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move { provider_connections::connect(tx, &act, provider, &given, is_test).await })
    });
    if let Err(refusal) = connected.await {
        form.refused(refusal)?;
        return Ok(Reply::invalid(page(&me, &app, provider, form).await?));
    }
    if is_own {
        let address = format!("{}hooks/{}/{provider}", app.config.base_url, me.program.slug);
        return Ok(Reply::secret(Made { slug: me.program.slug.clone(), address, secret }));
    }
    let words = if before {
        format!("Saved. A secret that was replaced still counts for {OVERLAP_HOURS} hours.")
    } else {
        format!("{} is connected. Its first event appears here as soon as it comes.", provider.label())
    };
    Ok(Reply::done(format!("/m/{}/payments", me.program.slug), Notice::done(words)))
}

/// `POST /m/{program}/payments/{provider}/disconnection`
pub async fn disconnect(
    me: HoldsKeys,
    _: Confirmed,
    State(app): State<App>,
    PathProvider(provider): PathProvider,
) -> Result<Reply, Failure> {
    let act = me.act(&app);
    let cut = app.db.write::<_, Refusal, _>(move |tx| {
        Box::pin(async move { provider_connections::disconnect(tx, &act, provider).await })
    });
    cut.await?;
    let words = format!("{} is disconnected: what it sends is refused. What it told before stays.", provider.label());
    Ok(Reply::done(format!("/m/{}/payments", me.program.slug), Notice::done(words)))
}
