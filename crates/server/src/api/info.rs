//! What the API tells of streams, channels and tracks. No URL of a camera is among it.

use hub::{ChannelStatus, Stream};
use media::{Format, Kind, Track};
use serde::Serialize;
use utoipa::ToSchema;

/// A stream and how it fares.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamInfo {
    /// Its id.
    id: String,
    /// Its name for people; may be empty.
    name: String,
    /// Its channels, the one first that URLs without a channel mean.
    channels: Vec<ChannelInfo>,
}

/// A channel and how it fares.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelInfo {
    /// Its id.
    id: String,
    /// `idle` (nobody watches), `starting` (the camera is being dialled), `live`, `lingering` (live, and nobody watches any
    /// more) or `backoff` (the camera failed and is tried again).
    #[schema(value_type = StateName)]
    state: &'static str,
    /// Why the camera is away, for machines.
    reason: Option<&'static str>,
    /// The same in words.
    message: Option<String>,
    /// How many watch.
    viewers: usize,
    /// Its picture and sound, as far as they are known.
    tracks: Vec<TrackInfo>,
    counters: Counters,
}

/// The states of a channel.
#[derive(Debug, Clone, Copy, serde::Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StateName {
    Idle,
    Starting,
    Live,
    Lingering,
    Backoff,
}

/// What was counted since the channel came to be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counters {
    /// Frames from the camera.
    frames: u64,
    /// Frames at which a viewer can start.
    keyframes: u64,
    /// Bytes of frames.
    bytes: u64,
    /// Packets lost on the way from the camera.
    lost_packets: u64,
    /// Frames dropped since a packet of theirs, or of a frame they need, was lost.
    dropped_frames: u64,
    /// How often the camera was dialled.
    starts: u64,
    /// How often it failed.
    failures: u64,
}

/// A picture or a sound.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrackInfo {
    /// `video` or `audio`.
    kind: &'static str,
    /// The codec's name: `H.264`, `AAC`, ...
    codec: String,
    /// The codec with its profile and level, as browsers name it (RFC 6381): `avc1.64001f`.
    #[serde(skip_serializing_if = "Option::is_none")]
    codec_string: Option<String>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
    /// Of sound, in Hz.
    #[serde(skip_serializing_if = "Option::is_none")]
    sample_rate: Option<u32>,
    /// Why it is left out, where it can't be played.
    #[serde(skip_serializing_if = "Option::is_none")]
    unsupported: Option<String>,
}

impl StateName {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Lingering => "lingering",
            Self::Backoff => "backoff",
        }
    }
}

impl StreamInfo {
    /// Whether one of the channels is in `state`.
    pub(crate) fn has_channel(&self, state: StateName) -> bool {
        self.channels
            .iter()
            .any(|channel| channel.state == state.name())
    }

    pub(crate) fn into_channels(self) -> Vec<ChannelInfo> {
        self.channels
    }
}

impl From<&Stream> for StreamInfo {
    fn from(stream: &Stream) -> Self {
        let channels = stream.channels().iter();
        Self {
            id: stream.id().to_string(),
            name: stream.name().to_owned(),
            channels: channels.map(|channel| (&channel.status()).into()).collect(),
        }
    }
}

impl From<&ChannelStatus> for ChannelInfo {
    fn from(status: &ChannelStatus) -> Self {
        let fault = status.state.fault();
        Self {
            id: status.id.to_string(),
            state: status.state.name(),
            reason: fault.map(|fault| fault.reason.code()),
            message: fault.map(|fault| fault.message.clone()),
            viewers: status.viewers.values().sum(),
            tracks: status.tracks.iter().map(TrackInfo::from).collect(),
            counters: Counters {
                frames: status.frames,
                keyframes: status.keyframes,
                bytes: status.bytes,
                lost_packets: status.lost_packets,
                dropped_frames: status.dropped_frames,
                starts: status.starts,
                failures: status.failures,
            },
        }
    }
}

impl From<&Track> for TrackInfo {
    fn from(track: &Track) -> Self {
        let format = track.format.as_deref();
        let resolution = format.and_then(Format::resolution);
        let sound = track.kind == Kind::Audio;
        Self {
            kind: match track.kind {
                Kind::Video => "video",
                Kind::Audio => "audio",
            },
            codec: format.map_or_else(
                || track.encoding.clone(),
                |format| format.codec().name().to_owned(),
            ),
            // Of codecs that no browser plays as they are there is none.
            codec_string: format.and_then(|format| fmp4::codec_string(format).ok()),
            width: resolution.map(|(width, _)| width),
            height: resolution.map(|(_, height)| height),
            sample_rate: format.filter(|_| sound).map(Format::clock_rate),
            unsupported: track.unsupported.clone(),
        }
    }
}
