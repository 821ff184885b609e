use std::time::Instant;

use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::rtp::{AccessUnit, Depacketizer, Encoding, Header, Packet};
use crate::{Aac, G711, H264, H265, L16, Opus, TrackId};

fn frame(format: &Arc<Format>, keyframe: bool, data: Bytes) -> Frame {
    Frame {
        track: TrackId(0),
        format: format.clone(),
        pts: 0,
        dts: 0,
        keyframe,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data,
    }
}

fn h264() -> Arc<Format> {
    let sps = Bytes::from_static(&[
        0x67, 0x64, 0, 0x33, 0xac, 0x15, 0x14, 0xa0, 0x28, 0, 0xb5, 0x90,
    ]);
    let pps = Bytes::from_static(&[0x68, 0xee, 0x3c, 0xb0]);
    Arc::new(Format::H264(H264::new(sps, vec![pps]).unwrap()))
}

fn h265() -> Arc<Format> {
    let vps = b"\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x5d\x95\x94\x09";
    let sps = b"\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x5d\xa0\x02\x80\x80\x2d\x16\x59\x59\x52\x93\x0b\xc0\x5a\x02\0\0\x03\0\x02\0\0\x03\0\x28\x10";
    let pps = b"\x44\x01\xc0\x73\xc1\x89";
    let [vps, sps, pps] = [&vps[..], sps, pps].map(Bytes::copy_from_slice);
    Arc::new(Format::H265(H265::new(vps, sps, vec![pps]).unwrap()))
}

fn with_lengths(nals: &[Vec<u8>]) -> Bytes {
    let mut data = BytesMut::new();
    for nal in nals {
        data.extend_from_slice(&(nal.len() as u32).to_be_bytes());
        data.extend_from_slice(nal);
    }
    data.freeze()
}

/// Packetizes `frames` and puts the packets together again, each unit 3000 ticks after the one before.
fn round_trip(encoding: &Encoding<'_>, frames: &[Frame], max: usize) -> Vec<AccessUnit> {
    let mut packetizer = Packetizer::new(&frames[0].format, max).unwrap();
    let mut depacketizer = Depacketizer::new(encoding).unwrap();
    let (mut sequence, mut units) = (65_530u16, Vec::new());
    for (index, frame) in frames.iter().enumerate() {
        packetizer.packetize(frame, |payload| {
            assert!(payload.size() <= max || matches!(&*frame.format, Format::Opus(_)));
            let packet = Packet {
                header: Header {
                    marker: payload.marker,
                    payload_type: 96,
                    sequence,
                    timestamp: (index as u32 * 3000).wrapping_add(payload.offset),
                    ssrc: 1,
                },
                extension: None,
                payload: [&payload.header[..], &payload.body].concat().into(),
            };
            sequence = sequence.wrapping_add(1);
            depacketizer.push(packet, 0).unwrap();
            while let Some(unit) = depacketizer.pull() {
                units.push(unit);
            }
        });
    }
    assert_eq!(depacketizer.dropped(), 0);
    units
}

fn encoding(name: &str, clock_rate: u32) -> Encoding<'_> {
    Encoding {
        name,
        clock_rate,
        channels: None,
        fmtp: None,
    }
}

/// Bytes that can stand in a NAL unit anywhere.
fn body(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1u8..=255, 1..max)
}

proptest! {
    #[test]
    fn h264_comes_back_as_it_went(
        bodies in prop::collection::vec(prop::collection::vec(body(900), 1..4), 1..5),
        max in 64usize..400,
    ) {
        let format = h264();
        let frames: Vec<Frame> = bodies.iter().enumerate().map(|(index, slices)| {
            let header = if index == 0 { 0x65 } else { 0x41 };
            let nals: Vec<Vec<u8>> = slices.iter().enumerate().map(|(place, body)| {
                let first = if place == 0 { 0x80 | body[0] } else { body[0] & 0x7f | 1 };
                [&[header, first][..], &body[1..]].concat()
            }).collect();
            frame(&format, index == 0, with_lengths(&nals))
        }).collect();
        let units = round_trip(&encoding("H264", 90_000), &frames, max);
        prop_assert_eq!(units.len(), frames.len());
        for (index, (unit, frame)) in units.iter().zip(&frames).enumerate() {
            prop_assert_eq!(&unit.data, &frame.data);
            prop_assert_eq!(unit.keyframe, frame.keyframe);
            prop_assert_eq!(&unit.format, &format);
            prop_assert_eq!(unit.timestamp, index as u32 * 3000);
        }
    }

    #[test]
    fn h265_comes_back_as_it_went(bodies in prop::collection::vec(body(900), 1..6), max in 64usize..400) {
        let format = h265();
        let frames: Vec<Frame> = bodies.iter().enumerate().map(|(index, body)| {
            let header = if index == 0 { 19u8 } else { 1 } << 1;
            let nal = [&[header, 1, 0x80 | body[0]][..], &body[1..]].concat();
            frame(&format, index == 0, with_lengths(&[nal]))
        }).collect();
        let units = round_trip(&encoding("H265", 90_000), &frames, max);
        prop_assert_eq!(units.len(), frames.len());
        for (unit, frame) in units.iter().zip(&frames) {
            prop_assert_eq!(&unit.data, &frame.data);
            prop_assert_eq!(unit.keyframe, frame.keyframe);
            prop_assert_eq!(&unit.format, &format);
        }
    }

    #[test]
    fn aac_comes_back_as_it_went(units in prop::collection::vec(body(3000), 1..6), max in 64usize..400) {
        let format = Arc::new(Format::Aac(Aac::low_complexity(48_000, 2).unwrap()));
        let frames: Vec<Frame> = units.into_iter().map(|unit| frame(&format, true, unit.into())).collect();
        let mut encoding = encoding("mpeg4-generic", 48_000);
        encoding.fmtp = Some("mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config=1190");
        let back = round_trip(&encoding, &frames, max);
        prop_assert_eq!(back.len(), frames.len());
        for (unit, frame) in back.iter().zip(&frames) {
            prop_assert_eq!(&unit.data, &frame.data);
            prop_assert_eq!(&unit.format, &format);
        }
    }

    #[test]
    fn pcm_comes_back_in_whole_ticks(samples in prop::collection::vec(any::<u8>(), 4..3000), max in 64usize..400) {
        let whole = samples.len() / 4 * 4;
        let l16 = L16 { sample_rate: 44_100, channels: 2 };
        let format = Arc::new(Format::L16(l16));
        let frames = [frame(&format, true, Bytes::copy_from_slice(&samples[..whole]))];
        let mut encoding = encoding("L16", 44_100);
        encoding.channels = Some(2);
        let back = round_trip(&encoding, &frames, max);
        let mut at = 0;
        for unit in &back {
            prop_assert_eq!(unit.timestamp as usize, at / 4);
            at += unit.data.len();
        }
        let joined: Vec<u8> = back.iter().flat_map(|unit| unit.data.iter().copied()).collect();
        prop_assert_eq!(&joined[..], &samples[..whole]);
    }
}

#[test]
fn parameter_sets_go_ahead_of_keyframes_in_one_packet() {
    let format = h264();
    let mut packetizer = Packetizer::new(&format, 1200).unwrap();
    let mut payloads = Vec::new();
    let key = frame(&format, true, with_lengths(&[vec![0x65, 0x88]]));
    packetizer.packetize(&key, |payload| payloads.push(payload));
    assert_eq!(payloads.len(), 2);
    assert_eq!(payloads[0].body[..4], [0x78, 0, 12, 0x67]);
    assert!(!payloads[0].marker && payloads[1].marker);
    payloads.clear();
    let other = frame(&format, false, with_lengths(&[vec![0x41, 0x88]]));
    packetizer.packetize(&other, |payload| payloads.push(payload));
    assert_eq!(payloads.len(), 1);
}

#[test]
fn an_opus_packet_is_a_payload() {
    let format = Arc::new(Format::Opus(Opus { channels: 2 }));
    let frames = [frame(&format, true, Bytes::from(vec![0xfc; 300]))];
    let back = round_trip(&encoding("opus", 48_000), &frames, 200);
    assert_eq!(back[0].data, frames[0].data);
}

#[test]
fn g711_of_either_law_is_a_payload() {
    for (name, a_law) in [("PCMA", true), ("pcmu", false)] {
        let g711 = G711 {
            a_law,
            sample_rate: 8000,
            channels: 1,
        };
        let format = Arc::new(Format::G711(g711));
        let frames = [frame(&format, true, Bytes::from(vec![0xd5; 160]))];
        let back = round_trip(&encoding(name, 8000), &frames, 1200);
        assert_eq!((&back[0].data, &back[0].format), (&frames[0].data, &format));
    }
}
