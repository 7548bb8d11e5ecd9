//! A calendar year's payments per affiliate as a table: what an accountant files from.

use super::{Profile, reported};
use crate::domain::{
    affiliate::PaymentMethod,
    csv::{Table, text},
    money::Currency,
};

/// One affiliate's payments of the year, less what came back.
#[derive(Debug, Clone, Copy)]
pub struct Year<'a> {
    /// As shown: `aff_…`.
    pub affiliate: &'a str,
    pub name: &'a str,
    pub email: &'a str,
    pub profile: Option<&'a Profile>,
    /// Their tax number or VAT number, masked.
    pub tax_id: &'a str,
    pub currency: Currency,
    pub count: i64,
    /// By method, minor units.
    pub paid: &'a [(PaymentMethod, i64)],
}

const COLUMNS: [&str; 13] = [
    "Year",
    "Affiliate",
    "Name",
    "E-mail",
    "Payments",
    "Paid",
    "Currency",
    "By PayPal",
    "Otherwise",
    "Country",
    "Tax form",
    "Tax ID",
    "1099-NEC",
];

/// The table. Whether a 1099-NEC is due is said of dollars alone, and only where the payer is in the United States;
/// what went by `PayPal` is reported by `PayPal`.
pub fn table<'a>(year: i16, is_american_payer: bool, rows: impl Iterator<Item = Year<'a>>) -> Vec<u8> {
    let mut table = Table::new(&COLUMNS);
    for row in rows {
        let sums = reported(row.profile, year, row.paid);
        let is_due = is_american_payer && row.currency.code() == "USD" && sums.is_due;
        let money = |minor: i64| row.currency.of(minor).to_string();
        let form = row.profile.and_then(|profile| profile.form).map_or_else(String::new, |signed| {
            let checked = if signed.is_checked { "" } else { ", not checked" };
            format!("{} of {}{checked}", signed.form.label(), signed.on.date())
        });
        table.row(&[
            year.to_string(),
            row.affiliate.to_owned(),
            text(row.name),
            text(row.email),
            row.count.to_string(),
            money(sums.by_payer + sums.by_processor),
            row.currency.code().to_owned(),
            money(sums.by_processor),
            money(sums.by_payer),
            row.profile.map(|profile| profile.country.code()).unwrap_or_default(),
            form,
            row.tax_id.to_owned(),
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
        let paid = [(PaymentMethod::Bank, 200_000), (PaymentMethod::Paypal, 5)];
        let year = |code: &str, profile| Year {
            affiliate: "aff_1",
            name: "=Anna",
            email: "anna@example.com",
            profile,
            tax_id: "•••• 6789",
            currency: Currency::parse(code).unwrap(),
            count: 2,
            paid: &paid,
        };
        let rows = [year("USD", Some(&american)), year("JPY", None), year("KWD", Some(&american))];
        let read = |is_american| String::from_utf8(table(2026, is_american, rows.into_iter())).unwrap();
        let lines: Vec<_> = read(true).lines().skip(1).map(str::to_owned).collect();
        assert_eq!(
            lines,
            [
                "2026,aff_1,'=Anna,anna@example.com,2,2000.05,USD,0.05,2000.00,US,,•••• 6789,due",
                "2026,aff_1,'=Anna,anna@example.com,2,200005,JPY,5,200000,,,•••• 6789,",
                "2026,aff_1,'=Anna,anna@example.com,2,200.005,KWD,0.005,200.000,US,,•••• 6789,",
            ]
        );
        assert!(!read(false).contains("due"));
    }
}
