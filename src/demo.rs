//! A believable program with a year behind it, made through the flows that real calls use, on a clock that
//! is moved through that year. The same every time but for its end, which is today.

use std::sync::Arc;

use crate::{
    app::{App, Parts},
    clock::Clock,
    domain::{
        affiliate::{PaymentMethod, Status},
        code::Code,
        commission,
        email::Email,
        id::{AffiliateId, CommissionId, ConversionId, Ids},
        key::Scope,
        money::{Currency, Money},
        program,
        time::Time,
    },
    flows::{
        Act, Actor, Refusal,
        accounts::{self, NewAccount},
        affiliates::{self, Edit, NewAffiliate},
        commissions,
        conversions::{self, Customer, Identity, Sale},
        programs,
        refunds::{self, NewRefund},
    },
    password,
    store::{self, Tx, clicks},
};

const MERCHANT: &str = "merchant@example.com";
const AFFILIATE: &str = "affiliate@example.com";
const PASSWORD: &str = "offshoot-demo";
const DAYS: i64 = 365;

const PEOPLE: [&str; 40] = [
    "Ada Marlowe",
    "Bruno Keller",
    "Chiara Rossi",
    "Daniel Okafor",
    "Elif Demir",
    "Farid Haddad",
    "Grace Lindqvist",
    "Hugo Martin",
    "Ines Carvalho",
    "Jonas Weber",
    "Kenji Sato",
    "Lena Novak",
    "Mateo Alvarez",
    "Nadia Petrova",
    "Oscar Nyberg",
    "Priya Nair",
    "Quentin Dubois",
    "Rosa Delgado",
    "Samir Patel",
    "Tove Hansen",
    "Uma Krishnan",
    "Viktor Horvat",
    "Wanda Zielinska",
    "Xavier Costa",
    "Yara Mansour",
    "Zoe Papadaki",
    "Aaron Blake",
    "Bianca Moretti",
    "Caleb Foster",
    "Dina Aziz",
    "Emil Larsen",
    "Fiona Gallagher",
    "Gustavo Lima",
    "Hana Suzuki",
    "Ivan Kovac",
    "Julia Brandt",
    "Karim Bennani",
    "Lucia Ferrari",
    "Milan Jovanovic",
    "Nora Eklund",
];

const SOURCES: [&str; 5] = [
    "https://blog.example/honest-coffee-review",
    "https://video.example/watch?v=espresso-at-home",
    "https://newsletter.example/issue/42",
    "https://social.example/posts/8812",
    "https://compare.example/grinders",
];
const BROWSERS: [&str; 3] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
];

/// Chance that is the same every time: xorshift64*, by Marsaglia and Vigna.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    fn in_hundred(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

/// Fills an empty database and prints how to get in.
///
/// # Errors
/// When the database holds a program already.
pub async fn fill(app: &App) -> Result<(), Box<dyn std::error::Error>> {
    if store::programs::any(&mut *app.db.read().await?).await? {
        return Err("--demo fills an empty database, and this one holds a program already".into());
    }
    let password_hash = password::hash(PASSWORD.into()).await.ok_or("the password could not be hashed")?;
    // A number of its own: ids of a year ago, then of today, whatever the system's clock does meanwhile.
    let ids = Arc::new(Ids::new(store::migrate::next_instance(&app.db).await?));
    let (now, clock) = (app.clock.now(), Clock::set_to(app.clock.now()));
    let year = App::new(Parts { clock, ids, ..Parts::clone(app) });
    let key = app.db.write(move |tx| Box::pin(async move { Year::new(year, now).live(tx, password_hash).await }));
    let key = key.await?;
    println!("The demo program is filled. Sign in at {}login", app.config.base_url);
    println!("  merchant:  {MERCHANT}  password {PASSWORD}");
    println!("  affiliate: {AFFILIATE}  password {PASSWORD}");
    println!("  API key:   {key}");
    Ok(())
}

struct Member {
    id: AffiliateId,
    code: String,
    /// How many clicks they bring on a good day.
    reach: usize,
}

struct Year {
    app: App,
    program: Arc<program::Program>,
    chance: Chance,
    today: Time,
    actor: Actor,
}

impl Year {
    fn new(app: App, today: Time) -> Self {
        let currency = Currency::parse("USD").unwrap_or_else(|_| unreachable!("USD is a currency"));
        let start = today.plus_days(-DAYS);
        app.clock.set(start);
        let mut new = programs::new(app.ids.next(start), "acme".into(), "Acme Coffee".into(), currency);
        new.landing_url = program::landing_url("https://acme.example/").ok();
        new.domains = vec!["acme.example".into()];
        Self { app, program: Arc::new(new), chance: Chance(0x0ff5_4007), today, actor: Actor::CommandLine }
    }

    fn act(&self) -> Act {
        self.app.act(Arc::clone(&self.program), self.actor)
    }

    async fn live(mut self, tx: &mut Tx, password_hash: String) -> Result<String, Refusal> {
        let start = self.app.clock.now();
        let merchant = self.account(tx, MERCHANT, "Mara Acme", &password_hash).await?;
        programs::create(tx, &self.act(), merchant).await?;
        self.actor = Actor::Account(merchant);
        let affiliate = self.account(tx, AFFILIATE, PEOPLE[0], &password_hash).await?;

        let mut members: Vec<Member> = Vec::new();
        let (mut waiting, mut paid, mut orders) = (Vec::new(), Vec::new(), 0);
        for day in 0..DAYS {
            self.app.clock.set(start.plus_days(day));
            // Most join in the first half; the first is there from the start.
            let due = if day == 0 { 1 } else { PEOPLE.len().min(1 + usize::try_from(day).unwrap_or(0) / 6) };
            while members.len() < due {
                members.push(self.join(tx, members.len()).await?);
            }
            for member in &members {
                self.day_of(tx, member, start.plus_days(day), &mut waiting, &mut orders).await?;
            }
            if day % 7 == 6 {
                self.app.clock.set(start.plus_days(day).plus_seconds(9 * 3_600));
                self.decide(tx, &mut waiting, &mut paid, day).await?;
            }
        }
        self.app.clock.set(self.today);
        self.settle_statuses(tx, &members).await?;
        // Only now, so that nobody is sent a year of mails.
        if let Some(first) = members.first() {
            store::affiliates::give_to(tx, first.id, affiliate).await?;
        }
        let key = programs::create_key(tx, &self.act(), "Demo", Scope::Full, None).await?;
        Ok(key.as_str().to_owned())
    }

    async fn account(
        &self,
        tx: &mut Tx,
        email: &str,
        name: &str,
        hash: &str,
    ) -> Result<crate::domain::id::AccountId, Refusal> {
        let email = Email::parse(email).map_err(|issue| Refusal::field("email", issue.0))?;
        let new = NewAccount { email, name: name.into(), password_hash: Some(hash.into()) };
        accounts::create(tx, &self.app.ids, self.app.clock.now(), &new).await
    }

    async fn join(&mut self, tx: &mut Tx, place: usize) -> Result<Member, Refusal> {
        let name = PEOPLE[place];
        let address = if place == 0 {
            AFFILIATE.to_owned()
        } else {
            format!("{}@example.net", name.to_lowercase().replace(' ', "."))
        };
        let email = Email::parse(&address).map_err(|issue| Refusal::field("email", issue.0))?;
        let code = Code::parse(&name.to_uppercase().replace(' ', "")).ok();
        let new = NewAffiliate { email, name: name.into(), code, custom_fields: "{}".into() };
        let joined = affiliates::create(tx, &self.act(), &new).await?;
        if place.is_multiple_of(3) {
            let edit = Edit {
                payment_method: Some(Some(PaymentMethod::Paypal)),
                payment_details: Some(Some(address)),
                ..Edit::default()
            };
            affiliates::edit(tx, &self.act(), joined.id, edit).await?;
        }
        Ok(Member {
            id: joined.id,
            code: joined.referral_code,
            reach: if place == 0 { 6 } else { 1 + self.chance.below(4) },
        })
    }

    async fn day_of(
        &mut self,
        tx: &mut Tx,
        member: &Member,
        midnight: Time,
        waiting: &mut Vec<(CommissionId, ConversionId)>,
        orders: &mut usize,
    ) -> Result<(), Refusal> {
        for _ in 0..self.chance.below(member.reach + 1) {
            let second = i64::try_from(self.chance.below(86_000)).unwrap_or(0);
            self.app.clock.set(midnight.plus_seconds(second));
            let act = self.act();
            let click = clicks::NewClick {
                id: act.id(),
                program: self.program.id,
                code_key: member.code.to_lowercase(),
                source_url: Some(SOURCES[self.chance.below(SOURCES.len())].into()),
                user_agent: Some(BROWSERS[self.chance.below(BROWSERS.len())].into()),
                ip_hash: Some(act.secret.short_hash("ip", &self.chance.below(4_000).to_string())),
            };
            let id = click.id;
            clicks::record(tx, click).await?;
            if self.chance.in_hundred(9) {
                *orders += 1;
                let cents = 1_400 + i64::try_from(self.chance.below(18_000)).unwrap_or(0);
                let sale = Sale {
                    click: Some(id),
                    code: None,
                    amount: Money { minor: cents, currency: self.program.currency },
                    order: Some(format!("A-{:05}", 10_000 + *orders)),
                    customer: Some(customer(self.chance.below(700))),
                    products: None,
                };
                let (recorded, _) = conversions::record(tx, &act, sale).await?;
                if let Some(found) = store::commissions::of_sale(tx, self.program.id, recorded.id).await? {
                    waiting.push((found.id, recorded.id));
                }
            }
        }
        Ok(())
    }

    /// Once a week the merchant decides what is older than that week, pays some and refunds a few.
    async fn decide(
        &mut self,
        tx: &mut Tx,
        waiting: &mut Vec<(CommissionId, ConversionId)>,
        approved: &mut Vec<CommissionId>,
        day: i64,
    ) -> Result<(), Refusal> {
        // The last weeks are left to be decided: the approval queue must have something to show.
        if day > DAYS - 21 {
            return Ok(());
        }
        let act = self.act();
        for (commission, conversion) in waiting.drain(..) {
            if self.chance.in_hundred(5) {
                let left = if self.chance.in_hundred(50) { None } else { Some(1_000) };
                let reason = Some("Returned by the customer".into());
                let new = NewRefund { conversion, amount: left, key: Some(format!("R-{conversion}")), reason };
                refunds::record(tx, &act, new).await?;
            }
            let (status, reason) = match self.chance.below(100) {
                0..4 => (commission::Status::Rejected, Some("Ordered with the affiliate's own address")),
                4..92 => (commission::Status::Approved, None),
                _ => continue,
            };
            commissions::set_status(tx, &act, commission, status, reason).await?;
            if status == commission::Status::Approved {
                approved.push(commission);
            }
        }
        if day % 28 == 27 {
            for commission in approved.drain(..) {
                commissions::set_status(tx, &act, commission, commission::Status::Paid, None).await?;
            }
        }
        Ok(())
    }

    /// Somebody of every status.
    async fn settle_statuses(&self, tx: &mut Tx, members: &[Member]) -> Result<(), Refusal> {
        let last = members.len().saturating_sub(1);
        for (place, status) in [
            (last, Status::Pending),
            (last - 1, Status::Pending),
            (last - 2, Status::Pending),
            (7, Status::Blocked),
            (19, Status::Blocked),
        ] {
            let edit = Edit { status: Some(status), ..Edit::default() };
            affiliates::edit(tx, &self.act(), members[place].id, edit).await?;
        }
        Ok(())
    }
}

fn customer(number: usize) -> Customer {
    Customer { json: format!(r#"{{"id":"c{number}"}}"#), identity: Some(Identity::Id(format!("c{number}"))) }
}
