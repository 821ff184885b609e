//! The packet stage of a Channel: one task, started with its first viewer and ended with its last, which makes packets
//! of frames and feeds two rings. Sound has its own, so that it does not wait behind a large picture; so has sound that is
//! made Opus of.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use hub::ring::{Reader, Ring};
use hub::{Channel, ChannelId, Clock, Event, State, StreamId};
use media::time::NANOS;
use media::{Frame, Kind, TrackId};
use tokio::task::AbortHandle;
use tracing::{Instrument as _, debug, error};

use crate::opus::{Feed, Listening};
use crate::peer::Peer;
use crate::shards::Shards;
use crate::socket::Sockets;
use crate::unit::{Cache, Packets, Unit};

/// What this egress is called in counts and lists.
pub const PROTOCOL: &str = "webrtc";

/// Why a stage ended while viewers were left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The Channel was removed, or everything shuts down.
    Gone,
    /// The camera began to send B-frames.
    BFrames,
    /// A defect of ours.
    Defect,
}

/// The stages that run, by Channel.
#[derive(Debug)]
pub(crate) struct Stages {
    running: Mutex<HashMap<(StreamId, ChannelId), Weak<Stage>>>,
    sockets: Arc<Sockets>,
    clock: Clock,
}

impl Stages {
    pub(crate) fn new(sockets: Arc<Sockets>, clock: Clock) -> Self {
        Self {
            running: Mutex::default(),
            sockets,
            clock,
        }
    }

    /// The stage of `channel`, which runs until its last holder lets go. Needs a tokio runtime.
    pub(crate) fn join(&self, channel: &Channel) -> Arc<Stage> {
        let mut stages = locked(&self.running);
        let key = (channel.stream().clone(), channel.id().clone());
        let running = stages.get(&key).and_then(Weak::upgrade);
        if let Some(stage) = running.filter(|stage| stage.serves(channel)) {
            return stage;
        }
        stages.retain(|_, stage| stage.strong_count() > 0);
        let stage = Arc::new(Stage::start(channel, Arc::clone(&self.sockets), self.clock));
        stages.insert(key, Arc::downgrade(&stage));
        stage
    }
}

/// What the task fills and viewers read.
#[derive(Debug)]
struct Shared {
    pictures: Ring<Arc<Unit>>,
    sounds: Ring<Arc<Unit>>,
    /// Sound that was made Opus of, while somebody listens.
    opus: Ring<Arc<Unit>>,
    cache: Mutex<Cache>,
    /// The wall clock at the zero of the Stream's time line, in nanoseconds since 1970.
    epoch: OnceLock<i64>,
    /// Bits of picture a second.
    bitrate: AtomicU64,
    end: OnceLock<End>,
}

/// One Channel's packets.
#[derive(Debug)]
pub(crate) struct Stage {
    channel: Channel,
    shared: Arc<Shared>,
    shards: Shards,
    feed: Mutex<Weak<Feed>>,
    task: AbortHandle,
}

impl Stage {
    fn start(channel: &Channel, sockets: Arc<Sockets>, clock: Clock) -> Self {
        let bounds = channel.policy().ring;
        let delivery = channel.delivery(PROTOCOL);
        let shared = Arc::new(Shared {
            pictures: Ring::counting(bounds, delivery.skips()),
            sounds: Ring::counting(bounds, delivery.skips()),
            opus: Ring::counting(bounds, delivery.skips()),
            cache: Mutex::default(),
            epoch: OnceLock::new(),
            bitrate: AtomicU64::new(0),
            end: OnceLock::new(),
        });
        let span =
            tracing::info_span!("webrtc", stream = %channel.stream(), channel = %channel.id());
        let closing = Closing(Arc::clone(&shared));
        let task = tokio::spawn(run(channel.clone(), closing, clock).instrument(span));
        Self {
            channel: channel.clone(),
            shards: Shards::new(
                [&shared.pictures, &shared.sounds, &shared.opus].map(Ring::clone),
                sockets,
                delivery,
            ),
            shared,
            feed: Mutex::default(),
            task: task.abort_handle(),
        }
    }

    /// Pictures from the newest keyframe on.
    pub(crate) fn pictures(&self) -> Reader<Arc<Unit>> {
        self.shared.pictures.reader()
    }

    /// Sound from now on.
    pub(crate) fn sounds(&self) -> Reader<Arc<Unit>> {
        self.shared.sounds.reader()
    }

    /// The sound of `track` as Opus from now on. Needs a tokio runtime.
    pub(crate) fn opus(&self, track: TrackId) -> Listening {
        let mut feed = locked(&self.feed);
        let running = feed.upgrade().unwrap_or_else(|| {
            let started = Feed::start(&self.channel, track, self.shared.opus.clone());
            let started = Arc::new(started);
            *feed = Arc::downgrade(&started);
            started
        });
        Listening::new(&self.shared.opus, running)
    }

    /// What was sent lately, to be sent again.
    pub(crate) fn cache(&self) -> MutexGuard<'_, Cache> {
        locked(&self.shared.cache)
    }

    /// The wall clock at the zero of the Stream's time line, in nanoseconds since 1970.
    pub(crate) fn epoch(&self) -> Option<i64> {
        self.shared.epoch.get().copied()
    }

    /// Bits of picture a second; 0 while that is not known.
    pub(crate) fn bitrate(&self) -> u64 {
        self.shared.bitrate.load(Ordering::Relaxed)
    }

    /// Serves `peer` when there is more to send, for as long as it is there.
    pub(crate) fn seat(&self, peer: Weak<Peer>) {
        self.shards.seat(peer);
    }

    /// Has all viewers served, since one of them has something to be sent.
    pub(crate) fn wake(&self) {
        self.shards.wake();
    }

    /// Why the rings were closed.
    pub(crate) fn end(&self) -> End {
        self.shared.end.get().copied().unwrap_or(End::Defect)
    }

    /// Whether this is a running stage of that very Channel.
    fn serves(&self, channel: &Channel) -> bool {
        self.shared.end.get().is_none() && self.channel.same(channel)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Closes the rings however the task ends, a panic included, so that no viewer waits for ever.
#[derive(Debug)]
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("the packet stage panicked; its viewers are sent away");
        }
        self.0.end.get_or_init(|| End::Defect);
        self.0.pictures.close();
        self.0.sounds.close();
        self.0.opus.close();
    }
}

async fn run(channel: Channel, closing: Closing, clock: Clock) {
    let shared = &*closing.0;
    let mut frames = channel.frames();
    let mut state = channel.state();
    let mut packets = Packets::default();
    let mut rate = Rate::default();
    let end = loop {
        tokio::select! {
            biased;
            event = frames.next() => match event {
                Event::Item(frame) => {
                    shared.epoch.get_or_init(|| clock.unix_nanos(frame.arrival) - frame.pts_nanos());
                    if frame.kind() == Kind::Video {
                        shared.bitrate.store(rate.push(&frame), Ordering::Relaxed);
                        if frame.keyframe {
                            let bounds = channel.policy().ring;
                            shared.pictures.set_bounds(bounds);
                            shared.sounds.set_bounds(bounds);
                            shared.opus.set_bounds(bounds);
                        }
                    }
                    match packets.push(&frame) {
                        Ok(Some(slot)) if frame.kind() == Kind::Video => {
                            locked(&shared.cache).push(&slot.item);
                            shared.pictures.push(slot);
                        }
                        Ok(Some(slot)) => shared.sounds.push(slot),
                        Ok(None) => {}
                        Err(_) => break End::BFrames,
                    }
                }
                Event::Skipped(frames) => debug!(frames, "the packet stage was too slow"),
                Event::Closed => break End::Gone,
            },
            changed = state.changed() => {
                // What a dead session left is no place to start for whoever joins before the next one.
                let flowing = matches!(*state.borrow_and_update(), State::Live | State::Lingering);
                if changed.is_err() {
                    break End::Gone;
                }
                if !flowing {
                    shared.pictures.cut();
                    shared.sounds.cut();
                    shared.opus.cut();
                }
            }
        }
    };
    debug!(?end, "no more packets");
    shared.end.get_or_init(|| end);
}

/// How many bits of picture there are a second, over some seconds: from keyframe to keyframe, or a large one would be taken for many.
#[derive(Debug, Default)]
struct Rate {
    since: Option<i64>,
    bits: u64,
    known: u64,
}

impl Rate {
    /// How long is counted at a time, at least, and where no keyframe comes, in nanoseconds.
    const SPAN: i64 = NANOS;
    const LONG_SPAN: i64 = 5 * NANOS;

    fn push(&mut self, frame: &Frame) -> u64 {
        let at = frame.dts_nanos();
        let passed = at - *self.since.get_or_insert(at);
        let whole = passed >= Self::SPAN && frame.keyframe || passed >= Self::LONG_SPAN;
        if whole {
            let now = (self.bits as f64 * NANOS as f64 / passed as f64) as u64;
            self.known = if self.known == 0 {
                now
            } else {
                (3 * self.known + now) / 4
            };
        }
        if whole || passed < 0 {
            (self.since, self.bits) = (Some(at), 0);
        }
        self.bits += 8 * frame.data.len() as u64;
        self.known
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole at any moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
