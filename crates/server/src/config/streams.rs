//! What the configuration says of cameras: `[streams]`, their channels, and `[defaults]`.

use std::path::PathBuf;

use clap::ValueEnum;
use hub::ChannelId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::is_default;
use super::ordered::Ordered;
use super::secret::{Password, Url};
use super::units::{Period, Size, Span};

/// When a camera is connected, and what is kept of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Policy {
    /// Connect to a camera only while somebody watches it. `false`: always, so that the first picture comes at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_demand: Option<bool>,
    /// Take the camera's sound, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio: Option<bool>,
    /// How long the connection is kept after the last viewer left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) linger: Option<Span>,
    /// A camera that is silent for so long is connected anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stall: Option<Period>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) ring: Ring,
}

/// The bounds of what is kept of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ring {
    /// How far behind live a viewer may be before it skips to a newer keyframe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keep: Option<Period>,
    /// How much of a channel is kept in memory at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<Size>,
}

/// A camera. What it says of the connection and the policy holds for all its channels, unless they say otherwise;
/// `url` makes it the one channel `0`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StreamSettings)]
pub(crate) struct Stream {
    /// The name that people see; the id if it is empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// `rtsp://` or `rtmp://`, encrypted `rtsps://` or `rtmps://`. A user name and password may stand in it, percent-encoded (not with RTMP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<Url>,
    /// The file that holds the URL.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url_file: Option<PathBuf>,
    /// The user name, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    /// The password, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Password>,
    /// The file that holds the password.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    /// What carries the media: `tcp`, `udp`, or `auto`, which is TCP, and UDP where the camera refuses TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<Transport>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tls: Tls,
    /// Connect only while somebody watches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_demand: Option<bool>,
    /// Take the camera's sound, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio: Option<bool>,
    /// How long the connection is kept after the last viewer left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) linger: Option<Span>,
    /// A camera that is silent for so long is connected anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stall: Option<Period>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) ring: Ring,
    /// The camera's streams, best first: the first one is what URLs without a channel mean.
    #[serde(skip_serializing_if = "Ordered::is_empty")]
    #[schema(value_type = HashMap<String, Channel>)]
    pub(crate) channels: Ordered<ChannelId, Channel>,
}

/// One of a camera's streams, such as the main or the sub stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ChannelSettings)]
pub(crate) struct Channel {
    /// The name that people give it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) name: String,
    /// `rtsp://` or `rtmp://`, encrypted `rtsps://` or `rtmps://`. A user name and password may stand in it, percent-encoded (not with RTMP).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<Url>,
    /// The file that holds the URL.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url_file: Option<PathBuf>,
    /// The user name, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    /// The password, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<Password>,
    /// The file that holds the password.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    /// What carries the media: `tcp`, `udp`, or `auto`, which is TCP, and UDP where the camera refuses TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<Transport>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tls: Tls,
    /// Connect only while somebody watches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) on_demand: Option<bool>,
    /// Take the camera's sound, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) audio: Option<bool>,
    /// How long the connection is kept after the last viewer left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) linger: Option<Span>,
    /// A camera that is silent for so long is connected anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stall: Option<Period>,
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) ring: Ring,
}

/// What carries the media from the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// TCP, or UDP if the camera refuses or stays silent.
    Auto,
    /// TCP, within the RTSP connection.
    Tcp,
    /// UDP.
    Udp,
}

/// Whom an encrypted camera (`rtsps://`, `rtmps://`) must prove to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CameraTls)]
pub(crate) struct Tls {
    /// Take any certificate. Who sits between can then read everything, the password too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) insecure_skip_verify: Option<bool>,
    /// Trust the certificates in this PEM file, besides those of the system.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
}
