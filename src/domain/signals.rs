//! Signals: what about a sale a person should see before its commission is paid. They hold a commission for review
//! and never take it away; whoever approves it has looked. What affiliates read is only that it is in review.

use super::{Issue, affiliate::words, email, program, tracking};

/// What a program wants to look at, besides what everybody does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub ads_allowed: bool,
    /// Hosts, with what is below them.
    pub banned_referrers: Vec<String>,
    /// More sales of one affiliate within an hour than this are many; `None` where no number is.
    pub hourly_sales: Option<i64>,
}

impl Settings {
    /// The settings, each with its name, as pages and the audit log tell them.
    pub fn in_words(&self) -> [(&'static str, String); 3] {
        let banned = if self.banned_referrers.is_empty() { "none".into() } else { self.banned_referrers.join(", ") };
        let hourly = self.hourly_sales.map_or("any number".into(), |most| format!("{most} without a look"));
        [
            ("Paid ads", if self.ads_allowed { "allowed" } else { "held for review" }.into()),
            ("Banned referrers", banned),
            ("Sales an hour", hourly),
        ]
    }
}

const MOST_BANNED: usize = 200;

/// Reads `coupons.example, deals.example`.
///
/// # Errors
/// When one of them is not a host name, or they are too many.
pub fn banned_referrers(list: &str) -> Result<Vec<String>, Issue> {
    let mut hosts = program::domains(list)?;
    hosts.sort_unstable();
    hosts.dedup();
    if hosts.len() > MOST_BANNED { Err(format!("must be at most {MOST_BANNED} hosts").into()) } else { Ok(hosts) }
}

/// Reads how many sales an hour are not many yet; empty is any number.
///
/// # Errors
/// Anything outside 1 to 100 000.
pub fn hourly_sales(text: &str) -> Result<Option<i64>, Issue> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(most @ 1..=100_000) => Ok(Some(most)),
            _ => Err(Issue::new("must be 1 to 100000, or empty")),
        },
    }
}

words! {
    Kind as SignalKind {
        OwnEmail = "own_email",
        PaymentEmail = "payment_email",
        OwnNetwork = "own_network",
        PaidAd = "paid_ad",
        DisposableEmail = "disposable_email",
        BannedReferrer = "banned_referrer",
        ManySales = "many_sales",
    }
    "must be the name of a signal"
}

/// One signal, and what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    pub kind: Kind,
    /// One word, of a list or of the program's own: never what a visitor wrote.
    pub detail: String,
}

impl Signal {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// In a few words, for a list.
    pub fn label(&self) -> String {
        let detail = &self.detail;
        match self.kind {
            Kind::OwnEmail => "The affiliate’s own e-mail".into(),
            Kind::PaymentEmail => "The affiliate’s payment e-mail".into(),
            Kind::OwnNetwork => "The affiliate’s own network".into(),
            Kind::PaidAd => format!("Paid ad ({detail})"),
            Kind::DisposableEmail => format!("Throwaway e-mail ({detail})"),
            Kind::BannedReferrer => format!("Banned referrer ({detail})"),
            Kind::ManySales => format!("More than {detail} sales an hour"),
        }
    }

    /// In a sentence, for the merchant.
    pub fn in_words(&self) -> String {
        let detail = &self.detail;
        match self.kind {
            Kind::OwnEmail => "The customer’s e-mail address is the affiliate’s own.".into(),
            Kind::PaymentEmail => "The customer’s e-mail address is the one that the affiliate is paid by.".into(),
            Kind::OwnNetwork => "The click came from the network address that the affiliate signed in from.".into(),
            Kind::PaidAd => format!("The click came from a paid ad ({detail}), and the program does not allow ads."),
            Kind::DisposableEmail => format!("The customer’s e-mail address is a throwaway one, at {detail}."),
            Kind::BannedReferrer => format!("The click came from {detail}, which the program has banned."),
            Kind::ManySales => format!("The affiliate had more than {detail} sales within an hour."),
        }
    }
}

/// What a commission keeps of its signals; nothing where there are none.
pub fn written(signals: &[Signal]) -> Option<String> {
    let one = |signal: &Signal| match signal.detail.as_str() {
        "" => signal.kind.to_string(),
        detail => format!("{}={detail}", signal.kind),
    };
    (!signals.is_empty()).then(|| signals.iter().map(one).collect::<Vec<_>>().join(" "))
}

/// What a commission kept. What this version does not know is left out.
pub fn read(held_for: Option<&str>) -> Vec<Signal> {
    let one = |word: &str| {
        let (kind, detail) = word.split_once('=').unwrap_or((word, ""));
        Kind::parse(kind).ok().map(|kind| Signal::new(kind, detail))
    };
    held_for.unwrap_or_default().split(' ').filter_map(one).collect()
}

/// By what a sale shows to be the affiliate's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Own {
    pub email: String,
    /// As they wrote it; for some ways to be paid an address.
    pub payment: Option<String>,
    pub account_email: Option<String>,
    /// Keyed hash of the address that they signed in from last.
    pub network: Option<i64>,
}

/// What a click told, where it was one of the affiliate's.
#[derive(Debug, Clone, Default)]
pub struct Clicked<'a> {
    pub network: Option<i64>,
    /// As [`tracking::landing`] keeps it.
    pub landing: Option<&'a str>,
    pub source: Option<&'a str>,
}

#[derive(Debug, Clone)]
pub struct Facts<'a> {
    pub own: &'a Own,
    /// As the merchant sent it.
    pub customer_email: Option<&'a str>,
    pub click: Option<Clicked<'a>>,
    /// They had more sales within the hour than the program's number.
    pub is_rush: bool,
}

/// What about the sale somebody should look at.
pub fn of(facts: &Facts<'_>, settings: &Settings) -> Vec<Signal> {
    let mut signals = Vec::new();
    if let Some(address) = facts.customer_email.filter(|address| address.contains('@')) {
        let same = email::mailbox(address);
        let is_theirs = |own: &str| email::mailbox(own) == same;
        if is_theirs(&facts.own.email) || facts.own.account_email.as_deref().is_some_and(is_theirs) {
            signals.push(Signal::new(Kind::OwnEmail, ""));
        } else if facts.own.payment.as_deref().is_some_and(|details| addresses(details).any(is_theirs)) {
            signals.push(Signal::new(Kind::PaymentEmail, ""));
        }
        if let Some(domain) = email::disposable(address) {
            signals.push(Signal::new(Kind::DisposableEmail, domain));
        }
    }
    if let Some(click) = &facts.click {
        if click.network.is_some() && click.network == facts.own.network {
            signals.push(Signal::new(Kind::OwnNetwork, ""));
        }
        if !settings.ads_allowed
            && let Some(ad) = click.landing.and_then(tracking::paid_ad)
        {
            signals.push(Signal::new(Kind::PaidAd, ad));
        }
        if let Some(host) = click.source.and_then(|source| banned(source, &settings.banned_referrers)) {
            signals.push(Signal::new(Kind::BannedReferrer, host));
        }
    }
    if let Some(most) = settings.hourly_sales.filter(|_| facts.is_rush) {
        signals.push(Signal::new(Kind::ManySales, most.to_string()));
    }
    signals
}

/// The addresses in what somebody wrote about how they are paid.
fn addresses(details: &str) -> impl Iterator<Item = &str> {
    let parts = details.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':' | '<' | '>' | '(' | ')'));
    parts.filter(|part| part.contains('@'))
}

/// The banned host that the page is on or below.
fn banned<'a>(source: &str, hosts: &'a [String]) -> Option<&'a str> {
    if hosts.is_empty() {
        return None;
    }
    let url = url::Url::parse(source).ok()?;
    let host = url.host_str()?.trim_end_matches('.').to_lowercase();
    let is_within = |banned: &&String| {
        host.strip_suffix(banned.as_str()).is_some_and(|above| above.is_empty() || above.ends_with('.'))
    };
    hosts.iter().find(is_within).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Own {
        Own {
            email: "Jo.Smith@gmail.com".into(),
            payment: Some("PayPal: paid@shop.example".into()),
            account_email: Some("jo@work.example".into()),
            network: Some(7),
        }
    }

    fn facts<'a>(own: &'a Own, customer_email: Option<&'a str>) -> Facts<'a> {
        Facts { own, customer_email, click: None, is_rush: false }
    }

    fn kinds(signals: &[Signal]) -> Vec<Kind> {
        signals.iter().map(|signal| signal.kind).collect()
    }

    #[test]
    fn a_customer_by_the_affiliates_own_address_is_seen() {
        let own = own();
        for (address, expected) in [
            (" JOSMITH+buys@googlemail.com ", vec![Kind::OwnEmail]),
            ("jo+1@work.example", vec![Kind::OwnEmail]),
            ("Paid@shop.example", vec![Kind::PaymentEmail]),
            ("j.o@work.example", vec![]),
            ("somebody@gmail.com", vec![]),
            ("x@mailinator.com", vec![Kind::DisposableEmail]),
            ("not an address", vec![]),
            ("", vec![]),
        ] {
            let signals = of(&facts(&own, Some(address)), &Settings::default());
            assert_eq!(kinds(&signals), expected, "{address}");
        }
        assert!(of(&facts(&own, None), &Settings::default()).is_empty());
        // Who is entered without anything of their own is nobody's double.
        assert!(of(&facts(&Own::default(), Some("@")), &Settings::default()).iter().all(|one| one.detail.is_empty()));
    }

    #[test]
    fn a_click_tells_its_network_its_ad_and_its_referrer() {
        let own = own();
        let banned = banned_referrers("Coupons.example, deals.example").unwrap();
        let settings = Settings { banned_referrers: banned, ..Settings::default() };
        let click = Clicked {
            network: Some(7),
            landing: Some("https://shop.example/?utm_medium=CPC"),
            source: Some("https://www.coupons.example./codes?x"),
        };
        let all = Facts { click: Some(click.clone()), ..facts(&own, None) };
        let signals = of(&all, &settings);
        assert_eq!(written(&signals).unwrap(), "own_network paid_ad=utm_medium=cpc banned_referrer=coupons.example");
        assert_eq!(read(written(&signals).as_deref()), signals);
        let allowed = Settings { ads_allowed: true, ..Settings::default() };
        assert_eq!(kinds(&of(&all, &allowed)), [Kind::OwnNetwork]);
        for source in ["https://notcoupons.example/", "coupons.example", "https://coupons.example.evil.example/", ""] {
            let click = Clicked { network: None, landing: None, source: Some(source) };
            assert!(of(&Facts { click: Some(click), ..all.clone() }, &settings).is_empty(), "{source}");
        }
        let unknown = Own { network: None, ..own.clone() };
        let click = Clicked { network: None, landing: None, source: None };
        assert!(of(&Facts { own: &unknown, click: Some(click), ..all }, &settings).is_empty());
    }

    #[test]
    fn many_sales_are_many_by_the_programs_number() {
        let own = own();
        let rush = Facts { is_rush: true, ..facts(&own, None) };
        let settings = Settings { hourly_sales: Some(20), ..Settings::default() };
        assert_eq!(of(&rush, &settings)[0].label(), "More than 20 sales an hour");
        assert!(of(&rush, &Settings::default()).is_empty());
        assert!(of(&facts(&own, None), &settings).is_empty());
    }

    #[test]
    fn what_is_kept_is_read_again_and_what_is_unknown_left_out() {
        assert_eq!(written(&[]), None);
        assert!(read(None).is_empty());
        assert_eq!(read(Some("own_email moon_phase=full many_sales=5")).len(), 2);
    }

    #[test]
    fn settings_are_checked() {
        assert_eq!(hourly_sales(" "), Ok(None));
        assert_eq!(hourly_sales("20"), Ok(Some(20)));
        assert!(hourly_sales("0").is_err() && hourly_sales("-1").is_err() && hourly_sales("many").is_err());
        assert!(banned_referrers("https://coupons.example/").is_err());
        assert_eq!(banned_referrers("b.example, a.example,b.example").unwrap(), ["a.example", "b.example"]);
    }
}
