//! What a request says of who sends it, taken out of it: nobody after this sees, and so nobody logs, a token.

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// The name of the session's cookie.
pub(super) const COOKIE_NAME: &str = "lunette";
/// What comes before a token that is part of the path.
pub(super) const PATH: &str = "/t/";
/// The name of a token that is part of the query.
const QUERY: &str = "token";

/// A token in the URL, in the extensions of the request.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct UrlToken {
    text: String,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    Query,
}

/// Who somebody says they are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Presented {
    /// Nothing.
    Nothing,
    /// A token in the path, which all that is listed at this URL inherits.
    PathToken(String),
    /// A token in the query.
    QueryToken(String),
    /// `Authorization: Bearer`.
    Bearer(String),
    /// `Authorization: Basic`. Browsers send it by themselves.
    Basic {
        /// The user.
        name: String,
        /// Their password.
        password: String,
    },
    /// A session's cookie. Browsers send it by themselves.
    Cookie(String),
}

impl Presented {
    /// Whether a browser sends it by itself, whoever made it ask.
    pub(super) fn is_ambient(&self) -> bool {
        matches!(self, Self::Nothing | Self::Basic { .. } | Self::Cookie(_))
    }

    /// What `request` says, once [`strip`] was called on it.
    pub(super) fn of(request: &Request) -> Self {
        let in_url = request.extensions().get::<UrlToken>();
        if let Some(UrlToken { text, place }) = in_url.filter(|token| !token.text.is_empty()) {
            return match place {
                Place::Path => Self::PathToken(text.clone()),
                Place::Query => Self::QueryToken(text.clone()),
            };
        }
        let headers = request.headers();
        authorization(headers)
            .or_else(|| cookie(headers, COOKIE_NAME).map(Self::Cookie))
            .unwrap_or(Self::Nothing)
    }
}

fn authorization(headers: &HeaderMap) -> Option<Presented> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Presented::Bearer(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some(Presented::Basic {
        name: name.to_owned(),
        password: password.to_owned(),
    })
}

/// The value of the cookie `name`.
pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(COOKIE).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let mut pairs = values
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
}

/// Takes a token out of the URL of `request`, and marks what is secret in its headers.
pub(crate) fn strip(request: &mut Request) {
    for name in [AUTHORIZATION, COOKIE] {
        if let Some(value) = request.headers_mut().get_mut(name) {
            value.set_sensitive(true);
        }
    }
    if let Some((uri, token)) = without_token(request.uri()) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(token);
    }
}

fn without_token(uri: &Uri) -> Option<(Uri, UrlToken)> {
    let (path, in_path) = match uri
        .path()
        .strip_prefix(PATH)
        .and_then(|rest| rest.split_once('/'))
    {
        Some((token, _)) => (&uri.path()[PATH.len() + token.len()..], Some(token)),
        None => (uri.path(), None),
    };
    let is_token = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| name == QUERY);
    let pairs = || uri.query().unwrap_or_default().split('&');
    let in_query = pairs().find(is_token).and_then(|pair| pair.split_once('='));
    let (text, place) = match (in_path, in_query) {
        (Some(token), _) => (token, Place::Path),
        (None, Some((_, token))) => (token, Place::Query),
        (None, None) => return None,
    };
    let text = percent_decode_str(text).decode_utf8_lossy().into_owned();
    let left: Vec<&str> = pairs()
        .filter(|pair| !is_token(pair) && !pair.is_empty())
        .collect();
    let whole = if left.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", left.join("&"))
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(whole).ok()?);
    Some((Uri::from_parts(parts).ok()?, UrlToken { text, place }))
}

impl std::fmt::Debug for UrlToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[redacted, in the {:?}]", self.place)
    }
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn seen(uri: &str, header: Option<(&str, &str)>) -> (String, Presented) {
        let mut request = Request::get(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        strip(&mut request);
        let presented = Presented::of(&request);
        let shown = format!("{request:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        (request.uri().to_string(), presented)
    }

    #[test]
    fn a_token_is_taken_out_of_the_url_and_all_else_stays() {
        let query = |text: &str| Presented::QueryToken(text.to_owned());
        for (uri, left, presented) in [
            (
                "/stream/a/mse?token=s3cret",
                "/stream/a/mse",
                query("s3cret"),
            ),
            (
                "/m?_HLS_msn=1&token=s3cret%2Bx&_HLS_part=2",
                "/m?_HLS_msn=1&_HLS_part=2",
                query("s3cret+x"),
            ),
            ("/m?token=s3cret&token=other", "/m", query("s3cret")),
            ("/m?token=", "/m", Presented::Nothing),
            ("/m?tokens=x", "/m?tokens=x", Presented::Nothing),
            ("/m?token", "/m?token", Presented::Nothing),
            (
                "/t/s3cret/stream/a/mse?x=1",
                "/stream/a/mse?x=1",
                Presented::PathToken("s3cret".to_owned()),
            ),
            (
                "/t/s3cret/m?token=other",
                "/m",
                Presented::PathToken("s3cret".to_owned()),
            ),
            ("/t//m", "/m", Presented::Nothing),
            ("/t", "/t", Presented::Nothing),
            ("/table/m", "/table/m", Presented::Nothing),
        ] {
            assert_eq!(seen(uri, None), (left.to_owned(), presented), "{uri}");
        }
    }

    #[test]
    fn headers_say_who_asks_where_the_url_does_not() {
        let authorization = |value: &str| seen("/m", Some(("authorization", value))).1;
        assert_eq!(
            authorization("Bearer  s3cret"),
            Presented::Bearer("s3cret".to_owned())
        );
        let basic = format!("basic {}", STANDARD.encode("ann:s3cret:x"));
        let (name, password) = ("ann".to_owned(), "s3cret:x".to_owned());
        assert_eq!(authorization(&basic), Presented::Basic { name, password });
        for none in ["Bearer", "Basic !!!", "Digest x=y", ""] {
            assert_eq!(authorization(none), Presented::Nothing, "{none}");
        }
        let cookie = seen("/m", Some(("cookie", "a=b; lunette=s3cret; c=d"))).1;
        assert_eq!(cookie, Presented::Cookie("s3cret".to_owned()));
        let both = seen("/m?token=s3cret", Some(("authorization", "Bearer other"))).1;
        assert_eq!(both, Presented::QueryToken("s3cret".to_owned()));
    }
}
