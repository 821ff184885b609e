//! What goes back over HTTP: bodies that are shared, and the headers by which caches carry the crowd.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, VARY,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::snapshot::Text;

/// A playlist without directives is good for a second: a new player gets one that is nearly new, and a cache asks once
/// for all of them.
const FRESH: HeaderValue = HeaderValue::from_static("public, max-age=1");

/// One that names a part, too, and no longer, though the draft has six target durations (B.1): video.js (8.24) asks for
/// the last part of a segment again and again until there is one of the next, and from a cache it would not hear of
/// that. Its own browser's cache is passed by.
const NAMED: HeaderValue = HeaderValue::from_static("public, max-age=0, s-maxage=1");

/// Init segments, segments and parts are good for ever, but caches have better uses for their room.
const FOR_LONG: HeaderValue = HeaderValue::from_static("public, max-age=3600, immutable");

/// "There is no such thing" is good for a second.
const MISSING: HeaderValue = HeaderValue::from_static("public, max-age=1");

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");
const PLAYLIST: HeaderValue = HeaderValue::from_static("application/vnd.apple.mpegurl");
const EXPOSED: HeaderValue = HeaderValue::from_static("Age, Date, ETag, Retry-After");
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const ASKED_HEADERS: HeaderValue =
    HeaderValue::from_static("Authorization, Cache-Control, If-None-Match, Range");

/// How many headers there will be, with those of layers around: room for all at once.
const HEADERS: usize = 12;

/// Why there is nothing to send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such Stream or Channel.
    #[error("there is no {what} `{id}`")]
    Unknown { what: &'static str, id: String },
    /// The file is listed no more, or never was.
    #[error("there is no such file (any more)")]
    Gone,
    /// The file will be there, but not next. No cache may remember that it was asked for too early: it would keep it from all who ask
    /// in time.
    #[error("there is no such file yet")]
    Early,
    /// The directives make no sense here.
    #[error("{0}")]
    Directive(&'static str),
    /// It did not come in time.
    #[error("{0}")]
    Late(String),
    /// Too many wait already.
    #[error("too many requests wait; try again in a second")]
    Full,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, title, cache) = match self {
            Self::Unknown { .. } | Self::Gone => (StatusCode::NOT_FOUND, "Not Found", MISSING),
            Self::Early => (StatusCode::NOT_FOUND, "Not Found", NO_STORE),
            Self::Directive(_) => (StatusCode::BAD_REQUEST, "Bad Request", NO_STORE),
            Self::Late(_) | Self::Full => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Service Unavailable",
                NO_STORE,
            ),
        };
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        let mut response = respond(status, problem.to_string().into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PROBLEM);
        headers.insert(CACHE_CONTROL, cache);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// The answer to a browser's question whether a page of another origin may ask with a header that says who asks.
pub(crate) async fn preflight() -> Response {
    let mut response = respond(StatusCode::NO_CONTENT, Bytes::new());
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, ASKED_HEADERS);
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    headers.insert(CACHE_CONTROL, NO_STORE);
    response
}

/// What of a request's headers matters here.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// Headers alone are wanted.
    pub(crate) head: bool,
    gzip: bool,
    /// If-None-Match.
    known: Option<HeaderValue>,
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self {
            head: parts.method == Method::HEAD,
            gzip: takes_gzip(&parts.headers),
            known: parts.headers.get(IF_NONE_MATCH).cloned(),
        })
    }
}

impl Asked {
    /// Whether who asks has the version `etag` already (RFC 9110 §13.1.2).
    fn knows(&self, etag: &HeaderValue) -> bool {
        let known = self.known.as_ref().and_then(|known| known.to_str().ok());
        let same = |tag: &str| tag.trim().trim_start_matches("W/").as_bytes() == etag.as_bytes();
        known.is_some_and(|known| known.trim() == "*" || known.split(',').any(same))
    }
}

/// A playlist; `named` says that its URL names a part.
pub(crate) fn playlist(text: &Text, asked: &Asked, named: bool) -> Response {
    let version = if asked.gzip { text.gzip() } else { &text.plain };
    let mut response = tagged(&version.etag, asked, &version.body);
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
    let age = if named { NAMED } else { FRESH };
    headers.insert(CACHE_CONTROL, age);
    if response.status() == StatusCode::OK {
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, PLAYLIST);
        if asked.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    response
}

/// A file of media, under a name that never means anything else.
pub(crate) fn media(kind: &'static str, etag: String, asked: &Asked, body: &Bytes) -> Response {
    let etag = HeaderValue::try_from(etag).unwrap_or(HeaderValue::from_static("\"?\""));
    let mut response = tagged(&etag, asked, body);
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, FOR_LONG);
    if response.status() == StatusCode::OK {
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}

fn tagged(etag: &HeaderValue, asked: &Asked, body: &Bytes) -> Response {
    let mut response = if asked.knows(etag) {
        respond(StatusCode::NOT_MODIFIED, Bytes::new())
    } else {
        respond(StatusCode::OK, body.clone())
    };
    response.headers_mut().insert(ETAG, etag.clone());
    response
}

fn respond(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(HEADERS);
    // Any page may play: what is not public is kept by a layer around this router.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    response
}

/// RFC 9110 §12.5.3, as far as players use it.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let named = asked.get_all(ACCEPT_ENCODING).into_iter();
    let mut codings = named
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let refused = weight
            .trim()
            .strip_prefix("q=")
            .is_some_and(|q| q.parse() == Ok(0.0));
        name.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static(value))])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        assert!(takes_gzip(&asked("gzip, deflate, br")));
        assert!(takes_gzip(&asked("br;q=1.0, GZIP;q=0.5")));
        assert!(!takes_gzip(&asked("gzip;q=0, identity")));
        assert!(!takes_gzip(&asked("identity")));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
