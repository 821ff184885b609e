//! `GET /stream/{id}/state`: how a camera is, for players whose protocol doesn't tell. It stands beside the media, so
//! that whoever may watch may know, through the same proxies and on any page.

use axum::extract::{Path, State};
use axum::http::header::ACCESS_CONTROL_ALLOW_ORIGIN;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use hub::{Channel, ChannelId, Registry, State as ChannelState, StreamId};
use serde::Serialize;
use tokio::time::Instant;

use super::{fresh, problem};

/// The message of type `state` of `lunette.v1` (`docs/mse.md`); here it may also say "idle", where nobody watches.
#[derive(Debug, Serialize)]
struct Message {
    r#type: &'static str,
    #[serde(flatten)]
    condition: Condition,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum Condition {
    Idle,
    Connecting,
    Live,
    Offline {
        reason: &'static str,
        message: String,
        retry_in_ms: u64,
    },
}

/// The state of a Stream's first Channel, and of any Channel.
pub(super) fn router(registry: Registry) -> Router {
    Router::new()
        .route("/stream/{stream}/state", get(of_first))
        .route("/stream/{stream}/channel/{channel}/state", get(of_one))
        .with_state(registry)
}

async fn of_first(State(registry): State<Registry>, Path(stream): Path<String>) -> Response {
    answer(find(&registry, &stream, None))
}

async fn of_one(
    State(registry): State<Registry>,
    Path((stream, channel)): Path<(String, String)>,
) -> Response {
    answer(find(&registry, &stream, Some(&channel)))
}

fn find(registry: &Registry, stream: &str, channel: Option<&str>) -> Option<Channel> {
    let stream = registry.stream(&StreamId::new(stream).ok()?)?;
    match channel {
        None => Some(stream.first_channel().clone()),
        Some(id) => stream.channel(&ChannelId::new(id).ok()?).cloned(),
    }
}

fn answer(channel: Option<Channel>) -> Response {
    let mut response = match channel {
        Some(channel) => {
            let condition = Condition::of(&channel.state().borrow(), Instant::now());
            fresh(Json(Message {
                r#type: "state",
                condition,
            }))
        }
        None => problem(StatusCode::NOT_FOUND, "there is no such stream or channel"),
    };
    response
        .headers_mut()
        .insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

impl Condition {
    fn of(state: &ChannelState, now: Instant) -> Self {
        let retry_in_ms = match state {
            ChannelState::Idle => return Self::Idle,
            ChannelState::Live | ChannelState::Lingering => return Self::Live,
            ChannelState::Backoff { retry_at, .. } => {
                retry_at.saturating_duration_since(now).as_millis() as u64
            }
            ChannelState::Starting { .. } => 0,
        };
        state
            .fault()
            .map_or(Self::Connecting, |fault| Self::Offline {
                reason: fault.reason.code(),
                message: fault.message.clone(),
                retry_in_ms,
            })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hub::{Fault, Reason};

    use super::*;

    #[test]
    fn a_camera_that_is_away_is_offline_while_it_is_dialled_again_too() {
        let now = Instant::now();
        let fault = Fault::new(Reason::Timeout, "the camera doesn't answer");
        let offline = |retry_in_ms| Condition::Offline {
            reason: "timeout",
            message: "the camera doesn't answer".to_owned(),
            retry_in_ms,
        };
        let retry_at = now + Duration::from_secs(4);
        let backoff = ChannelState::Backoff {
            fault: fault.clone(),
            retry_at,
        };
        assert_eq!(Condition::of(&backoff, now), offline(4_000));
        assert_eq!(Condition::of(&backoff, retry_at), offline(0));
        let again = ChannelState::Starting { after: Some(fault) };
        assert_eq!(Condition::of(&again, now), offline(0));
        let first = ChannelState::Starting { after: None };
        assert_eq!(Condition::of(&first, now), Condition::Connecting);
    }
}
