//! Self-billing invoices as payouts' lines are paid and come back: in the same transaction, so that there is never one
//! without the other, and no number without either.
//!
//! An invoice is issued when its money goes out, because only then is a commission owed for good: until then it may be
//! refunded, rejected or on hold.

use serde::{Deserialize, Serialize};

use super::{Act, Refusal, tax};
use crate::{
    domain::{
        country::Country,
        id::{Id, InvoiceId},
        money::{Currency, Rate},
        payout::LineStatus,
        self_billing::{self, Invoice, Line, Party, Vat},
        tax::{
            exchange::{self, Stated},
            settings::{Business, Settings},
            vat::{self, Business as Taxed, Treatment, VatId},
        },
        time::Time,
    },
    secret::SecretKey,
    store::{
        Error, Tx,
        invoices::{self, Due, NewInvoice},
        payout_lines::Which,
        tax as stored,
    },
};

/// How many are read in one go.
const STEP: i64 = 500;

/// Who is on an invoice, as they were when it was issued.
#[derive(Clone, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    pub address: String,
    pub country: String,
    pub vat_id: Option<String>,
}

impl Named {
    fn of(business: &Business) -> Self {
        Self {
            name: business.name.clone(),
            address: business.address.clone(),
            country: business.country.name().to_owned(),
            vat_id: business.vat_id.as_ref().map(|id| id.as_str().to_owned()),
        }
    }

    pub fn party(&self) -> Party<'_> {
        Party { name: &self.name, address: &self.address, country: &self.country, vat_id: self.vat_id.as_deref() }
    }
}

fn purpose(id: InvoiceId) -> String {
    format!("invoice {id}")
}

fn seal(secret: &SecretKey, id: InvoiceId, supplier: &Named) -> Result<String, Error> {
    let text = serde_json::to_vec(supplier).ok();
    let sealed = text.and_then(|text| secret.seal(&purpose(id), &text));
    sealed.ok_or_else(|| Error::Corrupt("an invoice to seal".into()))
}

/// The affiliate whom an invoice names, and the merchant.
///
/// # Errors
/// What was sealed with another secret, or for another invoice.
pub fn parties(secret: &SecretKey, of: &invoices::Invoice) -> Result<(Named, Named), Error> {
    let supplier = secret.open(&purpose(of.id), &of.supplier).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let supplier = supplier.ok_or_else(|| Error::Corrupt(format!("{}: sealed with another secret key", of.id)))?;
    let customer = serde_json::from_str(&of.customer).map_err(|error| Error::Corrupt(error.to_string()))?;
    Ok((supplier, customer))
}

/// How an invoice says it.
pub fn vat_of(of: &invoices::Invoice) -> Vat<'static> {
    match of.treatment {
        Treatment::Domestic => match of.vat_bps.map(Rate::from_basis_points) {
            Some(rate) => Vat::Charged { rate, minor: of.vat_minor, stated: stated(of) },
            None => Treatment::Domestic.on_invoice(None, of.currency.of(0)),
        },
        other => other.on_invoice(None, of.currency.of(0)),
    }
}

fn stated(of: &invoices::Invoice) -> Option<Stated> {
    let amount = of.stated_currency?.of(of.stated_minor?);
    Some(Stated { amount, rate: exchange::Rate::from_millionths(of.stated_rate?), on: of.stated_on? })
}

/// Invoices for the lines of that status, which are being paid, of affiliates who agreed to them.
///
/// # Errors
/// When one must state its VAT in another currency and there is no rate for it: that is for whoever pays to mend.
pub(super) async fn issue(tx: &mut Tx, act: &Act, which: Which, from: LineStatus) -> Result<(), Refusal> {
    let settings = stored::settings(tx, act.program.id).await?;
    let Some(business) = settings.business.as_ref().filter(|_| settings.self_billing) else { return Ok(()) };
    let mut above = Id::new(0);
    loop {
        let due = invoices::due(tx, which, from, above, STEP).await?;
        let Some(last) = due.last() else { return Ok(()) };
        above = last.line_id;
        let drafts: Vec<_> =
            due.iter().map(|due| Draft::of(act, (&settings, business), due)).collect::<Result<_, _>>()?;
        let whole: Vec<_> = drafts.into_iter().filter(|draft| draft.is_whole(act.program.currency, act.now)).collect();
        let count = i64::try_from(whole.len()).unwrap_or(i64::MAX);
        if count == 0 {
            continue;
        }
        let first = invoices::take_numbers(tx, act.program.id, count).await?;
        for (number, draft) in (first..).zip(&whole) {
            draft.create(tx, act, &settings, number).await?;
        }
    }
}

/// An invoice before it has a number.
struct Draft<'a> {
    due: &'a Due,
    supplier: Named,
    customer: Named,
    treatment: Treatment,
    rate: Option<Rate>,
    vat: Vat<'static>,
}

impl<'a> Draft<'a> {
    fn of(act: &Act, (settings, business): (&Settings, &Business), due: &'a Due) -> Result<Self, Refusal> {
        let details = tax::open(&act.secret, due.affiliate_id, &due.sealed)?;
        let country = Country::parse(&due.country).map_err(|issue| Error::Corrupt(issue.to_string()))?;
        let vat_id = details.vat_id.as_ref().and_then(|id| VatId::parse(id, country).ok());
        let treatment = vat::treatment(
            Taxed { country, vat_id: vat_id.as_ref() },
            Taxed { country: business.country, vat_id: business.vat_id.as_ref() },
        );
        let rate = due.vat_bps.map(Rate::from_basis_points).filter(|_| treatment == Treatment::Domestic);
        let mut vat = treatment.on_invoice(rate, act.program.currency.of(due.amount_minor));
        if let Vat::Charged { minor, stated, .. } = &mut vat {
            *stated = settings
                .exchange
                .state(act.program.currency.of(*minor), country, act.now)
                .map_err(|missing| Refusal::field("status", format!("cannot change: {missing}")))?;
        }
        let supplier = Named {
            name: details.name,
            address: details.address,
            country: country.name().to_owned(),
            vat_id: details.vat_id,
        };
        Ok(Self { due, supplier, customer: Named::of(business), treatment, rate, vat })
    }

    fn vat_minor(&self) -> i64 {
        match self.vat {
            Vat::Charged { minor, .. } => minor,
            Vat::ReverseCharge | Vat::None(_) => 0,
        }
    }

    fn stated(&self) -> Option<Stated> {
        match self.vat {
            Vat::Charged { stated, .. } => stated,
            Vat::ReverseCharge | Vat::None(_) => None,
        }
    }

    fn net(&self) -> i64 {
        self.due.amount_minor - self.vat_minor()
    }

    /// Whether the law has what it asks for. Settings and agreements are made so that it does; where it does not after
    /// all, the payment is a fact and is written down, and no number is spent on paper that is none.
    fn is_whole(&self, currency: Currency, now: Time) -> bool {
        let lines = [Line { what: "Commissions", net: self.net() }];
        let invoice = Invoice {
            number: "to come",
            issued_on: now,
            agreed_on: self.due.agreement_id.time(),
            from: self.due.first_id.time(),
            until: now,
            supplier: self.supplier.party(),
            customer: self.customer.party(),
            currency,
            lines: &lines,
            vat: self.vat,
            payout: None,
            corrects: None,
        };
        let missing = invoice.missing();
        if let Some(missing) = missing.first() {
            tracing::warn!(line = %self.due.line_id, %missing, "no invoice");
        }
        missing.is_empty()
    }

    async fn create(&self, tx: &mut Tx, act: &Act, settings: &Settings, number: i64) -> Result<(), Error> {
        let id = act.id();
        let new = NewInvoice {
            id,
            program: act.program.id,
            affiliate: self.due.affiliate_id,
            line: self.due.line_id,
            number,
            label: &self_billing::label(&settings.prefix, number),
            corrects: None,
            agreed_at: self.due.agreement_id.time(),
            from_at: self.due.first_id.time(),
            until_at: self.due.last_id.time(),
            commission_count: self.due.commission_count,
            currency: act.program.currency,
            net: self.net(),
            vat: self.vat_minor(),
            vat_bps: self.rate.map(Rate::basis_points),
            treatment: self.treatment,
            stated: self.stated(),
            supplier: &seal(&act.secret, id, &self.supplier)?,
            customer: &serde_json::to_string(&self.customer).map_err(|error| Error::Corrupt(error.to_string()))?,
            issued_at: act.now,
        };
        invoices::create(tx, &new).await
    }
}

/// Credit notes for the invoices of the lines of that status, which did not arrive after all. Each copies what its
/// invoice said, with a minus, whatever has changed since: also where the affiliate has withdrawn.
///
/// # Errors
/// The database's.
pub(super) async fn take_back(tx: &mut Tx, act: &Act, which: Which, from: LineStatus) -> Result<(), Error> {
    if from != LineStatus::Paid {
        return Ok(());
    }
    let prefix = stored::settings(tx, act.program.id).await?.prefix;
    let mut above = Id::new(0);
    loop {
        let standing = invoices::standing(tx, which, from, above, STEP).await?;
        let Some(last) = standing.last() else { return Ok(()) };
        above = last.id;
        let count = i64::try_from(standing.len()).unwrap_or(i64::MAX);
        let first = invoices::take_numbers(tx, act.program.id, count).await?;
        for (number, invoice) in (first..).zip(&standing) {
            let (id, (supplier, customer)) = (act.id(), parties(&act.secret, invoice)?);
            let new = NewInvoice {
                id,
                program: act.program.id,
                affiliate: invoice.affiliate_id,
                line: invoice.payout_line_id,
                number,
                label: &self_billing::label(&prefix, number),
                corrects: Some(invoice.id),
                agreed_at: invoice.agreed_at,
                from_at: invoice.from_at,
                until_at: invoice.until_at,
                commission_count: invoice.commission_count,
                currency: invoice.currency,
                net: -invoice.net_minor,
                vat: -invoice.vat_minor,
                vat_bps: invoice.vat_bps,
                treatment: invoice.treatment,
                stated: stated(invoice).map(Stated::negated),
                supplier: &seal(&act.secret, id, &supplier)?,
                customer: &serde_json::to_string(&customer).map_err(|error| Error::Corrupt(error.to_string()))?,
                issued_at: act.now,
            };
            invoices::create(tx, &new).await?;
        }
    }
}
