//! What every route needs. A route that is not in [`TABLE`] is for those alone who may control everything, and a test fails:
//! add a row. docs/auth.md says how to choose one.

use auth::Action;
use axum::http::Method;
use serde::Serialize;

/// What somebody must be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: it tells and does nothing that is not for everybody.
    Open,
    /// The action, with the stream that the first parameter of the path names.
    Stream(Action),
    /// The action, with some stream at least. The handler shows, of streams, those that the [`auth::Identity`] in the
    /// request's extensions may do it with.
    Some(Action),
    /// The action, with all streams.
    All(Action),
    /// To record the stream that the first parameter of the path names: for those who may control everything, and for
    /// whom the token backend lets record it.
    Record,
}

/// What the token backend calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) enum Proto {
    #[serde(rename = "WS")]
    Mse,
    #[serde(rename = "WebRTC")]
    WebRtc,
    #[serde(rename = "HLS")]
    Hls,
    #[serde(rename = "RTSP")]
    Rtsp,
    #[serde(rename = "save")]
    Save,
}

/// A row: the route as the router has it, what reading it needs (GET, HEAD), and what all else needs. OPTIONS needs
/// nothing: it is what browsers send before they may say who asks.
type Row = (&'static str, Need, Need);

const WATCH: Need = Need::Stream(Action::Watch);
const CONTROL: Need = Need::All(Action::Control);

/// Has any URL connected, and watches it.
const WATCH_ALL: Need = Need::All(Action::Watch);

/// All routes.
pub(super) const TABLE: &[Row] = &[
    ("/healthz", Need::Open, CONTROL),
    ("/readyz", Need::Open, CONTROL),
    ("/metrics", Need::All(Action::Metrics), CONTROL),
    // Who am I, logging in and logging out.
    ("/api/v1/session", Need::Open, Need::Open),
    ("/api/v1/media-tokens", CONTROL, CONTROL),
    // What the API is, and which version: nothing of what is in it.
    ("/api/", Need::Open, CONTROL),
    ("/api/page.css", Need::Open, CONTROL),
    ("/api/v1/openapi.json", Need::Open, CONTROL),
    ("/api/v1/version", Need::Some(Action::Watch), CONTROL),
    // How streams fare is for those who watch them, what they are for those who control all.
    ("/api/v1/streams", Need::Some(Action::Watch), CONTROL),
    ("/api/v1/streams/{stream}/status", WATCH, CONTROL),
    ("/api/v1/streams/{stream}/channels", WATCH, CONTROL),
    (
        "/api/v1/streams/{stream}/channels/{channel}/status",
        WATCH,
        CONTROL,
    ),
    ("/api/v1/streams/{stream}", CONTROL, CONTROL),
    ("/api/v1/streams/{stream}/restart", CONTROL, CONTROL),
    (
        "/api/v1/streams/{stream}/channels/{channel}",
        CONTROL,
        CONTROL,
    ),
    (
        "/api/v1/streams/{stream}/channels/{channel}/restart",
        CONTROL,
        CONTROL,
    ),
    // Who watches, and from where.
    ("/api/v1/viewers", CONTROL, CONTROL),
    ("/api/v1/viewers/{viewer}", CONTROL, CONTROL),
    ("/api/v1/events", CONTROL, CONTROL),
    ("/api/v1/probe", CONTROL, CONTROL),
    ("/api/v1/config", CONTROL, CONTROL),
    ("/api/v1/config/{section}", CONTROL, CONTROL),
    ("/api/v1/status", CONTROL, CONTROL),
    // RTSPtoWeb's control API, with the passwords of cameras in it, and its recordings.
    ("/streams", CONTROL, CONTROL),
    ("/streams/multi/control/add", CONTROL, CONTROL),
    ("/streams/multi/control/delete", CONTROL, CONTROL),
    ("/stream/{stream}/add", CONTROL, CONTROL),
    ("/stream/{stream}/edit", CONTROL, CONTROL),
    ("/stream/{stream}/delete", CONTROL, CONTROL),
    ("/stream/{stream}/reload", CONTROL, CONTROL),
    ("/stream/{stream}/info", CONTROL, CONTROL),
    ("/stream/{stream}/channel/{channel}/add", CONTROL, CONTROL),
    ("/stream/{stream}/channel/{channel}/edit", CONTROL, CONTROL),
    (
        "/stream/{stream}/channel/{channel}/delete",
        CONTROL,
        CONTROL,
    ),
    (
        "/stream/{stream}/channel/{channel}/reload",
        CONTROL,
        CONTROL,
    ),
    ("/stream/{stream}/channel/{channel}/info", CONTROL, CONTROL),
    ("/stream/{stream}/channel/{channel}/codec", CONTROL, CONTROL),
    ("/stream/{stream}/channel/{channel}/webrtc", WATCH, WATCH),
    ("/stream/{stream}/webrtc", WATCH, WATCH),
    (
        "/stream/{stream}/channel/{channel}/save",
        Need::Record,
        Need::Record,
    ),
    (
        "/stream/{stream}/channel/{channel}/save/{file}",
        Need::Record,
        Need::Record,
    ),
    (
        "/stream/{stream}/channel/{channel}/save/mp4/fragment/{duration}",
        Need::Record,
        Need::Record,
    ),
    // The paths of its pages, which lead to ours. A page is sent there that says what is on it.
    ("/pages/{*path}", Need::Open, Need::Open),
    // RTSPtoWebRTC's API, where a stream may be named by a URL.
    ("/stream", WATCH_ALL, WATCH_ALL),
    ("/stream/codec/{stream}", WATCH, WATCH),
    ("/stream/receiver/{stream}", WATCH, WATCH),
    ("/stream/player/{stream}", Need::Open, Need::Open),
    ("/static", Need::Open, Need::Open),
    ("/static/", Need::Open, Need::Open),
    ("/static/{*path}", Need::Open, Need::Open),
    // Media.
    ("/stream/{stream}/state", WATCH, CONTROL),
    ("/stream/{stream}/channel/{channel}/state", WATCH, CONTROL),
    ("/stream/{stream}/mse", WATCH, CONTROL),
    ("/stream/{stream}/channel/{channel}/mse", WATCH, CONTROL),
    // An offer and what follows it are how one watches.
    ("/stream/{stream}/whep", WATCH, WATCH),
    ("/stream/{stream}/channel/{channel}/whep", WATCH, WATCH),
    ("/stream/{stream}/whep/{session}", WATCH, WATCH),
    (
        "/stream/{stream}/channel/{channel}/whep/{session}",
        WATCH,
        WATCH,
    ),
    ("/stream/{stream}/hls/live/index.m3u8", WATCH, CONTROL),
    ("/stream/{stream}/hlsll/live/index.m3u8", WATCH, CONTROL),
    (
        "/stream/{stream}/channel/{channel}/hls/live/index.m3u8",
        WATCH,
        CONTROL,
    ),
    (
        "/stream/{stream}/channel/{channel}/hlsll/live/index.m3u8",
        WATCH,
        CONTROL,
    ),
    (
        "/stream/{stream}/channel/{channel}/hls/live/media.m3u8",
        WATCH,
        CONTROL,
    ),
    (
        "/stream/{stream}/channel/{channel}/hlsll/live/media.m3u8",
        WATCH,
        CONTROL,
    ),
    (
        "/stream/{stream}/channel/{channel}/hls/live/{token}/{file}",
        WATCH,
        CONTROL,
    ),
];

/// All routes that there are.
#[cfg(test)]
pub(crate) fn routes() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(route, ..)| *route)
}

/// Whether the handler of the route `pattern` has to know who asks, beyond what they may: it finds them in the extensions.
pub(super) fn asks_who(pattern: &str) -> bool {
    pattern.starts_with("/api/v1/config")
}

/// Whether the answer of the route `pattern` lasts, or begins something that does: who asks may have to leave.
pub(super) fn lasts(pattern: &str) -> bool {
    let last = pattern.rsplit('/').next().unwrap_or_default();
    // RTSPtoWebRTC's routes name a stream at their end.
    matches!(last, "mse" | "whep" | "webrtc" | "events" | "stream")
        || pattern.starts_with("/stream/receiver/")
        || pattern.starts_with("/stream/codec/")
        || pattern.contains("/save/mp4/")
}

/// What `method` on the route `pattern` needs. No pattern: no route answers, but the pages.
pub(super) fn of(method: &Method, pattern: Option<&str>) -> Need {
    if method == Method::OPTIONS {
        return Need::Open;
    }
    let Some(pattern) = pattern else {
        return Need::Open;
    };
    let row = TABLE.iter().find(|(route, ..)| *route == pattern);
    row.map_or(CONTROL, |(_, read, write)| match *method {
        Method::GET | Method::HEAD => *read,
        _ => *write,
    })
}

/// What the token backend calls the protocol of the route `pattern`.
pub(super) fn proto(pattern: &str) -> Proto {
    let last = pattern.rsplit('/').next().unwrap_or_default();
    match last {
        "mse" => Proto::Mse,
        _ if pattern.contains("/save") => Proto::Save,
        _ if pattern.contains("/whep") || last == "webrtc" => Proto::WebRtc,
        _ if ["/stream/codec/", "/stream/receiver/"]
            .iter()
            .any(|start| pattern.starts_with(start)) =>
        {
            Proto::WebRtc
        }
        _ => Proto::Hls,
    }
}

/// Whether the route `pattern` is one of RTSPtoWeb's, whose clients want its words for a no.
pub(super) fn is_rtsptowebs(pattern: &str) -> bool {
    const LAST: [&str; 6] = ["add", "edit", "delete", "reload", "info", "codec"];
    let last = pattern.rsplit('/').next().unwrap_or_default();
    pattern == "/streams" || LAST.contains(&last) && !pattern.starts_with("/api/")
}

/// Whether `method` on the route `pattern` changes something. RTSPtoWeb's clients change things by GET.
pub(super) fn changes(method: &Method, pattern: &str) -> bool {
    let last = pattern.rsplit('/').next().unwrap_or_default();
    match *method {
        Method::OPTIONS => false,
        Method::GET | Method::HEAD => {
            is_rtsptowebs(pattern) && matches!(last, "delete" | "reload")
                || pattern.contains("/save/mp4/")
        }
        _ => true,
    }
}

/// Whether what the route `pattern` answers refers to more, by relative URLs.
pub(super) fn is_playlist(pattern: &str) -> bool {
    pattern.ends_with("/index.m3u8")
}
