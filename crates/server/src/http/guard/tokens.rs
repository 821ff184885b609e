//! `/api/v1/media-tokens`: signed media URLs, for pages that let people watch who have no credentials here.

use auth::{Glob, MediaToken};
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::{Guard, carry, now};
use crate::http::fresh;
use crate::http::problem::{Failure, Problem};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 8 << 10;
/// The longest time that a token lasts: a year, in seconds.
pub(crate) const LONGEST: u64 = 366 * 24 * 3600;

/// What a signed media URL shall be for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MediaTokenRequest)]
pub(super) struct Wanted {
    /// An id, or a pattern for ids.
    #[schema(example = "front", pattern = "^[A-Za-z0-9_.~*?-]{1,128}$")]
    stream: String,
    /// In seconds, a year at most.
    #[schema(example = 3600, minimum = 1, maximum = 31_622_400)]
    #[serde(deserialize_with = "whole")]
    expires_in: u64,
}

/// A signed media URL.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MediaToken)]
pub(super) struct Made {
    /// The token, which may also be sent as `?token=`.
    token: String,
    /// Seconds since the Unix epoch.
    expires: u64,
    /// What comes before the path of anything of the stream.
    path: String,
}

/// A whole number, however it is written: to JSON Schema `60.0` is one.
fn whole<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let of = |float: f64| (float.fract() == 0.0 && float >= 0.0).then_some(float as u64);
    let found = number.as_u64().or_else(|| number.as_f64().and_then(of));
    found.ok_or_else(|| D::Error::custom("`expires_in` is a whole number of seconds"))
}

pub(super) fn router(guard: Guard) -> Router {
    Router::new()
        .route("/api/v1/media-tokens", post(make))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(guard)
}

/// Signs a URL that lets whoever has it watch, until it ends (docs/auth.md).
#[utoipa::path(post, path = "/api/v1/media-tokens", operation_id = "sign_media_url", tag = "session", request_body = Wanted,
    responses((status = 201, description = "The token, and the path that has it", body = Made), Failure))]
pub(super) async fn make(State(guard): State<Guard>, body: Bytes) -> Response {
    let Wanted { stream, expires_in } = match serde_json::from_slice(&body) {
        Ok(wanted) => wanted,
        Err(error) => {
            let detail = format!(
                "a media token is asked for by {{\"stream\": \"front\", \"expires_in\": 3600}}: {error}"
            );
            return Problem::new(StatusCode::BAD_REQUEST, detail).into_response();
        }
    };
    let wrong = |field: &str, why: &str| {
        let problem = Problem::new(StatusCode::BAD_REQUEST, format!("`{field}`: {why}"));
        problem.at(format!("/{field}"), why).into_response()
    };
    if expires_in == 0 || expires_in > LONGEST {
        return wrong("expires_in", "a number of seconds, up to a year");
    }
    let streams: Glob = match stream.parse() {
        Ok(streams) => streams,
        Err(error) => return wrong("stream", &error.to_string()),
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
