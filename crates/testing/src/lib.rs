//! Formats, frames and cameras for the tests and benchmarks of the egresses. Nothing of the product knows this crate.

#![expect(
    clippy::missing_panics_doc,
    reason = "what can't be made here ends the test that wants it"
)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hub::{
    Channel, ChannelId, ChannelSpec, Fault, Policy, Publisher, Registry, RunFuture, Source,
    StreamId, StreamSpec,
};
use media::{Aac, Format, Frame, G711, H264, Track, TrackId};
use tokio::sync::{Mutex, mpsc};

/// 1280x720, baseline, level 3.1, 25 pictures a second.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x20,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];
const HIGH_SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
    0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
];
const HIGH_PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

/// H.264 of the baseline profile.
pub fn h264() -> Arc<Format> {
    sets(SPS, PPS)
}

/// H.264 of the high profile.
pub fn high() -> Arc<Format> {
    sets(HIGH_SPS, HIGH_PPS)
}

fn sets(sps: &'static [u8], pps: &'static [u8]) -> Arc<Format> {
    let format = H264::new(Bytes::from_static(sps), vec![Bytes::from_static(pps)]);
    Arc::new(Format::H264(format.expect("real parameter sets")))
}

/// G.711 at 8 kHz.
pub fn a_law() -> Arc<Format> {
    Arc::new(Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    }))
}

/// AAC at 48 kHz.
pub fn aac() -> Arc<Format> {
    let format = Aac::low_complexity(48_000, 1);
    Arc::new(Format::Aac(format.expect("a usual rate")))
}

/// A track of that number.
pub fn track(id: u8, format: &Arc<Format>) -> Track {
    Track {
        id: TrackId(id),
        kind: format.kind(),
        encoding: "TEST".to_owned(),
        format: Some(format.clone()),
        unsupported: None,
    }
}

/// The `n`th picture at 25 a second, one slice of `size` bytes, of track 0.
pub fn picture(format: &Arc<Format>, n: i64, keyframe: bool, size: usize) -> Frame {
    let mut data = (size as u32).to_be_bytes().to_vec();
    data.push(if keyframe { 0x65 } else { 0x41 });
    data.resize(4 + size, n as u8);
    frame(0, format, n * 3600, keyframe, data)
}

/// The `n`th 20 ms of sound at 8 kHz, of track 1.
pub fn sound(format: &Arc<Format>, n: i64) -> Frame {
    frame(1, format, n * 160, true, vec![n as u8; 160])
}

/// A frame that arrives now, decoded when it is shown.
pub fn frame(
    track: u8,
    format: &Arc<Format>,
    pts: i64,
    keyframe: bool,
    data: impl Into<Bytes>,
) -> Frame {
    Frame {
        track: TrackId(track),
        format: format.clone(),
        pts,
        dts: pts,
        keyframe,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data: data.into(),
    }
}

/// What a test tells the camera of [`scripted`].
#[derive(Debug)]
pub enum Order {
    /// Tell these tracks.
    Announce(Vec<Track>),
    /// Send a frame.
    Write(Box<Frame>),
    /// End like this.
    Fail(Fault),
}

/// Where orders are given.
pub type Orders = mpsc::UnboundedSender<Order>;

#[derive(Debug)]
struct Script(Mutex<mpsc::UnboundedReceiver<Order>>);

impl Source for Script {
    fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
        Box::pin(async move {
            let mut orders = self.0.lock().await;
            loop {
                let order = tokio::select! {
                    () = publisher.cancelled() => return Ok(()),
                    order = orders.recv() => order,
                };
                match order {
                    Some(Order::Announce(tracks)) => publisher.announce(tracks),
                    Some(Order::Write(frame)) => publisher.write(*frame),
                    Some(Order::Fail(fault)) => return Err(fault),
                    None => std::future::pending().await,
                }
            }
        })
    }

    fn fingerprint(&self) -> u64 {
        1
    }
}

/// A camera that does what it is told, in each run.
pub fn scripted() -> (Arc<dyn Source>, Orders) {
    let (orders, script) = mpsc::unbounded_channel();
    (Arc::new(Script(Mutex::new(script))), orders)
}

/// A Registry with a Stream `cam` of one Channel `0`, and that Channel. Needs a tokio runtime.
pub fn registry(source: Arc<dyn Source>) -> (Registry, Channel) {
    let registry = Registry::new();
    let id = StreamId::new("cam").expect("an id");
    let spec = StreamSpec {
        id: id.clone(),
        name: String::new(),
        channels: vec![ChannelSpec {
            id: ChannelId::new("0").expect("an id"),
            source,
            policy: Policy::default(),
        }],
    };
    registry.apply(vec![spec]).expect("it applies");
    let stream = registry.stream(&id).expect("it was applied");
    let channel = stream.first_channel().clone();
    (registry, channel)
}
