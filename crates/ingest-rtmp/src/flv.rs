//! What a message of sound or picture holds (FLV 10.1 §E.4.2, §E.4.3; Enhanced RTMP v2). Pure.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use media::{Aac, Error, Format, G711, H264, H265, nal};

/// The most parameter sets that a configuration may have.
const MAX_SETS: usize = 64;

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// The parameters of what follows.
    Format(Format),
    /// A unit that is decoded at the message's time, and shown so many milliseconds after.
    Unit { data: Bytes, later: i32 },
    /// Nothing that is needed.
    Nothing,
}

/// Why a message can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// Such a codec is not known here.
    #[error("the codec {0} is not supported")]
    Codec(String),
    #[error("a message is too short")]
    Short,
    #[error(transparent)]
    Parameters(#[from] Error),
}

impl From<bytes::TryGetError> for Unusable {
    fn from(_: bytes::TryGetError) -> Self {
        Self::Short
    }
}

/// How many bytes the length of a NAL unit has: from the configuration of the picture that was seen last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lengths(usize);

impl Default for Lengths {
    fn default() -> Self {
        Self(nal::LENGTH_SIZE)
    }
}

/// A message of picture.
pub(crate) fn video(mut data: Bytes, lengths: &mut Lengths) -> Result<Content, Unusable> {
    const EXTENDED: u8 = 0x80;
    const COMMAND: u8 = 5;
    let first = data.try_get_u8()?;
    if first >> 4 & 7 == COMMAND {
        return Ok(Content::Nothing);
    }
    if first & EXTENDED != 0 {
        return extended(first & 0xf, data, lengths);
    }
    let hevc = match first & 0xf {
        7 => false,
        // Not of the specification, but what servers in China and RTSPtoWeb have for H.265.
        12 => true,
        other => return Err(Unusable::Codec(video_name(other))),
    };
    let kind = data.try_get_u8()?;
    let later = signed_24(&mut data)?;
    match kind {
        0 => configuration(data, hevc, lengths),
        1 => Ok(unit(&data, later, hevc, *lengths)),
        _ => Ok(Content::Nothing),
    }
}

/// Enhanced RTMP: what kind of packet it is, and of which codec, by four letters.
fn extended(kind: u8, mut data: Bytes, lengths: &mut Lengths) -> Result<Content, Unusable> {
    let mut codec = [0; 4];
    data.try_copy_to_slice(&mut codec)?;
    let hevc = match &codec {
        b"avc1" => false,
        b"hvc1" => true,
        other => return Err(Unusable::Codec(String::from_utf8_lossy(other).into_owned())),
    };
    match kind {
        0 => configuration(data, hevc, lengths),
        1 => {
            let later = signed_24(&mut data)?;
            Ok(unit(&data, later, hevc, *lengths))
        }
        3 => Ok(unit(&data, 0, hevc, *lengths)),
        _ => Ok(Content::Nothing),
    }
}

/// A message of sound.
pub(crate) fn audio(mut data: Bytes) -> Result<Content, Unusable> {
    let first = data.try_get_u8()?;
    let g711 = |a_law| {
        Format::G711(G711 {
            a_law,
            sample_rate: 8000,
            channels: 1 + (first & 1),
        })
    };
    match first >> 4 {
        10 => match data.try_get_u8()? {
            0 => Ok(Content::Format(Format::Aac(Aac::new(data)?))),
            _ => Ok(sound(data)),
        },
        // G.711 has no message with parameters; each message says them.
        7 => Ok(Content::Format(g711(true))),
        8 => Ok(Content::Format(g711(false))),
        other => Err(Unusable::Codec(audio_name(other))),
    }
}

/// The samples in a message of G.711, whose parameters [`audio`] gives.
pub(crate) fn samples(data: &Bytes) -> Content {
    sound(data.slice(1.min(data.len())..))
}

fn sound(data: Bytes) -> Content {
    if data.is_empty() {
        return Content::Nothing;
    }
    Content::Unit { data, later: 0 }
}

fn signed_24(data: &mut Bytes) -> Result<i32, Unusable> {
    let mut bytes = [0; 3];
    data.try_copy_to_slice(&mut bytes)?;
    let [a, b, c] = bytes;
    // Sign-extends 24 bits.
    Ok(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

/// An AVCDecoderConfigurationRecord (ISO/IEC 14496-15 §5.3.3.1) or HEVCDecoderConfigurationRecord (§8.3.3.1).
fn configuration(mut data: Bytes, hevc: bool, lengths: &mut Lengths) -> Result<Content, Unusable> {
    let format = if hevc {
        let mut fixed = [0; 23];
        data.try_copy_to_slice(&mut fixed)?;
        *lengths = Lengths(usize::from(fixed[21] & 3) + 1);
        let mut sets: [Vec<Bytes>; 3] = Default::default();
        for _ in 0..fixed[22] {
            let kind = data.try_get_u8()? & 0x3f;
            let count = data.try_get_u16()?;
            let read = parameter_sets(&mut data, count.into())?;
            if let Some(place) = kind
                .checked_sub(32)
                .and_then(|kind| sets.get_mut(usize::from(kind)))
            {
                place.extend(read);
            }
        }
        let [vps, sps, pps] = sets;
        let first = |sets: Vec<Bytes>| sets.into_iter().next().unwrap_or_default();
        Format::H265(H265::new(first(vps), first(sps), pps)?)
    } else {
        let mut fixed = [0; 6];
        data.try_copy_to_slice(&mut fixed)?;
        *lengths = Lengths(usize::from(fixed[4] & 3) + 1);
        let sps = parameter_sets(&mut data, usize::from(fixed[5] & 0x1f))?;
        let count = data.try_get_u8()?;
        let pps = parameter_sets(&mut data, count.into())?;
        Format::H264(H264::new(sps.into_iter().next().unwrap_or_default(), pps)?)
    };
    Ok(Content::Format(format))
}

fn parameter_sets(data: &mut Bytes, count: usize) -> Result<Vec<Bytes>, Unusable> {
    let mut sets = Vec::new();
    for _ in 0..count.min(MAX_SETS) {
        let length = usize::from(data.try_get_u16()?);
        if length > data.len() {
            return Err(Unusable::Short);
        }
        sets.push(data.split_to(length));
    }
    Ok(sets)
}

/// NAL units behind lengths of four bytes, without parameter sets and delimiters.
fn unit(data: &Bytes, later: i32, hevc: bool, Lengths(size): Lengths) -> Content {
    let mut out = BytesMut::with_capacity(data.len() + 64);
    let mut rest = &data[..];
    while let Some((length, after)) = rest.split_at_checked(size) {
        let length = length
            .iter()
            .fold(0, |length, byte| length << 8 | usize::from(*byte));
        let Some((unit, after)) = after.split_at_checked(length) else {
            break;
        };
        rest = after;
        if unit.first().is_some_and(|first| is_wanted(*first, hevc)) {
            out.put_u32(unit.len() as u32);
            out.put_slice(unit);
        }
    }
    if out.is_empty() {
        return Content::Nothing;
    }
    Content::Unit {
        data: out.freeze(),
        later,
    }
}

/// Whether it is no parameter set and no delimiter.
fn is_wanted(first: u8, hevc: bool) -> bool {
    if hevc {
        !(32..=35).contains(&(first >> 1 & 0x3f))
    } else {
        !(7..=9).contains(&(first & 0x1f))
    }
}

fn video_name(codec: u8) -> String {
    let name = match codec {
        2 => "Sorenson H.263",
        3 | 6 => "Screen video",
        4 | 5 => "VP6",
        other => return format!("of number {other} for pictures"),
    };
    name.to_owned()
}

fn audio_name(codec: u8) -> String {
    let name = match codec {
        0 | 3 => "PCM",
        1 => "ADPCM",
        2 | 14 => "MP3",
        4..=6 => "Nellymoser",
        9 => "of Enhanced RTMP for sound",
        11 => "Speex",
        other => return format!("of number {other} for sound"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPS: &[u8] = &[
        0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00,
        0x10, 0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x20,
    ];
    const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

    fn avc_configuration(length_size: u8) -> Vec<u8> {
        let mut data = vec![
            0x17,
            0,
            0,
            0,
            0,
            1,
            0x42,
            0xc0,
            0x1f,
            0xfc | (length_size - 1),
            0xe1,
            0,
            SPS.len() as u8,
        ];
        data.extend_from_slice(SPS);
        data.extend_from_slice(&[1, 0, PPS.len() as u8]);
        data.extend_from_slice(PPS);
        data
    }

    #[test]
    fn parameters_and_pictures_of_h264_are_taken_out() {
        let mut lengths = Lengths::default();
        let Ok(Content::Format(Format::H264(format))) =
            video(avc_configuration(2).into(), &mut lengths)
        else {
            panic!("parameters were expected")
        };
        assert_eq!((format.width, format.height), (1280, 720));
        // Lengths of two bytes; the delimiter and the parameter sets go.
        let data = [
            0x27, 1, 0xff, 0xff, 0xd8, 0, 2, 9, 0xf0, 0, 1, 0x67, 0, 3, 0x41, 1, 2,
        ];
        let unit = video(Bytes::copy_from_slice(&data), &mut lengths);
        let data = Bytes::from_static(&[0, 0, 0, 3, 0x41, 1, 2]);
        assert_eq!(unit, Ok(Content::Unit { data, later: -40 }));
    }

    #[test]
    fn h265_comes_by_its_old_number_and_by_four_letters() {
        let mut lengths = Lengths::default();
        let data = Bytes::from_static(&[0, 0, 0, 3, 0x26, 1, 7]);
        let expected = |later| {
            Ok(Content::Unit {
                data: data.clone(),
                later,
            })
        };
        let old = [&[0x1c, 1, 0, 0, 5][..], &data].concat();
        assert_eq!(video(old.into(), &mut lengths), expected(5));
        let new = [&b"\x91hvc1\0\0\x06"[..], &data].concat();
        assert_eq!(video(new.into(), &mut lengths), expected(6));
        let without_offset = [&b"\x93hvc1"[..], &data].concat();
        assert_eq!(video(without_offset.into(), &mut lengths), expected(0));
    }

    #[test]
    fn sound_is_aac_or_g711() {
        let Ok(Content::Format(Format::Aac(aac))) =
            audio(Bytes::from_static(&[0xaf, 0, 0x11, 0x90]))
        else {
            panic!("parameters were expected")
        };
        assert_eq!((aac.sample_rate, aac.channels), (48_000, 2));
        let unit = |data| {
            Ok(Content::Unit {
                data: Bytes::from_static(data),
                later: 0,
            })
        };
        assert_eq!(audio(Bytes::from_static(&[0xaf, 1, 5, 6])), unit(&[5, 6]));
        assert!(
            matches!(audio(Bytes::from_static(&[0x72, 5])), Ok(Content::Format(Format::G711(g))) if g.a_law && g.channels == 1)
        );
        assert_eq!(
            Ok(samples(&Bytes::from_static(&[0x72, 5, 6]))),
            unit(&[5, 6])
        );
        assert_eq!(audio(Bytes::from_static(&[0xaf, 1])), Ok(Content::Nothing));
    }

    #[test]
    fn what_is_not_known_is_named() {
        let lengths = &mut Lengths::default();
        let named = |result: Result<Content, Unusable>| result.unwrap_err().to_string();
        assert_eq!(
            named(video(Bytes::from_static(&[0x14, 0]), lengths)),
            "the codec VP6 is not supported"
        );
        assert_eq!(
            named(video(Bytes::from_static(b"\x90av01"), lengths)),
            "the codec av01 is not supported"
        );
        assert_eq!(
            named(audio(Bytes::from_static(&[0x2f, 1]))),
            "the codec MP3 is not supported"
        );
        assert_eq!(video(Bytes::new(), lengths), Err(Unusable::Short));
        assert_eq!(
            video(Bytes::from_static(&[0x57, 0]), lengths),
            Ok(Content::Nothing)
        );
        for cut in 1..40 {
            let _ = video(avc_configuration(4)[..cut].to_vec().into(), lengths);
        }
    }
}
