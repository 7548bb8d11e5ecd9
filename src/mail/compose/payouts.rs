//! What is told of payouts: one that is due, and payments that were made or did not arrive.

use std::sync::Arc;

use super::{Composing, Stop};
use crate::{
    domain::{
        id::Id,
        payout::{LineStatus, Status},
    },
    flows::{Actor, payouts as flow},
    mail::{
        inert::{Line, Words},
        messages::{PayoutDue, PayoutFailed, PayoutPaid, Written},
    },
    store::{Tx, invoices, payout_lines, payouts},
};

impl Composing<'_> {
    pub(super) async fn payout_due(&self, tx: &mut Tx) -> Result<Written, Stop> {
        let program = self.program()?;
        let drafts = payouts::page(tx, program.id, Some(Status::Draft), 1, 0).await?;
        let draft = drafts.first().ok_or(Stop::Dropped("it was paid by now"))?;
        let act = self.app.act(Arc::new(program.clone()), Actor::Schedule);
        let sum = flow::payable(tx, &act, draft.until_at).await?;
        if sum.count == 0 {
            return Err(Stop::Dropped("nobody can be paid by now"));
        }
        let message = PayoutDue {
            shell: self.shell.clone(),
            payouts: self.at(&format!("m/{}/payouts", program.slug))?,
            amount: program.currency.coded(sum.amount),
        };
        Ok(message.write()?)
    }

    async fn payout_line(&self, tx: &mut Tx, status: LineStatus) -> Result<payout_lines::Line, Stop> {
        let found = payout_lines::by_id(tx, self.program()?.id, Id::new(self.mail.cause_id)).await?;
        found.filter(|line| line.status == status).ok_or(Stop::Dropped("the payment did not stay as it was"))
    }

    pub(super) async fn payout_paid(&self, tx: &mut Tx) -> Result<Written, Stop> {
        let line = self.payout_line(tx, LineStatus::Paid).await?;
        let message = PayoutPaid {
            shell: self.shell.clone(),
            payout: self.at(&format!("payouts/{}", line.id))?,
            amount: self.program()?.currency.coded(line.amount_minor),
            way: line.method.in_a_sentence(),
            commissions: line.commission_count,
            invoice: self.paper_of(tx, &line, false).await?,
        };
        Ok(message.write()?)
    }

    pub(super) async fn payout_failed(&self, tx: &mut Tx) -> Result<Written, Stop> {
        let line = self.payout_line(tx, LineStatus::Failed).await?;
        let message = PayoutFailed {
            shell: self.shell.clone(),
            settings: self.at("settings")?,
            amount: self.program()?.currency.coded(line.amount_minor),
            way: line.method.in_a_sentence(),
            reason: line.reason.as_deref().and_then(Words::new),
            credit_note: self.paper_of(tx, &line, true).await?,
        };
        Ok(message.write()?)
    }

    /// The number of the invoice that was written for the payment, or of the credit note.
    async fn paper_of(&self, tx: &mut Tx, line: &payout_lines::Line, is_credit: bool) -> Result<Option<Line>, Stop> {
        let papers = invoices::of_line(tx, line.id).await?;
        let paper = papers.iter().rfind(|paper| paper.corrects_id.is_some() == is_credit);
        Ok(paper.map(|paper| Line::new(&paper.label)))
    }
}
