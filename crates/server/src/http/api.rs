use auth::{Action, Identity};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use hub::{ChannelStatus, Registry};
use media::{Kind, Track};
use serde::Serialize;

/// `GET /api/v1/streams`: all Streams that may be watched by whoever asks, in the order of the configuration. It holds no URL
/// of a camera.
pub(super) async fn streams(
    State(registry): State<Registry>,
    Extension(identity): Extension<Identity>,
) -> Response {
    let streams = registry
        .list()
        .iter()
        .filter(|stream| identity.may(Action::Watch, Some(stream.id().as_str())))
        .map(|stream| StreamInfo {
            id: stream.id().to_string(),
            name: stream.name().to_owned(),
            channels: stream
                .channels()
                .iter()
                .map(|channel| ChannelInfo::from(&channel.status()))
                .collect(),
        })
        .collect();
    fresh(Json(StreamList { streams }))
}

#[derive(Debug, Serialize)]
struct StreamList {
    streams: Vec<StreamInfo>,
}

#[derive(Debug, Serialize)]
struct StreamInfo {
    id: String,
    name: String,
    channels: Vec<ChannelInfo>,
}

#[derive(Debug, Serialize)]
struct ChannelInfo {
    id: String,
    state: &'static str,
    reason: Option<&'static str>,
    message: Option<String>,
    viewers: usize,
    tracks: Vec<TrackInfo>,
    counters: Counters,
}

/// What was counted since the Channel came to be.
#[derive(Debug, Serialize)]
struct Counters {
    frames: u64,
    keyframes: u64,
    bytes: u64,
    lost_packets: u64,
    dropped_frames: u64,
    starts: u64,
    failures: u64,
}

#[derive(Debug, Serialize)]
struct TrackInfo {
    kind: &'static str,
    codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u32>,
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
        let resolution = format.and_then(media::Format::resolution);
        Self {
            kind: match track.kind {
                Kind::Video => "video",
                Kind::Audio => "audio",
            },
            codec: format.map_or_else(
                || track.encoding.clone(),
                |format| format.codec().name().to_owned(),
            ),
            width: resolution.map(|(width, _)| width),
            height: resolution.map(|(_, height)| height),
        }
    }
}

/// A response that no cache keeps.
pub(crate) fn fresh(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
