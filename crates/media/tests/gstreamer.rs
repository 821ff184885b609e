//! Packets that GStreamer's payloaders made, through the depacketizers.

#![expect(
    clippy::unwrap_used,
    reason = "what fails in a test's helper fails the test"
)]

use bytes::{Buf, Bytes};
use media::Format;
use media::nal::{annexb, h264, h265, units};
use media::rtp::{AccessUnit, Depacketizer, Encoding, Packet};

/// Depacketizes a capture, each packet behind its length in two bytes.
fn read(name: &str, clock_rate: u32, fmtp: &str, capture: &'static [u8]) -> Vec<AccessUnit> {
    let encoding = Encoding {
        name,
        clock_rate,
        channels: None,
        fmtp: Some(fmtp),
    };
    let mut depacketizer = Depacketizer::new(&encoding).unwrap();
    let (mut capture, mut units) = (Bytes::from_static(capture), Vec::new());
    while !capture.is_empty() {
        let length = usize::from(capture.get_u16());
        let packet = Packet::parse(capture.split_to(length)).unwrap();
        depacketizer.push(packet, 0).unwrap();
        units.extend(std::iter::from_fn(|| depacketizer.pull()));
    }
    assert_eq!(depacketizer.dropped(), 0);
    units
}

/// The NAL units of a byte stream that frames keep.
fn kept(stream: &'static [u8], waste: impl Fn(u8) -> bool) -> Vec<&'static [u8]> {
    annexb::split(stream).filter(|nal| !waste(nal[0])).collect()
}

fn flat(read: &[AccessUnit]) -> Vec<&[u8]> {
    read.iter().flat_map(|unit| units(&unit.data)).collect()
}

/// Timestamps advance by what each unit lasts, give or take the rounding of nanoseconds.
fn follow_each_other(units: &[AccessUnit]) {
    for pair in units.windows(2) {
        let step = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        let samples = pair[0].format.samples(&pair[0].data).unwrap();
        assert!(step.abs_diff(samples) <= 1, "{step} {samples}");
    }
}

#[test]
fn h264_in_aggregates_and_fragments_comes_out_as_it_was_encoded() {
    let read = read("H264", 90_000, "", include_bytes!("data/h264.rtp"));
    let clip = include_bytes!("data/x264_slices_bframes.264");
    let expected = kept(clip, |header| {
        matches!(h264::unit_type(header), h264::SPS | h264::PPS)
    });
    assert_eq!(read.len(), 75);
    assert_eq!(flat(&read), expected);
    let starts: Vec<usize> = (0..75).filter(|index| read[*index].keyframe).collect();
    assert_eq!(starts, [0, 25, 50]);
}

#[test]
fn h265_in_aggregates_and_fragments_comes_out_as_it_was_encoded() {
    let read = read("H265", 90_000, "", include_bytes!("data/h265.rtp"));
    let clip = include_bytes!("data/x265_open_gop.265");
    let expected = kept(clip, |header| {
        (h265::VPS..=h265::PPS).contains(&h265::unit_type(header))
    });
    assert_eq!(read.len(), 75);
    assert_eq!(flat(&read), expected);
    assert!(read.iter().filter(|unit| unit.keyframe).count() >= 3);
}

#[test]
fn aac_and_latm_units_follow_each_other_by_1024() {
    let config = "sizelength=13;indexlength=3;indexdeltalength=3;config=140856e500";
    let aac = read(
        "mpeg4-generic",
        16_000,
        config,
        include_bytes!("data/aac.rtp"),
    );
    let latm = read(
        "MP4A-LATM",
        48_000,
        "cpresent=0;config=40002320adca00",
        include_bytes!("data/latm.rtp"),
    );
    for units in [aac, latm] {
        assert!(units.len() > 40);
        follow_each_other(&units);
        assert!(matches!(&*units[0].format, Format::Aac(aac) if aac.object_type == 2));
    }
}

#[test]
fn opus_packets_say_their_length() {
    let units = read("OPUS", 48_000, "", include_bytes!("data/opus.rtp"));
    assert!(units.len() > 50);
    // The encoder begins with less than a whole packet of sound.
    follow_each_other(&units[1..]);
}
