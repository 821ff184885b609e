//! The wall clock, as far from the monotonic one as it was when the process began.

use std::time::{Instant, SystemTime};

/// Turns instants into times of the wall clock, always by the same measure: a clock that is set meanwhile moves nothing.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    instant: Instant,
    unix_nanos: i64,
}

impl Clock {
    /// As it is now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Self {
            instant: Instant::now(),
            unix_nanos: since.map_or(0, |since| since.as_nanos() as i64),
        }
    }

    /// What the wall clock showed, or will show, at `at`, in nanoseconds since 1970.
    pub fn unix_nanos(&self, at: Instant) -> i64 {
        let after = at.saturating_duration_since(self.instant).as_nanos() as i64;
        let before = self.instant.saturating_duration_since(at).as_nanos() as i64;
        self.unix_nanos + after - before
    }
}
