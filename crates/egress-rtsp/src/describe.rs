//! What a Channel's tracks are in a session description (RFC 2326 Appendix C). Pure.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use media::{Aac, Format, G711, H264, H265, Track, TrackId};
use rtsp::{Fmtp, Media, MediaKind, Payload, Sdp};

use crate::place::track_control;

/// The first of the payload types that mean nothing by themselves (RFC 3551 §6).
const DYNAMIC: u8 = 96;
/// The last.
const LAST: u8 = 127;

/// Describes what can be sent of `tracks`, under the name of the Stream. None where nothing can.
pub(crate) fn describe(name: &str, tracks: &[Track]) -> Option<Sdp> {
    let media: Vec<Media> = tracks.iter().filter_map(media).collect();
    (!media.is_empty()).then(|| Sdp {
        name: name.to_owned(),
        control: Some("*".to_owned()),
        range: Some("npt=now-".to_owned()),
        media,
    })
}

/// The format of `track`, where it can be sent.
pub(crate) fn sendable(track: &Track) -> Option<&std::sync::Arc<Format>> {
    let format = track.format.as_ref()?;
    let known = track.unsupported.is_none() && payload(track.id, format).is_some();
    known.then_some(format)
}

/// Which payload type the packets of a track have; none where they can't be sent.
pub(crate) fn payload_type(track: TrackId, format: &Format) -> Option<u8> {
    let usual = match format {
        Format::G711(G711 {
            a_law,
            sample_rate: 8000,
            channels: 1,
        }) => Some(if *a_law { 8 } else { 0 }),
        Format::G722 => Some(9),
        _ => None,
    };
    let dynamic = DYNAMIC
        .checked_add(track.0)
        .filter(|number| *number <= LAST);
    usual.or(dynamic)
}

/// Whether who was told `told` understands `now`: parameters of pictures stand in the packets, those of sound do not.
pub(crate) fn still_understood(told: &Format, now: &Format) -> bool {
    match told {
        Format::H264(_) | Format::H265(_) | Format::Opus(_) => told.codec() == now.codec(),
        _ => told == now,
    }
}

fn media(track: &Track) -> Option<Media> {
    let format = sendable(track)?;
    let (kind, payload) = payload(track.id, format)?;
    let mut media = Media::new(kind, track_control(track.id), payload);
    media.frame_rate = frame_rate(format);
    Some(media)
}

fn frame_rate(format: &Format) -> Option<f64> {
    let (numerator, denominator) = match format {
        Format::H264(h264) => h264.frame_rate?,
        Format::H265(h265) => h265.frame_rate?,
        _ => return None,
    };
    (denominator > 0)
        .then(|| (f64::from(numerator) / f64::from(denominator) * 1000.0).round() / 1000.0)
}

fn payload(track: TrackId, format: &Format) -> Option<(MediaKind, Payload)> {
    let number = payload_type(track, format)?;
    let clock = format.clock_rate();
    let new = |encoding| Payload::new(number, encoding, clock);
    let sound = |encoding, channels: u8| Payload {
        // RFC 8866 §6.6: one channel is what is meant where nothing is said.
        channels: (channels > 1).then_some(channels.into()),
        ..new(encoding)
    };
    Some(match format {
        Format::H264(h264) => (
            MediaKind::Video,
            Payload {
                fmtp: avc(h264),
                ..new("H264")
            },
        ),
        Format::H265(h265) => (
            MediaKind::Video,
            Payload {
                fmtp: hevc(h265),
                ..new("H265")
            },
        ),
        Format::Aac(aac) => (
            MediaKind::Audio,
            Payload {
                fmtp: mpeg4(aac),
                channels: Some(aac.channels.into()),
                ..new("MPEG4-GENERIC")
            },
        ),
        Format::Opus(opus) => {
            // RFC 7587 §7: always `/2`; whether there are two channels is said by a parameter.
            let stereo = u8::from(opus.channels == 2);
            let fmtp = Fmtp::parse(&format!("sprop-stereo={stereo}"));
            (
                MediaKind::Audio,
                Payload {
                    fmtp,
                    channels: Some(2),
                    ..new("opus")
                },
            )
        }
        Format::G711(g) => (
            MediaKind::Audio,
            sound(if g.a_law { "PCMA" } else { "PCMU" }, g.channels),
        ),
        Format::G722 => (MediaKind::Audio, new("G722")),
        Format::L16(l16) => (MediaKind::Audio, sound("L16", l16.channels)),
        _ => return None,
    })
}

/// RFC 6184 §8.1.
fn avc(h264: &H264) -> Fmtp {
    let profile = hex(h264.sps.get(1..4).unwrap_or_default());
    let sets = base64([&h264.sps].into_iter().chain(&h264.pps));
    Fmtp::parse(&format!(
        "packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}"
    ))
}

/// RFC 7798 §7.1.
fn hevc(h265: &H265) -> Fmtp {
    let [vps, sps, pps] = [base64([&h265.vps]), base64([&h265.sps]), base64(&h265.pps)];
    let (space, profile, level) = (h265.profile_space, h265.profile_idc, h265.level_idc);
    let tier = u8::from(h265.high_tier);
    Fmtp::parse(&format!(
        "profile-space={space};profile-id={profile};tier-flag={tier};level-id={level};sprop-vps={vps};sprop-sps={sps};sprop-pps={pps}"
    ))
}

/// RFC 3640 §4.1 and §3.3.6.
fn mpeg4(aac: &Aac) -> Fmtp {
    let config = hex(&aac.config);
    Fmtp::parse(&format!(
        "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={config}"
    ))
}

fn base64<'a>(sets: impl IntoIterator<Item = &'a Bytes>) -> String {
    let sets: Vec<String> = sets
        .into_iter()
        .map(|set| BASE64_STANDARD.encode(set))
        .collect();
    sets.join(",")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

#[cfg(test)]
mod tests {
    use media::{Flac, L16, Opus};

    use super::*;
    use testing::{a_law, aac, h264, track};

    fn line(format: Format) -> String {
        let sdp =
            describe("x", &[track(1, &std::sync::Arc::new(format))]).map(|sdp| sdp.to_string());
        let sdp = sdp.unwrap_or_default();
        let lines = sdp.lines().filter(|line| {
            line.starts_with("m=") || line.starts_with("a=rtpmap") || line.starts_with("a=fmtp")
        });
        lines.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn pictures_and_sound_are_described_as_their_payload_formats_want_it() {
        let sdp = describe("Front", &[track(0, &h264()), track(1, &aac())])
            .unwrap()
            .to_string();
        let read = Sdp::parse(sdp.as_bytes()).unwrap();
        assert_eq!(read.name, "Front");
        let [picture, sound] = &read.media[..] else {
            panic!("{sdp}")
        };
        assert_eq!(
            picture.payloads[0].fmtp.get("profile-level-id"),
            Some("42C01F")
        );
        assert_eq!(
            picture.payloads[0].fmtp.get("sprop-parameter-sets"),
            Some("Z0LAH9kAUAW7ARAAAAMAEAAAAwMg8YMZIA==,aMuDyyA=")
        );
        assert_eq!(picture.control.as_deref(), Some("trackID=0"));
        assert_eq!(picture.frame_rate, Some(25.0));
        assert_eq!(sound.payloads[0].fmtp.get("config"), Some("1188"));
        assert_eq!(
            (sound.payloads[0].clock_rate, sound.payloads[0].channels),
            (48_000, Some(1))
        );
    }

    #[test]
    fn sound_without_parameters_is_described_by_its_name() {
        for (format, expected) in [
            (
                Format::G711(G711 {
                    a_law: true,
                    sample_rate: 8000,
                    channels: 1,
                }),
                "m=audio 0 RTP/AVP 8 a=rtpmap:8 PCMA/8000",
            ),
            (
                Format::G711(G711 {
                    a_law: false,
                    sample_rate: 16_000,
                    channels: 2,
                }),
                "m=audio 0 RTP/AVP 97 a=rtpmap:97 PCMU/16000/2",
            ),
            (Format::G722, "m=audio 0 RTP/AVP 9 a=rtpmap:9 G722/8000"),
            (
                Format::L16(L16 {
                    sample_rate: 44_100,
                    channels: 2,
                }),
                "m=audio 0 RTP/AVP 97 a=rtpmap:97 L16/44100/2",
            ),
            (
                Format::Opus(Opus { channels: 2 }),
                "m=audio 0 RTP/AVP 97 a=rtpmap:97 opus/48000/2 a=fmtp:97 sprop-stereo=1",
            ),
            (
                Format::Flac(Flac {
                    stream_info: Bytes::new(),
                    sample_rate: 8000,
                    channels: 1,
                    bits: 16,
                }),
                "",
            ),
        ] {
            assert_eq!(line(format), expected);
        }
    }

    #[test]
    fn a_track_that_can_not_be_sent_is_left_out() {
        let mut odd = track(0, &h264());
        odd.unsupported = Some("for a test".to_owned());
        let sdp = describe("x", &[odd.clone(), track(1, &a_law())]).unwrap();
        assert_eq!(sdp.media.len(), 1);
        assert_eq!(sdp.media[0].control.as_deref(), Some("trackID=1"));
        assert_eq!(describe("x", &[odd]), None);
        assert_eq!(describe("x", &[track(200, &h264())]), None);
    }

    #[test]
    fn new_parameters_of_pictures_are_understood_and_those_of_sound_are_not() {
        let (picture, sound) = (h264(), aac());
        assert!(still_understood(&picture, &picture) && still_understood(&sound, &sound));
        let other = Format::Aac(Aac::low_complexity(16_000, 1).unwrap());
        assert!(!still_understood(&sound, &other) && !still_understood(&picture, &other));
    }
}
