//! The server itself.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use hub::Channel;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::http::fresh;
use crate::http::problem::{Failure, Problem};
use crate::time::Stamp;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    /// The product.
    name: &'static str,
    /// Its version.
    #[expect(clippy::struct_field_names, reason = "it is what it is called")]
    version: &'static str,
    /// The version with the commit that it was built from, where that is known.
    build: &'static str,
    /// The version of this API.
    api: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Status {
    /// Since when the server runs.
    since: Stamp,
    /// For how long, in seconds.
    uptime_s: u64,
    /// How many streams there are.
    streams: usize,
    /// How many channels.
    channels: usize,
    /// Channels with a picture.
    live: usize,
    /// Channels whose camera failed.
    offline: usize,
    /// How many watch, over all protocols.
    viewers: usize,
    /// Whether the configuration file makes sense and has all that is in force: see `/api/v1/config`.
    config_ok: bool,
}

/// Which version runs.
#[utoipa::path(get, path = "/api/v1/version", tag = "server",
    responses((status = 200, description = "The version", body = Version), Failure))]
pub(super) async fn version() -> Result<Response, Problem> {
    Ok(fresh(Json(Version {
        name: "lunette",
        version: env!("CARGO_PKG_VERSION"),
        build: env!("LUNETTE_VERSION"),
        api: "v1",
    })))
}

/// How the server fares, in figures.
#[utoipa::path(get, path = "/api/v1/status", tag = "server",
    responses((status = 200, description = "The figures", body = Status), Failure))]
pub(super) async fn status(State(api): State<Api>) -> Result<Response, Problem> {
    let streams = api.0.registry.list();
    let channels: Vec<&Channel> = streams.iter().flat_map(hub::Stream::channels).collect();
    let conditions: Vec<hub::Condition> = channels
        .iter()
        .map(|channel| channel.state().borrow().condition())
        .collect();
    let count =
        |wanted: fn(&hub::Condition) -> bool| conditions.iter().filter(|c| wanted(c)).count();
    let view = api.0.keeper.view();
    Ok(fresh(Json(Status {
        since: api.0.since.into(),
        uptime_s: api.0.began.elapsed().as_secs(),
        streams: streams.len(),
        channels: channels.len(),
        live: count(|condition| matches!(condition, hub::Condition::Live)),
        offline: count(|condition| matches!(condition, hub::Condition::Offline(_))),
        viewers: channels.iter().map(|channel| channel.viewers().len()).sum(),
        config_ok: view.problems.is_none() && view.unsaved.is_none(),
    })))
}
