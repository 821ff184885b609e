use std::sync::Arc;
use std::time::Duration;

use crate::{ChannelId, Source, StreamId};

/// A Stream as it is wished for: what [`crate::Registry::apply`] takes.
#[derive(Debug, Clone)]
pub struct StreamSpec {
    /// Its id, unique in the Registry.
    pub id: StreamId,
    /// Its name for people; may be empty.
    pub name: String,
    /// Its Channels, at least one; the first is the one that URLs without a channel mean.
    pub channels: Vec<ChannelSpec>,
}

/// A Channel as it is wished for.
#[derive(Debug, Clone)]
pub struct ChannelSpec {
    /// Its id, unique in its Stream.
    pub id: ChannelId,
    /// Who produces its frames.
    pub source: Arc<dyn Source>,
    /// When it runs and how much it keeps.
    pub policy: Policy,
}

/// When a Channel's Source runs, and how much its ring keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Run only while somebody watches.
    pub on_demand: bool,
    /// How long an on-demand Source runs on after its last Viewer left.
    pub linger: Duration,
    /// How long a Source may be silent before it is restarted.
    pub stall: Duration,
    /// The bounds of the ring.
    pub ring: RingBounds,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            on_demand: true,
            linger: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            ring: RingBounds::default(),
        }
    }
}

/// The bounds of a ring. The newest GOP is always kept whole up to `bytes`, so that a new Viewer starts
/// at once; `keep` bounds what is kept before it for Viewers that are behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RingBounds {
    /// How far behind live a Viewer may fall before it skips to a newer keyframe, and how much is kept.
    pub keep: Duration,
    /// How many bytes of frames a ring holds at most.
    pub bytes: usize,
}

impl Default for RingBounds {
    fn default() -> Self {
        Self {
            keep: Duration::from_secs(4),
            bytes: 32 << 20,
        }
    }
}
