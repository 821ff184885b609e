//! The same camera seen by us and by retina, a client that nobody here wrote: both must get the same frames.

#![allow(clippy::unwrap_used, reason = "a test that can not go on has failed")]

mod common;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use common::{Feed, Script, Scripted, Takes, Watched, packet, sound};
use futures_util::StreamExt as _;
use ingest_rtsp::{Config, TransportChoice};
use media::rtp::Packetizer;
use media::{Format, Frame, H264, Kind, TrackId};
use retina::client::{
    InitialTimestampPolicy, PlayOptions, Session, SessionOptions, SetupOptions, Transport,
};
use retina::codec::{CodecItem, FrameFormat};

const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x0f, 0xa4, 0x00,
    0x03, 0xa9, 0x80, 0x3c, 0x58, 0xba, 0x80,
];
const PPS: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];
const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\n\
    m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:video\r\n\
    a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtoCgL/lwEQAAA+kAAOpgDxYuoA=,aM4PyA==\r\n\
    m=audio 0 RTP/AVP 8\r\na=control:audio\r\n";

/// How many pictures the camera sends.
const PICTURES: usize = 24;
const FRAME: u32 = 3600;

/// What both clients have to say of a picture: ticks since the first, key frame, data.
type Picture = (i64, bool, Bytes);

/// Pictures from 40 bytes to some packets long, a key frame each 6, and sound between.
fn packets() -> Vec<(usize, Bytes)> {
    let h264 = H264::new(SPS.into(), vec![PPS.into()]).unwrap();
    let format = Arc::new(Format::H264(h264));
    let mut packetizer = Packetizer::new(&format, 1200).unwrap();
    let mut packets = Vec::new();
    let mut sequence = 65_530u16;
    for number in 0..PICTURES {
        let key = number % 6 == 0;
        let frame = picture(&format, number, key);
        packetizer.packetize(&frame, |payload| {
            let body = [&payload.header[..], &payload.body[..]].concat();
            let timestamp = (number as u32 * FRAME).wrapping_sub(FRAME);
            packets.push((0, packet(96, sequence, timestamp, payload.marker, &body)));
            sequence = sequence.wrapping_add(1);
        });
        packets.push((1, sound(2 * number as u32)));
        packets.push((1, sound(2 * number as u32 + 1)));
    }
    packets
}

fn picture(format: &Arc<Format>, number: usize, key: bool) -> Frame {
    let mut data = BytesMut::new();
    // A key frame of two slices, so that aggregation and fragmentation both come up.
    let slices: &[usize] = if key {
        &[4000 + number, 40]
    } else {
        &[40 + 150 * number]
    };
    for (slice, &length) in slices.iter().enumerate() {
        data.extend_from_slice(&(length as u32 + 2).to_be_bytes());
        // The slice header begins with the number of its first macroblock: 0, or 1 (H.264 §7.3.3).
        data.extend_from_slice(&[
            if key { 0x65 } else { 0x41 },
            if slice == 0 { 0x88 } else { 0x4a },
        ]);
        data.extend((0..length).map(|i| 0x55 ^ (i % 64) as u8));
    }
    Frame {
        track: TrackId(0),
        format: Arc::clone(format),
        pts: 0,
        dts: 0,
        keyframe: key,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data: data.freeze(),
    }
}

async fn camera() -> Scripted {
    Scripted::start(Script {
        sdp: SDP,
        tcp: Takes::Plays,
        feed: Feed::Packets(packets()),
        ..Script::default()
    })
    .await
}

/// Pictures and sounds as we see them.
async fn ours(camera: &Scripted, transport: TransportChoice) -> (Vec<Picture>, Vec<Bytes>) {
    let mut config = Config::new(&camera.url()).unwrap();
    config.transport = transport;
    let mut watched = Watched::new(config);
    let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
    let mut first = None;
    while pictures.len() < PICTURES {
        let frame = watched.frame().await;
        if frame.kind() == Kind::Video {
            let start = *first.get_or_insert(frame.pts);
            pictures.push((frame.pts - start, frame.keyframe, frame.data.clone()));
        } else {
            sounds.push(frame.data.clone());
        }
    }
    (pictures, sounds)
}

/// Pictures and sounds as retina sees them.
async fn theirs(camera: &Scripted, transport: Transport) -> (Vec<Picture>, Vec<Bytes>) {
    let url = camera.url().parse().unwrap();
    let mut session = Session::describe(url, SessionOptions::default())
        .await
        .unwrap();
    for track in 0..2 {
        let options = SetupOptions::default()
            .transport(transport.clone())
            .frame_format(FrameFormat::MP4);
        session.setup(track, options).await.unwrap();
    }
    let options = PlayOptions::default().initial_timestamp(InitialTimestampPolicy::Permissive);
    let mut frames = session.play(options).await.unwrap().demuxed().unwrap();
    let (mut pictures, mut sounds) = (Vec::new(), Vec::new());
    let mut first = None;
    while pictures.len() < PICTURES {
        let next = tokio::time::timeout(Duration::from_secs(20), frames.next()).await;
        match next.unwrap().unwrap().unwrap() {
            CodecItem::VideoFrame(frame) => {
                assert_eq!(
                    frame.timestamp().clock_rate(),
                    NonZeroU32::new(90_000).unwrap()
                );
                let ticks = frame.timestamp().timestamp();
                let start = *first.get_or_insert(ticks);
                let data = Bytes::copy_from_slice(frame.data());
                pictures.push((ticks - start, frame.is_random_access_point(), data));
            }
            CodecItem::AudioFrame(frame) => sounds.push(Bytes::copy_from_slice(frame.data())),
            _ => {}
        }
    }
    (pictures, sounds)
}

fn compare(ours: &(Vec<Picture>, Vec<Bytes>), theirs: &(Vec<Picture>, Vec<Bytes>)) {
    assert_eq!(ours.0.len(), PICTURES);
    for (a, b) in ours.0.iter().zip(&theirs.0) {
        assert_eq!((a.0, a.1, a.2.len()), (b.0, b.1, b.2.len()));
        assert!(a.2 == b.2, "the picture at {} differs", a.0);
    }
    // Clients end at the last picture, with or without the sound that comes after it.
    let both = ours.1.len().min(theirs.1.len());
    assert!(both >= 2 * PICTURES - 4, "{both} sounds");
    assert_eq!(ours.1[..both], theirs.1[..both]);
}

#[tokio::test]
async fn retina_and_we_see_the_same_frames_by_tcp() {
    let camera = camera().await;
    let ours = ours(&camera, TransportChoice::Tcp).await;
    let theirs = theirs(
        &camera,
        Transport::Tcp(retina::client::TcpTransportOptions::default()),
    );
    compare(&ours, &theirs.await);
}

#[tokio::test]
async fn retina_and_we_see_the_same_frames_by_udp() {
    let camera = camera().await;
    let ours = ours(&camera, TransportChoice::Udp).await;
    let theirs = theirs(
        &camera,
        Transport::Udp(retina::client::UdpTransportOptions::default()),
    );
    compare(&ours, &theirs.await);
}
