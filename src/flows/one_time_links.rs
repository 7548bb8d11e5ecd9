//! One-time links. The token is not stored anywhere: it is a keyed hash of the link's purpose and id, so that
//! a job which holds only the id can write the link into a mail, and a copy of the database lets nobody in.

use crate::{
    domain::{
        email::Email,
        id::{AccountId, AffiliateId, Ids, ProgramId},
        key::{hash, hex},
        one_time_link::{Purpose, Token},
        time::Time,
    },
    secret::SecretKey,
    store::{
        Error, Tx,
        one_time_links::{self, LinkId, NewRow},
    },
};

/// Bytes of the keyed hash that a token shows: 160 bits.
const TOKEN_BYTES: usize = 20;

/// What a link is for, and what it is bound to.
#[derive(Debug, Clone, Copy)]
pub struct NewLink<'a> {
    pub purpose: Purpose,
    pub account: Option<AccountId>,
    /// The address that it is sent to.
    pub email: Option<&'a Email>,
    pub program: Option<ProgramId>,
    /// The role that an invitation to the team gives.
    pub role: Option<&'a str>,
    pub affiliate: Option<AffiliateId>,
}

impl<'a> NewLink<'a> {
    /// Bound to an address and nothing else yet.
    pub const fn to(purpose: Purpose, email: &'a Email) -> Self {
        Self { purpose, account: None, email: Some(email), program: None, role: None, affiliate: None }
    }

    pub const fn sign_in(account: AccountId, email: &'a Email) -> Self {
        Self { account: Some(account), ..Self::to(Purpose::SignIn, email) }
    }
}

/// Makes a link that is good for as long as its purpose says.
///
/// # Errors
/// The database's.
pub async fn create(tx: &mut Tx, ids: &Ids, secret: &SecretKey, now: Time, new: NewLink<'_>) -> Result<LinkId, Error> {
    let id: LinkId = ids.next(now);
    let row = NewRow {
        id,
        purpose: new.purpose,
        token_hash: &hash(token(secret, new.purpose, id).as_str()),
        account: new.account,
        email: new.email.map(Email::as_str),
        program: new.program,
        role: new.role,
        affiliate: new.affiliate,
        expires_at: now.plus_seconds(new.purpose.minutes() * 60),
    };
    one_time_links::create(tx, row).await?;
    Ok(id)
}

pub fn token(secret: &SecretKey, purpose: Purpose, id: LinkId) -> Token {
    let keyed = secret.hash("one-time link", &format!("{purpose}:{}", id.raw()));
    Token::new(hex(&keyed[..TOKEN_BYTES]))
}

/// Where the link leads, below the base URL, its token included.
pub fn path(secret: &SecretKey, purpose: Purpose, id: LinkId) -> String {
    format!("{}{}", purpose.path(), token(secret, purpose, id).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_belongs_to_one_link_one_purpose_and_one_installation() {
        let (one, two) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let of = |secret, purpose, id| token(secret, purpose, LinkId::new(id));
        let first = of(&one, Purpose::SignIn, 7);
        assert_eq!(first, of(&one, Purpose::SignIn, 7));
        assert_eq!(first.as_str().len(), 40);
        for other in [of(&one, Purpose::SignIn, 8), of(&one, Purpose::ResetPassword, 7), of(&two, Purpose::SignIn, 7)] {
            assert_ne!(first, other);
        }
    }
}
