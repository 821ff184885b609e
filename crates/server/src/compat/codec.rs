//! What a camera sends, as RTSPtoWeb tells it: the structs of its library, with no name of the codec in them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::{Aac, Format, H264, H265, Track};
use serde_json::{Value as Json, json};

/// Bits of a channel layout.
const FRONT_CENTER: u16 = 1;
const FRONT: u16 = 2 | 4;
const BACK_CENTER: u16 = 8;
const BACK: u16 = 16 | 32;
const SIDE: u16 = 64 | 128;
const LOW: u16 = 256;
/// The layouts that MPEG-4 numbers.
const LAYOUTS: [u16; 8] = [
    0,
    FRONT_CENTER,
    FRONT,
    FRONT_CENTER | FRONT,
    FRONT_CENTER | FRONT | BACK_CENTER,
    FRONT_CENTER | FRONT | BACK,
    FRONT_CENTER | FRONT | BACK | LOW,
    FRONT_CENTER | FRONT | SIDE | BACK | LOW,
];
/// The sampling rates that MPEG-4 numbers.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// Whether all there is to say of `tracks` is known.
pub(super) fn are_known(tracks: &[Track]) -> bool {
    let known = |track: &Track| track.format.is_some() || track.unsupported.is_some();
    !tracks.is_empty() && tracks.iter().all(known)
}

/// The codecs of `tracks`, as far as RTSPtoWeb has a form for them.
pub(super) fn all(tracks: &[Track]) -> Vec<Json> {
    let formats = tracks.iter().filter_map(|track| track.format.as_deref());
    formats.filter_map(one).collect()
}

fn one(format: &Format) -> Option<Json> {
    Some(match format {
        Format::H264(picture) => h264(picture),
        Format::H265(picture) => h265(picture),
        Format::Aac(sound) => aac(sound),
        Format::Opus(opus) => json!({
            "SampleRate_": 48_000,
            "ChannelLayout_": layout(opus.channels.into()),
        }),
        Format::G711(_) | Format::G722 | Format::L16(_) => json!({}),
        _ => return None,
    })
}

fn h264(picture: &H264) -> Json {
    let [left, right, top, bottom] = picture.crop;
    json!({
        "Record": base64(&avcc(picture)),
        "RecordInfo": {
            "AVCProfileIndication": picture.profile_idc(),
            "ProfileCompatibility": picture.constraints(),
            "AVCLevelIndication": picture.level_idc(),
            "LengthSizeMinusOne": 3,
            "SPS": [base64(&picture.sps)],
            "PPS": texts(&picture.pps),
        },
        "SPSInfo": {
            "Id": picture.id,
            "ProfileIdc": picture.profile_idc(),
            "LevelIdc": picture.level_idc(),
            "ConstraintSetFlag": picture.constraints() >> 2,
            "MbWidth": picture.macroblocks.0,
            "MbHeight": picture.macroblocks.1,
            "CropLeft": left,
            "CropRight": right,
            "CropTop": top,
            "CropBottom": bottom,
            "Width": picture.width,
            "Height": picture.height,
            "FPS": picture.frame_rate.map_or(0, |(frames, seconds)| frames / seconds.max(1)),
        },
    })
}

fn h265(picture: &H265) -> Json {
    let at = |n: usize| picture.sps.get(n).copied().unwrap_or_default();
    json!({
        "Record": base64(&hvcc(picture)),
        "RecordInfo": {
            "AVCProfileIndication": at(3),
            "ProfileCompatibility": at(4),
            "AVCLevelIndication": at(5),
            "LengthSizeMinusOne": 3,
            "VPS": [base64(&picture.vps)],
            "SPS": [base64(&picture.sps)],
            "PPS": texts(&picture.pps),
        },
        "SPSInfo": {
            "ProfileIdc": picture.profile_idc,
            "LevelIdc": picture.level_idc,
            "MbWidth": 0,
            "MbHeight": 0,
            "CropLeft": 0,
            "CropRight": 0,
            "CropTop": 0,
            "CropBottom": 0,
            "Width": picture.width,
            "Height": picture.height,
            "PicWidthInLumaSamples": picture.coded.0,
            "PicHeightInLumaSamples": picture.coded.1,
        },
    })
}

fn aac(sound: &Aac) -> Json {
    let at = |n: usize| u16::from(sound.config.get(n).copied().unwrap_or_default());
    let bits = at(0) << 8 | at(1);
    let (object, rate, channels) = (bits >> 11, bits >> 7 & 15, bits >> 3 & 15);
    json!({
        "ConfigBytes": base64(&sound.config),
        "Config": {
            "SampleRate": RATES.get(usize::from(rate)).copied().unwrap_or(sound.sample_rate),
            "ChannelLayout": layout(channels),
            "ObjectType": object,
            "SampleRateIndex": rate,
            "ChannelConfig": channels,
        },
    })
}

fn layout(channels: u16) -> u16 {
    LAYOUTS
        .get(usize::from(channels))
        .copied()
        .unwrap_or_default()
}

/// The decoder configuration (ISO/IEC 14496-15 §5.3.3.1), without the part for the high profiles, which is not there
/// either.
fn avcc(picture: &H264) -> Vec<u8> {
    let mut record = vec![
        1,
        picture.profile_idc(),
        picture.constraints(),
        picture.level_idc(),
        0xff,
        0xe1,
    ];
    unit(&mut record, &picture.sps);
    record.push(picture.pps.len() as u8);
    for set in &picture.pps {
        unit(&mut record, set);
    }
    record
}

/// The decoder configuration (§8.3.3.1) as far as it is told there: the sets alone.
fn hvcc(picture: &H265) -> Vec<u8> {
    let mut record = vec![0; 23];
    record[0] = 1;
    record[1..4]
        .copy_from_slice(&[3, 4, 5].map(|n| picture.sps.get(n).copied().unwrap_or_default()));
    record[21..].copy_from_slice(&[3, 3]);
    let sets = [
        std::slice::from_ref(&picture.vps),
        std::slice::from_ref(&picture.sps),
        &picture.pps,
    ];
    for sets in sets {
        let kind = sets
            .first()
            .and_then(|set| set.first())
            .map_or(0, |first| first >> 1 & 0x3f);
        record.push(kind);
        record.extend((sets.len() as u16).to_be_bytes());
        for set in sets {
            unit(&mut record, set);
        }
    }
    record
}

fn unit(record: &mut Vec<u8>, set: &[u8]) {
    record.extend((set.len() as u16).to_be_bytes());
    record.extend(set);
}

fn texts(sets: &[axum::body::Bytes]) -> Vec<String> {
    sets.iter().map(|set| base64(set)).collect()
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
