//! A camera that does what a test tells it, on real sockets, and a hub that watches it.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]
#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hub::ring::Event;
use hub::{
    Channel, ChannelId, ChannelSpec, Fault, FrameReader, Policy, Registry, State, StreamId,
    StreamSpec, Viewer,
};
use ingest_rtsp::{Camera, Config};
use media::Frame;
use media::rtp::{Header, Packet};
use rtsp::{Interleaved, Lower, Message, Method, Parser, Request, Response, Status, Transport};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;

/// One track of G.711.
pub const SOUND: &str = "v=0\r\ns=x\r\nm=audio 0 RTP/AVP 8\r\na=control:sound\r\n";

/// How the camera takes to a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Plays,
    Refuses(u16),
    Silent,
    /// Closes the connection in place of an answer to PLAY.
    HangsUp,
}

/// What the camera sends once it plays.
#[derive(Debug, Clone)]
pub enum Feed {
    /// 20 ms of G.711 every 5 ms, for ever.
    Sound,
    /// The same as fast as it is taken.
    Flood,
    /// These packets of these tracks, one every 5 ms, and nothing more.
    Packets(Vec<(usize, Bytes)>),
}

#[derive(Debug, Clone)]
pub struct Script {
    pub sdp: &'static str,
    pub tcp: Takes,
    pub udp: Takes,
    pub feed: Feed,
    /// The only `Authorization` that is taken.
    pub authorization: Option<&'static str>,
    /// Answers DESCRIBE with this status, and this `Location`.
    pub describe: Option<(u16, String)>,
    /// Sends from another port than it says.
    pub odd_port: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            sdp: SOUND,
            tcp: Takes::Plays,
            udp: Takes::Plays,
            feed: Feed::Sound,
            authorization: None,
            describe: None,
            odd_port: false,
        }
    }
}

/// A listening [`Script`].
pub struct Scripted {
    pub port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    pub async fn start(script: Script) -> Self {
        Self::listen(script, None).await
    }

    /// Speaks TLS.
    pub async fn encrypted(script: Script, tls: TlsAcceptor) -> Self {
        Self::listen(script, Some(tls)).await
    }

    pub fn url(&self) -> String {
        format!("rtsp://127.0.0.1:{}/live", self.port)
    }

    /// The requests so far: methods, and transports of SETUP.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    async fn listen(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let served = Served::new(script.clone(), peer, Arc::clone(&shared));
                let tls = tls.clone();
                tokio::spawn(async move {
                    match tls {
                        None => served.serve(stream).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => served.serve(stream).await,
                            Err(_) => None,
                        },
                    }
                });
            }
        });
        Self { port, log }
    }
}

/// One connection to a scripted camera.
struct Served {
    script: Script,
    peer: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
    routes: Vec<(Transport, Option<UdpSocket>)>,
    playing: bool,
    number: u32,
}

impl Served {
    fn new(script: Script, peer: SocketAddr, log: Arc<Mutex<Vec<String>>>) -> Self {
        Self {
            script,
            peer,
            log,
            routes: Vec::new(),
            playing: false,
            number: 65_500,
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut stream: S) -> Option<()> {
        let (mut parser, mut inbox) = (Parser::new(), BytesMut::new());
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        // Packets that come at once would be passed over by a viewer that begins at the newest.
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                read = stream.read_buf(&mut inbox) => if read.ok()? == 0 { return None; },
                _ = pace.tick(), if self.playing && !self.floods() => {
                    let mut out = BytesMut::new();
                    self.feed(&mut out).await;
                    stream.write_all(&out).await.ok()?;
                }
                () = std::future::ready(()), if self.playing && self.floods() => {
                    let mut out = BytesMut::new();
                    for _ in 0..1000 {
                        self.feed(&mut out).await;
                    }
                    stream.write_all(&out).await.ok()?;
                }
            }
            while let Some(message) = parser.parse(&mut inbox).ok()? {
                if let Message::Request(request) = message {
                    let mut out = BytesMut::new();
                    self.answer(&request).await?.write(&mut out);
                    stream.write_all(&out).await.ok()?;
                }
            }
        }
    }

    async fn answer(&mut self, request: &Request) -> Option<Response> {
        let transport = request.headers.get("Transport").unwrap_or("");
        let entry = format!("{} {transport}", request.method);
        self.log.lock().unwrap().push(entry.trim().to_owned());
        let wanted = self.script.authorization;
        if wanted.is_some() && request.headers.get("Authorization") != wanted {
            let mut response = Response::to(request, Status::UNAUTHORIZED);
            response
                .headers
                .push("WWW-Authenticate", "Basic realm=\"camera\"");
            return Some(response);
        }
        let mut response = Response::to(request, Status::OK);
        match (&request.method, &self.script.describe) {
            (Method::Describe, Some((status, location))) => {
                response = Response::to(request, Status(*status));
                response.headers.push("Location", location.clone());
            }
            (Method::Describe, None) => response.body = self.script.sdp.into(),
            (Method::Setup, _) => response = self.set_up(request).await,
            (Method::Play, _) => {
                self.playing = true;
                if self.takes() == Takes::HangsUp {
                    return None;
                }
            }
            (Method::Teardown, _) => self.playing = false,
            _ => response.headers.push("Public", "OPTIONS, GET_PARAMETER"),
        }
        Some(response)
    }

    async fn set_up(&mut self, request: &Request) -> Response {
        let asked = request.headers.get("Transport").unwrap_or("");
        let mut transport = Transport::parse(asked).unwrap();
        let takes = match transport.lower {
            Lower::Tcp => self.script.tcp,
            Lower::Udp => self.script.udp,
        };
        if let Takes::Refuses(code) = takes {
            return Response::to(request, Status(code));
        }
        let socket = if transport.lower == Lower::Udp {
            let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            let port = socket.local_addr().unwrap().port();
            transport.server_port = (!self.script.odd_port).then_some((port, port + 1));
            Some(socket)
        } else {
            None
        };
        let mut response = Response::to(request, Status::OK);
        response.headers.push("Transport", transport.to_string());
        response.headers.push("Session", "1;timeout=60");
        self.routes.push((transport, socket));
        response
    }

    fn takes(&self) -> Takes {
        match self.routes.first() {
            Some((transport, _)) if transport.lower == Lower::Udp => self.script.udp,
            _ => self.script.tcp,
        }
    }

    fn floods(&self) -> bool {
        matches!(self.script.feed, Feed::Flood)
    }

    /// Sends the next packets: datagrams at once, interleaved ones into `out`.
    async fn feed(&mut self, out: &mut BytesMut) {
        if self.takes() != Takes::Plays {
            return;
        }
        let packets = match &mut self.script.feed {
            Feed::Packets(packets) => packets.drain(..1.min(packets.len())).collect(),
            Feed::Sound | Feed::Flood => {
                self.number += 1;
                vec![(0, sound(self.number))]
            }
        };
        for (lane, packet) in packets {
            match self.routes.get(lane) {
                Some((transport, Some(socket))) => {
                    let port = transport.client_port.unwrap().0;
                    let _ = socket.send_to(&packet, (self.peer.ip(), port)).await;
                }
                Some((transport, None)) => {
                    let channel = transport.interleaved.unwrap().0;
                    Interleaved::write(channel, &packet, out).unwrap();
                }
                None => {}
            }
        }
    }
}

/// The packet of G.711 with this number, which is in its samples as well.
pub fn sound(number: u32) -> Bytes {
    let samples = [number as u8; 160];
    packet(8, number as u16, number * 160, false, &samples)
}

pub fn packet(
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    marker: bool,
    payload: &[u8],
) -> Bytes {
    let mut out = BytesMut::new();
    let header = Header {
        marker,
        payload_type,
        sequence,
        timestamp,
        ssrc: 7 + u32::from(payload_type),
    };
    let payload = Bytes::copy_from_slice(payload);
    Packet {
        header,
        extension: None,
        payload,
    }
    .write(&mut out);
    out.freeze()
}

/// A hub with one camera that somebody watches.
pub struct Watched {
    pub registry: Registry,
    pub channel: Channel,
    pub viewer: Option<Viewer>,
    pub frames: FrameReader,
}

/// How long a test waits for what must happen.
const PATIENCE: Duration = Duration::from_secs(20);

impl Watched {
    pub fn new(config: Config) -> Self {
        let registry = Registry::new();
        let id = StreamId::new("test").unwrap();
        let policy = Policy {
            linger: Duration::ZERO,
            ..Policy::default()
        };
        let channel = ChannelSpec {
            id: ChannelId::new("0").unwrap(),
            source: Arc::new(Camera::new(config).unwrap()),
            policy,
        };
        let spec = StreamSpec {
            id: id.clone(),
            name: String::new(),
            channels: vec![channel],
        };
        registry.apply(vec![spec]).unwrap();
        let channel = registry.stream(&id).unwrap().first_channel().clone();
        Self {
            viewer: Some(channel.watch("test")),
            frames: channel.frames(),
            channel,
            registry,
        }
    }

    /// The next frame.
    pub async fn frame(&mut self) -> Arc<Frame> {
        let frame = async {
            loop {
                if let Event::Item(frame) = self.frames.next().await {
                    return frame;
                }
            }
        };
        tokio::time::timeout(PATIENCE, frame)
            .await
            .expect("a frame comes")
    }

    pub async fn frames(&mut self, count: usize) -> Vec<Arc<Frame>> {
        let mut frames = Vec::new();
        while frames.len() < count {
            frames.push(self.frame().await);
        }
        frames
    }

    /// The fault that the camera fails with first.
    pub async fn fault(&self) -> Fault {
        let mut state = self.channel.state();
        let failed = state.wait_for(|s| s.fault().is_some());
        let state = tokio::time::timeout(PATIENCE, failed)
            .await
            .expect("it fails")
            .unwrap();
        state.fault().cloned().unwrap()
    }

    /// Stops watching, and waits until the camera is let go.
    pub async fn leave(&mut self) {
        self.viewer = None;
        let mut state = self.channel.state();
        let idle = state.wait_for(|s| matches!(s, State::Idle));
        tokio::time::timeout(PATIENCE, idle)
            .await
            .expect("it ends")
            .unwrap();
    }
}
