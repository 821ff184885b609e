use std::time::Instant;

use media::rtp::Unwrapper;
use media::time::{nanos_to_ticks, rescale};

/// The zero that the tracks of a session share: the arrival of the first packet.
#[derive(Debug, Default)]
pub(super) struct Clock {
    zero: Option<Instant>,
}

/// One track's timestamps on the time line of the session.
#[derive(Debug)]
pub(super) struct Ticks {
    rate: u32,
    unwrapper: Unwrapper,
    /// What is added to an unwrapped timestamp, in ticks.
    offset: Option<i64>,
}

impl Ticks {
    pub(super) fn new(rate: u32) -> Self {
        Self {
            rate,
            unwrapper: Unwrapper::new(),
            offset: None,
        }
    }

    /// The time of `timestamp` in ticks of `rate`, which is the frame's clock.
    pub(super) fn place(
        &mut self,
        timestamp: u32,
        rate: u32,
        clock: &mut Clock,
        now: Instant,
    ) -> i64 {
        let time = self.unwrapper.unwrap(timestamp);
        let zero = *clock.zero.get_or_insert(now);
        let offset = *self.offset.get_or_insert_with(|| {
            let since = now.saturating_duration_since(zero).as_nanos() as i64;
            nanos_to_ticks(since, self.rate) - time
        });
        rescale(time + offset, i64::from(rate), i64::from(self.rate))
    }
}
