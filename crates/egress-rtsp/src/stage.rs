//! The packet stage of a Channel: one task, started with its first viewer and ended with its last, which makes packets of
//! frames and feeds a ring.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use hub::ring::{Reader, Ring};
use hub::{Channel, ChannelId, Clock, Delivery, Event, State, StreamId};
use media::{Frame, Kind, Track};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument as _, debug, error};

use crate::desk::Seat;
use crate::gather::Gather;
use crate::shards::Shards;
use crate::unit::{Packer, Sources, Unit};

/// What this egress is called in counts and lists.
pub(crate) const PROTOCOL: &str = "rtsp";

/// Why a stage ended while viewers were left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The Channel was removed, or everything shuts down.
    Gone,
    /// A defect of ours.
    Defect,
}

/// The stages that run, by Channel. There are at most as many entries as there were Channels at the last join.
#[derive(Debug)]
pub(crate) struct Stages {
    running: Mutex<HashMap<(StreamId, ChannelId), Weak<Stage>>>,
    clock: Clock,
}

impl Stages {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            running: Mutex::default(),
            clock,
        }
    }

    /// The stage of `channel`, which runs until its last holder lets go. Needs a tokio runtime.
    pub(crate) fn join(&self, channel: &Channel) -> Arc<Stage> {
        let mut stages = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (channel.stream().clone(), channel.id().clone());
        let running = stages.get(&key).and_then(Weak::upgrade);
        if let Some(stage) = running.filter(|stage| stage.serves(channel)) {
            return stage;
        }
        stages.retain(|_, stage| stage.strong_count() > 0);
        let stage = Arc::new(Stage::start(channel, self.clock));
        stages.insert(key, Arc::downgrade(&stage));
        stage
    }
}

/// One Channel's packets.
#[derive(Debug)]
pub(crate) struct Stage {
    channel: Channel,
    sources: Sources,
    ring: Ring<Arc<Unit>>,
    shards: Shards,
    end: Arc<OnceLock<End>>,
    task: AbortHandle,
}

impl Stage {
    fn start(channel: &Channel, clock: Clock) -> Self {
        let delivery = channel.delivery(PROTOCOL);
        let ring = Ring::counting(channel.policy().ring, delivery.skips());
        let (end, sources) = (Arc::new(OnceLock::new()), Sources::random());
        let closing = Closing {
            ring: ring.clone(),
            end: Arc::clone(&end),
        };
        let span = tracing::info_span!("rtsp", stream = %channel.stream(), channel = %channel.id());
        let work = run(channel.clone(), closing, Packer::new(sources), clock);
        let task = tokio::spawn(work.instrument(span));
        Self {
            channel: channel.clone(),
            sources,
            shards: Shards::new(ring.clone(), delivery),
            ring,
            end,
            task: task.abort_handle(),
        }
    }

    /// Where is counted what viewers get.
    pub(crate) fn delivery(&self) -> Arc<Delivery> {
        self.channel.delivery(PROTOCOL)
    }

    /// Who the packets come from.
    pub(crate) fn sources(&self) -> Sources {
        self.sources
    }

    /// From the newest keyframe on.
    pub(crate) fn reader(&self) -> Reader<Arc<Unit>> {
        self.ring.reader()
    }

    /// Serves `seat` when there is more to read, for as long as it is there.
    pub(crate) fn seat(&self, seat: Weak<dyn Seat>) {
        self.shards.seat(seat);
    }

    /// Has all viewers served, since one of them has more to be sent.
    pub(crate) fn wake(&self) {
        self.shards.wake();
    }

    /// Why the ring was closed.
    pub(crate) fn end(&self) -> End {
        self.end.get().copied().unwrap_or(End::Defect)
    }

    /// Whether this is a running stage of that very Channel: one that was removed and added again under its old id is
    /// another.
    fn serves(&self, channel: &Channel) -> bool {
        self.end.get().is_none() && self.channel.same(channel)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Closes the ring however the task ends, a panic included, so that no viewer waits for ever.
#[derive(Debug)]
struct Closing {
    ring: Ring<Arc<Unit>>,
    end: Arc<OnceLock<End>>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("the packet stage panicked; its viewers are sent away");
        }
        self.end.get_or_init(|| End::Defect);
        self.ring.close();
    }
}

async fn run(channel: Channel, closing: Closing, mut packer: Packer, clock: Clock) {
    let ring = &closing.ring;
    let mut frames = channel.frames();
    let mut state = channel.state();
    let mut gather = Gather::default();
    loop {
        let due = gather.due();
        tokio::select! {
            biased;
            event = frames.next() => match event {
                Event::Item(frame) => {
                    let start = is_start(&frame, frames.tracks());
                    if start {
                        ring.set_bounds(channel.policy().ring);
                    }
                    if let Some(slot) = packer.push(&frame, start, clock.unix_nanos(frame.arrival)) {
                        ring.push_all(gather.push(slot, ring.readers(), Instant::now()));
                    }
                }
                Event::Skipped(frames) => debug!(frames, "the packet stage was too slow"),
                Event::Closed => break,
            },
            () = at(due) => ring.push_all(gather.take()),
            changed = state.changed() => {
                // What a dead session left is no place to start for whoever joins before the next one.
                let flowing = matches!(*state.borrow_and_update(), State::Live | State::Lingering);
                if changed.is_err() {
                    break;
                }
                if !flowing {
                    ring.push_all(gather.take());
                    ring.cut();
                }
            }
        }
    }
    debug!(ring = ?ring.status(), "the channel is gone");
    closing.end.get_or_init(|| End::Gone);
}

/// Whether viewers may start at `frame`: a keyframe, or sound where there is no picture.
fn is_start(frame: &Frame, tracks: &[Track]) -> bool {
    let has_picture = || {
        let sent = |track: &Track| track.format.is_some() && track.unsupported.is_none();
        tracks
            .iter()
            .any(|track| track.kind == Kind::Video && sent(track))
    };
    frame.keyframe && (frame.kind() == Kind::Video || !has_picture())
}

/// Waits until `due`, for ever where nothing is.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
