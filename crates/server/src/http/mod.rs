//! The HTTP side: the routes, and the listener that serves them.

mod assets;
mod body;
mod client;
mod entry;
mod front;
mod guard;
mod invited;
mod listener;
pub(crate) mod problem;
mod state;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use hub::Registry;

pub(crate) use assets::Assets;
pub(crate) use client::Client;
pub(crate) use entry::Entry;
pub(crate) use front::{Front, Policies};
#[cfg(test)]
pub(crate) use guard::routes;
pub(crate) use guard::{Described, Guard, Refusal};
pub(crate) use listener::{App, Listener, Mover, Room, Seat, raise_open_files};
pub(crate) use problem::problem;

/// All routes over `registry`: the states of Channels, the pages of `assets`, and what is in `parts`: the API, the routers of
/// the egresses, and operations; behind `front`.
pub(crate) fn router(registry: Registry, assets: Assets, parts: Router, front: Front) -> Router {
    let own = Router::new()
        .merge(state::router(registry))
        .merge(assets::router(assets));
    front.guard().with_login(own.merge(parts)).layer(front)
}

/// A response that no cache keeps.
pub(crate) fn fresh(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
