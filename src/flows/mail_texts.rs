//! A program's own words in its mails being changed, and tried.

use super::{
    Act, Change, Refusal,
    mails::{self, NewMail},
};
use crate::{
    domain::{
        email::Email,
        id::AccountId,
        mail_text::{MailText, differences, label},
        message::Kind,
        program::Difference,
    },
    store::{Tx, accounts, mail_texts},
};

/// Stores what the program says in that kind of mail; what differs.
///
/// # Errors
/// The database's.
pub async fn change(tx: &mut Tx, act: &Act, kind: Kind, after: &MailText) -> Result<Vec<Difference>, Refusal> {
    let program = act.program.id;
    let differences = differences(&mail_texts::of(tx, program, kind).await?, after);
    if differences.is_empty() {
        return Ok(differences);
    }
    mail_texts::set(tx, program, kind, after).await?;
    let (before, now) = Difference::in_words(&differences);
    let (name, _) = label(kind);
    let (before, now) = (format!("Mail “{name}”: {before}"), format!("Mail “{name}”: {now}"));
    let change = Change { before: Some(&before), after: Some(&now), reason: None };
    act.audit(tx, "program.changed", program, change).await?;
    Ok(differences)
}

/// Sends the account that mail with sample figures, as it is saved when it leaves; to whom.
///
/// # Errors
/// An account that is gone, or the database's.
pub async fn test(tx: &mut Tx, act: &Act, account: AccountId, kind: Kind) -> Result<String, Refusal> {
    let person = accounts::by_id(tx, account).await?.ok_or(Refusal::NotFound("account"))?;
    let to = Email::parse(&person.email).map_err(|_| Refusal::NotFound("address"))?;
    let program = act.program.id;
    let change = Change { after: Some(kind.as_str()), ..Change::default() };
    let deed = act.deed(tx, "program.mail_tested", program, change).await?;
    let mail = NewMail {
        kind: Kind::MailTest,
        cause: deed.raw(),
        to: &to,
        program: Some(program),
        account: Some(account),
        affiliate: None,
    };
    mails::enqueue(tx, &act.ids, act.now, mail).await?;
    Ok(person.email)
}
