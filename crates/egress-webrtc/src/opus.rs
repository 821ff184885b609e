//! Sound that WebRTC doesn't carry, as Opus: made once per Channel, and only while somebody listens.

use std::sync::Arc;

use hub::ring::{Reader, Ring};
use hub::{Channel, Derived, Event};
use media::{Frame, TrackId};
use tokio::task::AbortHandle;
use tracing::{Instrument as _, Span, debug, warn};

use crate::unit::{Packets, Unit};

/// What the hub calls this of what is made of a Channel's frames.
const KIND: &str = "opus";

/// A place among those who listen; the encoder ends with the last.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) units: Reader<Arc<Unit>>,
    _feed: Arc<Feed>,
}

impl Listening {
    pub(crate) fn new(ring: &Ring<Arc<Unit>>, feed: Arc<Feed>) -> Self {
        Self {
            units: ring.reader_from_now(),
            _feed: feed,
        }
    }
}

/// The task that makes packets of what the encoder makes; it ends with this.
#[derive(Debug)]
pub(crate) struct Feed(AbortHandle);

impl Feed {
    /// Fills `ring` with the sound of one track of `channel`. Needs a tokio runtime.
    pub(crate) fn start(channel: &Channel, track: TrackId, ring: Ring<Arc<Unit>>) -> Self {
        let derived = channel.derive(KIND, move || encoder(track));
        let task = tokio::spawn(feed(derived, ring).instrument(Span::current()));
        Self(task.abort_handle())
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn encoder(track: TrackId) -> impl FnMut(&Arc<Frame>) -> Vec<Frame> + Send {
    let mut opus = audio::ToOpus::default();
    let mut refused = false;
    move |frame| {
        if frame.track != track {
            return Vec::new();
        }
        opus.push(frame).unwrap_or_else(|error| {
            match error {
                audio::Error::Frame(_) => debug!(%error, "a unit of sound is left out"),
                _ if refused => {}
                _ => warn!(%error, "the sound can't become Opus any more"),
            }
            refused |= !matches!(error, audio::Error::Frame(_));
            Vec::new()
        })
    }
}

async fn feed(mut derived: Derived, ring: Ring<Arc<Unit>>) {
    let mut packets = Packets::default();
    loop {
        match derived.next().await {
            Event::Item(frame) => {
                if let Ok(Some(slot)) = packets.push(&frame) {
                    ring.push(slot);
                }
            }
            Event::Skipped(frames) => debug!(frames, "sound was skipped"),
            // Pictures go on without it, and the stage says when all is over.
            Event::Closed => return,
        }
    }
}
