//! Payouts: how a program pays, what may be paid, and the runs.

use super::{Error, Tx, execute, fetch_all, fetch_one, fetch_optional, payout_lines::payable, row};
use crate::domain::{
    affiliate::PaymentMethod,
    bank::Account,
    id::{AffiliateId, PayoutId, ProgramId},
    money::Currency,
    payout::{Payer, Schedule, Settings, Status},
    time::Time,
};

row! {
    pub struct SettingsRow {
        pub minimum_minor: i64,
        pub schedule: Schedule,
        pub schedule_since: i64,
        pub net_days: i64,
        pub may_request: bool,
        pub auto_approve: bool,
        pub auto_approve_most_minor: Option<i64>,
        pub methods: String,
        pub payer_name: Option<String>,
        pub payer_account: Option<String>,
    }
}

/// How a program pays.
pub async fn settings(tx: &mut Tx, program: ProgramId) -> Result<Settings, Error> {
    let found = fetch_optional!(
        SettingsRow,
        tx,
        "SELECT minimum_minor, schedule, schedule_since, net_days, may_request, auto_approve, auto_approve_most_minor, methods, payer_name, payer_account
         FROM payout_settings WHERE program_id = $1",
        program
    )?;
    let Some(row) = found else { return Ok(Settings::default()) };
    let methods =
        row.methods.split(',').filter(|word| !word.is_empty()).map(PaymentMethod::parse).collect::<Result<_, _>>();
    let methods = methods.map_err(|issue| Error::Corrupt(issue.to_string()))?;
    let payer = match (row.payer_name, row.payer_account) {
        (Some(name), Some(account)) => {
            let account = Account::parse(&account).map_err(|issue| Error::Corrupt(issue.to_string()))?;
            account.map(|account| Payer { name, account })
        }
        _ => None,
    };
    Ok(Settings {
        minimum: row.minimum_minor,
        schedule: row.schedule,
        schedule_since: row.schedule_since,
        net_days: row.net_days,
        may_request: row.may_request,
        auto_approve: row.auto_approve,
        auto_approve_most: row.auto_approve_most_minor,
        methods,
        payer,
    })
}

pub async fn save_settings(tx: &mut Tx, program: ProgramId, settings: &Settings) -> Result<(), Error> {
    let methods: Vec<_> = settings.methods.iter().map(|method| method.as_str()).collect();
    execute!(
        tx,
        "INSERT INTO payout_settings
           (program_id, minimum_minor, schedule, may_request, auto_approve, auto_approve_most_minor, methods,
            payer_name, payer_account, schedule_since, net_days)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         ON CONFLICT (program_id) DO UPDATE SET minimum_minor = excluded.minimum_minor, schedule = excluded.schedule,
           may_request = excluded.may_request, auto_approve = excluded.auto_approve,
           auto_approve_most_minor = excluded.auto_approve_most_minor, methods = excluded.methods,
           payer_name = excluded.payer_name, payer_account = excluded.payer_account,
           schedule_since = excluded.schedule_since, net_days = excluded.net_days",
        program,
        settings.minimum,
        settings.schedule,
        settings.may_request,
        settings.auto_approve,
        settings.auto_approve_most,
        methods.join(","),
        settings.payer.as_ref().map(|payer| payer.name.as_str()),
        settings.payer.as_ref().map(|payer| payer.account.to_string()),
        settings.schedule_since,
        settings.net_days
    )
    .map(drop)
}

/// Keeps others from making a payout of the program, or from deciding its lines, until the transaction ends. Its
/// statements may take a minute: one of them moves all that a payout holds.
pub async fn lock(tx: &mut Tx, program: ProgramId) -> Result<(), Error> {
    let Tx::Postgres(pg) = tx else {
        // On SQLite whoever writes is alone.
        return Ok(());
    };
    sqlx::query("SET LOCAL statement_timeout = 60000").execute(pg.raw()).await?;
    sqlx::query("SELECT pg_advisory_xact_lock(74172, hashint8($1))").bind(program).execute(pg.raw()).await?;
    Ok(())
}

row! {
    /// An affiliate with something payable. Amounts in minor units; the three make up what is paid.
    #[derive(Debug, Clone)]
    pub struct Candidate {
        pub affiliate_id: AffiliateId,
        pub name: String,
        pub email: String,
        pub method: Option<PaymentMethod>,
        /// Sealed.
        pub sealed_details: Option<String>,
        pub details_changed_at: Option<Time>,
        /// Their own, else their group's.
        pub minimum_minor: Option<i64>,
        pub commission_count: i64,
        /// What was payable at the last payout already.
        pub opening_minor: i64,
        pub earned_minor: i64,
        /// What refunds and corrections took back since: negative.
        pub reversed_minor: i64,
    }
}

impl Candidate {
    pub const fn net(&self) -> i64 {
        self.opening_minor + self.earned_minor + self.reversed_minor
    }
}

/// Affiliates above an id with something payable by a moment, in the order of their ids; `since` parts what is new
/// from what was there. What takes back never waits.
pub async fn candidates(
    tx: &mut Tx,
    program: ProgramId,
    (since, until): (Time, Time),
    above: AffiliateId,
    limit: i64,
) -> Result<Vec<Candidate>, Error> {
    fetch_all!(
        Candidate,
        tx,
        concat!(
            "SELECT o.affiliate_id, a.name, a.email, a.payment_method AS method, a.payment_details AS sealed_details,
                a.payment_changed_at AS details_changed_at, COALESCE(a.minimum_minor, g.minimum_minor) AS minimum_minor, o.commission_count, o.opening_minor,
                o.earned_minor, o.reversed_minor
         FROM (SELECT c.affiliate_id, COUNT(*) AS commission_count,
                 CAST(SUM(CASE WHEN c.payable_at <= $2 THEN c.amount_minor ELSE 0 END) AS BIGINT) AS opening_minor,
                 CAST(SUM(CASE WHEN c.payable_at > $2 AND c.amount_minor > 0 THEN c.amount_minor ELSE 0 END) AS BIGINT) AS earned_minor,
                 CAST(SUM(CASE WHEN c.payable_at > $2 AND c.amount_minor < 0 THEN c.amount_minor ELSE 0 END) AS BIGINT) AS reversed_minor
               FROM commissions c
               WHERE c.program_id = $1 AND c.affiliate_id > $4 AND ",
            payable!("c.", "$3"),
            " GROUP BY c.affiliate_id ORDER BY c.affiliate_id LIMIT $5) o
             JOIN affiliates a ON a.id = o.affiliate_id LEFT JOIN affiliate_groups g ON g.id = a.group_id ORDER BY o.affiliate_id"
        ),
        program,
        since,
        until,
        above,
        limit
    )
}

row! {
    #[derive(Debug, Clone)]
    pub struct Payout {
        pub id: PayoutId,
        pub currency: Currency,
        pub status: Status,
        pub until_at: Time,
        pub method: Option<PaymentMethod>,
        pub line_count: i64,
        pub amount_minor: i64,
        pub actor: String,
        pub created_at: Time,
        pub closed_at: Option<Time>,
    }
}

/// Makes the run; `false` where its token made one before.
pub async fn create(tx: &mut Tx, program: ProgramId, token: &str, new: &Payout) -> Result<bool, Error> {
    let made = execute!(
        tx,
        "INSERT INTO payouts (id, program_id, currency, status, until_at, method, token, line_count, amount_minor, actor, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (program_id, token) DO NOTHING",
        new.id,
        program,
        new.currency,
        new.status,
        new.until_at,
        new.method,
        token,
        new.line_count,
        new.amount_minor,
        &new.actor,
        new.created_at
    )?;
    Ok(made == 1)
}

/// Sets what the run came to.
pub async fn complete(tx: &mut Tx, id: PayoutId, count: i64, amount: i64) -> Result<(), Error> {
    execute!(tx, "UPDATE payouts SET line_count = $2, amount_minor = $3 WHERE id = $1", id, count, amount).map(drop)
}

/// Stores where the run stands; a run that is open has not been closed.
pub async fn set_status(tx: &mut Tx, id: PayoutId, status: Status, now: Time) -> Result<(), Error> {
    let closed_at = (status != Status::Open).then_some(now);
    execute!(
        tx,
        "UPDATE payouts SET status = $2, closed_at = CASE WHEN status = $2 THEN closed_at ELSE $3 END WHERE id = $1",
        id,
        status,
        closed_at
    )
    .map(drop)
}

macro_rules! payout {
    ($rest:literal) => {
        concat!(
            "SELECT id, currency, status, until_at, method, line_count, amount_minor, actor, created_at, closed_at FROM payouts ",
            $rest
        )
    };
}

pub async fn by_id(tx: &mut Tx, program: ProgramId, id: PayoutId) -> Result<Option<Payout>, Error> {
    fetch_optional!(Payout, tx, payout!("WHERE id = $1 AND +program_id = $2"), id, program)
}

pub async fn by_token(tx: &mut Tx, program: ProgramId, token: &str) -> Result<Option<Payout>, Error> {
    fetch_optional!(Payout, tx, payout!("WHERE program_id = $1 AND token = $2"), program, token)
}

/// A page of a program's payouts, newest first; of one status, where one is named.
pub async fn page(
    tx: &mut Tx,
    program: ProgramId,
    status: Option<Status>,
    limit: i64,
    offset: i64,
) -> Result<Vec<Payout>, Error> {
    fetch_all!(
        Payout,
        tx,
        payout!("WHERE program_id = $1 AND ($2 = '' OR status = $2) ORDER BY id DESC LIMIT $3 OFFSET $4"),
        program,
        status.map_or("", Status::as_str),
        limit,
        offset
    )
}

pub async fn count(tx: &mut Tx, program: ProgramId, status: Option<Status>) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM payouts WHERE program_id = $1 AND ($2 = '' OR status = $2)",
        program,
        status.map_or("", Status::as_str)
    )?;
    Ok(count)
}

/// Until when the newest payout that holds or paid something went; the beginning of time where there is none.
pub async fn last_until(tx: &mut Tx, program: ProgramId) -> Result<Time, Error> {
    let row = fetch_optional!(
        (Time,),
        tx,
        "SELECT until_at FROM payouts WHERE program_id = $1 AND status IN ('open', 'paid') ORDER BY id DESC LIMIT 1",
        program
    )?;
    Ok(row.map_or(Time::from_ms(0), |(until,)| until))
}

row! {
    /// Where an affiliate's money stands, in minor units.
    #[derive(Debug, Clone, Copy)]
    pub struct Balance {
        pub pending_minor: i64,
        pub approved_minor: i64,
        pub paid_minor: i64,
        /// Of the approved: what may be paid now.
        pub payable_minor: i64,
        /// Of the approved: what a payout holds.
        pub in_payout_minor: i64,
    }
}

pub async fn balance(
    tx: &mut Tx,
    program: ProgramId,
    affiliate: AffiliateId,
    now: Time,
) -> Result<Option<Balance>, Error> {
    fetch_optional!(
        Balance,
        tx,
        concat!(
            "SELECT t.pending_minor, t.approved_minor, t.paid_minor,
                    CAST(COALESCE((SELECT SUM(c.amount_minor) FROM commissions c
                      WHERE c.program_id = $1 AND c.affiliate_id = $2 AND ",
            payable!("c.", "$3"),
            "), 0) AS BIGINT) AS payable_minor,
                    CAST(COALESCE((SELECT SUM(l.amount_minor) FROM payout_lines l
                      WHERE l.affiliate_id = $2 AND l.status = 'open'), 0) AS BIGINT) AS in_payout_minor
             FROM affiliate_totals t WHERE t.affiliate_id = $2 AND t.program_id = $1"
        ),
        program,
        affiliate,
        now
    )
}

/// How many affiliates are owed something that is payable now, and how much that is together, in minor units. Who has
/// less than nothing takes nothing from the others.
pub async fn payable(tx: &mut Tx, program: ProgramId, now: Time) -> Result<(i64, i64), Error> {
    fetch_one!(
        (i64, i64),
        tx,
        concat!(
            "SELECT COUNT(*), CAST(COALESCE(SUM(net_minor), 0) AS BIGINT)
             FROM (SELECT SUM(amount_minor) AS net_minor FROM commissions WHERE program_id = $1 AND ",
            payable!("", "$2"),
            " GROUP BY affiliate_id) owed WHERE net_minor > 0"
        ),
        program,
        now
    )
}

/// What open payouts hold, in minor units.
pub async fn open_sum(tx: &mut Tx, program: ProgramId) -> Result<i64, Error> {
    let (sum,) = fetch_one!(
        (i64,),
        tx,
        "SELECT CAST(COALESCE(SUM(l.amount_minor), 0) AS BIGINT) FROM payouts p JOIN payout_lines l ON l.payout_id = p.id
         WHERE p.program_id = $1 AND p.status = 'open' AND l.status = 'open'",
        program
    )?;
    Ok(sum)
}

/// Closes what was only prepared: something was made of it, or of what it was prepared for.
pub async fn close_drafts(tx: &mut Tx, program: ProgramId, now: Time) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE payouts SET status = 'cancelled', closed_at = $2 WHERE program_id = $1 AND status = 'draft'",
        program,
        now
    )
    .map(drop)
}

/// Notes that the affiliate asked to be paid.
pub async fn request(tx: &mut Tx, affiliate: AffiliateId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE affiliates SET payout_requested_at = $2 WHERE id = $1", affiliate, now).map(drop)
}

row! {
    /// What of an affiliate decides about their payouts.
    #[derive(Debug, Clone, Copy)]
    pub struct Terms {
        /// Their own, else their group's.
        pub minimum_minor: Option<i64>,
        pub payment_changed_at: Option<Time>,
        /// Since when they have been asking to be paid.
        pub payout_requested_at: Option<Time>,
    }
}

pub async fn terms(tx: &mut Tx, affiliate: AffiliateId) -> Result<Terms, Error> {
    fetch_one!(
        Terms,
        tx,
        "SELECT COALESCE(a.minimum_minor, g.minimum_minor) AS minimum_minor, a.payment_changed_at, a.payout_requested_at
         FROM affiliates a LEFT JOIN affiliate_groups g ON g.id = a.group_id WHERE a.id = $1",
        affiliate
    )
}

/// How many affiliates of the program are asking to be paid.
pub async fn requests(tx: &mut Tx, program: ProgramId) -> Result<i64, Error> {
    let (count,) = fetch_one!(
        (i64,),
        tx,
        "SELECT COUNT(*) FROM affiliates WHERE program_id = $1 AND payout_requested_at IS NOT NULL",
        program
    )?;
    Ok(count)
}

/// Those whom the run pays have been heard.
pub async fn hear_requests(tx: &mut Tx, payout: PayoutId) -> Result<(), Error> {
    execute!(
        tx,
        "UPDATE affiliates SET payout_requested_at = NULL WHERE payout_requested_at IS NOT NULL
           AND id IN (SELECT affiliate_id FROM payout_lines WHERE payout_id = $1)",
        payout
    )
    .map(drop)
}

/// When a person changed how the affiliate is paid.
pub async fn details_changed(tx: &mut Tx, affiliate: AffiliateId, now: Time) -> Result<(), Error> {
    execute!(tx, "UPDATE affiliates SET payment_changed_at = $2 WHERE id = $1", affiliate, now).map(drop)
}
