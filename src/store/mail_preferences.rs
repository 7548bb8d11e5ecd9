//! Which mails somebody does not want. Without a row, they do.

use super::{Error, Tx, execute, fetch_all};
use crate::domain::{
    id::{AccountId, AffiliateId},
    message::Kind,
    time::Time,
};

/// Whose wishes they are: an account's, or those of an affiliate who has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient {
    Account(AccountId),
    Affiliate(AffiliateId),
}

impl Recipient {
    fn columns(self) -> (Option<AccountId>, Option<AffiliateId>) {
        match self {
            Self::Account(id) => (Some(id), None),
            Self::Affiliate(id) => (None, Some(id)),
        }
    }
}

/// The kinds that the recipient does not want.
pub async fn unwanted(tx: &mut Tx, by: Recipient) -> Result<Vec<Kind>, Error> {
    let (account, affiliate) = by.columns();
    let rows = fetch_all!(
        (Kind,),
        tx,
        "SELECT kind FROM mail_opt_outs WHERE account_id = $1 OR affiliate_id = $2 ORDER BY kind",
        account,
        affiliate
    )?;
    Ok(rows.into_iter().map(|(kind,)| kind).collect())
}

/// Sets whether the recipient wants that kind. What is essential is sent all the same.
pub async fn set(tx: &mut Tx, by: Recipient, kind: Kind, is_wanted: bool, now: Time) -> Result<(), Error> {
    let (account, affiliate) = by.columns();
    if is_wanted {
        return execute!(
            tx,
            "DELETE FROM mail_opt_outs WHERE kind = $3 AND (account_id = $1 OR affiliate_id = $2)",
            account,
            affiliate,
            kind
        )
        .map(drop);
    }
    execute!(
        tx,
        "INSERT INTO mail_opt_outs (account_id, affiliate_id, kind, created_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
        account,
        affiliate,
        kind,
        now
    )
    .map(drop)
}
