//! Identifiers: 63 bits, time-ordered so that inserts append to their index, and carrying the
//! millisecond they were made in, so that "newest first" and "higher id first" are one order.
//!
//! Layout: 41 bits of milliseconds since 2020-01-01T00:00:00Z, 10 bits of the instance that made it,
//! 12 bits of sequence. Shown as a prefix and 13 lower-case characters of Crockford's base 32.

use std::{
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    sync::atomic::{AtomicI64, Ordering},
};

use super::{Issue, time::Time};

/// The first millisecond an id can name, as Unix time: 2020-01-01T00:00:00Z.
pub const EPOCH_MS: i64 = 1_577_836_800_000;
/// Bits below the millisecond.
pub const TIME_SHIFT: u32 = 22;
const SEQUENCE_BITS: u32 = 12;
const INSTANCES: i64 = 1 << 10;
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 13;
/// With the longest prefix.
const LONGEST: usize = 6 + LENGTH;

/// What an id names: its prefix, and the field that errors about it carry.
pub trait Kind {
    const PREFIX: &'static str;
    const FIELD: &'static str;
    const NOUN: &'static str;
}

macro_rules! kinds {
    ($($kind:ident $prefix:literal $field:literal $noun:literal;)*) => { $(
        #[derive(Debug)]
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
            const FIELD: &'static str = $field;
            const NOUN: &'static str = $noun;
        }
    )* };
}

kinds! {
    Account "acct_" "accountId" "account";
    Affiliate "aff_" "affiliateId" "affiliate";
    AffiliateInvitation "ainv_" "invitationId" "invitation";
    Batch "batch_" "batchId" "decision";
    Claim "claim_" "claimId" "claim";
    Click "click_" "clickId" "click";
    Commission "comm_" "commissionId" "commission";
    Conversion "conv_" "conversionId" "conversion";
    Coupon "coup_" "couponId" "coupon";
    Group "grp_" "groupId" "group";
    Import "imp_" "importId" "import";
    Invoice "inv_" "invoiceId" "invoice";
    Key "key_" "keyId" "key";
    Link "link_" "linkId" "link";
    Payout "pay_" "payoutId" "payout";
    PayoutLine "pline_" "lineId" "payout line";
    Program "prog_" "programId" "program";
    ProviderEvent "pevt_" "eventId" "event";
    Refund "ref_" "refundId" "refund";
    Rule "rule_" "ruleId" "rule";
}

pub struct Id<K>(i64, PhantomData<fn() -> K>);

pub type AccountId = Id<Account>;
pub type AffiliateId = Id<Affiliate>;
pub type AffiliateInvitationId = Id<AffiliateInvitation>;
pub type BatchId = Id<Batch>;
pub type ClaimId = Id<Claim>;
pub type ClickId = Id<Click>;
pub type CommissionId = Id<Commission>;
pub type ConversionId = Id<Conversion>;
pub type CouponId = Id<Coupon>;
pub type GroupId = Id<Group>;
pub type ImportId = Id<Import>;
pub type InvoiceId = Id<Invoice>;
pub type KeyId = Id<Key>;
pub type LinkId = Id<Link>;
pub type PayoutId = Id<Payout>;
pub type PayoutLineId = Id<PayoutLine>;
pub type ProgramId = Id<Program>;
pub type ProviderEventId = Id<ProviderEvent>;
pub type RefundId = Id<Refund>;
pub type RuleId = Id<Rule>;

impl<K> Id<K> {
    pub const fn new(raw: i64) -> Self {
        Self(raw, PhantomData)
    }

    pub const fn raw(self) -> i64 {
        self.0
    }

    /// The lowest id of that moment: what was made from then on has a higher one.
    pub const fn first_of(time: Time) -> Self {
        let ms = time.ms() - EPOCH_MS;
        Self::new(if ms < 0 { 0 } else { ms << TIME_SHIFT })
    }

    /// When the thing was made.
    pub const fn time(self) -> Time {
        Time::from_ms((self.0 >> TIME_SHIFT) + EPOCH_MS)
    }

    /// What is made at that moment or later has this id or a higher one, what was made before a lower one.
    pub fn first_at(time: Time) -> Self {
        let ms = time.ms().saturating_sub(EPOCH_MS).clamp(0, i64::MAX >> TIME_SHIFT);
        Self::new(ms << TIME_SHIFT)
    }
}

impl<K: Kind> Id<K> {
    /// Reads an id as shown. Well formed is the prefix and letters, digits, hyphens or underscores, more than
    /// the reference's own examples have; one that this system cannot have made is the id 0, which names nothing.
    ///
    /// # Errors
    /// The issue, in the reference's words, when the prefix is missing or the rest is not an id.
    pub fn parse(text: &str) -> Result<Self, Issue> {
        let malformed = || Issue::from(format!("must be a string beginning with '{}'", K::PREFIX));
        let digits = text.strip_prefix(K::PREFIX).ok_or_else(malformed)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(allowed) {
            return Err(malformed());
        }
        Ok(Self::new(decode(digits).unwrap_or(0)))
    }
}

fn decode(digits: &str) -> Option<i64> {
    if digits.len() != LENGTH {
        return None;
    }
    let mut raw: i64 = 0;
    for byte in digits.bytes() {
        let digit = DIGITS.iter().position(|d| *d == byte)?;
        raw = raw.checked_mul(32)?.checked_add(i64::try_from(digit).ok()?)?;
    }
    Some(raw)
}

fn encode(raw: i64) -> [u8; LENGTH] {
    let mut out = [b'0'; LENGTH];
    let mut rest = raw.unsigned_abs();
    for slot in out.iter_mut().rev() {
        *slot = DIGITS[(rest & 31) as usize];
        rest >>= 5;
    }
    out
}

/// An id as shown, in place: a list writes one for each row.
pub struct Shown {
    text: [u8; LONGEST],
    length: usize,
}

impl Shown {
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..self.length]).unwrap_or_default()
    }
}

impl<K: Kind> Id<K> {
    pub fn shown(self) -> Shown {
        let length = K::PREFIX.len() + LENGTH;
        let mut text = [0; LONGEST];
        text[..K::PREFIX.len()].copy_from_slice(K::PREFIX.as_bytes());
        text[K::PREFIX.len()..length].copy_from_slice(&encode(self.0));
        Shown { text, length }
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown().as_str())
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}

impl<K: Kind> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown().as_str())
    }
}

// Derives would ask the same of `K`, which is only a name.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Makes ids. One per process; two processes on one database differ by their instance number.
#[derive(Debug)]
pub struct Ids {
    instance: i64,
    /// Milliseconds and sequence of the last id, without the instance.
    last: AtomicI64,
}

impl Ids {
    pub const fn new(instance: i64) -> Self {
        Self { instance: instance.rem_euclid(INSTANCES), last: AtomicI64::new(0) }
    }

    /// A new id, higher than all before it: a clock that stands still or goes back makes the
    /// sequence run on, into the following milliseconds where one is full.
    pub fn next<K>(&self, now: Time) -> Id<K> {
        let floor = (now.ms() - EPOCH_MS).max(1) << SEQUENCE_BITS;
        let advance = |last: i64| (last + 1).max(floor);
        let last = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(advance(last)));
        let ticket = advance(last.unwrap_or_else(|last| last));
        let (ms, sequence) = (ticket >> SEQUENCE_BITS, ticket & ((1 << SEQUENCE_BITS) - 1));
        Id::new(ms << TIME_SHIFT | self.instance << SEQUENCE_BITS | sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_and_read_back() {
        let id = Ids::new(7).next::<Affiliate>(Time::from_ms(EPOCH_MS + 5));
        assert_eq!(AffiliateId::parse(&id.to_string()), Ok(id));
        assert_eq!(id.to_string().len(), "aff_".len() + LENGTH);
        assert_eq!(id.time().ms(), EPOCH_MS + 5);
    }

    #[test]
    fn the_references_examples_are_well_formed_and_name_nothing() {
        assert_eq!(AffiliateId::parse("aff_123456"), Ok(Id::new(0)));
        assert_eq!(ClickId::parse("click_abcdef12345"), Ok(Id::new(0)));
        assert_eq!(AffiliateId::parse("aff_does_not-exist"), Ok(Id::new(0)));
    }

    #[test]
    fn malformed_is_worded_as_in_the_reference() {
        for text in ["", "aff", "aff_", "comm_123456", "aff_12 34", "aff_é", "AFF_1", "123456"] {
            let issue = AffiliateId::parse(text).unwrap_err();
            assert_eq!(issue.0, "must be a string beginning with 'aff_'", "{text}");
        }
    }

    #[test]
    fn ever_higher_even_when_the_clock_goes_back() {
        let ids = Ids::new(1);
        let mut last = ids.next::<Click>(Time::from_ms(EPOCH_MS + 1_000));
        for ms in [1_000, 1_000, 999, 1, 1_001, 1_001].into_iter().cycle().take(20_000) {
            let id = ids.next::<Click>(Time::from_ms(EPOCH_MS + ms));
            assert!(id > last);
            last = id;
        }
    }

    #[test]
    fn instances_never_meet() {
        let now = Time::from_ms(EPOCH_MS + 1);
        assert_ne!(Ids::new(1).next::<Click>(now), Ids::new(2).next::<Click>(now));
    }
}
