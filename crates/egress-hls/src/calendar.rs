//! What the wall clock said when a segment was taken: EXT-X-PROGRAM-DATE-TIME. Pure.
//!
//! Dates are the camera's where it has a clock. It is known some seconds after a session began; until then dates are
//! ours, corrected by what was learnt before. Players (Shaka) place segments by these dates, so they go on exactly as
//! fast as the playlist, and only a discontinuity moves them: one is asked for ([`Calendar::astray`]) where they are too
//! far from the camera's.

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

/// How far dates may be from the camera's clock before a discontinuity is worth it, in nanoseconds.
const ASTRAY: i64 = 500_000_000;

/// A camera that takes now for a moment before 2020, in nanoseconds since the Unix epoch, has no clock.
const NO_CLOCK: i64 = 1_577_836_800 * 1_000_000_000;

/// Gives dates to moments of the time line. All in nanoseconds.
#[derive(Debug)]
pub(crate) struct Calendar {
    epoch: Epoch,
    /// What is added to the time line to get the date.
    offset: i64,
    /// The offset was not taken from the camera's clock.
    guessed: bool,
    /// The camera's clock minus ours, as learnt last.
    ahead: i64,
    /// How far dates are behind the camera's clock, as learnt last.
    behind: i64,
    /// The last date that was given.
    last: Option<i64>,
}

impl Calendar {
    /// A calendar that knows from before that the camera's clock is `ahead` of ours.
    pub(crate) fn new(epoch: Epoch, ahead: i64) -> Self {
        Self {
            epoch,
            offset: 0,
            guessed: true,
            ahead,
            behind: 0,
            last: None,
        }
    }

    /// The camera's clock minus ours, as learnt last.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead
    }

    /// Learns from a picture at `at` what its camera's clock was, if it is known.
    pub(crate) fn learn(&mut self, at: i64, wallclock: Option<i64>, arrival: Instant) {
        if let Some(wallclock) = clock(wallclock) {
            self.ahead = wallclock.saturating_sub(self.epoch.unix(arrival));
            self.behind = wallclock.saturating_sub(at.saturating_add(self.offset));
        }
    }

    /// Whether dates are so far from the camera's clock that they should begin anew at the next keyframe. Dates that
    /// were the camera's go only forwards.
    pub(crate) fn astray(&self) -> bool {
        self.behind > ASTRAY || (self.guessed && self.behind < -ASTRAY)
    }

    /// Begins anew with a keyframe at `at`, behind a discontinuity.
    pub(crate) fn begin(&mut self, at: i64, wallclock: Option<i64>, arrival: Instant) {
        let known = clock(wallclock);
        let guess = self.epoch.unix(arrival).saturating_add(self.ahead);
        let date = known.unwrap_or(guess);
        // What was guessed may have been too late; where the camera's clock is known, going back is better than that.
        let floor = self.last.filter(|_| !self.guessed || known.is_none());
        let date = floor.map_or(date, |last| last.max(date));
        self.offset = date.saturating_sub(at);
        self.guessed = known.is_none();
        self.learn(at, wallclock, arrival);
    }

    /// The date of `at`. Moments are asked for in order.
    pub(crate) fn date(&mut self, at: i64) -> i64 {
        let date = at.saturating_add(self.offset);
        self.last = Some(date);
        date
    }
}

/// What the camera's clock said, if that can be.
fn clock(wallclock: Option<i64>) -> Option<i64> {
    wallclock.filter(|&wallclock| wallclock >= NO_CLOCK)
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
    fn a_clock_that_becomes_known_asks_for_a_break_and_counts_from_there_on() {
        for camera in [3 * SECOND, -3 * SECOND] {
            let (mut calendar, at) = calendar(0);
            calendar.begin(0, None, at);
            let later = at + Duration::from_secs(2);
            calendar.learn(2 * SECOND, Some(TODAY + 2 * SECOND + camera), later);
            assert!(calendar.astray());
            let date = calendar.date(4 * SECOND);
            assert_eq!(date, TODAY + 4 * SECOND, "no step meanwhile");
            let later = at + Duration::from_secs(5);
            calendar.begin(5 * SECOND, Some(TODAY + 5 * SECOND + camera), later);
            assert!(!calendar.astray());
            assert_eq!(calendar.date(5 * SECOND), TODAY + 5 * SECOND + camera);
        }
    }

    #[test]
    fn a_clock_that_agrees_with_ours_asks_for_nothing() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, None, at);
        calendar.learn(SECOND, Some(TODAY + SECOND - 300_000_000), at);
        assert!(!calendar.astray());
    }

    #[test]
    fn a_drift_of_the_cameras_clock_is_followed_forwards_only() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, Some(TODAY), at);
        calendar.date(0);
        calendar.learn(9 * SECOND, Some(TODAY + 8 * SECOND), at);
        assert!(!calendar.astray(), "these were the camera's own dates");
        calendar.learn(9 * SECOND, Some(TODAY + 10 * SECOND), at);
        assert!(calendar.astray());
    }

    #[test]
    fn what_was_learnt_counts_after_the_next_break() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, None, at);
        calendar.learn(0, Some(TODAY + 3 * SECOND), at);
        calendar.begin(5 * SECOND, None, at + Duration::from_secs(35));
        assert_eq!(calendar.date(5 * SECOND), TODAY + 38 * SECOND);
    }

    #[test]
    fn dates_of_a_camera_never_go_back() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, Some(TODAY), at);
        calendar.date(10 * SECOND);
        let before = Some(TODAY - 60 * SECOND);
        calendar.begin(12 * SECOND, before, at + Duration::from_secs(12));
        assert_eq!(calendar.date(12 * SECOND), TODAY + 10 * SECOND);
    }

    #[test]
    fn a_camera_that_believes_to_be_in_the_past_century_has_no_clock() {
        let (mut calendar, at) = calendar(0);
        calendar.begin(0, Some(SECOND), at);
        assert_eq!(calendar.date(0), TODAY);
        calendar.learn(SECOND, Some(2 * SECOND), at);
        assert!(!calendar.astray());
    }
}
