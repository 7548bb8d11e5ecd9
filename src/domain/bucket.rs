//! The token bucket behind the rate limit: it holds one minute's worth and refills evenly.

/// Tokens are counted in fractions, so that refilling by the millisecond loses nothing: one request is
/// [`REQUEST`] units, and a minute of 60 000 ms brings `limit × REQUEST`.
const REQUEST: i64 = 60_000;

#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    units: i64,
    at_ms: i64,
}

/// What the `RateLimit-*` headers say, in requests and whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub limit: i64,
    pub remaining: i64,
    /// Until the bucket is full again.
    pub reset: i64,
    /// Until the next request is allowed, when this one is not.
    pub retry_after: Option<i64>,
}

impl Bucket {
    pub const fn full(limit: i64, now_ms: i64) -> Self {
        Self { units: limit * REQUEST, at_ms: now_ms }
    }

    /// Takes one request's worth out, if there is that much. `now_ms` is of any clock that does not go
    /// back; where it does, nothing is refilled.
    pub fn take(&mut self, limit: i64, now_ms: i64) -> Allowance {
        let elapsed = (now_ms - self.at_ms).clamp(0, 60_000);
        self.at_ms = self.at_ms.max(now_ms);
        self.units = (self.units + elapsed * limit).min(limit * REQUEST);
        let granted = self.units >= REQUEST;
        if granted {
            self.units -= REQUEST;
        }
        let seconds_for = |units: i64| (units + limit * 1_000 - 1) / (limit * 1_000);
        Allowance {
            limit,
            remaining: self.units / REQUEST,
            reset: seconds_for(limit * REQUEST - self.units),
            retry_after: (!granted).then(|| seconds_for(REQUEST - self.units).max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_a_minutes_worth_and_refills() {
        let mut bucket = Bucket::full(600, 0);
        for left in (0..600).rev() {
            let got = bucket.take(600, 0);
            assert_eq!((got.remaining, got.retry_after), (left, None));
        }
        assert_eq!(bucket.take(600, 0).retry_after, Some(1));
        assert_eq!(bucket.take(600, 100).retry_after, None, "ten a second come back");
        assert_eq!(bucket.take(600, 1_000_000).remaining, 599, "never more than full");
    }

    #[test]
    fn slow_limits_wait_long_enough() {
        let mut bucket = Bucket::full(1, 0);
        assert_eq!(bucket.take(1, 0).retry_after, None);
        let refused = bucket.take(1, 500);
        assert_eq!((refused.retry_after, refused.reset), (Some(60), 60));
        assert!(bucket.take(1, 500 + 59_000).retry_after.is_some());
        assert_eq!(bucket.take(1, 60_000).retry_after, None);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_and_takes_nothing() {
        let mut bucket = Bucket::full(2, 1_000);
        assert_eq!(bucket.take(2, 0).remaining, 1);
        assert_eq!(bucket.take(2, 1_000).remaining, 0);
    }
}
