//! What a merchant has to look at: sales that signals hold, and claims of sales that affiliates miss.

use std::sync::Arc;

use super::{Member, Year};
use crate::{
    domain::{
        money::Money,
        program::Program,
        signals::{self, Settings},
        time::Time,
    },
    flows::{
        Refusal,
        claims::{self, NewClaim},
        conversions::{self, Customer, Sale},
        programs,
    },
    store::{Tx, clicks},
};

impl Year {
    /// On one of the last days four sales, each with something about it, and two claims, one of them answered.
    pub(super) async fn have_to_look(
        &mut self,
        tx: &mut Tx,
        members: &[Member],
        midnight: Time,
    ) -> Result<(), Refusal> {
        let hosts = signals::banned_referrers("coupons.example");
        let settings = Settings {
            banned_referrers: hosts.map_err(|issue| Refusal::field("banned_referrers", issue.0))?,
            hourly_sales: Some(25),
            ..Settings::default()
        };
        let changed = Program { signals: settings, ..Program::clone(&self.program) };
        programs::change(tx, &self.act(), &changed).await?;
        self.program = Arc::new(changed);

        // After all others of that day, because ids do not go back.
        let day = midnight.plus_seconds(86_010);
        self.app.clock.set(day);
        self.sell(tx, &members[0], "A-20001", 6_400, None, "Affiliate+beans@example.com").await?;
        let ad = ("https://www.search.example/", "https://acme.example/?ad=gclid&utm_source=search&utm_medium=cpc");
        self.app.clock.set(day.plus_seconds(50));
        self.sell(tx, &members[3], "A-20002", 12_900, Some(ad), "p.novak@example.com").await?;
        self.app.clock.set(day.plus_seconds(90));
        self.sell(tx, &members[5], "A-20003", 3_900, None, "k2j9@mailinator.com").await?;
        let codes = ("https://www.coupons.example/acme", "https://acme.example/");
        self.app.clock.set(day.plus_seconds(140));
        self.sell(tx, &members[9], "A-20004", 8_250, Some(codes), "d.okoro@example.com").await?;

        let claim = |order: Option<&str>, cents: i64, words: &str| NewClaim {
            order: order.map(str::to_owned),
            day: Some(midnight.plus_days(-2).day()),
            amount: Some(Money { minor: cents, currency: self.program.currency }),
            words: words.into(),
        };
        let words = "My sister bought two bags by my link on her phone, and sent me the receipt.";
        let first = claims::make(tx, &self.act(), members[0].id, &claim(Some("A-99107"), 3_600, words)).await?;
        let answer = "That order was returned unopened the day after, so there is nothing to credit.";
        self.app.clock.set(day.plus_seconds(300));
        claims::decline(tx, &self.act(), first, answer).await?;
        let words = "A reader wrote that she ordered the espresso kit after my review. She had cleared her cookies.";
        claims::make(tx, &self.act(), members[0].id, &claim(None, 14_900, words)).await?;
        Ok(())
    }

    /// A sale by a click that came from there, or by the code alone.
    async fn sell(
        &self,
        tx: &mut Tx,
        member: &Member,
        order: &str,
        cents: i64,
        click: Option<(&str, &str)>,
        email: &str,
    ) -> Result<(), Refusal> {
        let act = self.act();
        let id = act.id();
        if let Some((source, landing)) = click {
            let click = clicks::NewClick {
                id,
                program: self.program.id,
                code_key: member.code.to_lowercase(),
                source_url: Some(source.into()),
                landing: Some(landing.into()),
                user_agent: None,
                ip_hash: None,
            };
            clicks::record(tx, click).await?;
        }
        let sale = Sale {
            click: click.is_some().then_some(id),
            code: Some(member.code.clone()),
            coupon: None,
            amount: Money { minor: cents, currency: self.program.currency },
            order: Some(order.into()),
            customer: Some(Customer { email: Some(email.into()), ..Customer::default() }),
            products: None,
            is_renewal: false,
            bought_at: None,
        };
        conversions::record(tx, &act, &sale).await.map(drop)
    }
}
