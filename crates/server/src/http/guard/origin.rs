//! Who made a browser ask. What a browser sends by itself (cookies, Basic, that it runs on this machine) must not be used by
//! pages of others.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN, REFERER, USER_AGENT};
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
    let Some(page) = headers.get(ORIGIN).or_else(|| headers.get(REFERER)) else {
        // Over plain HTTP browsers don't say which page has them load an image, if that page does not wish so.
        return !(request.method().is_safe() && is_a_browser(headers));
    };
    match (authority(page), host(headers, request.uri())) {
        (Some(page), Some(host)) => same(&page, &host),
        _ => false,
    }
}

fn is_a_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    agent.is_some_and(|agent| agent.starts_with(b"Mozilla/"))
}

/// Of the page that a header names by its origin or URL.
fn authority(page: &HeaderValue) -> Option<Authority> {
    let page: Uri = page.to_str().ok()?.parse().ok()?;
    page.into_parts().authority
}

/// Whether `request` names this machine as its host, and not a name that somebody made lead here.
pub(super) fn names_this_machine(request: &Request) -> bool {
    let Some(host) = host(request.headers(), request.uri()) else {
        // HTTP/1.0, which no browser speaks.
        return true;
    };
    let name = bare(&host);
    name.parse::<IpAddr>().is_ok() || is_localhost(name)
}

/// Whether no page asks, or one that this machine serves. Whoever opens a page from elsewhere did not mean to show it the cameras
/// that are seen here.
pub(super) fn is_of_this_machine(request: &Request) -> bool {
    let Some(origin) = request.headers().get(ORIGIN) else {
        return true;
    };
    let Some(origin) = authority(origin) else {
        return false;
    };
    let (name, host) = (bare(&origin), host(request.headers(), request.uri()));
    let here = name
        .parse::<IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    here || is_localhost(name) || host.is_some_and(|host| same(&origin, &host))
}

/// The name or address, without brackets and port.
fn bare(authority: &Authority) -> &str {
    let host = authority.host();
    host.trim_start_matches('[').trim_end_matches(']')
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost")
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
    fn a_browser_that_does_not_say_whose_page_asks_changes_nothing_by_a_get() {
        let (host, browser) = (("host", "cams.lan:8083"), ("user-agent", "Mozilla/5.0 (X)"));
        let get = |headers: &[(&str, &str)]| {
            let mut request = request(headers);
            *request.method_mut() = axum::http::Method::GET;
            is_ours(&request)
        };
        assert!(get(&[host, ("user-agent", "curl/8")]) && get(&[host]));
        assert!(!get(&[host, browser]));
        assert!(get(&[
            host,
            browser,
            ("referer", "http://cams.lan:8083/pages/x")
        ]));
        assert!(!get(&[host, browser, ("referer", "http://evil.example/")]));
        assert!(
            is_ours(&request(&[host, browser])),
            "such a POST has an origin"
        );
    }

    #[test]
    fn a_page_from_elsewhere_is_not_of_this_machine() {
        let host = ("host", "127.0.0.1:8083");
        for (origin, ours) in [
            ("http://127.0.0.1:3000", true),
            ("http://[::1]:8083", true),
            ("http://localhost", true),
            ("http://cams.localhost:5173", true),
            ("https://evil.example", false),
            ("http://localhost.evil.example", false),
            ("http://192.168.1.7", false),
            ("null", false),
            ("file://", false),
        ] {
            let request = request(&[host, ("origin", origin)]);
            assert_eq!(is_of_this_machine(&request), ours, "{origin}");
        }
        let own = [("host", "192.168.1.7"), ("origin", "http://192.168.1.7")];
        assert!(is_of_this_machine(&request(&own)) && is_of_this_machine(&request(&[host])));
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
