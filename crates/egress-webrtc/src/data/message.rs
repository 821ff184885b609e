//! What is told on a data channel, in JSON (`docs/webrtc.md`).

use hub::State;
use serde::Serialize;
use tokio::time::Instant;

#[derive(Debug, Serialize)]
struct Message<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    state: Told<'a>,
}

#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Told<'a> {
    Connecting,
    Live,
    Offline {
        reason: &'static str,
        message: &'a str,
        /// 0 while it is being tried again.
        retry_in_ms: u64,
    },
    Ended {
        reason: &'static str,
    },
}

/// How the camera is.
pub(super) fn state(state: &State, now: Instant) -> String {
    let retry_in_ms = match state {
        State::Backoff { retry_at, .. } => {
            retry_at.saturating_duration_since(now).as_millis() as u64
        }
        _ => 0,
    };
    text(match (state, state.fault()) {
        (State::Live | State::Lingering, _) => Told::Live,
        (_, Some(fault)) => Told::Offline {
            reason: fault.reason.code(),
            message: &fault.message,
            retry_in_ms,
        },
        (_, None) => Told::Connecting,
    })
}

/// Nothing follows.
pub(super) fn ended(reason: &'static str) -> String {
    text(Told::Ended { reason })
}

fn text(state: Told<'_>) -> String {
    let message = Message {
        r#type: "state",
        state,
    };
    serde_json::to_string(&message).expect("these types hold nothing that JSON can't say")
}
