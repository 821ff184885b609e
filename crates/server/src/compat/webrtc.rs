//! `POST …/webrtc`: an offer in Base64 in a form, and the answer in Base64, with all candidates.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::post;
use egress_webrtc::{PROTOCOL, Refusal};
use hub::{Channel, Guest};

use super::cors::{for_all_pages, preflight};
use super::envelope::Failure;
use super::{Compat, form};

/// The largest form that is read, in bytes: an offer has 3 to 10 KB.
const MAX_BODY: usize = 256 << 10;

pub(super) fn router(compat: Compat) -> Router {
    Router::new()
        .route(
            "/stream/{stream}/channel/{channel}/webrtc",
            post(offer).options(preflight),
        )
        // As it was before streams had channels.
        .route("/stream/{stream}/webrtc", post(first).options(preflight))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(compat)
}

async fn offer(
    State(compat): State<Compat>,
    Path((id, channel)): Path<(String, String)>,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let channel = compat.channel(&id, &channel);
    answered(&compat, channel, guest, &headers, body).await
}

async fn first(
    State(compat): State<Compat>,
    Path(id): Path<String>,
    guest: Option<Extension<Guest>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let channel = compat.first_channel(&id);
    answered(&compat, channel, guest, &headers, body).await
}

/// What there is to say to the offer in `body`.
async fn answered(
    compat: &Compat,
    channel: Result<Channel, Failure>,
    guest: Option<Extension<Guest>>,
    headers: &HeaderMap,
    body: Bytes,
) -> Response {
    let answered = async {
        let channel = channel?;
        let data = form::fields(headers, body).await.remove("data");
        compat
            .answer(&channel, guest, &data.unwrap_or_default())
            .await
    };
    let answered = answered.await.map(|answer| {
        let headers = [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (CACHE_CONTROL, "no-store"),
        ];
        (headers, answer)
    });
    for_all_pages(answered)
}

impl Compat {
    /// The answer to an offer, both in Base64.
    pub(super) async fn answer(
        &self,
        channel: &Channel,
        guest: Option<Extension<Guest>>,
        offer: &str,
    ) -> Result<String, Failure> {
        let offer = form::decoded(offer).filter(|offer| !offer.is_empty());
        let offer = offer.ok_or_else(|| {
            Failure::Body("the field `data` must hold an offer (SDP) in Base64".to_owned())
        })?;
        let offers = self.0.offers.as_ref();
        let offers = offers.ok_or(Failure::Defect("there is no WebRTC"))?;
        let Extension(guest) = guest.unwrap_or_default();
        match offers.answer(channel, guest.over(PROTOCOL), &offer).await {
            Ok(answer) => Ok(form::encoded(&answer)),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match (refusal.reason, refusal.status) {
            ("source_offline", _) => Self::NotReady,
            ("no_stream", _) => Self::StreamNotFound,
            (_, StatusCode::SERVICE_UNAVAILABLE) => Self::Busy(refusal.detail),
            _ => Self::Body(refusal.detail),
        }
    }
}
