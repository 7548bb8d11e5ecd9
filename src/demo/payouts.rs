//! Two payouts of the year: the first all paid, of the second one line came back.

use super::{Member, Year};
use crate::{
    domain::{
        affiliate::PaymentMethod,
        country::Country,
        id::{AccountId, Id},
        money::Rate,
        payout::{self, LineStatus, Schedule},
        self_billing,
        tax::{
            Profile,
            details::{Details, Whole},
            settings::{Business, Settings},
            vat::VatId,
        },
    },
    flows::{
        Act, Actor, Refusal, adjustments, payout_decisions,
        payouts::{self, Choice},
        tax,
    },
    store::{self, Tx},
};

/// On which days of the year.
pub const DAYS: [i64; 2] = [251, 335];

impl Year {
    /// Everybody who is owed enough is paid, but for one whose bank sends it back the second time.
    pub(super) async fn pay(&self, tx: &mut Tx, day: i64) -> Result<(), Refusal> {
        let act = self.act();
        let choice = Choice { until: act.now, method: None, only: Vec::new(), without: Vec::new() };
        let (run, _) = payouts::make(tx, &act, &choice, &format!("demo:{day}"), None).await?;
        if day == DAYS[1] {
            let lines = store::payout_lines::all(tx, run.id, None, Id::new(0), 100).await?;
            if let Some(line) = lines.iter().find(|line| line.method == PaymentMethod::Bank) {
                let reason = Some("The account was closed");
                payout_decisions::decide_line(tx, &act, (run.id, line.id), LineStatus::Failed, reason).await?;
            }
        }
        payout_decisions::decide_all(tx, &act, run.id, LineStatus::Paid, None).await.map(drop)
    }

    /// The merchant and the first affiliate say who they are, and that the merchant writes the invoices.
    pub(super) async fn agree_on_invoices(
        &self,
        tx: &mut Tx,
        first: Option<&Member>,
        account: AccountId,
    ) -> Result<(), Refusal> {
        let (Ok(ireland), Ok(germany)) = (Country::parse("IE"), Country::parse("DE")) else { return Ok(()) };
        let business = Business {
            name: "Acme Coffee Roasters Ltd".into(),
            address: "12 Quay Street\nGalway".into(),
            country: ireland,
            vat_id: VatId::parse("IE6388047V", ireland).ok(),
        };
        let settings = Settings { business: Some(business), self_billing: true, ..Settings::default() };
        tax::change_settings(tx, &self.act(), &settings).await?;
        let Some(first) = first else { return Ok(()) };
        let act = Act { actor: Actor::Account(account), ..self.act() };
        let details = Details {
            name: super::cast::PEOPLE[0].into(),
            address: "Lindenallee 3\n10115 Berlin".into(),
            tax_id: None,
            vat_id: Some("DE123456789".into()),
        };
        let profile = Profile { country: germany, is_company: false, form: None };
        let whole = Whole { profile, details, vat_rate: Rate::parse("19%").ok() };
        tax::change_profile(tx, &act, first.id, whole).await?;
        tax::agree(tx, &act, first.id, self_billing::VERSION).await
    }

    /// How the program pays, and a bonus by hand.
    pub(super) async fn settle_payouts(&self, tx: &mut Tx, members: &[Member]) -> Result<(), Refusal> {
        let act = self.act();
        let settings = payout::Settings { minimum: 2_500, schedule: Schedule::Monthly, ..payout::Settings::default() };
        payouts::change_settings(tx, &act, &settings).await?;
        if let Some(first) = members.first() {
            adjustments::create(tx, &act, first.id, 1_500, "A thank-you for the brewing guide").await?;
        }
        Ok(())
    }
}
