//! A believable program with a year behind it, made through the flows that real calls use, on a clock that
//! is moved through that year. The same every time but for its end, which is today.

mod cast;
mod payments;
mod payouts;
mod reviews;

use std::sync::Arc;

use self::cast::{APPLICANTS, BROWSERS, DESCRIPTION, LANDINGS, PEOPLE, SOURCES, TERMS};
use crate::{
    app::{App, Parts},
    clock::Clock,
    commands::say,
    domain::{
        affiliate::{PaymentMethod, Status},
        application::{Answer, Question, Settings},
        code::Code,
        commission,
        email::Email,
        id::{AffiliateId, CommissionId, ConversionId, Ids},
        invitation,
        key::{self, Scope},
        money::{Currency, Money, Rate},
        one_time_link::Purpose,
        program,
        rules::{self, Pays, Rule, Sales},
        standing::Move,
        time::Time,
        volume::{Measure, Span, Step, Tiers},
    },
    flows::{
        Act, Actor, Refusal,
        accounts::{self, NewAccount},
        affiliates::{self, Edit, NewAffiliate},
        applications::{self, NewApplication},
        commissions,
        conversions::{self, Customer, Sale},
        coupons, groups, invitations,
        joining::Who,
        one_time_links, programs,
        refunds::{self, NewRefund},
        rules as rule_flow,
    },
    password,
    store::{self, Tx, clicks},
};

const MERCHANT: &str = "merchant@example.com";
const AFFILIATE: &str = "affiliate@example.com";
const PASSWORD: &str = "offshoot-demo";
const DAYS: i64 = 365;

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
    say(format_args!("The demo program is filled. Sign in at {}login", app.config.base_url))?;
    say(format_args!("  merchant:  {MERCHANT}  password {PASSWORD}"))?;
    say(format_args!("  affiliate: {AFFILIATE}  password {PASSWORD}"))?;
    say(format_args!("  API key:   {key}"))?;
    Ok(())
}

struct Member {
    id: AffiliateId,
    code: String,
    /// How many clicks they bring on a good day.
    reach: usize,
    coupon: Option<String>,
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
        new.hold_days = 14;
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
        let (mut waiting, mut orders) = (Vec::new(), 0);
        let questions = self.ask(tx).await?;
        for day in 0..DAYS {
            self.app.clock.set(start.plus_days(day));
            self.come_in(tx, day, &questions, &password_hash).await?;
            // Most join in the first half; the first is there from the start.
            let all = PEOPLE.len() - APPLICANTS.len();
            let due = if day == 0 { 1 } else { all.min(1 + usize::try_from(day).unwrap_or(0) / 6) };
            while members.len() < due {
                members.push(self.join(tx, members.len()).await?);
            }
            for member in &members {
                self.day_of(tx, member, start.plus_days(day), &mut waiting, &mut orders).await?;
            }
            if day == payouts::DAYS[1] - 1 {
                self.agree_on_invoices(tx, members.first(), affiliate).await?;
            }
            if day == DAYS - 90 {
                self.pay_better(tx, &mut members).await?;
            }
            if day == DAYS - 10 {
                self.pay_by_volume(tx).await?;
            }
            if day == DAYS - 4 {
                self.hear_of_payments(tx, &members, start.plus_days(day)).await?;
            }
            if day == DAYS - 3 {
                self.have_to_look(tx, &members, start.plus_days(day)).await?;
            }
            if day % 7 == 6 {
                self.app.clock.set(start.plus_days(day).plus_seconds(9 * 3_600));
                self.decide(tx, &mut waiting, day).await?;
            }
            if payouts::DAYS.contains(&day) {
                self.app.clock.set(start.plus_days(day).plus_seconds(86_390));
                self.pay(tx, day).await?;
            }
        }
        self.app.clock.set(self.today);
        self.settle_statuses(tx, &members).await?;
        self.settle_payouts(tx, &members).await?;
        // Only now, so that nobody is sent a year of mails.
        if let Some(first) = members.first() {
            store::affiliates::give_to(tx, first.id, affiliate).await?;
        }
        let key = programs::create_key(tx, &self.act(), "Demo", Scope::Full, None).await?;
        Ok(key.as_str().to_owned())
    }

    /// First orders pay more from now on, partners more still, and whoever was there first has a coupon.
    async fn pay_better(&mut self, tx: &mut Tx, members: &mut [Member]) -> Result<(), Refusal> {
        let act = self.act();
        self.rule(tx, Rule { sales: Sales::First, ..self.share("First orders", 2_500) }).await?;
        let partners = groups::create(tx, &act, "Partners").await?;
        let ids = members.iter().skip(1).step_by(4).map(|member| member.id).collect();
        groups::assign(tx, &act, ids, Some(partners)).await?;
        self.rule(tx, Rule { scope: rules::Scope::Group(partners), ..self.share("Partners", 3_000) }).await?;
        let code = Code::parse("ADA-BREWS").map_err(|issue| Refusal::field("code", issue.0))?;
        members[0].coupon = Some(coupons::create(tx, &act, members[0].id, &code).await?.code);
        Ok(())
    }

    /// Whoever sells much in a month earns more, which is news.
    async fn pay_by_volume(&mut self, tx: &mut Tx) -> Result<(), Refusal> {
        let steps = vec![Step { after: 5, pays: 2_200 }, Step { after: 25, pays: 2_400 }];
        let tiers = Some(Tiers { by: Measure::Count, of: Span::Month, steps });
        self.rule(tx, Rule { tiers, ..self.share("Volume", 2_000) }).await
    }

    /// A rule that pays everybody a share of every sale.
    fn share(&self, name: &str, points: i64) -> Rule {
        let act = self.act();
        Rule {
            id: act.id(),
            name: name.into(),
            scope: rules::Scope::Everybody,
            products: Vec::new(),
            sales: Sales::All,
            pays: Pays::Share(Rate::from_basis_points(points)),
            months: None,
            payments: None,
            first_days: None,
            first_sales: None,
            tiers: None,
            starts_at: act.now,
            ends_at: None,
        }
    }

    async fn rule(&mut self, tx: &mut Tx, rule: Rule) -> Result<(), Refusal> {
        rule_flow::create(tx, &self.act(), &rule).await?;
        let mut program = program::Program::clone(&self.program);
        program.rules.push(rule);
        self.program = Arc::new(program);
        Ok(())
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
        // Some have not said yet how they would like to be paid.
        if place % 5 != 4 {
            let (method, details) = match place % 3 {
                0 => (PaymentMethod::Paypal, address),
                1 => (PaymentMethod::Wise, address),
                _ => (PaymentMethod::Bank, format!("021000021 / {:08}", 31_400_000 + place)),
            };
            let edit =
                Edit { payment_method: Some(Some(method)), payment_details: Some(Some(details)), ..Edit::default() };
            affiliates::edit(tx, &self.act(), joined.id, edit).await?;
        }
        Ok(Member {
            coupon: None,
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
                landing: LANDINGS[*orders % LANDINGS.len()].map(str::to_owned),
                user_agent: Some(BROWSERS[self.chance.below(BROWSERS.len())].into()),
                ip_hash: Some(act.secret.short_hash("ip", &self.chance.below(4_000).to_string())),
            };
            let id = click.id;
            clicks::record(tx, click).await?;
            if self.chance.in_hundred(9) {
                *orders += 1;
                let cents = 1_400 + i64::try_from(self.chance.below(18_000)).unwrap_or(0);
                let coupon = member.coupon.clone().filter(|_| self.chance.in_hundred(25));
                let sale = Sale {
                    click: Some(id).filter(|_| coupon.is_none()),
                    code: None,
                    coupon,
                    amount: Money { minor: cents, currency: self.program.currency },
                    order: Some(format!("A-{:05}", 10_000 + *orders)),
                    customer: Some(customer(self.chance.below(700))),
                    products: None,
                    is_renewal: false,
                    bought_at: None,
                };
                let (recorded, _) = conversions::record(tx, &act, &sale).await?;
                if let Some(found) = store::commissions::of_sale(tx, self.program.id, recorded.id).await? {
                    waiting.push((found.id, recorded.id));
                }
            }
        }
        Ok(())
    }

    /// Once a week the merchant decides what is older than that week, and refunds a few.
    async fn decide(
        &mut self,
        tx: &mut Tx,
        waiting: &mut Vec<(CommissionId, ConversionId)>,
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
        }
        Ok(())
    }

    /// Somebody of every status.
    async fn settle_statuses(&self, tx: &mut Tx, members: &[Member]) -> Result<(), Refusal> {
        let act = self.act();
        let reason = Some("No posts since the summer. Tell us when you are back.");
        affiliates::change_standing(tx, &act, members[7].id, Move::Pause, reason).await?;
        let reason = Some("Bids on our name in search engines, after two warnings.");
        affiliates::change_standing(tx, &act, members[19].id, Move::Remove, reason).await?;
        let edit = Edit { status: Some(Status::Blocked), ..Edit::default() };
        affiliates::edit(tx, &act, members[23].id, edit).await
    }

    /// How people may apply.
    async fn ask(&self, tx: &mut Tx) -> Result<Vec<Question>, Refusal> {
        let question = |label: &str, is_long| Question { label: label.into(), is_long, is_required: is_long };
        let questions =
            vec![question("How would you recommend our coffee?", true), question("How many people follow you?", false)];
        let settings = Settings {
            description: DESCRIPTION.into(),
            contact: Email::parse("partners@acme.example").ok(),
            questions: questions.clone(),
            terms: TERMS.into(),
            ..Settings::default()
        };
        applications::change_settings(tx, &self.act(), &settings).await?;
        Ok(questions)
    }

    /// In the last days some apply: the first is turned down, the others wait. Then two are invited.
    async fn come_in(&self, tx: &mut Tx, day: i64, questions: &[Question], hash: &str) -> Result<(), Refusal> {
        let place = usize::try_from(day - (DAYS - 5)).unwrap_or(usize::MAX);
        if day == DAYS - 1 {
            let people = invitation::people("Paolo Conti <paolo.conti@example.net>\nstudio@example.net");
            let _ = invitations::invite(tx, &self.act(), &people.unwrap_or_default()).await?;
        }
        let Some((how, site, followers)) = APPLICANTS.get(place) else { return Ok(()) };
        let (name, midnight) = (PEOPLE[PEOPLE.len() - APPLICANTS.len() + place], self.app.clock.now());
        let answers = questions.iter().zip([how, followers]);
        let new = NewApplication {
            email: demo_email(&format!("{}@example.net", name.to_lowercase().replace(' ', ".")))?,
            name: name.into(),
            website: Some((*site).into()),
            answers: answers
                .map(|(asked, said)| Answer { question: asked.label.clone(), answer: (*said).into() })
                .collect(),
            terms_version: 1,
            ip_hash: Some(self.app.secret.short_hash("ip", site)),
        };
        let link = applications::apply(tx, &self.act(), &new).await?.ok_or(Refusal::NotFound("link"))?;
        let token = one_time_links::token(&self.app.secret, Purpose::ConfirmApplication, link);
        self.app.clock.set(midnight.plus_seconds(240));
        let who = Who::New { password_hash: hash.to_owned() };
        let joined = applications::confirm(tx, self.act(), &key::hash(token.as_str()), who).await?;
        if place == 0 {
            let reason = Some("Your audience and our products are too far apart.");
            affiliates::change_standing(tx, &self.act(), joined.affiliate, Move::Reject, reason).await?;
        }
        self.app.clock.set(midnight);
        Ok(())
    }
}

fn demo_email(address: &str) -> Result<Email, Refusal> {
    Email::parse(address).map_err(|issue| Refusal::field("email", issue.0))
}

fn customer(number: usize) -> Customer {
    Customer { json: format!(r#"{{"id":"c{number}"}}"#), id: Some(format!("c{number}")), email: None }
}
