//! Whom a sale is credited to, and by which evidence.

use super::{
    affiliate::{Status, words},
    id::{AffiliateId, ClickId},
    time::Time,
};

/// The affiliate that a piece of evidence names, as of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub affiliate: AffiliateId,
    pub status: Status,
    /// The affiliate's current code, whichever alias was used.
    pub code: String,
    /// A rate of their own may stand in for the program's.
    pub has_own_rate: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    pub id: ClickId,
    pub by: Named,
}

impl Click {
    pub fn is_within(&self, window_days: i64, now: Time) -> bool {
        now <= self.id.time().plus_days(window_days)
    }
}

words! {
    /// Which evidence decided.
    By as AttributedBy { Click = "click", Code = "code", CodeAfterExpiredClick = "code_after_expired_click" }
    "must be one of click, code, code_after_expired_click"
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    pub to: Named,
    pub by: By,
    /// The click and the code named different affiliates.
    pub conflict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("either clickId or referralCode is required")]
    NoEvidence,
    #[error("the click is older than the program's attribution window of {days} days")]
    ClickTooOld { days: i64 },
    #[error("the affiliate is blocked")]
    Blocked { by_click: bool },
}

/// The click is the evidence and wins over a code; a click outside the window leaves it to the code.
///
/// # Errors
/// When nothing valid is left, or the one credited is blocked.
pub fn decide(click: Option<Click>, code: Option<Named>, window_days: i64, now: Time) -> Result<Attribution, Refusal> {
    let conflict = matches!((&click, &code), (Some(click), Some(code)) if click.by.affiliate != code.affiliate);
    let (to, by) = match (click, code) {
        (Some(click), _) if click.is_within(window_days, now) => (click.by, By::Click),
        (Some(_), Some(code)) => (code, By::CodeAfterExpiredClick),
        (Some(_), None) => return Err(Refusal::ClickTooOld { days: window_days }),
        (None, Some(code)) => (code, By::Code),
        (None, None) => return Err(Refusal::NoEvidence),
    };
    if to.status == Status::Blocked {
        return Err(Refusal::Blocked { by_click: by == By::Click });
    }
    Ok(Attribution { to, by, conflict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{EPOCH_MS, Id, Ids};

    const DAYS: i64 = 60;

    fn named(raw: i64, status: Status) -> Named {
        Named { affiliate: Id::new(raw), status, code: format!("CODE{raw}"), has_own_rate: false }
    }

    fn made() -> Time {
        Time::from_ms(EPOCH_MS + 86_400_000)
    }

    fn click(raw: i64) -> Click {
        Click { id: Ids::new(0).next(made()), by: named(raw, Status::Active) }
    }

    #[test]
    fn the_click_wins_and_the_conflict_is_kept() {
        let sale = decide(Some(click(1)), Some(named(2, Status::Active)), DAYS, made()).unwrap();
        assert_eq!((sale.to.affiliate, sale.by, sale.conflict), (Id::new(1), By::Click, true));
        let sale = decide(Some(click(1)), Some(named(1, Status::Active)), DAYS, made()).unwrap();
        assert!(!sale.conflict);
    }

    #[test]
    fn the_window_is_inclusive() {
        assert!(decide(Some(click(1)), None, DAYS, made().plus_days(DAYS)).is_ok());
        let late = made().plus_days(DAYS).plus_seconds(1);
        assert_eq!(decide(Some(click(1)), None, DAYS, late), Err(Refusal::ClickTooOld { days: DAYS }));
        let sale = decide(Some(click(1)), Some(named(2, Status::Active)), DAYS, late).unwrap();
        assert_eq!((sale.to.affiliate, sale.by), (Id::new(2), By::CodeAfterExpiredClick));
    }

    #[test]
    fn blocked_is_refused_and_pending_is_credited() {
        assert_eq!(
            decide(None, Some(named(1, Status::Blocked)), DAYS, made()),
            Err(Refusal::Blocked { by_click: false })
        );
        assert!(decide(None, Some(named(1, Status::Pending)), DAYS, made()).is_ok());
        assert_eq!(decide(None, None, DAYS, made()), Err(Refusal::NoEvidence));
    }
}
