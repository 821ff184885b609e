use media::rtcp::{self, Message};
use media::rtp::Packet;

use super::*;
use crate::unit::{Datagrams, MAX_SEGMENTS};
use testing::{a_law, h264, picture, sound, track};

const UNIX: i64 = 1_800_000_000 * NANOS;

fn packer() -> Packer {
    Packer::new(Sources::random())
}

fn push(packer: &mut Packer, frame: &Frame, start: bool) -> Arc<Unit> {
    let unix = UNIX + frame.pts_nanos();
    packer.push(frame, start, unix).expect("it is sent").item
}

/// The packets in interleaved frames.
fn packets(framed: &Bytes) -> Vec<(u8, Packet)> {
    let mut buffer = BytesMut::from(&framed[..]);
    let mut parser = rtsp::Parser::new();
    let mut out = Vec::new();
    while let Some(message) = parser.parse(&mut buffer).expect("frames") {
        let rtsp::Message::Data(data) = message else {
            panic!("a frame was expected")
        };
        out.push((data.channel, Packet::parse(data.payload).expect("RTP")));
    }
    assert!(buffer.is_empty());
    out
}

#[test]
fn the_numbers_of_a_track_go_on_and_all_its_packets_have_one_time() {
    let mut packer = packer();
    let first = packets(&push(&mut packer, &picture(&h264(), 0, true, 5000), true).framed);
    let second = packets(&push(&mut packer, &picture(&h264(), 1, false, 100), false).framed);
    assert_eq!(first.len(), 5, "parameter sets and four fragments");
    let header = |packets: &[(u8, Packet)], n: usize| packets[n].1.header;
    for (n, (channel, packet)) in first.iter().enumerate() {
        assert_eq!((*channel, packet.header.marker), (0, n == 4));
        let expected = header(&first, 0).sequence.wrapping_add(n as u16);
        assert_eq!(packet.header.sequence, expected);
        assert_eq!(packet.header.timestamp, header(&first, 0).timestamp);
    }
    let (a, b) = (header(&first, 4), header(&second, 0));
    assert_eq!(b.sequence, a.sequence.wrapping_add(1));
    assert_eq!(b.timestamp, a.timestamp.wrapping_add(3600));
    assert_eq!(b.ssrc, a.ssrc);
}

#[test]
fn who_starts_is_told_where_each_track_is_at_one_moment() {
    let mut packer = packer();
    push(&mut packer, &sound(&a_law(), 0), false);
    let unit = push(&mut packer, &picture(&h264(), 25, true, 100), true);
    let later = push(&mut packer, &sound(&a_law(), 50), false);
    let start = unit.start.as_ref().expect("a start");
    let mark = start.mark(TrackId(1)).expect("the sound was seen");
    let next = packets(&later.framed)[0].1.header;
    assert_eq!(mark.sequence, next.sequence);
    assert_eq!(
        mark.timestamp, next.timestamp,
        "the 50th 20 ms are at one second, as the 25th picture"
    );
    let own = start.mark(TrackId(0)).expect("the picture is there");
    assert_eq!(own.sequence, packets(&unit.framed)[0].1.header.sequence);
    assert_eq!(start.mark(TrackId(7)), None);
}

#[test]
fn sender_reports_put_all_tracks_on_one_wall_clock() {
    let mut packer = packer();
    let sources = packer.sources;
    let unit = push(&mut packer, &picture(&h264(), 0, true, 100), true);
    let heard = push(&mut packer, &sound(&a_law(), 10), false);
    for (report, media) in [(&unit.report, &unit), (&heard.report, &heard)] {
        let report = report.as_ref().expect("the first frame has one");
        assert_eq!(report[1], usual_channels(media.track).1);
        let Some(Message::SenderReport(report)) = rtcp::messages(&report[FRAMING..]).next() else {
            panic!("a report was expected")
        };
        let header = packets(&media.framed)[0].1.header;
        assert_eq!((report.ssrc, report.rtp), (header.ssrc, header.timestamp));
        let frame = if media.track == TrackId(0) {
            0
        } else {
            NANOS / 5
        };
        assert!((report.ntp.unix_nanos() - UNIX - frame).abs() < 1000);
    }
    let own = unit
        .start
        .as_ref()
        .and_then(|start| start.report(sources, TrackId(0)));
    assert!(matches!(
        rtcp::messages(&own.expect("a report")).next(),
        Some(Message::SenderReport(report)) if report.packets == 0
    ));
}

#[test]
fn reports_come_every_five_seconds_and_after_a_restart() {
    let mut packer = packer();
    let mut reports = Vec::new();
    for n in 0..260 {
        let mut frame = picture(&h264(), n, n % 25 == 0, 100);
        frame.discontinuity = n == 200;
        if push(&mut packer, &frame, false).report.is_some() {
            reports.push(n);
        }
    }
    assert_eq!(reports, [0, 125, 200]);
}

#[test]
fn another_channel_changes_the_frames_and_not_the_packets() {
    let mut packer = packer();
    let unit = push(&mut packer, &picture(&h264(), 0, true, 5000), true);
    let (usual, other) = (packets(&unit.framed), packets(&unit.framed_on(6).unwrap()));
    assert!(other.iter().all(|(channel, _)| *channel == 6));
    let of = |packets: &[(u8, Packet)]| {
        packets
            .iter()
            .map(|(_, packet)| packet.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&usual), of(&other));
    assert_eq!(unit.framed_on(0), None, "nothing is copied");
}

#[test]
fn datagrams_are_the_same_packets_in_pieces_that_the_kernel_splits() {
    let mut packer = packer();
    let unit = push(&mut packer, &picture(&h264(), 0, true, 100_000), true);
    let Datagrams { bytes, runs } = unit.datagrams();
    let mut split = Vec::new();
    for run in runs {
        assert!((run.end - run.start).div_ceil(run.segment) <= MAX_SEGMENTS);
        split.extend(
            bytes[run.start..run.end]
                .chunks(run.segment)
                .map(Bytes::copy_from_slice),
        );
    }
    let expected: Vec<Packet> = packets(&unit.framed)
        .into_iter()
        .map(|(_, packet)| packet)
        .collect();
    let split: Vec<Packet> = split
        .into_iter()
        .map(|datagram| Packet::parse(datagram).unwrap())
        .collect();
    assert_eq!(split, expected);
    assert_eq!(
        runs.len(),
        4,
        "parameter sets, and three times up to 32 fragments"
    );
}

#[test]
fn a_format_that_is_not_sent_makes_nothing() {
    let flac = Arc::new(Format::Flac(media::Flac {
        stream_info: Bytes::new(),
        sample_rate: 8000,
        channels: 1,
        bits: 16,
    }));
    assert!(packer().push(&sound(&flac, 0), true, UNIX).is_none());
}

#[test]
fn a_track_that_has_sent_nothing_yet_is_told_of_as_it_begins() {
    let mut packer = packer();
    packer.expect(&[track(0, &h264()), track(1, &a_law())]);
    let unit = push(&mut packer, &picture(&h264(), 0, true, 10), true);
    let mark = unit.start.as_ref().unwrap().mark(TrackId(1)).unwrap();
    let unit = push(&mut packer, &sound(&a_law(), 0), false);
    let header = packets(&unit.framed)[0].1.header;
    assert_eq!(
        (header.sequence, header.timestamp),
        (mark.sequence, mark.timestamp)
    );
}
