//! What happens to every request before it is known which route it is for: who it is from, and under which path all
//! this is served.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::extract::Request;
use axum::http::header::LOCATION;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use tower::Service as _;

use super::client::Client;
use super::guard;
use super::listener::{App, Peer, Routed};
use super::problem;
use crate::config::{BasePath, Network};
use crate::latest::Latest;

/// Paths that are served at the root too: those who ask whether the server runs don't come through the proxy.
const AT_ROOT: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// What stands in front of the server.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    pub(crate) base: BasePath,
    pub(crate) trusted: Arc<[Network]>,
    /// How many connections one address may have that is not `trusted`; 0: as many as it likes.
    pub(crate) per_address: usize,
}

/// Under which path a request came, in its extensions, unless it is the root.
#[derive(Debug, Clone)]
pub(crate) struct Base(pub(crate) BasePath);

impl Entry {
    /// `app`, under the base path, with a [`Client`] in the extensions of every request. The entry is what it is `now`, at
    /// each request.
    pub(crate) fn before(now: Latest<Self>, app: Router) -> Site {
        Site { entry: now, app }
    }
}

/// All that is served, with what stands in front of it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    entry: Latest<Entry>,
    app: Router,
}

impl App for Site {
    type Answer = Passing;

    fn answer(&self, peer: Peer, mut request: Request) -> Passing {
        let entry = self.entry.get();
        let client = Client::of(peer, request.headers(), &entry.trusted);
        request.extensions_mut().insert(client);
        self.pass(entry, request)
    }
}

impl Site {
    fn pass(&self, entry: Arc<Entry>, mut request: Request) -> Passing {
        let base = &entry.base;
        match below(base.as_str(), request.uri()) {
            Below::Here => {}
            Below::There(uri) => *request.uri_mut() = uri,
            Below::Redirect => return Passing::Ready(Some(to_base(base.as_str()))),
            Below::Nowhere => return Passing::Ready(Some(problem::not_found_at_all())),
        }
        guard::strip(&mut request);
        if !base.as_str().is_empty() {
            request.extensions_mut().insert(Base(base.clone()));
        }
        let answer = Routed(self.app.clone().call(request));
        Passing::Routed(answer, entry)
    }
}

/// The answer of a [`Site`].
pub(crate) enum Passing {
    Routed(Routed, Arc<Entry>),
    Ready(Option<Response>),
}

impl Future for Passing {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        Poll::Ready(match &mut *self {
            Self::Routed(answer, entry) => {
                let response = ready!(Pin::new(answer).poll(cx));
                moved(response, entry.base.as_str())
            }
            Self::Ready(response) => response.take().expect("nobody polls what is ready"),
        })
    }
}

enum Below {
    Here,
    There(Uri),
    Redirect,
    Nowhere,
}

/// Where `uri` leads, seen from `base`.
fn below(base: &str, uri: &Uri) -> Below {
    let path = uri.path();
    if base.is_empty() || AT_ROOT.contains(&path) {
        return Below::Here;
    }
    if path == "/" || path == base {
        return Below::Redirect;
    }
    let rest = path.strip_prefix(base).filter(|rest| rest.starts_with('/'));
    let Some(rest) = rest else {
        return Below::Nowhere;
    };
    let rest = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(rest).ok();
    Uri::from_parts(parts).map_or(Below::Nowhere, Below::There)
}

/// Pages have relative URLs, so they need the slash.
fn to_base(base: &str) -> Response {
    let location = HeaderValue::from_str(&format!("{base}/")).expect("a base path is ASCII");
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response()
}

/// What a route says of where something is, as a client sees it.
fn moved(mut response: Response, base: &str) -> Response {
    let location = response.headers().get(LOCATION);
    let path = location.and_then(|location| location.to_str().ok());
    let path =
        path.filter(|path| !base.is_empty() && path.starts_with('/') && !path.starts_with("//"));
    if let Some(there) = path.and_then(|path| HeaderValue::from_str(&format!("{base}{path}")).ok())
    {
        response.headers_mut().insert(LOCATION, there);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::routing::get;

    use super::*;

    async fn ask(base: &str, uri: &str) -> (StatusCode, Option<String>, String) {
        let app = Router::new()
            .route("/", get(|| async { "page" }))
            .route("/healthz", get(|| async { "ok" }))
            .route("/echo", get(|uri: Uri| async move { uri.to_string() }))
            .route("/made", get(|| async { [(LOCATION, "/made/1")] }))
            .route("/far", get(|| async { [(LOCATION, "//elsewhere/x")] }));
        let entry = Entry {
            base: base.parse().unwrap(),
            ..Entry::default()
        };
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let site = Entry::before(Latest::new(entry), app);
        let response = site.pass(site.entry.get(), request).await;
        let location = response.headers().get(LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        let status = response.status();
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, location, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn all_is_under_the_base_path_and_routes_do_not_see_it() {
        assert_eq!(ask("/cams", "/cams/echo?a=b%20c").await.2, "/echo?a=b%20c");
        assert_eq!(ask("/cams", "/cams/").await.2, "page");
        assert_eq!(ask("/cams", "/healthz").await.2, "ok");
        assert_eq!(ask("/cams", "/cams/healthz").await.2, "ok");
        for elsewhere in ["/echo", "/camsecho", "/cams2/echo", "/cam"] {
            assert_eq!(
                ask("/cams", elsewhere).await.0,
                StatusCode::NOT_FOUND,
                "{elsewhere}"
            );
        }
        assert_eq!(ask("/", "/echo").await.2, "/echo");
    }

    #[tokio::test]
    async fn where_something_is_is_told_with_the_base_path() {
        for path in ["/", "/cams"] {
            let (status, location, _) = ask("/cams", path).await;
            assert_eq!(
                (status, location.as_deref()),
                (StatusCode::PERMANENT_REDIRECT, Some("/cams/"))
            );
        }
        assert_eq!(
            ask("/cams", "/cams/made").await.1.as_deref(),
            Some("/cams/made/1")
        );
        assert_eq!(ask("/", "/made").await.1.as_deref(), Some("/made/1"));
        assert_eq!(
            ask("/cams", "/cams/far").await.1.as_deref(),
            Some("//elsewhere/x")
        );
    }
}
