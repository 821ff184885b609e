//! The HTTP side: the routes, and the listener that serves them.

mod assets;
mod body;
mod client;
mod entry;
mod guard;
mod listener;
mod newcomers;
pub(crate) mod problem;
mod state;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use hub::Registry;

use crate::config::Ancestor;

pub(crate) use assets::Assets;
pub(crate) use entry::Entry;
pub(crate) use guard::{Guard, Refusal};
pub(crate) use listener::{Listener, Slots, raise_open_files};
pub(crate) use problem::problem;

/// What pages may load: our own files and sockets, and the blobs that a player makes of media.
const CONTENT_POLICY: &str = "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'; object-src 'none'; \
    frame-ancestors ";
/// Pages that are there to be shown in frames of others.
const EMBEDDABLE: &str = "/embed/";

/// All routes over `registry`: the states of Channels, the pages of `assets`, and what is in `parts`: the API, the routers of
/// the egresses, and operations; for those whom `guard` lets in.
pub(crate) fn router(
    registry: Registry,
    assets: Assets,
    parts: Router,
    guard: &Guard,
    frames: &[Ancestor],
) -> Router {
    let own = Router::new()
        .merge(state::router(registry))
        .merge(assets::router(assets));
    guard
        .over(own.merge(parts))
        .layer(middleware::from_fn_with_state(
            Policies::new(frames),
            secured,
        ))
}

/// A response that no cache keeps.
pub(crate) fn fresh(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The content security policies: of pages, and of those that are there to be shown in frames.
#[derive(Debug, Clone)]
struct Policies {
    pages: HeaderValue,
    embeddable: HeaderValue,
}

impl Policies {
    fn new(frames: &[Ancestor]) -> Self {
        let named: Vec<&str> = frames.iter().map(Ancestor::as_str).collect();
        let policy = |unless: &str| {
            let who = if named.is_empty() {
                unless.to_owned()
            } else {
                named.join(" ")
            };
            HeaderValue::from_str(&format!("{CONTENT_POLICY}{who}")).expect("origins are ASCII")
        };
        Self {
            pages: policy("'self'"),
            embeddable: policy("*"),
        }
    }
}

async fn secured(State(policies): State<Policies>, request: Request, next: Next) -> Response {
    let embeddable = request.uri().path().starts_with(EMBEDDABLE);
    let policy = if embeddable {
        policies.embeddable
    } else {
        policies.pages
    };
    let mut response = next.run(request).await;
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_SECURITY_POLICY, policy),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    response
}

#[cfg(test)]
mod tests;
