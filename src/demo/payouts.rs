//! Two payouts of the year: the first all paid, of the second one line came back.

use super::{Member, Year};
use crate::{
    domain::{
        affiliate::PaymentMethod,
        id::Id,
        payout::{self, LineStatus, Schedule},
    },
    flows::{
        Refusal, adjustments,
        payouts::{self, Choice},
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
                payouts::decide_line(tx, &act, (run.id, line.id), LineStatus::Failed, reason).await?;
            }
        }
        payouts::decide_all(tx, &act, run.id, LineStatus::Paid, None).await.map(drop)
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
