//! What the wall clock said when a segment was taken: EXT-X-PROGRAM-DATE-TIME. Pure.
//!
//! Players (Shaka) place segments by these dates, so they go on exactly as fast as the playlist, and only a
//! discontinuity moves them, and only forwards. The camera's clock is known some seconds after a session
//! began. Where it is not known yet, it is ours, corrected by what was learnt before.

use std::time::Instant;

/// The same moment on our monotonic clock and on our wall clock (nanoseconds since the Unix epoch).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Epoch {
    pub(crate) at: Instant,
    pub(crate) unix: i64,
}

impl Epoch {
    /// The wall clock at `moment`.
    fn unix(&self, moment: Instant) -> i64 {
        let nanos = |span: std::time::Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        match moment.checked_duration_since(self.at) {
            Some(since) => self.unix.saturating_add(nanos(since)),
            None => self
                .unix
                .saturating_sub(nanos(self.at.duration_since(moment))),
        }
    }
}

/// Gives dates to moments of the time line. All in nanoseconds.
#[derive(Debug)]
pub(crate) struct Calendar {
    epoch: Epoch,
    /// What is added to the time line to get the date.
    offset: i64,
    /// The camera's clock minus ours, as learnt last.
    ahead: i64,
    /// The last date that was given.
    last: Option<i64>,
}

impl Calendar {
    /// A calendar that knows from before that the camera's clock is `ahead` of ours.
    pub(crate) fn new(epoch: Epoch, ahead: i64) -> Self {
        Self {
            epoch,
            offset: 0,
            ahead,
            last: None,
        }
    }

    /// The camera's clock minus ours, as learnt last.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead
    }

    /// Learns from a keyframe what its camera's clock was, if it is known.
    pub(crate) fn learn(&mut self, wallclock: Option<i64>, arrival: Instant) {
        if let Some(wallclock) = wallclock {
            self.ahead = wallclock.saturating_sub(self.epoch.unix(arrival));
        }
    }

    /// Begins anew with a keyframe at `at`, behind a discontinuity.
    pub(crate) fn begin(&mut self, at: i64, wallclock: Option<i64>, arrival: Instant) {
        self.learn(wallclock, arrival);
        let guess = self.epoch.unix(arrival).saturating_add(self.ahead);
        let date = wallclock.unwrap_or(guess);
        let date = self.last.map_or(date, |last| last.max(date));
        self.offset = date.saturating_sub(at);
    }

    /// The date of `at`. Moments are asked for in order.
    pub(crate) fn date(&mut self, at: i64) -> i64 {
        let date = at.saturating_add(self.offset);
        self.last = Some(date);
        date
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: i64 = 1_000_000_000;
    const TODAY: i64 = 1_760_000_000 * SECOND;

    fn calendar(ahead: i64) -> (Calendar, Instant) {
        let at = Instant::now();
        (Calendar::new(Epoch { at, unix: TODAY }, ahead), at)
    }

    #[test]
    fn a_camera_without_a_clock_gets_ours() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(5 * SECOND, None, at + Duration::from_secs(2));
        assert_eq!(calendar.date(5 * SECOND), TODAY + 2 * SECOND);
        assert_eq!(calendar.date(9 * SECOND), TODAY + 6 * SECOND);
    }

    #[test]
    fn the_cameras_clock_counts_where_it_is_known() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, Some(TODAY + 7 * SECOND), at);
        assert_eq!(calendar.date(0), TODAY + 7 * SECOND);
        assert_eq!(calendar.ahead(), 7 * SECOND);
    }

    #[test]
    fn what_was_learnt_counts_from_the_next_break_on() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, None, at);
        calendar.learn(Some(TODAY + 3 * SECOND), at);
        assert_eq!(
            calendar.date(4 * SECOND),
            TODAY + 4 * SECOND,
            "no step meanwhile"
        );
        calendar.begin(5 * SECOND, None, at + Duration::from_secs(35));
        assert_eq!(calendar.date(5 * SECOND), TODAY + 38 * SECOND);
    }

    #[test]
    fn dates_never_go_back() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, None, at);
        calendar.date(10 * SECOND);
        calendar.begin(12 * SECOND, Some(0), at + Duration::from_secs(12));
        assert_eq!(calendar.date(12 * SECOND), TODAY + 10 * SECOND);
    }
}
