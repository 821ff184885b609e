//! What goes out to Viewers, counted by protocol: in plain numbers where it is done for each Viewer, in shared ones
//! once a round.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::channel::locked;
use crate::counters::{add, get};
use crate::histogram::{Histogram, Tally};
use crate::ring::Skips;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// From a wired network and a camera that runs, to a camera that has to be dialled and has its keyframes far apart.
const FIRST_FRAME: [Duration; 13] = [
    ms(50),
    ms(100),
    ms(200),
    ms(300),
    ms(500),
    ms(750),
    ms(1000),
    ms(1500),
    ms(2000),
    ms(3000),
    ms(5000),
    ms(10_000),
    ms(30_000),
];

/// From the cost of our own work to what a viewer is allowed to fall behind.
const AGE: [Duration; 12] = [
    ms(1),
    ms(2),
    ms(5),
    ms(10),
    ms(20),
    ms(50),
    ms(100),
    ms(200),
    ms(500),
    ms(1000),
    ms(2000),
    ms(5000),
];

/// What cameras are set to.
const KEYFRAMES: [Duration; 12] = [
    ms(250),
    ms(500),
    ms(1000),
    ms(2000),
    ms(3000),
    ms(4000),
    ms(5000),
    ms(8000),
    ms(10_000),
    ms(15_000),
    ms(30_000),
    ms(60_000),
];

/// What is measured over all Channels of a Registry.
#[derive(Debug)]
pub struct Timings {
    /// From one keyframe of a picture to the next.
    pub keyframes: Histogram,
    protocols: Mutex<BTreeMap<&'static str, Arc<Delays>>>,
}

/// How long Viewers of one protocol wait, over all Channels.
#[derive(Debug)]
pub struct Delays {
    /// From joining to the first media that was handed to the socket.
    pub first_frame: Histogram,
    /// How old a frame is when it is handed to the socket, counted from its last byte's arrival. Frames that were
    /// there before the Viewer joined are not counted: their age is the keyframe interval's.
    pub age: Histogram,
}

/// What went out from one Channel over one protocol.
#[derive(Debug, Default)]
pub struct Delivery {
    delays: Arc<Delays>,
    joins: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    skips: Arc<Skips>,
}

/// A [`Delivery`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// How often somebody joined.
    pub joins: u64,
    /// Frames, or what was made of one, handed to sockets.
    pub frames: u64,
    /// Bytes handed to sockets.
    pub bytes: u64,
    /// How often a Viewer was further behind live than allowed, and skipped to a keyframe.
    pub skips_behind: u64,
    /// How often the bound of bytes had made the ring drop what a Viewer was to get.
    pub skips_bytes: u64,
    /// Over how many items they skipped.
    pub skipped: u64,
}

/// What one task hands out in one round. It is put into the shared numbers when it is dropped.
#[derive(Debug)]
pub struct Round<'a> {
    delivery: &'a Delivery,
    now: Instant,
    frames: u64,
    bytes: u64,
    ages: Tally,
    /// The arrival that was noted last, its age and its bucket: in a round most Viewers get the same frame.
    last: Option<(Instant, Duration, usize)>,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            keyframes: Histogram::new(&KEYFRAMES),
            protocols: Mutex::default(),
        }
    }
}

impl Timings {
    /// The delays of each protocol that was ever used.
    pub fn delays(&self) -> BTreeMap<&'static str, Arc<Delays>> {
        locked(&self.protocols).clone()
    }

    pub(crate) fn of(&self, protocol: &'static str) -> Arc<Delays> {
        Arc::clone(locked(&self.protocols).entry(protocol).or_default())
    }
}

impl Default for Delays {
    fn default() -> Self {
        Self {
            first_frame: Histogram::new(&FIRST_FRAME),
            age: Histogram::new(&AGE),
        }
    }
}

impl Delivery {
    pub(crate) fn new(delays: Arc<Delays>) -> Self {
        Self {
            delays,
            ..Self::default()
        }
    }

    /// Counts somebody who joined.
    pub(crate) fn join(&self) {
        add(&self.joins, 1);
    }

    /// Counts a Viewer's first media, `after` joining.
    pub fn first_frame(&self, after: Duration) {
        self.delays.first_frame.observe(after);
    }

    /// Counts bytes handed to a socket beside a [`Round`].
    pub fn bytes(&self, bytes: u64) {
        add(&self.bytes, bytes);
    }

    /// What Viewers of a derived ring skip: for [`crate::ring::Ring::counting`].
    pub fn skips(&self) -> Arc<Skips> {
        Arc::clone(&self.skips)
    }

    /// Begins a round.
    pub fn round(&self) -> Round<'_> {
        Round {
            delivery: self,
            now: Instant::now(),
            frames: 0,
            bytes: 0,
            ages: Tally::default(),
            last: None,
        }
    }

    /// What was counted so far.
    pub fn read(&self) -> Delivered {
        Delivered {
            joins: get(&self.joins),
            frames: get(&self.frames),
            bytes: get(&self.bytes),
            skips_behind: self.skips.behind(),
            skips_bytes: self.skips.bytes(),
            skipped: self.skips.items(),
        }
    }
}

impl Round<'_> {
    /// Looks at the clock again; worth it every millisecond or so.
    pub fn look(&mut self) {
        self.now = Instant::now();
        self.last = None;
    }

    /// Notes `bytes` handed to a socket.
    pub fn bytes(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Notes a frame that has gone out whole, and its age where it arrived after `joined`.
    pub fn frame(&mut self, arrival: Instant, joined: Instant) {
        self.frames += 1;
        if arrival < joined {
            return;
        }
        let (age, bucket) = match self.last {
            Some((known, age, bucket)) if known == arrival => (age, bucket),
            _ => {
                let age = self.now.saturating_duration_since(arrival);
                let bucket = self.delivery.delays.age.bucket(age);
                self.last = Some((arrival, age, bucket));
                (age, bucket)
            }
        };
        self.ages.note(bucket, age);
    }

    /// Notes the first media of a Viewer who joined at `joined`.
    pub fn first_frame(&self, joined: Instant) {
        self.delivery.first_frame(joined.elapsed());
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        if self.bytes > 0 {
            add(&self.delivery.bytes, self.bytes);
        }
        if self.frames > 0 {
            add(&self.delivery.frames, self.frames);
            self.delivery.delays.age.add(&self.ages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_round_counts_when_it_is_over_and_old_frames_have_no_age() {
        let timings = Timings::default();
        let delivery = Delivery::new(timings.of("mse"));
        let mut round = delivery.round();
        let before = round.now.checked_sub(ms(101)).unwrap();
        let joined = before + ms(1);
        let arrivals = [before, joined + ms(70), joined + ms(70), joined];
        for arrival in arrivals {
            round.frame(arrival, joined);
            round.bytes(10);
        }
        assert_eq!(delivery.read().frames, 0);
        drop(round);
        let read = delivery.read();
        assert_eq!((read.frames, read.bytes), (4, 40));
        let ages = timings.delays()["mse"].age.read();
        let counted: Vec<_> = ages.buckets.iter().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counted, [&(Some(ms(50)), 2), &(Some(ms(100)), 1)]);
        assert_eq!(ages.sum, ms(160));
    }
}
