//! Self-billing invoices and their credit notes: a number series without gaps for each program, and what was issued.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, payout_lines::Which, row, tax::AgreementRow};
use crate::domain::{
    id::{AffiliateId, CommissionId, Id, InvoiceId, PayoutId, PayoutLineId, ProgramId},
    money::Currency,
    payout::LineStatus,
    tax::{exchange::Stated, vat::Treatment},
    time::Time,
};

/// Takes the next so many numbers of the program's series; the first of them. The row stays held until the transaction
/// ends, so that what is rolled back gives its numbers back before anybody else can take one.
pub async fn take_numbers(tx: &mut Tx, program: ProgramId, count: i64) -> Result<i64, Error> {
    let (last,) = fetch_one!(
        (i64,),
        tx,
        "INSERT INTO invoice_series (program_id, last_number) VALUES ($1, $2)
         ON CONFLICT (program_id) DO UPDATE SET last_number = invoice_series.last_number + excluded.last_number
         RETURNING last_number",
        program,
        count
    )?;
    Ok(last - count + 1)
}

/// The last number that was given out; 0 where none was. As many as there are.
pub async fn last_number(tx: &mut Tx, program: ProgramId) -> Result<i64, Error> {
    let found = fetch_optional!((i64,), tx, "SELECT last_number FROM invoice_series WHERE program_id = $1", program)?;
    Ok(found.map_or(0, |(last,)| last))
}

row! {
    /// A payout's line whose affiliate has their invoices written.
    #[derive(Debug, Clone)]
    pub struct Due {
        pub line_id: PayoutLineId,
        pub affiliate_id: AffiliateId,
        pub amount_minor: i64,
        pub commission_count: i64,
        pub agreement_id: Id<AgreementRow>,
        pub country: String,
        /// Name, address and numbers.
        pub sealed: String,
        pub vat_bps: Option<i64>,
        /// The oldest and the newest of what the line holds; their ids say when they were made.
        pub first_id: CommissionId,
        pub last_id: CommissionId,
    }
}

/// Of the lines of that status above an id, those that make an invoice when they are paid.
pub async fn due(
    tx: &mut Tx,
    which: Which,
    status: LineStatus,
    above: PayoutLineId,
    limit: i64,
) -> Result<Vec<Due>, Error> {
    macro_rules! due {
        ($rest:literal, $id:expr) => {
            fetch_all!(
                Due,
                tx,
                concat!(
                    "SELECT l.id AS line_id, l.affiliate_id, l.amount_minor, l.commission_count, g.id AS agreement_id, p.country, p.sealed, p.vat_bps,
                       COALESCE((SELECT MIN(c.id) FROM commissions c WHERE c.payout_line_id = l.id), 0) AS first_id,
                       COALESCE((SELECT MAX(c.id) FROM commissions c WHERE c.payout_line_id = l.id), 0) AS last_id
                     FROM payout_lines l
                     JOIN self_billing_agreements g ON g.affiliate_id = l.affiliate_id AND g.withdrawn_at IS NULL
                     JOIN tax_profiles p ON p.affiliate_id = l.affiliate_id
                     WHERE l.status = $2 AND l.id > $3 AND ",
                    $rest,
                    " ORDER BY l.id LIMIT $4"
                ),
                $id,
                status,
                above,
                limit
            )
        };
    }
    match which {
        Which::Line(id) => due!("l.id = $1", id),
        Which::Run(id) => due!("l.payout_id = $1", id),
        Which::Noted(id) => due!("l.payout_id = $1 AND l.paid_at IS NOT NULL", id),
    }
}

row! {
    /// As it was issued. Amounts in minor units; a credit note's have a minus.
    #[derive(Debug, Clone)]
    pub struct Invoice {
        pub id: InvoiceId,
        pub affiliate_id: AffiliateId,
        pub payout_line_id: PayoutLineId,
        pub payout_id: PayoutId,
        pub label: String,
        /// Of a credit note: what it takes back, how that is written, and when it was issued.
        pub corrects_id: Option<InvoiceId>,
        pub corrects_label: Option<String>,
        pub corrects_at: Option<Time>,
        /// Of an invoice: the number of its credit note.
        pub corrected_by: Option<String>,
        pub agreed_at: Time,
        pub from_at: Time,
        pub until_at: Time,
        pub commission_count: i64,
        pub currency: Currency,
        pub net_minor: i64,
        pub vat_minor: i64,
        pub vat_bps: Option<i64>,
        pub treatment: Treatment,
        /// The VAT in another currency, its rate in millionths, and the day of that.
        pub stated_currency: Option<Currency>,
        pub stated_minor: Option<i64>,
        pub stated_rate: Option<i64>,
        pub stated_on: Option<Time>,
        /// Sealed.
        pub supplier: String,
        /// A JSON object's text.
        pub customer: String,
        pub issued_at: Time,
    }
}

macro_rules! invoice {
    ($rest:literal) => {
        concat!(
            "SELECT i.id, i.affiliate_id, i.payout_line_id, l.payout_id, i.label, i.corrects_id, o.label AS corrects_label,
                    o.issued_at AS corrects_at, n.label AS corrected_by, i.agreed_at, i.from_at, i.until_at, i.commission_count,
                    i.currency, i.net_minor, i.vat_minor, i.vat_bps, i.treatment,
                    i.stated_currency, i.stated_minor, i.stated_rate, i.stated_on, i.supplier, i.customer, i.issued_at
             FROM invoices i JOIN payout_lines l ON l.id = i.payout_line_id
             LEFT JOIN invoices o ON o.id = i.corrects_id LEFT JOIN invoices n ON n.corrects_id = i.id ",
            $rest
        )
    };
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: InvoiceId) -> Result<Option<Invoice>, Error> {
    fetch_optional!(Invoice, tx, invoice!("WHERE i.id = $1 AND +i.program_id = $2"), id, program)
}

/// A page of a program's, the highest number first.
pub async fn page(tx: &mut Tx, program: ProgramId, limit: i64, offset: i64) -> Result<Vec<Invoice>, Error> {
    fetch_all!(
        Invoice,
        tx,
        invoice!("WHERE i.program_id = $1 ORDER BY i.number DESC LIMIT $2 OFFSET $3"),
        program,
        limit,
        offset
    )
}

/// An affiliate's, newest first.
pub async fn of_affiliate(tx: &mut Tx, affiliate: AffiliateId, limit: i64) -> Result<Vec<Invoice>, Error> {
    fetch_all!(Invoice, tx, invoice!("WHERE i.affiliate_id = $1 ORDER BY i.id DESC LIMIT $2"), affiliate, limit)
}

/// A line's invoice and its credit note, if there are.
pub async fn of_line(tx: &mut Tx, line: PayoutLineId) -> Result<Vec<Invoice>, Error> {
    fetch_all!(Invoice, tx, invoice!("WHERE l.id = $1 AND i.affiliate_id = l.affiliate_id ORDER BY i.id"), line)
}

/// Those of the lines of that status, above an id, that no credit note has taken back.
pub async fn standing(
    tx: &mut Tx,
    which: Which,
    status: LineStatus,
    above: InvoiceId,
    limit: i64,
) -> Result<Vec<Invoice>, Error> {
    macro_rules! standing {
        ($rest:literal, $id:expr) => {
            fetch_all!(Invoice, tx, invoice!($rest), $id, status, above, limit)
        };
    }
    match which {
        Which::Line(id) => standing!(
            "WHERE l.id = $1 AND l.status = $2 AND i.corrects_id IS NULL AND n.id IS NULL AND i.id > $3 ORDER BY i.id LIMIT $4",
            id
        ),
        Which::Run(id) => standing!(
            "WHERE l.payout_id = $1 AND l.status = $2 AND i.corrects_id IS NULL AND n.id IS NULL AND i.id > $3 ORDER BY i.id LIMIT $4",
            id
        ),
        Which::Noted(id) => standing!(
            "WHERE l.payout_id = $1 AND l.paid_at IS NOT NULL AND l.status = $2 AND i.corrects_id IS NULL AND n.id IS NULL AND i.id > $3 ORDER BY i.id LIMIT $4",
            id
        ),
    }
}

#[derive(Debug)]
pub struct NewInvoice<'a> {
    pub id: InvoiceId,
    pub program: ProgramId,
    pub affiliate: AffiliateId,
    pub line: PayoutLineId,
    pub number: i64,
    pub label: &'a str,
    pub corrects: Option<InvoiceId>,
    pub agreed_at: Time,
    pub from_at: Time,
    pub until_at: Time,
    pub commission_count: i64,
    pub currency: Currency,
    pub net: i64,
    pub vat: i64,
    pub vat_bps: Option<i64>,
    pub treatment: Treatment,
    pub stated: Option<Stated>,
    pub supplier: &'a str,
    pub customer: &'a str,
    pub issued_at: Time,
}

pub async fn create(tx: &mut Tx, new: &NewInvoice<'_>) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO invoices (id, program_id, affiliate_id, payout_line_id, number, label, corrects_id, agreed_at, from_at,
           until_at, commission_count, currency, net_minor, vat_minor, vat_bps, treatment, supplier, customer, issued_at,
           stated_currency, stated_minor, stated_rate, stated_on)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)",
        new.id,
        new.program,
        new.affiliate,
        new.line,
        new.number,
        new.label,
        new.corrects,
        new.agreed_at,
        new.from_at,
        new.until_at,
        new.commission_count,
        new.currency,
        new.net,
        new.vat,
        new.vat_bps,
        new.treatment,
        new.supplier,
        new.customer,
        new.issued_at,
        new.stated.map(|stated| stated.amount.currency),
        new.stated.map(|stated| stated.amount.minor),
        new.stated.map(|stated| stated.rate.millionths()),
        new.stated.map(|stated| stated.on)
    )
    .map(drop)
}
