//! A calendar year's payments per affiliate and currency as a table: what an accountant files from.

use super::{Profile, reported};
use crate::domain::{
    affiliate::PaymentMethod,
    csv::{Table, text},
    money::Currency,
};

/// One affiliate's payments of the year in one currency, less what came back.
#[derive(Debug, Clone, Copy)]
pub struct Year<'a> {
    /// As shown: `aff_…`.
    pub affiliate: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    pub profile: Option<&'a Profile>,
    pub currency: Currency,
    /// By method, minor units.
    pub paid: &'a [(PaymentMethod, i64)],
}

const COLUMNS: [&str; 11] = [
    "year",
    "affiliate",
    "name",
    "email",
    "country",
    "tax_form",
    "currency",
    "paid",
    "paid_by_processor",
    "paid_otherwise",
    "1099_nec",
];

/// The table. Whether a 1099-NEC is due is said of dollars alone, and only where the payer is in the United States.
pub fn table(year: i16, is_american_payer: bool, rows: &[Year<'_>]) -> Vec<u8> {
    let mut table = Table::new(&COLUMNS);
    for row in rows {
        let sums = reported(row.profile, year, row.paid);
        let is_due = is_american_payer && row.currency.code() == "USD" && sums.is_due;
        let money = |minor: i64| row.currency.of(minor).to_string();
        table.row(&[
            year.to_string(),
            row.affiliate.to_owned(),
            text(row.name),
            text(row.email),
            row.profile.map(|profile| profile.country.code()).unwrap_or_default(),
            row.profile
                .and_then(|profile| profile.form)
                .map_or_else(String::new, |signed| signed.form.label().to_owned()),
            row.currency.code().to_owned(),
            money(sums.by_payer + sums.by_processor),
            money(sums.by_processor),
            money(sums.by_payer),
            (if is_due { "due" } else { "" }).to_owned(),
        ]);
    }
    table.bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::country::Country;

    #[test]
    fn a_years_table_adds_up() {
        let american = Profile { country: Country::parse("US").unwrap(), is_company: false, form: None };
        let year = |code: &str, profile, paid| Year {
            affiliate: "aff_1",
            name: "=Anna",
            email: "anna@example.com",
            profile,
            currency: Currency::parse(code).unwrap(),
            paid,
        };
        let paid = [(PaymentMethod::Bank, 200_000), (PaymentMethod::Paypal, 5)];
        let rows = [year("USD", Some(&american), &paid), year("JPY", None, &paid), year("KWD", Some(&american), &paid)];
        let read = |is_american| String::from_utf8(table(2026, is_american, &rows)).unwrap();
        let lines: Vec<_> = read(true).lines().skip(1).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "2026,aff_1,'=Anna,anna@example.com,US,,USD,2000.05,0.05,2000.00,due",
                "2026,aff_1,'=Anna,anna@example.com,,,JPY,200005,5,200000,",
                "2026,aff_1,'=Anna,anna@example.com,US,,KWD,200.005,0.005,200.000,",
            ]
        );
        assert!(!read(false).contains("due"));
    }
}
