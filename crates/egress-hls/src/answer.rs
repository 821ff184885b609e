//! What goes back over HTTP: bodies that are shared, and the headers by which caches carry the crowd.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL,
    CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::snapshot::Text;

/// For how long a playlist without directives is good, in seconds: a new player gets one that is nearly new, and a
/// cache asks once for all of them.
const PLAYLIST_AGE: u64 = 1;

/// For how long init segments, segments and parts are good, in seconds: for ever, but caches have better uses for their
/// room.
const MEDIA_AGE: u64 = 3600;

/// For how long "there is no such thing" is good, in seconds.
const MISSING_AGE: u64 = 1;

/// Why there is nothing to send.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// There is no such Stream or Channel.
    #[error("there is no {what} `{id}`")]
    Unknown { what: &'static str, id: String },
    /// The file is listed no more, or not yet, or never was.
    #[error("there is no such file (any more)")]
    Gone,
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
            Self::Unknown { .. } | Self::Gone => {
                (StatusCode::NOT_FOUND, "Not Found", age(MISSING_AGE, ""))
            }
            Self::Directive(_) => (StatusCode::BAD_REQUEST, "Bad Request", no_store()),
            Self::Late(_) | Self::Full => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Service Unavailable",
                no_store(),
            ),
        };
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": title,
            "status": status.as_u16(),
            "detail": self.to_string(),
        });
        let kind = HeaderValue::from_static("application/problem+json");
        let mut headers = vec![(CONTENT_TYPE, kind), (CACHE_CONTROL, cache)];
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.push((RETRY_AFTER, HeaderValue::from_static("1")));
        }
        respond(status, headers, problem.to_string().into())
    }
}

/// A playlist, which is good for `seconds`.
pub(crate) fn playlist(text: &Text, asked: &HeaderMap, seconds: Option<u64>) -> Response {
    let gzip = takes_gzip(asked);
    let tag = if gzip { "-gz" } else { "" };
    let etag = format!("\"{}{tag}\"", text.etag);
    let mut headers = vec![
        (
            CONTENT_TYPE,
            HeaderValue::from_static("application/vnd.apple.mpegurl"),
        ),
        (CACHE_CONTROL, age(seconds.unwrap_or(PLAYLIST_AGE), "")),
        (VARY, HeaderValue::from_static("Accept-Encoding")),
    ];
    if gzip {
        headers.push((CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    }
    let body = if gzip { text.gzip() } else { &text.plain };
    tagged(&etag, asked, headers, body.clone())
}

/// A file of media, under a name that never means anything else.
pub(crate) fn media(kind: &'static str, etag: &str, asked: &HeaderMap, body: Bytes) -> Response {
    let headers = vec![
        (CONTENT_TYPE, HeaderValue::from_static(kind)),
        (CACHE_CONTROL, age(MEDIA_AGE, ", immutable")),
    ];
    tagged(etag, asked, headers, body)
}

fn tagged(
    etag: &str,
    asked: &HeaderMap,
    mut headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
) -> Response {
    headers.extend(HeaderValue::from_str(etag).map(|etag| (ETAG, etag)));
    let known = asked
        .get(IF_NONE_MATCH)
        .and_then(|known| known.to_str().ok());
    let matches = |known: &str| {
        let strong = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
        known.trim() == "*" || known.split(',').any(strong)
    };
    if known.is_some_and(matches) {
        headers.retain(|(name, _)| name != CONTENT_ENCODING && name != CONTENT_TYPE);
        return respond(StatusCode::NOT_MODIFIED, headers, Bytes::new());
    }
    respond(StatusCode::OK, headers, body)
}

fn respond(status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    // Any page may play: what is not public is kept by a layer around this router.
    let open = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Age, Date, ETag"),
        ),
    ];
    response
        .headers_mut()
        .extend(open.into_iter().chain(headers));
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

fn age(seconds: u64, more: &str) -> HeaderValue {
    let text = format!("public, max-age={seconds}{more}");
    HeaderValue::from_str(&text).expect("digits and ASCII words")
}

fn no_store() -> HeaderValue {
    HeaderValue::from_static("no-store")
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
