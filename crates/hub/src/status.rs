use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use media::Track;
use tokio::time::Instant;

use crate::channel::Shared;
use crate::counters::get;
use crate::{ChannelId, Delivered, DerivedStatus, Fault, Reason};

/// The state of a Channel's Source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does not run, and nobody wants it to.
    Idle,
    /// It is being dialled, or has not written a frame yet. `after` is why the try before this one failed.
    Starting {
        /// The failure of the try before this one.
        after: Option<Fault>,
    },
    /// Frames flow.
    Live,
    /// Frames flow, but nobody watches any more: it ends soon.
    Lingering,
    /// It failed and is tried again at `retry_at`.
    Backoff {
        /// Why it failed.
        fault: Fault,
        /// When it is tried again.
        retry_at: Instant,
    },
}

impl State {
    /// The name of the state, for the API and the logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Starting { .. } => "starting",
            Self::Live => "live",
            Self::Lingering => "lingering",
            Self::Backoff { .. } => "backoff",
        }
    }

    /// What this means for those who watch. A camera that failed is offline while it is dialled again, too.
    pub fn condition(&self) -> Condition {
        match self {
            Self::Idle => Condition::Idle,
            Self::Live | Self::Lingering => Condition::Live,
            Self::Starting { after: None } => Condition::Connecting,
            Self::Starting { after: Some(fault) } | Self::Backoff { fault, .. } => {
                Condition::Offline(fault.clone())
            }
        }
    }

    /// Why there is no picture, where the Source failed.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Starting { after } => after.as_ref(),
            Self::Backoff { fault, .. } => Some(fault),
            Self::Idle | Self::Live | Self::Lingering => None,
        }
    }
}

/// How a Channel is for those who watch, whatever the Source goes through behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The Source does not run, and nobody wants it to.
    Idle,
    /// There is no picture yet.
    Connecting,
    /// Frames flow.
    Live,
    /// The Source failed, and is or will be tried again.
    Offline(Fault),
}

/// Everything that can be told of a Channel at one moment.
#[derive(Debug, Clone)]
pub struct ChannelStatus {
    /// Its id.
    pub id: ChannelId,
    /// The state of its Source.
    pub state: State,
    /// Its tracks as announced last.
    pub tracks: Arc<[Track]>,
    /// How many Viewers there are, by protocol.
    pub viewers: BTreeMap<&'static str, usize>,
    /// Frames published.
    pub frames: u64,
    /// Bytes of frames published.
    pub bytes: u64,
    /// Frames at which a Viewer can start.
    pub keyframes: u64,
    /// Packets lost on the way from the camera.
    pub lost_packets: u64,
    /// Frames dropped since a packet of theirs, or of a frame they need, was lost.
    pub dropped_frames: u64,
    /// Pictures whose time did not increase and was mended.
    pub repaired_times: u64,
    /// Units of sound that came too late for their place on the time line.
    pub late_frames: u64,
    /// How often the Source was started.
    pub starts: u64,
    /// How often it failed.
    pub failures: u64,
    /// The same by reason, where it happened.
    pub failures_by_reason: Vec<(Reason, u64)>,
    /// From the newest keyframe but one to the newest; none before there were two.
    pub keyframe_interval: Option<Duration>,
    /// What went out, by protocol.
    pub delivered: BTreeMap<&'static str, Delivered>,
    /// What is or was made of the frames, by kind.
    pub derived: BTreeMap<&'static str, DerivedStatus>,
    /// What the ring holds.
    pub ring: RingStatus,
}

/// What a ring holds, and how often its bounds were hit.
#[derive(Debug, Clone, Copy)]
pub struct RingStatus {
    /// Items held.
    pub items: usize,
    /// Bytes held, with each item's overhead.
    pub bytes: usize,
    /// From the oldest to the newest item.
    pub span: Duration,
    /// How often a reader was further behind live than allowed, and skipped to a keyframe.
    pub skips_behind: u64,
    /// How often the bound of bytes had made the ring drop what a reader was to get.
    pub skips_bytes: u64,
    /// Over how many items readers were made to skip.
    pub skipped: u64,
    /// How often a GOP alone outgrew the bound of bytes.
    pub overflows: u64,
}

impl ChannelStatus {
    pub(crate) fn of(shared: &Shared) -> Self {
        let counters = &shared.counters;
        let failures_by_reason: Vec<_> = Reason::ALL
            .into_iter()
            .zip(counters.failures.iter().map(get))
            .filter(|(_, count)| *count > 0)
            .collect();
        let interval = get(&counters.keyframe_interval);
        Self {
            id: shared.id.clone(),
            state: shared.state.borrow().clone(),
            tracks: shared.tracks.borrow().clone(),
            viewers: shared.viewers_by_protocol(),
            frames: get(&counters.frames),
            bytes: get(&counters.bytes),
            keyframes: get(&counters.keyframes),
            lost_packets: get(&counters.lost_packets),
            dropped_frames: get(&counters.dropped_frames),
            repaired_times: get(&counters.repaired_times),
            late_frames: get(&counters.late_frames),
            starts: get(&counters.starts),
            failures: failures_by_reason.iter().map(|(_, count)| count).sum(),
            failures_by_reason,
            keyframe_interval: (interval > 0).then(|| Duration::from_micros(interval)),
            delivered: shared.delivered(),
            derived: shared.derivations.status(),
            ring: shared.ring.status(),
        }
    }
}
