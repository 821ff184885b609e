//! The routes that are not of this API and that integrators call: as they are described. What answers them is in other crates and
//! files, and is no business of theirs; a test holds this against the router.

#![expect(dead_code, reason = "descriptions, in the form that utoipa wants")]

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Object, OpenApi as Document, RefOr, Required, SecurityRequirement, Type};
use utoipa::{IntoParams, OpenApi};

use super::streams::{ChannelPath, StreamPath};
use crate::http::problem::Failure;

/// Where the first channel of a stream is meant.
const FIRST: &str = "/stream/{stream}/";
/// The same, of any channel.
const ANY: &str = "/stream/{stream}/channel/{channel}/";

#[derive(OpenApi)]
#[openapi(
    paths(
        state, mse, whep, whep_patch, whep_delete, hlsll, hls, hlsll_media, hls_media, hls_file, recordings, recording,
        recording_delete, record, healthz, readyz, metrics
    ),
    tags(
        (name = "session", description = "Who one is, logging in, and signed URLs (docs/auth.md)."),
        (name = "media", description = "Pictures and sound. What needs credentials takes `?token=`, too; under `/t/{token}` all of it is there for whoever has a signed URL."),
        (name = "recordings", description = "RTSPtoWeb's recordings, where `compat.rtsptoweb` is on and `compat.save_dir` is set."),
        (name = "operations", description = "For whoever runs the server."),
    )
)]
struct Elsewhere;

/// A session of WHEP in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct SessionPath {
    /// The stream's id.
    #[param(example = "front")]
    stream: String,
    /// The session's id, from `Location`.
    session: String,
}

/// A file of HLS in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct FilePath {
    /// The stream's id.
    #[param(example = "front")]
    stream: String,
    /// The channel's id.
    #[param(example = "0")]
    channel: String,
    /// As it stands in the playlist.
    token: String,
    /// As it stands in the playlist.
    file: String,
}

/// A recording in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct RecordingPath {
    /// The stream's id.
    #[param(example = "front")]
    stream: String,
    /// The channel's id.
    #[param(example = "0")]
    channel: String,
    /// Its name, from the list.
    file: String,
}

/// What is to be recorded, in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
struct RecordPath {
    /// The stream's id.
    #[param(example = "front")]
    stream: String,
    /// The channel's id.
    #[param(example = "0")]
    channel: String,
    /// For how long.
    #[param(example = "1m30s")]
    duration: String,
}

/// How a player asks for the next part (draft-pantos-hls-rfc8216bis §6.2.5).
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
struct NextPart {
    /// Wait until there is this segment.
    #[param(rename = "_HLS_msn", value_type = u64, required = false)]
    msn: Option<u64>,
    /// Wait until there is this part of it.
    #[param(rename = "_HLS_part", value_type = u64, required = false)]
    part: Option<u64>,
    /// `YES`: leave out what is old.
    #[param(rename = "_HLS_skip", value_type = String, required = false)]
    skip: Option<String>,
}

/// How the camera is, for players.
#[utoipa::path(get, path = "/stream/{stream}/state", tag = "media", params(StreamPath),
    responses((status = 200, description = "`{\"type\": \"state\", \"state\": \"live\"}`, as on the WebSocket (docs/mse.md)",
        content_type = "application/json", body = serde_json::Value), Failure))]
fn state() {}

/// fMP4 over WebSocket (docs/mse.md). The subprotocol is `lunette.v1`; without it, RTSPtoWeb's framing.
#[utoipa::path(get, path = "/stream/{stream}/mse", tag = "media", params(StreamPath),
    responses((status = 101, description = "The WebSocket"), (status = 426, description = "This is for WebSockets"), Failure))]
fn mse() {}

/// WebRTC by WHEP: the answer to an offer (docs/webrtc.md).
#[utoipa::path(post, path = "/stream/{stream}/whep", tag = "media", params(StreamPath),
    request_body(content = String, content_type = "application/sdp"),
    responses((status = 201, description = "The answer", content_type = "application/sdp", body = String, headers(
        ("location" = String, description = "The session"), ("etag" = String, description = "The ICE session, for If-Match"),
        ("link" = String, description = "STUN and TURN servers"))), Failure))]
fn whep() {}

/// Restarts ICE. `If-Match` names the ICE session.
#[utoipa::path(patch, path = "/stream/{stream}/whep/{session}", tag = "media", params(SessionPath,
        ("If-Match" = String, Header, description = "The ETag of the answer, or `*`")),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    responses((status = 200, description = "ICE begins anew", content_type = "application/trickle-ice-sdpfrag", body = String),
        (status = 204, description = "There is nothing to say to that"), Failure))]
fn whep_patch() {}

/// Ends a session.
#[utoipa::path(delete, path = "/stream/{stream}/whep/{session}", tag = "media", params(SessionPath),
    responses((status = 200, description = "It is over"), Failure))]
fn whep_delete() {}

/// LL-HLS: what a player opens (docs/hls.md).
#[utoipa::path(get, path = "/stream/{stream}/hlsll/live/index.m3u8", tag = "media", params(StreamPath),
    responses((status = 200, description = "The multivariant playlist", content_type = "application/vnd.apple.mpegurl", body = String),
        (status = 307, description = "The same under `/t/{token}`, for who came with `?token=`"), Failure))]
fn hlsll() {}

/// HLS: what a player opens (docs/hls.md).
#[utoipa::path(get, path = "/stream/{stream}/hls/live/index.m3u8", tag = "media", params(StreamPath),
    responses((status = 200, description = "The multivariant playlist", content_type = "application/vnd.apple.mpegurl", body = String),
        (status = 307, description = "The same under `/t/{token}`, for who came with `?token=`"), Failure))]
fn hls() {}

/// LL-HLS: the media playlist, which waits for what is asked for.
#[utoipa::path(get, path = "/stream/{stream}/channel/{channel}/hlsll/live/media.m3u8", tag = "media", params(ChannelPath, NextPart),
    responses((status = 200, description = "The media playlist", content_type = "application/vnd.apple.mpegurl", body = String), Failure))]
fn hlsll_media() {}

/// HLS: the media playlist.
#[utoipa::path(get, path = "/stream/{stream}/channel/{channel}/hls/live/media.m3u8", tag = "media", params(ChannelPath),
    responses((status = 200, description = "The media playlist", content_type = "application/vnd.apple.mpegurl", body = String), Failure))]
fn hls_media() {}

/// What playlists list: headers, segments and parts in fMP4.
#[utoipa::path(get, path = "/stream/{stream}/channel/{channel}/hls/live/{token}/{file}", tag = "media", params(FilePath),
    responses((status = 200, description = "The file", content_type = "video/mp4", body = Vec<u8>), Failure))]
fn hls_file() {}

/// The recordings of a channel.
#[utoipa::path(get, path = "/stream/{stream}/channel/{channel}/save", tag = "recordings", params(ChannelPath),
    responses((status = 200, description = "In RTSPtoWeb's envelope: their names and sizes", content_type = "application/json", body = serde_json::Value), Failure))]
fn recordings() {}

/// A recording.
#[utoipa::path(get, path = "/stream/{stream}/channel/{channel}/save/{file}", tag = "recordings", params(RecordingPath),
    responses((status = 200, description = "The file", content_type = "video/mp4", body = Vec<u8>), Failure))]
fn recording() {}

/// Removes a recording.
#[utoipa::path(delete, path = "/stream/{stream}/channel/{channel}/save/{file}", tag = "recordings", params(RecordingPath),
    responses((status = 200, description = "It is gone", content_type = "application/json", body = serde_json::Value), Failure))]
fn recording_delete() {}

/// Begins a recording, which goes on without who began it.
#[utoipa::path(post, path = "/stream/{stream}/channel/{channel}/save/mp4/fragment/{duration}", tag = "recordings", params(RecordPath),
    responses((status = 200, description = "It has begun", content_type = "text/plain", body = String), Failure))]
fn record() {}

/// Whether the server runs.
#[utoipa::path(get, path = "/healthz", tag = "operations",
    responses((status = 200, description = "It does", content_type = "text/plain", body = String), Failure))]
fn healthz() {}

/// Whether new viewers should come here.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses((status = 200, description = "They should", content_type = "text/plain", body = String),
        (status = 503, description = "The server ends soon, or is full", content_type = "application/problem+json", body = crate::http::problem::Problem), Failure))]
fn readyz() {}

/// Figures for Prometheus (docs/deploy.md).
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, description = "OpenMetrics or Prometheus's text, as `Accept` wishes", content_type = "text/plain", body = String), Failure))]
fn metrics() {}

/// All of them.
pub(super) fn described() -> Document {
    let mut document = Elsewhere::openapi();
    let of_any: Vec<(String, PathItem)> = document
        .paths
        .paths
        .iter()
        .filter(|(path, _)| path.starts_with(FIRST) && !path.starts_with(ANY))
        .map(|(path, item)| (path.replacen(FIRST, ANY, 1), with_channel(item.clone())))
        .collect();
    document.paths.paths.extend(of_any);
    document
}

/// Says of `document` how one says who one is.
pub(super) fn secure(document: &mut Document) {
    let schemes = [
        (
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        ),
        (
            "basic",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)),
        ),
        (
            "token",
            SecurityScheme::ApiKey(ApiKey::Query(ApiKeyValue::new("token"))),
        ),
        (
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("lunette"))),
        ),
    ];
    let components = document.components.get_or_insert_default();
    // Somebody at the server's own machine, or whom `auth.anonymous` lets, needs none.
    let mut any = vec![SecurityRequirement::default()];
    for (name, scheme) in schemes {
        components.add_security_scheme(name, scheme);
        any.push(SecurityRequirement::new(name, [] as [&str; 0]));
    }
    document.security = Some(any);
}

/// The same of any channel.
fn with_channel(mut item: PathItem) -> PathItem {
    let operations = [
        &mut item.get,
        &mut item.post,
        &mut item.patch,
        &mut item.delete,
    ];
    for operation in operations.into_iter().flatten() {
        name_channel(operation);
    }
    item
}

fn name_channel(operation: &mut Operation) {
    if let Some(id) = &mut operation.operation_id {
        id.push_str("_of_channel");
    }
    let channel: Parameter = ParameterBuilder::new()
        .name("channel")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The channel's id."))
        .schema(Some(Object::with_type(Type::String)))
        .example(Some("0".into()))
        .build();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.insert(1, RefOr::T(channel));
}
