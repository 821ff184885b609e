use std::io::Cursor;

use bytes::Bytes;
use media::{Aac, Codec, Flac, H264, H265, Opus};
use mp4_atom::{Audio, Codec as Entry, Decode, Ftyp, Moov};

use super::*;
use crate::moof::{self, Sample};
use crate::{codec_string, flac};

/// 1280x720, high profile, from x264.
const H264_SPS: &[u8] = &[
    0x67, 0x64, 0x00, 0x1f, 0xac, 0xd9, 0x40, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
    0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x60,
];
const H264_PPS: &[u8] = &[0x68, 0xeb, 0xe3, 0xcb, 0x22, 0xc0];

fn h264() -> Format {
    let format = H264::new(H264_SPS.to_vec().into(), vec![H264_PPS.to_vec().into()]);
    Format::H264(format.expect("real parameter sets"))
}

fn h265() -> Format {
    let hex = |text: &str| -> Bytes {
        let digits = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
        (0..text.len()).step_by(2).map(digits).collect()
    };
    // 320x180, main, from x265.
    let format = H265::new(hex(VPS), hex(SPS), vec![hex(PPS)]);
    Format::H265(format.expect("real parameter sets"))
}

const VPS: &str = "40010c01ffff01600000030090000003000003003c959409";
const SPS: &str =
    "42010101600000030090000003000003003ca00a080c1f3e595952930bc05a020000030002000003003210";
const PPS: &str = "4401c073c189";

fn aac(rate: u32, channels: u8) -> Format {
    Format::Aac(Aac::low_complexity(rate, channels).expect("a usual rate"))
}

fn parsed(tracks: &[(u32, &Format)]) -> Moov {
    let bytes = init(tracks).expect("an init segment");
    let mut cursor = Cursor::new(&bytes);
    let ftyp = Ftyp::decode(&mut cursor).expect("ftyp");
    assert_eq!(ftyp.major_brand, b"iso6".into());
    Moov::decode(&mut cursor).expect("moov")
}

fn entry(moov: &Moov, track: usize) -> &Entry {
    &moov.trak[track].mdia.minf.stbl.stsd.codecs[0]
}

#[test]
fn another_parser_reads_h264_and_aac() {
    let (video, audio) = (h264(), aac(48_000, 2));
    let moov = parsed(&[(1, &video), (2, &audio)]);
    assert_eq!(moov.mvhd.next_track_id, 3);
    assert_eq!(moov.trak[0].mdia.mdhd.timescale, 90_000);
    assert_eq!(moov.trak[0].mdia.mdhd.language, "und");
    assert_eq!(moov.trak[1].mdia.mdhd.timescale, 48_000);
    let mvex = moov.mvex.as_ref().expect("mvex");
    assert_eq!(
        mvex.trex.iter().map(|t| t.track_id).collect::<Vec<_>>(),
        [1, 2]
    );
    let Entry::Avc1(avc1) = entry(&moov, 0) else {
        panic!("not avc1")
    };
    assert_eq!((avc1.visual.width, avc1.visual.height), (1280, 720));
    let avcc = &avc1.avcc;
    assert_eq!(
        (
            avcc.avc_profile_indication,
            avcc.avc_level_indication,
            avcc.length_size
        ),
        (100, 31, 4)
    );
    assert_eq!(avcc.sequence_parameter_sets, [H264_SPS]);
    assert_eq!(avcc.picture_parameter_sets, [H264_PPS]);
    let high = avcc.ext.as_ref().expect("the fields of high profile");
    assert_eq!(
        (
            high.chroma_format,
            high.bit_depth_luma,
            high.bit_depth_chroma
        ),
        (1, 8, 8)
    );
    let Entry::Mp4a(mp4a) = entry(&moov, 1) else {
        panic!("not mp4a")
    };
    let dec = mp4a.esds.es_desc.dec_config.dec_specific.as_ref();
    let dec = dec.expect("a configuration");
    assert_eq!((dec.profile, dec.freq_index, dec.chan_conf), (2, 3, 2));
}

#[test]
fn another_parser_reads_h265() {
    let video = h265();
    let moov = parsed(&[(7, &video)]);
    let Entry::Hvc1(hvc1) = entry(&moov, 0) else {
        panic!("not hvc1")
    };
    let hvcc = &hvc1.hvcc;
    assert_eq!(hvcc.length_size_minus_one, 3);
    assert_eq!(hvcc.general_profile_idc, 1);
    assert_eq!(
        hvcc.arrays
            .iter()
            .map(|a| (a.completeness, a.nal_unit_type, a.nalus.len()))
            .collect::<Vec<_>>(),
        [(true, 32, 1), (true, 33, 1), (true, 34, 1)]
    );
}

#[test]
fn another_parser_reads_opus_and_flac() {
    let opus = Format::Opus(Opus { channels: 2 });
    let flac = Format::Flac(flac::format(8000, 1).expect("a format"));
    let moov = parsed(&[(1, &opus), (2, &flac)]);
    let Entry::Opus(entry_1) = entry(&moov, 0) else {
        panic!("not Opus")
    };
    assert_eq!(
        (
            entry_1.dops.output_channel_count,
            entry_1.dops.input_sample_rate
        ),
        (2, 48_000)
    );
    let Entry::Flac(entry_2) = entry(&moov, 1) else {
        panic!("not fLaC")
    };
    assert_eq!(sound_of(&entry_2.audio), (1, 8000));
}

fn sound_of(audio: &Audio) -> (u16, u32) {
    (audio.channel_count, u32::from(audio.sample_rate.integer()))
}

#[test]
fn the_mp4_crate_reads_the_same_and_counts_the_samples() {
    let (video, audio) = (h264(), aac(16_000, 1));
    let mut file = init(&[(1, &video), (2, &audio)])
        .expect("an init segment")
        .to_vec();
    for (sequence, track, dts) in [(1, 1, 0), (2, 2, 0), (3, 1, 3600)] {
        let data = Bytes::from(vec![sequence as u8; 5]);
        let sample = Sample {
            dts,
            duration: 3600,
            composition: 0,
            keyframe: dts == 0,
            data: data.clone(),
        };
        file.extend_from_slice(&moof::head(sequence, track, &[sample]));
        file.extend_from_slice(&data);
    }
    let size = file.len() as u64;
    let reader = mp4::Mp4Reader::read_header(Cursor::new(file), size).expect("a header");
    assert!(reader.is_fragmented());
    let video = &reader.tracks()[&1];
    assert_eq!(
        (video.width(), video.height(), video.timescale()),
        (1280, 720, 90_000)
    );
    assert_eq!(video.sequence_parameter_set().expect("an SPS"), H264_SPS);
    let audio = &reader.tracks()[&2];
    let rate = audio.sample_freq_index().expect("a rate");
    assert_eq!(rate, mp4::SampleFreqIndex::Freq16000);
    let channels = audio.channel_config().expect("channels");
    assert_eq!(channels, mp4::ChannelConfig::Mono);
    assert_eq!(reader.sample_count(1).expect("a track"), 2);
    // It reads no further: of `trun` it knows neither durations nor offsets from the `moof`.
}

#[test]
fn the_codec_string_is_what_browsers_take() {
    let strings = [
        h264(),
        h265(),
        aac(48_000, 2),
        Format::Opus(Opus { channels: 1 }),
    ]
    .map(|format| codec_string(&format).expect("a string"));
    assert_eq!(
        strings,
        ["avc1.64001F", "hvc1.1.6.L60.90", "mp4a.40.2", "opus"]
    );
}

#[test]
fn h265_constraints_and_tiers_are_spelled_out() {
    let Format::H265(mut video) = h265() else {
        panic!("not H.265")
    };
    video.profile_space = 1;
    video.profile_idc = 2;
    video.profile_compatibility = 0x2000_0000;
    video.high_tier = true;
    video.level_idc = 153;
    video.constraints = [0xb0, 0, 0x0c, 0, 0, 0];
    assert_eq!(
        codec_string(&Format::H265(video.clone())).as_deref(),
        Ok("hvc1.A2.4.H153.B0.0.C")
    );
    video.constraints = [0; 6];
    assert_eq!(
        codec_string(&Format::H265(video)).as_deref(),
        Ok("hvc1.A2.4.H153")
    );
}

#[test]
fn a_pixel_aspect_stretches_the_display_size() {
    let Format::H264(mut video) = h264() else {
        panic!("not H.264")
    };
    video.aspect = (4, 3);
    let moov = parsed(&[(1, &Format::H264(video))]);
    let Entry::Avc1(avc1) = entry(&moov, 0) else {
        panic!("not avc1")
    };
    let pasp = avc1.pasp.as_ref().expect("pasp");
    assert_eq!((pasp.h_spacing, pasp.v_spacing), (4, 3));
    assert_eq!(moov.trak[0].tkhd.width.integer(), 1706);
}

#[test]
fn what_can_not_be_described_is_refused_with_a_reason() {
    let audio = aac(48_000, 2);
    assert_eq!(init(&[]), Err(Error::NoTracks));
    assert_eq!(init(&[(0, &audio)]), Err(Error::TrackId(0)));
    assert_eq!(init(&[(1, &audio), (1, &audio)]), Err(Error::TrackId(1)));
    assert_eq!(
        init(&[(1, &Format::G722)]),
        Err(Error::NotInMp4(Codec::G722))
    );
    let flac = Format::Flac(Flac {
        stream_info: Bytes::from_static(b"short"),
        sample_rate: 8000,
        channels: 1,
        bits: 16,
    });
    let error = init(&[(1, &flac)]).expect_err("STREAMINFO is too short");
    assert_eq!(
        error.to_string(),
        "FLAC can't be described in MP4: STREAMINFO does not have 34 bytes"
    );
}
