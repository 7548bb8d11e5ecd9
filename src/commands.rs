//! The commands that do one thing and end. What they print on stdout is for scripts; the rest goes to
//! stderr.

use std::{
    fmt::Display,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand};

use crate::{
    app::App,
    clock::Clock,
    config::Config,
    domain::{
        Issue, code,
        email::Email,
        key::Scope,
        money::{Currency, Rate},
        one_time_link::Purpose,
        program::{self, Program},
        signals, text,
    },
    flows::{
        Act, Actor, Refusal,
        accounts::{self, NewAccount},
        one_time_links::{self, NewLink},
        programs,
    },
    password,
    store::{self, Db, proof},
    web,
};

#[derive(Subcommand)]
pub enum Command {
    /// Apply migrations and exit
    Migrate,
    /// Accounts of people
    #[command(subcommand)]
    User(User),
    /// Affiliate programs
    #[command(subcommand)]
    Program(ProgramCommand),
    /// API keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// Recompute every total, counter and balance from the rows they summarise
    CheckLedger,
    /// Write a consistent copy of the database while serving
    Backup {
        #[arg(env = "OFFSHOOT_BACKUP_FILE")]
        file: PathBuf,
    },
    /// Print the OpenAPI 3.1 document
    Openapi,
}

#[derive(Subcommand)]
pub enum User {
    /// Make an account; without a password, a one-time sign-in link is printed
    Create {
        #[arg(long, env = "OFFSHOOT_EMAIL")]
        email: String,
        #[arg(long, env = "OFFSHOOT_NAME")]
        name: String,
        /// Read the password from standard input
        #[arg(long, env = "OFFSHOOT_PASSWORD_STDIN")]
        password_stdin: bool,
    },
}

#[derive(Subcommand)]
pub enum ProgramCommand {
    /// Make a program; prints its id
    Create {
        /// Its name in addresses
        #[arg(long, env = "OFFSHOOT_SLUG")]
        slug: String,
        #[arg(long, env = "OFFSHOOT_NAME")]
        name: String,
        /// E-mail address of the account that owns it
        #[arg(long, env = "OFFSHOOT_OWNER")]
        owner: String,
        /// ISO 4217 code
        #[arg(long, env = "OFFSHOOT_CURRENCY", default_value = "USD")]
        currency: String,
        #[arg(long, env = "OFFSHOOT_COMMISSION", default_value = "20%")]
        commission: String,
    },
    /// Change a program's settings; what is not named stays
    Set {
        #[arg(long, env = "OFFSHOOT_PROGRAM")]
        program: String,
        #[command(flatten)]
        settings: Box<Change>,
    },
}

#[derive(Subcommand)]
pub enum KeyCommand {
    /// Make a key; it is printed once, alone
    Create {
        #[arg(long, env = "OFFSHOOT_PROGRAM")]
        program: String,
        #[arg(long, env = "OFFSHOOT_NAME")]
        name: String,
        /// full, read or track
        #[arg(long, env = "OFFSHOOT_SCOPE", default_value = "full")]
        scope: String,
        #[arg(long, env = "OFFSHOOT_EXPIRES_IN_DAYS", value_parser = clap::value_parser!(i64).range(1..=3650))]
        expires_in_days: Option<i64>,
    },
    /// A line each: prefix, last four, scope, name, last used
    List {
        #[arg(long, env = "OFFSHOOT_PROGRAM")]
        program: String,
    },
    /// Revoke the one key with that prefix as listed
    Revoke {
        #[arg(long, env = "OFFSHOOT_PROGRAM")]
        program: String,
        #[arg(long, env = "OFFSHOOT_PREFIX")]
        prefix: String,
    },
}

/// What the exit code tells of a command that ran to its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    Fine,
    Failed,
}

type Error = Box<dyn std::error::Error>;

pub async fn run(command: Command, mut config: Config) -> Result<Outcome, Error> {
    match command {
        Command::Openapi => {
            say(web::document_json())?;
            return Ok(Outcome::Fine);
        }
        Command::Backup { file } => return backup(&config, file).await,
        _ => {}
    }
    let begins =
        matches!(command, Command::Migrate | Command::User(_) | Command::Program(ProgramCommand::Create { .. }));
    if !begins {
        must_exist(&config)?;
    }
    let secret = config.secret()?;
    let app = App::open(config, secret, Clock::System).await?;
    let outcome = match command {
        Command::Migrate | Command::Openapi | Command::Backup { .. } => Ok(Outcome::Fine),
        Command::User(User::Create { email, name, password_stdin }) => {
            create_user(&app, &email, name, password_stdin).await
        }
        Command::Program(ProgramCommand::Create { slug, name, owner, currency, commission }) => {
            let new = read_program(&app, slug, name, &currency, &commission)?;
            create_program(&app, new, &owner).await
        }
        Command::Program(ProgramCommand::Set { program, settings }) => {
            let before = find_program(&app, &program).await?;
            let after = settings.apply(&before)?;
            write(&app, before, move |tx, act| Box::pin(async move { programs::change(tx, &act, &after).await }))
                .await?;
            Ok(Outcome::Fine)
        }
        Command::Key(KeyCommand::Create { program, name, scope, expires_in_days }) => {
            text::name(&name).map_err(about("--name"))?;
            let scope = Scope::parse(&scope).map_err(about("--scope"))?;
            let program = find_program(&app, &program).await?;
            let expires = expires_in_days.map(|days| app.clock.now().plus_days(days));
            let made = write(&app, program, move |tx, act| {
                Box::pin(async move { programs::create_key(tx, &act, &name, scope, expires).await })
            });
            say(made.await?.as_str())?;
            Ok(Outcome::Fine)
        }
        Command::Key(KeyCommand::List { program }) => list_keys(&app, &program).await,
        Command::Key(KeyCommand::Revoke { program, prefix }) => {
            let program = find_program(&app, &program).await?;
            write(&app, program, move |tx, act| Box::pin(async move { programs::revoke_key(tx, &act, &prefix).await }))
                .await?;
            Ok(Outcome::Fine)
        }
        Command::CheckLedger => check_ledger(&app.db).await,
    };
    app.db.close().await;
    outcome
}

/// A line on stdout, for scripts.
///
/// # Errors
/// When nobody takes it: a pipe that was closed, a full disk.
pub fn say(line: impl Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}

/// A flag with a value that cannot be.
#[derive(Debug, thiserror::Error)]
#[error("{flag} {issue}")]
pub struct Misused {
    flag: &'static str,
    issue: Issue,
}

fn about(flag: &'static str) -> impl Fn(Issue) -> Misused {
    move |issue| Misused { flag, issue }
}

/// Runs the work in a transaction, in the name of the command line.
async fn write<T, F>(app: &App, program: Arc<Program>, work: F) -> Result<T, Refusal>
where
    T: Send + 'static,
    F: for<'t> FnOnce(&'t mut store::Tx, Act) -> futures_util::future::BoxFuture<'t, Result<T, Refusal>>
        + Send
        + 'static,
{
    let act = app.act(program, Actor::CommandLine);
    app.db.write(move |tx| work(tx, act)).await
}

async fn find_program(app: &App, slug: &str) -> Result<Arc<Program>, Error> {
    let found = store::programs::by_slug(&mut *app.db.read().await?, slug).await?;
    Ok(found.ok_or_else(|| format!("there is no program {slug}"))?.into())
}

async fn create_user(app: &App, email: &str, name: String, password_stdin: bool) -> Result<Outcome, Error> {
    let email = Email::parse(email).map_err(about("--email"))?;
    text::name(&name).map_err(about("--name"))?;
    let mut password_hash = None;
    if password_stdin {
        let mut given = String::new();
        std::io::stdin().take(4_096).read_to_string(&mut given)?;
        let given = given.trim_end_matches(['\r', '\n']).to_owned();
        password::check(&given).map_err(|issue| format!("the password {issue}"))?;
        password_hash = Some(password::hash(given).await.ok_or("the password could not be hashed")?);
    }
    let (ids, secret) = (Arc::clone(&app.ids), Arc::clone(&app.secret));
    let (now, has_password) = (app.clock.now(), password_hash.is_some());
    let new = NewAccount { email, name, password_hash };
    let link = app.db.write(move |tx| {
        Box::pin(async move {
            let id = accounts::create(tx, &ids, now, &new).await?;
            if has_password {
                return Ok(None);
            }
            let link = NewLink::sign_in(id, &new.email);
            Ok::<_, Refusal>(Some(one_time_links::create(tx, &ids, &secret, now, link).await?))
        })
    });
    if let Some(link) = link.await? {
        say(format_args!("{}{}", app.config.base_url, one_time_links::path(&app.secret, Purpose::SignIn, link)))?;
    }
    Ok(Outcome::Fine)
}

fn read_program(app: &App, slug: String, name: String, currency: &str, commission: &str) -> Result<Program, Misused> {
    code::slug(&slug).map_err(about("--slug"))?;
    text::name(&name).map_err(about("--name"))?;
    let currency = Currency::parse(currency).map_err(about("--currency"))?;
    let rate = Rate::parse(commission).map_err(about("--commission"))?;
    Ok(Program { rate, ..programs::new(app.ids.next(app.clock.now()), slug, name, currency) })
}

async fn create_program(app: &App, new: Program, owner: &str) -> Result<Outcome, Error> {
    let email = Email::parse(owner).map_err(about("--owner"))?;
    let owner = store::accounts::by_email(&mut *app.db.read().await?, &email).await?;
    let owner = owner.ok_or("--owner must be the e-mail address of an account (offshoot user create)")?.id;
    let id = new.id;
    write(app, Arc::new(new), move |tx, act| Box::pin(async move { programs::create(tx, &act, owner).await })).await?;
    say(id)?;
    Ok(Outcome::Fine)
}

#[derive(Args)]
pub struct Change {
    #[arg(long, env = "OFFSHOOT_NAME")]
    name: Option<String>,
    /// How long after a click a sale is still credited
    #[arg(long, env = "OFFSHOOT_ATTRIBUTION_DAYS")]
    attribution_days: Option<i64>,
    #[arg(long, env = "OFFSHOOT_COMMISSION")]
    commission: Option<String>,
    /// Where links lead; empty for the program's own page
    #[arg(long, env = "OFFSHOOT_LANDING_URL")]
    landing_url: Option<String>,
    /// Where deep links may lead, separated by commas
    #[arg(long, env = "OFFSHOOT_DOMAINS")]
    domains: Option<String>,
    /// Whether sales by paid ads are held for review: allowed or held
    #[arg(long, env = "OFFSHOOT_ADS")]
    ads: Option<String>,
    /// Hosts whose visitors' sales are held for review, separated by commas
    #[arg(long, env = "OFFSHOOT_BANNED_REFERRERS")]
    banned_referrers: Option<String>,
    /// More sales of one affiliate within an hour are held for review; empty for any number
    #[arg(long, env = "OFFSHOOT_HOURLY_SALES")]
    hourly_sales: Option<String>,
}

impl Change {
    fn apply(self, before: &Program) -> Result<Program, Misused> {
        let mut after = before.clone();
        if let Some(name) = self.name {
            text::name(&name).map_err(about("--name"))?;
            after.name = name;
        }
        if let Some(days) = self.attribution_days {
            after.attribution_days = program::attribution_days(days).map_err(about("--attribution-days"))?;
        }
        if let Some(rate) = self.commission {
            after.rate = Rate::parse(&rate).map_err(about("--commission"))?;
        }
        if let Some(url) = self.landing_url {
            let url = Some(url).filter(|url| !url.is_empty());
            after.landing_url = url.as_deref().map(program::landing_url).transpose().map_err(about("--landing-url"))?;
        }
        if let Some(domains) = self.domains {
            after.domains = program::domains(&domains).map_err(about("--domains"))?;
        }
        if let Some(word) = self.ads {
            after.signals.ads_allowed = match word.as_str() {
                "allowed" => true,
                "held" => false,
                _ => return Err(about("--ads")(Issue::new("must be allowed or held"))),
            };
        }
        if let Some(hosts) = self.banned_referrers {
            let hosts = signals::banned_referrers(&hosts).map_err(about("--banned-referrers"))?;
            after.signals.banned_referrers = hosts;
        }
        if let Some(most) = self.hourly_sales {
            after.signals.hourly_sales = signals::hourly_sales(&most).map_err(about("--hourly-sales"))?;
        }
        Ok(after)
    }
}

async fn list_keys(app: &App, slug: &str) -> Result<Outcome, Error> {
    let program = find_program(app, slug).await?;
    let mut tx = app.db.read().await?;
    for key in store::keys::list(&mut tx, program.id).await? {
        let used = key.last_used_at.map_or_else(|| "never used".into(), |at| format!("last used {at}"));
        let ended = match (key.revoked_at, key.expires_at) {
            (Some(at), _) => format!("\trevoked {at}"),
            (None, Some(at)) => format!("\texpires {at}"),
            (None, None) => String::new(),
        };
        say(format_args!("{}\t{}\t{}\t{}\t{used}{ended}", key.prefix, key.last_four, key.scope, key.name))?;
    }
    Ok(Outcome::Fine)
}

async fn check_ledger(db: &Db) -> Result<Outcome, Error> {
    let differences = db.snapshot(|tx| Box::pin(proof::differences(tx))).await?;
    for difference in &differences {
        say(difference)?;
    }
    if differences.is_empty() {
        eprintln!("every total is the sum of its rows");
        return Ok(Outcome::Fine);
    }
    Ok(Outcome::Failed)
}

/// A mistyped path must not be answered by a new and empty database.
fn must_exist(config: &Config) -> Result<(), String> {
    match store::sqlite_file(&config.database_url) {
        Some(file) if !Path::new(file).exists() => Err(format!("there is no database at {file}")),
        _ => Ok(()),
    }
}

async fn backup(config: &Config, file: PathBuf) -> Result<Outcome, Error> {
    if store::sqlite_file(&config.database_url).is_none() {
        return Err("on PostgreSQL, use pg_dump: pg_dump --format=custom --file=FILE \"$OFFSHOOT_DATABASE_URL\"".into());
    }
    must_exist(config)?;
    if file.exists() {
        return Err(format!("{} exists already", file.display()).into());
    }
    Db::open(&config.database_url).await?.copy_to(file.clone()).await?;
    eprintln!("copied to {}", file.display());
    Ok(Outcome::Fine)
}

/// What the log says of the set-up is said whatever else it leaves out: there is no other way in.
pub const SETUP: &str = "offshoot::setup";

/// While there is no account, the log tells where the first one is made.
pub async fn tell_setup_address(app: &App) -> Result<(), store::Error> {
    let now = app.clock.now();
    if let Some(token) = app.db.write(move |tx| Box::pin(accounts::setup_token(tx, now))).await? {
        tracing::info!(target: SETUP, "set up the first account and program at {}setup?token={}", app.config.base_url, token.as_str());
    }
    Ok(())
}
