//! Paying what is owed: who is in a run and who is left out, and what becomes of its lines.

mod settings;

use std::fmt;

pub use settings::{Due, Payer, Schedule, Settings, differences, hold_days, net_days};

use super::{
    affiliate::{PaymentMethod, words},
    commission::Entry,
    tax::Standing,
    time::Time,
};

words! {
    /// Draft: prepared, nothing is held yet. Open: holds its commissions until the money went out or did not.
    Status as PayoutStatus {
        Draft = "draft", Open = "open", Paid = "paid", Failed = "failed", Cancelled = "cancelled",
    }
    "must be one of draft, open, paid, failed, cancelled"
}

words! {
    LineStatus as PayoutLineStatus { Open = "open", Paid = "paid", Failed = "failed", Cancelled = "cancelled" }
    "must be one of open, paid, failed, cancelled"
}

/// How long nothing is paid to details that somebody changed, so that their owner can object.
pub const CHANGED_DETAILS_HOURS: i64 = 72;

/// What decides whether an affiliate is in a run.
#[derive(Debug, Clone, Copy)]
pub struct Owed {
    /// The sum of what is payable, in minor units.
    pub net: i64,
    pub minimum: i64,
    pub method: Option<PaymentMethod>,
    pub has_details: bool,
    pub details_changed_at: Option<Time>,
    /// The tax form that this payment would need and that is not there.
    pub form: Option<Standing>,
}

/// Why an affiliate with something payable is not in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Refunds and corrections are as much as what was earned, or more.
    NothingLeft,
    BelowMinimum,
    NoMethod,
    OtherMethod(PaymentMethod),
    ChangedDetails {
        until: Time,
    },
    TaxForm(Standing),
    /// Whoever made the run did not want them in it.
    NotChosen,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingLeft => f.write_str("nothing is left after refunds and corrections"),
            Self::BelowMinimum => f.write_str("below the minimum"),
            Self::NoMethod => f.write_str("no payment method yet"),
            Self::OtherMethod(method) => write!(f, "is paid {}", method.in_a_sentence()),
            Self::ChangedDetails { until } => {
                write!(f, "changed the payment details; payable from {} on", until.date())
            }
            Self::TaxForm(standing) => write!(f, "tax form: {standing}"),
            Self::NotChosen => f.write_str("not chosen"),
        }
    }
}

/// The way an affiliate is paid in a run for `only` (all ways, where none is named).
///
/// # Errors
/// Why they are left out.
pub fn admit(owed: Owed, only: Option<PaymentMethod>, now: Time) -> Result<PaymentMethod, LeftOut> {
    if owed.net <= 0 {
        return Err(LeftOut::NothingLeft);
    }
    let method = owed.method.filter(|_| owed.has_details).ok_or(LeftOut::NoMethod)?;
    if only.is_some_and(|only| only != method) {
        return Err(LeftOut::OtherMethod(method));
    }
    if let Some(until) = owed.details_changed_at.map(held_until).filter(|until| *until > now) {
        return Err(LeftOut::ChangedDetails { until });
    }
    if owed.net < owed.minimum {
        return Err(LeftOut::BelowMinimum);
    }
    if let Some(standing) = owed.form {
        return Err(LeftOut::TaxForm(standing));
    }
    Ok(method)
}

/// Until when nothing is paid to details that were changed then.
pub fn held_until(changed_at: Time) -> Time {
    changed_at.plus_seconds(CHANGED_DETAILS_HOURS * 3_600)
}

/// What becomes of a line that somebody decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It has that status already.
    Nothing,
    /// The money went out.
    Pay,
    /// It did not, or it came back: what the line held is owed again. `was_paid` says which.
    Release { was_paid: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("must be one of paid, failed, cancelled")]
    NotADecision,
    #[error("what it held is owed again, and is paid with the next payout")]
    IsReleased,
}

/// # Errors
/// Why the line cannot have that status now.
pub fn decide(now: LineStatus, wanted: LineStatus) -> Result<Decision, Refusal> {
    match (now, wanted) {
        (_, LineStatus::Open) => Err(Refusal::NotADecision),
        (now, wanted) if now == wanted => Ok(Decision::Nothing),
        (LineStatus::Open, LineStatus::Paid) => Ok(Decision::Pay),
        (LineStatus::Open, _) => Ok(Decision::Release { was_paid: false }),
        (LineStatus::Paid, _) => Ok(Decision::Release { was_paid: true }),
        (LineStatus::Failed | LineStatus::Cancelled, _) => Err(Refusal::IsReleased),
    }
}

impl Decision {
    /// The kind and sign of the ledger entry that it makes, if it makes one: a line that is not paid yet has moved
    /// no money.
    pub const fn entry(self) -> Option<(Entry, i64)> {
        match self {
            Self::Pay => Some((Entry::Pay, -1)),
            Self::Release { was_paid: true } => Some((Entry::Unpay, 1)),
            Self::Release { was_paid: false } | Self::Nothing => None,
        }
    }
}

/// How many lines of a run have which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lines {
    pub open: i64,
    pub paid: i64,
    pub failed: i64,
    pub cancelled: i64,
}

/// How many lines of a run were open and paid when somebody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub open: i64,
    pub paid: i64,
}

/// `28 paid, 1 failed`.
impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all =
            [(self.open, "on the way"), (self.paid, "paid"), (self.failed, "failed"), (self.cancelled, "cancelled")];
        let some = all.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        f.write_str(&some.collect::<Vec<_>>().join(", "))
    }
}

impl Lines {
    /// What was decided since a page showed `seen` of the same run, if anything was. A line goes from open to paid and
    /// from either to failed or cancelled, and never back: where as many are open and paid, they are the same.
    pub fn decided_since(self, seen: Seen) -> Option<String> {
        if (self.open, self.paid) == (seen.open, seen.paid) {
            return None;
        }
        let what = match self.paid - seen.paid {
            1 => "1 line was marked as paid".to_owned(),
            more @ 2.. => format!("{more} lines were marked as paid"),
            _ => "lines were changed".to_owned(),
        };
        Some(format!("{what} since this page was shown: look again"))
    }

    /// Where the run stands, as its lines have it.
    pub const fn status(self) -> Status {
        match self {
            Self { open: 1.., .. } => Status::Open,
            Self { paid: 1.., .. } => Status::Paid,
            Self { failed: 1.., .. } => Status::Failed,
            _ => Status::Cancelled,
        }
    }
}

impl Status {
    /// Whether files of such a run carry such a line. While it is open, only what is still to be paid, so that nothing
    /// is paid twice; of one that is closed, what was.
    pub const fn carries(self, line: LineStatus) -> bool {
        match self {
            Self::Open => matches!(line, LineStatus::Open),
            _ => matches!(line, LineStatus::Paid),
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Draft => "Draft",
            Self::Open => "Open",
            Self::Paid => "Paid",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// A class of badges.
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Draft => "info",
            Self::Open => "warn",
            Self::Paid => "ok",
            Self::Failed => "bad",
            Self::Cancelled => "",
        }
    }
}

impl LineStatus {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Open => "On its way",
            Self::Paid => "Paid",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// A class of badges.
    pub const fn tone(self) -> &'static str {
        match self {
            Self::Open => "warn",
            Self::Paid => "ok",
            Self::Failed => "bad",
            Self::Cancelled => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::tax::Form;

    const OWED: Owed = Owed {
        net: 5_000,
        minimum: 1_000,
        method: Some(PaymentMethod::Wise),
        has_details: true,
        details_changed_at: None,
        form: None,
    };
    const NOW: Time = Time::from_ms(1_772_366_400_000);

    #[test]
    fn who_is_left_out_and_why() {
        assert_eq!(admit(OWED, None, NOW), Ok(PaymentMethod::Wise));
        assert_eq!(admit(Owed { net: 1_000, ..OWED }, Some(PaymentMethod::Wise), NOW), Ok(PaymentMethod::Wise));
        let left = |owed: Owed| admit(owed, None, NOW).unwrap_err();
        assert_eq!(left(Owed { net: 0, ..OWED }), LeftOut::NothingLeft);
        assert_eq!(left(Owed { net: -1, minimum: -5, ..OWED }), LeftOut::NothingLeft);
        assert_eq!(left(Owed { net: 999, ..OWED }), LeftOut::BelowMinimum);
        assert_eq!(left(Owed { method: None, ..OWED }), LeftOut::NoMethod);
        assert_eq!(left(Owed { has_details: false, ..OWED }), LeftOut::NoMethod);
        let missing = Standing::Missing(Form::W9);
        assert_eq!(left(Owed { form: Some(missing), ..OWED }), LeftOut::TaxForm(missing));
        assert_eq!(left(Owed { form: Some(missing), net: 999, ..OWED }), LeftOut::BelowMinimum);
        assert_eq!(LeftOut::TaxForm(missing).to_string(), "tax form: W-9 is missing");
        let other = admit(OWED, Some(PaymentMethod::Paypal), NOW);
        assert_eq!(other, Err(LeftOut::OtherMethod(PaymentMethod::Wise)));
    }

    #[test]
    fn details_that_were_changed_wait_three_days() {
        let changed = Owed { details_changed_at: Some(NOW), ..OWED };
        let until = NOW.plus_days(3);
        assert_eq!(admit(changed, None, NOW), Err(LeftOut::ChangedDetails { until }));
        assert_eq!(admit(changed, None, until.plus_seconds(-1)), Err(LeftOut::ChangedDetails { until }));
        assert_eq!(admit(changed, None, until), Ok(PaymentMethod::Wise));
    }

    #[test]
    fn files_of_an_open_run_carry_what_is_open() {
        use LineStatus as Line;
        let all = [Line::Open, Line::Paid, Line::Failed, Line::Cancelled];
        assert_eq!(all.map(|line| Status::Open.carries(line)), [true, false, false, false]);
        assert_eq!(all.map(|line| Status::Paid.carries(line)), [false, true, false, false]);
    }

    #[test]
    fn what_was_decided_since_somebody_looked() {
        let now = |open, paid, failed| Lines { open, paid, failed, cancelled: 0 };
        let since = |now: Lines| now.decided_since(Seen { open: 3, paid: 1 });
        assert_eq!(since(now(3, 1, 0)), None);
        let said = |what: &str| Some(format!("{what} since this page was shown: look again"));
        assert_eq!(since(now(2, 2, 0)), said("1 line was marked as paid"));
        assert_eq!(since(now(0, 3, 1)), said("2 lines were marked as paid"));
        // One came back and another was paid.
        assert_eq!(since(now(2, 1, 1)), said("lines were changed"));
    }

    #[test]
    fn a_run_stands_where_its_lines_do() {
        let lines = Lines::default();
        assert_eq!(Lines { open: 1, paid: 5, ..lines }.status(), Status::Open);
        assert_eq!(Lines { paid: 1, failed: 5, cancelled: 5, ..lines }.status(), Status::Paid);
        assert_eq!(Lines { failed: 1, cancelled: 1, ..lines }.status(), Status::Failed);
        assert_eq!(Lines { cancelled: 1, ..lines }.status(), Status::Cancelled);
        assert_eq!(Lines { paid: 28, failed: 1, ..lines }.to_string(), "28 paid, 1 failed");
    }

    proptest! {
        /// Whatever is decided in whatever order: a line's entries are what its status says, and what it let go it
        /// never pays again.
        #[test]
        fn a_line_is_paid_at_most_once(steps in prop::collection::vec(0usize..4, 0..20)) {
            const ALL: [LineStatus; 4] = [LineStatus::Open, LineStatus::Paid, LineStatus::Failed, LineStatus::Cancelled];
            let (mut status, mut entries, mut released) = (LineStatus::Open, 0, false);
            for wanted in steps.into_iter().map(|step| ALL[step]) {
                match decide(status, wanted) {
                    Ok(Decision::Nothing) => prop_assert_eq!(status, wanted),
                    Ok(decision) => {
                        prop_assert!(!released);
                        entries += decision.entry().map_or(0, |(_, sign)| sign);
                        released = matches!(decision, Decision::Release { .. });
                        status = wanted;
                    }
                    Err(Refusal::NotADecision) => prop_assert_eq!(wanted, LineStatus::Open),
                    Err(Refusal::IsReleased) => prop_assert!(released),
                }
                prop_assert_eq!(entries, if status == LineStatus::Paid { -1 } else { 0 });
            }
        }
    }
}
