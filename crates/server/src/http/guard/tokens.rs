//! `/api/v1/media-tokens`: signed media URLs, for pages that let people watch who have no credentials here.

use auth::{Glob, MediaToken};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::{Guard, carry, now};
use crate::http::fresh;
use crate::http::problem::problem;

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 8 << 10;
/// The longest time that a token lasts: a year, in seconds.
pub(crate) const LONGEST: u64 = 366 * 24 * 3600;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// An id, or a pattern for ids.
    stream: String,
    /// In seconds.
    expires_in: u64,
}

#[derive(Debug, Serialize)]
struct Made {
    token: String,
    /// Seconds since the Unix epoch.
    expires: u64,
    /// What comes before the path of anything of the stream.
    path: String,
}

pub(super) fn router(guard: Guard) -> Router {
    Router::new()
        .route("/api/v1/media-tokens", post(make))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(guard)
}

async fn make(State(guard): State<Guard>, body: Bytes) -> Response {
    let wrong = |detail: &str| problem(StatusCode::BAD_REQUEST, detail);
    let Ok(Wanted { stream, expires_in }) = serde_json::from_slice(&body) else {
        return wrong(
            "a media token is asked for by {\"stream\": \"front\", \"expires_in\": 3600}",
        );
    };
    if expires_in == 0 || expires_in > LONGEST {
        return wrong("`expires_in` is a number of seconds, up to a year");
    }
    let streams: Glob = match stream.parse() {
        Ok(streams) => streams,
        Err(error) => return wrong(&format!("`stream`: {error}")),
    };
    let expires = now() + expires_in;
    let token = guard
        .policy()
        .signer()
        .sign(&MediaToken { streams, expires });
    let path = format!("{}{token}", carry::PATH);
    (
        StatusCode::CREATED,
        fresh(Json(Made {
            token,
            expires,
            path,
        })),
    )
        .into_response()
}
