//! Who watches.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hub::ViewerStatus;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Path, Query};
use super::listing::{limit, missing, offset, page};
use crate::http::fresh;
use crate::http::problem::{Failure, Problem};
use crate::time::Stamp;

/// Which viewers.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Those of this stream.
    stream: Option<String>,
    /// Those of channels with this id.
    channel: Option<String>,
    /// Those over this protocol: `mse`, `hls`, ...
    protocol: Option<String>,
    /// How many to pass over.
    #[serde(deserialize_with = "offset")]
    #[param(value_type = usize, required = false, maximum = 1_000_000_000)]
    offset: usize,
    /// How many at most, 1 to 1000.
    #[serde(deserialize_with = "limit")]
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ViewerList {
    viewers: Vec<ViewerInfo>,
    /// How many there are in all, on all pages.
    total: usize,
}

/// Somebody who watches. Players of HLS leave no trace: all of a channel are one viewer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ViewerInfo {
    /// Its number, never given twice while the server runs.
    id: u64,
    /// The stream that it watches.
    stream: String,
    /// The channel that it watches.
    channel: String,
    /// How: `mse`, `hls`, ...
    protocol: &'static str,
    /// From where, where that is known.
    remote: Option<String>,
    /// With what, as it says itself.
    agent: Option<String>,
    /// When it joined.
    since: Stamp,
    /// How many bytes it was sent.
    bytes: u64,
}

/// A viewer in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ViewerPath {
    /// The viewer's number.
    viewer: u64,
}

/// All viewers, over all protocols.
#[utoipa::path(get, path = "/api/v1/viewers", operation_id = "list_viewers", tag = "viewers", params(Filter),
    responses((status = 200, description = "A page of them", body = ViewerList), Failure))]
pub(super) async fn list(
    State(api): State<Api>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let meant = |wanted: &Option<String>, is: &str| wanted.as_ref().is_none_or(|w| w == is);
    let wanted = |viewer: &ViewerStatus| {
        meant(&filter.stream, viewer.stream.as_str())
            && meant(&filter.channel, viewer.channel.as_str())
            && meant(&filter.protocol, viewer.protocol)
    };
    let viewers = api.0.registry.viewers().into_iter().filter(wanted);
    let (viewers, total) = page(viewers, filter.offset, filter.limit);
    let viewers = viewers.into_iter().map(ViewerInfo::from).collect();
    Ok(fresh(Json(ViewerList { viewers, total })))
}

/// One viewer.
#[utoipa::path(get, path = "/api/v1/viewers/{viewer}", operation_id = "viewer", tag = "viewers", params(ViewerPath),
    responses((status = 200, description = "The viewer", body = ViewerInfo), Failure))]
pub(super) async fn one(
    State(api): State<Api>,
    Path(path): Path<ViewerPath>,
) -> Result<Response, Problem> {
    let viewer = api.0.registry.viewer(path.viewer);
    let viewer = viewer.ok_or_else(|| missing("viewer", &path.viewer.to_string()))?;
    Ok(fresh(Json(ViewerInfo::from(viewer))))
}

/// Sends a viewer away. Nothing keeps it from coming back.
#[utoipa::path(delete, path = "/api/v1/viewers/{viewer}", tag = "viewers", params(ViewerPath),
    responses((status = 204, description = "It is told"), Failure))]
pub(super) async fn kick(
    State(api): State<Api>,
    Path(path): Path<ViewerPath>,
) -> Result<Response, Problem> {
    if !api.0.registry.kick(path.viewer) {
        return Err(missing("viewer", &path.viewer.to_string()));
    }
    tracing::info!(viewer = path.viewer, "a viewer is sent away");
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl From<ViewerStatus> for ViewerInfo {
    fn from(viewer: ViewerStatus) -> Self {
        Self {
            id: viewer.id,
            stream: viewer.stream.to_string(),
            channel: viewer.channel.to_string(),
            protocol: viewer.protocol,
            remote: viewer.remote.map(|remote| remote.to_string()),
            agent: viewer.agent.map(|agent| agent.to_string()),
            since: viewer.since.into(),
            bytes: viewer.bytes,
        }
    }
}
