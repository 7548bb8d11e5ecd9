//! Who bought, as far as the merchant said, and the affiliate who brought them.

use super::{Error, Tx, execute, fetch_one, fetch_optional, row};
use crate::domain::{
    id::{AffiliateId, ClickId, Id, ProgramId},
    time::Time,
};

/// A customer has no public id.
#[derive(Debug)]
pub enum Customer {}

/// By what a customer is known: the merchant's own id, or else the keyed hash of the address, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    id: Option<String>,
    email_hash: Option<String>,
}

impl Keys {
    /// `None` where there is nothing to know anybody by.
    pub fn new(id: Option<&str>, email_hash: Option<String>) -> Option<Self> {
        let id = id.map(|id| format!("id:{id}"));
        (id.is_some() || email_hash.is_some()).then_some(Self { id, email_hash })
    }

    fn identity(&self) -> String {
        self.id.clone().unwrap_or_else(|| format!("email:{}", self.email_hash.as_deref().unwrap_or_default()))
    }
}

row! {
    #[derive(Debug, Clone)]
    pub struct Known {
        pub id: Id<Customer>,
        pub affiliate_id: AffiliateId,
        pub bound_at: Time,
        pub sales: i64,
        pub first_sale_at: Option<Time>,
        pub earned_minor: i64,
        pub identity: String,
    }
}

macro_rules! known {
    ($rest:literal) => {
        concat!(
            "SELECT id, affiliate_id, bound_at, sales, first_sale_at, earned_minor, identity FROM customers ",
            $rest
        )
    };
}

/// Lets nobody else record anything of that customer until the transaction ends, known or not.
pub async fn lock(tx: &mut Tx, program: ProgramId, keys: &Keys) -> Result<(), Error> {
    let Tx::Postgres(pg) = tx else {
        // On SQLite whoever writes is alone.
        return Ok(());
    };
    // The address where there is one: it is what two reports of one person share.
    let key = keys.email_hash.clone().unwrap_or_else(|| keys.identity());
    let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, $2))").bind(key).bind(program);
    lock.execute(pg.raw()).await?;
    Ok(())
}

/// The customer of that id, or else of that address who is not known by another id.
pub async fn find(tx: &mut Tx, program: ProgramId, keys: &Keys) -> Result<Option<Known>, Error> {
    if let Some(id) = &keys.id {
        let by_id = fetch_optional!(Known, tx, known!("WHERE program_id = $1 AND identity = $2"), program, id)?;
        if by_id.is_some() {
            return Ok(by_id);
        }
    }
    let Some(hash) = &keys.email_hash else { return Ok(None) };
    let by_email = fetch_optional!(
        Known,
        tx,
        known!("WHERE program_id = $1 AND email_hash = $2 ORDER BY id LIMIT 1"),
        program,
        hash
    )?;
    Ok(by_email.filter(|known| keys.id.is_none() || known.identity.starts_with("email:")))
}

#[derive(Debug, Clone, Copy)]
pub struct NewSale {
    pub affiliate: AffiliateId,
    /// When it counts.
    pub at: Time,
    /// When it was bought, which may be told later.
    pub bought_at: Time,
    /// What it earns, in minor units.
    pub earned: i64,
}

/// Makes the customer, with the affiliate who brought them, and the click where it was that which named them.
pub async fn create(
    tx: &mut Tx,
    new: Id<Customer>,
    program: ProgramId,
    keys: &Keys,
    (affiliate, click): (AffiliateId, Option<ClickId>),
) -> Result<(), Error> {
    execute!(
        tx,
        "INSERT INTO customers (id, program_id, identity, email_hash, affiliate_id, created_at, bound_at, click_id)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
        new,
        program,
        keys.identity(),
        &keys.email_hash,
        affiliate,
        new.time(),
        click
    )
    .map(drop)
}

/// Keeps what was learned of a known customer by a later report.
pub async fn learn(tx: &mut Tx, known: &Known, keys: &Keys) -> Result<(), Error> {
    let is_new_id = keys.id.as_ref().is_some_and(|id| *id != known.identity);
    if !is_new_id && keys.email_hash.is_none() {
        return Ok(());
    }
    execute!(
        tx,
        "UPDATE customers SET identity = $2, email_hash = COALESCE(email_hash, $3) WHERE id = $1 AND (identity <> $2 OR email_hash IS NULL)",
        known.id,
        if is_new_id { keys.identity() } else { known.identity.clone() },
        &keys.email_hash
    )
    .map(drop)
}

/// Counts a sale that was credited of them, and binds them to whom it was credited: whoever brought them later than it
/// was bought keeps them.
pub async fn count(tx: &mut Tx, id: Id<Customer>, sale: NewSale) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE customers SET sales = sales + 1, earned_minor = earned_minor + $4,
           first_sale_at = CASE WHEN first_sale_at < $2 THEN first_sale_at ELSE $2 END,
           bound_at = CASE WHEN affiliate_id = $3 AND bound_at > $5 THEN $5
             WHEN affiliate_id = $3 OR bound_at > $5 THEN bound_at ELSE $5 END,
           affiliate_id = CASE WHEN bound_at > $5 THEN affiliate_id ELSE $3 END
         WHERE id = $1",
        id,
        sale.at,
        sale.affiliate,
        sale.earned,
        sale.bought_at
    )
    .map(drop)
}

/// Takes back what [`count`] counted of a sale that somebody else recorded at the same moment.
pub async fn uncount(tx: &mut Tx, id: Id<Customer>, earned: i64) -> Result<(), Error> {
    const TEXT: &str = "UPDATE customers SET sales = sales - 1, earned_minor = earned_minor - $2 WHERE id = $1";
    execute!(tx, TEXT, id, earned).map(drop)
}

/// The customer as they stay until the transaction ends, however two reports named them.
pub async fn hold(tx: &mut Tx, known: Known) -> Result<Known, Error> {
    match tx {
        // On SQLite whoever writes is alone.
        Tx::Sqlite(_) => Ok(known),
        Tx::Postgres(_) => fetch_one!(Known, tx, known!("WHERE id = $1 FOR UPDATE"), known.id),
    }
}

/// How many customers that click has bound.
pub async fn bound_by(tx: &mut Tx, click: ClickId) -> Result<i64, Error> {
    let (count,) = fetch_one!((i64,), tx, "SELECT COUNT(*) FROM customers WHERE click_id = $1", click)?;
    Ok(count)
}
