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

use crate::stage::Item;

/// How long sound waits for a picture. Longer than from picture to picture at 25 a second with the jitter of
/// a network, and far shorter than what players keep between arrival and playing.
const PATIENCE: Duration = Duration::from_millis(50);

/// How many viewers are a crowd. What fewer would save is less than 2 % of a core.
const CROWD: usize = 32;

/// The most items that wait. Sound comes in packets of 2.5 ms or more, so this is never the first bound
/// to be met by an honest camera.
const MOST: usize = 24;

/// What waits to go out together.
#[derive(Debug)]
pub(crate) struct Gather<T> {
    held: Vec<Slot<Arc<T>>>,
    due: Option<Instant>,
}

impl<T: Item> Gather<T> {
    pub(crate) fn new() -> Self {
        Self {
            held: Vec::new(),
            due: None,
        }
    }

    /// Takes items that became ready together, and returns what is to go out to so many `viewers` now, in
    /// the order in which it came.
    pub(crate) fn push(
        &mut self,
        slots: impl IntoIterator<Item = Slot<Arc<T>>>,
        viewers: usize,
        now: Instant,
    ) -> Vec<Slot<Arc<T>>> {
        let before = self.held.len();
        self.held.extend(slots);
        let mut fresh = self.held[before..].iter();
        let waits = viewers >= CROWD && fresh.all(|slot| slot.item.goes_with_a_picture());
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
    pub(crate) fn take(&mut self) -> Vec<Slot<Arc<T>>> {
        self.due = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Thing {
        Picture,
        Sound,
        /// Of a stream without a picture.
        SoundAlone,
    }
    use Thing::{Picture, Sound, SoundAlone};

    impl Item for Thing {
        fn goes_with_a_picture(&self) -> bool {
            *self == Sound
        }
    }

    struct Bench {
        gather: Gather<Thing>,
        viewers: usize,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                gather: Gather::new(),
                viewers: CROWD,
                now: Instant::now(),
            }
        }

        fn push<const N: usize>(&mut self, things: [Thing; N]) -> Vec<Thing> {
            let slots = things.map(|thing| Slot {
                start: thing == Picture,
                item: Arc::new(thing),
                at: 0,
                bytes: 1,
            });
            let out = self.gather.push(slots, self.viewers, self.now);
            out.iter().map(|slot| *slot.item).collect()
        }
    }

    #[test]
    fn sound_goes_out_with_the_next_picture_and_before_it() {
        let mut bench = Bench::new();
        assert_eq!(bench.push([Picture]), [Picture]);
        assert_eq!(bench.push([Sound]), []);
        assert_eq!(bench.push([Sound]), []);
        assert_eq!(bench.push([Picture]), [Sound, Sound, Picture]);
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn sound_waits_for_50_ms_since_the_first_of_it() {
        let mut bench = Bench::new();
        let began = bench.now;
        bench.push([Sound]);
        bench.now += Duration::from_millis(20);
        bench.push([Sound]);
        assert_eq!(bench.gather.due(), Some(began + PATIENCE));
        assert_eq!(bench.gather.take().len(), 2);
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn sound_for_few_viewers_waits_for_nothing() {
        let mut bench = Bench::new();
        assert_eq!(bench.push([Sound]), []);
        bench.viewers = CROWD - 1;
        let both = [Sound, Sound];
        assert_eq!(
            bench.push([Sound]),
            both,
            "what a crowd waited for goes first"
        );
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn sound_without_a_picture_waits_for_nothing() {
        let mut bench = Bench::new();
        assert_eq!(bench.push([SoundAlone]), [SoundAlone]);
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn a_flood_of_sound_goes_out_without_waiting() {
        let mut bench = Bench::new();
        let out: Vec<usize> = (0..24).map(|_| bench.push([Sound]).len()).collect();
        assert_eq!((out[..23].iter().sum::<usize>(), out[23]), (0, 24));
    }

    #[test]
    fn nothing_is_due_where_nothing_is_held() {
        let mut bench = Bench::new();
        assert_eq!(bench.push([]), []);
        assert_eq!(bench.gather.due(), None);
    }
}
