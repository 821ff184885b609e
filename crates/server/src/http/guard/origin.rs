//! Who made a browser ask. What a browser sends by itself (cookies, Basic, that it runs on this machine) must not be used by
//! pages of others.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether `request` comes from a page of ours, or from no page at all.
pub(super) fn is_ours(request: &Request) -> bool {
    let headers = request.headers();
    match headers.get(FETCH_SITE).map(HeaderValue::as_bytes) {
        Some(b"same-origin" | b"none") => return true,
        // A browser that says so says it of every request that another page made.
        Some(_) => return false,
        None => {}
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok());
    let origin = origin.as_ref().and_then(Uri::authority);
    match (origin, host(headers, request.uri())) {
        (Some(origin), Some(host)) => same(origin, &host),
        _ => false,
    }
}

/// Whether `request` names this machine as its host, and not a name that somebody made lead here.
pub(super) fn names_this_machine(request: &Request) -> bool {
    let Some(host) = host(request.headers(), request.uri()) else {
        // HTTP/1.0, which no browser speaks.
        return true;
    };
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
}

fn host(headers: &HeaderMap, uri: &Uri) -> Option<Authority> {
    let named = headers.get(HOST).and_then(|host| host.to_str().ok());
    named
        .and_then(|host| host.parse().ok())
        .or_else(|| uri.authority().cloned())
}

/// Names have no case; a port that is not said is the scheme's, which the other may say.
fn same(origin: &Authority, host: &Authority) -> bool {
    let port = |authority: &Authority| {
        authority
            .port_u16()
            .filter(|port| ![80, 443].contains(port))
    };
    origin.host().eq_ignore_ascii_case(host.host()) && port(origin) == port(host)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request {
        let mut request = Request::post("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn pages_of_others_are_told_from_ours() {
        let host = ("host", "cams.lan:8083");
        for (headers, ours) in [
            (vec![host], true),
            (vec![host, ("origin", "http://cams.lan:8083")], true),
            (vec![host, ("origin", "http://CAMS.lan:8083")], true),
            (
                vec![("host", "cams.lan"), ("origin", "https://cams.lan")],
                true,
            ),
            (vec![host, ("origin", "http://cams.lan:8084")], false),
            (vec![host, ("origin", "http://evil.example")], false),
            (
                vec![host, ("origin", "http://cams.lan.evil.example:8083")],
                false,
            ),
            (vec![host, ("origin", "null")], false),
            (vec![("origin", "http://cams.lan:8083")], false),
            (
                vec![
                    host,
                    ("sec-fetch-site", "same-origin"),
                    ("origin", "http://other"),
                ],
                true,
            ),
            (vec![host, ("sec-fetch-site", "none")], true),
            (vec![host, ("sec-fetch-site", "same-site")], false),
            (vec![host, ("sec-fetch-site", "cross-site")], false),
        ] {
            assert_eq!(is_ours(&request(&headers)), ours, "{headers:?}");
        }
    }

    #[test]
    fn a_name_that_was_made_to_lead_here_is_not_this_machine() {
        for (host, ours) in [
            ("127.0.0.1:8083", true),
            ("[::1]:8083", true),
            ("localhost", true),
            ("LOCALHOST:80", true),
            ("evil.example:8083", false),
            ("localhost.evil.example", false),
        ] {
            assert_eq!(
                names_this_machine(&request(&[("host", host)])),
                ours,
                "{host}"
            );
        }
    }
}
