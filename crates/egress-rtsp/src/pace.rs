//! How fast datagrams go to one viewer: what lies behind live would otherwise overrun its socket. Time is an argument.

use std::time::{Duration, Instant};

/// How much goes out at once, in bytes: sockets of players hold a few times that by default.
const BURST: i64 = 48 << 10;
/// Bytes a second beyond that: faster than any camera, so that every viewer reaches live.
const RATE: i64 = 6_000_000;
/// How long is waited for more room.
const TICK: Duration = Duration::from_millis(8);

/// The pace of one viewer.
#[derive(Debug)]
pub(crate) struct Pace {
    room: i64,
    at: Instant,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            room: BURST,
            at: now,
        }
    }

    /// Takes room for so many bytes.
    ///
    /// # Errors
    /// When to ask again, where there is none.
    pub(crate) fn take(&mut self, bytes: usize, now: Instant) -> Result<(), Instant> {
        let passed = now
            .saturating_duration_since(self.at)
            .as_micros()
            .min(1_000_000) as i64;
        self.at = now;
        self.room = (self.room + RATE * passed / 1_000_000).min(BURST);
        if self.room <= 0 {
            return Err(now + TICK);
        }
        self.room -= bytes as i64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_out_at_once_and_a_backlog_at_six_megabytes_a_second() {
        let start = Instant::now();
        let (mut pace, mut now, mut sent) = (Pace::new(start), start, 0);
        while now < start + Duration::from_secs(1) {
            match pace.take(40_000, now) {
                Ok(()) => sent += 40_000,
                Err(again) => {
                    assert!(sent >= BURST || now > start);
                    now = again;
                }
            }
        }
        assert!((5_900_000..6_200_000).contains(&sent), "{sent}");
    }

    #[test]
    fn a_live_stream_is_never_held_up() {
        let (mut now, mut pace) = (Instant::now(), Pace::new(Instant::now()));
        for _ in 0..100 {
            now += Duration::from_millis(40);
            assert!(pace.take(40_000, now).is_ok(), "8 Mbit/s");
        }
    }
}
