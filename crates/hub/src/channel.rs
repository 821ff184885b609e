use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use media::{Frame, Track};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::attendance::{Attendance, Sent, ViewerId, ViewerStatus, Who};
use crate::counters::Counters;
use crate::derived::{Derivations, Derived};
use crate::notice::{Board, Notice};
use crate::ring::{self, Ring};
use crate::status::{ChannelStatus, State};
use crate::timeline::Timeline;
use crate::{ChannelId, ChannelSpec, Delivered, Delivery, Policy, Source, StreamId, Timings};

/// One Channel of a Stream: one Source, one ring, and its Viewers. Clones are handles to the same Channel.
#[derive(Clone)]
pub struct Channel(pub(crate) Arc<Shared>);

/// What the handles, the supervisor and the Publisher share.
pub(crate) struct Shared {
    pub(crate) stream: StreamId,
    pub(crate) id: ChannelId,
    pub(crate) ring: Ring<Published>,
    pub(crate) counters: Counters,
    pub(crate) timings: Arc<Timings>,
    deliveries: Mutex<BTreeMap<&'static str, Arc<Delivery>>>,
    pub(crate) derivations: Derivations,
    /// What the Publisher writes under one lock: the time line and the tracks outlive each run.
    pub(crate) writer: Mutex<Timeline>,
    pub(crate) tracks: watch::Sender<Arc<[Track]>>,
    pub(crate) state: watch::Sender<State>,
    wish: Mutex<Wish>,
    viewers: Mutex<BTreeMap<ViewerId, Arc<Attendance>>>,
    pub(crate) board: Board,
    /// Wakes the supervisor: the Viewers, the wish, or the first frame of a run changed.
    pub(crate) changed: Notify,
    /// Since when `heard` counts.
    epoch: Instant,
    /// When the Source was heard last, in milliseconds after `epoch`.
    heard: AtomicU64,
    /// The newest run that has written a frame.
    live_run: AtomicU64,
    /// The Channel goes for good.
    pub(crate) gone: CancellationToken,
    /// It is gone, and its Source has said goodbye.
    pub(crate) over: CancellationToken,
}

/// A frame in the ring, beside the tracks that were announced when it was written.
#[derive(Debug, Clone)]
pub(crate) struct Published {
    frame: Arc<Frame>,
    tracks: Arc<[Track]>,
}

/// What `apply` wishes for; `generation` counts the changes of the Source.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) policy: Policy,
    pub(crate) generation: u64,
}

impl Channel {
    pub(crate) fn new(
        stream: StreamId,
        spec: ChannelSpec,
        timings: Arc<Timings>,
        board: Board,
    ) -> Self {
        let ChannelSpec { id, source, policy } = spec;
        Self(Arc::new(Shared {
            stream,
            id,
            ring: Ring::new(policy.ring),
            counters: Counters::default(),
            timings,
            deliveries: Mutex::default(),
            derivations: Derivations::default(),
            writer: Mutex::default(),
            tracks: watch::Sender::new(Arc::from([])),
            state: watch::Sender::new(State::Idle),
            wish: Mutex::new(Wish {
                source,
                policy,
                generation: 0,
            }),
            viewers: Mutex::default(),
            board,
            changed: Notify::new(),
            epoch: Instant::now(),
            heard: AtomicU64::new(0),
            live_run: AtomicU64::new(0),
            gone: CancellationToken::new(),
            over: CancellationToken::new(),
        }))
    }

    /// The id of the Stream that this Channel belongs to.
    pub fn stream(&self) -> &StreamId {
        &self.0.stream
    }

    /// The id of this Channel, unique in its Stream.
    pub fn id(&self) -> &ChannelId {
        &self.0.id
    }

    /// Whether both are handles to one Channel. One that was removed and added again is another, under the
    /// same id.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Joins as a Viewer, which makes the Source run. The protocol's name alone will do for `who`.
    pub fn watch(&self, who: impl Into<Who>) -> Viewer {
        let attendance = Arc::new(Attendance::new(who.into(), SystemTime::now()));
        locked(&self.0.viewers).insert(attendance.id, Arc::clone(&attendance));
        self.delivery(attendance.protocol()).join();
        let viewer = Viewer {
            channel: self.clone(),
            attendance,
            joined: std::time::Instant::now(),
            reason: OnceLock::new(),
        };
        self.0.changed.notify_one();
        viewer.log_join();
        self.0.board.tell(|| Notice::ViewerJoined(viewer.status()));
        viewer
    }

    /// Those who watch, in the order in which they joined.
    pub fn viewers(&self) -> Vec<ViewerStatus> {
        let viewers: Vec<_> = locked(&self.0.viewers).values().cloned().collect();
        viewers
            .iter()
            .map(|attendance| attendance.status(&self.0.stream, &self.0.id))
            .collect()
    }

    /// One of those who watch.
    pub fn viewer(&self, id: ViewerId) -> Option<ViewerStatus> {
        let viewer = locked(&self.0.viewers).get(&id).cloned();
        viewer.map(|attendance| attendance.status(&self.0.stream, &self.0.id))
    }

    /// Sends the Viewer `id` away; false if there is none. It is told by [`Viewer::kicked`].
    pub fn kick(&self, id: ViewerId) -> bool {
        let viewer = locked(&self.0.viewers).get(&id).cloned();
        viewer.inspect(|viewer| viewer.kicked.cancel()).is_some()
    }

    /// Where is counted what goes out over `protocol`.
    pub fn delivery(&self, protocol: &'static str) -> Arc<Delivery> {
        let fresh = || Arc::new(Delivery::new(self.0.timings.of(protocol)));
        Arc::clone(
            locked(&self.0.deliveries)
                .entry(protocol)
                .or_insert_with(fresh),
        )
    }

    /// Reads the frames, from the newest keyframe on. Reading alone does not make the Source run: a worker
    /// that reads on behalf of Viewers lives as long as they do.
    pub fn frames(&self) -> FrameReader {
        FrameReader {
            reader: self.0.ring.reader(),
            tracks: Arc::from([]),
        }
    }

    /// Reads the frames that come from now on, whether a picture can be made of the first of them or not.
    pub fn frames_from_now(&self) -> FrameReader {
        FrameReader {
            reader: self.0.ring.reader_from_now(),
            tracks: Arc::from([]),
        }
    }

    /// Reads what a worker of the given `kind` makes of this Channel's frames: it runs once however many read it,
    /// from the first reader on until the last is dropped. See [`Derived`]. Needs a tokio runtime.
    ///
    /// `make` makes the worker, which takes each frame of the Channel, of all tracks, and returns what it makes of it,
    /// in order and on the same time line. It is called again when the worker panics. Who names the same `kind` has to
    /// bring the same worker.
    pub fn derive<W>(&self, kind: &'static str, make: impl Fn() -> W + Send + 'static) -> Derived
    where
        W: FnMut(&Arc<Frame>) -> Vec<Frame> + Send + 'static,
    {
        self.0.derivations.join(self, kind, make)
    }

    /// The tracks as announced last; empty before the first announcement.
    pub fn tracks(&self) -> watch::Receiver<Arc<[Track]>> {
        self.0.tracks.subscribe()
    }

    /// The state of the Source, to look at or to follow.
    pub fn state(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    /// Resolves when the Channel was removed, or the Registry shuts down.
    pub async fn gone(&self) {
        self.0.gone.cancelled().await;
    }

    /// The bounds of the ring as configured now, for rings derived from it.
    pub fn policy(&self) -> Policy {
        locked(&self.0.wish).policy
    }

    /// Ends the Source and starts it anew, if it runs or is about to.
    pub fn restart(&self) {
        locked(&self.0.wish).generation += 1;
        self.0.changed.notify_one();
    }

    /// Everything that can be told of this Channel at this moment.
    pub fn status(&self) -> ChannelStatus {
        ChannelStatus::of(&self.0)
    }

    /// Takes over what `spec` wishes for; returns whether anything changed.
    pub(crate) fn apply(&self, spec: ChannelSpec) -> bool {
        let mut wish = locked(&self.0.wish);
        let same_source = wish.source.fingerprint() == spec.source.fingerprint();
        if same_source && wish.policy == spec.policy {
            return false;
        }
        wish.policy = spec.policy;
        if !same_source {
            wish.source = spec.source;
            wish.generation += 1;
        }
        drop(wish);
        self.0.ring.set_bounds(spec.policy.ring);
        self.0.changed.notify_one();
        true
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({}/{})", self.0.stream, self.0.id)
    }
}

impl Shared {
    pub(crate) fn wish(&self) -> Wish {
        locked(&self.wish).clone()
    }

    /// Notes that the Source was heard just now.
    pub(crate) fn hear(&self) {
        let since = Instant::now().duration_since(self.epoch);
        self.heard
            .store(since.as_millis() as u64, Ordering::Relaxed);
    }

    /// When the Source was heard last.
    pub(crate) fn heard(&self) -> Instant {
        self.epoch + Duration::from_millis(self.heard.load(Ordering::Relaxed))
    }

    /// Notes that `run` has written its first frame, and wakes the supervisor.
    pub(crate) fn first_frame(&self, run: u64) {
        self.live_run.store(run, Ordering::Release);
        self.changed.notify_one();
    }

    /// Whether `run` has written a frame.
    pub(crate) fn is_live(&self, run: u64) -> bool {
        self.live_run.load(Ordering::Acquire) == run
    }

    pub(crate) fn viewers(&self) -> usize {
        locked(&self.viewers).len()
    }

    /// What went out over each protocol.
    pub(crate) fn delivered(&self) -> BTreeMap<&'static str, Delivered> {
        let deliveries = locked(&self.deliveries);
        deliveries
            .iter()
            .map(|(protocol, delivery)| (*protocol, delivery.read()))
            .collect()
    }

    /// How many Viewers there are of each protocol.
    pub(crate) fn viewers_by_protocol(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for viewer in locked(&self.viewers).values() {
            *counts.entry(viewer.protocol()).or_insert(0) += 1;
        }
        counts
    }
}

impl Published {
    pub(crate) fn new(frame: Arc<Frame>, tracks: Arc<[Track]>) -> Self {
        Self { frame, tracks }
    }
}

/// Somebody who watches a Channel. While one is held, the Channel's Source runs, however often it fails.
#[derive(Debug)]
pub struct Viewer {
    channel: Channel,
    attendance: Arc<Attendance>,
    joined: std::time::Instant,
    /// Why it is sent away.
    reason: OnceLock<&'static str>,
}

impl Viewer {
    /// What this Viewer watches.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Its number, unique in the process.
    pub fn id(&self) -> ViewerId {
        self.attendance.id
    }

    /// Where the egress counts what it sends to this Viewer.
    pub fn sent(&self) -> Sent {
        self.attendance.sent.clone()
    }

    /// Resolves when this Viewer shall go: the egress ends the connection as its protocol wants it, and drops this.
    /// What it yields may outlive the Viewer.
    pub fn kicked(&self) -> impl Future<Output = ()> + Send + use<> {
        self.attendance.kicked.clone().cancelled_owned()
    }

    /// Whether it is still let in. One that shall go although it is was sent away by hand.
    pub fn may_stay(&self) -> bool {
        self.attendance.may_stay()
    }

    /// Everything that can be told of this Viewer at this moment.
    pub fn status(&self) -> ViewerStatus {
        let Shared { stream, id, .. } = &*self.channel.0;
        self.attendance.status(stream, id)
    }

    /// Says why it is sent away, in one word for machines. Who says nothing has left by itself.
    pub fn sent_away(&self, reason: &'static str) {
        let _first = self.reason.set(reason);
    }

    fn log_join(&self) {
        let who = self.status();
        info!(
            event = "viewer_joined",
            stream = %who.stream,
            channel = %who.channel,
            viewer = who.id,
            protocol = who.protocol,
            remote = who.remote.map(tracing::field::display),
            "a viewer joined"
        );
    }

    fn log_leave(&self) {
        let who = self.status();
        info!(
            event = "viewer_left",
            stream = %who.stream,
            channel = %who.channel,
            viewer = who.id,
            protocol = who.protocol,
            remote = who.remote.map(tracing::field::display),
            reason = self.reason.get().copied().unwrap_or("left"),
            seconds = self.joined.elapsed().as_secs_f64(),
            bytes = who.bytes,
            "a viewer left"
        );
    }

    /// When it joined.
    pub fn joined(&self) -> std::time::Instant {
        self.joined
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let shared = &self.channel.0;
        locked(&shared.viewers).remove(&self.attendance.id);
        shared.changed.notify_one();
        self.log_leave();
        shared.board.tell(|| Notice::ViewerLeft(self.status()));
    }
}

/// What [`FrameReader::next`] yields.
pub type Event = ring::Event<Arc<Frame>>;

/// A place in a Channel's ring, with the slow-viewer policy of [`ring`].
#[derive(Debug)]
pub struct FrameReader {
    reader: ring::Reader<Published>,
    tracks: Arc<[Track]>,
}

impl FrameReader {
    /// The next frame as soon as there is one. Cancel safe.
    pub async fn next(&mut self) -> Event {
        let event = self.reader.next().await;
        self.note(event)
    }

    /// The next frame, if there is one now.
    pub fn try_next(&mut self) -> Option<Event> {
        let event = self.reader.try_next()?;
        Some(self.note(event))
    }

    /// The tracks that were announced when the frame that was read last was written.
    pub fn tracks(&self) -> &Arc<[Track]> {
        &self.tracks
    }

    fn note(&mut self, event: ring::Event<Published>) -> Event {
        match event {
            ring::Event::Item(Published { frame, tracks }) => {
                self.tracks = tracks;
                Event::Item(frame)
            }
            ring::Event::Skipped(n) => Event::Skipped(n),
            ring::Event::Closed => Event::Closed,
        }
    }
}

/// What is behind these locks stays whole at each step, so a panic elsewhere does not spoil it.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
