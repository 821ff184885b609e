//! What a client watches: the Channel that a URL names, with its tracks and its packets.

use std::sync::Arc;
use std::time::Duration;

use hub::{Channel, ChannelId, Registry, StreamId, Unknown, Viewer};
use media::{Format, TrackId};
use rtsp::{Sdp, Status};

use crate::describe::{describe, sendable};
use crate::gate::Refused;
use crate::place::Place;
use crate::stage::Stage;

/// A Channel that is watched.
pub(crate) struct Watch {
    pub(crate) place: Place,
    pub(crate) viewer: Viewer,
    pub(crate) stage: Arc<Stage>,
    /// The Stream's name for people.
    name: String,
}

/// Why a request is not fulfilled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: Status,
    /// In words; empty where the status says it all.
    pub(crate) detail: String,
    /// When it is worth asking again.
    pub(crate) after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn new(status: Status, detail: impl Into<String>) -> Self {
        Self {
            status,
            detail: detail.into(),
            after: None,
        }
    }

    fn unavailable(detail: impl Into<String>, after: Duration) -> Self {
        Self {
            after: Some(after),
            ..Self::new(Status::SERVICE_UNAVAILABLE, detail)
        }
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::new(status, "")
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Unauthenticated => Status::UNAUTHORIZED.into(),
            Refused::Forbidden(why) => Self::new(Status::FORBIDDEN, why),
            Refused::TooMany(wait) => {
                Self::unavailable("too many wrong credentials; wait a little", wait)
            }
        }
    }
}

impl From<Unknown> for Refusal {
    fn from(unknown: Unknown) -> Self {
        let detail = unknown.to_string();
        match unknown {
            Unknown::Offline { retry, .. } | Unknown::Silent { retry } => {
                Self::unavailable(detail, retry)
            }
            _ => Self::new(Status::NOT_FOUND, detail),
        }
    }
}

impl Watch {
    /// Joins as `viewer`.
    pub(crate) fn new(place: Place, name: String, viewer: Viewer, stage: Arc<Stage>) -> Self {
        Self {
            place,
            viewer,
            stage,
            name,
        }
    }

    /// What can be sent, once that is known.
    pub(crate) async fn describe(&self) -> Result<Sdp, Refusal> {
        let tracks = self.viewer.channel().known_tracks().await?;
        describe(&self.name, &tracks).ok_or_else(|| {
            const UNSUPPORTED_MEDIA_TYPE: Status = Status(415);
            let names: Vec<&str> = tracks.iter().map(|track| track.encoding.as_str()).collect();
            let detail = format!(
                "nothing of what the camera sends goes over RTSP: {}",
                names.join(", ")
            );
            Refusal::new(UNSUPPORTED_MEDIA_TYPE, detail)
        })
    }

    /// The format of a track, where there is such a one.
    pub(crate) async fn format(&self, id: TrackId) -> Result<Arc<Format>, Refusal> {
        let tracks = self.viewer.channel().known_tracks().await?;
        let track = tracks.iter().find(|track| track.id == id);
        let format = track.and_then(sendable).cloned();
        format.ok_or_else(|| Refusal::new(Status::NOT_FOUND, "there is no such track"))
    }
}

/// The Channel of `place`, and its Stream's name.
pub(crate) fn find(registry: &Registry, place: &Place) -> Option<(Channel, String)> {
    let stream = registry.stream(&StreamId::new(&place.stream).ok()?)?;
    let channel = match &place.channel {
        None => stream.first_channel(),
        Some(id) => stream.channel(&ChannelId::new(id).ok()?)?,
    };
    let name = if stream.name().is_empty() {
        stream.id().as_str()
    } else {
        stream.name()
    };
    Some((channel.clone(), name.to_owned()))
}
