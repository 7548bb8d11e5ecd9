//! Sites with something on them, made through the API as a merchant's shop would: nothing yet, what is
//! typical, and what nobody would think of.

use std::collections::BTreeMap;

use offshoot::{
    domain::{
        email::Email,
        id::{AffiliateId, ClaimId, CouponId, GroupId},
        message::Kind,
        one_time_link::Purpose,
    },
    flows::mails,
    store::{self, mail_preferences::Recipient},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Site,
    browser::{Browser, PASSWORD, account},
};

pub const MERCHANT: &str = "mara@example.com";
pub const AFFILIATE: &str = "nina@example.com";
/// Who has applied and waits.
pub const APPLICANT: &str = "ines@example.com";
/// Who may only look at what is owed.
pub const BLOCKED: &str = "mei@example.com";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    Empty,
    Typical,
    Hostile,
}

/// A site with people who can sign in, and what pages are about: `affiliate`, `commission`, `conversion`,
/// `application`, and a good link of each purpose.
pub struct Stock {
    pub site: Site,
    names: BTreeMap<&'static str, String>,
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

/// A payout to those affiliates; its id, and its lines'.
async fn made(site: &Site, affiliates: &[&str]) -> (String, Vec<String>) {
    let made = posted(site, "/payouts", &json!({ "affiliateIds": affiliates })).await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let lines = made["data"]["lines"].as_array().unwrap().iter().map(|line| text(&line["id"])).collect();
    (text(&made["data"]["payout"]["id"]), lines)
}

async fn settle(site: &Site, (payout, line): (&str, &str), status: &str, why: &str) {
    let reason = (!why.is_empty()).then_some(why);
    posted(site, &format!("/payouts/{payout}/lines/{line}/status"), &json!({ "status": status, "reason": reason }))
        .await;
}

impl Stock {
    pub async fn new(data: Data) -> Self {
        let site = Site::start().await;
        account(&site, MERCHANT, true).await;
        let mut stock = Self { site, names: BTreeMap::new() };
        match data {
            Data::Empty => {
                let made =
                    posted(&stock.site, "/affiliates", &json!({ "email": AFFILIATE, "name": "Nina Sommer" })).await;
                stock.give(made["data"]["affiliate"]["id"].as_str().unwrap(), AFFILIATE).await;
            }
            Data::Typical => {
                let people = PEOPLE.map(|(name, code)| (name.to_owned(), code));
                let amount = |row: usize| format!("{}.{}5", 19 + row * 37, row % 10);
                stock.fill(&people, amount, |row| format!("#{}", 4001 + row)).await;
                stock.invite_and_apply("Ines Duarte", "On my blog about coffee, once a week.").await;
                stock.pay(json!(500), "The account was closed.").await;
                stock.choose_files("Ines Duarte", "17.50").await;
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
                stock
                    .invite_and_apply(&"W".repeat(200), &format!("<script>alert(3)</script>{}", "W".repeat(400)))
                    .await;
                stock.pay(json!(999_999_999), &format!("<script>alert(4)</script>{}", "W".repeat(400))).await;
                stock.choose_files(&hostile_people()[0].0, "9999999999.99").await;
                stock.choose_files(&"W".repeat(200), "9999999999.99").await;
            }
        }
        stock
    }

    /// Payouts: one that failed and one on its way for one affiliate, one that was paid in part to others; and something
    /// owed to more.
    async fn pay(&mut self, amount: Value, why_not: &str) {
        let site = &self.site;
        let affiliates = site.api.get("/affiliates?limit=100").await;
        let bonus = json!({ "amount": amount, "reason": "For the year's best \u{201c}<b>blog</b>\u{201d}" });
        let paid_by = json!({ "paymentMethod": "bank", "paymentDetails": "DE89370400440532013000" });
        let mut others = Vec::new();
        for (place, affiliate) in affiliates.data()["affiliates"].as_array().unwrap().iter().enumerate() {
            let id = affiliate["id"].as_str().unwrap();
            if place % 2 == 0 || id == self.names["affiliate"] {
                posted(site, &format!("/affiliates/{id}/adjustments"), &bonus).await;
            }
            if place % 3 == 0 {
                site.api.patch(&format!("/affiliates/{id}"), &paid_by).await;
            }
            if place % 3 == 0 && id != self.names["affiliate"] {
                others.push(id);
            }
        }
        // One that was paid, for which there is an invoice.
        let (invoiced, lines) = made(site, &[&self.names["affiliate"]]).await;
        settle(site, (&invoiced, &lines[0]), "paid", "").await;
        posted(site, &format!("/affiliates/{}/adjustments", self.names["affiliate"]), &bonus).await;
        let (failed, lines) = made(site, &[&self.names["affiliate"]]).await;
        settle(site, (&failed, &lines[0]), "failed", why_not).await;
        let (payout, line) = made(site, &[&self.names["affiliate"]]).await;
        let (paid, of_paid) = made(site, &others).await;
        settle(site, (&paid, &of_paid[0]), "paid", "").await;
        for line in &of_paid[1..] {
            settle(site, (&paid, line), "failed", why_not).await;
        }
        self.names.extend([
            ("payout", payout),
            ("line", line[0].clone()),
            ("failed-line", lines[0].clone()),
            ("paid-payout", paid),
            ("paid-line", of_paid[0].clone()),
        ]);
    }

    /// Affiliates in every status, and sales of each in every status, a reversal of paid money among them.
    async fn fill(
        &mut self,
        people: &[(String, &str)],
        amount: impl Fn(usize) -> String,
        order: impl Fn(usize) -> String,
    ) {
        for (index, (name, code)) in people.iter().enumerate() {
            let site = &self.site;
            let email = format!("{}@example.com", code.to_lowercase());
            let body = json!({ "email": email, "name": name, "referralCode": code });
            let made = posted(site, "/affiliates", &body).await;
            let affiliate = made["data"]["affiliate"]["id"].as_str().unwrap().to_owned();
            site.api.click(code).await;
            let (mut conversion, mut commission) = Default::default();
            for (turn, status) in ["pending", "approved", "rejected", "paid", "pending"].into_iter().enumerate() {
                let row = index * 5 + turn;
                (conversion, commission) = sold(site, code, &amount(row), &order(row), status).await;
                if status == "paid" {
                    let reason = json!({ "reason": format!("returned by {name}") });
                    posted(site, &format!("/conversions/{conversion}/refunds"), &reason).await;
                }
            }
            match index % 4 {
                2 => site.set_affiliate(&affiliate, "pending").await,
                3 => site.set_affiliate(&affiliate, "blocked").await,
                _ => {}
            }
            // Newest first is an order of its own.
            site.advance_seconds(3_607);
            if email == AFFILIATE {
                self.give(&affiliate, AFFILIATE).await;
                self.names.extend([("affiliate", affiliate), ("conversion", conversion), ("commission", commission)]);
            } else if email == BLOCKED {
                self.give(&affiliate, BLOCKED).await;
            }
        }
    }

    /// Lets somebody sign in as that affiliate.
    async fn give(&self, affiliate: &str, email: &str) {
        let account = account(&self.site, email, false).await;
        let affiliate = AffiliateId::parse(affiliate).unwrap();
        let db = &self.site.app.db;
        let given = db.write(move |tx| Box::pin(store::affiliates::give_to(tx, affiliate, account)));
        given.await.unwrap();
    }

    /// What comes about through the portal itself: an affiliate's settings and links, applications,
    /// invitations, and good links of all purposes.
    async fn invite_and_apply(&mut self, name: &str, answer: &str) {
        let site = &self.site;
        let (merchant, nina, guest) = (Browser::at(site.address), Browser::at(site.address), Browser::at(site.address));
        let done = async |browser: &Browser, path: &str, fields: &[(&str, &str)]| {
            let answer = browser.post(path, fields).await;
            assert_eq!(answer.status, 303, "{path}: {answer:?}");
        };
        merchant.sign_in(MERCHANT, PASSWORD).await;
        nina.sign_in(AFFILIATE, PASSWORD).await;
        done(&nina, "/settings/payment", &[("method", "paypal"), ("details", "nina@example.com")]).await;
        let business = [
            ("legal_name", name),
            ("address", answer),
            ("country", "IE"),
            ("VAT_ID", "IE6388047V"),
            ("forms", "none"),
            ("self_billing", "yes"),
            ("prefix", "SB-"),
        ];
        done(&merchant, "/m/acme/settings/tax", &business).await;
        let tax = [
            ("kind", "company"),
            ("legal_name", name),
            ("address", answer),
            ("country", "DE"),
            ("tax_ID", "1234567890"),
            ("VAT_ID", "DE123456789"),
            ("VAT_rate", "19%"),
        ];
        done(&nina, "/settings/tax", &tax).await;
        done(&nina, "/settings/self-billing", &[("version", "1")]).await;
        done(&nina, "/links", &[("label", name), ("code", "NINA-BLOG"), ("destination", "shop.example/beans")]).await;
        let claim = [("order", name), ("day", "2026-02-28"), ("amount", "12.50"), ("words", answer)];
        done(&nina, "/earnings/claims", &claim).await;
        done(&nina, "/account/email", &[("email", "nina@new.example")]).await;
        let settings = [
            ("open", "yes"),
            ("review", "review"),
            ("description", name),
            ("contact", "partners@acme.example"),
            ("question_1", "How will you recommend us?"),
            ("length_1", "long"),
            ("required_1", "yes"),
            ("question_2", name),
            ("terms", answer),
        ];
        done(&merchant, "/m/acme/settings/applications", &settings).await;
        // A colour that can be read in no theme as it is.
        let look = [("colour", "#ff8800"), ("customers", "masked")];
        done(&merchant, "/m/acme/settings/look", &look).await;
        let group = self.group_and_reward(&merchant, name).await;
        done(&merchant, "/m/acme/affiliates/invite", &[("people", &format!("{name} <otto@example.com>"))]).await;
        done(&merchant, "/m/acme/team/invite", &[("email", "fritz@example.com"), ("role", "finance")]).await;
        for email in [APPLICANT, "vera@example.com"] {
            let form = guest.get("/p/acme/apply").await;
            let stamp = form.text.split(r#"name="stamp" value=""#).nth(1).unwrap().split('"').next().unwrap();
            site.advance_seconds(5);
            let fields = [
                ("stamp", stamp),
                ("name", name),
                ("email", email),
                ("answer_1", answer),
                ("answer_2", ""),
                ("terms", "yes"),
                ("version", "1"),
            ];
            done(&guest, "/p/acme/apply", &fields).await;
        }
        let confirm = site.link(Purpose::ConfirmApplication, APPLICANT).await;
        done(&Browser::at(site.address), &confirm, &[("password", PASSWORD)]).await;
        for path in ["/login/link", "/forgot"] {
            let answer = guest.post(path, &[("email", AFFILIATE)]).await;
            assert_eq!(answer.status, 200, "{path}: {answer:?}");
        }

        let (applicant, program) = (Email::parse(APPLICANT).unwrap(), site.program.id);
        let mut tx = site.app.db.read().await.unwrap();
        let applicant = store::affiliates::by_email(&mut tx, program, &applicant).await.unwrap().unwrap().id;
        drop(tx);
        let affiliate = Recipient::Affiliate(AffiliateId::parse(&self.names["affiliate"]).unwrap());
        let no_mail = mails::unsubscribe_token(&site.app.secret, affiliate, Kind::NewCommission);
        let claim = site.database.number("SELECT MAX(id) FROM claims").await;
        let names = [
            ("claim", ClaimId::new(claim).to_string()),
            ("group", group),
            ("application", applicant.to_string()),
            ("apply-confirm", site.link(Purpose::ConfirmApplication, "vera@example.com").await),
            ("invitation", site.link(Purpose::AffiliateInvitation, "otto@example.com").await),
            ("team-invitation", site.link(Purpose::TeamInvitation, "fritz@example.com").await),
            ("sign-in-link", site.link(Purpose::SignIn, AFFILIATE).await),
            ("reset", site.link(Purpose::ResetPassword, AFFILIATE).await),
            ("new-email", site.link(Purpose::ConfirmEmail, "nina@new.example").await),
            ("unsubscribe", format!("/unsubscribe/{no_mail}")),
        ];
        self.names.extend(names);
    }

    /// Files of another tool that nobody has confirmed, and one that is written.
    async fn choose_files(&mut self, name: &str, amount: &str) {
        let merchant = Browser::at(self.site.address);
        merchant.sign_in(MERCHANT, PASSWORD).await;
        let cell = format!("\"{}\"", name.replace('"', "\"\""));
        let bad = (0..30).map(|row| format!("nobody-{row},{cell},a!,{cell},{cell},{cell}\r\n"));
        let bad = bad.collect::<Vec<_>>().concat();
        let people = "email,name,token,state,campaign,joined";
        let good = format!("ida@example.com,{cell},ida blog-of-ida,active,{cell},2024-05-01\r\n");
        let sold = format!(
            "i-1,{amount},2025-01-02,ida@example.com,paid,{amount}\r\n{cell},{amount},2025-01-02,ida@example.com,due,\r\n"
        );
        let sales = "order id,amount,date,affiliate email,status,commission";
        let files = [
            ("import-done", "affiliates", format!("{people}\r\n{good}")),
            ("import-people", "affiliates", format!("{people}\r\n{good}{bad}eva@example.com,Eva,eva,,,\r\n")),
            ("import-orders", "sales", format!("{sales}\r\n{sold},,,,,{cell}\r\n")),
        ];
        for (called, kind, file) in files {
            let called_file =
                if name.len() > 100 { format!("{}.csv", "w".repeat(116)) } else { "export.csv".to_owned() };
            let head =
                format!("--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{called_file}\"\r\n\r\n");
            let body = format!("{head}{file}\r\n--x--\r\n").into_bytes();
            let chosen = merchant.upload(&format!("/m/acme/{kind}/import"), "x", body).await;
            assert_eq!(chosen.status, 303, "{chosen:?}");
            let at = chosen.header("location").to_owned();
            if called == "import-done" {
                merchant.post(&at, &[("added", "1"), ("bad", "0")]).await;
            }
            self.names.insert(called, at);
        }
    }

    /// Groups, rules of what they earn, and coupons, in use and put away; the group that is in use.
    async fn group_and_reward(&self, merchant: &Browser, name: &str) -> String {
        let done = async |path: &str, fields: &[(&str, &str)]| {
            let answer = merchant.post(path, fields).await;
            assert_eq!(answer.status, 303, "{path}: {answer:?}");
        };
        let affiliate = self.names["affiliate"].as_str();
        let short: String = name.chars().take(78).collect();
        let newest = async || {
            let id = self.site.database.number("SELECT MAX(id) FROM affiliate_groups").await;
            GroupId::new(id).to_string()
        };
        done("/m/acme/groups", &[("name", &format!("{short} 2"))]).await;
        done(&format!("/m/acme/groups/{}/archive", newest().await), &[]).await;
        let other = format!("{short} 4");
        done("/m/acme/groups", &[("name", &other)]).await;
        let terms = [("name", other.as_str()), ("hold_days", "365"), ("minimum", "1000000")];
        done(&format!("/m/acme/groups/{}", newest().await), &terms).await;
        done("/m/acme/groups", &[("name", &short)]).await;
        let group = newest().await;
        done("/m/acme/affiliates/group", &[("group", &group), ("id", affiliate)]).await;
        let rule =
            [("kind", "share"), ("sales", "all"), ("products", "mug, <b>cup</b>"), ("name", name), ("pays", "25%")];
        done("/m/acme/rules", &[&rule[..], &[("group", &group), ("months", "12")]].concat()).await;
        let tiers = [("tiers_by", "count month"), ("tiers", "10: 30%\n100: 35%")];
        done("/m/acme/rules", &[&rule[..3], &tiers, &[("name", &format!("{short} 3")), ("pays", "21%")]].concat())
            .await;
        for code in ["ADVENT10", "A-COUPON-OF-THIRTY-TWO-CHARACTER"] {
            posted(&self.site, "/coupons", &json!({ "affiliateId": affiliate, "code": code })).await;
        }
        let coupon = self.site.database.number("SELECT MIN(id) FROM coupons").await;
        done(&format!("/m/acme/coupons/{}/archive", CouponId::new(coupon)), &[]).await;
        posted(&self.site, "/coupons", &json!({ "affiliateId": affiliate, "code": "SUMMER-20" })).await;
        group
    }

    /// A path with what this site has in the places of `{affiliate}` and the like.
    pub fn path(&self, path: &str) -> String {
        self.names.iter().fold(path.to_owned(), |path, (name, is)| path.replace(&format!("{{{name}}}"), is))
    }
}
