//! For a crowd, sound goes out with the picture: one wake-up and one write per viewer where there would be three, as in
//! the MSE egress (decision 5). Pure: the stage owns the clock.

use std::sync::Arc;
use std::time::Duration;

use hub::ring::Slot;
use media::Kind;
use tokio::time::Instant;

use crate::unit::Unit;

/// How long sound waits for a picture: longer than from picture to picture at 25 a second with the jitter of a network.
const PATIENCE: Duration = Duration::from_millis(50);
/// How many viewers are a crowd.
const CROWD: usize = 32;
/// The most units that wait.
const MOST: usize = 24;

/// What waits to go out together.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    held: Vec<Slot<Arc<Unit>>>,
    due: Option<Instant>,
}

impl Gather {
    /// Takes a unit, and returns what is to go out to so many `viewers` now, in the order in which it came.
    pub(crate) fn push(
        &mut self,
        slot: Slot<Arc<Unit>>,
        viewers: usize,
        now: Instant,
    ) -> Vec<Slot<Arc<Unit>>> {
        // Sound that one may start at has no picture to wait for.
        let waits = viewers >= CROWD && !slot.start && slot.item.format.kind() == Kind::Audio;
        self.held.push(slot);
        if !waits || self.held.len() >= MOST {
            return self.take();
        }
        self.due.get_or_insert(now + PATIENCE);
        Vec::new()
    }

    /// When [`Self::take`] is to be called.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is held.
    pub(crate) fn take(&mut self) -> Vec<Slot<Arc<Unit>>> {
        self.due = None;
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use media::Frame;

    use super::*;
    use crate::testing::{a_law, h264, picture, sound};
    use crate::unit::{Packer, Sources};

    struct Bench {
        packer: Packer,
        gather: Gather,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                packer: Packer::new(Sources::random()),
                gather: Gather::default(),
                now: Instant::now(),
            }
        }

        /// The tracks of what goes out.
        fn push(&mut self, frame: &Frame, start: bool, viewers: usize) -> Vec<u8> {
            let slot = self.packer.push(frame, start, 0).expect("it is sent");
            let out = self.gather.push(slot, viewers, self.now);
            out.iter().map(|slot| slot.item.track.0).collect()
        }
    }

    #[test]
    fn for_a_crowd_sound_goes_out_with_the_next_picture_or_after_50_ms() {
        let mut bench = Bench::new();
        assert_eq!(bench.push(&sound(&a_law(), 0), false, CROWD), [0; 0]);
        assert_eq!(bench.push(&sound(&a_law(), 1), false, CROWD), [0; 0]);
        assert_eq!(bench.gather.due(), Some(bench.now + PATIENCE));
        assert_eq!(
            bench.push(&picture(&h264(), 0, true, 9), true, CROWD),
            [1, 1, 0]
        );
        assert_eq!(bench.gather.due(), None);
    }

    #[test]
    fn sound_for_few_and_sound_without_a_picture_waits_for_nothing() {
        let mut bench = Bench::new();
        assert_eq!(bench.push(&sound(&a_law(), 0), false, CROWD - 1), [1]);
        assert_eq!(bench.push(&sound(&a_law(), 1), true, CROWD), [1]);
    }

    #[test]
    fn a_flood_of_sound_goes_out_without_waiting() {
        let mut bench = Bench::new();
        let out: Vec<usize> = (0..24)
            .map(|n| bench.push(&sound(&a_law(), n), false, CROWD).len())
            .collect();
        assert_eq!((out[..23].iter().sum::<usize>(), out[23]), (0, 24));
    }
}
