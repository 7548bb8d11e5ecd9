//! Countries of ISO 3166, by their two letters.

use super::Issue;

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country(iso_country::Country);

/// Members of the European Union.
const UNION: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT", "LU", "LV",
    "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

impl Country {
    /// # Errors
    /// When the letters are no country's.
    pub fn parse(code: &str) -> Result<Self, Issue> {
        let found = code.trim().to_ascii_uppercase().parse::<iso_country::Country>().ok();
        found
            .filter(|country| *country != iso_country::Country::Unspecified)
            .map(Self)
            .ok_or(Issue::new("must be a country's two letters such as DE"))
    }

    /// Letters and name of every one, by name.
    pub fn all() -> Vec<(&'static str, &'static str)> {
        let mut all: Vec<_> = iso_country::data::all().iter().map(|one| (one.alpha2, one.name)).collect();
        all.retain(|(code, _)| Self::parse(code).is_ok());
        all.sort_unstable_by_key(|(_, name)| *name);
        all
    }

    pub fn code(self) -> String {
        self.0.to_string()
    }

    pub fn name(self) -> &'static str {
        self.0.name()
    }

    pub fn is_in_the_union(self) -> bool {
        UNION.contains(&self.code().as_str())
    }

    pub fn is_the_states(self) -> bool {
        self.0 == iso_country::Country::US
    }
}

impl std::fmt::Debug for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_letters() {
        let germany = Country::parse(" de ").unwrap();
        assert_eq!((germany.code().as_str(), germany.name()), ("DE", "Germany"));
        assert!(germany.is_in_the_union() && !germany.is_the_states());
        assert!(Country::parse("US").unwrap().is_the_states());
        assert!(!Country::parse("GB").unwrap().is_in_the_union());
        for wrong in ["", "D", "DEU", "ZZ", "EU", "XX"] {
            assert!(Country::parse(wrong).is_err(), "{wrong}");
        }
        assert!(UNION.iter().all(|code| Country::parse(code).is_ok()));
        let all = Country::all();
        assert!(all.len() > 240 && all[0] == ("AF", "Afghanistan"), "{}", all.len());
    }
}
