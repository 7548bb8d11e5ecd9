//! Every setting, read once at start. All mistakes are reported together, by name, before anything is
//! opened.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use url::Url;

use crate::{mail::smtp, secret::SecretKey, store};

/// What was given on the command line or in the environment, not yet read.
#[derive(Debug, Clone, clap::Args)]
pub struct Given {
    /// Address and port to listen on
    #[arg(long, env = "OFFSHOOT_LISTEN", default_value = "127.0.0.1:8080", global = true)]
    pub listen: String,
    /// `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/NAME`
    #[arg(
        long,
        env = "OFFSHOOT_DATABASE_URL",
        default_value = "sqlite://data/offshoot.db",
        hide_env_values = true,
        global = true
    )]
    pub database_url: String,
}

pub struct Config {
    pub listen: SocketAddr,
    pub database_url: String,
    pub base_url: Url,
    pub smtp_url: Option<Url>,
    pub mail_from: Option<String>,
    /// Requests a minute and key; 0 is no limit.
    pub rate_limit: i64,
    pub trusted_proxies: Vec<Network>,
    pub log: String,
    secret: Option<SecretKey>,
}

/// The mistakes in the settings, one a line.
#[derive(Debug)]
pub struct Mistakes(Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings are wrong:")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// An address range: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
        (bits <= most).then_some(Self { address, bits })
    }

    pub fn contains(&self, other: IpAddr) -> bool {
        let prefix = |address: u128, width: u32| if self.bits == 0 { 0 } else { address >> (width - self.bits) };
        match (self.address, other.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(other)) => {
                prefix(net.to_bits().into(), 32) == prefix(other.to_bits().into(), 32)
            }
            (IpAddr::V6(net), IpAddr::V6(other)) => prefix(net.to_bits(), 128) == prefix(other.to_bits(), 128),
            _ => false,
        }
    }
}

impl Config {
    /// Reads what was given and the environment, through `variable`.
    ///
    /// # Errors
    /// Every mistake there is.
    pub fn read(given: &Given, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let mut wrong = |name: &str, issue: &str| mistakes.push(format!("{name} {issue}"));
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());

        let listen = given.listen.parse().ok();
        if listen.is_none() {
            wrong("OFFSHOOT_LISTEN (--listen)", "must be an address and a port, such as 127.0.0.1:8080");
        }
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| given.database_url.starts_with(scheme));
        let is_sqlite = store::sqlite_file(&given.database_url).is_some_and(|file| !file.is_empty());
        let is_known = is_sqlite || (is_postgres && Url::parse(&given.database_url).is_ok());
        if !is_known {
            wrong(
                "OFFSHOOT_DATABASE_URL (--database-url)",
                "must be sqlite://FILE or postgres://USER:PASSWORD@HOST/NAME",
            );
        }
        let base_url = variable("OFFSHOOT_BASE_URL").unwrap_or_else(|| "http://127.0.0.1:8080".into());
        let base_url = Url::parse(&base_url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
        });
        if base_url.is_none() {
            wrong(
                "OFFSHOOT_BASE_URL",
                "must be http or https, a host and nothing after it, such as https://partners.example.com",
            );
        }
        let smtp = variable("OFFSHOOT_SMTP_URL").map(|text| {
            let url = Url::parse(&text).map_err(|_| "must be smtp://USER:PASSWORD@HOST:PORT or smtps://…")?;
            smtp::Server::parse(&url).map(|_| url)
        });
        if let Some(Err(issue)) = &smtp {
            wrong("OFFSHOOT_SMTP_URL", issue);
        }
        let rate_limit = variable("OFFSHOOT_RATE_LIMIT")
            .map_or(Some(600), |text| text.parse().ok().filter(|n| (0..=1_000_000).contains(n)));
        if rate_limit.is_none() {
            wrong("OFFSHOOT_RATE_LIMIT", "must be a whole number of requests a minute from 0 (off) to 1000000");
        }
        let proxies = variable("OFFSHOOT_TRUSTED_PROXIES").unwrap_or_default();
        let proxies: Option<Vec<Network>> =
            proxies.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Network::parse).collect();
        if proxies.is_none() {
            wrong("OFFSHOOT_TRUSTED_PROXIES", "must be addresses or networks separated by commas, such as 10.0.0.0/8");
        }
        let log = variable("OFFSHOOT_LOG").unwrap_or_else(|| "info".into());
        // A word alone is taken for a program's part of that name, and would silence the rest.
        let is_level =
            |part: &str| part.contains(['=', ':']) || part.parse::<tracing::level_filters::LevelFilter>().is_ok();
        if log.parse::<tracing_subscriber::filter::Targets>().is_err()
            || !log.split(',').all(|part| is_level(part.trim()))
        {
            wrong(
                "OFFSHOOT_LOG",
                "must be error, warn, info, debug or trace, or a filter such as info,offshoot::web=debug",
            );
        }
        let secret = variable("OFFSHOOT_SECRET_KEY").map(|text| SecretKey::parse(&text));
        if let Some(Err(issue)) = &secret {
            wrong("OFFSHOOT_SECRET_KEY", &issue.0);
        }
        let mail_from = variable("OFFSHOOT_MAIL_FROM");
        if mail_from.as_deref().is_some_and(|text| text.parse::<lettre::message::Mailbox>().is_err()) {
            wrong("OFFSHOOT_MAIL_FROM", "must be an e-mail address, such as Acme partners <partners@example.com>");
        }

        match (listen, base_url, smtp.transpose(), rate_limit, proxies, secret.transpose()) {
            (Some(listen), Some(base_url), Ok(smtp_url), Some(rate_limit), Some(trusted_proxies), Ok(secret))
                if mistakes.is_empty() =>
            {
                Ok(Self {
                    listen,
                    database_url: given.database_url.clone(),
                    base_url,
                    smtp_url,
                    mail_from,
                    rate_limit,
                    trusted_proxies,
                    log,
                    secret,
                })
            }
            _ => Err(Mistakes(mistakes)),
        }
    }

    pub fn is_https(&self) -> bool {
        self.base_url.scheme() == "https"
    }

    /// Where the portal keeps its own files: beside an SQLite file, else `data/`.
    pub fn data_folder(&self) -> PathBuf {
        let beside = store::sqlite_file(&self.database_url).and_then(|file| Path::new(file).parent());
        beside.map_or_else(|| "data".into(), Path::to_owned)
    }

    /// Whether mails reach anybody; without a mail server they are written to [`Self::outbox`].
    pub fn mail_is_configured(&self) -> bool {
        self.smtp_url.is_some()
    }

    /// Where mails go while there is no mail server.
    pub fn outbox(&self) -> PathBuf {
        self.data_folder().join("outbox")
    }

    /// The secret from the settings, or the one in `secret.key` in the data folder, made once.
    ///
    /// # Errors
    /// When that file can be neither read nor made, or holds something else.
    pub fn secret(&mut self) -> std::io::Result<SecretKey> {
        use std::io::{Error, ErrorKind, Write as _};
        use std::os::unix::fs::OpenOptionsExt as _;
        if let Some(secret) = self.secret.take() {
            return Ok(secret);
        }
        let folder = self.data_folder();
        if !folder.as_os_str().is_empty() {
            std::fs::create_dir_all(&folder)?;
        }
        let file = folder.join("secret.key");
        // Written whole under another name first: of two that start at once, one name wins and is complete.
        let made = crate::domain::key::hex(&rand::random::<[u8; 32]>());
        let draft = folder.join(format!("secret.key.{:016x}", rand::random::<u64>()));
        if !file.exists() {
            let mut open = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
            open.write_all(made.as_bytes())?;
            open.sync_all()?;
            let linked = std::fs::hard_link(&draft, &file);
            std::fs::remove_file(&draft)?;
            if let Err(error) = linked
                && error.kind() != ErrorKind::AlreadyExists
            {
                return Err(error);
            }
        }
        let text = std::fs::read_to_string(&file)?;
        SecretKey::parse(text.trim())
            .map_err(|issue| Error::new(ErrorKind::InvalidData, format!("{} {issue}", file.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> Given {
        Given { listen: "127.0.0.1:8080".into(), database_url: "sqlite://data/offshoot.db".into() }
    }

    #[test]
    fn the_defaults_are_the_documented_ones() {
        let config = Config::read(&given(), |_| None).unwrap();
        assert_eq!((config.rate_limit, config.base_url.as_str()), (600, "http://127.0.0.1:8080/"));
        assert_eq!(config.data_folder(), Path::new("data"));
    }

    #[test]
    fn all_mistakes_at_once_by_name() {
        let given = Given { listen: "nowhere".into(), database_url: "mysql://x".into() };
        let told = Config::read(&given, |_| Some("?".into())).map(drop).unwrap_err().to_string();
        for name in [
            "LISTEN",
            "DATABASE_URL",
            "BASE_URL",
            "SMTP_URL",
            "RATE_LIMIT",
            "TRUSTED_PROXIES",
            "SECRET_KEY",
            "MAIL_FROM",
        ] {
            assert!(told.contains(&format!("OFFSHOOT_{name} ")), "{name} in {told}");
        }
    }

    #[test]
    fn networks_hold_their_addresses() {
        let network = Network::parse("10.0.0.0/8").unwrap();
        assert!(
            network.contains("10.255.1.2".parse().unwrap()) && network.contains("::ffff:10.1.1.1".parse().unwrap())
        );
        assert!(!network.contains("11.0.0.1".parse().unwrap()));
        assert!(Network::parse("::1").unwrap().contains("::1".parse().unwrap()));
        assert!(Network::parse("10.0.0.0/33").is_none() && Network::parse("x").is_none());
    }
}
