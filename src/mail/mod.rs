//! Mail: each message is written when it leaves, from what is true then, and leaves by SMTP, or into a folder
//! while no server is set.
//!
//! A mail is a row (`store::mails`) and a job, made in the transaction of its cause (`flows::mails::enqueue`). Of
//! two servers on one database the one that claims the job sends the mail. No transaction is open while it talks
//! to the mail server, so a crash between sending and writing that down sends the mail again, under the same
//! Message-ID.

pub mod compose;
mod envelope;
pub mod inert;
pub mod messages;
mod outbox;
pub mod sample;
pub mod smtp;

use compose::Composed;

use crate::{
    app::App,
    domain::{email::Email, time::Time},
    store::{
        self, Tx, jobs,
        mails::{self, Mail, MailId},
    },
};

/// How long it is tried; after that somebody must look.
const TRIED_FOR_DAYS: i64 = 3;
/// The pauses between attempts, in minutes; the last one goes on.
const PAUSES: [i64; 7] = [1, 5, 15, 60, 180, 360, 720];
const ERROR_LENGTH: usize = 300;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("the message cannot be written: {0}")]
    Template(#[from] askama::Error),
    #[error("the message cannot be written: {0}")]
    Url(#[from] url::ParseError),
    #[error("the address is none that mail can be sent to")]
    Address,
    #[error("the outbox cannot be written: {0}")]
    Outbox(#[from] std::io::Error),
    #[error("OFFSHOOT_SMTP_URL {0}")]
    Setting(&'static str),
    /// The server did not take it now.
    #[error("{}", told(.0))]
    Server(lettre::transport::smtp::Error),
    /// The server will never take it.
    #[error("{}", told(.0))]
    Refused(lettre::transport::smtp::Error),
    #[error("the mail server did not answer in time")]
    Slow,
}

/// An error and what it came from, in one line.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    let mut words = error.to_string();
    if let Some(source) = source.filter(|source| !words.contains(source)) {
        words = format!("{words}: {source}");
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Error {
    /// The same without what the server said, which may name the recipient.
    fn for_log(&self) -> String {
        match self {
            Self::Server(error) | Self::Refused(error) => match error.status() {
                Some(code) => format!("the mail server answered {code}"),
                None if error.is_timeout() => "the mail server did not answer in time".into(),
                None => "the mail server cannot be talked to".into(),
            },
            other => other.to_string(),
        }
    }
}

/// What became of an attempt.
#[derive(Debug)]
pub enum Attempt {
    /// It had been sent, dropped or given up before.
    Over,
    Sent,
    Dropped(&'static str),
    Failed {
        error: String,
        again_at: Option<Time>,
    },
}

/// Tries to send the mail, once. Nothing is written down: see [`record`].
///
/// # Errors
/// The database's only; what goes wrong with the mail is an [`Attempt`].
pub async fn attempt(app: &App, id: MailId) -> Result<Attempt, store::Error> {
    let found = mails::waiting(&mut *app.db.read().await?, id).await?;
    let Some(mail) = found else { return Ok(Attempt::Over) };
    let error = match send(app, &mail).await {
        Ok(attempt) => return Ok(attempt),
        Err(Error::Store(error)) => return Err(error),
        Err(error) => error,
    };
    let again_at = match error {
        // Trying again gives the same.
        Error::Refused(_) | Error::Address | Error::Template(_) | Error::Url(_) => None,
        _ => next_attempt(&mail, app.clock.now()),
    };
    let (kind, told) = (mail.kind.as_str(), error.for_log());
    if let Some(at) = again_at {
        tracing::warn!(kind, mail = mail.id.raw(), error = told, again_at = %at, "a mail was not sent");
    } else {
        tracing::error!(kind, mail = mail.id.raw(), error = told, "a mail was given up");
    }
    let error = crate::domain::text::cut(&error.to_string(), ERROR_LENGTH).to_owned();
    Ok(Attempt::Failed { error, again_at })
}

fn next_attempt(mail: &Mail, now: Time) -> Option<Time> {
    let pause = usize::try_from(mail.attempts).ok().and_then(|n| PAUSES.get(n)).or(PAUSES.last());
    let at = now.plus_seconds(pause? * 60);
    (at <= mail.created_at.plus_days(TRIED_FOR_DAYS)).then_some(at)
}

async fn send(app: &App, mail: &Mail) -> Result<Attempt, Error> {
    let ready = match compose::compose(app, mail).await? {
        Composed::Ready(ready) => ready,
        Composed::Dropped(why) => {
            tracing::info!(kind = mail.kind.as_str(), mail = mail.id.raw(), why, "a mail was dropped");
            return Ok(Attempt::Dropped(why));
        }
    };
    let message = envelope::envelope(&app.config, mail, &ready, app.clock.now())?;
    let (kind, to) = (mail.kind.as_str(), Email::parse(&mail.to_email).map_err(|_| Error::Address)?);
    if let Some(url) = &app.config.smtp_url {
        smtp::Server::parse(url).map_err(Error::Setting)?.send(&message).await?;
        tracing::info!(kind, mail = mail.id.raw(), ?to, "a mail was sent");
    } else {
        let name = format!("{:x}-{kind}.eml", mail.id.raw());
        let file = outbox::put(app.config.outbox(), name, message.formatted()).await?;
        tracing::info!(kind, mail = mail.id.raw(), ?to, file = %file.display(), "no mail server is set: a mail was written to a file");
    }
    Ok(Attempt::Sent)
}

/// Writes down what became of an attempt, and with it what becomes of its job.
///
/// # Errors
/// The database's.
pub async fn record(
    tx: &mut Tx,
    job: &jobs::Job,
    id: MailId,
    attempt: &Attempt,
    now: Time,
) -> Result<(), store::Error> {
    match attempt {
        Attempt::Over => {}
        Attempt::Sent => mails::sent(tx, id, now).await?,
        Attempt::Dropped(why) => mails::dropped(tx, id, why, now).await?,
        Attempt::Failed { error, again_at: None } => mails::failed(tx, id, error, now).await?,
        Attempt::Failed { error, again_at: Some(at) } => {
            mails::postponed(tx, id, error).await?;
            return jobs::failed(tx, job.id, error, *at).await;
        }
    }
    jobs::done(tx, job.id).await
}
