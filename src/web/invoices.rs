//! Self-billing invoices as both sides see them: the same rows, and the same file.

use axum::response::Response;
use jiff::tz::TimeZone;

use super::{failure::Failure, paper};
use crate::{
    app::App,
    domain::{
        money::{Money, Rate},
        program::Program,
        self_billing::{Corrected, Invoice, Line},
        tax::vat::Treatment,
    },
    flows::invoices::{self as flow, Named},
    paper::{Reader, invoice},
    secret::SecretKey,
    store::{
        Error, earnings,
        invoices::{self as stored},
    },
};

/// An invoice or a credit note, opened.
pub struct Shown {
    pub found: stored::Invoice,
    pub supplier: Named,
    pub customer: Named,
    pub net: Money,
    pub vat: Money,
    pub total: Money,
}

impl Shown {
    pub fn new(secret: &SecretKey, found: stored::Invoice) -> Result<Self, Error> {
        let (supplier, customer) = flow::parties(secret, &found)?;
        let money = |minor| found.currency.of(minor);
        let (net, vat) = (money(found.net_minor), money(found.vat_minor));
        Ok(Self { total: money(found.net_minor + found.vat_minor), net, vat, supplier, customer, found })
    }

    pub fn is_credit_note(&self) -> bool {
        self.found.corrects_id.is_some()
    }

    /// `VAT 19%`, or why there is none.
    pub fn treatment(&self) -> String {
        let without = match self.found.treatment {
            Treatment::Domestic => match self.found.vat_bps.map(Rate::from_basis_points) {
                Some(rate) => return format!("VAT {rate}"),
                None => "Small business",
            },
            Treatment::ReverseCharge => "Reverse charge",
            Treatment::NotRegistered => "Not registered for VAT",
            Treatment::OutsideScope => "Outside EU VAT",
        };
        without.to_owned()
    }
}

/// As PDF. Its days are those of UTC, whoever reads it and from where, so that a number never has an earlier day than
/// the one before; how numbers are written is the affiliate's, as on all their paper.
pub async fn file(app: &App, program: &Program, found: stored::Invoice) -> Result<Response, Failure> {
    let to = earnings::addressee(&mut *app.db.read().await?, program.id, found.affiliate_id).await?;
    let to = to.ok_or_else(|| Failure::not_found("affiliate"))?;
    let shown = Shown::new(&app.secret, found)?;
    let noun = if shown.is_credit_note() { "credit-note" } else { "invoice" };
    let file = format!("{noun}-{}-{}.pdf", program.slug, shown.found.label.replace('/', "-"));
    paper::download(&file, move || {
        let found = &shown.found;
        let corrects = found.corrects_label.as_deref().zip(found.corrects_at);
        let what = match found.commission_count {
            1 => "Commission for a referred sale".to_owned(),
            count => format!("{count} commissions for referred sales"),
        };
        let payout = format!("{}, {}", found.payout_id, found.payout_line_id);
        let lines = [Line { what: &what, net: found.net_minor }];
        let of = Invoice {
            number: &found.label,
            issued_on: found.issued_at,
            agreed_on: found.agreed_at,
            from: found.from_at,
            until: found.until_at.plus_seconds(1),
            supplier: shown.supplier.party(),
            customer: shown.customer.party(),
            currency: found.currency,
            lines: &lines,
            vat: flow::vat_of(found),
            payout: Some(&payout),
            corrects: corrects.map(|(number, issued_on)| Corrected { number, issued_on }),
        };
        invoice(&of, &Reader { zone: TimeZone::UTC, ..paper::reader(&to) })
    })
    .await
}
