//! RTSPtoWebRTC's API: whoever asks names the URL of a camera, or one of the streams.
//!
//! A URL that no stream has becomes one for as long as it is used ([`guests`](super::guests)).

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use egress_webrtc::PROTOCOL;
use hub::{Channel, Guest};
use media::{Kind, Track};
use serde_json::json;

use super::envelope::Failure;
use super::{Compat, codec, form};

/// The largest form that is read, in bytes.
const MAX_BODY: usize = 256 << 10;
/// How long the codecs of a camera are waited for.
const CODECS: std::time::Duration = std::time::Duration::from_secs(5);

type Shared = State<Compat>;

pub(super) fn router(compat: Compat) -> Router {
    let alive = || get(|| async { StatusCode::OK });
    Router::new()
        .route("/stream", post(stream))
        .route("/stream/codec/{stream}", get(codecs))
        .route("/stream/receiver/{stream}", post(receiver))
        // Home Assistant asks whether there is somebody.
        .route("/static", alive())
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

/// `suuid` and `data`.
async fn receiver(
    State(compat): Shared,
    Path(id): Path<String>,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<String, Told> {
    let mut fields = form::fields(&headers, body).await;
    let id = fields.remove("suuid").unwrap_or(id);
    let channel = compat.first_channel(&id)?;
    let data = fields.remove("data").unwrap_or_default();
    Ok(compat.answer(&channel, guest, &data).await?)
}

/// What a stream has: its camera is connected, if it is not.
async fn codecs(
    State(compat): Shared,
    Path(id): Path<String>,
    guest: Option<Extension<Guest>>,
) -> Result<Response, Told> {
    let channel = compat.first_channel(&id)?;
    let Extension(guest) = guest.unwrap_or_default();
    let _watching = channel.watch(guest.over(PROTOCOL));
    let mut tracks = channel.tracks();
    let known = tracks.wait_for(|tracks| codec::are_known(tracks));
    let known = tokio::time::timeout(CODECS, known)
        .await
        .is_ok_and(|known| known.is_ok());
    if !known {
        return Err(Failure::NotReady.into());
    }
    let names = names(&channel.tracks().borrow());
    let types: Vec<_> = names.iter().map(|name| json!({ "Type": name })).collect();
    Ok(([(CACHE_CONTROL, "no-store")], Json(types)).into_response())
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

impl Compat {
    fn first_channel(&self, id: &str) -> Result<Channel, Failure> {
        self.stream(id).map(|stream| stream.first_channel().clone())
    }
}
