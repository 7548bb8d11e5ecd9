//! Whom a sale is credited to, and by which evidence.

use super::{
    affiliate::{Status, words},
    id::{AffiliateId, ClickId, GroupId},
    signals::Own,
    time::Time,
};

/// How far the clocks of who tells of a sale and of this machine may be apart.
pub const SKEW_SECONDS: i64 = 3_600;

/// The affiliate that a piece of evidence names, as of now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub affiliate: AffiliateId,
    pub status: Status,
    /// The affiliate's current code, whichever alias was used.
    pub code: String,
    pub group: Option<GroupId>,
    /// A rate of their own may stand in for the program's.
    pub has_own_rate: bool,
    pub own: Own,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Click {
    pub id: ClickId,
    pub by: Named,
}

impl Click {
    /// Whether it still counts for what is bought at that moment.
    pub fn is_within(&self, window_days: i64, at: Time) -> bool {
        at <= self.id.time().plus_days(window_days)
    }
}

/// The affiliate that a customer was brought by, as far as it still counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub by: Named,
    pub since: Time,
    /// Not only named by a site before they bought.
    pub has_bought: bool,
}

/// All that speaks for somebody.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    pub click: Option<Click>,
    pub code: Option<Named>,
    pub coupon: Option<Named>,
    pub customer: Option<Bound>,
}

words! {
    /// Which evidence decided.
    By as AttributedBy {
        Click = "click",
        Code = "code",
        CodeAfterExpiredClick = "code_after_expired_click",
        Coupon = "coupon",
        Customer = "customer",
    }
    "must be one of click, code, code_after_expired_click, coupon, customer"
}

words! {
    /// Who keeps a customer for whom there is new evidence: who brought them last, or first.
    Touch as Touch { Last = "last", First = "first" }
    "must be one of last, first"
}

impl By {
    /// What spoke for the affiliate, for the merchant.
    pub const fn evidence(self) -> &'static str {
        match self {
            Self::Click => "The click that led to the sale",
            Self::Code => "The referral code that came with the sale",
            Self::CodeAfterExpiredClick => "The referral code; the click was too old to count",
            Self::Coupon => "The coupon that came with the sale",
            Self::Customer => "The customer, who was brought by this affiliate before",
        }
    }
}

/// Who else was named, and by what: `("link", name)`, `("coupon", name)`.
pub type Other = (&'static str, String);

/// By which rule a sale was credited, for the merchant: what decided, and against whom.
pub fn why(by: By, code: &str, coupon: Option<&str>, others: &[Other]) -> String {
    let won = match by {
        By::Click => "The click decided.".to_owned(),
        By::Code => format!("The code {code} decided."),
        By::CodeAfterExpiredClick => format!("The code {code} decided, because the click was too old to count."),
        By::Coupon => format!("The coupon {} decided.", coupon.unwrap_or("that came with it")),
        By::Customer => "The customer had been brought by them before.".to_owned(),
    };
    let lost: Vec<_> = others.iter().map(|(what, name)| format!("the {what} was {name}’s")).collect();
    if lost.is_empty() {
        return won;
    }
    let rule = match by {
        By::Coupon => "A coupon counted before a link",
        By::Customer => "Who brought a customer first kept them",
        By::Click | By::Code | By::CodeAfterExpiredClick => "A link counted before a coupon",
    };
    format!("{won} {rule}: {}.", lost.join(", "))
}

impl Touch {
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Last => "the last who brought the customer",
            Self::First => "the first who brought the customer",
        }
    }
}

/// How a program credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Days that a click counts.
    pub window_days: i64,
    pub touch: Touch,
    /// Days that a customer stays with who brought them: `None` for ever, 0 not at all.
    pub bound_days: Option<i64>,
    /// Against a link; a coupon alone always decides.
    pub coupon_wins: bool,
    /// Whether a customer who has bought before by somebody else earns nobody anything.
    pub new_customers_only: bool,
}

impl Terms {
    pub const fn new(window_days: i64) -> Self {
        Self { window_days, touch: Touch::Last, bound_days: None, coupon_wins: true, new_customers_only: false }
    }

    /// How it credits, for affiliates to read.
    pub fn in_words(&self) -> String {
        let who = match self.touch {
            Touch::Last => "the last affiliate who brought the customer, by a click",
            Touch::First => "the first affiliate who brought the customer, by a click",
        };
        let stays = match self.bound_days {
            None => "Customers stay with whom they came by".to_owned(),
            Some(0) => "Later purchases need a link or a coupon again".to_owned(),
            Some(days) => format!("Customers stay with whom they came by for {days} days"),
        };
        let coupon = if self.coupon_wins { "A coupon counts before a link" } else { "A link counts before a coupon" };
        let new = if self.new_customers_only { " Only new customers count." } else { "" };
        format!("A sale goes to {who} of the last {} days. {stays}. {coupon}.{new}", self.window_days)
    }

    fn holds(&self, bound: &Bound, at: Time) -> bool {
        self.bound_days.is_none_or(|days| days > 0 && at <= bound.since.plus_days(days))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    pub to: Named,
    pub by: By,
    /// What came with the sale named different affiliates.
    pub conflict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("either clickId or referralCode is required")]
    NoEvidence,
    #[error("the click is older than the program's {days}-day attribution window")]
    ClickTooOld { days: i64 },
    #[error("the affiliate is blocked")]
    Blocked { by: By },
    #[error("the customer was brought by somebody else before, and the program pays for new customers only")]
    NotNew { by: By },
}

impl Refusal {
    /// What of a reported sale it is about.
    pub const fn field(self) -> &'static str {
        match self {
            Self::NoEvidence | Self::ClickTooOld { .. } => "clickId",
            Self::Blocked { by } | Self::NotNew { by } => match by {
                By::Click => "clickId",
                By::Code | By::CodeAfterExpiredClick => "referralCode",
                By::Coupon => "couponCode",
                By::Customer => "customer",
            },
        }
    }
}

/// Of what was bought at that moment, which may be told later. The click is the evidence and wins over a code; a click outside the window leaves it to the code. A coupon goes
/// before both or after, as the program says; a customer known from before is asked last, or, where the first
/// who brought them keeps them, first.
///
/// # Errors
/// When nothing valid is left, the one credited is blocked, or the customer is not theirs to bring.
pub fn decide(evidence: Evidence, terms: Terms, at: Time) -> Result<Attribution, Refusal> {
    let Evidence { click, code, coupon, customer } = evidence;
    // Whoever brought the customer after it was bought did not bring this.
    let customer = customer.filter(|bound| bound.since <= at.plus_seconds(SKEW_SECONDS));
    let conflict = {
        let mut named = [click.as_ref().map(|click| &click.by), code.as_ref(), coupon.as_ref()].into_iter().flatten();
        named.next().is_some_and(|first| named.any(|other| other.affiliate != first.affiliate))
    };
    let is_alone = click.is_none() && code.is_none() && coupon.is_none();
    let brought_by = customer.as_ref().filter(|bound| bound.has_bought).map(|bound| bound.by.affiliate);
    // Somebody blocked does not keep a customer from who brings them now.
    let counts = |bound: &Bound| terms.holds(bound, at) && (is_alone || bound.by.status != Status::Blocked);
    let bound = customer.filter(counts).map(|bound| (bound.by, By::Customer));
    let coupon = coupon.map(|named| (named, By::Coupon));

    let is_late = click.as_ref().is_some_and(|click| !click.is_within(terms.window_days, at));
    let clicked = click.filter(|_| !is_late).map(|click| (click.by, By::Click));
    let coded = code.map(|named| (named, if is_late { By::CodeAfterExpiredClick } else { By::Code }));

    let (kept, asked) = if terms.touch == Touch::First { (bound, None) } else { (None, bound) };
    let (before, after) = if terms.coupon_wins { (coupon, None) } else { (None, coupon) };
    let credited = kept.or(before).or(clicked).or(coded).or(after).or(asked);
    let Some((to, by)) = credited else {
        let too_old = Refusal::ClickTooOld { days: terms.window_days };
        return Err(if is_late { too_old } else { Refusal::NoEvidence });
    };
    if to.status == Status::Blocked {
        return Err(Refusal::Blocked { by });
    }
    if terms.new_customers_only && brought_by.is_some_and(|before| before != to.affiliate) {
        return Err(Refusal::NotNew { by });
    }
    Ok(Attribution { to, by, conflict })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{EPOCH_MS, Id, Ids};

    const DAYS: i64 = 60;
    const TERMS: Terms = Terms::new(DAYS);

    #[test]
    fn who_won_and_by_which_rule_is_told() {
        let others = [("link", "Ben".to_owned())];
        assert_eq!(why(By::Click, "ANNA", None, &[]), "The click decided.");
        assert_eq!(
            why(By::Coupon, "ANNA", Some("SAVE10"), &others),
            "The coupon SAVE10 decided. A coupon counted before a link: the link was Ben’s."
        );
        assert!(why(By::Customer, "ANNA", None, &others).ends_with("kept them: the link was Ben’s."));
        assert!(why(By::Click, "ANNA", Some("X"), &[("coupon", "Ben".to_owned())]).contains("before a coupon"));
    }

    fn named(raw: i64, status: Status) -> Named {
        Named {
            affiliate: Id::new(raw),
            status,
            code: format!("CODE{raw}"),
            group: None,
            has_own_rate: false,
            own: Own::default(),
        }
    }

    fn active(raw: i64) -> Named {
        named(raw, Status::Active)
    }

    fn made() -> Time {
        Time::from_ms(EPOCH_MS + 86_400_000)
    }

    fn click(raw: i64) -> Click {
        Click { id: Ids::new(0).next(made()), by: named(raw, Status::Active) }
    }

    fn bound(raw: i64) -> Bound {
        Bound { by: named(raw, Status::Active), since: made(), has_bought: true }
    }

    /// To whom, by what, and whether in conflict.
    fn credited(evidence: Evidence, terms: Terms, now: Time) -> Result<(i64, By, bool), Refusal> {
        decide(evidence, terms, now).map(|sale| (sale.to.affiliate.raw(), sale.by, sale.conflict))
    }

    #[test]
    fn the_click_wins_over_a_code_and_the_conflict_is_kept() {
        let both = |code| Evidence { click: Some(click(1)), code: Some(active(code)), ..Evidence::default() };
        assert_eq!(credited(both(2), TERMS, made()), Ok((1, By::Click, true)));
        assert_eq!(credited(both(1), TERMS, made()), Ok((1, By::Click, false)));
    }

    #[test]
    fn the_window_is_inclusive() {
        let only = Evidence { click: Some(click(1)), ..Evidence::default() };
        assert!(decide(only.clone(), TERMS, made().plus_days(DAYS)).is_ok());
        let late = made().plus_days(DAYS).plus_seconds(1);
        assert_eq!(credited(only.clone(), TERMS, late), Err(Refusal::ClickTooOld { days: DAYS }));
        let coded = Evidence { code: Some(active(2)), ..only.clone() };
        assert_eq!(credited(coded, TERMS, late), Ok((2, By::CodeAfterExpiredClick, true)));
        let couponed = Evidence { coupon: Some(active(2)), ..only };
        assert_eq!(credited(couponed, Terms { coupon_wins: false, ..TERMS }, late), Ok((2, By::Coupon, true)));
    }

    #[test]
    fn blocked_is_refused_and_pending_is_credited() {
        let by_code = |status| Evidence { code: Some(named(1, status)), ..Evidence::default() };
        assert_eq!(credited(by_code(Status::Blocked), TERMS, made()), Err(Refusal::Blocked { by: By::Code }));
        assert!(decide(by_code(Status::Pending), TERMS, made()).is_ok());
        assert_eq!(credited(Evidence::default(), TERMS, made()), Err(Refusal::NoEvidence));
    }

    #[test]
    fn a_coupon_goes_before_a_link_or_after() {
        let both = Evidence { click: Some(click(1)), coupon: Some(active(2)), ..Evidence::default() };
        assert_eq!(credited(both.clone(), TERMS, made()), Ok((2, By::Coupon, true)));
        assert_eq!(credited(both, Terms { coupon_wins: false, ..TERMS }, made()), Ok((1, By::Click, true)));
    }

    #[test]
    fn a_customer_stays_for_the_first_or_goes_with_the_last() {
        let first = Terms { touch: Touch::First, ..TERMS };
        let alone = Evidence { customer: Some(bound(3)), ..Evidence::default() };
        let brought_anew = Evidence { click: Some(click(1)), ..alone.clone() };
        assert_eq!(credited(alone.clone(), TERMS, made()), Ok((3, By::Customer, false)));
        assert_eq!(credited(brought_anew.clone(), TERMS, made()), Ok((1, By::Click, false)));
        assert_eq!(credited(brought_anew.clone(), first, made()), Ok((3, By::Customer, false)));

        // Bound for ten days, the tenth included; not at all; to somebody who is blocked by now.
        let ten = Terms { bound_days: Some(10), ..first };
        assert_eq!(credited(alone.clone(), ten, made().plus_days(10)), Ok((3, By::Customer, false)));
        assert_eq!(credited(alone.clone(), ten, made().plus_days(11)), Err(Refusal::NoEvidence));
        assert_eq!(credited(brought_anew.clone(), ten, made().plus_days(11)), Ok((1, By::Click, false)));
        let never = Terms { bound_days: Some(0), ..first };
        assert_eq!(credited(alone, never, made()), Err(Refusal::NoEvidence));
        let blocked = Bound { by: named(3, Status::Blocked), since: made(), has_bought: true };
        let alone = Evidence { customer: Some(blocked.clone()), ..Evidence::default() };
        assert_eq!(credited(alone, first, made()), Err(Refusal::Blocked { by: By::Customer }));
        let brought_anew = Evidence { customer: Some(blocked), ..brought_anew };
        assert_eq!(credited(brought_anew, first, made()), Ok((1, By::Click, false)));
    }

    #[test]
    fn who_was_brought_after_it_was_bought_is_nothing_to_it() {
        let alone = Evidence { customer: Some(bound(3)), ..Evidence::default() };
        let before = made().plus_seconds(-SKEW_SECONDS);
        assert_eq!(credited(alone.clone(), TERMS, before), Ok((3, By::Customer, false)));
        let before = before.plus_seconds(-1);
        assert_eq!(credited(alone.clone(), TERMS, before), Err(Refusal::NoEvidence));
        let coded = Evidence { code: Some(active(1)), ..alone };
        let strict = Terms { touch: Touch::First, new_customers_only: true, ..TERMS };
        assert_eq!(credited(coded, strict, before), Ok((1, By::Code, false)));
    }

    #[test]
    fn affiliates_read_it_in_sentences() {
        assert_eq!(
            TERMS.in_words(),
            "A sale goes to the last affiliate who brought the customer, by a click of the last 60 days. Customers stay \
             with whom they came by. A coupon counts before a link."
        );
        let other =
            Terms { touch: Touch::First, bound_days: Some(0), coupon_wins: false, new_customers_only: true, ..TERMS };
        assert!(
            other
                .in_words()
                .ends_with("a link or a coupon again. A link counts before a coupon. Only new customers count.")
        );
    }

    #[test]
    fn only_new_customers_where_the_program_says_so() {
        let terms = Terms { new_customers_only: true, ..TERMS };
        let of =
            |brought, now| Evidence { click: Some(click(now)), customer: Some(bound(brought)), ..Evidence::default() };
        assert_eq!(credited(of(3, 1), terms, made()), Err(Refusal::NotNew { by: By::Click }));
        assert_eq!(credited(of(1, 1), terms, made()), Ok((1, By::Click, false)));
        // Who only signed up has not bought yet.
        let lead = Bound { has_bought: false, ..bound(3) };
        let anew = Evidence { click: Some(click(1)), customer: Some(lead), ..Evidence::default() };
        assert_eq!(credited(anew, terms, made()), Ok((1, By::Click, false)));
    }
}
