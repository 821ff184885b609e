//! What a client watches: the Channel that a URL names, with its tracks and its packets.

use std::sync::Arc;
use std::time::Duration;

use hub::{Channel, ChannelId, Registry, State, StreamId, Viewer};
use media::{Format, Track, TrackId};
use rtsp::{Sdp, Status};
use tokio::time::timeout;

use crate::describe::{describe, sendable};
use crate::gate::Refused;
use crate::place::Place;
use crate::stage::Stage;

/// How long a request waits for a camera that is being dialled.
const DIAL: Duration = Duration::from_secs(10);
/// How long it waits for parameters that a camera sends in its stream only.
const PARAMETERS: Duration = Duration::from_secs(3);

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
        let tracks = tracks(self.viewer.channel()).await?;
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
        let tracks = tracks(self.viewer.channel()).await?;
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

/// The tracks of a Channel, which is dialled if it has to be.
async fn tracks(channel: &Channel) -> Result<Arc<[Track]>, Refusal> {
    let (mut tracks, mut state) = (channel.tracks(), channel.state());
    let gone = || Refusal::new(Status::NOT_FOUND, "the stream was removed");
    let wait = async {
        loop {
            let seen: Arc<[Track]> = tracks.borrow_and_update().clone();
            if let Some(refusal) = offline(&state.borrow_and_update()) {
                return Err(refusal);
            }
            if is_complete(&seen) {
                return Ok(seen);
            }
            let some = !seen.is_empty();
            tokio::select! {
                changed = tracks.changed() => changed.map_err(|_| gone())?,
                changed = state.changed() => changed.map_err(|_| gone())?,
                () = channel.gone() => return Err(gone()),
                () = tokio::time::sleep(PARAMETERS), if some => return Ok(seen),
            }
        }
    };
    timeout(DIAL, wait).await.unwrap_or_else(|_| {
        Err(Refusal::unavailable(
            "the camera has sent nothing within 10 s",
            Duration::from_secs(5),
        ))
    })
}

fn is_complete(tracks: &[Track]) -> bool {
    let known = |track: &Track| track.format.is_some() || track.unsupported.is_some();
    !tracks.is_empty() && tracks.iter().all(known)
}

/// The refusal where the camera is away.
fn offline(state: &State) -> Option<Refusal> {
    let fault = state.fault()?;
    let retry = match state {
        State::Backoff { retry_at, .. } => {
            retry_at.saturating_duration_since(tokio::time::Instant::now())
        }
        _ => Duration::ZERO,
    };
    let detail = format!("the camera is offline: {}", fault.message);
    Some(Refusal::unavailable(detail, retry + Duration::from_secs(1)))
}
