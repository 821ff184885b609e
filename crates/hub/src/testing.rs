//! Frames and Sources for the tests of this crate.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use media::{Format, Frame, G711, Kind, Track, TrackId};
use tokio::sync::mpsc;

use crate::source::{Publisher, RunFuture, Source};
use crate::{ChannelId, ChannelSpec, Fault, Policy, StreamId, StreamSpec};

/// A unit of sound of 20 ms: the hub does not care what a frame holds.
pub(crate) fn sound(pts: i64) -> Frame {
    let format = Arc::new(Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    }));
    frame(format, pts)
}

pub(crate) fn frame(format: Arc<Format>, pts: i64) -> Frame {
    Frame {
        track: TrackId(0),
        format,
        pts,
        dts: pts,
        keyframe: true,
        discontinuity: false,
        wallclock: None,
        arrival: std::time::Instant::now(),
        data: Bytes::from_static(&[0xd5; 160]),
    }
}

/// What a test tells a running [`Script`] to do.
#[derive(Debug)]
pub(crate) enum Order {
    Write(Frame),
    Heard,
    Fail(Fault),
    Panic,
}

/// A Source that does what a test tells it. Each run hands its order book to the test.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) key: u64,
    runs: mpsc::UnboundedSender<mpsc::UnboundedSender<Order>>,
    running: Arc<AtomicU64>,
    deaf: bool,
}

/// The test's side of a [`Script`].
pub(crate) struct Director {
    pub(crate) runs: mpsc::UnboundedReceiver<mpsc::UnboundedSender<Order>>,
    /// How many sessions are open now.
    pub(crate) running: Arc<AtomicU64>,
}

/// A Source and its director; a `deaf` one does not end when it is cancelled.
pub(crate) fn script(key: u64, deaf: bool) -> (Arc<Script>, Director) {
    let (tx, runs) = mpsc::unbounded_channel();
    let running = Arc::new(AtomicU64::new(0));
    (
        Arc::new(Script {
            key,
            runs: tx,
            running: Arc::clone(&running),
            deaf,
        }),
        Director { runs, running },
    )
}

impl Director {
    /// The order book of the next run.
    pub(crate) async fn run(&mut self) -> mpsc::UnboundedSender<Order> {
        self.runs.recv().await.expect("the script lives")
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.running.load(Ordering::SeqCst)
    }
}

struct Session(Arc<AtomicU64>);

impl Drop for Session {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source for Script {
    fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
        Box::pin(async move {
            self.running.fetch_add(1, Ordering::SeqCst);
            let _session = Session(Arc::clone(&self.running));
            let (tx, mut orders) = mpsc::unbounded_channel();
            let _ = self.runs.send(tx);
            loop {
                let order = tokio::select! {
                    () = publisher.cancelled(), if !self.deaf => return Ok(()),
                    order = orders.recv() => order,
                };
                match order {
                    Some(Order::Write(frame)) => {
                        let format = Some(Arc::clone(&frame.format));
                        let track = Track {
                            id: frame.track,
                            kind: Kind::Audio,
                            encoding: "PCMA".to_owned(),
                            format,
                            unsupported: None,
                        };
                        publisher.announce(vec![track]);
                        publisher.write(frame);
                    }
                    Some(Order::Heard) => publisher.heard(),
                    Some(Order::Fail(fault)) => return Err(fault),
                    Some(Order::Panic) => panic!("as the test ordered"),
                    None => std::future::pending().await,
                }
            }
        })
    }

    fn fingerprint(&self) -> u64 {
        self.key
    }
}

/// A Stream of one Channel `0`.
pub(crate) fn spec(id: &str, source: Arc<dyn Source>, policy: Policy) -> StreamSpec {
    let channel = ChannelSpec {
        id: ChannelId::new("0").expect("an id"),
        source,
        policy,
    };
    StreamSpec {
        id: StreamId::new(id).expect("an id"),
        name: String::new(),
        channels: vec![channel],
    }
}
