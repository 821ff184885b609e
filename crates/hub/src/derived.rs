//! What is made of a Channel's frames once for all who want it, such as sound in another codec.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, Weak};

use media::Frame;
use tokio::task::AbortHandle;
use tracing::{Instrument as _, debug, error, info_span};

use crate::RingStatus;
use crate::channel::{Channel, Event, FrameReader, locked};
use crate::counters::{add, get};
use crate::ring::{Reader, Ring, Slot};

/// How often a worker may panic and is made anew. Then its readers are told that nothing will follow.
const MAX_PANICS: u32 = 3;

/// A reader of what a worker makes of a Channel's frames, beside those and on the same time line. It begins with what is
/// made next: what lies in the Channel's ring is past. While one is held, the worker runs; but it is no Viewer: the
/// Channel's Source runs for those who hold a [`crate::Viewer`].
#[derive(Debug)]
pub struct Derived {
    reader: Reader<Arc<Frame>>,
    stage: Arc<Stage>,
}

impl Derived {
    /// The next frame as soon as there is one; [`Event::Closed`] where the Channel is gone, or the worker gave up.
    /// Cancel safe.
    pub async fn next(&mut self) -> Event {
        self.reader.next().await
    }

    /// The next frame, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        self.reader.try_next()
    }

    /// How many read the same, this one included.
    pub fn readers(&self) -> usize {
        self.stage.ring.readers()
    }
}

/// What can be told of one kind of what is made of a Channel's frames.
#[derive(Debug, Clone, Copy)]
pub struct DerivedStatus {
    /// Those who read it now.
    pub readers: usize,
    /// Frames made.
    pub frames: u64,
    /// Frames of the Channel that the worker came too late for.
    pub skipped: u64,
    /// How often the worker panicked.
    pub panics: u64,
    /// What the ring of the worker that runs holds; none where none runs.
    pub ring: Option<RingStatus>,
}

/// The workers of a Channel by kind, of which there are as many as the program has names for.
#[derive(Debug, Default)]
pub(crate) struct Derivations(Mutex<BTreeMap<&'static str, Entry>>);

#[derive(Debug, Default)]
struct Entry {
    stage: Weak<Stage>,
    counters: Arc<Counters>,
}

/// What is counted of one kind, over all its workers.
#[derive(Debug, Default)]
struct Counters {
    frames: AtomicU64,
    skipped: AtomicU64,
    panics: AtomicU64,
}

/// A worker that runs until the last that reads it is dropped.
#[derive(Debug)]
struct Stage {
    ring: Ring<Arc<Frame>>,
    task: AbortHandle,
}

impl Derivations {
    pub(crate) fn join<W>(
        &self,
        channel: &Channel,
        kind: &'static str,
        make: impl Fn() -> W + Send + 'static,
    ) -> Derived
    where
        W: FnMut(&Arc<Frame>) -> Vec<Frame> + Send + 'static,
    {
        let mut entries = locked(&self.0);
        let entry = entries.entry(kind).or_default();
        let running = entry.stage.upgrade();
        let stage = running.filter(|stage| !stage.ring.with(|window| window.is_closed()));
        let stage = stage.unwrap_or_else(|| {
            let stage = Arc::new(Stage::start(channel, kind, make, &entry.counters));
            entry.stage = Arc::downgrade(&stage);
            stage
        });
        Derived {
            reader: stage.ring.reader_from_now(),
            stage,
        }
    }

    pub(crate) fn status(&self) -> BTreeMap<&'static str, DerivedStatus> {
        let status = |entry: &Entry| {
            let ring = entry.stage.upgrade().map(|stage| stage.ring.clone());
            DerivedStatus {
                readers: ring.as_ref().map_or(0, Ring::readers),
                frames: get(&entry.counters.frames),
                skipped: get(&entry.counters.skipped),
                panics: get(&entry.counters.panics),
                ring: ring.map(|ring| ring.status()),
            }
        };
        let entries = locked(&self.0);
        entries.iter().map(|(kind, e)| (*kind, status(e))).collect()
    }
}

impl Stage {
    fn start<W>(
        channel: &Channel,
        kind: &'static str,
        make: impl Fn() -> W + Send + 'static,
        counters: &Arc<Counters>,
    ) -> Self
    where
        W: FnMut(&Arc<Frame>) -> Vec<Frame> + Send + 'static,
    {
        let ring = Ring::new(channel.policy().ring);
        let worker = Worker {
            // Here, so that no frame is missed before the task runs.
            frames: channel.frames_from_now(),
            out: Closing(ring.clone()),
            counters: Arc::clone(counters),
        };
        let span = info_span!("derived", kind, stream = %channel.stream(), channel = %channel.id());
        let task = tokio::spawn(worker.run(make).instrument(span));
        Self {
            ring,
            task: task.abort_handle(),
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Closes the ring however the task ends, so that nobody waits for ever.
#[derive(Debug)]
struct Closing(Ring<Arc<Frame>>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// What the task owns.
#[derive(Debug)]
struct Worker {
    frames: FrameReader,
    out: Closing,
    counters: Arc<Counters>,
}

impl Worker {
    async fn run<W>(mut self, make: impl Fn() -> W + Send)
    where
        W: FnMut(&Arc<Frame>) -> Vec<Frame> + Send,
    {
        let mut worker = make();
        let (mut panics, mut anew) = (0, false);
        loop {
            let frame = match self.frames.next().await {
                Event::Item(frame) => frame,
                Event::Skipped(frames) => {
                    debug!(frames, "the worker was too slow");
                    add(&self.counters.skipped, frames);
                    continue;
                }
                Event::Closed => return,
            };
            let work = AssertUnwindSafe(|| worker(&frame));
            if let Ok(made) = catch_unwind(work) {
                anew &= !self.publish(made, anew);
                continue;
            }
            add(&self.counters.panics, 1);
            panics += 1;
            if panics == MAX_PANICS {
                return error!("the worker panicked again; it is given up");
            }
            error!("the worker panicked; it is made anew");
            (worker, anew) = (make(), true);
        }
    }

    /// Publishes what was made of one frame, after a hole where the worker is new. Says whether that was anything.
    fn publish(&self, made: Vec<Frame>, anew: bool) -> bool {
        let any = !made.is_empty();
        add(&self.counters.frames, made.len() as u64);
        let slots = made.into_iter().enumerate().map(|(i, mut frame)| {
            frame.discontinuity |= anew && i == 0;
            Slot {
                start: frame.keyframe,
                at: frame.dts_nanos(),
                bytes: frame.data.len(),
                item: Arc::new(frame),
            }
        });
        self.out.0.push_all(slots);
        any
    }
}

#[cfg(test)]
mod tests;
