//! What a viewer's receiver reports say of its line (RFC 3550 §6.4.1): how long packets wait, and what part gets lost. Pure.
//!
//! Browsers put a report before all that they say, some times a second where packets get lost. So losses are counted over a second at
//! least, and round trips by our own report that they answer. A round trip is that of the empty line, and what waits; it is noisy: a
//! keyframe waits in front of a line that holds the stream, too, and jitter counts twice. The shortest of the last few is
//! compared with the shortest of some time.

use std::time::{Duration, Instant};

/// So many trips are looked at together: one of them may have met a keyframe.
const LATEST: usize = 3;
/// How long the shortest trip is taken for that of the empty line: for as long to twice as long.
const BASE_SPAN: Duration = Duration::from_secs(15);
/// What takes longer is no round trip: clocks differ, or somebody makes it up.
const LONGEST: Duration = Duration::from_secs(10);
/// Over how long losses are counted.
const LOSS_SPAN: Duration = Duration::from_secs(1);

/// What one report says of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Report {
    /// How many packets were lost since the beginning; less than none where they come twice.
    pub(crate) lost: i32,
    /// The highest sequence number that came, extended.
    pub(crate) highest: u32,
    /// The source's own report that was heard last, by the middle bits of its time; 0 for none.
    pub(crate) heard: u32,
    /// How long ago that was, in 1/65536 s.
    pub(crate) delay: u32,
}

/// The reports of one viewer on one source.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    /// The report of ours that was answered last.
    heard: u32,
    latest: [Option<Duration>; LATEST],
    /// The shortest of this time and of the time before, and since when this time is.
    base: Option<(Duration, Duration, Instant)>,
    /// What a trip takes, and how much that varies, both smoothed.
    smoothed: Option<(Duration, Duration)>,
    /// From what on losses are counted, and since when.
    counted: Option<(Report, Instant)>,
}

impl Reports {
    /// One more report came, when the middle bits of our time were `clock`. Answers what part was lost, in 1/256, whenever enough is known.
    pub(crate) fn add(&mut self, report: Report, clock: u32, now: Instant) -> Option<u8> {
        if let Some(trip) = trip(report, clock) {
            self.trip(report.heard, trip, now);
        }
        let (before, since) = *self.counted.get_or_insert((report, now));
        if now.saturating_duration_since(since) < LOSS_SPAN {
            return None;
        }
        self.counted = Some((report, now));
        let expected = i64::from(report.highest.wrapping_sub(before.highest).max(1));
        let lost = i64::from(report.lost) - i64::from(before.lost);
        Some((256 * lost / expected).clamp(0, 255) as u8)
    }

    fn trip(&mut self, heard: u32, trip: Duration, now: Instant) {
        if heard == self.heard {
            self.latest[0] = self.latest[0].min(Some(trip));
        } else {
            self.heard = heard;
            self.latest.rotate_right(1);
            self.latest[0] = Some(trip);
        }
        let (mut this, mut before, mut since) = self.base.unwrap_or((trip, trip, now));
        if now.saturating_duration_since(since) >= BASE_SPAN {
            (before, this, since) = (this, trip, now);
        }
        self.base = Some((this.min(trip), before, since));
        self.smoothed = Some(match self.smoothed {
            None => (trip, trip / 2),
            Some((mean, spread)) => (
                (7 * mean + trip) / 8,
                (3 * spread + mean.abs_diff(trip)) / 4,
            ),
        });
    }

    /// Within what time hardly an answer is not there: the time-out of RFC 6298 §2. None while no trip is known.
    pub(crate) fn answer(&self) -> Option<Duration> {
        self.smoothed.map(|(mean, spread)| mean + 4 * spread)
    }

    /// The shortest trip of late; none where none is known.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.base.map(|(this, before, _)| this.min(before))
    }

    /// How long packets wait; none while too little is known.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let least = self.latest.into_iter().min().flatten()?;
        Some(least.saturating_sub(self.shortest()?))
    }
}

/// How long ago the report was sent that this one answers, less the time that it was answered in.
fn trip(report: Report, clock: u32) -> Option<Duration> {
    let passed = clock.wrapping_sub(report.heard).wrapping_sub(report.delay);
    let trip = Duration::from_secs(1) * passed / 65_536;
    (report.heard != 0 && trip < LONGEST).then_some(trip)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        reports: Reports,
        now: Instant,
        clock: u32,
    }

    impl Bench {
        /// After trips of so many milliseconds, a second apart.
        fn after(millis: &[u64]) -> Self {
            let mut bench = Self {
                reports: Reports::default(),
                now: Instant::now(),
                clock: 7 << 16,
            };
            for millis in millis {
                bench.pass(1_000);
                bench.trip(bench.clock, *millis);
            }
            bench
        }

        fn pass(&mut self, millis: u64) {
            self.now += Duration::from_millis(millis);
            self.clock += (millis * 65_536 / 1000) as u32;
        }

        /// A report of ours, sent at `heard`, is answered `millis` and half a second later; the half second is the viewer's.
        fn trip(&mut self, heard: u32, millis: u64) {
            let report = Report {
                lost: 0,
                highest: 0,
                heard,
                delay: 32_768,
            };
            let clock = heard + 32_768 + (millis * 65_536 / 1000) as u32;
            self.reports.add(report, clock, self.now);
        }

        fn wait(&self) -> Option<u128> {
            self.reports
                .wait()
                .map(|wait| wait.as_millis().next_multiple_of(10))
        }
    }

    fn wait(millis: &[u64]) -> Option<u128> {
        Bench::after(millis).wait()
    }

    #[test]
    fn what_waits_is_seen_when_three_trips_in_a_row_tell_of_it() {
        assert_eq!(wait(&[20, 20]), None, "too little is known");
        assert_eq!(wait(&[20, 20, 20]), Some(0));
        assert_eq!(
            wait(&[20, 20, 300, 300]),
            Some(0),
            "a keyframe was before them"
        );
        assert_eq!(wait(&[20, 20, 300, 250, 400]), Some(230));
    }

    #[test]
    fn reports_that_answer_the_same_one_of_ours_are_one_trip() {
        let mut bench = Bench::after(&[20, 20, 20]);
        for millis in [300, 290, 310, 300] {
            bench.trip(bench.clock + 1, millis);
        }
        assert_eq!(bench.wait(), Some(0));
    }

    #[test]
    fn a_line_that_became_longer_is_the_empty_one_after_a_while() {
        let mut trips = vec![20; 5];
        trips.extend([300; 10]);
        assert_eq!(wait(&trips), Some(280));
        trips.extend([300; 30]);
        assert_eq!(wait(&trips), Some(0));
    }

    #[test]
    fn what_no_trip_can_be_is_none() {
        let mut bench = Bench::after(&[]);
        for (heard, clock) in [(0, 65_536), (100, 0), (100, 20 << 16)] {
            let report = Report {
                lost: i32::MIN,
                highest: 0,
                heard,
                delay: 0,
            };
            bench.reports.add(report, clock, bench.now);
        }
        assert_eq!(bench.reports.shortest(), None);
    }

    #[test]
    fn losses_are_counted_over_a_second_however_many_reports_there_are() {
        let mut bench = Bench::after(&[]);
        let mut said = Vec::new();
        for n in 0..21 {
            // One of three is lost each fifth time.
            let report = Report {
                lost: n / 5,
                highest: 3 * n as u32,
                heard: 0,
                delay: 0,
            };
            said.extend(bench.reports.add(report, 0, bench.now));
            bench.pass(100);
        }
        assert_eq!(said, [17, 17], "a fifteenth");
        let back = Report {
            lost: -9,
            highest: 0,
            heard: 0,
            delay: 0,
        };
        bench.pass(1_000);
        assert_eq!(bench.reports.add(back, 0, bench.now), Some(0));
    }
}
