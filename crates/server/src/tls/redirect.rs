//! Plain HTTP that says where HTTPS is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HOST, LOCATION};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

/// Where an ACME authority asks (RFC 8555, section 8.3).
const CHALLENGE: &str = "/.well-known/acme-challenge/";
/// The port that `https://` means.
const HTTPS: u16 = 443;

/// Answers every request with the same URL under `https://`, at `port` as it is then. What has no usable `Host` is 400. An ACME
/// authority is told what `known` says of its token.
pub(crate) fn redirect(
    port: Arc<AtomicU16>,
    known: impl Fn(&str) -> Option<String> + Clone + Send + Sync + 'static,
) -> Router {
    Router::new().fallback(move |request: Request| async move {
        let token = request.uri().path().strip_prefix(CHALLENGE);
        if let Some(authorization) = token.and_then(known) {
            return authorization.into_response();
        }
        match location(
            request.headers(),
            request.uri(),
            port.load(Ordering::Relaxed),
        ) {
            Some(location) => {
                (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response()
            }
            None => bad_host(),
        }
    })
}

fn bad_host() -> Response {
    let text = "The request names no host, so it can't be said where https:// is.\n";
    (StatusCode::BAD_REQUEST, text).into_response()
}

fn location(headers: &HeaderMap, uri: &Uri, port: u16) -> Option<HeaderValue> {
    let named = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority: Authority = named
        .or_else(|| uri.authority().map(Authority::as_str))?
        .parse()
        .ok()?;
    // An authority may hold a user name.
    let host = Some(authority.host())
        .filter(|host| !host.is_empty() && !authority.as_str().contains('@'))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let port = if port == HTTPS {
        String::new()
    } else {
        format!(":{port}")
    };
    HeaderValue::from_str(&format!("https://{host}{port}{path}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &'static str, uri: &'static str, port: u16) -> Option<String> {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        let value = location(&headers, &Uri::from_static(uri), port)?;
        value.to_str().ok().map(str::to_owned)
    }

    #[test]
    fn the_same_place_is_named_under_https() {
        let found = at("cams.lan:8080", "/stream/a?x=1", 443);
        assert_eq!(found.as_deref(), Some("https://cams.lan/stream/a?x=1"));
        let found = at("[::1]:8080", "/", 8443);
        assert_eq!(found.as_deref(), Some("https://[::1]:8443/"));
        for host in ["", "a b", "user@evil", "a/b"] {
            assert_eq!(at(host, "/", 443), None, "{host}");
        }
        assert_eq!(
            location(&HeaderMap::new(), &Uri::from_static("/"), 443),
            None
        );
    }
}
