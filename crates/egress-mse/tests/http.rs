//! The routes on real connections, by a client that knows the specifications only.

use std::sync::Arc;
use std::time::Duration;

use hub::{
    ChannelId, ChannelSpec, Policy, Publisher, Registry, RunFuture, Source, StreamId, StreamSpec,
};
use media::{Format, Frame, Opus, TrackId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// A camera with a sound every 20 ms.
#[derive(Debug)]
struct Clock;

impl Source for Clock {
    fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
        Box::pin(async move {
            let format = Arc::new(Format::Opus(Opus { channels: 2 }));
            for n in 0.. {
                publisher.write(Frame {
                    track: TrackId(0),
                    format: Arc::clone(&format),
                    pts: n * 960,
                    dts: n * 960,
                    keyframe: true,
                    discontinuity: false,
                    wallclock: None,
                    arrival: std::time::Instant::now(),
                    data: vec![0xfc; 300].into(),
                });
                tokio::select! {
                    () = publisher.cancelled() => break,
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
            Ok(())
        })
    }

    fn fingerprint(&self) -> u64 {
        0
    }
}

async fn serve() -> (std::net::SocketAddr, CancellationToken) {
    let registry = Registry::new();
    let spec = StreamSpec {
        id: StreamId::new("front").expect("an id"),
        name: String::new(),
        channels: vec![ChannelSpec {
            id: ChannelId::new("main").expect("an id"),
            source: Arc::new(Clock),
            policy: Policy::default(),
        }],
    };
    registry.apply(vec![spec]).expect("it fits");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let stop = CancellationToken::new();
    let router = egress_mse::router(registry, stop.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, stop)
}

/// Asks for `path` with `headers`; the connection, and the head of the answer.
async fn ask(address: std::net::SocketAddr, path: &str, headers: &str) -> (TcpStream, String) {
    let mut io = TcpStream::connect(address).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
    io.write_all(request.as_bytes()).await.expect("it reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(io.read_u8().await.expect("it answers"));
    }
    (io, String::from_utf8(head).expect("text"))
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The next message: its first byte and payload.
async fn message(io: &mut TcpStream) -> (u8, Vec<u8>) {
    let first = io.read_u8().await.expect("a message");
    let length = match io.read_u8().await.expect("a length") {
        126 => usize::from(io.read_u16().await.expect("a length")),
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    io.read_exact(&mut payload).await.expect("a payload");
    (first, payload)
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_before_the_upgrade() {
    let (address, _) = serve().await;
    for path in [
        "/stream/nobody/mse",
        "/stream/front/channel/9/mse",
        "/stream/..%2f/mse",
    ] {
        let (_, head) = ask(address, path, UPGRADE).await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{path}: {head}");
        assert!(
            head.contains("content-type: application/problem+json"),
            "{head}"
        );
    }
}

#[tokio::test]
async fn a_plain_request_is_told_to_upgrade() {
    let (address, _) = serve().await;
    let (_, head) = ask(address, "/stream/front/mse", "").await;
    assert!(head.starts_with("HTTP/1.1 426 "), "{head}");
    assert!(head.contains("upgrade: websocket"), "{head}");
}

#[tokio::test]
async fn without_a_subprotocol_the_stream_begins_at_once_in_rtsptowebs_framing() {
    let (address, _) = serve().await;
    let (mut io, head) = ask(
        address,
        "/stream/front/channel/main/mse?uuid=front&channel=main",
        UPGRADE,
    )
    .await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(
        head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "{head}"
    );
    assert!(!head.contains("sec-websocket-protocol"), "{head}");
    assert_eq!(message(&mut io).await, (0x82, b"\x09opus".to_vec()));
    let (_, init) = message(&mut io).await;
    assert_eq!(&init[4..8], b"ftyp");
    let (_, fragment) = message(&mut io).await;
    assert_eq!(&fragment[4..8], b"moof");
    assert_eq!(fragment[60..68], [0; 8], "from zero");
}

#[tokio::test]
async fn with_the_subprotocol_a_hello_starts_the_stream_and_a_shutdown_is_told() {
    let (address, stop) = serve().await;
    let offers = format!("{UPGRADE}Sec-WebSocket-Protocol: other, lunette.v1\r\n");
    let (mut io, head) = ask(address, "/stream/front/mse", &offers).await;
    assert!(
        head.contains("sec-websocket-protocol: lunette.v1"),
        "{head}"
    );
    let hello = br#"{"type":"hello","codecs":["opus"]}"#;
    io.write_all(&[&[0x81, 0x80 | hello.len() as u8, 0, 0, 0, 0][..], hello].concat())
        .await
        .expect("it reads");
    let mut texts = String::new();
    loop {
        match message(&mut io).await {
            (0x81, text) => texts += &String::from_utf8(text).expect("text"),
            (_, fragment) if &fragment[4..8] == b"moof" => break,
            _ => {}
        }
    }
    assert!(
        texts.contains(r#""mime":"audio/mp4; codecs=\"opus\"""#),
        "{texts}"
    );
    stop.cancel();
    loop {
        let (first, payload) = message(&mut io).await;
        if first == 0x88 {
            assert_eq!(payload[..2], 1001_u16.to_be_bytes());
            break;
        }
    }
}
