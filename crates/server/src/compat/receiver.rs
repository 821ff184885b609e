//! RTSPtoWebRTC's API: whoever asks names one of the streams, or the URL of a camera.
//!
//! A URL that no stream has becomes one for as long as it is used ([`guests`](super::guests)).

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use egress_webrtc::PROTOCOL;
use hub::Guest;
use media::{Kind, Track};
use serde_json::{Value, json};

use super::cors::{for_all_pages, preflight};
use super::envelope::Failure;
use super::pages::escaped;
use super::{Compat, codec, form};

/// The largest form that is read, in bytes.
const MAX_BODY: usize = 256 << 10;
/// How long the codecs of a camera are waited for.
const CODECS: std::time::Duration = std::time::Duration::from_secs(5);

type Shared = State<Compat>;

/// What shows streams that are configured.
pub(super) fn router(compat: Compat) -> Router {
    Router::new()
        .route("/stream/codec/{stream}", get(codecs).options(preflight))
        .route(
            "/stream/receiver/{stream}",
            post(receiver).options(preflight),
        )
        .route("/stream/player/{stream}", get(player))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(compat)
}

/// What has any URL connected.
pub(super) fn any_url(compat: Compat) -> Router {
    let alive = || get(|| async { StatusCode::OK });
    Router::new()
        .route("/stream", post(stream))
        // Home Assistant asks whether there is somebody.
        .route("/static", alive())
        .route("/static/", alive())
        .route("/static/{*path}", alive())
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(compat)
}

/// Why not, as it is told there.
struct Told(Failure);

impl From<Failure> for Told {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

impl IntoResponse for Told {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.0.to_string() }));
        (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
    }
}

/// `url` and `sdp64`.
async fn stream(
    State(compat): Shared,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Told> {
    let mut fields = form::fields(&headers, body).await;
    let [url, offer] = ["url", "sdp64"].map(|name| fields.remove(name).unwrap_or_default());
    let channel = compat.channel_at(&url).await?;
    let answer = compat.answer(&channel, guest, &offer).await?;
    let tracks = names(&channel.tracks().borrow());
    let body = Json(json!({ "tracks": tracks, "sdp64": answer }));
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

/// `data`, and `suuid`: the stream that the path names, by which it was decided who may watch.
async fn receiver(
    State(compat): Shared,
    Path(id): Path<String>,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answered = async {
        let mut fields = form::fields(&headers, body).await;
        if fields.remove("suuid").is_some_and(|named| named != id) {
            let told = "`suuid` names another stream than the path does";
            return Err(Failure::Body(told.to_owned()));
        }
        let channel = compat.first_channel(&id)?;
        let data = fields.remove("data").unwrap_or_default();
        compat.answer(&channel, guest, &data).await
    };
    for_all_pages(answered.await.map(|answer| (AS_TEXT, answer)).map_err(Told))
}

async fn player(Path(id): Path<String>) -> Response {
    let target = format!("/wall?streams={}&modes=webrtc", escaped(&id));
    (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response()
}

/// What a stream has: its camera is connected, if it is not.
async fn codecs(
    State(compat): Shared,
    Path(id): Path<String>,
    guest: Option<Extension<Guest>>,
) -> Response {
    let types = compat.types(&id, guest).await;
    // Clients of that API parse it themselves.
    for_all_pages(
        types
            .map(|types| (AS_TEXT, types.to_string()))
            .map_err(Told),
    )
}

/// What that API does not call JSON, though it may be.
const AS_TEXT: [(HeaderName, &str); 2] = [
    (CONTENT_TYPE, "text/plain; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
];

impl Compat {
    async fn types(&self, id: &str, guest: Option<Extension<Guest>>) -> Result<Value, Failure> {
        let channel = self.first_channel(id)?;
        let Extension(guest) = guest.unwrap_or_default();
        let _watching = channel.watch(guest.over(PROTOCOL));
        let mut tracks = channel.tracks();
        let known = tracks.wait_for(|tracks| codec::are_known(tracks));
        let known = tokio::time::timeout(CODECS, known)
            .await
            .is_ok_and(|known| known.is_ok());
        if !known {
            return Err(Failure::NotReady);
        }
        let names = names(&channel.tracks().borrow());
        Ok(names.iter().map(|name| json!({ "Type": name })).collect())
    }
}

/// What there is, as that API calls it.
fn names(tracks: &[Track]) -> Vec<&'static str> {
    let there = tracks.iter().filter(|track| track.format.is_some());
    there
        .map(|track| match track.kind {
            Kind::Video => "video",
            Kind::Audio => "audio",
        })
        .collect()
}
