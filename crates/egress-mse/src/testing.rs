//! Cameras, frames and clients for the tests of this crate.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use hub::{Channel, Delivery, Registry};
use media::{Format, Frame, Kind, Track, TrackId};
use testing::Orders;
pub(crate) use testing::{Order, a_law, h264 as baseline, high};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::remux::Remuxer;
use crate::session::Session;
use crate::stage::{PROTOCOL, Stages};
use crate::viewer::{Ended, Feed, Viewer};

pub(crate) const PICTURE: TrackId = TrackId(0);
pub(crate) const SOUND: TrackId = TrackId(1);

/// Where nobody looks at what is counted.
pub(crate) fn delivery() -> Arc<Delivery> {
    Arc::default()
}

/// Picture `n` at 25 frames a second, 200 bytes of the number.
pub(crate) fn picture(format: &Arc<Format>, n: i64, keyframe: bool) -> Frame {
    testing::frame(PICTURE.0, format, n * 3600, keyframe, vec![n as u8; 200])
}

/// 20 ms of sound that begin at `n` times 20 ms.
pub(crate) fn sound(format: &Arc<Format>, n: i64) -> Frame {
    testing::frame(SOUND.0, format, n * 160, true, vec![0xd5; 160])
}

pub(crate) fn track(id: TrackId, kind: Kind, format: Option<&Arc<Format>>) -> Track {
    Track {
        id,
        kind,
        encoding: "H264".to_owned(),
        format: format.cloned(),
        unsupported: None,
    }
}

/// A Registry with a Stream whose camera obeys.
pub(crate) struct Rig {
    pub(crate) registry: Registry,
    pub(crate) channel: Channel,
    pub(crate) stop: CancellationToken,
    orders: Orders,
    stages: Stages,
    written: u64,
}

impl Rig {
    pub(crate) fn new() -> Self {
        let (camera, orders) = testing::scripted();
        let (registry, channel) = testing::registry(camera);
        Self {
            registry,
            channel,
            stop: CancellationToken::new(),
            orders,
            stages: Stages::default(),
            written: 0,
        }
    }

    /// A viewer over a pipe that holds `capacity` bytes, and how it ended.
    pub(crate) fn view(&self, session: Session, capacity: usize) -> (Client, JoinHandle<Ended>) {
        let (ours, theirs) = tokio::io::duplex(capacity);
        let feed = Feed {
            watching: self.channel.watch(PROTOCOL),
            stage: self.stages.join(&self.channel, Remuxer::default),
            state: self.channel.state(),
            stop: self.stop.clone(),
        };
        let viewer = Viewer::new(theirs, session, feed);
        let ended = tokio::spawn(viewer.run());
        (Client::new(ours), ended)
    }

    /// How many stages run.
    pub(crate) fn stages(&self) -> usize {
        self.stages.running()
    }

    pub(crate) fn order(&self, order: Order) {
        self.orders.send(order).expect("the camera lives");
    }

    /// Lets the camera write frame by frame, as cameras do, and waits until all tasks have had their turn. Time
    /// passes only where the camera has to be dialled first.
    pub(crate) async fn write(&mut self, frames: impl IntoIterator<Item = Frame>) {
        for frame in frames {
            self.order(Order::Write(Box::new(frame)));
            self.written += 1;
            while self.channel.status().frames < self.written {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                if self.channel.status().frames < self.written {
                    pass(Duration::from_millis(1)).await;
                }
            }
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
    }
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Got {
    Text(serde_json::Value),
    /// RTSPtoWeb's list of codecs.
    Codecs(String),
    Init(Vec<u8>),
    /// Track, decode time, and the first byte of the frame.
    Fragment(u32, u64, u8),
    Ping,
    Pong,
    Close(u16, String),
}

/// A browser.
pub(crate) struct Client {
    io: DuplexStream,
    buffer: BytesMut,
    /// Whether pings are answered.
    pub(crate) awake: bool,
}

impl Client {
    fn new(io: DuplexStream) -> Self {
        Self {
            io,
            buffer: BytesMut::new(),
            awake: true,
        }
    }

    pub(crate) async fn hello(&mut self, codecs: &[&str]) {
        let hello = serde_json::json!({ "type": "hello", "codecs": codecs });
        self.say(&hello.to_string()).await;
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(0x81, text.as_bytes()).await;
    }

    /// Sends a frame of up to 125 bytes with a mask of zeros, or longer.
    pub(crate) async fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(0x80 | length as u8),
            length => {
                frame.push(0x80 | 0x7e);
                frame.extend((length as u16).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        let _ = self.io.write_all(&frame).await;
    }

    /// The next message that is not a ping; those are answered. None at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Got> {
        loop {
            if let Some(got) = self.parse() {
                if got != Got::Ping {
                    return Some(got);
                }
                if self.awake {
                    self.send(0x8a, b"").await;
                }
                continue;
            }
            if !matches!(self.io.read_buf(&mut self.buffer).await, Ok(1..)) {
                return None;
            }
        }
    }

    /// The next `n` messages.
    pub(crate) async fn take(&mut self, n: usize) -> Vec<Got> {
        let mut all = Vec::new();
        while all.len() < n {
            all.push(self.next().await.expect("the connection is open"));
        }
        all
    }

    /// The close that ends the connection.
    pub(crate) async fn closed(&mut self) -> Option<(u16, String)> {
        while let Some(got) = self.next().await {
            if let Got::Close(code, reason) = got {
                return Some((code, reason));
            }
        }
        None
    }

    fn parse(&mut self) -> Option<Got> {
        let (header, length) = match *self.buffer {
            [_, 126, a, b, ..] => (4, usize::from(u16::from_be_bytes([a, b]))),
            [_, n, ..] if n < 126 => (2, usize::from(n)),
            _ => return None,
        };
        if self.buffer.len() < header + length {
            return None;
        }
        let opcode = self.buffer[0];
        self.buffer.advance(header);
        let payload = self.buffer.split_to(length);
        Some(match opcode {
            0x81 => Got::Text(serde_json::from_slice(&payload).expect("JSON")),
            0x82 if payload[0] == 9 => {
                Got::Codecs(String::from_utf8_lossy(&payload[1..]).into_owned())
            }
            0x82 if &payload[4..8] == b"ftyp" => Got::Init(payload.to_vec()),
            0x82 => {
                let number = |at: usize| (&payload[at..]).get_u32();
                assert_eq!(&payload[4..8], b"moof");
                let dts = u64::from(number(60)) << 32 | u64::from(number(64));
                Got::Fragment(number(44), dts, payload[112])
            }
            0x88 => {
                let reason = String::from_utf8_lossy(&payload[2..]).into_owned();
                Got::Close(u16::from_be_bytes([payload[0], payload[1]]), reason)
            }
            0x89 => Got::Ping,
            0x8a => Got::Pong,
            other => panic!("an unexpected opcode {other}"),
        })
    }
}

/// Lets everything that is due happen, then `time` pass.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
