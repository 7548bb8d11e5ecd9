//! The conversation with the mail server. One connection a mail: sending is rare, and a connection that was kept
//! is often dead.

use std::time::Duration;

use lettre::{
    Message,
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        extension::ClientId,
    },
};
use tokio::time::timeout;
use url::{Host, Url};

use super::Error;

/// For each answer of the server.
const ANSWER_TIME: Duration = Duration::from_secs(20);
/// For the whole conversation: well below the time that a job is one server's alone.
const WHOLE_TIME: Duration = Duration::from_mins(1);

/// When the conversation is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// From the first byte: `smtps://`.
    Whole,
    /// `STARTTLS` or nothing is sent.
    Required,
    /// `STARTTLS` where the server offers it.
    Offered,
    Never,
}

pub struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
}

impl Server {
    /// Reads `smtp://` or `smtps://`, with `?tls=required`, `offered` or `never` to insist. By default, a password
    /// goes over an encrypted connection only, and a server on this machine is believed as it is.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn parse(url: &Url) -> Result<Self, &'static str> {
        const SHAPE: &str =
            "must be smtp://USER:PASSWORD@HOST:PORT or smtps://…, with ?tls=required, offered or never at most";
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(SHAPE)?;
        let decoded = |text: &str| {
            let plus = text.replace('+', "%2B");
            form_urlencoded::parse(plus.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default()
        };
        let credentials = url.password().map(|word| Credentials::new(decoded(url.username()), decoded(word)));
        // The host of an address that is not http is text, whatever it looks like.
        let is_here = match Host::parse(host) {
            Ok(Host::Domain(name)) => name == "localhost",
            Ok(Host::Ipv4(ip)) => ip.is_loopback(),
            Ok(Host::Ipv6(ip)) => ip.is_loopback(),
            Err(_) => return Err(SHAPE),
        };
        let mut insisted = None;
        for (name, value) in url.query_pairs() {
            insisted = Some(match (&*name, &*value) {
                ("tls", "required") => Encryption::Required,
                ("tls", "offered") => Encryption::Offered,
                ("tls", "never") => Encryption::Never,
                _ => return Err(SHAPE),
            });
        }
        let encryption = match (url.scheme(), insisted) {
            ("smtps", None) => Encryption::Whole,
            ("smtp", Some(insisted)) => insisted,
            ("smtp", None) if is_here => Encryption::Never,
            ("smtp", None) if credentials.is_some() => Encryption::Required,
            ("smtp", None) => Encryption::Offered,
            _ => return Err(SHAPE),
        };
        let usual = match (encryption, &credentials) {
            (Encryption::Whole, _) => 465,
            (_, Some(_)) => 587,
            (_, None) => 25,
        };
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(usual),
            encryption,
            credentials,
        })
    }

    /// # Errors
    /// [`Error::Refused`] where the server will never take this mail; every other one may pass.
    pub async fn send(&self, message: &Message) -> Result<(), Error> {
        timeout(WHOLE_TIME, self.converse(message)).await.unwrap_or(Err(Error::Slow))
    }

    async fn converse(&self, message: &Message) -> Result<(), Error> {
        // What goes wrong before the mail is offered says nothing about the mail: a wrong password is mended.
        let mut connection = self.connect().await.map_err(Error::Server)?;
        let sent = connection.send(message.envelope(), &message.formatted()).await;
        match sent {
            Ok(_) => {
                // It is the server's now, whatever becomes of the farewell.
                connection.abort().await;
                Ok(())
            }
            Err(error) if error.is_permanent() => Err(Error::Refused(error)),
            Err(error) => Err(Error::Server(error)),
        }
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, lettre::transport::smtp::Error> {
        let (hello, encryption) = (ClientId::default(), self.encryption);
        let tls = || TlsParameters::new(self.host.clone());
        let whole = if encryption == Encryption::Whole { Some(tls()?) } else { None };
        let mut connection = AsyncSmtpConnection::connect_tokio1(
            (self.host.as_str(), self.port),
            Some(ANSWER_TIME),
            &hello,
            whole,
            None,
        )
        .await?;
        if encryption == Encryption::Required || (encryption == Encryption::Offered && connection.can_starttls()) {
            connection.starttls(tls()?, &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Result<Server, &'static str> {
        Server::parse(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_password_never_travels_in_clear_by_default() {
        for (url, encryption, port) in [
            ("smtps://u:p@mail.example", Encryption::Whole, 465),
            ("smtp://u:p@mail.example", Encryption::Required, 587),
            ("smtp://u:p@mail.example:2525", Encryption::Required, 2525),
            ("smtp://mail.example", Encryption::Offered, 25),
            ("smtp://localhost:1025", Encryption::Never, 1025),
            ("smtp://127.0.0.1", Encryption::Never, 25),
            ("smtp://[::1]:26", Encryption::Never, 26),
            ("smtp://localhost?tls=required", Encryption::Required, 25),
            ("smtp://u:p@mail.example?tls=never", Encryption::Never, 587),
        ] {
            let server = read(url).unwrap();
            assert_eq!((server.encryption, server.port), (encryption, port), "{url}");
        }
        assert_eq!(read("smtp://[::1]").unwrap().host, "::1");
        for url in ["http://x", "smtp://x?tls=maybe", "smtp://x?ssl=1", "smtps://x?tls=never"] {
            assert!(read(url).is_err(), "{url}");
        }
    }

    #[test]
    fn passwords_are_decoded() {
        let server = read("smtp://me%40x.example:p%2Fw+%20d@mail.example").unwrap();
        assert_eq!(server.credentials, Some(Credentials::new("me@x.example".into(), "p/w+ d".into())));
    }
}
