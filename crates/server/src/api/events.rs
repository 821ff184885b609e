//! What happens, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::header::{CACHE_CONTROL, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use hub::Guest;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use utoipa::IntoParams;

use super::Api;
use super::extract::Query;
use crate::events::{self, Listener, Said};
use crate::http::problem::{Failure, Problem};

/// After so long without an event a comment is sent, so that dead connections are noticed and proxies don't close.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Filter {
    /// Their types, joined by commas: `channel.offline,viewer.*`. All if nothing is said.
    types: Option<String>,
}

/// What happens from now on, or after the event `Last-Event-ID`.
///
/// Each event has an `id`, its type as `event`, and JSON as `data`. An event `missed` says that some are missing: the
/// listener was away for too long, or is too slow.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", params(Filter,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that was got")),
    responses((status = 200, description = "Events without end", content_type = "text/event-stream", body = String), Failure))]
pub(super) async fn events(
    State(api): State<Api>,
    guest: Option<Extension<Guest>>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let types: Vec<String> = filter
        .types
        .iter()
        .flat_map(|types| types.split(','))
        .map(|kind| kind.trim().to_owned())
        .collect();
    if let Some(unknown) = types.iter().find(|kind| !events::is_known(kind)) {
        let known = events::TYPES.join(", ");
        let detail = format!(
            "`types`: there is no event `{unknown}`; there are: {known}; and `channel.*` means all of a kind"
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    let Ok(slot) = Arc::clone(&api.0.listeners).try_acquire_owned() else {
        let full = "as many listen to events as can at once";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, full)
            .header(RETRY_AFTER, HeaderValue::from_static("10")));
    };
    let after = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    // What is no id of ours is one of a run long ago: all that is kept is sent.
    let after = after
        .filter(|id| !id.is_empty())
        .map(|id| id.parse().unwrap_or_default());
    let Extension(guest) = guest.unwrap_or_default();
    let over = guest.leave().told();
    let feed = Feed {
        listener: api.0.journal.listen(after),
        types,
        _slot: slot,
        _guest: guest,
    };
    let hello = Event::default().comment("listening").retry(RETRY);
    let hello = stream::once(async { Ok::<_, Infallible>(hello) });
    let events = hello
        .chain(stream::unfold(feed, Feed::next))
        .take_until(api.0.stop.clone().cancelled_owned())
        .take_until(over);
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Feed {
    listener: Listener,
    types: Vec<String>,
    _slot: OwnedSemaphorePermit,
    /// Who listens.
    _guest: Guest,
}

impl Feed {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            let event = match self.listener.next().await? {
                Said::Missed => Event::default().event("missed").data("{}"),
                Said::Event(entry) => {
                    let wanted = self
                        .types
                        .iter()
                        .any(|kind| events::matches(kind, entry.kind));
                    if !wanted && !self.types.is_empty() {
                        continue;
                    }
                    Event::default()
                        .id(entry.id.to_string())
                        .event(entry.kind)
                        .data(&entry.json)
                }
            };
            return Some((Ok(event), self));
        }
    }
}
