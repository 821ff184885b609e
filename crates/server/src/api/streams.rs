//! Streams and channels: how they fare.

use auth::{Action, Identity};
use axum::Json;
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hub::{Channel, ChannelId, Registry, Stream, StreamId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::extract::{Path, Query};
use super::info::{ChannelInfo, StateName, StreamInfo};
use super::listing::{limit, missing, offset, page};
use crate::http::fresh;
use crate::http::problem::{Failure, Problem};

/// Which streams.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Those whose id or name holds this text, in upper or lower case.
    q: String,
    /// Those with a channel in this state.
    state: Option<StateName>,
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
pub(super) struct StreamList {
    streams: Vec<StreamInfo>,
    /// How many there are in all, on all pages.
    total: usize,
}

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelList {
    channels: Vec<ChannelInfo>,
}

/// All streams that whoever asks may watch, in the order of the configuration.
#[utoipa::path(get, path = "/api/v1/streams", operation_id = "list_streams", tag = "streams", params(Filter),
    responses((status = 200, description = "A page of them", body = StreamList), Failure))]
pub(super) async fn list(
    State(api): State<Api>,
    Extension(identity): Extension<Identity>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let allowed = |stream: &&Stream| identity.may(Action::Watch, Some(stream.id().as_str()));
    let q = filter.q.to_lowercase();
    let named = |stream: &&Stream| {
        let holds = |text: &str| text.to_lowercase().contains(&q);
        holds(stream.id().as_str()) || holds(stream.name())
    };
    let streams = api.0.registry.list();
    let found = streams
        .iter()
        .filter(allowed)
        .filter(named)
        .map(StreamInfo::from);
    let found = found.filter(|info| filter.state.is_none_or(|state| info.has_channel(state)));
    let (streams, total) = page(found, filter.offset, filter.limit);
    Ok(fresh(Json(StreamList { streams, total })))
}

/// How a stream fares.
#[utoipa::path(get, path = "/api/v1/streams/{stream}/status", operation_id = "stream_status", tag = "streams", params(StreamPath),
    responses((status = 200, description = "It and its channels", body = StreamInfo), Failure))]
pub(super) async fn status(
    State(api): State<Api>,
    Path(path): Path<StreamPath>,
) -> Result<Response, Problem> {
    let stream = stream(&api.0.registry, &path.stream)?;
    Ok(fresh(Json(StreamInfo::from(&stream))))
}

/// The channels of a stream.
#[utoipa::path(get, path = "/api/v1/streams/{stream}/channels", tag = "streams", params(StreamPath),
    responses((status = 200, description = "All of them", body = ChannelList), Failure))]
pub(super) async fn channels(
    State(api): State<Api>,
    Path(path): Path<StreamPath>,
) -> Result<Response, Problem> {
    let stream = stream(&api.0.registry, &path.stream)?;
    let channels = StreamInfo::from(&stream).into_channels();
    Ok(fresh(Json(ChannelList { channels })))
}

/// How a channel fares, and its codecs.
#[utoipa::path(get, path = "/api/v1/streams/{stream}/channels/{channel}/status", tag = "streams", params(ChannelPath),
    responses((status = 200, description = "The channel", body = ChannelInfo), Failure))]
pub(super) async fn channel_status(
    State(api): State<Api>,
    Path(path): Path<ChannelPath>,
) -> Result<Response, Problem> {
    let channel = channel(&api.0.registry, &path)?;
    Ok(fresh(Json(ChannelInfo::from(&channel.status()))))
}

/// Connects the cameras of a stream anew. Viewers stay.
#[utoipa::path(post, path = "/api/v1/streams/{stream}/restart", tag = "streams", params(StreamPath),
    responses((status = 204, description = "It is under way"), Failure))]
pub(super) async fn restart(
    State(api): State<Api>,
    Path(path): Path<StreamPath>,
) -> Result<Response, Problem> {
    let stream = stream(&api.0.registry, &path.stream)?;
    stream.channels().iter().for_each(Channel::restart);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Connects the camera of a channel anew. Viewers stay.
#[utoipa::path(post, path = "/api/v1/streams/{stream}/channels/{channel}/restart", tag = "streams", params(ChannelPath),
    responses((status = 204, description = "It is under way"), Failure))]
pub(super) async fn restart_channel(
    State(api): State<Api>,
    Path(path): Path<ChannelPath>,
) -> Result<Response, Problem> {
    channel(&api.0.registry, &path)?.restart();
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A stream in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct StreamPath {
    /// The stream's id.
    #[param(example = "front", pattern = "^[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,127}$")]
    pub(super) stream: String,
}

/// A channel in a path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct ChannelPath {
    /// The stream's id.
    #[param(example = "front", pattern = "^[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,127}$")]
    pub(super) stream: String,
    /// The channel's id.
    #[param(example = "main", pattern = "^[A-Za-z0-9_~-][A-Za-z0-9_.~-]{0,127}$")]
    pub(super) channel: String,
}

fn stream(registry: &Registry, id: &str) -> Result<Stream, Problem> {
    let known = StreamId::new(id).ok().and_then(|id| registry.stream(&id));
    known.ok_or_else(|| missing("stream", id))
}

fn channel(registry: &Registry, path: &ChannelPath) -> Result<Channel, Problem> {
    let stream = stream(registry, &path.stream)?;
    let id = ChannelId::new(&path.channel).ok();
    id.and_then(|id| stream.channel(&id).cloned())
        .ok_or_else(|| missing("channel", &path.channel))
}
