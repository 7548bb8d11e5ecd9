//! The file and its own sums: cents read from its text, shared among affiliates, rounded by its own lines.

use std::{collections::HashSet, io::Read, path::Path};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::Stop;

pub struct Order {
    pub id: String,
    pub customer: String,
    /// As the file has it: sent without being read as a number on the way.
    pub amount: Box<RawValue>,
    pub cents: i64,
}

#[derive(Deserialize)]
struct Line {
    order_id: String,
    customer_id: String,
    amount: String,
}

/// The whole file is read before anything is sent: a mistake in its last line must not come to light an hour later.
pub fn read(file: &Path, limit: Option<usize>) -> Result<Vec<Order>, Stop> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let opened = std::fs::File::open(file).map_err(|error| named(&error))?;
    let is_gzip = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    let text: Box<dyn Read> =
        if is_gzip { Box::new(flate2::read::MultiGzDecoder::new(opened)) } else { Box::new(opened) };

    let (mut orders, mut seen) = (Vec::new(), HashSet::new());
    for line in csv::Reader::from_reader(text).into_deserialize().take(limit.unwrap_or(usize::MAX)) {
        let line: Line = line.map_err(|error| named(&error))?;
        let wrong = |issue: &str| named(&format!("order {}: {issue}", line.order_id));
        let cents = scaled(&line.amount, 2).ok_or_else(|| wrong("the amount is not a number with two decimals"))?;
        let amount = RawValue::from_string(line.amount.clone()).map_err(|_| wrong("the amount is not JSON's"))?;
        if !seen.insert(line.order_id.clone()) {
            return Err(wrong("is there twice"));
        }
        orders.push(Order { id: line.order_id, customer: line.customer_id, amount, cents });
    }
    Ok(orders)
}

/// Decimal text in units of `10^-places`, exactly; no sign, no exponent, no more decimals than that.
pub fn scaled(text: &str, places: usize) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > places || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<places$}").parse().ok()
}

pub fn money(cents: i64) -> String {
    let (sign, cents) = (if cents < 0 { "-" } else { "" }, cents.unsigned_abs());
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

/// FNV-1a: the same in every run and on every machine.
pub fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The referral code of the affiliate in that place.
pub fn code(place: usize) -> String {
    format!("REPLAY{:03}", place + 1)
}

/// Whose customer it is, by place in the list of affiliates.
pub fn assigned(customer: &str, affiliates: usize) -> usize {
    let among = u64::try_from(affiliates).unwrap_or(1).max(1);
    usize::try_from(hash(customer) % among).unwrap_or(0)
}

/// Money in cents, the rate in ten-thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub clicks: i64,
    pub conversions: i64,
    pub total: i64,
    pub pending: i64,
    pub paid: i64,
    pub rate: i64,
}

/// What each affiliate must have: one click and one pending commission for each order, at the program's rate.
pub fn expected(orders: &[Order], affiliates: usize, points: i64) -> Vec<Totals> {
    let mut sums = vec![Totals::default(); affiliates];
    for order in orders {
        let sum = &mut sums[assigned(&order.customer, affiliates)];
        let commission = (order.cents * points + 5_000) / 10_000;
        sum.clicks += 1;
        sum.conversions += 1;
        sum.total += commission;
        sum.pending += commission;
        sum.rate = 10_000;
    }
    sums
}

impl Totals {
    /// In which fields these differ from what they must be, a line each.
    pub fn differences(&self, expected: &Self, whose: &str) -> Vec<String> {
        let count = |number: i64| number.to_string();
        let share = |rate: i64| format!("{rate}/10000");
        let fields = [
            ("clickCount", count(self.clicks), count(expected.clicks)),
            ("conversionCount", count(self.conversions), count(expected.conversions)),
            ("totalEarnings", money(self.total), money(expected.total)),
            ("pendingEarnings", money(self.pending), money(expected.pending)),
            ("paidEarnings", money(self.paid), money(expected.paid)),
            ("conversionRate", share(self.rate), share(expected.rate)),
        ];
        let differ = fields.into_iter().filter(|(_, found, expected)| found != expected);
        differ.map(|(field, found, expected)| format!("{whose} {field} is {found}, the file's is {expected}")).collect()
    }
}
