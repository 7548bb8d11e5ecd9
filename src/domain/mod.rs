//! What is true whatever the database and the protocol: values that cannot be wrong once parsed,
//! and decisions as pure functions of (state, input, time). Nothing in here does I/O.

pub mod affiliate;
pub mod application;
pub mod attribution;
pub mod bank;
pub mod bucket;
pub mod claim;
pub mod code;
pub mod commission;
pub mod country;
pub mod crawler;
pub mod csv;
pub mod customer;
pub mod decimal;
pub mod device;
pub mod email;
pub mod id;
pub mod imports;
pub mod invitation;
pub mod key;
pub mod locale;
pub mod look;
pub mod mail_text;
pub mod message;
pub mod money;
pub mod one_time_link;
pub mod payment;
pub mod payout;
pub mod payout_files;
pub mod period;
pub mod products;
pub mod program;
pub mod providers;
pub mod refund;
pub mod role;
pub mod rules;
pub mod self_billing;
pub mod signals;
pub mod standing;
pub mod tax;
pub mod text;
pub mod time;
pub mod tracking;
pub mod two_step;
pub mod volume;

use std::borrow::Cow;

/// Why a value was refused, worded to follow the field's name: `must be …`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Issue(pub Cow<'static, str>);

impl Issue {
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Issue {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}
