use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::Error;

fn hex(digits: &str) -> Bytes {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn h264(sps: &str, pps: &str) -> H264 {
    H264::new(hex(sps), vec![hex(pps)]).unwrap()
}

const X264_1080: &str = "67640028acd940780227e5c044000003000400000300c83c60c658";
const X265_720_VPS: &str = "40010c01ffff01600000030090000003000003005d959409";
const X265_720_SPS: &str =
    "42010101600000030090000003000003005da00280802d16595952930bc05a020000030002000003002810";

#[test]
fn x264_high_profile_says_size_rate_and_reorder_depth() {
    let f = h264(X264_1080, "68ef8fcb");
    assert_eq!((f.width, f.height), (1920, 1080));
    assert_eq!(f.frame_rate, Some((25, 1)));
    assert_eq!(f.reorder, Some(2));
    assert_eq!(f.aspect, (1, 1));
    assert_eq!(
        (f.profile_idc(), f.constraints(), f.level_idc()),
        (100, 0, 40)
    );
}

#[test]
fn baseline_never_reorders_and_keeps_odd_frame_rates() {
    let f = h264("6742c01eda0280bfe5c04400000fa40003a9803c58ba80", "68ce0fc8");
    assert_eq!((f.width, f.height), (640, 360));
    assert_eq!(f.frame_rate, Some((30_000, 1001)));
    assert_eq!(f.reorder, Some(0));
}

#[test]
fn interlaced_pictures_count_both_fields_and_keep_their_aspect() {
    let f = h264(
        "6764001eacd940b424d8208000000300800000190f8a14cb",
        "68fe8fcb",
    );
    assert_eq!((f.width, f.height), (720, 576));
    assert_eq!(f.aspect, (16, 11));
    assert_eq!(f.frame_rate, Some((25, 1)));
}

#[test]
fn cameras_of_hikvision_dahua_and_reolink_are_read() {
    let hikvision = h264("674d001f9a6602802dff35010101400000fa00001d4c01", "68ee3c80");
    assert_eq!((hikvision.width, hikvision.height), (1280, 720));
    let dahua = h264("6764001eac1514a0a03da1000004f6000063380401", "68ee3cb0");
    assert_eq!((dahua.width, dahua.height), (640, 480));
    assert_eq!(dahua.reorder, None);
    let reolink = h264("67640033ac1514a02800b590", "68ee3cb0");
    assert_eq!((reolink.width, reolink.height), (2560, 1440));
    assert_eq!((reolink.reorder, reolink.frame_rate), (None, None));
}

#[test]
fn start_codes_before_and_zeros_behind_parameter_sets_do_not_matter() {
    let plain = h264(X264_1080, "68ef8fcb");
    let dressed = h264(&format!("00000001{X264_1080}000000"), "00000168ef8fcb0000");
    assert_eq!(plain, dressed);
}

#[test]
fn a_vui_that_is_cut_short_loses_only_what_is_cut() {
    let f = h264(&X264_1080[..40], "68ef8fcb");
    assert_eq!((f.width, f.height), (1920, 1080));
    assert_eq!(f.reorder, None);
}

#[test]
fn picture_parameter_sets_are_ordered_by_id_and_the_last_of_an_id_counts() {
    let (id0, id1, id0_again) = (hex("68ef8f"), hex("6857c0"), hex("68ee3c80"));
    let f = H264::new(hex(X264_1080), vec![id1.clone(), id0, id0_again.clone()]).unwrap();
    assert_eq!(f.pps, [id0_again, id1]);
}

#[test]
fn what_is_no_parameter_set_is_refused_in_words() {
    let error = H264::new(hex("65888400"), vec![hex("68ee3c80")]).unwrap_err();
    assert_eq!(error.to_string(), "H.264 SPS: the NAL unit type is not 7");
    let error = H264::new(hex(X264_1080), vec![]).unwrap_err();
    assert_eq!(error.to_string(), "H.264 PPS: there is none");
    assert_eq!(
        H264::new(hex("6764"), vec![hex("68ee3c80")]),
        Err(Error::Truncated { what: "H.264 SPS" })
    );
}

#[test]
fn x265_main_says_all_that_its_configuration_record_needs() {
    let f = H265::new(
        hex(X265_720_VPS),
        hex(X265_720_SPS),
        vec![hex("4401c073c189")],
    )
    .unwrap();
    assert_eq!((f.width, f.height), (1280, 720));
    assert_eq!(f.frame_rate, Some((20, 1)));
    assert_eq!(f.reorder, Some(2));
    assert_eq!(
        (f.profile_space, f.high_tier, f.profile_idc, f.level_idc),
        (0, false, 1, 93)
    );
    assert_eq!(f.profile_compatibility, 0x6000_0000);
    assert_eq!(f.constraints, [0x90, 0, 0, 0, 0, 0]);
    assert_eq!(
        (f.chroma_format, f.bit_depth_luma, f.bit_depth_chroma),
        (1, 8, 8)
    );
    assert_eq!((f.temporal_layers, f.temporal_nesting), (1, true));
}

#[test]
fn x265_main_10_with_a_cropped_picture_is_read() {
    let f = H265::new(
        hex("40010c01ffff02200000030090000003000003005a959809"),
        hex("42010102200000030090000003000003005aa007d201f9f4d96566924caf016808000003000800000300a040"),
        vec![hex("4401c172b46240")],
    )
    .unwrap();
    assert_eq!((f.width, f.height), (1000, 502));
    assert_eq!((f.profile_idc, f.bit_depth_luma), (2, 10));
    assert_eq!(f.frame_rate, Some((20, 1)));
}

#[test]
fn svt_av1_is_read_and_gets_a_size_field() {
    let with_size = hex("0a0b0000000cc4ff673efe4010");
    let without = hex("080000000cc4ff673efe4010");
    let f = Av1::new(with_size.clone()).unwrap();
    assert_eq!((f.width, f.height), (640, 360));
    assert_eq!((f.profile, f.level_idx, f.high_tier), (0, 1, false));
    assert_eq!(
        (f.bit_depth, f.monochrome, f.subsampling),
        (8, false, (true, true))
    );
    assert_eq!(f.sequence_header, with_size);
    assert_eq!(Av1::new(without).unwrap(), f);
}

#[test]
fn aac_configurations_of_every_kind_are_read() {
    let lc = Aac::new(hex("1408")).unwrap();
    assert_eq!(
        (lc.object_type, lc.sample_rate, lc.channels, lc.frame_length),
        (2, 16_000, 1, 1024)
    );
    let stereo = Aac::new(hex("1190")).unwrap();
    assert_eq!((stereo.sample_rate, stereo.channels), (48_000, 2));
    let he = Aac::new(hex("2b920800")).unwrap();
    assert_eq!(
        (he.object_type, he.sample_rate, he.channels),
        (5, 22_050, 2)
    );
    let short = Aac::new(hex("140c")).unwrap();
    assert_eq!(short.frame_length, 960);
    // 5 bits of LC, the escape 15, 24 bits of 15000 Hz, 4 bits of one channel, 3 flags.
    let odd = Aac::new(Bytes::copy_from_slice(
        &(0b00010u64 << 59 | 15 << 55 | 15_000 << 31 | 1 << 27).to_be_bytes(),
    ));
    assert_eq!(odd.unwrap().sample_rate, 15_000);
    assert_eq!(Aac::low_complexity(16_000, 1).unwrap().config, hex("1408"));
}

#[test]
fn an_adts_header_makes_a_configuration() {
    let aac = Aac::from_adts(&hex("fff14c80017ffc21")).unwrap();
    assert_eq!(
        (aac.object_type, aac.sample_rate, aac.channels),
        (2, 48_000, 2)
    );
    assert_eq!(aac.config, hex("1190"));
    assert!(Aac::from_adts(&hex("fff94c")).is_err());
}

#[test]
fn other_audio_coders_are_refused_with_advice() {
    let error = Aac::new(hex("f0a00000")).unwrap_err();
    assert!(
        error.to_string().contains("set the camera to AAC-LC"),
        "{error}"
    );
}

#[test]
fn units_of_sound_say_how_long_they_last() {
    let opus = Format::Opus(Opus { channels: 2 });
    assert_eq!(opus.samples(&[0xfc, 0, 0]), Some(960)); // CELT 20 ms, one frame
    assert_eq!(opus.samples(&[0x0b, 2, 0]), Some(1920)); // SILK 20 ms, two frames
    assert_eq!(opus.samples(&[0x1b, 63]), None); // 63 frames of 60 ms
    assert_eq!(opus.samples(&[]), None);
    let pcm = |channels| {
        Format::L16(L16 {
            sample_rate: 44_100,
            channels,
        })
    };
    assert_eq!(pcm(2).samples(&[0; 400]), Some(100));
    assert_eq!(Format::G722.samples(&[0; 160]), Some(160));
    let g711 = Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    });
    assert_eq!(g711.samples(&[0; 320]), Some(320));
    let flac = Format::Flac(Flac {
        stream_info: Bytes::new(),
        sample_rate: 48_000,
        channels: 2,
        bits: 16,
    });
    assert_eq!(flac.samples(&[0xff, 0xf8, 0xc9, 0x18, 0]), Some(4096));
    assert_eq!(
        flac.samples(&[0xff, 0xf8, 0x79, 0x18, 0, 0x03, 0xe7]),
        Some(1000)
    );
    assert_eq!(
        flac.samples(&[0xff, 0xf8, 0x69, 0x18, 0xc2, 0x80, 0x9f]),
        Some(160)
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
        let data = Bytes::from(data);
        let with = |first: &[u8]| Bytes::from([first, &data].concat());
        let _ = H264::new(with(&[0x67]), vec![with(&[0x68])]);
        let _ = H264::new(with(&[0x67, 100, 0, 30]), vec![hex("68ee3c80")]);
        let _ = H265::new(with(&[0x40, 1]), with(&[0x42, 1]), vec![with(&[0x44, 1])]);
        let _ = Av1::new(with(&[0x0a]));
        let _ = Av1::new(data.clone());
        let _ = Aac::new(data.clone());
        let _ = Aac::from_adts(&with(&[0xff, 0xf1]));
        let flac = Format::Flac(Flac { stream_info: Bytes::new(), sample_rate: 1, channels: 1, bits: 8 });
        let _ = flac.samples(&with(&[0xff, 0xf8]));
        let _ = Format::Opus(Opus { channels: 1 }).samples(&data);
    }

    #[test]
    fn real_parameter_sets_with_flipped_bits_never_panic(at in 8usize..340, cut in 3usize..44) {
        let mut sps = hex(X265_720_SPS).to_vec();
        let flip = at % (sps.len() * 8);
        sps[flip / 8] ^= 1 << (flip % 8);
        sps.truncate(cut);
        let _ = H265::new(hex(X265_720_VPS), Bytes::from(sps), vec![hex("4401c073c189")]);
        let mut sps = hex(X264_1080).to_vec();
        let flip = at % (sps.len() * 8);
        sps[flip / 8] ^= 1 << (flip % 8);
        sps.truncate(cut);
        let _ = H264::new(Bytes::from(sps), vec![hex("68ef8fcb")]);
    }
}
