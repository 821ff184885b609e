//! The same packets to our depacketizers and to those of the retina crate: without loss both give the
//! same access units; with loss, what ours gives is a part of what retina gives.

#![expect(
    clippy::unwrap_used,
    reason = "what fails in a test's helper fails the test"
)]

mod common;

use std::num::NonZeroU32;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use common::{STEP, frame, packets};
use media::nal::{annexb, h264, h265, units};
use media::rtp::{AccessUnit, Depacketizer, Encoding, Packet, Packetizer};
use media::{Format, H264, H265};
use proptest::prelude::*;
use retina::codec::{CodecItem, FrameFormat, ParametersRef};
use retina::rtp::{PacketMeta, ReceivedPacketBuilder};
use retina::testutil::DepacketizeBuf;

const H264_CLIP: &[u8] = include_bytes!("data/x264_slices_bframes.264");
const H265_CLIP: &[u8] = include_bytes!("data/x265_open_gop.265");

/// A codec by the names that both sides want.
#[derive(Clone, Copy)]
enum Clip {
    H264,
    H265,
}

impl Clip {
    fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H265 => "h265",
        }
    }

    /// The pictures of the clip: whether they are keyframes, and their NAL units without parameter sets.
    fn pictures(self) -> (Arc<Format>, Vec<(bool, Bytes)>) {
        let (mut sets, mut pictures) = ([Vec::new(), Vec::new(), Vec::new()], Vec::new());
        let (mut key, mut data, mut has_slice) = (false, BytesMut::new(), false);
        let stream = match self {
            Self::H264 => H264_CLIP,
            Self::H265 => H265_CLIP,
        };
        for nal in annexb::split(stream) {
            let (kind, set, slice, first, is_key) = self.describe(nal);
            let begins = has_slice && (first || !slice);
            if begins {
                pictures.push((key, data.split().freeze()));
                (key, has_slice) = (false, false);
            }
            if let Some(set) = set {
                sets[set] = nal.to_vec();
                continue;
            }
            has_slice |= slice;
            key |= is_key;
            assert_ne!(kind, 0xff);
            data.put_u32(nal.len() as u32);
            data.put_slice(nal);
        }
        pictures.push((key, data.freeze()));
        let [vps, sps, pps] = sets.map(Bytes::from);
        let format = match self {
            Self::H264 => Format::H264(H264::new(sps, vec![pps]).unwrap()),
            Self::H265 => Format::H265(H265::new(vps, sps, vec![pps]).unwrap()),
        };
        (Arc::new(format), pictures)
    }

    /// Type, which parameter set, whether a slice, whether the first, whether of a keyframe.
    fn describe(self, nal: &[u8]) -> (u8, Option<usize>, bool, bool, bool) {
        match self {
            Self::H264 => {
                let kind = h264::unit_type(nal[0]);
                let set = [h264::SPS, h264::PPS].iter().position(|set| *set == kind);
                let first = h264::is_first_slice(&nal[1..]);
                (
                    kind,
                    set.map(|set| set + 1),
                    kind <= h264::IDR,
                    first,
                    kind == h264::IDR,
                )
            }
            Self::H265 => {
                let kind = h265::unit_type(nal[0]);
                let set = [h265::VPS, h265::SPS, h265::PPS]
                    .iter()
                    .position(|set| *set == kind);
                let first = h265::is_first_slice(&nal[2..]);
                (
                    kind,
                    set,
                    kind <= h265::SLICE_LAST,
                    first,
                    (16..=21).contains(&kind),
                )
            }
        }
    }

    /// The packets of the clip, as a camera would send them.
    fn packets(self, max_payload: usize) -> Vec<Packet> {
        let (format, pictures) = self.pictures();
        let mut packetizer = Packetizer::new(&format, max_payload).unwrap();
        let frames = pictures
            .into_iter()
            .map(|(keyframe, data)| frame(&format, keyframe, data));
        packets(&mut packetizer, frames)
    }
}

/// What ours makes of packets, each with the number that is missing before it.
fn ours(clip: Clip, packets: &[(Packet, u16)]) -> Vec<AccessUnit> {
    let encoding = Encoding {
        name: clip.name(),
        clock_rate: 90_000,
        channels: None,
        fmtp: None,
    };
    let mut depacketizer = Depacketizer::new(&encoding).unwrap();
    let mut out = Vec::new();
    for (packet, lost) in packets {
        let _ = depacketizer.push(packet.clone(), *lost);
        out.extend(std::iter::from_fn(|| depacketizer.pull()));
    }
    out
}

/// What retina makes of them: timestamp, keyframe, bytes. It stops at what it can't read.
fn theirs(clip: Clip, packets: &[(Packet, u16)]) -> Vec<(u32, bool, Vec<u8>)> {
    let mut depacketizer =
        retina::codec::Depacketizer::new("video", clip.name(), 90_000, None, None).unwrap();
    depacketizer.set_frame_format(FrameFormat::MP4);
    let mut buffer = DepacketizeBuf::new(65_536);
    let mut out = Vec::new();
    for (packet, lost) in packets {
        let timestamp = i64::from(packet.header.timestamp);
        let received = ReceivedPacketBuilder {
            ctx: retina::PacketContext::dummy(),
            stream_id: 0,
            sequence_number: packet.header.sequence,
            timestamp: retina::Timestamp::new(timestamp, NonZeroU32::new(90_000).unwrap(), 0)
                .unwrap(),
            payload_type: 96,
            ssrc: 1,
            mark: packet.header.marker,
            loss: *lost,
        }
        .build(packet.payload.iter().copied())
        .unwrap();
        if buffer
            .push(
                &mut depacketizer,
                PacketMeta::from_received(&received),
                received.payload(),
            )
            .is_err()
        {
            continue;
        }
        while let Some(Ok(item)) = depacketizer.pull() {
            if let CodecItem::VideoFrame(frame) = item {
                let timestamp = frame.timestamp().timestamp() as u32;
                out.push((timestamp, frame.is_random_access_point(), frame.into_data()));
            }
        }
    }
    if let Some(ParametersRef::Video(parameters)) = depacketizer.parameters() {
        let format = ours(clip, packets).pop().map(|unit| unit.format);
        if let Some(format) = format {
            assert_eq!(format.resolution(), Some(parameters.pixel_dimensions()));
        }
    }
    out
}

fn without_loss(clip: Clip, max_payload: usize) {
    let packets: Vec<(Packet, u16)> = clip
        .packets(max_payload)
        .into_iter()
        .map(|p| (p, 0))
        .collect();
    let (ours, theirs) = (ours(clip, &packets), theirs(clip, &packets));
    assert_eq!(ours.len(), 75);
    assert_eq!(theirs.len(), 75);
    for (ours, (timestamp, keyframe, data)) in ours.iter().zip(&theirs) {
        assert_eq!(ours.timestamp, *timestamp);
        // To retina a CRA picture is none to start at.
        assert!(ours.keyframe == *keyframe || ours.keyframe && matches!(clip, Clip::H265));
        assert_eq!(ours.data, *data);
    }
}

#[test]
fn both_read_the_same_h264() {
    for max_payload in [64, 300, 1400] {
        without_loss(Clip::H264, max_payload);
    }
}

#[test]
fn both_read_the_same_h265() {
    for max_payload in [64, 300, 1400] {
        without_loss(Clip::H265, max_payload);
    }
}

/// Whether a NAL unit is a part of the picture itself.
fn is_slice(h265: bool, nal: &[u8]) -> bool {
    if h265 {
        nal[0] >> 1 & 0x3f < 32
    } else {
        (1..=5).contains(&(nal[0] & 0x1f))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn whatever_is_lost_what_passes_is_whole_and_begins_at_a_keyframe(
        h265 in any::<bool>(),
        losses in prop::collection::vec((0usize..400, 1usize..12), 1..6),
    ) {
        let clip = if h265 { Clip::H265 } else { Clip::H264 };
        let whole: Vec<(Packet, u16)> = clip.packets(200).into_iter().map(|p| (p, 0)).collect();
        let (mut lossy, mut lost) = (Vec::new(), 0);
        for (index, (packet, _)) in whole.iter().enumerate() {
            if losses.iter().any(|(start, count)| (*start..start + count).contains(&index)) {
                lost += 1;
            } else {
                lossy.push((packet.clone(), std::mem::take(&mut lost)));
            }
        }
        let reference = theirs(clip, &whole);
        let mut after = None;
        for unit in ours(clip, &lossy) {
            let index = (unit.timestamp / STEP) as usize;
            // What stands before the first slice may be lost with the end of the picture before; a decoder
            // does without it.
            let sent = &reference[index].2;
            prop_assert!(sent.ends_with(&unit.data));
            let lost = &sent[..sent.len() - unit.data.len()];
            prop_assert!(!units(lost).any(|nal| is_slice(h265, nal)));
            prop_assert!(units(&unit.data).any(|nal| is_slice(h265, nal)));
            // A hole in the numbers ends at a keyframe, or spans leading pictures that were skipped.
            if after != Some(index) && !h265 {
                prop_assert!(unit.keyframe);
            }
            after = Some(index + 1);
        }
    }
}
