//! What the wall clock was at the zero of a Stream's time line, for reports. Pure.
//!
//! Receivers take the times of what they play from the differences between reports: what steps here steps there, and what
//! steps back comes out of order. So it follows what arrivals say at a pace that nobody sees, however wrong the first of them were
//! (a camera that begins with a burst sends it late). It jumps where the time line has left something out, and never back.

use media::time::NANOS;

/// The share of what it is wrong by that each frame mends: networks jitter.
const FOLLOW: i64 = 256;
/// It moves by this part of the time that passes at most: 10 ms between two reports, less than a packet of sound has.
const PACE: i64 = 500;
/// Later than this, in nanoseconds, what comes after a break was left out of the time line: the camera was away. Packets get
/// lost on networks that stand still for a moment, too.
const AWAY: i64 = 3 * NANOS;
/// Later than this, in nanoseconds, no pace would do...
const ASTRAY: i64 = 5 * NANOS;
/// ...if it stays so for this long, in nanoseconds: a network that stood still delivers late, and then in time again.
const PATIENCE: i64 = 10 * NANOS;

/// The wall clock at the zero of a time line.
#[derive(Debug, Default)]
pub(crate) struct Wall {
    /// In nanoseconds since 1970.
    epoch: Option<i64>,
    /// The latest moment seen, in nanoseconds of the time line.
    latest: i64,
    /// Since which moment it is off by more than [`ASTRAY`].
    astray: Option<i64>,
}

impl Wall {
    /// The wall clock at the zero of the time line, in nanoseconds since 1970, now that a frame of `moment`, in nanoseconds of
    /// the time line, arrived at `unix`. With `breaks`, something is missing before it.
    pub(crate) fn follow(&mut self, moment: i64, unix: i64, breaks: bool) -> i64 {
        let seen = unix - moment;
        let epoch = self.epoch.unwrap_or(seen);
        let late = seen - epoch;
        let passed = (moment - self.latest).max(0);
        self.latest = self.latest.max(moment);
        let since = (late >= ASTRAY).then(|| self.astray.unwrap_or(moment));
        let lost = since.is_some_and(|since| moment - since >= PATIENCE);
        let leaps = lost || (breaks && late >= AWAY);
        self.astray = since.filter(|_| !leaps);
        let epoch = if leaps {
            seen
        } else {
            epoch + (late / FOLLOW).clamp(-passed / PACE, passed / PACE)
        };
        self.epoch = Some(epoch);
        epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: i64 = NANOS / 1000;
    const FRAME: i64 = 20 * MILLI;

    /// Where the wall is after frames for `seconds`, each of which arrives `late` after its moment.
    fn go(wall: &mut Wall, from: i64, seconds: i64, late: i64) -> i64 {
        let frames = from / FRAME..(from + seconds * NANOS) / FRAME;
        let last = frames.map(|n| wall.follow(n * FRAME, n * FRAME + late, false));
        last.last().unwrap_or_default()
    }

    #[test]
    fn a_first_frame_that_came_late_is_mended_without_a_step() {
        let mut wall = Wall::default();
        assert_eq!(wall.follow(0, 50 * MILLI, false), 50 * MILLI);
        let mut before = 50 * MILLI;
        for report in 0..12 {
            let now = go(&mut wall, report * 5 * NANOS, 5, 0);
            assert!(
                now <= before && before - now <= 10 * MILLI,
                "{before} {now}"
            );
            before = now;
        }
        assert!(before < MILLI, "{before}");
    }

    #[test]
    fn drift_is_followed() {
        let mut wall = Wall::default();
        // 100 ppm for half an hour.
        let last = (0..90_000).map(|n| wall.follow(n * FRAME, n * (FRAME + FRAME / 10_000), false));
        let last = last.last().unwrap_or_default();
        assert!((last - 180 * MILLI).abs() < 5 * MILLI, "{last}");
    }

    #[test]
    fn a_network_that_stands_still_for_a_while_moves_nothing() {
        let mut wall = Wall::default();
        go(&mut wall, 0, 10, 0);
        for (n, late) in [8000, 6000, 4000, 2000].into_iter().enumerate() {
            let at = 10 * NANOS + n as i64 * FRAME;
            assert!(wall.follow(at, at + late * MILLI, false) < MILLI);
        }
        assert!(go(&mut wall, 11 * NANOS, 20, 0) < MILLI);
    }

    #[test]
    fn a_time_line_that_leaves_out_an_outage_is_followed_at_once() {
        let mut wall = Wall::default();
        go(&mut wall, 0, 10, 0);
        let at = 10 * NANOS;
        assert_eq!(wall.follow(at, at + 40 * NANOS, true), 40 * NANOS);
        assert!(
            wall.follow(at + FRAME, at + FRAME + 40 * NANOS + MILLI, true) <= 40 * NANOS + MILLI
        );
    }

    #[test]
    fn a_camera_that_began_with_a_burst_is_mended_without_a_step_also_where_packets_get_lost() {
        let mut wall = Wall::default();
        let mut before = wall.follow(0, 8 * NANOS, false);
        for n in 1..2000 {
            let now = wall.follow(n * FRAME, n * FRAME, n % 100 == 0);
            assert!(
                (before - FRAME / PACE..=before).contains(&now),
                "{before} {now}"
            );
            before = now;
        }
    }

    #[test]
    fn what_stays_far_off_is_taken_in_the_end() {
        let mut wall = Wall::default();
        go(&mut wall, 0, 10, 0);
        let before = go(&mut wall, 10 * NANOS, 9, 20 * NANOS);
        assert!(before < NANOS, "{before}");
        assert_eq!(go(&mut wall, 19 * NANOS, 2, 20 * NANOS), 20 * NANOS);
    }
}
