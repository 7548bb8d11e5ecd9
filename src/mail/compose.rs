//! A mail's row becomes a message: what it tells is read when it is sent, so that it is true then. One that no
//! longer applies is dropped.

mod payouts;

use url::Url;

use super::{
    Error,
    inert::{Line, Words},
    messages::{
        AffiliateInvitation, ApplicationApproved, ApplicationReceived, ApplicationRejected, ClaimAnswered,
        CommissionRejected, ConfirmApplication, ConfirmEmail, EmailChanged, NewCommission, PasswordChanged,
        PaymentDetailsChanged, RateChanged, ResetPassword, Shell, SignInLink, TeamInvitation, TwoStepChanged,
        WeeklyDigest, Written,
    },
    sample,
};
use crate::{
    app::App,
    domain::{
        affiliate, claim,
        commission::Status,
        id::{CommissionId, Id},
        mail_text,
        message::Kind,
        one_time_link::Purpose,
        program::Program,
        role::Role,
        time::Time,
    },
    flows::{mails::unsubscribe_token, one_time_links},
    store::{
        Tx,
        accounts::{self, Account},
        affiliates::{self, Summary},
        announcements, audit, claims, commissions,
        mail_preferences::{self, Recipient},
        mail_texts,
        mails::Mail,
        one_time_links::{self as links, Link, LinkId},
        programs, totals,
    },
};

/// A message that is ready to leave, or why it is not sent at all.
#[derive(Debug)]
pub enum Composed {
    Ready(Box<Ready>),
    Dropped(&'static str),
}

#[derive(Debug)]
pub struct Ready {
    pub sender: Line,
    pub unsubscribe: Option<Url>,
    pub written: Written,
}

/// Why a mail is dropped, or why it cannot be written now.
enum Stop {
    Dropped(&'static str),
    Error(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

const LINK_IS_OVER: Stop = Stop::Dropped("the link was used or is too old");
const NO_PROGRAM: Stop = Stop::Dropped("there is no such program");
const NO_AFFILIATE: Stop = Stop::Dropped("there is no such affiliate");

/// # Errors
/// The database's or a template's.
pub async fn compose(app: &App, mail: &Mail) -> Result<Composed, Error> {
    let mut tx = app.db.read().await?;
    match Composing::begin(app, &mut tx, mail).await {
        Ok(mut composing) => match composing.write(&mut tx).await {
            Ok(written) => {
                let Shell { sender, unsubscribe, .. } = composing.shell;
                Ok(Composed::Ready(Box::new(Ready { sender, unsubscribe, written })))
            }
            Err(Stop::Dropped(why)) => Ok(Composed::Dropped(why)),
            Err(Stop::Error(error)) => Err(error),
        },
        Err(Stop::Dropped(why)) => Ok(Composed::Dropped(why)),
        Err(Stop::Error(error)) => Err(error),
    }
}

struct Composing<'a> {
    app: &'a App,
    mail: &'a Mail,
    program: Option<Program>,
    account: Option<Account>,
    affiliate: Option<Summary>,
    shell: Shell,
}

impl<'a> Composing<'a> {
    async fn begin(app: &'a App, tx: &mut Tx, mail: &'a Mail) -> Result<Self, Stop> {
        let recipient = mail.account_id.map(Recipient::Account).or(mail.affiliate_id.map(Recipient::Affiliate));
        let optional = recipient.filter(|_| !mail.kind.is_essential());
        if let Some(by) = optional
            && mail_preferences::unwanted(tx, by).await?.contains(&mail.kind)
        {
            return Err(Stop::Dropped("the recipient does not want such mails"));
        }
        let program = match mail.program_id {
            Some(id) => programs::by_id(tx, id).await?,
            None => None,
        };
        let account = match mail.account_id {
            Some(id) => accounts::by_id(tx, id).await?,
            None => None,
        };
        let affiliate = match (mail.affiliate_id, &program) {
            (Some(id), Some(program)) => affiliates::summary(tx, program.id, id).await?,
            _ => None,
        };
        let name = account.as_ref().map(|account| &account.name);
        let name = name.or(affiliate.as_ref().map(|affiliate| &affiliate.name));
        let mut shell = Shell {
            sender: program.as_ref().map_or_else(|| Line::new("Offshoot"), |program| Line::new(&program.name)),
            name: name.map(|name| Line::of_anybody(name)),
            unsubscribe: match optional {
                Some(by) => Some(at(app, &format!("unsubscribe/{}", unsubscribe_token(&app.secret, by, mail.kind)))?),
                None => None,
            },
            subject: None,
            opening: Vec::new(),
        };
        if let Some(program) = program.as_ref().filter(|_| mail_text::KINDS.contains(&mail.kind)) {
            shell.speak(&mail_texts::of(tx, program.id, mail.kind).await?);
        }
        Ok(Self { app, mail, program, account, affiliate, shell })
    }

    async fn write(&mut self, tx: &mut Tx) -> Result<Written, Stop> {
        let shell = self.shell.clone();
        let written = match self.mail.kind {
            Kind::SignInLink => {
                let (url, lifetime) = self.link(tx, Purpose::SignIn).await?.into();
                SignInLink { shell, url, lifetime }.write()
            }
            Kind::ResetPassword => {
                let (url, lifetime) = self.link(tx, Purpose::ResetPassword).await?.into();
                ResetPassword { shell, url, lifetime }.write()
            }
            Kind::ConfirmEmail => {
                let (url, lifetime) = self.link(tx, Purpose::ConfirmEmail).await?.into();
                ConfirmEmail { shell, url, lifetime, address: Line::new(&self.mail.to_email) }.write()
            }
            Kind::ConfirmApplication => {
                let (url, lifetime) = self.link(tx, Purpose::ConfirmApplication).await?.into();
                ConfirmApplication { shell, url, lifetime }.write()
            }
            Kind::TeamInvitation => {
                let link = self.link(tx, Purpose::TeamInvitation).await?;
                let role = Line::new(link.link.role.as_deref().unwrap_or("viewer"));
                let (url, lifetime) = link.into();
                TeamInvitation { shell, url, lifetime, role }.write()
            }
            Kind::AffiliateInvitation => {
                let (url, lifetime) = self.link(tx, Purpose::AffiliateInvitation).await?.into();
                let program = self.program.as_ref().ok_or(NO_PROGRAM)?;
                let (rate, days) = (program.rate.to_string(), program.attribution_days);
                AffiliateInvitation { shell, url, lifetime, rate, days }.write()
            }
            Kind::EmailChanged => {
                let account = self.account.as_ref().ok_or(Stop::Dropped("there is no such account"))?;
                if account.email.eq_ignore_ascii_case(&self.mail.to_email) {
                    return Err(Stop::Dropped("the address is what it was"));
                }
                EmailChanged { shell, address: Line::new(&account.email) }.write()
            }
            Kind::PasswordChanged => PasswordChanged { shell, forgot: self.at("forgot")? }.write(),
            Kind::PaymentDetailsChanged => PaymentDetailsChanged { shell, settings: self.at("settings")? }.write(),
            Kind::TwoStepChanged => {
                let deed = audit::by_id(tx, Id::new(self.mail.cause_id)).await?;
                let is_on = deed.is_some_and(|deed| deed.action == "account.two_step_on");
                TwoStepChanged { shell, is_on, account: self.at("account/two-step")? }.write()
            }
            Kind::PayoutDue => return self.payout_due(tx).await,
            Kind::PayoutPaid => return self.payout_paid(tx).await,
            Kind::PayoutFailed => return self.payout_failed(tx).await,
            Kind::RateChanged => return self.rate_changed(tx).await,
            Kind::ApplicationReceived => {
                self.affiliate()?;
                ApplicationReceived { shell }.write()
            }
            Kind::ApplicationApproved => return self.application_approved(tx).await,
            Kind::ApplicationRejected => {
                let deed = audit::by_id(tx, Id::new(self.mail.cause_id)).await?;
                let reason = deed.and_then(|deed| deed.reason).and_then(|reason| Words::new(&reason));
                ApplicationRejected { shell, reason }.write()
            }
            Kind::NewCommission => return self.new_commission(tx).await,
            Kind::CommissionRejected => return self.commission_rejected(tx).await,
            Kind::ClaimAnswered => return self.claim_answered(tx).await,
            Kind::WeeklyDigest => return self.weekly_digest(tx).await,
            Kind::MailTest => return self.mail_test(tx).await,
        };
        Ok(written?)
    }

    fn at(&self, path: &str) -> Result<Url, Stop> {
        at(self.app, path)
    }

    fn program(&self) -> Result<&Program, Stop> {
        self.program.as_ref().ok_or(NO_PROGRAM)
    }

    fn affiliate(&self) -> Result<&Summary, Stop> {
        self.affiliate.as_ref().ok_or(NO_AFFILIATE)
    }

    async fn link(&self, tx: &mut Tx, purpose: Purpose) -> Result<Carried, Stop> {
        let id = LinkId::new(self.mail.cause_id);
        let link = links::good_by_id(tx, id, self.app.clock.now()).await?;
        let link = link.filter(|link| link.purpose == purpose).ok_or(LINK_IS_OVER)?;
        let url = self.at(&one_time_links::path(&self.app.secret, purpose, id))?;
        Ok(Carried { link, url })
    }

    async fn application_approved(&self, tx: &mut Tx) -> Result<Written, Stop> {
        let (program, affiliate) = (self.program()?, self.affiliate()?);
        if affiliate.status != affiliate::Status::Active {
            return Err(Stop::Dropped("the affiliate is not active any more"));
        }
        let details = affiliates::details(tx, program.id, affiliate.id).await?.ok_or(NO_AFFILIATE)?;
        let message = ApplicationApproved {
            shell: self.shell.clone(),
            home: self.at("home")?,
            link: self.at(&format!("r/{}/{}", program.slug, details.referral_code))?,
            rate: program.rate.to_string(),
        };
        Ok(message.write()?)
    }

    async fn new_commission(&self, tx: &mut Tx) -> Result<Written, Stop> {
        let program = self.program()?;
        let found = commissions::by_id(tx, program.id, CommissionId::new(self.mail.cause_id)).await?;
        let earned = found.filter(|found| found.status != Status::Rejected && found.amount_minor > 0);
        let earned = earned.ok_or(Stop::Dropped("the commission was taken back"))?;
        let message = NewCommission {
            shell: self.shell.clone(),
            earnings: self.at("earnings")?,
            amount: program.currency.coded(earned.amount_minor),
            sale: program.currency.coded(earned.sale_minor),
            is_pending: earned.status == Status::Pending,
        };
        Ok(message.write()?)
    }

    /// The cause is the notice of an announcement.
    async fn rate_changed(&self, tx: &mut Tx) -> Result<Written, Stop> {
        let found = announcements::of_notice(tx, Id::new(self.mail.cause_id)).await?;
        let found = found.ok_or(Stop::Dropped("there is no such announcement"))?;
        let message = RateChanged {
            shell: self.shell.clone(),
            text: Words::new(&found.text),
            from: Line::new(&found.starts_at.date()),
            home: self.at("home")?,
        };
        Ok(message.write()?)
    }

    /// The cause is the audit row of the rejection, because a commission may be rejected, approved and rejected
    /// again, each time for a reason of its own.
    async fn commission_rejected(&self, tx: &mut Tx) -> Result<Written, Stop> {
        const NOT_REJECTED: Stop = Stop::Dropped("the commission is not rejected any more");
        let program = self.program()?;
        let deed = audit::by_id(tx, Id::new(self.mail.cause_id)).await?.ok_or(NOT_REJECTED)?;
        let id = CommissionId::parse(&deed.subject).map_err(|_| NOT_REJECTED)?;
        let found = commissions::by_id(tx, program.id, id).await?;
        let rejected = found.filter(|found| found.status == Status::Rejected).ok_or(NOT_REJECTED)?;
        let message = CommissionRejected {
            shell: self.shell.clone(),
            earnings: self.at("earnings")?,
            amount: program.currency.coded(rejected.amount_minor),
            sale: program.currency.coded(rejected.sale_minor),
            reason: deed.reason.as_deref().and_then(Words::new),
        };
        Ok(message.write()?)
    }

    async fn claim_answered(&self, tx: &mut Tx) -> Result<Written, Stop> {
        const NO_ANSWER: Stop = Stop::Dropped("there is no such answer");
        let program = self.program()?;
        let claim = claims::by_id(tx, program.id, Id::new(self.mail.cause_id)).await?.ok_or(NO_ANSWER)?;
        let credited = match claim.conversion_id {
            Some(sale) => commissions::of_sale(tx, program.id, sale).await?,
            None => None,
        };
        let day = claim.day.map(|day| format!("of {}", Time::from_ms(0).plus_days(day).date()));
        let message = ClaimAnswered {
            shell: self.shell.clone(),
            what: Line::new(&claim.order_id.or(day).unwrap_or_default()),
            is_accepted: claim.status == claim::Status::Accepted,
            amount: credited.map(|found| program.currency.coded(found.original_minor)),
            answer: claim.answer.as_deref().and_then(Words::new),
            claims: self.at("earnings/claims")?,
        };
        Ok(message.write()?)
    }

    /// The cause is the audit row of the asking, which names the kind.
    async fn mail_test(&self, tx: &mut Tx) -> Result<Written, Stop> {
        const NO_KIND: Stop = Stop::Dropped("there is no such mail to try");
        let program = self.program()?;
        let deed = audit::by_id(tx, Id::new(self.mail.cause_id)).await?.ok_or(NO_KIND)?;
        let kind = deed.after.as_deref().and_then(mail_text::kind).ok_or(NO_KIND)?;
        let text = mail_texts::of(tx, program.id, kind).await?;
        let mut written = sample::write(&self.app.config.base_url, program, kind, &text, self.shell.name.as_ref())?;
        written.subject = format!("Test: {}", written.subject);
        Ok(written)
    }

    async fn weekly_digest(&self, tx: &mut Tx) -> Result<Written, Stop> {
        let program = self.program()?;
        let role = match self.mail.account_id {
            Some(account) => accounts::role(tx, account, program.id).await?,
            None => None,
        };
        if role.is_none_or(|role| role == Role::Viewer) {
            return Err(Stop::Dropped("the recipient does not decide in this program any more"));
        }
        let waiting = totals::waiting(tx, program.id).await?;
        if waiting.commissions == 0 && waiting.applications == 0 {
            return Err(Stop::Dropped("nothing waits any more"));
        }
        let commissions_at = self.at(&format!("m/{}/commissions?status=pending", program.slug))?;
        let applications_at = self.at(&format!("m/{}/affiliates?status=pending", program.slug))?;
        let message = WeeklyDigest {
            shell: self.shell.clone(),
            commissions: waiting.commissions,
            sum: program.currency.coded(waiting.sum),
            applications: waiting.applications,
            first: if waiting.commissions > 0 { commissions_at.clone() } else { applications_at.clone() },
            commissions_at,
            applications_at,
        };
        Ok(message.write()?)
    }
}

/// A link that is still good.
struct Carried {
    link: Link,
    url: Url,
}

/// Where it leads, and for how long, in words.
impl From<Carried> for (Url, String) {
    fn from(carried: Carried) -> Self {
        (carried.url, carried.link.purpose.lifetime())
    }
}

/// Addresses are built from the base URL and nothing that a request said.
fn at(app: &App, path: &str) -> Result<Url, Stop> {
    Ok(app.config.base_url.join(path).map_err(Error::from)?)
}
