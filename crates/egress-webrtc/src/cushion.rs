//! How long a viewer keeps pictures before it shows them: not at all on a good line, and on one that loses packets for long
//! enough that they come again in time. Pure.
//!
//! A viewer that shows what is there halts for a round trip at each loss. The playout-delay extension tells it to keep
//! pictures for a moment first, and what comes again is not late then. The moment grows and shrinks slowly, since pictures are shown
//! slower or faster meanwhile.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So many losses, each of its own moment,
const MANY: usize = 3;
const MOMENT: Duration = Duration::from_millis(100);
/// within so long are no accident.
const SPAN: Duration = Duration::from_secs(5);
/// After so long without them the line is good again.
const PARDON: Duration = Duration::from_secs(20);
/// Who misses a packet asks again after 100 ms, and what is sent again gets lost as well now and then.
const AGAIN: Duration = Duration::from_millis(150);
/// No viewer keeps pictures longer.
const MOST: Duration = Duration::from_millis(800);
/// How much longer, and shorter, pictures are kept with each millisecond that passes, in microseconds.
const GROWTH: u32 = 200;
const DECAY: u32 = 30;

/// How long one viewer keeps pictures.
#[derive(Debug, Default)]
pub(crate) struct Cushion {
    keep: Duration,
    at: Option<Instant>,
    /// The newest losses.
    losses: VecDeque<Instant>,
    lossy_until: Option<Instant>,
}

impl Cushion {
    /// Packets were lost, and are sent again.
    pub(crate) fn lost(&mut self, now: Instant) {
        let newest = self.losses.back();
        if newest.is_some_and(|newest| now.saturating_duration_since(*newest) < MOMENT) {
            return;
        }
        self.losses.push_back(now);
        if self.losses.len() > MANY {
            self.losses.pop_front();
        }
        let since = now.saturating_duration_since(self.losses[0]);
        if self.losses.len() == MANY && since <= SPAN {
            self.lossy_until = Some(now + PARDON);
        }
    }

    /// How long the next picture is kept. What is asked for comes within `answer`, where that is known.
    pub(crate) fn next(&mut self, answer: Option<Duration>, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at.replace(now).unwrap_or(now));
        let passed = passed.min(MOMENT).as_millis() as u32;
        let lossy = self.lossy_until.is_some_and(|until| now < until);
        let wanted = answer.filter(|_| lossy).map_or(Duration::ZERO, |answer| {
            (answer + answer.min(AGAIN)).min(MOST)
        });
        let step = |micros: u32| Duration::from_micros(u64::from(micros * passed));
        self.keep = if self.keep < wanted {
            (self.keep + step(GROWTH)).min(wanted)
        } else {
            self.keep.saturating_sub(step(DECAY)).max(wanted)
        };
        self.keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: Duration = Duration::from_millis(40);

    struct Bench {
        cushion: Cushion,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                cushion: Cushion::default(),
                now: Instant::now(),
            }
        }

        /// So many pictures of a line where an answer takes `millis`, with a loss at each `every`-th. Answers for how many milliseconds
        /// each is kept.
        fn pictures(&mut self, count: u32, every: u32, millis: u64) -> Vec<u128> {
            let mut kept = Vec::new();
            for n in 1..=count {
                self.now += PICTURE;
                if n % every == 0 {
                    self.cushion.lost(self.now);
                }
                let answer = Some(Duration::from_millis(millis));
                kept.push(self.cushion.next(answer, self.now).as_millis());
            }
            kept
        }
    }

    #[test]
    fn losses_that_are_rare_change_nothing() {
        assert_eq!(Bench::new().pictures(1000, 100, 200), [0; 1000]);
    }

    #[test]
    fn where_they_go_on_there_is_time_for_what_comes_again() {
        let kept = Bench::new().pictures(200, 10, 200);
        assert_eq!(kept[19], 0);
        assert_eq!(kept.last(), Some(&350));
        let steps = kept.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!(steps.max(), Some(8), "a fifth of a picture's time");
    }

    #[test]
    fn a_near_viewer_keeps_pictures_for_no_time_that_is_noticed() {
        assert_eq!(Bench::new().pictures(200, 10, 4).last(), Some(&8));
    }

    #[test]
    fn a_far_one_is_not_shown_the_past() {
        assert_eq!(Bench::new().pictures(200, 10, 5_000).last(), Some(&800));
    }

    #[test]
    fn a_line_that_is_good_again_is_shown_at_once_again() {
        let mut bench = Bench::new();
        bench.pictures(200, 10, 200);
        let after = bench.pictures(25 * 40, 2_000, 200);
        assert_eq!(after[25 * 19], 350);
        assert_eq!(after.last(), Some(&0));
        let steps = after.windows(2).map(|pair| pair[0] - pair[1]);
        assert!(steps.max() <= Some(2));
    }

    #[test]
    fn where_no_answer_is_known_nothing_is_kept_and_pauses_count_little() {
        let mut cushion = Cushion::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            now += MOMENT;
            cushion.lost(now);
            assert_eq!(cushion.next(None, now), Duration::ZERO);
        }
        now += Duration::from_secs(4);
        let answer = Some(Duration::from_millis(300));
        assert_eq!(cushion.next(answer, now), Duration::from_millis(20));
    }
}
