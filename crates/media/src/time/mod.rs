//! Units of time and the conversions between them. See `docs/time.md`.

mod clock;
mod rate;
mod timeline;

use std::time::Duration;

pub use clock::Repair;
pub use timeline::{LEAD, Placed, Timeline};

/// Nanoseconds in one second.
pub const NANOS: i64 = 1_000_000_000;

/// The clock rate of RTP video (RFC 6184 §5.1, RFC 7798 §4.1), in ticks per second.
pub const VIDEO_CLOCK: u32 = 90_000;

/// Converts `ticks` of a clock of `rate` ticks per second into nanoseconds, rounding to the nearest.
///
/// `rate` is ticks per second and must not be zero; a zero rate is taken as one tick per second.
pub fn ticks_to_nanos(ticks: i64, rate: u32) -> i64 {
    rescale(ticks, NANOS, i64::from(rate.max(1)))
}

/// Converts nanoseconds into ticks of a clock of `rate` ticks per second, rounding to the nearest.
pub fn nanos_to_ticks(nanos: i64, rate: u32) -> i64 {
    rescale(nanos, i64::from(rate), NANOS)
}

/// The length of `ticks` of a clock of `rate` ticks per second; negative lengths become zero.
pub fn ticks_to_duration(ticks: i64, rate: u32) -> Duration {
    Duration::from_nanos(u64::try_from(ticks_to_nanos(ticks, rate)).unwrap_or(0))
}

/// `value * to / from` without overflow, rounded to the nearest and saturating at the ends of i64.
pub fn rescale(value: i64, to: i64, from: i64) -> i64 {
    let scaled = i128::from(value) * i128::from(to);
    let from = i128::from(from.max(1));
    let half = from / 2;
    let rounded = if scaled >= 0 {
        (scaled + half) / from
    } else {
        (scaled - half) / from
    };
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_survive_a_round_trip_over_a_year_of_video() {
        let year = 365 * 24 * 3600 * i64::from(VIDEO_CLOCK) + 1;
        assert_eq!(
            nanos_to_ticks(ticks_to_nanos(year, VIDEO_CLOCK), VIDEO_CLOCK),
            year
        );
    }

    #[test]
    fn rounding_is_symmetric_around_zero() {
        assert_eq!(rescale(1, 2, 4), 1);
        assert_eq!(rescale(-1, 2, 4), -1);
        assert_eq!(rescale(1, 1, 4), 0);
    }
}
