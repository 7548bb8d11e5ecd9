//! The command line: reads the settings, then serves or runs one command.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::{Parser, Subcommand};
use offshoot::{
    app::App,
    clock::Clock,
    commands::{self, Misused, Outcome},
    config::{Config, Given},
    demo, jobs,
    web::{self, server},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing::Level;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An affiliate-programme portal: counts clicks, credits sales once, explains every figure.
#[derive(Parser)]
#[command(name = "offshoot", version)]
struct Cli {
    #[command(flatten)]
    given: Given,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate, then serve the portal, the API and the tracking endpoints (the default)
    Serve {
        /// Fill an empty database with a demo program first
        #[arg(long, env = "OFFSHOOT_DEMO")]
        demo: bool,
    },
    #[command(flatten)]
    Once(commands::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    #[expect(clippy::disallowed_methods, reason = "the settings are read here and nowhere else")]
    let variable = |name: &str| std::env::var(name).ok();
    let config = match Config::read(&cli.given, variable) {
        Ok(config) => config,
        Err(mistakes) => return fail(&mistakes),
    };
    log(&config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let outcome = runtime.block_on(async {
        match cli.command.unwrap_or(Command::Serve { demo: false }) {
            Command::Serve { demo } => serve(config, demo).await,
            Command::Once(command) => commands::run(command, config).await,
        }
    });
    // What still runs on other threads has been told to stop; it is not waited for.
    runtime.shutdown_background();
    match outcome {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Err(error) if error.is::<Misused>() => {
            fail(&*error);
            ExitCode::from(2)
        }
        Err(error) => fail(&*error),
    }
}

fn fail(error: &(impl std::fmt::Display + ?Sized)) -> ExitCode {
    eprintln!("offshoot: {error}");
    ExitCode::FAILURE
}

fn log(filter: &str) {
    let filter = filter.parse::<Targets>().unwrap_or_default().with_target(commands::SETUP, Level::INFO);
    let registry = tracing_subscriber::registry().with(filter);
    let to_person = std::io::stderr().is_terminal();
    if to_person {
        registry.with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr)).init();
    } else {
        registry.with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init();
    }
}

async fn serve(mut config: Config, with_demo: bool) -> Result<Outcome, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(config.listen).await.map_err(|error| format!("{}: {error}", config.listen))?;
    let secret = config.secret()?;
    let app = App::open(config, secret, Clock::System).await?;
    if with_demo {
        demo::fill(&app).await?;
    }
    commands::tell_setup_address(&app).await?;
    web::know_programs(&app).await?;

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (end_of_work, ended) = tokio::sync::oneshot::channel::<()>();
    let stop = async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping");
        drop(end_of_work);
    };
    if app.config.is_https() && !app.config.mail_is_configured() {
        tracing::warn!(
            "OFFSHOOT_SMTP_URL is not set: nobody gets mail; it is written to {}",
            app.config.outbox().display()
        );
    }
    let working = tokio::spawn(jobs::run(app.clone(), async { drop(ended.await) }));
    tracing::info!(address = %listener.local_addr()?, base_url = %app.config.base_url, "listening");
    server::serve(listener, web::Trees::new(app.clone()), stop).await;
    let _ = working.await;
    // Bounded like everything else about stopping: a database that is gone must not hold the process.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(2), app.db.close()).await;
    Ok(Outcome::Fine)
}
