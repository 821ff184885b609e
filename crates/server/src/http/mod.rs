//! The HTTP side: the routes, and the listener that serves them.

mod api;
mod assets;
mod body;
mod client;
mod entry;
mod listener;
mod newcomers;
mod problem;
mod state;

use axum::http::HeaderValue;
use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::Response;
use axum::routing::get;
use axum::{Router, middleware};
use hub::Registry;

pub(crate) use api::fresh;
pub(crate) use assets::Assets;
pub(crate) use entry::Entry;
pub(crate) use listener::{Listener, Slots, raise_open_files};
pub(crate) use problem::problem;

/// What pages may load: our own files and sockets, and the blobs that a player makes of media.
const CONTENT_POLICY: &str = "default-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'self'";

/// All routes over `registry`: the API, the states of Channels, the pages of `assets`, and the routers of the egresses in `media`.
pub(crate) fn router(registry: Registry, assets: Assets, media: Router) -> Router {
    let own = Router::new()
        .route("/api/v1/streams", get(api::streams))
        .with_state(registry.clone())
        .merge(state::router(registry))
        .merge(assets::router(assets));
    own.merge(media)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(middleware::map_response(secured))
}

async fn secured(mut response: Response) -> Response {
    let headers: [(HeaderName, &'static str); 3] = [
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
    ];
    for (name, value) in headers {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
