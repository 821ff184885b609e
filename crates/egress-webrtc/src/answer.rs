//! What WHEP says over HTTP: refusals with a reason for programs (RFC 9457), and the headers that browsers need.

use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hub::Unknown;

use crate::plan::Misfit;

/// Why a request is refused; as a response, `application/problem+json` (`docs/webrtc.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the response.
    pub status: StatusCode,
    /// In one word for programs.
    pub reason: &'static str,
    /// In words for people.
    pub detail: String,
    /// When it may be tried again, in seconds.
    pub retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            reason,
            detail: detail.into(),
            retry_after: None,
        }
    }

    pub(crate) fn b_frames() -> Self {
        let detail = "the camera sends B-frames, which WebRTC can't carry; switch them off, or play by MSE or HLS";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "b_frames", detail)
    }

    pub(crate) fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }
}

impl From<Unknown> for Refusal {
    fn from(unknown: Unknown) -> Self {
        let detail = unknown.to_string();
        match unknown {
            Unknown::Offline { retry, .. } | Unknown::Silent { retry } => {
                Self::new(StatusCode::CONFLICT, "source_offline", detail).after(retry.as_secs())
            }
            _ => Self::new(StatusCode::NOT_FOUND, "no_stream", detail),
        }
    }
}

impl From<Misfit> for Refusal {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::NothingToReceive => {
                let detail = "no section of the offer receives: offer `recvonly` video or audio, bundled, with rtcp-mux";
                Self::new(StatusCode::BAD_REQUEST, "nothing_to_receive", detail)
            }
            Misfit::Codec(names) => {
                let detail =
                    format!("the viewer offers none of the codecs of this stream: {names}");
                Self::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "unsupported_codec",
                    detail,
                )
            }
            Misfit::NoMedia => {
                let detail = "the stream has nothing of what is offered to receive";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "no_media", detail)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "reason": self.reason,
            "detail": self.detail,
        });
        let headers = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, headers, problem.to_string()).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Lets pages of any origin play, as they may by other protocols, and read what they need for it.
pub(crate) async fn for_any_origin(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 3] = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (
            ACCESS_CONTROL_EXPOSE_HEADERS,
            "Location, ETag, Link, Accept-Patch, Accept-Post, Retry-After, Lunette-Left-Out",
        ),
        (CACHE_CONTROL, "no-store"),
    ];
    put(response.headers_mut(), &headers);
    response
}

/// The answer to `OPTIONS`, which is also that of a browser's preflight.
pub(crate) fn options(post: bool) -> Response {
    let mut response = StatusCode::OK.into_response();
    let (accepts, methods) = if post {
        (
            ("accept-post", "application/sdp"),
            "GET, HEAD, POST, OPTIONS",
        )
    } else {
        (
            ("accept-patch", "application/trickle-ice-sdpfrag"),
            "GET, HEAD, PATCH, DELETE, OPTIONS",
        )
    };
    let headers = [
        (HeaderName::from_static(accepts.0), accepts.1),
        (ACCESS_CONTROL_ALLOW_METHODS, methods),
        (
            ACCESS_CONTROL_ALLOW_HEADERS,
            "Authorization, Content-Type, If-Match",
        ),
        (HeaderName::from_static("access-control-max-age"), "86400"),
    ];
    put(response.headers_mut(), &headers);
    response
}

fn put(headers: &mut HeaderMap, values: &[(HeaderName, &'static str)]) {
    for (name, value) in values {
        headers.insert(name.clone(), HeaderValue::from_static(value));
    }
}

/// Whether a request's content type is `wanted`, parameters aside.
pub(crate) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(wanted))
}
