//! The time, passed in wherever it matters: the system's, or one that a test or the demo sets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use crate::domain::time::Time;

#[derive(Debug, Clone)]
pub enum Clock {
    System,
    /// Stands still until somebody sets it. Unix milliseconds.
    Set(Arc<AtomicI64>),
}

impl Clock {
    pub fn set_to(time: Time) -> Self {
        Self::Set(Arc::new(AtomicI64::new(time.ms())))
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's time")]
    pub fn now(&self) -> Time {
        match self {
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Time::from_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Self::Set(ms) => Time::from_ms(ms.load(Ordering::Relaxed)),
        }
    }

    /// Moves a clock that is [`Clock::Set`]; the system's cannot be moved.
    pub fn set(&self, time: Time) {
        if let Self::Set(ms) = self {
            ms.store(time.ms(), Ordering::Relaxed);
        }
    }
}
