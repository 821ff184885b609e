//! What happens, told to whoever listens: the journal (`journal`), from which the API's event stream reads, and the
//! webhooks (`webhooks`), which are signed (`sign`).

mod journal;
mod webhooks;

use std::fmt::Write as _;
use std::time::SystemTime;

use hub::{Condition, Notice, StreamId, ViewerStatus};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use journal::{Journal, Listener, Said};
pub(crate) use webhooks::follow;

use crate::time::Stamp;

/// All types of events.
pub(crate) const TYPES: [&str; 11] = [
    "stream.added",
    "stream.changed",
    "stream.removed",
    "channel.idle",
    "channel.connecting",
    "channel.live",
    "channel.offline",
    "viewer.joined",
    "viewer.left",
    "config.changed",
    "config.rejected",
];

/// Whether `pattern` names a type of events, or `channel.*`, all of a kind.
pub(crate) fn is_known(pattern: &str) -> bool {
    TYPES.iter().any(|kind| matches(pattern, kind))
}

/// `bytes` in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Whether `pattern` means events of the type `kind`.
pub(crate) fn matches(pattern: &str, kind: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => start.ends_with('.') && kind.starts_with(start),
        None => pattern == kind,
    }
}

/// Something that happened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Event {
    /// What: `channel.offline`, ...
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// When.
    pub(crate) at: Stamp,
    /// The stream that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stream: Option<String>,
    /// The channel that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) channel: Option<String>,
    /// Why a channel is offline, for machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// Who came or left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) viewer: Option<Viewer>,
    /// The revision of the configuration that is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) revision: Option<u64>,
}

/// A viewer, as it was when it came or left.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = EventViewer)]
pub(crate) struct Viewer {
    /// Its number, never given twice while the server runs.
    pub(crate) id: u64,
    /// How it watches: `mse`, `hls`, ...
    pub(crate) protocol: &'static str,
    /// From where, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remote: Option<String>,
    /// How many bytes it was sent.
    pub(crate) bytes: u64,
}

impl Event {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            at: SystemTime::now().into(),
            stream: None,
            channel: None,
            reason: None,
            message: None,
            viewer: None,
            revision: None,
        }
    }

    fn of_stream(kind: &'static str, stream: &StreamId) -> Self {
        Self {
            stream: Some(stream.to_string()),
            ..Self::new(kind)
        }
    }

    fn of_viewer(kind: &'static str, viewer: &ViewerStatus) -> Self {
        Self {
            channel: Some(viewer.channel.to_string()),
            viewer: Some(Viewer {
                id: viewer.id,
                protocol: viewer.protocol,
                remote: viewer.remote.map(|remote| remote.to_string()),
                bytes: viewer.bytes,
            }),
            ..Self::of_stream(kind, &viewer.stream)
        }
    }

    /// What `notice` tells; none of what this version does not know.
    fn of(notice: &Notice) -> Option<Self> {
        Some(match notice {
            Notice::StreamAdded(stream) => Self::of_stream("stream.added", stream),
            Notice::StreamChanged(stream) => Self::of_stream("stream.changed", stream),
            Notice::StreamRemoved(stream) => Self::of_stream("stream.removed", stream),
            Notice::ViewerJoined(viewer) => Self::of_viewer("viewer.joined", viewer),
            Notice::ViewerLeft(viewer) => Self::of_viewer("viewer.left", viewer),
            Notice::Channel {
                stream,
                channel,
                condition,
            } => {
                let (kind, fault) = match condition {
                    Condition::Idle => ("channel.idle", None),
                    Condition::Connecting => ("channel.connecting", None),
                    Condition::Live => ("channel.live", None),
                    Condition::Offline(fault) => ("channel.offline", Some(fault)),
                };
                Self {
                    channel: Some(channel.to_string()),
                    reason: fault.map(|fault| fault.reason.code()),
                    message: fault.map(|fault| fault.message.clone()),
                    ..Self::of_stream(kind, stream)
                }
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_type_or_all_of_a_kind() {
        assert!(is_known("channel.*") && is_known("config.changed"));
        for wrong in ["channel", "channel.o*", "*", "stream.gone", ""] {
            assert!(!is_known(wrong), "{wrong}");
        }
        assert!(matches("viewer.*", "viewer.left") && !matches("viewer.*", "channel.live"));
    }
}
