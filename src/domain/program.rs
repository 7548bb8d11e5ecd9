//! A program's settings, and where its links may lead.

use url::Url;

use super::{
    Issue,
    attribution::{Terms, Touch},
    id::{ClickId, ProgramId},
    money::{Currency, Rate},
    rules::Rule,
    signals,
    volume::Caps,
};

pub const DEFAULT_ATTRIBUTION_DAYS: i64 = 60;
pub const DEFAULT_RATE: Rate = Rate::from_basis_points(2_000);
/// The parameter that carries the click id to the landing page.
pub const CLICK_PARAMETER: &str = "clickId";

#[derive(Debug, Clone)]
pub struct Program {
    pub id: ProgramId,
    pub slug: String,
    pub name: String,
    pub currency: Currency,
    pub rate: Rate,
    pub attribution_days: i64,
    pub touch: Touch,
    /// Days that a customer stays with who brought them: `None` for ever, 0 not at all.
    pub bound_days: Option<i64>,
    pub coupon_wins: bool,
    pub new_customers_only: bool,
    /// Days from a sale until its commission may be paid.
    pub hold_days: i64,
    pub landing_url: Option<Url>,
    /// Where deep links may lead: these hosts and what is below them.
    pub domains: Vec<String>,
    /// What holds a commission for review.
    pub signals: signals::Settings,
    /// What sales earn where that is not the rate alone.
    pub rules: Vec<Rule>,
    /// How much sales earn at most.
    pub caps: Caps,
}

impl Program {
    /// How it credits.
    pub fn terms(&self) -> Terms {
        Terms {
            window_days: self.attribution_days,
            touch: self.touch,
            bound_days: self.bound_days,
            coupon_wins: self.coupon_wins,
            new_customers_only: self.new_customers_only,
        }
    }

    /// Where a link leads: `to` where it stays inside the program's domains, else the landing page.
    pub fn destination(&self, to: Option<&str>) -> Option<Url> {
        to.and_then(|to| self.deep_link(to)).or_else(|| self.landing_url.clone())
    }

    /// The address, if links may lead there.
    pub fn deep_link(&self, to: &str) -> Option<Url> {
        // The URL standard strips these silently, which would let the text differ from what is checked.
        if to.chars().any(|c| c.is_control() || c == '\\') {
            return None;
        }
        let url = landing_url(to).ok()?;
        let is_ours = self.domain_of(url.host_str()?).is_some();
        is_ours.then_some(url)
    }

    /// The domain of the program's that a page of this origin, as a browser names it, belongs to.
    pub fn domain_of_origin(&self, origin: &str) -> Option<&str> {
        let url = Url::parse(origin).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        if url.origin().ascii_serialization() != origin {
            return None;
        }
        self.domain_of(url.host_str()?)
    }

    /// The domain of the program's that the host is or is below.
    pub fn domain_of(&self, host: &str) -> Option<&str> {
        let host = host.trim_end_matches('.');
        let within =
            |domain: &&str| host == *domain || host.strip_suffix(*domain).is_some_and(|sub| sub.ends_with('.'));
        self.domains.iter().map(String::as_str).find(within)
    }
}

/// One setting that differs: its name, before, after.
#[derive(Debug, PartialEq, Eq)]
pub struct Difference {
    pub setting: &'static str,
    pub before: String,
    pub after: String,
}

/// A hold in words.
pub fn hold(days: i64) -> String {
    match days {
        0 => "none".into(),
        1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

fn bound(days: Option<i64>) -> String {
    match days {
        None => "for ever".into(),
        Some(0) => "for that sale only".into(),
        Some(days) => format!("{days} days"),
    }
}

impl Difference {
    /// What differs between the same settings before and after, in words.
    pub fn between<const N: usize>(
        before: [(&'static str, String); N],
        after: [(&'static str, String); N],
    ) -> Vec<Self> {
        let difference = |((setting, before), (_, after))| Self { setting, before, after };
        before.into_iter().zip(after).map(difference).filter(|one| one.before != one.after).collect()
    }

    /// What several were before, and what they are, as the audit log keeps it.
    pub fn in_words(differences: &[Self]) -> (String, String) {
        let words = |side: fn(&Self) -> &str| {
            let each = differences.iter().map(|one| format!("{}: {}", one.setting, side(one)));
            each.collect::<Vec<_>>().join("; ")
        };
        (words(|one| &one.before), words(|one| &one.after))
    }

    /// What was changed, told to whoever changed it.
    pub fn told(differences: &[Self]) -> String {
        let each = differences.iter().map(|one| format!("{}: {} → {}", one.setting, one.before, one.after));
        match differences {
            [] => "Nothing was different, so nothing was changed.".to_owned(),
            _ => format!("Saved. {}.", each.collect::<Vec<_>>().join("; ")),
        }
    }
}

/// What a change of settings changes.
pub fn differences(before: &Program, after: &Program) -> Vec<Difference> {
    let words = |program: &Program| {
        let [ads, referrers, hourly] = program.signals.in_words();
        [
            ("Name", program.name.clone()),
            ("Commission", program.rate.to_string()),
            ("Most earned", program.caps.in_words(program.currency)),
            ("Attribution window", format!("{} days", program.attribution_days)),
            ("Who is credited", program.touch.sentence().into()),
            ("Customers stay", bound(program.bound_days)),
            ("Coupons", if program.coupon_wins { "before links" } else { "after links" }.into()),
            ("Hold", hold(program.hold_days)),
            ("Customers", if program.new_customers_only { "new ones only" } else { "all" }.into()),
            ("Landing page", program.landing_url.as_ref().map_or("none".into(), ToString::to_string)),
            ("Allowed domains", if program.domains.is_empty() { "none".into() } else { program.domains.join(", ") }),
            ads,
            referrers,
            hourly,
        ]
    };
    Difference::between(words(before), words(after))
}

/// Adds the click to a destination's query.
pub fn with_click(mut url: Url, click: ClickId) -> Url {
    url.query_pairs_mut().append_pair(CLICK_PARAMETER, &click.to_string());
    url
}

/// # Errors
/// Anything but an absolute http or https address without a user name.
pub fn landing_url(text: &str) -> Result<Url, Issue> {
    let issue = || Issue::new("must be an absolute http or https address");
    let url = Url::parse(text).map_err(|_| issue())?;
    let plain = matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
    if plain && url.host_str().is_some() && text.len() <= 2_048 { Ok(url) } else { Err(issue()) }
}

/// Reads `a.example, b.example`.
///
/// # Errors
/// When one of them is not a host name.
pub fn domains(list: &str) -> Result<Vec<String>, Issue> {
    list.split(',').map(str::trim).filter(|domain| !domain.is_empty()).map(domain).collect()
}

fn domain(text: &str) -> Result<String, Issue> {
    let issue = || Issue::from(format!("must be host names separated by commas; '{text}' is not one"));
    let allowed = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    if !text.chars().all(allowed) || text.starts_with('.') {
        return Err(issue());
    }
    let host = url::Host::parse(text).map_err(|_| issue())?;
    Ok(host.to_string().trim_end_matches('.').to_owned())
}

/// Reads for how many days a customer stays; empty is for ever.
///
/// # Errors
/// Anything outside 0 to 3650 days.
pub fn bound_days(text: &str) -> Result<Option<i64>, Issue> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(days @ 0..=3650) => Ok(Some(days)),
            _ => Err(Issue::new("must be 0 to 3650 days, or empty")),
        },
    }
}

/// # Errors
/// Anything outside 1 to 400 days.
pub fn attribution_days(days: i64) -> Result<i64, Issue> {
    if (1..=400).contains(&days) { Ok(days) } else { Err(Issue::new("must be 1 to 400 days")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Id;

    fn program() -> Program {
        Program {
            id: Id::new(1),
            slug: "acme".into(),
            name: "Acme".into(),
            currency: Currency::parse("USD").unwrap(),
            rate: DEFAULT_RATE,
            rules: Vec::new(),
            signals: signals::Settings::default(),
            caps: Caps::default(),
            touch: Touch::Last,
            bound_days: None,
            coupon_wins: true,
            new_customers_only: false,
            hold_days: 0,
            attribution_days: DEFAULT_ATTRIBUTION_DAYS,
            landing_url: Some(landing_url("https://acme.example/start").unwrap()),
            domains: domains("acme.example, shop.test").unwrap(),
        }
    }

    #[test]
    fn deep_links_stay_inside_the_domains() {
        for to in
            ["https://acme.example/p?x=1", "http://shop.test", "https://a.b.acme.example/", "HTTPS://ACME.example/x"]
        {
            let host = program().destination(Some(to)).unwrap().host_str().unwrap().to_owned();
            assert!(host.ends_with("acme.example") || host == "shop.test", "{to}");
            assert_ne!(program().destination(Some(to)), program().landing_url, "{to}");
        }
    }

    #[test]
    fn everything_else_leads_to_the_landing_page() {
        for to in [
            "//evil.test",
            "/\\evil.test",
            "https:evil.test",
            "javascript:alert(1)",
            "https://evil.test",
            "/local",
            "https://acme.example.evil.test",
            "https://evilacme.example",
            "https://acme.example@evil.test",
            "http://acme.example\\@evil.test",
            "https://acme.example%00.evil.test",
            "https://user@acme.example/",
            "",
            "\thttps://acme.example/",
            "data:text/html,x",
            "ftp://acme.example/",
        ] {
            assert_eq!(program().destination(Some(to)), program().landing_url, "{to}");
        }
    }

    #[test]
    fn a_report_is_taken_from_the_programs_domains_only() {
        let program = Program { domains: vec!["shop.example".into(), "127.0.0.1".into()], ..program() };
        for (origin, found) in [
            ("https://shop.example", "shop.example"),
            ("http://www.shop.example:8080", "shop.example"),
            ("http://127.0.0.1:9000", "127.0.0.1"),
        ] {
            assert_eq!(program.domain_of_origin(origin), Some(found), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://evil.example",
            "https://shop.example.evil.example",
            "https://evilshop.example",
            "https://shop.example/",
            "https://shop.example@evil.example",
            "https://SHOP.example",
            "file://shop.example",
            "https://shop.example\u{0}",
        ] {
            assert_eq!(program.domain_of_origin(origin), None, "{origin}");
        }
    }

    #[test]
    fn the_click_joins_the_query() {
        let url = with_click(landing_url("https://a.example/?x=1#y").unwrap(), Id::new(1));
        assert_eq!(url.as_str(), "https://a.example/?x=1&clickId=click_0000000000001#y");
    }

    #[test]
    fn only_what_differs_is_told() {
        let after = Program { rate: Rate::from_basis_points(2_500), domains: Vec::new(), ..program() };
        let told = differences(&program(), &after);
        let words: Vec<_> = told.iter().map(|d| (d.setting, d.before.as_str(), d.after.as_str())).collect();
        assert_eq!(words, [("Commission", "20%", "25%"), ("Allowed domains", "acme.example, shop.test", "none")]);
        assert!(differences(&after, &after).is_empty());
    }

    #[test]
    fn settings_are_checked() {
        assert_eq!(domains(" A.example ,,b.test.").unwrap(), ["a.example", "b.test"]);
        assert!(domains("https://a.example").is_err());
        assert!(domains("a b").is_err());
        assert!(landing_url("/relative").is_err());
        assert!(attribution_days(0).is_err() && attribution_days(401).is_err());
    }
}
