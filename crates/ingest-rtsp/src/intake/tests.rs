use bytes::BufMut as _;
use media::Format;
use media::rtp::{Header, Packet};
use rtsp::Sdp;

use super::*;

const VIDEO: &str = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:v\r\n";
const SPROP: &str = "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z0LAHtoCgL/lwEQAAA+kAAOpgDxYuoA=,aM4PyA==\r\n";
const AUDIO: &str = "m=audio 0 RTP/AVP 8\r\na=control:a\r\n";
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0x00, 0x00, 0x0f, 0xa4, 0x00,
    0x03, 0xa9, 0x80, 0x3c, 0x58, 0xba, 0x80,
];
const PPS: &[u8] = &[0x68, 0xce, 0x0f, 0xc8];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 0x21];

/// An intake in virtual time.
struct Bench {
    intake: Intake,
    now: Instant,
    sequence: [u16; 2],
}

impl Bench {
    fn new(sdp: &str, datagrams: bool) -> Self {
        let sdp = Sdp::parse(sdp.as_bytes()).unwrap();
        let plan = Plan::new(&sdp, "rtsp://h/", true).unwrap();
        let lanes = plan.lanes.len();
        let mut intake = Intake::new(plan, datagrams, 1).unwrap();
        intake.keep(&vec![true; lanes]);
        Self {
            intake,
            now: Instant::now(),
            sequence: [0; 2],
        }
    }

    fn send(&mut self, lane: usize, payload_type: u8, timestamp: u32, payload: &[u8]) -> bool {
        self.sequence[lane] += 1;
        let packet = Packet {
            header: Header {
                marker: payload_type == 96 && payload[0] & 0x1f < 6,
                payload_type,
                sequence: self.sequence[lane],
                timestamp,
                ssrc: 7,
            },
            extension: None,
            payload: Bytes::copy_from_slice(payload),
        };
        let mut data = BytesMut::new();
        packet.write(&mut data);
        self.intake.handle_rtp(lane, data.freeze(), self.now)
    }

    fn sound(&mut self, lane: usize, number: u32) {
        assert!(self.send(lane, 8, number * 160, &[0xd5; 160]));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.intake.handle_timeout(self.now);
    }

    /// What became known since the last call, in short: `T` tracks, `v` and `a` frames, `L` losses.
    fn news(&mut self) -> String {
        std::iter::from_fn(|| self.intake.poll())
            .map(|news| match news {
                News::Tracks(_) => 'T',
                News::Frame(frame) if frame.kind() == Kind::Video => 'v',
                News::Frame(_) => 'a',
                News::Lost { .. } => 'L',
            })
            .collect()
    }

    fn tracks(&mut self) -> Vec<Track> {
        let news = std::iter::from_fn(|| self.intake.poll());
        let tracks = news.filter_map(|news| match news {
            News::Tracks(tracks) => Some(tracks),
            _ => None,
        });
        tracks.last().unwrap()
    }
}

#[test]
fn tracks_whose_parameters_are_known_are_announced_at_once() {
    let mut bench = Bench::new(&format!("{VIDEO}{SPROP}{AUDIO}"), false);
    assert_eq!(bench.news(), "T");
    bench.sound(1, 1);
    assert_eq!(bench.news(), "a");
}

#[test]
fn sound_waits_for_the_parameters_of_the_picture() {
    let mut bench = Bench::new(&format!("{VIDEO}{AUDIO}"), false);
    bench.sound(1, 1);
    bench.sound(1, 2);
    assert_eq!(bench.news(), "");
    for nal in [SPS, PPS, IDR] {
        bench.send(0, 96, 3600, nal);
    }
    assert_eq!(bench.news(), "Taav");
    bench.sound(1, 3);
    assert_eq!(bench.news(), "a");
}

#[test]
fn sound_does_not_wait_longer_than_three_seconds() {
    let mut bench = Bench::new(&format!("{VIDEO}{AUDIO}"), false);
    bench.sound(1, 1);
    bench.pass(Duration::from_millis(2999));
    assert_eq!(bench.news(), "");
    assert_eq!(
        bench.intake.timeout(),
        Some(bench.now + Duration::from_millis(1))
    );
    bench.pass(Duration::from_millis(1));
    let tracks = bench.tracks();
    assert!(tracks[0].format.is_none() && tracks[1].format.is_some());
    for nal in [SPS, PPS, IDR] {
        bench.send(0, 96, 3600, nal);
    }
    assert_eq!(bench.news(), "Tv");
}

#[test]
fn a_new_resolution_is_announced_before_its_first_frame() {
    let mut bench = Bench::new(&format!("{VIDEO}{SPROP}"), false);
    bench.send(0, 96, 3600, IDR);
    assert_eq!(bench.news(), "Tv");
    let other = [
        0x67, 0x64, 0x00, 0x28, 0xac, 0xd9, 0x40, 0x78, 0x02, 0x27, 0xe5, 0xc0, 0x44, 0x00, 0x00,
        0x03, 0x00, 0x04, 0x00, 0x00, 0x03, 0x00, 0xc8, 0x3c, 0x60, 0xc6, 0x58,
    ];
    for nal in [&other[..], PPS, IDR] {
        bench.send(0, 96, 7200, nal);
    }
    let Some(News::Tracks(tracks)) = bench.intake.poll() else {
        panic!("the tracks come first")
    };
    let size = tracks[0].format.as_deref().and_then(Format::resolution);
    assert_eq!(size, Some((1920, 1080)));
    assert_eq!(bench.news(), "v");
}

#[test]
fn tracks_that_can_not_be_played_are_announced_with_the_reason() {
    let mut bench = Bench::new(
        &format!("m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n{AUDIO}"),
        false,
    );
    let tracks = bench.tracks();
    assert_eq!(tracks.len(), 2);
    assert!(
        tracks[0]
            .unsupported
            .as_deref()
            .is_some_and(|why| why.contains("VP8"))
    );
    assert_eq!(
        (tracks[1].kind, tracks[1].unsupported.as_deref()),
        (Kind::Audio, None)
    );
}

#[test]
fn a_track_that_the_camera_would_not_set_up_is_not_waited_for() {
    let sdp = Sdp::parse(format!("{VIDEO}{AUDIO}").as_bytes()).unwrap();
    let plan = Plan::new(&sdp, "rtsp://h/", true).unwrap();
    let mut intake = Intake::new(plan, false, 1).unwrap();
    intake.keep(&[false, true]);
    let Some(News::Tracks(tracks)) = intake.poll() else {
        panic!("the tracks are known")
    };
    assert!(tracks[0].unsupported.is_some());
}

#[test]
fn packets_of_another_payload_type_are_none_of_the_tracks() {
    let mut bench = Bench::new(AUDIO, false);
    assert!(!bench.send(0, 50, 0, &[0; 10]));
    assert!(
        !bench
            .intake
            .handle_rtp(0, Bytes::from_static(b"junk"), bench.now)
    );
    assert!(
        !bench
            .intake
            .handle_rtp(9, Bytes::from_static(b"junk"), bench.now)
    );
    assert_eq!(bench.news(), "T");
}

#[test]
fn a_lost_datagram_is_waited_for_and_then_given_up() {
    let mut bench = Bench::new(AUDIO, true);
    bench.sound(0, 1);
    bench.sequence[0] += 1;
    bench.sound(0, 3);
    assert_eq!(bench.news(), "Ta");
    let due = bench.intake.timeout().unwrap();
    bench.pass(due - bench.now);
    assert_eq!(bench.news(), "aL");
}

#[test]
fn the_camera_hears_every_five_seconds_how_its_packets_arrive() {
    let mut bench = Bench::new(&format!("{VIDEO}{SPROP}{AUDIO}"), false);
    for second in 0..12 {
        bench.sound(1, second);
        bench.pass(Duration::from_secs(1));
    }
    let reports: Vec<_> = std::iter::from_fn(|| bench.intake.poll_report()).collect();
    let lanes: Vec<usize> = reports.iter().map(|(lane, _)| *lane).collect();
    assert_eq!(lanes, [1, 1]);
    let first = rtcp::messages(&reports[0].1).next();
    assert!(
        matches!(first, Some(rtcp::Message::ReceiverReport { ssrc: 1, blocks }) if blocks[0].ssrc == 7)
    );
}

#[test]
fn a_goodbye_is_believed_when_the_packets_end() {
    let mut bench = Bench::new(AUDIO, false);
    bench.sound(0, 1);
    let mut goodbye = BytesMut::new();
    rtcp::write_goodbye(7, &mut goodbye);
    bench.intake.handle_rtcp(0, &goodbye, bench.now);
    bench.pass(Duration::from_millis(500));
    bench.sound(0, 2);
    bench.pass(Duration::from_secs(2));
    assert!(!bench.intake.has_left(bench.now));
    bench.intake.handle_rtcp(0, &goodbye, bench.now);
    bench.pass(Duration::from_secs(1));
    assert!(bench.intake.has_left(bench.now));
}

#[test]
fn a_channel_that_nobody_told_is_known_by_its_payload_type() {
    let bench = Bench::new(&format!("{VIDEO}{SPROP}{AUDIO}"), false);
    assert_eq!(bench.intake.lane_of(&[0x80, 96]), Some(0));
    assert_eq!(bench.intake.lane_of(&[0x80, 0x88]), Some(1));
    assert_eq!(bench.intake.lane_of(&[0x80, 97]), None);
    assert_eq!(bench.intake.lane_of(&[]), None);
}

#[test]
fn sound_meets_its_picture_by_sender_reports() {
    let mut bench = Bench::new(&format!("{VIDEO}{SPROP}{AUDIO}"), false);
    bench.send(0, 96, 900_000, IDR);
    bench.sound(1, 50);
    let report = |rtp: u32| {
        let mut out = BytesMut::new();
        out.put_slice(&[0x80, 200, 0, 6, 0, 0, 0, 7]);
        out.put_u64(0xe000_0000 << 32);
        out.put_u32(rtp);
        out.put_u64(0);
        out
    };
    bench.intake.handle_rtcp(0, &report(900_000), bench.now);
    // The sound that came with the picture was recorded 200 ms before it.
    bench
        .intake
        .handle_rtcp(1, &report(50 * 160 + 1600), bench.now);
    bench.news();
    for number in 1..100u32 {
        bench.pass(Duration::from_millis(20));
        bench.sound(1, 50 + number);
        bench.send(0, 96, 900_000 + number * 1800, IDR);
    }
    let frames: Vec<Frame> = std::iter::from_fn(|| bench.intake.poll())
        .filter_map(|news| match news {
            News::Frame(frame) => Some(frame),
            _ => None,
        })
        .collect();
    let [.., sound, picture] = &frames[..] else {
        panic!("frames come")
    };
    let apart = picture.pts_nanos() - sound.pts_nanos();
    assert!((apart - 200_000_000).abs() < 40_000_000, "{apart}");
    assert!(sound.wallclock.is_some() && picture.wallclock.is_some());
}
