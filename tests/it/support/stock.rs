//! Sites with something on them, made through the API as a merchant's shop would: nothing yet, what is
//! typical, and what nobody would think of.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Site, browser::account};

pub const MERCHANT: &str = "mara@example.com";
pub const AFFILIATE: &str = "nina@example.com";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Empty,
    Typical,
    Hostile,
}

/// A site with a merchant and an affiliate who can sign in, and an id of each thing that pages are about.
pub struct Stock {
    pub site: Site,
    pub affiliate: String,
    pub commission: String,
    pub conversion: String,
}

const PEOPLE: [(&str, &str); 8] = [
    ("Nina Sommer", "nina"),
    ("Ada Okafor", "ada"),
    ("Jürgen Groß", "juergen"),
    ("Mei Tanaka", "mei"),
    ("Salma Haddad", "salma"),
    ("Tomás Ruiz", "tomas"),
    ("Priya Nair", "priya"),
    ("Olu Adeyemi", "olu"),
];

/// Names of the most characters that are taken: markup, a script, a formula, right-to-left text that would
/// turn what follows around, one word too long for any line, and marks piled on one letter.
fn hostile_people() -> Vec<(String, &'static str)> {
    let pile = "e\u{301}\u{302}\u{303}\u{304}\u{306}\u{307}\u{308}\u{30A}\u{30B}\u{30C}".repeat(18);
    vec![
        ("<script>alert(1)</script><img src=x onerror=alert(2)>".into(), "nina"),
        ("=1+1+cmd|' /C calc'!A0".into(), "formula"),
        ("\u{202E}مرحبا بالعالم שלום\u{202D} \u{2066}evil".into(), "right-to-left"),
        ("W".repeat(200), "A-code-of-thirty-two-characters"),
        (pile.chars().take(200).collect(), "piled"),
        ("\"'--></title></textarea>{{7*7}}${7*7}".into(), "quotes"),
        ("😀👩‍👩‍👧‍👦🏳️‍🌈".repeat(14).chars().take(200).collect(), "EMOJI"),
        ("many short words ".repeat(11).trim().into(), "words"),
    ]
}

async fn posted(site: &Site, path: &str, body: &Value) -> Value {
    let made = site.api.post(path, body).await;
    assert!(made.status.is_success(), "{path} {body}: {made:?}");
    made.json
}

/// A sale, its commission brought to that status; the ids of its conversion and its commission.
async fn sold(site: &Site, code: &str, amount: &str, order: &str, status: &str) -> (String, String) {
    let order = serde_json::to_string(order).unwrap();
    let body = format!(r#"{{"referralCode":"{code}","amount":{amount},"orderId":{order}}}"#);
    let made = site.api.raw(Method::POST, "/referrals/convert", body).await;
    assert!(made.status.is_success(), "{made:?}");
    let list = site.api.get("/commissions?limit=1").await;
    let commission = list.data()["commissions"][0]["id"].as_str().unwrap().to_owned();
    if status != "pending" {
        let decided = site.api.decide(&commission, status).await;
        assert!(decided.status.is_success(), "{decided:?}");
    }
    (made.data()["conversionId"].as_str().unwrap().to_owned(), commission)
}

impl Stock {
    pub async fn new(data: Data) -> Self {
        let site = Site::start().await;
        account(&site, MERCHANT, true).await;
        account(&site, AFFILIATE, false).await;
        let mut stock = Self { site, affiliate: String::new(), commission: String::new(), conversion: String::new() };
        match data {
            Data::Empty => {}
            Data::Typical => {
                let people = PEOPLE.map(|(name, code)| (name.to_owned(), code));
                let amount = |row: usize| format!("{}.{}5", 19 + row * 37, row % 10);
                stock.fill(&people, amount, |row| format!("#{}", 4001 + row)).await;
            }
            Data::Hostile => {
                // The largest amounts, and the smallest.
                let amount = |row: usize| if row % 3 == 2 { "0.01".into() } else { "9999999999.99".into() };
                let order = |row: usize| match row % 3 {
                    0 => format!("{row}<script>alert('order')</script>"),
                    1 => format!("=HYPERLINK(\"http://x.example\";{row})"),
                    _ => format!("{row}{}", "9".repeat(250)),
                };
                stock.fill(&hostile_people(), amount, order).await;
            }
        }
        stock
    }

    /// Affiliates in every status, and sales of each in every status, a reversal of paid money among them.
    async fn fill(
        &mut self,
        people: &[(String, &str)],
        amount: impl Fn(usize) -> String,
        order: impl Fn(usize) -> String,
    ) {
        let site = &self.site;
        for (index, (name, code)) in people.iter().enumerate() {
            let email = format!("{}@example.com", code.to_lowercase());
            let body = json!({ "email": email, "name": name, "referralCode": code });
            let made = posted(site, "/affiliates", &body).await;
            let affiliate = made["data"]["affiliate"]["id"].as_str().unwrap().to_owned();
            site.api.click(code).await;
            for (turn, status) in ["pending", "approved", "rejected", "paid", "pending"].into_iter().enumerate() {
                let row = index * 5 + turn;
                let (conversion, commission) = sold(site, code, &amount(row), &order(row), status).await;
                if status == "paid" {
                    let reason = json!({ "reason": format!("returned by {name}") });
                    posted(site, &format!("/conversions/{conversion}/refunds"), &reason).await;
                }
                if index == 0 {
                    (self.conversion, self.commission) = (conversion, commission);
                }
            }
            match index % 4 {
                2 => site.set_affiliate(&affiliate, "pending").await,
                3 => site.set_affiliate(&affiliate, "blocked").await,
                _ => {}
            }
            if index == 0 {
                self.affiliate = affiliate;
            }
            // Newest first is an order of its own.
            site.advance_seconds(3_607);
        }
    }

    /// A path with the ids of this site in the places of `{affiliate}`, `{commission}` and `{conversion}`.
    pub fn path(&self, path: &str) -> String {
        let ids = [("{affiliate}", &self.affiliate), ("{commission}", &self.commission)];
        let ids = ids.into_iter().chain([("{conversion}", &self.conversion)]);
        ids.fold(path.to_owned(), |path, (name, id)| path.replace(name, id))
    }
}
