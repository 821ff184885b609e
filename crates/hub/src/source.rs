use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use media::{Frame, Kind, Track, TrackId};
use tokio_util::sync::CancellationToken;

use crate::Fault;
use crate::channel::{Published, Shared, locked};
use crate::counters::add;
use crate::ring::Slot;
use crate::timeline::Placed;

/// How much comes of one peer, in bytes, before all others have their turn. The task of a peer that sends faster than it
/// is read never waits by itself; of a camera with 2 Mbit/s this is a second.
const TURN: usize = 256 << 10;

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
pub struct Publisher {
    shared: Arc<Shared>,
    run: u64,
    cancelled: CancellationToken,
    tracks: Arc<[Track]>,
    /// Viewers start at its keyframes; without a picture, at any unit of sound.
    has_picture: bool,
    live: bool,
    /// When the newest keyframe of a picture was, in nanoseconds on the Stream's time line.
    keyframe: Option<i64>,
    /// What came of the peer since others had their turn, in bytes.
    taken: usize,
}

impl Publisher {
    pub(crate) fn new(shared: Arc<Shared>, run: u64, cancelled: CancellationToken) -> Self {
        Self {
            shared,
            run,
            cancelled,
            tracks: Arc::from([]),
            has_picture: false,
            live: false,
            keyframe: None,
            taken: 0,
        }
    }

    /// Says which tracks there are and what is known of them; called again when that changes.
    pub fn announce(&mut self, tracks: Vec<Track>) {
        let carries_picture =
            |t: &Track| t.kind == Kind::Video && t.format.is_some() && t.unsupported.is_none();
        self.has_picture = tracks.iter().any(carries_picture);
        self.tracks = tracks.into();
        let writer = locked(&self.shared.writer);
        if writer.is(self.run) {
            self.shared.tracks.send_if_modified(|known| {
                let news = **known != *self.tracks;
                if news {
                    *known = Arc::clone(&self.tracks);
                } else {
                    // The same tracks keep the same Arc, so that nobody downstream starts anew.
                    self.tracks = Arc::clone(known);
                }
                news
            });
        }
    }

    /// Publishes one frame. Its times are on the Source's own time line, whose zero all tracks share;
    /// the hub moves them onto the Stream's. Writes of a run that is over are ignored.
    pub fn write(&mut self, mut frame: Frame) {
        let shared = &*self.shared;
        shared.hear();
        let mut timeline = locked(&shared.writer);
        if !timeline.is(self.run) {
            return;
        }
        match timeline.place(&mut frame) {
            Placed::AsSent => {}
            Placed::Repaired => add(&shared.counters.repaired_times, 1),
            Placed::Late => return add(&shared.counters.late_frames, 1),
        }
        add(&shared.counters.frames, 1);
        add(&shared.counters.bytes, frame.data.len() as u64);
        let start = frame.keyframe && (frame.kind() == Kind::Video || !self.has_picture);
        add(&shared.counters.keyframes, u64::from(start));
        let (at, bytes) = (frame.dts_nanos(), frame.data.len());
        if start && frame.kind() == Kind::Video {
            note_keyframe(shared, self.keyframe.replace(at), at);
        }
        let item = Published::new(Arc::new(frame), Arc::clone(&self.tracks));
        shared.ring.push(Slot {
            item,
            start,
            at,
            bytes,
        });
        drop(timeline);
        if !self.live {
            self.live = true;
            shared.first_frame(self.run);
        }
    }

    /// Says that the peer was heard: it is not stuck, even if no frame could be made of it.
    pub fn heard(&self) {
        self.shared.hear();
    }

    /// Says that `bytes` came of the peer, and lets others have their turn when that was much. A Source awaits this after
    /// each read.
    pub async fn took(&mut self, bytes: usize) {
        self.taken += bytes;
        if self.taken >= TURN {
            self.taken = 0;
            tokio::task::yield_now().await;
        }
    }

    /// Counts `packets` that were lost on `track` before they reached us, and `frames` dropped for it.
    pub fn lost(&self, track: TrackId, packets: u64, frames: u64) {
        tracing::debug!(track = track.0, packets, frames, "loss");
        add(&self.shared.counters.lost_packets, packets);
        add(&self.shared.counters.dropped_frames, frames);
    }

    /// Resolves when the Source shall end: nobody watches any more, or its Channel goes.
    pub async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }
}

/// Notes how far a keyframe at `at` is from the one before, in nanoseconds.
fn note_keyframe(shared: &Shared, before: Option<i64>, at: i64) {
    let interval = before.and_then(|before| u64::try_from(at - before).ok());
    if let Some(interval) = interval.map(Duration::from_nanos) {
        shared.timings.keyframes.observe(interval);
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        shared
            .counters
            .keyframe_interval
            .store(micros, Ordering::Relaxed);
    }
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Publisher({}/{} run {})",
            self.shared.stream, self.shared.id, self.run
        )
    }
}
