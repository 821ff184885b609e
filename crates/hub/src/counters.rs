use std::sync::atomic::{AtomicU64, Ordering};

use crate::Reason;

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
    /// In the order of [`Reason::ALL`].
    pub(crate) failures: [AtomicU64; Reason::ALL.len()],
    /// From the newest keyframe but one to the newest, in microseconds; 0 where there were none yet.
    pub(crate) keyframe_interval: AtomicU64,
}

/// Adds `n` to a counter that nothing else hangs on.
pub(crate) fn add(counter: &AtomicU64, n: u64) {
    counter.fetch_add(n, Ordering::Relaxed);
}

/// Reads such a counter.
pub(crate) fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
