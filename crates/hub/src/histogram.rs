//! Durations counted in buckets, for whoever watches the whole from outside. Bounded, and without a lock.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::counters::{add, get};

/// The most bounds that a histogram can have.
const MAX_BOUNDS: usize = 15;

/// One more: what lies above the last bound.
const BUCKETS: usize = MAX_BOUNDS + 1;

/// How often durations lay in which range since the start.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [Duration],
    counts: [AtomicU64; BUCKETS],
    micros: AtomicU64,
}

/// What a [`Histogram`] has counted up to one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Upper bounds, and how many durations lay at or below each and above the one before; last what lay above all,
    /// without a bound.
    pub buckets: Vec<(Option<Duration>, u64)>,
    /// All durations together.
    pub sum: Duration,
}

/// Durations that one task has counted and not yet put into the shared [`Histogram`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: [u64; BUCKETS],
    micros: u64,
}

impl Histogram {
    /// An empty one with these upper bounds, in order.
    ///
    /// # Panics
    /// Where there are more than 15 bounds, which a constant shows at its first use.
    pub fn new(bounds: &'static [Duration]) -> Self {
        assert!(bounds.len() <= MAX_BOUNDS, "bounds are few");
        Self {
            bounds,
            counts: Default::default(),
            micros: AtomicU64::new(0),
        }
    }

    /// Counts one duration.
    pub fn observe(&self, duration: Duration) {
        add(&self.counts[self.bucket(duration)], 1);
        add(&self.micros, micros(duration));
    }

    /// What was counted so far.
    pub fn read(&self) -> Distribution {
        let bounds = self.bounds.iter().copied().map(Some);
        let counts = self.counts.iter().map(get);
        Distribution {
            buckets: bounds.chain([None]).zip(counts).collect(),
            sum: Duration::from_micros(get(&self.micros)),
        }
    }

    pub(crate) fn bucket(&self, duration: Duration) -> usize {
        self.bounds.partition_point(|&bound| bound < duration)
    }

    pub(crate) fn add(&self, tally: &Tally) {
        for (count, &n) in self.counts.iter().zip(&tally.counts) {
            if n > 0 {
                add(count, n);
            }
        }
        add(&self.micros, tally.micros);
    }
}

impl Distribution {
    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum()
    }
}

impl Tally {
    /// Counts a duration that lies in `bucket`.
    pub(crate) fn note(&mut self, bucket: usize, duration: Duration) {
        self.counts[bucket] += 1;
        self.micros += micros(duration);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];

    #[test]
    fn a_duration_is_counted_below_the_first_bound_that_holds_it() {
        let histogram = Histogram::new(&BOUNDS);
        for millis in [1, 10, 11, 100, 101, 5000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let read = histogram.read();
        assert_eq!(
            read.buckets,
            [(Some(BOUNDS[0]), 2), (Some(BOUNDS[1]), 2), (None, 2)]
        );
        assert_eq!(read.sum, Duration::from_millis(5223));
        assert_eq!(read.count(), 6);
    }

    #[test]
    fn what_a_task_has_counted_comes_to_the_same() {
        let (shared, alone) = (Histogram::new(&BOUNDS), Histogram::new(&BOUNDS));
        let mut tally = Tally::default();
        for millis in [3, 30, 300] {
            let duration = Duration::from_millis(millis);
            tally.note(shared.bucket(duration), duration);
            alone.observe(duration);
        }
        shared.add(&tally);
        assert_eq!(shared.read(), alone.read());
    }
}
