//! Sales as they were recorded, with the evidence that credited them.

use super::{Error, Tx, execute, fetch_all, fetch_optional, row};
use crate::domain::{
    attribution::By,
    id::{AffiliateId, ClickId, ConversionId, Id, ProgramId},
    imports::tool::Tool,
    time::Time,
};

row! {
    #[derive(Debug, Clone)]
    pub struct Conversion {
        pub id: ConversionId,
        pub affiliate_id: AffiliateId,
        pub click_id: Option<ClickId>,
        pub order_id: Option<String>,
        pub amount_minor: i64,
        pub commission_minor: i64,
        pub referral_code: String,
        pub attributed_by: By,
        pub conflict: bool,
        pub refunded_minor: i64,
        pub created_at: Time,
    }
}

#[derive(Debug)]
pub struct NewConversion {
    pub conversion: Conversion,
    pub program: ProgramId,
    pub customer_id: Option<Id<super::customers::Customer>>,
    /// JSON as given.
    pub customer: Option<String>,
    pub products: Option<String>,
    pub coupon: Option<String>,
    pub is_repeat: bool,
}

/// Records the sale; `false` where the program has that order already.
pub async fn create(tx: &mut Tx, new: &NewConversion) -> Result<bool, Error> {
    let NewConversion { conversion: sale, .. } = new;
    let made = execute!(
        tx,
        "INSERT INTO conversions (id, program_id, affiliate_id, click_id, customer_id, order_id, amount_minor,
           commission_minor, referral_code, attributed_by, conflict, customer, products, created_at, coupon, is_repeat)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
         ON CONFLICT (program_id, order_id) DO NOTHING",
        sale.id,
        new.program,
        sale.affiliate_id,
        sale.click_id,
        new.customer_id,
        &sale.order_id,
        sale.amount_minor,
        sale.commission_minor,
        &sale.referral_code,
        sale.attributed_by,
        sale.conflict,
        &new.customer,
        &new.products,
        sale.created_at,
        &new.coupon,
        new.is_repeat
    )?;
    Ok(made == 1)
}

macro_rules! conversion {
    ($rest:literal) => {
        concat!(
            "SELECT id, affiliate_id, click_id, order_id, amount_minor, commission_minor, referral_code,
                    attributed_by, conflict, refunded_minor, created_at FROM conversions ",
            $rest
        )
    };
}

pub async fn by_order(tx: &mut Tx, program: ProgramId, order: &str) -> Result<Option<Conversion>, Error> {
    fetch_optional!(Conversion, tx, conversion!("WHERE program_id = $1 AND order_id = $2"), program, order)
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: ConversionId) -> Result<Option<Conversion>, Error> {
    fetch_optional!(Conversion, tx, conversion!("WHERE id = $1 AND +program_id = $2"), id, program)
}

/// As [`by_id`], and keeps others from refunding it until the transaction ends.
pub async fn lock(tx: &mut Tx, program: ProgramId, id: ConversionId) -> Result<Option<Conversion>, Error> {
    let locked = execute!(
        tx,
        "UPDATE conversions SET refunded_minor = refunded_minor WHERE id = $1 AND +program_id = $2",
        id,
        program
    )?;
    if locked == 0 { Ok(None) } else { by_id(tx, program, id).await }
}

/// A page of a program's conversions or of one affiliate's, newest first.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    of: Option<AffiliateId>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Conversion>, Error> {
    match of {
        None => fetch_all!(
            Conversion,
            tx,
            conversion!("WHERE program_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3"),
            program,
            limit,
            offset
        ),
        Some(affiliate) => fetch_all!(
            Conversion,
            tx,
            conversion!("WHERE affiliate_id = $4 AND program_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3"),
            program,
            limit,
            offset,
            affiliate
        ),
    }
}

row! {
    /// What came with a sale besides what it keeps itself: whose the click and the coupon are, and the customer.
    #[derive(Debug, Clone)]
    pub struct Evidence {
        pub coupon: Option<String>,
        pub coupon_affiliate_id: Option<AffiliateId>,
        pub coupon_affiliate: Option<String>,
        pub click_affiliate_id: Option<AffiliateId>,
        pub click_affiliate: Option<String>,
        pub is_repeat: bool,
        /// When the customer was first known.
        pub known_at: Option<Time>,
        /// Since when they belong to whom they belong to now.
        pub bound_at: Option<Time>,
        /// Of a sale that came by a file: whose, and which.
        pub imported_from: Option<Tool>,
        pub imported_as: Option<String>,
    }
}

pub async fn evidence(tx: &mut Tx, id: ConversionId) -> Result<Option<Evidence>, Error> {
    fetch_optional!(
        Evidence,
        tx,
        "SELECT s.coupon, q.affiliate_id AS coupon_affiliate_id, qa.name AS coupon_affiliate,
                c.affiliate_id AS click_affiliate_id, ca.name AS click_affiliate, s.is_repeat,
                k.created_at AS known_at, k.bound_at, i.tool AS imported_from, i.file_name AS imported_as
         FROM conversions s LEFT JOIN customers k ON k.id = s.customer_id LEFT JOIN imports i ON i.id = s.import_id
           LEFT JOIN clicks c ON c.id = s.click_id LEFT JOIN affiliates ca ON ca.id = c.affiliate_id
           LEFT JOIN coupons q ON q.program_id = s.program_id AND q.code_key = LOWER(s.coupon)
           LEFT JOIN affiliates qa ON qa.id = q.affiliate_id
         WHERE s.id = $1",
        id
    )
}

/// Sales of that amount with ids from one to before another, newest first.
pub async fn alike(
    tx: &mut Tx,
    program: ProgramId,
    amount: i64,
    from: ConversionId,
    before: ConversionId,
    limit: i64,
) -> Result<Vec<Conversion>, Error> {
    fetch_all!(
        Conversion,
        tx,
        conversion!("WHERE program_id = $1 AND id >= $3 AND id < $4 AND amount_minor = $2 ORDER BY id DESC LIMIT $5"),
        program,
        amount,
        from,
        before,
        limit
    )
}

/// When the affiliate had that many sales, counted back from the latest: the first of them.
pub async fn nth_last(tx: &mut Tx, affiliate: AffiliateId, count: i64) -> Result<Option<ConversionId>, Error> {
    let row = fetch_optional!(
        (ConversionId,),
        tx,
        "SELECT id FROM conversions WHERE affiliate_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2",
        affiliate,
        count - 1
    )?;
    Ok(row.map(|(id,)| id))
}

pub async fn refund(tx: &mut Tx, id: ConversionId, amount: i64) -> Result<(), Error> {
    execute!(tx, "UPDATE conversions SET refunded_minor = refunded_minor + $2 WHERE id = $1", id, amount).map(drop)
}
