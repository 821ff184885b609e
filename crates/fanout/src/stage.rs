//! The stage of a Channel: one task, started with its first viewer and ended with its last, which makes of frames what
//! viewers get.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use hub::ring::{Reader, Ring, Slot};
use hub::{Channel, ChannelId, Delivery, Event, State, StreamId};
use media::{Frame, Track};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};
use tracing::{Instrument as _, debug, error};

use crate::gather::Gather;
use crate::seat::{Fill, Seat};
use crate::shards::Shards;

/// Makes of a Stream's frames what its viewers get: once, however many they are.
pub trait Make: fmt::Debug + Send + 'static {
    /// What it makes.
    type Item: Item;
    /// What is the same for all that it makes, and viewers have to know before.
    type Facts: fmt::Debug + Copy + Send + Sync;
    /// What the hub calls viewers of this kind.
    const PROTOCOL: &'static str;

    /// What viewers have to know before.
    fn facts(&self) -> Self::Facts;

    /// What becomes of `frame`, which was written while `announced` were the tracks.
    fn push(
        &mut self,
        frame: &Frame,
        announced: &Arc<[Track]>,
    ) -> impl IntoIterator<Item = Slot<Arc<Self::Item>>>;

    /// Of how many frames nothing was made, since nothing could be.
    fn left_out(&self) -> u64;
}

/// What is made of a frame, and shared by all viewers.
pub trait Item: fmt::Debug + Send + Sync + 'static {
    /// Whether this is the sound of a stream that has a picture too, so that it can wait for the next one.
    fn goes_with_a_picture(&self) -> bool;
}

/// Why a stage ended while viewers were left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The Channel was removed, or everything shuts down.
    Gone,
    /// A defect of ours.
    Defect,
}

/// The stages that run, by Channel. There are at most as many entries as there were Channels at the last join.
#[derive(Debug)]
pub struct Stages<M: Make>(Mutex<Running<M>>);

type Running<M> = HashMap<(StreamId, ChannelId), Weak<Stage<M>>>;

impl<M: Make> Default for Stages<M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<M: Make> Stages<M> {
    /// The stage of `channel`, which runs until its last holder lets go. Where it has to be started, `make` says what is
    /// made. Needs a tokio runtime.
    pub fn join(&self, channel: &Channel, make: impl FnOnce() -> M) -> Arc<Stage<M>> {
        let mut stages = self.locked();
        let key = (channel.stream().clone(), channel.id().clone());
        let running = stages.get(&key).and_then(Weak::upgrade);
        if let Some(stage) = running.filter(|stage| stage.serves(channel)) {
            return stage;
        }
        stages.retain(|_, stage| stage.strong_count() > 0);
        let stage = Arc::new(Stage::start(channel, make()));
        stages.insert(key, Arc::downgrade(&stage));
        stage
    }

    /// How many stages run.
    pub fn running(&self) -> usize {
        let stages = self.locked();
        stages.values().filter(|s| s.strong_count() > 0).count()
    }

    fn locked(&self) -> MutexGuard<'_, Running<M>> {
        // What is in there is whole at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is made of one Channel, for its viewers.
#[derive(Debug)]
pub struct Stage<M: Make> {
    channel: Channel,
    facts: M::Facts,
    delivery: Arc<Delivery>,
    ring: Ring<Arc<M::Item>>,
    shards: Shards<M::Item>,
    end: Arc<OnceLock<End>>,
    task: AbortHandle,
}

impl<M: Make> Stage<M> {
    fn start(channel: &Channel, make: M) -> Self {
        let delivery = channel.delivery(M::PROTOCOL);
        let ring = Ring::counting(channel.policy().ring, delivery.skips());
        let end = Arc::new(OnceLock::new());
        let closing = Closing {
            ring: ring.clone(),
            end: Arc::clone(&end),
        };
        let facts = make.facts();
        let (stream, id) = (channel.stream(), channel.id());
        let span = tracing::info_span!("stage", protocol = M::PROTOCOL, %stream, channel = %id);
        let task = tokio::spawn(run(channel.clone(), closing, make).instrument(span));
        Self {
            channel: channel.clone(),
            facts,
            shards: Shards::new(ring.clone(), Arc::clone(&delivery)),
            delivery,
            ring,
            end,
            task: task.abort_handle(),
        }
    }

    /// Where is counted what viewers get.
    pub fn delivery(&self) -> Arc<Delivery> {
        Arc::clone(&self.delivery)
    }

    /// What is the same for all that is made.
    pub fn facts(&self) -> M::Facts {
        self.facts
    }

    /// From the newest keyframe on.
    pub fn reader(&self) -> Reader<Arc<M::Item>> {
        self.ring.reader()
    }

    /// Serves `seat` when there is more to read, for as long as it is there.
    pub fn seat<S, F>(&self, seat: &Arc<Seat<S, F>>)
    where
        S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
        F: Fill + 'static,
    {
        let seat: Weak<Seat<S, F>> = Arc::downgrade(seat);
        self.shards.seat(seat);
    }

    /// Has all viewers served, since one of them has more to be sent.
    pub fn wake(&self) {
        self.shards.wake();
    }

    /// Why the ring was closed.
    pub fn end(&self) -> End {
        self.end.get().copied().unwrap_or(End::Defect)
    }

    /// Whether this is a running stage of that very Channel: one that was removed and added again under
    /// its old id is another.
    fn serves(&self, channel: &Channel) -> bool {
        self.end.get().is_none() && self.channel.same(channel)
    }
}

impl<M: Make> Drop for Stage<M> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Closes the ring however the task ends, a panic included, so that no viewer waits for ever.
#[derive(Debug)]
struct Closing<T: Item> {
    ring: Ring<Arc<T>>,
    end: Arc<OnceLock<End>>,
}

impl<T: Item> Drop for Closing<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("the stage panicked; its viewers are sent away");
        }
        self.end.get_or_init(|| End::Defect);
        self.ring.close();
    }
}

async fn run<M: Make>(channel: Channel, closing: Closing<M::Item>, mut make: M) {
    let ring = &closing.ring;
    let mut frames = channel.frames();
    let mut state = channel.state();
    let mut gather = Gather::new();
    loop {
        let due = gather.due();
        tokio::select! {
            biased;
            event = frames.next() => match event {
                Event::Item(frame) => {
                    let slots = make.push(&frame, frames.tracks());
                    let slots = gather.push(slots, ring.readers(), Instant::now());
                    if slots.iter().any(|slot| slot.start) {
                        ring.set_bounds(channel.policy().ring);
                    }
                    ring.push_all(slots);
                }
                Event::Skipped(frames) => debug!(frames, "the stage was too slow"),
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
    debug!(ring = ?ring.status(), left_out = make.left_out(), "the channel is gone");
    closing.end.get_or_init(|| End::Gone);
}

/// Waits until `due`, for ever where nothing is.
async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
