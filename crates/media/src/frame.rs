use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::time::ticks_to_nanos;
use crate::{Format, Kind};

/// Which track of its Stream a [`Frame`] belongs to: its place among the announced [`Track`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u8);

/// What a Source says of one of its tracks before and while it writes frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// The id that this track's frames carry.
    pub id: TrackId,
    /// Picture or sound.
    pub kind: Kind,
    /// The encoding as the peer named it, such as `H264` or `MPEG4-GENERIC`.
    pub encoding: String,
    /// The codec parameters, once known. A track without them carries no frames (yet).
    pub format: Option<Arc<Format>>,
    /// Why this track will never carry frames, in words, such as `unsupported codec AMR`.
    pub unsupported: Option<String>,
}

/// One access unit: a whole picture, or one coded unit of sound. Immutable once published.
///
/// `pts` and `dts` are ticks of [`Format::clock_rate`] on the time line of the Stream, whose tracks
/// share one zero. They are monotonic in `dts` per track, also across a camera's restart.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The track this frame belongs to.
    pub track: TrackId,
    /// The codec parameters in force for this very frame.
    pub format: Arc<Format>,
    /// Presentation time in ticks of the track's clock.
    pub pts: i64,
    /// Decode time in ticks of the track's clock; equal to `pts` where pictures are not reordered.
    pub dts: i64,
    /// A viewer may start here: a random access point of a video track, or any unit of sound.
    pub keyframe: bool,
    /// The frames before this one on the track were lost or come from an earlier session.
    pub discontinuity: bool,
    /// The camera's wall clock at `pts`, in nanoseconds since the Unix epoch, where a sender report told it.
    pub wallclock: Option<i64>,
    /// When the last byte of the frame reached us.
    pub arrival: Instant,
    /// Video: NAL units, each behind its length in 4 bytes (big endian), without parameter sets and
    /// access unit delimiters (AV1: the temporal unit's OBUs with sizes, without temporal delimiters).
    /// Audio: the raw access unit (AAC without ADTS, one Opus packet, PCM samples as the codec has them).
    pub data: Bytes,
}

impl Frame {
    /// Whether this is picture or sound.
    pub fn kind(&self) -> Kind {
        self.format.kind()
    }

    /// Decode time on the Stream's time line, in nanoseconds.
    pub fn dts_nanos(&self) -> i64 {
        ticks_to_nanos(self.dts, self.format.clock_rate())
    }

    /// Presentation time on the Stream's time line, in nanoseconds.
    pub fn pts_nanos(&self) -> i64 {
        ticks_to_nanos(self.pts, self.format.clock_rate())
    }
}
