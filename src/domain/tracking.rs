//! What a merchant's own site may report, and what is kept of it: which parameters of an address name an
//! affiliate, from where a report is taken, how much of a landing page is remembered.

use url::Url;

use super::{
    Issue,
    code::Code,
    id::ClickId,
    program::{CLICK_PARAMETER, Difference},
    text,
    time::Time,
};

/// A program's parameters at most; each costs a look-up where several are in one address.
const MOST_PARAMETERS: usize = 10;
const PARAMETER_LENGTH: usize = 40;
/// Longer values of `utm_*` and sub ids are cut, not refused.
const VALUE_LENGTH: usize = 200;
const LANDING_LENGTH: usize = 2_048;
/// The sub ids, an affiliate's own words for where a link stands.
pub const SUB_IDS: [&str; 5] = ["s1", "s2", "s3", "s4", "s5"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Which parameters of a landing address may carry a code, the first of them first.
    pub parameters: Vec<String>,
    /// Nothing is counted or kept before the site has said that its visitor agrees.
    pub needs_consent: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { parameters: ["ref", "via"].map(str::to_owned).to_vec(), needs_consent: false }
    }
}

impl Settings {
    /// The codes that the address may name, in the order of the settings.
    pub fn codes(&self, query: &[(String, String)]) -> Vec<Code> {
        let of =
            |name: &String| query.iter().find(|(key, _)| key == name).and_then(|(_, value)| Code::parse(value).ok());
        self.parameters.iter().filter_map(of).collect()
    }
}

/// Reads `ref, via`.
///
/// # Errors
/// When one is no parameter's name or means something else already, or there are none or too many.
pub fn parameters(list: &str) -> Result<Vec<String>, Issue> {
    let mut all: Vec<String> = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.len() > PARAMETER_LENGTH || !name.chars().all(is_plain) {
            return Err(
                format!("must be names of letters, digits, - and _; '{}' is not one", text::cut(name, 60)).into()
            );
        }
        if is_kept(name) || name == CLICK_PARAMETER {
            return Err(format!("must not include {name}, which means something else").into());
        }
        if !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    match all.len() {
        0 => Err(Issue::new("must name at least one, such as ref")),
        1..=MOST_PARAMETERS => Ok(all),
        _ => Err(format!("must be at most {MOST_PARAMETERS} names").into()),
    }
}

/// What a change of settings changes.
pub fn differences(before: &Settings, after: &Settings) -> Vec<Difference> {
    let words = |settings: &Settings| {
        let consent = if settings.needs_consent { "asked for first" } else { "not asked for" };
        [("Link parameters", settings.parameters.join(", ")), ("Consent", consent.to_owned())]
    };
    Difference::between(words(before), words(after))
}

/// What is kept of a landing address' query.
fn is_kept(name: &str) -> bool {
    name.starts_with("utm_") || SUB_IDS.contains(&name)
}

/// By which ad networks mark the visitors that they were paid for. Facebook marks all that leave it, so of those only
/// where the address calls itself paid for.
const AD_PARAMETERS: [&str; 14] = [
    "gclid",
    "gbraid",
    "wbraid",
    "dclid",
    "gad_source",
    "gad_campaignid",
    "msclkid",
    "ttclid",
    "twclid",
    "li_fat_id",
    "rdt_cid",
    "epik",
    "sccid",
    "yclid",
];
const FACEBOOK: &str = "fbclid";
const PAID_MEDIA: [&str; 14] = [
    "cpc",
    "ppc",
    "cpm",
    "cpv",
    "cpa",
    "paid",
    "paidsearch",
    "paid-search",
    "paid_search",
    "paidsocial",
    "paid-social",
    "paid_social",
    "display",
    "retargeting",
];
/// Under which name a kept landing page tells by which parameter an ad was known; its value is about a person.
pub const AD: &str = "ad";

/// The parameter by which the address shows that an ad led to it.
fn ad_parameter(query: &[(String, String)]) -> Option<&'static str> {
    let has = |name: &str| query.iter().any(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_empty());
    let named = AD_PARAMETERS.into_iter().find(|name| has(name));
    named.or_else(|| (has(FACEBOOK) && paid_medium(query).is_some()).then_some(FACEBOOK))
}

/// Those of a landing address' parameters that an ad network sets, by their names alone: that one is there says what
/// there is to know.
pub fn ad_marks(names: &str) -> impl Iterator<Item = (String, String)> {
    let marks = AD_PARAMETERS.into_iter().chain([FACEBOOK]);
    marks
        .filter(|mark| names.split(',').any(|name| name.eq_ignore_ascii_case(mark)))
        .map(|mark| (mark.into(), "yes".into()))
}

fn paid_medium(query: &[(String, String)]) -> Option<&'static str> {
    let (_, medium) = query.iter().find(|(name, _)| name == "utm_medium")?;
    PAID_MEDIA.into_iter().find(|word| medium.trim().eq_ignore_ascii_case(word))
}

/// By what a kept landing page shows that an ad was paid for to bring the visitor.
pub fn paid_ad(landing: &str) -> Option<String> {
    let (_, query) = told(landing);
    let marked = query.iter().find(|(name, _)| name == AD).and_then(|(_, value)| {
        AD_PARAMETERS.into_iter().chain([FACEBOOK]).find(|name| name == value).map(str::to_owned)
    });
    marked.or_else(|| paid_medium(&query).map(|medium| format!("utm_medium={medium}")))
}

/// The landing page as it is kept: without its query, which may hold anything, but with `utm_*` and sub ids, and
/// whether an ad led to it.
/// Of a link that is followed through the portal there is no page, only these.
pub fn landing(page: Option<&str>, query: &[(String, String)]) -> Option<String> {
    let mut kept = form_urlencoded::Serializer::new(String::new());
    if let Some(ad) = ad_parameter(query) {
        kept.append_pair(AD, ad);
    }
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in query.iter().filter(|(name, value)| is_kept(name) && !value.trim().is_empty()) {
        if name.len() <= PARAMETER_LENGTH && !seen.contains(&name.as_str()) {
            kept.append_pair(name, text::cut(value, VALUE_LENGTH));
            seen.push(name);
        }
    }
    let kept = kept.finish();
    let page = page.and_then(|page| Url::parse(page).ok()).filter(|url| matches!(url.scheme(), "http" | "https"));
    let page = page.map(|mut url| {
        url.set_query(None);
        url.set_fragment(None);
        let _ = (url.set_username(""), url.set_password(None));
        String::from(url)
    });
    let whole = match (page, kept.is_empty()) {
        (None, true) => return None,
        (page, true) => page.unwrap_or_default(),
        (page, false) => format!("{}?{kept}", page.unwrap_or_default()),
    };
    Some(text::cut(&whole, LANDING_LENGTH).to_owned())
}

/// A kept landing page taken apart: the page, and what its query said.
pub fn told(landing: &str) -> (Option<&str>, Vec<(String, String)>) {
    let (page, query) = landing.split_once('?').unwrap_or((landing, ""));
    let page = Some(page).filter(|page| !page.is_empty());
    (page, form_urlencoded::parse(query.as_bytes()).into_owned().collect())
}

/// A look at whether a merchant's site works, as it was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Stands in for an affiliate's code.
    pub code: String,
    /// Stands in for a click.
    pub click: ClickId,
    pub started_at: Time,
    pub passed_at: Option<Time>,
}

/// A check that was forgotten ends by itself.
const CHECK_SECONDS: i64 = 1_800;

impl Check {
    pub fn is_running(&self, now: Time) -> bool {
        now < self.started_at.plus_seconds(CHECK_SECONDS)
    }
}

/// What is known of a program's own site.
#[derive(Debug, Clone, Default)]
pub struct Site {
    pub settings: Settings,
    pub check: Option<Check>,
}

impl Site {
    pub fn running(&self, now: Time) -> Option<&Check> {
        self.check.as_ref().filter(|check| check.is_running(now))
    }
}

super::affiliate::words! {
    /// What the script was seen to do while a check ran.
    Sign as SignWord {
        Script = "script", Barred = "barred", Waiting = "waiting", Unread = "unread", Click = "click",
        Returned = "returned", Kept = "kept", Lead = "lead", StrayLead = "stray_lead", Sale = "sale"
    }
    "must be something that a script does"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn parameters_are_names_and_have_one_meaning() {
        assert_eq!(parameters(" ref,via ,, fpr, ref").unwrap(), ["ref", "via", "fpr"]);
        for list in ["", " , ", "a b", "utm_source", "s1", "clickId", "é", "a=b", &"x".repeat(41)] {
            assert!(parameters(list).is_err(), "{list}");
        }
        assert!(parameters("a,b,c,d,e,f,g,h,i,j,k").is_err());
    }

    #[test]
    fn the_first_parameter_comes_first() {
        let settings = Settings::default();
        let all = settings.codes(&query(&[("via", "ANNA"), ("x", "BEN"), ("ref", "home-page")]));
        assert_eq!(all.iter().map(Code::as_str).collect::<Vec<_>>(), ["home-page", "ANNA"]);
        assert!(settings.codes(&query(&[("ref", "<script>"), ("REF", "ANNA"), ("via", "")])).is_empty());
    }

    #[test]
    fn a_landing_page_is_kept_without_what_nobody_asked_for() {
        let given =
            query(&[("token", "secret"), ("utm_source", "news & more"), ("s1", "top"), ("s1", "again"), ("s6", "x")]);
        let kept = landing(Some("https://me:pw@shop.example/a?token=secret#x"), &given).unwrap();
        assert_eq!(kept, "https://shop.example/a?utm_source=news+%26+more&s1=top");
        assert_eq!(
            told(&kept),
            (Some("https://shop.example/a"), query(&[("utm_source", "news & more"), ("s1", "top")]))
        );
        assert_eq!(landing(None, &given).unwrap(), "?utm_source=news+%26+more&s1=top");
        assert_eq!(told("?s1=a").0, None);
        assert_eq!(landing(None, &[]), None);
        assert_eq!(landing(Some("javascript:alert(1)"), &[]), None);
        let long = landing(None, &query(&[("s1", &"é".repeat(9_000))])).unwrap();
        assert!(long.len() <= LANDING_LENGTH);
    }

    #[test]
    fn a_paid_ad_is_told_by_its_name_and_without_whom_it_reached() {
        for (pairs, kept, ad) in [
            (vec![("gclid", "Cj0KCQ"), ("s1", "x")], Some("?ad=gclid&s1=x"), Some("gclid")),
            (vec![("utm_medium", " CPC ")], Some("?utm_medium=+CPC+"), Some("utm_medium=cpc")),
            (vec![("fbclid", "x"), ("utm_medium", "paid_social")], None, Some("fbclid")),
            (vec![("fbclid", "x"), ("utm_medium", "social")], None, None),
            (vec![("gclid", ""), ("s1", "x")], Some("?s1=x"), None),
            (vec![("ad", "gclid"), ("s1", "x")], Some("?s1=x"), None),
            (vec![("utm_medium", "email")], None, None),
        ] {
            let landing = landing(None, &query(&pairs)).unwrap();
            assert!(kept.is_none_or(|kept| kept == landing), "{landing}");
            assert_eq!(paid_ad(&landing).as_deref(), ad, "{landing}");
        }
        assert_eq!(paid_ad("https://shop.example/"), None);
        assert_eq!(paid_ad("?ad=%3Cscript%3E"), None);
    }

    #[test]
    fn what_changed_is_told() {
        let after = Settings { needs_consent: true, ..Settings::default() };
        let told = differences(&Settings::default(), &after);
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].before.as_str(), told[0].after.as_str()), ("not asked for", "asked for first"));
    }
}
