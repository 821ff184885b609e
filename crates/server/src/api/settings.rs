//! Streams and channels: what they are. The bodies are the tables of the configuration file.

use axum::extract::State;
use axum::response::Response;

use super::Api;
use super::edit::{Saved, Target, change, look};
use super::extract::{Body, Conditional, Path};
use super::streams::{ChannelPath, StreamPath};
use crate::config::{Change, Channel, Mode, Stream};
use crate::http::problem::{Failure, Problem};

/// The settings of a stream, secrets masked.
#[utoipa::path(get, path = "/api/v1/streams/{stream}", tag = "settings", params(StreamPath),
    responses((status = 200, description = "Its table of the configuration", body = Stream,
        headers(("etag" = String, description = "To be sent back as If-Match"))), Failure))]
pub(super) async fn stream(
    State(api): State<Api>,
    Path(path): Path<StreamPath>,
) -> Result<Response, Problem> {
    look(&api, Target::stream(&path.stream)).await
}

/// Adds a stream, or makes it what is sent.
///
/// What is not named goes back to its default. The same again changes nothing.
#[utoipa::path(put, path = "/api/v1/streams/{stream}", tag = "settings", params(StreamPath, IfThere, IfNew),
    request_body = Stream,
    responses((status = 200, description = "It is so now", body = Saved),
        (status = 201, description = "It was added", body = Saved), Failure))]
pub(super) async fn put_stream(
    State(api): State<Api>,
    Path(path): Path<StreamPath>,
    Conditional(condition): Conditional,
    Body(body): Body,
) -> Result<Response, Problem> {
    let wanted = Change::Set(body, Mode::Replace);
    change(&api, Target::stream(&path.stream), wanted, condition).await
}

/// Changes some settings of a stream.
///
/// A JSON merge patch (RFC 7396): what is not named stays, `null` takes out.
#[utoipa::path(patch, path = "/api/v1/streams/{stream}", tag = "settings", params(StreamPath, IfThere),
    request_body(content((Stream = "application/json"), (Stream = "application/merge-patch+json"))),
    responses((status = 200, description = "It is so now", body = Saved), Failure))]
pub(super) async fn patch_stream(
    State(api): State<Api>,
    Path(path): Path<StreamPath>,
    Conditional(condition): Conditional,
    Body(body): Body,
) -> Result<Response, Problem> {
    let wanted = Change::Set(body, Mode::Merge);
    change(&api, Target::stream(&path.stream), wanted, condition).await
}

/// Removes a stream. Its viewers are told.
#[utoipa::path(delete, path = "/api/v1/streams/{stream}", tag = "settings", params(StreamPath, IfThere),
    responses((status = 200, description = "It is gone", body = Saved), Failure))]
pub(super) async fn delete_stream(
    State(api): State<Api>,
    Path(path): Path<StreamPath>,
    Conditional(condition): Conditional,
) -> Result<Response, Problem> {
    change(
        &api,
        Target::stream(&path.stream),
        Change::Remove,
        condition,
    )
    .await
}

/// The settings of a channel, secrets masked.
///
/// The one channel `0` of a stream with a `url` of its own has none: its settings are those of the stream.
#[utoipa::path(get, path = "/api/v1/streams/{stream}/channels/{channel}", tag = "settings", params(ChannelPath),
    responses((status = 200, description = "Its table of the configuration", body = Channel,
        headers(("etag" = String, description = "To be sent back as If-Match"))), Failure))]
pub(super) async fn channel(
    State(api): State<Api>,
    Path(path): Path<ChannelPath>,
) -> Result<Response, Problem> {
    look(&api, Target::channel(&path.stream, &path.channel)).await
}

/// Adds a channel, or makes it what is sent.
///
/// A stream that is not there is added with it.
#[utoipa::path(put, path = "/api/v1/streams/{stream}/channels/{channel}", tag = "settings", params(ChannelPath, IfThere, IfNew),
    request_body = Channel,
    responses((status = 200, description = "It is so now", body = Saved),
        (status = 201, description = "It was added", body = Saved), Failure))]
pub(super) async fn put_channel(
    State(api): State<Api>,
    Path(path): Path<ChannelPath>,
    Conditional(condition): Conditional,
    Body(body): Body,
) -> Result<Response, Problem> {
    let wanted = Change::Set(body, Mode::Replace);
    change(
        &api,
        Target::channel(&path.stream, &path.channel),
        wanted,
        condition,
    )
    .await
}

/// Changes some settings of a channel.
///
/// A JSON merge patch (RFC 7396): what is not named stays, `null` takes out.
#[utoipa::path(patch, path = "/api/v1/streams/{stream}/channels/{channel}", tag = "settings", params(ChannelPath, IfThere),
    request_body(content((Channel = "application/json"), (Channel = "application/merge-patch+json"))),
    responses((status = 200, description = "It is so now", body = Saved), Failure))]
pub(super) async fn patch_channel(
    State(api): State<Api>,
    Path(path): Path<ChannelPath>,
    Conditional(condition): Conditional,
    Body(body): Body,
) -> Result<Response, Problem> {
    let wanted = Change::Set(body, Mode::Merge);
    change(
        &api,
        Target::channel(&path.stream, &path.channel),
        wanted,
        condition,
    )
    .await
}

/// Removes a channel. Its viewers are told.
#[utoipa::path(delete, path = "/api/v1/streams/{stream}/channels/{channel}", tag = "settings", params(ChannelPath, IfThere),
    responses((status = 200, description = "It is gone", body = Saved), Failure))]
pub(super) async fn delete_channel(
    State(api): State<Api>,
    Path(path): Path<ChannelPath>,
    Conditional(condition): Conditional,
) -> Result<Response, Problem> {
    let target = Target::channel(&path.stream, &path.channel);
    change(&api, target, Change::Remove, condition).await
}

/// What a write may depend on.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "the description of a header that `Conditional` reads"
)]
pub(super) struct IfThere {
    /// Write only if the settings still have this ETag; `*`: only if they are there.
    #[param(rename = "If-Match", value_type = String, required = false)]
    if_match: Option<String>,
}

/// What an addition may depend on.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(
    dead_code,
    reason = "the description of a header that `Conditional` reads"
)]
pub(super) struct IfNew {
    /// `*`: write only if there are none yet.
    #[param(rename = "If-None-Match", value_type = String, required = false)]
    if_none_match: Option<String>,
}
