//! The packager of a Channel at work: one task, begun by who asks first, ended when nobody has asked for a while.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hub::{Channel, ChannelId, Event, Registry, StreamId};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, debug, error};

use crate::Settings;
use crate::calendar::Epoch;
use crate::packager::{Packager, Resume};
use crate::snapshot::{Run, Snapshot};
use crate::window::Numbers;
use crate::wishes::Wishes;

/// What the hub calls our packagers, which are its viewers.
const PROTOCOL: &str = "hls";

/// How often it is looked at whether anybody has asked, and whether who waits has waited for too long.
const CHECK: Duration = Duration::from_secs(1);

/// How long packagers go on when the server is told to stop, for those who wait: cameras run until then, and a part is
/// never longer than 500 ms where it is waited for.
const FINISH: Duration = Duration::from_secs(1);

type Key = (StreamId, ChannelId);

/// What those who ask look at, and wait for.
#[derive(Debug, Clone)]
pub(crate) struct Snapshots {
    /// Nothing before the first part, then the newest state.
    pub(crate) newest: watch::Receiver<Option<Arc<Snapshot>>>,
    pub(crate) wishes: Arc<Wishes>,
}

impl Snapshots {
    /// The newest state.
    pub(crate) fn now(&self) -> Option<Arc<Snapshot>> {
        self.newest.borrow().clone()
    }

    /// Whether more will come.
    pub(crate) fn go_on(&self) -> bool {
        self.newest.has_changed().is_ok()
    }
}

/// The packagers, by Channel. There are at most as many entries as there were Channels when one was begun last.
#[derive(Debug)]
pub(crate) struct Stages {
    settings: watch::Receiver<Settings>,
    stop: CancellationToken,
    began: Instant,
    entries: Mutex<HashMap<Key, Entry>>,
}

#[derive(Debug)]
struct Entry {
    running: Option<Stage>,
    /// Where a packager that begins now goes on.
    resume: Resume,
}

/// A packager that runs.
#[derive(Debug, Clone)]
struct Stage {
    channel: Channel,
    snapshots: Snapshots,
    run: Arc<Run>,
    /// When somebody asked last, in milliseconds after the beginning.
    asked: Arc<AtomicU64>,
}

impl Stages {
    /// All packagers end with `stop`.
    pub(crate) fn new(settings: watch::Receiver<Settings>, stop: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            settings,
            stop,
            began: Instant::now(),
            entries: Mutex::default(),
        })
    }

    /// What the packager of `channel` publishes; begins it if it does not run. Needs a tokio runtime.
    pub(crate) fn join(self: &Arc<Self>, channel: &Channel, registry: &Registry) -> Snapshots {
        let mut entries = self.entries();
        let key = (channel.stream().clone(), channel.id().clone());
        if let Some(stage) = entries.get(&key).and_then(|entry| entry.running.as_ref())
            && stage.serves(channel)
        {
            stage.asked.store(self.now(), Ordering::Relaxed);
            return stage.snapshots.clone();
        }
        entries.retain(|(stream, id), _| {
            let stream = registry.stream(stream);
            stream.is_some_and(|stream| stream.channel(id).is_some())
        });
        let entry = entries.entry(key).or_insert_with(|| Entry {
            running: None,
            resume: Resume::default(),
        });
        let stage = self.begin(channel, entry.resume);
        let snapshots = stage.snapshots.clone();
        entry.running = Some(stage);
        snapshots
    }

    /// What the packager of `channel` publishes, if it runs and `token` is its own.
    pub(crate) fn running(&self, channel: &Channel, token: &str) -> Option<Snapshots> {
        let entries = self.entries();
        let key = (channel.stream().clone(), channel.id().clone());
        let stage = entries.get(&key)?.running.as_ref()?;
        if !stage.serves(channel) || stage.run.token != token {
            return None;
        }
        stage.asked.store(self.now(), Ordering::Relaxed);
        Some(stage.snapshots.clone())
    }

    fn begin(self: &Arc<Self>, channel: &Channel, resume: Resume) -> Stage {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let epoch = Epoch {
            at: Instant::now().into_std(),
            unix: i64::try_from(unix.as_nanos()).unwrap_or(i64::MAX),
        };
        let viewer = channel.watch(PROTOCOL);
        let run = Arc::new(Run {
            token: format!("{:x}", unix.as_millis()),
            channel: channel.id().to_string(),
            sent: viewer.sent(),
            delivery: channel.delivery(PROTOCOL),
        });
        // Segments last a second at least, so numbers go on even when the server was restarted.
        let numbers = Numbers {
            segment: resume.numbers.segment.max(unix.as_secs()),
            ..resume.numbers
        };
        let interval = channel.status().keyframe_interval;
        let gop = interval.and_then(|interval| i64::try_from(interval.as_nanos()).ok());
        let (publish, newest) = watch::channel(None);
        let wishes = Arc::<Wishes>::default();
        let stage = Stage {
            channel: channel.clone(),
            snapshots: Snapshots {
                newest,
                wishes: Arc::clone(&wishes),
            },
            run,
            asked: Arc::new(AtomicU64::new(self.now())),
        };
        let mut settings = self.settings.clone();
        let now = *settings.borrow_and_update();
        let worker = Worker {
            stages: Arc::clone(self),
            stage: stage.clone(),
            viewer,
            publish,
            waiters: Waiters(wishes),
            settings,
            packager: Packager::new(
                now,
                epoch,
                Resume {
                    numbers,
                    gop: gop.or(resume.gop),
                    ..resume
                },
            ),
        };
        let span = tracing::info_span!("hls", stream = %channel.stream(), channel = %channel.id());
        tokio::spawn(worker.run().instrument(span));
        stage
    }

    /// Ends `stage` if nobody has asked for long. Whoever asks later begins another one.
    fn retire(&self, stage: &Stage, resume: Resume) -> bool {
        let mut entries = self.entries();
        let Settings { idle, always, .. } = *self.settings.borrow();
        let idle = u64::try_from(idle.as_millis()).unwrap_or(u64::MAX);
        let since = self
            .now()
            .saturating_sub(stage.asked.load(Ordering::Relaxed));
        if always || since < idle {
            return false;
        }
        let key = (stage.channel.stream().clone(), stage.channel.id().clone());
        if let Some(entry) = entries.get_mut(&key) {
            entry.resume = resume;
            entry.running = None;
        }
        true
    }

    /// Notes up to where numbers are given, whatever becomes of the packager.
    fn note(&self, stage: &Stage, resume: Resume) {
        let key = (stage.channel.stream().clone(), stage.channel.id().clone());
        if let Some(entry) = self.entries().get_mut(&key) {
            entry.resume = resume;
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    /// Whether this is a running packager of that very Channel: one that was removed and added again under its
    /// old id is another.
    fn serves(&self, channel: &Channel) -> bool {
        self.channel.same(channel) && self.snapshots.go_on()
    }
}

/// Those who wait for what a packager publishes.
struct Waiters(Arc<Wishes>);

impl Drop for Waiters {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// What the task owns. When it is dropped, whoever waits is woken and sees that nothing will follow.
struct Worker {
    stages: Arc<Stages>,
    stage: Stage,
    viewer: hub::Viewer,
    publish: watch::Sender<Option<Arc<Snapshot>>>,
    /// Dropped after it, when all see that it is over.
    waiters: Waiters,
    settings: watch::Receiver<Settings>,
    packager: Packager,
}

impl Worker {
    async fn run(mut self) {
        let channel = self.stage.channel.clone();
        let kicked = self.viewer.kicked();
        let stop = self.stages.stop.clone();
        let stopped = async move {
            stop.cancelled().await;
            sleep(FINISH).await;
        };
        tokio::pin!(kicked, stopped);
        let mut frames = channel.frames();
        let mut check = interval(CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                event = frames.next() => match event {
                    Event::Item(frame) => {
                        if self.packager.push(&frame, frames.tracks()) {
                            self.publish();
                        }
                    }
                    Event::Skipped(frames) => {
                        debug!(frames, "the packager was too slow");
                        self.packager.skipped();
                    }
                    Event::Closed => break,
                },
                // Whoever asks next begins another one.
                () = &mut kicked => break,
                Ok(()) = self.settings.changed() => {
                    let settings = *self.settings.borrow_and_update();
                    if !self.packager.adopt(settings) {
                        break;
                    }
                }
                _ = check.tick() => {
                    // Who has waited for too long goes now.
                    self.waiters.0.wake();
                    if self.stages.retire(&self.stage, self.packager.resume()) {
                        break;
                    }
                }
            }
        }
    }

    fn publish(&self) {
        let window = self.packager.window().clone();
        let Some(timing) = self.packager.timing() else {
            return;
        };
        let run = Arc::clone(&self.stage.run);
        let snapshot = Arc::new(Snapshot::new(window, timing, run, Instant::now()));
        self.publish.send_replace(Some(Arc::clone(&snapshot)));
        self.waiters.0.grant(&snapshot.window, timing);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if std::thread::panicking() {
            error!("the packager panicked; the next request begins another one");
        }
        let window = self.packager.window();
        self.stages.note(&self.stage, self.packager.resume());
        let (bytes, overflows) = window.bytes();
        debug!(
            bytes,
            overflows,
            left_out = self.packager.left_out,
            "the packager ends"
        );
    }
}
