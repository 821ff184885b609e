/// The most pictures that may overtake another (H.264 §A.3.1, H.265 §A.4.2: a full picture buffer).
const MAX_DEPTH: usize = 16;

/// Derives decode times from presentation times, which is all that RTP carries, without looking ahead.
///
/// With a reorder depth of `d`, the decode time of a picture is the smallest of the `d + 1` largest
/// presentation times so far: a picture is decoded when the one that is shown `d` places earlier is
/// shown. Decode times increase strictly. They are never later than the presentation time, except for
/// the few pictures by which a depth that was not known is learnt.
#[derive(Debug, Clone)]
pub struct DecodeTimes {
    depth: usize,
    /// The duration that is assumed before the first picture, in ticks.
    frame_duration: i64,
    /// The largest presentation times so far, largest first.
    newest: [i64; MAX_DEPTH + 1],
    last: Option<i64>,
}

impl DecodeTimes {
    /// `depth` is [`crate::Format::reorder`]; `frame_duration` the usual distance of pictures in ticks,
    /// by which the first decode times lie ahead of the first presentation time.
    pub fn new(depth: Option<u8>, frame_duration: i64) -> Self {
        Self {
            depth: usize::from(depth.unwrap_or(0)).min(MAX_DEPTH),
            frame_duration: frame_duration.max(1),
            newest: [0; MAX_DEPTH + 1],
            last: None,
        }
    }

    /// A new format is in force, with this reorder depth. Where it is unknown, what was learnt stays.
    pub fn set_depth(&mut self, depth: Option<u8>) {
        if let Some(depth) = depth {
            self.depth = usize::from(depth).min(MAX_DEPTH);
        }
    }

    /// The depth in force, in pictures.
    pub fn depth(&self) -> u8 {
        self.depth as u8
    }

    /// The decode time of the next picture in decoding order, which is shown at `pts`; both in ticks.
    pub fn push(&mut self, pts: i64) -> i64 {
        if self.last.is_none() {
            self.begin(pts);
        } else {
            let overtaken = self.newest.iter().filter(|time| **time > pts).count();
            if overtaken > MAX_DEPTH {
                // No stream reorders so far: its time line went back.
                self.begin(pts);
            } else {
                self.depth = self.depth.max(overtaken);
                self.insert(overtaken, pts);
            }
        }
        let dts = match self.last {
            Some(last) => self.newest[self.depth].max(last + 1),
            None => self.newest[self.depth],
        };
        self.last = Some(dts);
        dts
    }

    /// Fills the past with pictures that never were.
    fn begin(&mut self, pts: i64) {
        for (place, time) in self.newest.iter_mut().enumerate() {
            *time = pts.saturating_sub(self.frame_duration.saturating_mul(place as i64));
        }
    }

    fn insert(&mut self, place: usize, pts: i64) {
        self.newest[place..].rotate_right(1);
        self.newest[place] = pts;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn derive(times: &mut DecodeTimes, pts: &[i64]) -> Vec<i64> {
        pts.iter().map(|pts| times.push(*pts)).collect()
    }

    #[test]
    fn without_reordering_both_times_are_one() {
        let mut times = DecodeTimes::new(Some(0), 3000);
        let pts = [100, 3100, 6200, 9000, 300_000, 303_000];
        assert_eq!(derive(&mut times, &pts), pts);
    }

    #[test]
    fn one_b_picture_between_references_lags_by_one() {
        let mut times = DecodeTimes::new(Some(1), 10);
        assert_eq!(
            derive(&mut times, &[0, 20, 10, 40, 30, 60, 50]),
            [-10, 0, 10, 20, 30, 40, 50]
        );
    }

    #[test]
    fn a_pyramid_of_three_lags_by_two() {
        let mut times = DecodeTimes::new(Some(2), 10);
        let pts = [0, 40, 20, 10, 30, 80, 60, 50, 70];
        let dts = derive(&mut times, &pts);
        assert_eq!(dts, [-20, -10, 0, 10, 20, 30, 40, 50, 60]);
        assert!(dts.iter().zip(&pts).all(|(dts, pts)| dts <= pts));
    }

    #[test]
    fn an_unknown_depth_is_learnt_and_then_right() {
        let mut times = DecodeTimes::new(None, 3000);
        let gop = [0i64, 4, 2, 1, 3];
        let pts: Vec<i64> = (0..6)
            .flat_map(|g| {
                gop.iter()
                    .skip(usize::from(g > 0))
                    .map(move |p| (p + 4 * g) * 3000)
            })
            .collect();
        let dts = derive(&mut times, &pts);
        assert!(dts.windows(2).all(|pair| pair[0] < pair[1]), "{dts:?}");
        let late: Vec<usize> = (0..pts.len()).filter(|i| dts[*i] > pts[*i]).collect();
        assert!(late.iter().all(|index| *index < 9), "{late:?}");
        assert_eq!(times.depth(), 2);
    }

    #[test]
    fn an_unknown_depth_without_reordering_adds_nothing() {
        let mut times = DecodeTimes::new(None, 3000);
        let pts = [0, 1, 7000, 7100, 90_000];
        assert_eq!(derive(&mut times, &pts), pts);
    }

    #[test]
    fn frame_rates_may_vary_and_streams_may_pause() {
        let mut times = DecodeTimes::new(Some(1), 10);
        let pts = [0, 21, 9, 1000, 500, 1003, 1001];
        let dts = derive(&mut times, &pts);
        assert_eq!(dts, [-10, 0, 9, 21, 500, 1000, 1001]);
    }

    #[test]
    fn a_time_line_that_goes_back_keeps_decode_times_increasing() {
        let mut times = DecodeTimes::new(Some(1), 10);
        derive(&mut times, &[1_000_000, 1_000_020, 1_000_010]);
        let dts = derive(&mut times, &[0, 20, 10]);
        assert_eq!(dts, [1_000_011, 1_000_012, 1_000_013]);
        assert_eq!(times.depth(), 1);
    }

    proptest! {
        #[test]
        fn decode_times_increase_whatever_comes(
            depth in prop::option::of(0u8..40),
            pts in prop::collection::vec(prop_oneof![0i64..100_000, any::<i64>().prop_map(|p| p / 4)], 1..100),
        ) {
            let mut times = DecodeTimes::new(depth, 3000);
            let dts = derive(&mut times, &pts);
            prop_assert!(dts.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(times.depth() <= 16);
        }

        #[test]
        fn a_known_depth_never_decodes_after_showing(
            chunks in prop::collection::vec(Just([0i64, 1, 2]).prop_shuffle(), 1..40),
        ) {
            let mut times = DecodeTimes::new(Some(2), 10);
            times.push(-10);
            for (index, chunk) in chunks.iter().enumerate() {
                for place in chunk {
                    let pts = (index as i64 * 3 + place) * 10;
                    prop_assert!(times.push(pts) <= pts);
                }
            }
        }
    }
}
