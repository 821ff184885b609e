use std::sync::atomic::{AtomicU64, Ordering};

/// What a Channel counts over its life.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) frames: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) keyframes: AtomicU64,
    pub(crate) lost_packets: AtomicU64,
    pub(crate) dropped_frames: AtomicU64,
    pub(crate) repaired_times: AtomicU64,
    pub(crate) late_frames: AtomicU64,
    pub(crate) starts: AtomicU64,
    pub(crate) failures: AtomicU64,
}

/// Adds `n` to a counter that nothing else hangs on.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// Reads such a counter.
pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
