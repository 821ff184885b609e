use std::sync::Arc;

use super::*;
use crate::{Format, Opus};

const HBR: &str = "streamtype=5;profile-level-id=1;mode=AAC-hbr;config=1408;sizeLength=13;indexLength=3;indexDeltaLength=3";

fn aac() -> Track {
    Track::new("MPEG4-GENERIC", 16_000, HBR)
}

#[test]
fn several_units_in_a_packet_get_their_own_times() {
    let mut track = aac();
    let payload = [0, 32, 0, 2 << 3, 0, 3 << 3, 1, 2, 3, 4, 5];
    let units = track.push(u32::MAX - 500, true, &payload);
    assert_eq!(units[0].data[..], [1, 2]);
    assert_eq!(units[1].data[..], [3, 4, 5]);
    assert_eq!(units[1].timestamp, 523);
}

#[test]
fn a_unit_over_packets_is_joined_and_a_loss_drops_it() {
    let mut track = aac();
    assert_eq!(track.push(0, false, &[0, 16, 0, 4 << 3, 1, 2]), []);
    assert_eq!(
        track.push(0, true, &[0, 16, 0, 4 << 3, 3, 4])[0].data[..],
        [1, 2, 3, 4]
    );
    track.push(1024, false, &[0, 16, 0, 4 << 3, 1, 2]);
    track.lose(1);
    let next = track.push(2048, true, &[0, 16, 0, 2 << 3, 5, 6]);
    assert_eq!((&next[0].data[..], next[0].lost), (&[5u8, 6][..], 1));
    assert_eq!(track.dropped(), 1);
}

#[test]
fn header_fields_of_any_length_are_read() {
    // 6 bits of size, 2 of index.
    let mut low = Track::new(
        "mpeg4-generic",
        8000,
        "mode=AAC-lbr;config=1588;sizelength=6;indexlength=2;indexdeltalength=2",
    );
    let units = low.push(0, true, &[0, 16, 2 << 2, 1 << 2, 7, 8, 9]);
    assert_eq!(
        (&units[0].data[..], &units[1].data[..]),
        (&[7u8, 8][..], &[9u8][..])
    );
    // A composition flag in each header.
    let mut delta = Track::new(
        "mpeg4-generic",
        8000,
        "config=1588;sizelength=13;indexlength=3;indexdeltalength=3;ctsdeltalength=7",
    );
    let units = delta.push(0, true, &[0, 17, 0, 2 << 3, 0, 7, 8]);
    assert_eq!(units[0].data[..], [7, 8]);
    // No headers at all: units of one size.
    let mut constant = Track::new("mpeg4-generic", 8000, "config=1588;constantsize=2");
    assert_eq!(constant.push(0, true, &[1, 2, 3, 4]).len(), 2);
}

#[test]
fn adts_headers_in_the_payload_are_cut_off() {
    let adts = [0xff, 0xf1, 0x60, 0x40, 0x01, 0x3f, 0xfc, 0xaa, 0xbb];
    let mut track = aac();
    let behind_header = [&[0, 16, 0, 9 << 3][..], &adts].concat();
    assert_eq!(
        track.push(0, true, &behind_header)[0].data[..],
        [0xaa, 0xbb]
    );
    let units = track.push(1024, true, &[adts, adts].concat());
    assert_eq!(units.len(), 2);
    assert_eq!(units[1].timestamp, 2048);
    assert_eq!(units[1].data[..], [0xaa, 0xbb]);
    assert!(Arc::ptr_eq(
        &units[1].format,
        track.depacketizer.format().unwrap()
    ));
}

#[test]
fn he_aac_announced_with_the_doubled_rate_advances_on_that_clock() {
    // Core at 22050 Hz, SBR at 44100 Hz, RTP clock 44100.
    let mut track = Track::new(
        "mpeg4-generic",
        44_100,
        "config=2b920800;sizelength=13;indexlength=3;indexdeltalength=3",
    );
    let units = track.push(0, true, &[0, 32, 0, 8, 0, 8, 1, 2]);
    assert_eq!(units[1].timestamp, 2048);
}

#[test]
fn a_missing_configuration_is_taken_from_the_clock() {
    let encoding = Encoding {
        name: "mpeg4-generic",
        clock_rate: 44_100,
        channels: Some(2),
        fmtp: None,
    };
    let depacketizer = Depacketizer::new(&encoding).unwrap();
    assert!(
        matches!(&**depacketizer.format().unwrap(), Format::Aac(a) if a.sample_rate == 44_100 && a.channels == 2)
    );
}

#[test]
fn headers_that_promise_too_much_are_errors() {
    let mut track = aac();
    assert!(track.try_push(0, true, &[0xff]).is_err());
    assert!(track.try_push(0, true, &[0xff, 0xff, 1]).is_err());
    assert!(
        track
            .try_push(0, true, &[0, 32, 0, 8, 0, 80, 1, 2])
            .is_err()
    );
    assert!(
        track.try_push(0, true, &[0, 32, 0, 8, 0, 9, 1, 2]).is_err(),
        "interleaving"
    );
    assert_eq!(track.push(0, true, &[0, 16, 0, 8, 7]).len(), 1);
}

#[test]
fn latm_with_its_configuration_in_the_description_is_read() {
    // One unit an element, one program, one layer, AAC-LC, 48 kHz, stereo.
    let mut track = Track::new(
        "MP4A-LATM",
        48_000,
        "profile-level-id=15;cpresent=0;config=400023203fc0",
    );
    let format = track.depacketizer.format().unwrap();
    assert!(
        matches!(&**format, Format::Aac(a) if a.sample_rate == 48_000 && a.channels == 2 && a.config[..] == [0x11, 0x90])
    );
    assert_eq!(track.push(0, true, &[3, 1, 2, 3])[0].data[..], [1, 2, 3]);
    let long = [&[255, 1][..], &[9; 256]].concat();
    track.push(1024, false, &long[..100]);
    assert_eq!(track.push(1024, true, &long[100..])[0].data.len(), 256);
    assert!(track.try_push(2048, true, &[9, 1]).is_err());
}

#[test]
fn latm_with_its_configuration_in_the_stream_is_refused_in_words() {
    let encoding = Encoding {
        name: "MP4A-LATM",
        clock_rate: 48_000,
        channels: None,
        fmtp: None,
    };
    let error = Depacketizer::new(&encoding).unwrap_err().to_string();
    assert!(
        error.contains("cpresent=1") && error.contains("mpeg4-generic"),
        "{error}"
    );
}

#[test]
fn opus_is_48_khz_whatever_the_description_says() {
    let encoding = Encoding {
        name: "opus",
        clock_rate: 8000,
        channels: Some(1),
        fmtp: None,
    };
    let depacketizer = Depacketizer::new(&encoding).unwrap();
    assert_eq!(
        **depacketizer.format().unwrap(),
        Format::Opus(Opus { channels: 1 })
    );
    assert_eq!(depacketizer.format().unwrap().clock_rate(), 48_000);
}

#[test]
fn linear_samples_come_in_whole_ticks_and_8_bits_are_widened() {
    let mut l16 = Track::new("L16", 8000, "");
    assert_eq!(l16.push(0, false, &[1, 2, 3])[0].data[..], [1, 2]);
    let mut l8 = Track::new("L8", 8000, "");
    assert_eq!(
        l8.push(0, false, &[0x80, 0xff])[0].data[..],
        [0, 0, 0x7f, 0]
    );
}
