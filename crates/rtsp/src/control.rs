//! Which URL a session and its tracks are controlled by (RFC 2326 Appendix C.1.1), as cameras mean it.

/// What the control attributes of a description are relative to: the first of `Content-Base`,
/// `Content-Location` and the URL of the request that is usable.
///
/// Cameras write `rtsp://rtsp://host/…`, `rtsp://::ffff:192.0.2.1/…` (IPv6 without brackets), bare hosts and
/// bare paths there. The host that a camera names is kept even if it is not the one we reached it by: it
/// knows itself by that name, and the connection stays the same.
pub fn base(request_url: &str, candidates: &[Option<&str>]) -> String {
    candidates
        .iter()
        .flatten()
        .find_map(|c| usable(c.trim()))
        .unwrap_or_else(|| request_url.to_owned())
}

/// The URL of the track whose `a=control` is `control`, relative to `base`.
///
/// An absolute URL stands for itself, nothing and `*` for the base. Anything else is appended, with one
/// slash between: that is what live555 does, so what every camera was tested with, although
/// resolution of relative URLs (RFC 3986 §5) would replace the last segment and drop the query.
pub fn join(base: &str, control: &str) -> String {
    let control = control.trim();
    if control.is_empty() || control == "*" {
        return base.to_owned();
    }
    if is_absolute(control) {
        return control.to_owned();
    }
    let separate = !control.starts_with(['/', '?']);
    match (base.ends_with('/'), separate) {
        (true, false) if control.starts_with('/') => format!("{base}{}", &control[1..]),
        (false, true) => format!("{base}/{control}"),
        _ => format!("{base}{control}"),
    }
}

/// The path and the query of a URL, without the scheme and the host: what a server looks up.
///
/// The path begins with a slash; `*` stands for itself.
pub fn path_and_query(url: &str) -> (&str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| {
        rest.find(['/', '?']).map_or("/", |at| &rest[at..])
    });
    match rest.split_once('?') {
        Some(("", query)) => ("/", Some(query)),
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    }
}

fn is_absolute(url: &str) -> bool {
    ["rtsp://", "rtsps://", "rtspu://"].iter().any(|s| {
        url.get(..s.len())
            .is_some_and(|u| u.eq_ignore_ascii_case(s))
    })
}

/// An absolute URL whose host makes sense, without credentials.
fn usable(url: &str) -> Option<String> {
    let (scheme, mut rest) = url.split_once("://").filter(|_| is_absolute(url))?;
    while is_absolute(rest) {
        rest = rest.split_once("://").map_or(rest, |(_, r)| r);
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority.rsplit_once('@').map_or(authority, |(_, h)| h);
    let bare_ipv6 = !host.starts_with('[') && host.matches(':').count() > 1;
    (!host.is_empty() && !bare_ipv6 && !url.contains(char::is_whitespace))
        .then(|| format!("{scheme}://{host}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_is_found_below_its_base() {
        for (base, control, url) in [
            ("rtsp://h/s/", "trackID=1", "rtsp://h/s/trackID=1"),
            ("rtsp://h/s", "trackID=1", "rtsp://h/s/trackID=1"),
            ("rtsp://h/s/", "/trackID=1", "rtsp://h/s/trackID=1"),
            ("rtsp://h/s", "/trackID=1", "rtsp://h/s/trackID=1"),
            ("rtsp://h/s?x=1", "trackID=1", "rtsp://h/s?x=1/trackID=1"),
            ("rtsp://h/s", "?track=1", "rtsp://h/s?track=1"),
            ("rtsp://h/s", "*", "rtsp://h/s"),
            ("rtsp://h/s/", "", "rtsp://h/s/"),
            ("rtsp://h/s", "RTSP://h2/t ", "RTSP://h2/t"),
        ] {
            assert_eq!(join(base, control), url);
        }
    }

    #[test]
    fn a_broken_content_base_is_mended_or_passed_over() {
        let ask = "rtsp://192.0.2.1:554/live";
        for (given, expected) in [
            (Some("rtsp://10.0.0.1/live/"), "rtsp://10.0.0.1/live/"),
            (
                Some("rtsp://rtsp://10.0.0.1/live/"),
                "rtsp://10.0.0.1/live/",
            ),
            (Some("rtsp://::ffff:10.0.0.1/live/"), ask),
            (Some("rtsp://[::1]:554/live/"), "rtsp://[::1]:554/live/"),
            (Some("10.0.0.1/live/"), ask),
            (Some("/live/"), ask),
            (Some("rtsp:///live"), ask),
            (Some(""), ask),
            (None, ask),
        ] {
            assert_eq!(base(ask, &[given]), expected);
        }
        assert_eq!(base(ask, &[Some(""), Some("rtsp://l/")]), "rtsp://l/");
    }

    #[test]
    fn a_server_sees_path_and_query() {
        for (url, path, query) in [
            ("rtsp://h:554/a/b?c=d", "/a/b", Some("c=d")),
            ("rtsp://h", "/", None),
            ("rtsp://h?x", "/", Some("x")),
            ("/a", "/a", None),
            ("*", "*", None),
        ] {
            assert_eq!(path_and_query(url), (path, query));
        }
    }
}
