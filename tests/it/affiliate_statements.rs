//! Statements add up, whatever happened: checked against a second account that is kept beside it.

use std::collections::BTreeMap;

use crate::support::{
    Site,
    browser::{Browser, PASSWORD, account_of, texts},
};

/// xorshift64*, by Marsaglia and Vigna.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound
    }
}

/// Minor units of `USD −1,234.50`.
fn minor(shown: &str) -> i64 {
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    let amount: i64 = digits.parse().unwrap_or_else(|_| panic!("{shown} is no amount"));
    if shown.contains('\u{2212}') { -amount } else { amount }
}

struct Sale {
    commission: String,
    conversion: String,
    amount: i64,
    refunded: i64,
    earned: i64,
    reversed: i64,
    status: &'static str,
}

/// Earned, reversed and paid of one month, as entries.
#[derive(Default, Clone, Copy)]
struct Month(i64, i64, i64);

#[tokio::test(flavor = "multi_thread")]
async fn every_period_of_a_random_year_adds_up() {
    let seed = rand::random::<u64>().max(1);
    println!("seed {seed}");
    let mut chance = Chance(seed);
    let site = Site::start().await;
    let id = site.affiliate("ANNA").await;
    account_of(&site, &id, "anna@people.example").await;

    let mut sales: Vec<Sale> = Vec::new();
    let mut months: BTreeMap<String, Month> = BTreeMap::new();
    for step in 0..160_u64 {
        site.advance_seconds(i64::try_from(chance.below(3 * 86_400)).unwrap());
        let month = months.entry(site.app.clock.now().to_string()[..7].to_owned()).or_default();
        let place = usize::try_from(chance.below(sales.len().max(1) as u64)).unwrap();
        match chance.below(10) {
            0..4 => {
                let amount = i64::try_from(chance.below(20_000)).unwrap() + 1;
                let sold =
                    site.api.sale("ANNA", &format!("{}.{:02}", amount / 100, amount % 100), &format!("o{step}")).await;
                let earned = (amount * 2 + 5) / 10;
                month.0 += earned;
                sales.push(Sale {
                    commission: site.api.newest_commission(&id).await,
                    conversion: sold.data()["conversionId"].as_str().unwrap().to_owned(),
                    amount,
                    refunded: 0,
                    earned,
                    reversed: 0,
                    status: "pending",
                });
            }
            4..8 if !sales.is_empty() => {
                let sale = &mut sales[place];
                let to = ["approved", "paid", "rejected"][usize::try_from(chance.below(3)).unwrap()];
                if site.api.decide(&sale.commission, to).await.status == 200 && to != sale.status {
                    let left = sale.earned - sale.reversed;
                    match (sale.status, to) {
                        (_, "rejected") => month.1 -= left,
                        ("rejected", _) => month.0 += left,
                        (_, "paid") => month.2 -= left,
                        _ => {}
                    }
                    sale.status = to;
                }
            }
            _ if !sales.is_empty() => {
                let sale = &mut sales[place];
                let left = sale.amount - sale.refunded;
                if left > 0 {
                    let part = i64::try_from(chance.below(u64::try_from(left).unwrap())).unwrap() + 1;
                    let decimal = format!(r#"{{"amount":{}.{:02}}}"#, part / 100, part % 100);
                    let path = format!("/conversions/{}/refunds", sale.conversion);
                    let done = site.api.raw(reqwest::Method::POST, &path, decimal).await;
                    assert_eq!(done.status, 201, "{done:?}");
                    sale.refunded += part;
                    let reversed = (sale.earned * sale.refunded * 2 + sale.amount) / (sale.amount * 2);
                    if sale.status != "rejected" {
                        month.1 -= reversed - sale.reversed;
                    }
                    sale.reversed = reversed;
                }
            }
            _ => {}
        }
    }
    site.check_ledger().await;

    // Only now: a session does not outlive such a year.
    let browser = Browser::at(site.address);
    browser.sign_in("anna@people.example", PASSWORD).await;
    let mut owed = 0;
    for (month, Month(earned, reversed, paid)) in &months {
        let page = browser.get(&format!("/earnings?period={month}")).await;
        let shown: Vec<i64> = texts(&page, ".balance dd").iter().map(|amount| minor(amount)).collect();
        let end = owed + earned + reversed + paid;
        assert_eq!(shown, [owed, *earned, *reversed, *paid, end], "{month} of seed {seed}");
        owed = end;
        // And the rows of the printed statement make the same.
        let page = browser.get(&format!("/earnings/statement?period={month}")).await;
        let rows: Vec<i64> = texts(&page, "tbody td.number").iter().map(|amount| minor(amount)).collect();
        let (last, rest) = rows.split_last().unwrap();
        assert_eq!((rest.iter().sum::<i64>(), *last), (end, end), "{month} of seed {seed}");
    }
    let page = browser.get("/earnings?period=all").await;
    let shown: Vec<i64> = texts(&page, ".balance dd").iter().map(|amount| minor(amount)).collect();
    assert_eq!((shown[0], shown[4]), (0, owed), "seed {seed}");

    // Every row once, page by page, in both views and in the file.
    for (view, most) in [("", sales.len()), ("&view=movements", 0)] {
        let (mut at, mut listed) = (format!("/earnings?period=all{view}"), Vec::new());
        for _ in 0..40 {
            let page = browser.get(&at).await;
            listed.extend(texts(&page, "tbody tr"));
            let html = scraper::Html::parse_document(&page.text);
            let older = scraper::Selector::parse(".pager a[rel=next]").unwrap();
            let Some(next) = html.select(&older).next() else { break };
            at = format!("/earnings{}", next.value().attr("href").unwrap());
        }
        let file = browser.get(&format!("/earnings.csv?period=all{view}")).await;
        assert_eq!(listed.len(), file.text.lines().count() - 1, "{view} of seed {seed}");
        assert!(listed.len() >= most);
    }
}
