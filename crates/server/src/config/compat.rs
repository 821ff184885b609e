//! `[compat]`: routes for clients that were made for other servers.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::units::{Period, Size};

/// Routes of RTSPtoWeb and RTSPtoWebRTC, for clients that were made for them (docs/moving-from-rtsptoweb.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = CompatSettings)]
pub(crate) struct Compat {
    /// RTSPtoWeb's control API, its WebRTC by POST, its recordings, and the paths of its pages.
    pub(crate) rtsptoweb: bool,
    /// RTSPtoWebRTC's API. Whoever may watch all streams may then have any URL connected, also within your network.
    pub(crate) rtsptowebrtc: bool,
    /// Whether streams are deleted and connected anew by GET there, as those clients do it, or by POST alone.
    pub(crate) change_by_get: bool,
    /// Where `save/mp4/fragment/…` keeps what it records; without it nothing is recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(crate) save_dir: Option<PathBuf>,
    /// How long one recording may be.
    pub(crate) save_longest: Period,
    /// How much all recordings together may take.
    pub(crate) save_bytes: Size,
}

impl Default for Compat {
    fn default() -> Self {
        Self {
            rtsptoweb: false,
            rtsptowebrtc: false,
            change_by_get: true,
            save_dir: None,
            save_longest: Period(Duration::from_secs(3600)),
            save_bytes: Size(10 << 30),
        }
    }
}
