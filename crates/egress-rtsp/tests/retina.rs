//! The server as a client sees it that nobody here wrote: retina gets the camera's frames, bit by bit.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use egress_rtsp::{Admission, Ask, Gate, RtspServer, Settings, UdpPorts};
use futures_util::StreamExt as _;
use hub::{Publisher, RunFuture, Source};
use retina::client::{
    Demuxed, PlayOptions, Session, SessionOptions, SetupOptions, TcpTransportOptions, Transport,
    UdpTransportOptions,
};
use retina::codec::{CodecItem, FrameFormat};
use testing::frame;
use tokio_util::sync::CancellationToken;

/// How many pictures are taken before a verdict.
const PICTURES: i64 = 20;
/// The sizes of pictures: one packet, many packets, one that just fits and one that just does not.
const SIZES: [usize; 5] = [100, 50_000, 1360, 1361, 4000];

/// Lets everybody in.
#[derive(Debug)]
struct Open;

impl Gate for Open {
    fn admit(&self, _: Ask) -> Admission<'_> {
        Box::pin(std::future::ready(Ok(hub::Leave::default())))
    }
}

/// A camera with a picture and a sound each 40 ms, at four times the speed.
#[derive(Debug)]
struct Camera;

fn picture(n: i64) -> Vec<u8> {
    let size = SIZES[n as usize % SIZES.len()];
    let mut data = (size as u32).to_be_bytes().to_vec();
    data.push(if n == 0 { 0x65 } else { 0x41 });
    data.resize(4 + size, n as u8 | 0x80);
    data
}

fn sound(n: i64) -> Vec<u8> {
    vec![n as u8; 200 + n as usize]
}

impl Source for Camera {
    fn run(&self, mut publisher: Publisher) -> RunFuture<'_> {
        Box::pin(async move {
            let formats = [testing::h264(), testing::aac()];
            publisher.announce(vec![
                testing::track(0, &formats[0]),
                testing::track(1, &formats[1]),
            ]);
            for n in 0.. {
                publisher.write(frame(0, &formats[0], n * 3600, n == 0, picture(n)));
                publisher.write(frame(1, &formats[1], n * 1920, true, sound(n)));
                // The pace of a camera that nobody waits for.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        })
    }

    fn fingerprint(&self) -> u64 {
        0
    }
}

async fn plays(transport: Transport) {
    let (registry, _) = testing::registry(Arc::new(Camera));
    let settings = Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        udp: Some(UdpPorts::Usual),
        ..Settings::default()
    };
    let server = RtspServer::bind(registry, settings, Arc::new(Open), CancellationToken::new());
    let server = server.unwrap();
    let url = format!("rtsp://{}/cam", server.address().unwrap());
    tokio::spawn(server.run());
    let mut session = Session::describe(url.parse().unwrap(), SessionOptions::default())
        .await
        .unwrap();
    for track in 0..session.streams().len() {
        let options = SetupOptions::default()
            .transport(transport.clone())
            .frame_format(FrameFormat::MP4);
        session.setup(track, options).await.unwrap();
    }
    let session = session.play(PlayOptions::default()).await.unwrap();
    let mut frames = Box::pin(session.demuxed().unwrap());
    let (mut pictures, mut sounds) = (0, None);
    while pictures < PICTURES {
        let next = tokio::time::timeout(Duration::from_secs(20), frames.next()).await;
        match next.unwrap().unwrap().unwrap() {
            CodecItem::VideoFrame(frame) => {
                assert_eq!(frame.loss(), 0);
                assert_eq!(frame.is_random_access_point(), pictures == 0);
                assert!(
                    frame.data() == picture(pictures),
                    "picture {pictures} differs"
                );
                pictures += 1;
            }
            CodecItem::AudioFrame(frame) => {
                let n = sounds.map_or_else(|| frame.data().len() as i64 - 200, |last| last + 1);
                assert!(frame.data() == sound(n), "sound {n} differs");
                sounds = Some(n);
            }
            _ => {}
        }
    }
    assert!(sounds.unwrap() >= PICTURES / 2);
}

#[tokio::test]
async fn retina_gets_every_frame_over_tcp() {
    plays(Transport::Tcp(TcpTransportOptions::default())).await;
}

#[tokio::test]
async fn retina_gets_every_frame_over_udp() {
    plays(Transport::Udp(UdpTransportOptions::default())).await;
}

/// A session that plays the stream at `server`.
async fn session(server: &RtspServer, transport: Transport) -> Demuxed {
    let url = format!("rtsp://{}/cam", server.address().unwrap());
    let mut session = Session::describe(url.parse().unwrap(), SessionOptions::default())
        .await
        .unwrap();
    let options = SetupOptions::default().transport(transport);
    session.setup(0, options).await.unwrap();
    let session = session.play(PlayOptions::default()).await.unwrap();
    session.demuxed().unwrap()
}

async fn goes_on(session: &mut Demuxed) {
    for _ in 0..PICTURES {
        let next = tokio::time::timeout(Duration::from_secs(20), session.next()).await;
        next.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_moves_keeps_its_viewers_and_one_that_closes_sends_them_away() {
    let (registry, _) = testing::registry(Arc::new(Camera));
    let at = |listen: ([u8; 4], u16), udp| Settings {
        listen: listen.into(),
        udp: Some(udp),
        any_port: false,
        ..Settings::default()
    };
    let first = at(([127, 0, 0, 1], 0), UdpPorts::Usual);
    let stop = CancellationToken::new();
    let server = RtspServer::bind(registry, first, Arc::new(Open), stop.clone()).unwrap();
    let old = server.address().unwrap();
    let tcp = || Transport::Tcp(TcpTransportOptions::default());
    let udp = || Transport::Udp(UdpTransportOptions::default());
    let mut viewers = vec![session(&server, tcp()).await, session(&server, udp()).await];
    // All addresses, of which the old one is one, and other ports for datagrams.
    let wanted = at(([0, 0, 0, 0], old.port()), UdpPorts::Usual);
    let plan = server.plan(Some(wanted.clone())).unwrap();
    assert_eq!(server.turn(plan).unwrap().ip(), wanted.listen.ip());
    // Elsewhere: nobody is let in at the old place.
    let plan = server.plan(Some(at(([127, 0, 0, 2], 0), UdpPorts::Usual)));
    assert!(server.turn(plan.unwrap()).is_some());
    while tokio::net::TcpStream::connect(old).await.is_ok() {
        tokio::task::yield_now().await;
    }
    viewers.push(session(&server, tcp()).await);
    viewers.push(session(&server, udp()).await);
    for viewer in &mut viewers {
        goes_on(viewer).await;
    }
    // What can't be had changes nothing.
    let here = server.address().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let plan = server.plan(Some(at(([127, 0, 0, 1], port), UdpPorts::Usual)));
    assert!(plan.is_err());
    assert_eq!(server.address().unwrap(), here);
    // Fewer may come, those who are there stay.
    let fewer = Settings {
        max_connections: 4,
        ..at(([127, 0, 0, 2], 0), UdpPorts::Usual)
    };
    assert_eq!(server.turn(server.plan(Some(fewer)).unwrap()), None);
    let url = format!("rtsp://{here}/cam").parse().unwrap();
    let refused = Session::describe(url, SessionOptions::default()).await;
    assert!(refused.is_err(), "a fifth finds no room");
    for viewer in &mut viewers {
        goes_on(viewer).await;
    }
    server.turn(server.plan(None).unwrap());
    for mut viewer in viewers {
        let end = async { while let Some(Ok(_)) = viewer.next().await {} };
        tokio::time::timeout(Duration::from_secs(20), end)
            .await
            .unwrap();
    }
    assert!(server.address().is_err());
    stop.cancel();
    server.run().await;
}
