//! For a crowd, sound goes out with the picture: one wake-up and one write per viewer where there would be
//! three.
//!
//! A viewer's cost is its writes, whatever their size, and cameras send 8 to 50 packets of sound a second
//! beside 25 pictures. So where many watch, sound waits for the next picture, for [`PATIENCE`] at most; few
//! viewers get it at once, and are that much closer to live. Pure: the stage owns the clock.

use std::sync::Arc;
use std::time::Duration;

use hub::ring::Slot;
use tokio::time::Instant;

use crate::remux::Muxed;

/// How long sound waits for a picture. Longer than from picture to picture at 25 a second with the jitter of
/// a network, and far shorter than what players keep between arrival and playing.
const PATIENCE: Duration = Duration::from_millis(50);

/// How many viewers are a crowd. What fewer would save is less than 2 % of a core.
const CROWD: usize = 32;

/// The most fragments that wait. Sound comes in packets of 2.5 ms or more, so this is never the first bound
/// to be met by an honest camera.
const MOST: usize = 24;

/// What waits to go out together.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    held: Vec<Slot<Arc<Muxed>>>,
    due: Option<Instant>,
}

impl Gather {
    /// Takes fragments that became ready together, and returns what is to go out to so many `viewers` now, in
    /// the order in which it came.
    pub(crate) fn push(
        &mut self,
        slots: Vec<Slot<Arc<Muxed>>>,
        viewers: usize,
        now: Instant,
    ) -> Vec<Slot<Arc<Muxed>>> {
        let waits = viewers >= CROWD && slots.iter().all(|slot| slot.item.goes_with_a_picture());
        self.held.extend(slots);
        if !waits || self.held.len() >= MOST {
            return self.take();
        }
        if !self.held.is_empty() {
            self.due.get_or_insert(now + PATIENCE);
        }
        Vec::new()
    }

    /// When [`Self::take`] is to be called.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is held.
    pub(crate) fn take(&mut self) -> Vec<Slot<Arc<Muxed>>> {
        self.due = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use media::{Kind, Track};

    use super::*;
    use crate::remux::Remuxer;
    use crate::testing::{PICTURE, SOUND, a_law, baseline, picture, sound, track};

    /// A remuxer and the tracks that it is told of.
    struct Bench {
        remuxer: Remuxer,
        tracks: Arc<[Track]>,
        gather: Gather,
        viewers: usize,
        now: Instant,
    }

    impl Bench {
        fn new(kinds: &[Kind]) -> Self {
            let of = |kind: &Kind| match kind {
                Kind::Video => track(PICTURE, Kind::Video, Some(&baseline())),
                Kind::Audio => track(SOUND, Kind::Audio, Some(&a_law())),
            };
            Self {
                remuxer: Remuxer::default(),
                tracks: kinds.iter().map(of).collect(),
                gather: Gather::default(),
                viewers: CROWD,
                now: Instant::now(),
            }
        }

        /// Track numbers of what goes out.
        fn picture(&mut self, n: i64) -> Vec<u8> {
            let frame = picture(&baseline(), n, n == 0);
            let slots = self.remuxer.push(&frame, &self.tracks);
            self.gather(slots)
        }

        fn sound(&mut self, n: i64) -> Vec<u8> {
            let slots = self.remuxer.push(&sound(&a_law(), n), &self.tracks);
            self.gather(slots)
        }

        fn gather(&mut self, slots: Vec<Slot<Arc<Muxed>>>) -> Vec<u8> {
            let out = self.gather.push(slots, self.viewers, self.now);
            out.iter().map(|slot| slot.item.track.0).collect()
        }
    }

    #[test]
    fn sound_goes_out_with_the_next_picture_and_before_it() {
        let mut bench = Bench::new(&[Kind::Video, Kind::Audio]);
        assert_eq!(bench.picture(0), [0]);
        assert_eq!(bench.sound(0), [0; 0]);
        assert_eq!(bench.sound(1), [0; 0]);
        assert_eq!(bench.picture(1), [1, 1, 0]);
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn sound_waits_for_50_ms_since_the_first_of_it() {
        let mut bench = Bench::new(&[Kind::Video, Kind::Audio]);
        bench.picture(0);
        let began = bench.now;
        bench.sound(0);
        bench.now += Duration::from_millis(20);
        bench.sound(1);
        assert_eq!(bench.gather.due(), Some(began + Duration::from_millis(50)));
        assert_eq!(bench.gather.take().len(), 2);
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn sound_for_few_viewers_waits_for_nothing() {
        let mut bench = Bench::new(&[Kind::Video, Kind::Audio]);
        bench.picture(0);
        assert_eq!(bench.sound(0), [0; 0]);
        bench.viewers = CROWD - 1;
        assert_eq!(bench.sound(1), [1, 1], "what a crowd waited for goes first");
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn sound_without_a_picture_waits_for_nothing() {
        let mut bench = Bench::new(&[Kind::Audio]);
        assert_eq!(bench.sound(0), [1]);
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn a_flood_of_sound_goes_out_without_waiting() {
        let mut bench = Bench::new(&[Kind::Video, Kind::Audio]);
        bench.picture(0);
        let out: Vec<usize> = (0..24).map(|n| bench.sound(n).len()).collect();
        assert_eq!(out[..23], [0; 23]);
        assert_eq!(out[23], 24);
    }

    #[test]
    fn nothing_is_due_where_nothing_is_held() {
        let mut gather = Gather::default();
        assert!(gather.push(Vec::new(), CROWD, Instant::now()).is_empty());
        assert_eq!(gather.due(), None);
    }
}
