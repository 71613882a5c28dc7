//! Random numbers for tests that try many moments. The seed is printed, and `RC_TEST_SEED` repeats it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of tries of a test: the variable `name`, for a longer run than usual.
pub(crate) fn count(name: &str, usual: u32) -> u32 {
    std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(usual)
}

/// A simple generator (xorshift64*), random enough to pick a moment.
pub(crate) struct Chance(u64);

impl Chance {
    /// Seeds it by the clock, or by `RC_TEST_SEED`.
    pub(crate) fn new() -> Self {
        let given = std::env::var("RC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let clock =
            || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| u64::from(time.subsec_nanos()) | 1);
        let seed: u64 = given.unwrap_or_else(clock);
        eprintln!("RC_TEST_SEED={seed}");
        Self(seed)
    }

    /// The same numbers each time: those of `seed`.
    pub(crate) fn of(seed: u64) -> Self {
        // Seeds that are near each other begin alike, and 0 stays 0.
        let mut own = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        own.below(1);
        own
    }

    /// The same numbers each time, unless `RC_TEST_SEED` is set.
    pub(crate) fn usually(seed: u64) -> Self {
        let given = std::env::var("RC_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        Self::of(given.unwrap_or(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end
    }

    /// Sleeps for a random time below `most`: picks a moment, and waits for nothing.
    pub(crate) fn pass(&mut self, most: Duration) {
        let nanoseconds = u64::try_from(most.as_nanos()).unwrap_or(u64::MAX);
        std::thread::park_timeout(Duration::from_nanos(self.below(nanoseconds)));
    }
}
