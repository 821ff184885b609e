use ::media::{Format, G711, Opus, TrackId};
use axum::body::Bytes;
use serde_json::{Value as Json, json};

use super::super::codec;
use super::*;

const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0, 0, 3, 0, 0x40, 0, 0, 0x0c, 0x83,
    0xc5, 0x0a, 0xa8,
];
const PPS: &[u8] = &[0x68, 0xce, 0x3c, 0x80];

/// What is told of a track of `format`.
fn codec_of(format: Format) -> Json {
    let track = ::media::Track {
        id: TrackId(0),
        kind: format.kind(),
        encoding: String::new(),
        format: Some(Arc::new(format)),
        unsupported: None,
    };
    codec::all(&[track]).pop().unwrap_or_default()
}

#[test]
fn h264_has_the_form_of_rtsptowebs_library() {
    let bytes = Bytes::from_static;
    let picture = ::media::H264::new(bytes(SPS), vec![bytes(PPS)]).unwrap();
    let (width, height) = (picture.width, picture.height);
    let told = codec_of(Format::H264(picture));
    let record = [
        &[1, 0x42, 0xc0, 0x0d, 0xff, 0xe1, 0, SPS.len() as u8],
        SPS,
        &[1, 0, 4],
        PPS,
    ];
    let [sps, pps, record] = [SPS, PPS, &record.concat()].map(|part| STANDARD.encode(part));
    let expected = json!({
        "Record": record,
        "RecordInfo": {
            "AVCProfileIndication": 66, "ProfileCompatibility": 0xc0, "AVCLevelIndication": 13,
            "LengthSizeMinusOne": 3, "SPS": [sps], "PPS": [pps],
        },
        "SPSInfo": {
            "Id": 0, "ProfileIdc": 66, "LevelIdc": 13, "ConstraintSetFlag": 0x30, "MbWidth": width / 16,
            "MbHeight": height / 16, "CropLeft": 0, "CropRight": 0, "CropTop": 0, "CropBottom": 0, "Width": width,
            "Height": height, "FPS": 25,
        },
    });
    assert_eq!(told.to_string(), expected.to_string(), "in this order");
}

#[test]
fn sound_has_the_form_of_rtsptowebs_library() {
    let aac = ::media::Aac::new(Bytes::from_static(&[0x11, 0x90])).unwrap();
    let expected = r#"{"ConfigBytes":"EZA=","Config":{"SampleRate":48000,"ChannelLayout":6,"ObjectType":2,"SampleRateIndex":3,"ChannelConfig":2}}"#;
    assert_eq!(codec_of(Format::Aac(aac)).to_string(), expected);
    let opus = codec_of(Format::Opus(Opus { channels: 2 }));
    assert_eq!(
        opus.to_string(),
        r#"{"SampleRate_":48000,"ChannelLayout_":6}"#
    );
    let law = G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    };
    assert_eq!(codec_of(Format::G711(law)), json!({}));
}
