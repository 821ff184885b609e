use std::fmt;
use std::future::Future;
use std::pin::Pin;

use media::{Frame, Track, TrackId};

use crate::Fault;

/// What [`Source::run`] returns.
pub type RunFuture<'a> = Pin<Box<dyn Future<Output = Result<(), Fault>> + Send + 'a>>;

/// Who produces a Channel's frames: a camera, a file, a publishing browser.
///
/// A Source knows how to run once and how to fail. When it runs, and when it is tried again, is the
/// hub's: a Source owns no retry.
pub trait Source: Send + Sync + fmt::Debug + 'static {
    /// Connects, announces tracks, writes frames, and returns when the peer ends, fails, or
    /// [`Publisher::cancelled`] resolves. After that it has [`crate::STOP_GRACE`] to say goodbye; then it is dropped.
    fn run(&self, publisher: Publisher) -> RunFuture<'_>;

    /// Equal for two Sources that are the same peer set up in the same way: `apply` leaves such a
    /// Channel running. A hash over everything that matters, secrets included.
    fn fingerprint(&self) -> u64;
}

/// The writing end of a Channel, for one run of its Source.
#[derive(Debug)]
pub struct Publisher {}

impl Publisher {
    /// Says which tracks there are and what is known of them; called again when that changes.
    pub fn announce(&mut self, tracks: Vec<Track>) {
        let _ = tracks;
    }

    /// Publishes one frame. Its times are on the Source's own time line, whose zero all tracks share;
    /// the hub moves them onto the Stream's.
    pub fn write(&mut self, frame: Frame) {
        let _ = frame;
    }

    /// Says that the peer was heard: it is not stuck, even if no frame could be made of it.
    pub fn heard(&self) {}

    /// Counts `packets` that were lost on `track` before they reached us, and `frames` dropped for it.
    pub fn lost(&self, track: TrackId, packets: u64, frames: u64) {
        let _ = (track, packets, frames);
    }

    /// Resolves when the Source shall end: nobody watches any more, or its Channel goes.
    pub async fn cancelled(&self) {
        std::future::pending().await
    }
}
