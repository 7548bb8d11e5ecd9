//! A message as it travels: headers, and both of its forms.

use std::time::{Duration, UNIX_EPOCH};

use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        header::{HeaderName, HeaderValue},
    },
};
use url::{Host, Url};

use super::{Error, compose::Ready};
use crate::{
    config::Config,
    domain::{email::Email, time::Time},
    store::mails::Mail,
};

/// # Errors
/// When the recipient's address, plausible as it looked, is none that mail can be sent to.
pub fn address(email: &str) -> Result<Address, Error> {
    let unusable = || Error::Address;
    let email = Email::parse(email).map_err(|_| unusable())?;
    let (local, domain) = email.as_str().rsplit_once('@').ok_or_else(unusable)?;
    // Servers without SMTPUTF8 are many: the domain is written in ASCII.
    let domain = Host::parse(domain).map_err(|_| unusable())?.to_string();
    Address::new(local, domain).map_err(|_| unusable())
}

/// Whom mails come from: `OFFSHOOT_MAIL_FROM`, else an address at the base URL's host.
fn from(config: &Config) -> Result<Mailbox, Error> {
    if let Some(from) = &config.mail_from {
        return from.parse().map_err(|_| Error::Address);
    }
    let host = match config.base_url.host() {
        Some(Host::Domain(host)) => host,
        _ => "localhost",
    };
    Ok(Mailbox::new(None, Address::new_dangerous("offshoot", host)))
}

/// The headers are made of values that cannot break them: names in one line, addresses of ASCII.
///
/// # Errors
/// When an address is none.
pub fn envelope(config: &Config, mail: &Mail, ready: &Ready, now: Time) -> Result<Message, Error> {
    let from = from(config)?;
    // The same in every attempt, so that a mail that was sent twice by accident can be told for one.
    let id = format!("mail.{:x}", mail.id.raw());
    let boundary = format!("=_{:x}", mail.id.raw());
    let ms = u64::try_from(now.ms()).unwrap_or_default();
    let mut builder = Message::builder()
        .from(Mailbox::new(Some(ready.sender.to_string()), from.email.clone()))
        .to(Mailbox::new(None, address(&mail.to_email)?))
        .subject(one_line(&ready.written.subject))
        .date(UNIX_EPOCH + Duration::from_millis(ms))
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        // No holiday notes, please (RFC 3834).
        .raw_header(text("Auto-Submitted", "auto-generated".into()));
    if let Some(url) = &ready.unsubscribe {
        builder = builder
            .raw_header(unfolded("List-Unsubscribe", url))
            // RFC 8058: one click in the mail program, no page.
            .raw_header(text("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".into()));
    }
    let both = MultiPart::alternative()
        .boundary(boundary)
        .build()
        .singlepart(SinglePart::plain(ready.written.text.clone()))
        .singlepart(SinglePart::html(ready.written.html.clone()));
    builder.multipart(both).map_err(|_| Error::Address)
}

fn one_line(subject: &str) -> String {
    subject.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
}

/// An address is longer than a line should be and has no place to fold at; it is of ASCII, by the URL standard.
fn unfolded(name: &'static str, url: &Url) -> HeaderValue {
    let value = format!("<{url}>");
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}
