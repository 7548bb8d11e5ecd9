//! The tools that people come from: what their links carry, and by which columns their files are told apart.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::domain::affiliate::words;

words! {
    Tool as ImportTool {
        Own = "own", Rewardful = "rewardful", FirstPromoter = "firstpromoter", Tolt = "tolt",
        PartnerStack = "partnerstack", Tapfiliate = "tapfiliate", Refgrow = "refgrow",
    }
    "must be one of own, rewardful, firstpromoter, tolt, partnerstack, tapfiliate, refgrow"
}

impl Tool {
    pub const ALL: [Self; 7] = [
        Self::Rewardful,
        Self::FirstPromoter,
        Self::Tolt,
        Self::PartnerStack,
        Self::Tapfiliate,
        Self::Refgrow,
        Self::Own,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Own => "A table of my own",
            Self::Rewardful => "Rewardful",
            Self::FirstPromoter => "FirstPromoter",
            Self::Tolt => "Tolt",
            Self::PartnerStack => "PartnerStack",
            Self::Tapfiliate => "Tapfiliate",
            Self::Refgrow => "Refgrow",
        }
    }

    /// Where rows came from, in a sentence: `imported from Rewardful`.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Own => "a file",
            other => other.label(),
        }
    }

    /// The parameter by which its links name an affiliate, as long as nobody has set another. Where the links of a
    /// file carry another, that one counts too.
    ///
    /// Rewardful: <https://help.rewardful.com/en/articles/1988486-how-do-i-import-data-into-rewardful>.
    /// `PartnerStack`: <https://docs.partnerstack.com/docs/getting-integrated-with-s2s>; its `ps_xid` names a click
    /// of its own and no affiliate, so that nothing can be made of it. The others by their tracking scripts.
    pub const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Own => &[],
            Self::Rewardful => &["via"],
            Self::FirstPromoter => &["fpr"],
            Self::Tolt | Self::Tapfiliate | Self::Refgrow => &["ref"],
            Self::PartnerStack => &["ps_partner_key", "gspk"],
        }
    }

    /// What else stands in its links for that code: `PartnerStack` puts the key there in base 64.
    pub fn written(self, code: &str) -> Option<String> {
        (self == Self::PartnerStack).then(|| STANDARD.encode(code).trim_end_matches('=').to_owned())
    }

    /// Whether in its tables of commissions `amount` alone is what the affiliate earns, not what was sold.
    pub const fn amount_is_commission(self) -> bool {
        matches!(self, Self::Rewardful | Self::FirstPromoter | Self::Tolt)
    }

    /// Columns that others do not have, as [`super::table::plain`] has them.
    const fn signs(self) -> &'static [&'static str] {
        match self {
            Self::Own => &[],
            Self::Rewardful => &[
                "token",
                "linktoken",
                "wiseemail",
                "campaign",
                "stripecustomerid",
                "dueat",
                "voidedat",
                "saleamountcents",
            ],
            Self::FirstPromoter => &[
                "refid",
                "promoteremail",
                "promoterid",
                "promoter",
                "custid",
                "eventid",
                "reftoken",
                "authtoken",
                "salesamount",
            ],
            Self::Tolt => &["partneremail", "trackingparameter", "partnerid", "chargeid", "billingtype"],
            Self::PartnerStack => {
                &["partnerkey", "partnershipkey", "groupslug", "customerkey", "transactionkey", "stackkey", "stack"]
            }
            Self::Tapfiliate => &[
                "externalid",
                "affiliateemail",
                "commissiontype",
                "commissionstatus",
                "affiliatemetadata",
                "referrallink",
                "program",
            ],
            Self::Refgrow => &["referralcode", "unpaidearnings", "totalearnings", "conversionrate", "affiliateid"],
        }
    }

    /// Whose table it is, by the names of its columns. Of several that fit alike the first.
    pub fn guess(names: &[String]) -> Self {
        let score = |tool: Self| {
            let signs = names.iter().filter(|name| tool.signs().contains(&name.as_str())).count();
            let word = super::table::plain(tool.label());
            signs + 3 * names.iter().filter(|name| tool != Self::Own && name.contains(&word)).count()
        };
        let best = Self::ALL.into_iter().rev().max_by_key(|tool| score(*tool));
        best.filter(|tool| score(*tool) > 0).unwrap_or(Self::Own)
    }
}

/// Parameters that name an affiliate in the links of one tool or another; the first ones are `FirstPromoter`'s, which
/// reads each of them.
const NAMING: [&str; 16] = [
    "fpr",
    "via",
    "fp_ref",
    "deal",
    "ref",
    "_from",
    "_by",
    "_go",
    "ps_partner_key",
    "gspk",
    "aff",
    "affiliate",
    "partner",
    "referral",
    "refcode",
    "a_aid",
];

/// Whether a parameter of that name, whoever's it is, is likely to name an affiliate.
pub fn is_naming(name: &str) -> bool {
    NAMING.contains(&name)
}
