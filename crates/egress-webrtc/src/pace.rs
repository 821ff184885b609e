//! How fast one viewer's pictures go out, and whether all of them do. Pure.
//!
//! A keyframe is ten times as large as what comes after it: sent at once, it would overflow the queue in front of a slow
//! line, and lose its own tail. So bytes go out at a pace; a viewer whose line does not hold the stream gets keyframes
//! alone, whole, until it has been quiet for a while.

use std::time::{Duration, Instant};

use crate::twcc::Line;

/// The pace where nothing is known of the line, in bit/s.
const FLOOR: u64 = 8_000_000;
/// No pace is faster: 16 packets a millisecond.
const CEILING: u64 = 150_000_000;
/// What may go out at once after a pause: 10 ms at the pace, but a few packets at least.
const BURST: Duration = Duration::from_millis(10);
const MIN_BURST: i64 = 16_000;
/// How long the pacer lets the next packets wait.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// The pace rises by half for so long without loss.
const RISE: Duration = Duration::from_millis(200);
/// What an estimate must be above, in percent of the stream's bitrate.
const ENOUGH: u64 = 85;
/// How long packets may wait in front of a line: the one that waits least.
const QUEUE: Duration = Duration::from_millis(120);
/// How long an estimate, or losses, must say that the line is too slow.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A part of packets lost, in 1/256, from which on a line is too slow: above what a bad radio link loses.
const MUCH_LOST: u8 = 38;
/// How late pictures may be before those after them are left out.
const LATE: Duration = Duration::from_millis(1200);
/// How long a viewer gets keyframes alone the first time, and at most.
const FIRST_REST: Duration = Duration::from_secs(4);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// After so long without trouble it is forgotten.
const PARDON: Duration = Duration::from_secs(30);

/// The pace of one viewer.
#[derive(Debug)]
pub(crate) struct Pace {
    /// In bit/s.
    rate: u64,
    /// Bytes that may go out now; less than none after a large packet.
    budget: i64,
    at: Instant,
    rises_at: Instant,
    fell: Option<Instant>,
    /// What the viewer says gets through, in bit/s.
    estimate: Option<u64>,
    /// Since when the line seems too slow.
    poor_since: Option<Instant>,
    /// Until when keyframes alone go out.
    rest_until: Option<Instant>,
    rest: Duration,
    full_since: Instant,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            rate: FLOOR,
            budget: MIN_BURST,
            at: now,
            rises_at: now + RISE,
            fell: None,
            estimate: None,
            poor_since: None,
            rest_until: None,
            rest: FIRST_REST,
            full_since: now,
        }
    }

    /// Time has passed; the stream has `bitrate`.
    pub(crate) fn turn(&mut self, now: Instant, bitrate: u64) {
        let passed = now.saturating_duration_since(self.at);
        self.at = now;
        if now >= self.rises_at {
            self.rises_at = now + RISE;
            self.rate += self.rate / 2;
        }
        let least = if self.rest_until.is_some() {
            300_000
        } else {
            FLOOR.max(3 * bitrate / 2)
        };
        let most = self
            .estimate
            .map_or(CEILING, |estimate| (2 * estimate).clamp(least, CEILING));
        self.rate = self.rate.clamp(least.min(most), most);
        let burst = self.bytes_in(BURST).max(MIN_BURST);
        self.budget = (self.budget + self.bytes_in(passed)).min(burst);
    }

    fn bytes_in(&self, span: Duration) -> i64 {
        (self.rate as u128 * span.as_nanos() / 8_000_000_000) as i64
    }

    /// Whether a packet may go out now.
    pub(crate) fn allows(&self) -> bool {
        self.budget > 0
    }

    /// So many bytes went out.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.budget -= bytes as i64;
    }

    /// Packets were lost, and are sent again: the pace rises no more for a while, and falls, once for what was lost together.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.rises_at = now + 5 * RISE;
        if self.fell.is_none_or(|fell| now >= fell + RISE / 2) {
            self.fell = Some(now);
            self.rate -= self.rate / 4;
        }
    }

    /// Whether keyframes alone go out.
    pub(crate) fn resting(&self) -> bool {
        self.rest_until.is_some()
    }

    /// A keyframe is next: the rest may be over.
    pub(crate) fn keyframe(&mut self, now: Instant) {
        if self.rest_until.is_some_and(|until| until <= now) {
            self.rest_until = None;
            self.poor_since = None;
            self.estimate = None;
            self.full_since = now;
        }
    }

    /// The viewer says what gets through.
    pub(crate) fn estimated(&mut self, bits: u64, bitrate: u64, now: Instant) {
        // After a rest an estimate is low and climbs: that is no bad news.
        let rising = self
            .estimate
            .replace(bits)
            .is_some_and(|before| bits > before);
        let poor = bits.saturating_mul(100) < bitrate * ENOUGH;
        if !poor || !rising {
            self.judge(poor, now);
        }
    }

    /// What the viewer's reports of arrivals say.
    pub(crate) fn arrived(&mut self, line: Line, now: Instant) {
        let waits = line.queue >= QUEUE;
        // What gets through is what the line holds only where more is waiting.
        if waits {
            self.estimate = Some(line.rate);
        } else if !self.resting() {
            self.estimate = None;
        }
        tracing::trace!(?line, "a viewer's line");
        self.judge(waits || line.lost >= MUCH_LOST, now);
    }

    /// The viewer says what part was lost, in 1/256.
    pub(crate) fn reported(&mut self, lost: u8, now: Instant) {
        if lost >= MUCH_LOST {
            self.judge(true, now);
        } else if self.estimate.is_none() {
            self.judge(false, now);
        }
    }

    /// A picture that is up next came so long ago, and those before it went out in time.
    pub(crate) fn late_by(&mut self, late: Duration, now: Instant) {
        if late > LATE {
            self.tire("late", now);
        }
    }

    /// The line does not hold the stream, as `why` tells: keyframes alone go out for a while.
    pub(crate) fn tire(&mut self, why: &'static str, now: Instant) {
        if self.resting() {
            return;
        }
        if now.saturating_duration_since(self.full_since) > PARDON {
            self.rest = FIRST_REST;
        }
        self.rest_until = Some(now + self.rest);
        tracing::debug!(why, rest = ?self.rest, "a viewer's line is too slow; it gets keyframes alone");
        self.rest = (2 * self.rest).min(LONGEST_REST);
        self.poor_since = None;
    }

    fn judge(&mut self, poor: bool, now: Instant) {
        if !poor {
            self.poor_since = None;
        } else if !self.resting() {
            let since = *self.poor_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= PATIENCE {
                self.tire("rate", now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MBIT: u64 = 1_000_000;

    struct Bench {
        pace: Pace,
        now: Instant,
        bitrate: u64,
    }

    impl Bench {
        fn new(bitrate: u64) -> Self {
            let now = Instant::now();
            let pace = Pace::new(now);
            Self { pace, now, bitrate }
        }

        fn pass(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
            self.pace.turn(self.now, self.bitrate);
        }

        /// How many bytes go out within `millis` where there is always more to send.
        fn flood(&mut self, millis: u64) -> usize {
            let mut bytes = 0;
            for _ in 0..millis / 5 {
                self.pass(5);
                while self.pace.allows() {
                    self.pace.spend(1200);
                    bytes += 1200;
                }
            }
            bytes
        }

        fn estimated(&mut self, bits: u64) {
            self.pace.estimated(bits, self.bitrate, self.now);
        }
    }

    #[test]
    fn a_large_keyframe_goes_out_below_10_mbit_until_the_line_is_known() {
        let mut bench = Bench::new(MBIT);
        let first = bench.flood(195);
        assert!(first < 245_000, "{first} bytes in 195 ms");
    }

    #[test]
    fn the_pace_rises_without_loss_and_falls_with_it() {
        let mut bench = Bench::new(MBIT);
        bench.flood(2_000);
        let fast = bench.flood(100);
        bench.pace.lost(bench.now);
        let reported_twice = bench.pace.rate;
        bench.pace.lost(bench.now);
        assert_eq!(bench.pace.rate, reported_twice);
        bench.pass(100);
        bench.pace.lost(bench.now);
        let slower = bench.flood(100);
        assert!(fast > 500_000 && slower < fast * 3 / 4, "{fast}, {slower}");
    }

    #[test]
    fn a_line_that_does_not_hold_the_stream_gets_keyframes_alone_and_another_chance() {
        let mut bench = Bench::new(4 * MBIT);
        bench.estimated(3 * MBIT);
        bench.pass(1_000);
        bench.estimated(3 * MBIT);
        assert!(!bench.pace.resting(), "it may be a hiccup");
        bench.pass(600);
        bench.estimated(3 * MBIT);
        assert!(bench.pace.resting());
        bench.pass(2_000);
        bench.pace.keyframe(bench.now);
        assert!(bench.pace.resting());
        bench.pass(2_000);
        bench.pace.keyframe(bench.now);
        assert!(!bench.pace.resting(), "4 s are over");
        bench.pace.tire("test", bench.now);
        bench.pass(4_500);
        bench.pace.keyframe(bench.now);
        assert!(
            bench.pace.resting(),
            "it rests twice as long the second time"
        );
    }

    #[test]
    fn an_estimate_that_climbs_is_waited_for() {
        let mut bench = Bench::new(4 * MBIT);
        for mbit in [1, 2, 3] {
            bench.pass(1_000);
            bench.estimated(mbit * MBIT);
        }
        bench.pass(1_000);
        bench.estimated(5 * MBIT);
        assert!(!bench.pace.resting());
    }

    #[test]
    fn five_percent_of_loss_is_no_reason_to_rest_and_a_fifth_is() {
        let mut bench = Bench::new(2 * MBIT);
        for _ in 0..20 {
            bench.pass(1_000);
            bench.pace.reported(13, bench.now);
        }
        assert!(!bench.pace.resting());
        for _ in 0..3 {
            bench.pass(1_000);
            bench.pace.reported(51, bench.now);
        }
        assert!(bench.pace.resting());
    }

    #[test]
    fn packets_that_wait_longer_and_longer_are_a_line_too_slow_and_jitter_is_none() {
        let mut bench = Bench::new(4 * MBIT);
        let line = |millis, lost| Line {
            queue: Duration::from_millis(millis),
            lost,
            rate: 3 * MBIT,
        };
        for millis in [200, 20, 200, 50, 200, 0, 200] {
            bench.pass(500);
            bench.pace.arrived(line(millis, 13), bench.now);
        }
        assert!(!bench.pace.resting());
        for _ in 0..4 {
            bench.pass(500);
            bench.pace.arrived(line(200, 0), bench.now);
        }
        assert!(bench.pace.resting());
        bench.pass(4_500);
        bench.pace.arrived(line(0, 0), bench.now);
        bench.pace.keyframe(bench.now);
        assert!(!bench.pace.resting());
    }

    #[test]
    fn pictures_that_are_late_make_it_rest() {
        let mut bench = Bench::new(2 * MBIT);
        bench.pace.late_by(Duration::from_millis(900), bench.now);
        assert!(!bench.pace.resting());
        bench.pace.late_by(Duration::from_millis(1_300), bench.now);
        assert!(bench.pace.resting());
    }
}
