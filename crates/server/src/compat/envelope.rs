//! How RTSPtoWeb answers: `{"status", "payload"}`, indented by four blanks, in this order. ZoneMinder looks for pieces of
//! that text.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value as Json};

use crate::http::Refusal;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("stream not found")]
    StreamNotFound,
    #[error("stream already exists")]
    StreamExists,
    #[error("stream channel already exists")]
    ChannelExists,
    #[error("stream channel codec not ready, possible stream offline")]
    NotReady,
    #[error("streams len zero")]
    NoStreams,
    /// The body can't be read.
    #[error("{0}")]
    Body(String),
    /// The settings can't be.
    #[error("{0}")]
    Settings(String),
    #[error("`compat.change_by_get` is off: send this as POST")]
    ByPost,
    /// There is no more room.
    #[error("{0}")]
    Busy(String),
    #[error("there is no such recording")]
    NoRecording,
    #[error("{0}")]
    Defect(&'static str),
}

impl Failure {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoStreams | Self::Body(_) | Self::Settings(_) => StatusCode::BAD_REQUEST,
            Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoRecording => StatusCode::NOT_FOUND,
            Self::ByPost => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        answer(self.status(), &envelope(0, self.to_string()))
    }
}

/// What it did.
pub(super) fn done(payload: impl Into<Json>) -> Response {
    answer(StatusCode::OK, &envelope(1, payload))
}

/// What became of something.
pub(super) fn envelope(status: u8, payload: impl Into<Json>) -> Json {
    let mut envelope = Map::new();
    envelope.insert("status".to_owned(), status.into());
    envelope.insert("payload".to_owned(), payload.into());
    Json::Object(envelope)
}

pub(super) fn answer(status: StatusCode, body: &Json) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, text(body)).into_response()
}

/// `json` as Go writes it: four blanks a level, and no `<`, `>` or `&`, nor the line separators of JavaScript.
fn text(json: &Json) -> String {
    let mut out = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    json.serialize(&mut serializer)
        .expect("a vector takes everything, and all keys are texts");
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    if !text.contains(['&', '<', '>', '\u{2028}', '\u{2029}']) {
        return text;
    }
    let escaped = [
        ("&", "\\u0026"),
        ("<", "\\u003c"),
        (">", "\\u003e"),
        ("\u{2028}", "\\u2028"),
        ("\u{2029}", "\\u2029"),
    ];
    escaped
        .iter()
        .fold(text, |text, (letter, code)| text.replace(letter, code))
}

/// What somebody gets who may not have what they ask for.
pub(crate) fn refused(refusal: Refusal) -> Response {
    let status = refusal.status();
    let mut response = match refusal {
        // As gin has it: no body.
        Refusal::Unauthenticated(_) => status.into_response(),
        _ => answer(status, &envelope(0, refusal.detail())),
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match refusal {
        Refusal::Unauthenticated(_) => {
            let basic = HeaderValue::from_static("Basic realm=\"Authorization Required\"");
            headers.insert(WWW_AUTHENTICATE, basic);
        }
        Refusal::TooMany(wait) => {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        _ => {}
    }
    response
}
