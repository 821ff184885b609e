//! The JSON of `lunette.v1` (`docs/mse.md`).

use bytes::Bytes;
use hub::State;
use media::Kind;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::ws::frame::{Opcode, whole};

/// What a client says.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Heard {
    /// Which codecs it plays, one string of each.
    Hello { codecs: Vec<String> },
    /// Something of a later version.
    #[serde(other)]
    Other,
}

/// What the server says.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Said<'a> {
    State(Condition<'a>),
    Tracks {
        mime: String,
        tracks: Vec<TrackInfo<'a>>,
        left_out: Vec<LeftOut>,
    },
    Skipped {
        frames: u64,
    },
}

/// The camera's condition as a viewer sees it.
#[derive(Debug, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Condition<'a> {
    Connecting,
    Live,
    Offline {
        reason: &'static str,
        message: &'a str,
        /// 0 while it is being tried again.
        retry_in_ms: u64,
    },
}

/// A track that is sent.
#[derive(Debug, Serialize)]
pub(crate) struct TrackInfo<'a> {
    pub(crate) kind: KindName,
    pub(crate) codec: &'a str,
    pub(crate) name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) width: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) height: Option<u32>,
}

/// A track that is not sent, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LeftOut {
    kind: KindName,
    pub(crate) name: String,
    why: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KindName {
    Video,
    Audio,
}

impl Said<'_> {
    /// The message as a WebSocket frame.
    pub(crate) fn framed(&self) -> Bytes {
        let text = serde_json::to_vec(self).expect("these types hold nothing that JSON can't say");
        whole(Opcode::Text, &text)
    }
}

impl<'a> Condition<'a> {
    pub(crate) fn of(state: &'a State, now: Instant) -> Self {
        let retry_in_ms = match state {
            State::Live | State::Lingering => return Self::Live,
            State::Backoff { retry_at, .. } => retry_at.duration_since(now).as_millis() as u64,
            _ => 0,
        };
        state
            .fault()
            .map_or(Self::Connecting, |fault| Self::Offline {
                reason: fault.reason.code(),
                message: &fault.message,
                retry_in_ms,
            })
    }
}

impl LeftOut {
    pub(crate) fn new(kind: Kind, name: &str, why: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            name: name.to_owned(),
            why: why.into(),
        }
    }
}

impl From<Kind> for KindName {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Video => Self::Video,
            Kind::Audio => Self::Audio,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hub::{Fault, Reason};

    use super::*;

    #[test]
    fn a_hello_is_read_and_what_later_versions_say_is_let_pass() {
        let hello = Heard::Hello {
            codecs: vec!["avc1.640033".to_owned()],
        };
        let text = r#"{"type":"hello","codecs":["avc1.640033"],"later":1}"#;
        assert_eq!(serde_json::from_str::<Heard>(text).ok(), Some(hello));
        let later = serde_json::from_str::<Heard>(r#"{"type":"pause","at":7}"#);
        assert_eq!(later.ok(), Some(Heard::Other));
        assert!(serde_json::from_str::<Heard>(r#"{"type":"hello","codecs":7}"#).is_err());
    }

    #[test]
    fn the_state_is_told_as_documented() {
        let now = Instant::now();
        let text = |state: &State| {
            serde_json::to_string(&Said::State(Condition::of(state, now))).expect("JSON")
        };
        let fault = Fault::new(Reason::Unauthorized, "the camera refused the password");
        assert_eq!(text(&State::Live), r#"{"type":"state","state":"live"}"#);
        assert_eq!(
            text(&State::Starting { after: None }),
            r#"{"type":"state","state":"connecting"}"#
        );
        let backoff = State::Backoff {
            fault,
            retry_at: now + Duration::from_secs(4),
        };
        assert_eq!(
            text(&backoff),
            r#"{"type":"state","state":"offline","reason":"unauthorized","message":"the camera refused the password","retry_in_ms":4000}"#
        );
    }
}
