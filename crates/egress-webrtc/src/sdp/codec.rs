//! Which of the codecs that a section offers carries a format.

use media::Format;

use super::Section;
use super::answer::{ABS_SEND_TIME, TRANSPORT_WIDE};

const H264_BASELINE: u8 = 66;
const H264_MAIN: u8 = 77;
const H264_HIGH: u8 = 100;

/// A codec that both sides have, as the answer says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) payload_type: u8,
    /// What stands behind the payload type in `a=rtpmap`.
    pub(crate) rtpmap: String,
    pub(crate) fmtp: Option<String>,
    /// The feedback that is understood, of what is offered.
    pub(crate) feedback: Vec<&'static str>,
    pub(crate) rtx: Option<Rtx>,
}

/// Retransmission (RFC 4588) of a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rtx {
    pub(crate) payload_type: u8,
    pub(crate) clock_rate: u32,
}

/// Feedback that is read.
const FEEDBACK: [&str; 5] = ["nack", "nack pli", "ccm fir", "goog-remb", "transport-cc"];

/// A line of `a=rtpmap`, or what RFC 3551 says of a static payload type.
struct Listed<'a> {
    payload_type: u8,
    rtpmap: &'a str,
}

/// The codec of `section` for frames of `format`, if there is one.
pub(crate) fn choose(section: &Section, format: &Format) -> Option<Chosen> {
    let fitting = listed(section).filter_map(|codec| Some((rank(section, &codec, format)?, codec)));
    // The first of the best: the offer's order is the viewer's preference.
    let (_, codec) = fitting.reduce(|best, next| if next.0 < best.0 { next } else { best })?;
    let feedback = section
        .values("rtcp-fb")
        .filter_map(|line| line.split_once(' '))
        .filter(|(of, _)| *of == "*" || *of == codec.payload_type.to_string());
    let offered: Vec<&str> = feedback.map(|(_, what)| what.trim()).collect();
    let picture = format.kind() == media::Kind::Video;
    let rtx = rtx(section, codec.payload_type).filter(|_| picture);
    let skipped = skipped(section, &offered, rtx.is_some());
    Some(Chosen {
        payload_type: codec.payload_type,
        rtpmap: codec.rtpmap.to_owned(),
        fmtp: answered_fmtp(section, &codec, format),
        feedback: FEEDBACK
            .into_iter()
            .filter(|known| picture && offered.contains(known) && Some(*known) != skipped)
            .collect(),
        rtx,
    })
}

/// The feedback that is not asked for. A viewer says by itself what gets through, once a second, or reports each packet's arrival; who
/// does both is asked for reports now and then. Reports that change need retransmissions under numbers of their own (see
/// `srtp`), as what makes those estimates does.
fn skipped(section: &Section, feedback: &[&str], rtx: bool) -> Option<&'static str> {
    let has = |wanted| section.extensions().any(|(_, uri)| uri == wanted);
    if !rtx || !has(TRANSPORT_WIDE) || !feedback.contains(&"transport-cc") {
        return Some("transport-cc");
    }
    (!has(ABS_SEND_TIME)).then_some("goog-remb")
}

fn listed(section: &Section) -> impl Iterator<Item = Listed<'_>> {
    section.formats.iter().filter_map(|format| {
        let payload_type: u8 = format.parse().ok().filter(|pt| *pt < 128)?;
        let said = section.values("rtpmap").find_map(|line| {
            let (of, rtpmap) = line.split_once(' ')?;
            (of == format).then_some(rtpmap.trim())
        });
        let rtpmap = said.or(match payload_type {
            0 => Some("PCMU/8000"),
            8 => Some("PCMA/8000"),
            9 => Some("G722/8000"),
            _ => None,
        })?;
        Some(Listed {
            payload_type,
            rtpmap,
        })
    })
}

/// How well `codec` fits, the least best; none where it doesn't.
fn rank(section: &Section, codec: &Listed<'_>, format: &Format) -> Option<u8> {
    let mut parts = codec.rtpmap.split('/');
    let (name, clock) = (parts.next()?, parts.next()?);
    let channels = parts.next().unwrap_or("1");
    let is = |wanted: &str, rate: &str, of: &str| {
        name.eq_ignore_ascii_case(wanted) && clock == rate && channels == of
    };
    match format {
        Format::H264(h264) if is("H264", "90000", "1") => {
            let fmtp = fmtp(section, codec.payload_type).unwrap_or_default();
            if parameter(fmtp, "packetization-mode") != Some("1") {
                return None;
            }
            let offered = profile(fmtp).map_or(H264_BASELINE, |[idc, ..]| idc);
            Some(match offered {
                same if same == h264.profile_idc() => 0,
                H264_BASELINE => 1,
                H264_MAIN => 2,
                H264_HIGH => 3,
                _ => 4,
            })
        }
        Format::H265(_) => is("H265", "90000", "1").then_some(0),
        Format::Opus(_) => is("opus", "48000", "2").then_some(0),
        Format::G711(g) if g.sample_rate == 8000 && g.channels == 1 => {
            is(if g.a_law { "PCMA" } else { "PCMU" }, "8000", "1").then_some(0)
        }
        Format::G722 => is("G722", "8000", "1").then_some(0),
        _ => None,
    }
}

/// The profile as it was offered, which browsers compare, and the level as it really is (RFC 6184 §8.2.2).
fn answered_fmtp(section: &Section, codec: &Listed<'_>, format: &Format) -> Option<String> {
    let offered = fmtp(section, codec.payload_type)?;
    let Format::H264(h264) = format else {
        return Some(offered.to_owned());
    };
    let [idc, constraints, level] = profile(offered).unwrap_or([H264_BASELINE, 0, 10]);
    let asymmetry = parameter(offered, "level-asymmetry-allowed") == Some("1");
    let level = if asymmetry { h264.level_idc() } else { level };
    let asymmetry = if asymmetry {
        "level-asymmetry-allowed=1;"
    } else {
        ""
    };
    let id = format!("{idc:02x}{constraints:02x}{level:02x}");
    Some(format!(
        "{asymmetry}packetization-mode=1;profile-level-id={id}"
    ))
}

fn profile(fmtp: &str) -> Option<[u8; 3]> {
    let id = parameter(fmtp, "profile-level-id").filter(|id| id.len() == 6)?;
    let value = u32::from_str_radix(id, 16).ok()?;
    let [_, idc, constraints, level] = value.to_be_bytes();
    Some([idc, constraints, level])
}

fn fmtp(section: &Section, payload_type: u8) -> Option<&str> {
    section.values("fmtp").find_map(|line| {
        let (of, parameters) = line.split_once(' ')?;
        (of.parse() == Ok(payload_type)).then_some(parameters.trim())
    })
}

fn parameter<'a>(fmtp: &'a str, key: &str) -> Option<&'a str> {
    let mut parameters = fmtp.split(';').filter_map(|one| one.trim().split_once('='));
    parameters.find_map(|(name, value)| name.eq_ignore_ascii_case(key).then_some(value))
}

fn rtx(section: &Section, of: u8) -> Option<Rtx> {
    listed(section).find_map(|codec| {
        let (name, clock) = codec.rtpmap.split_once('/')?;
        let apt = parameter(fmtp(section, codec.payload_type)?, "apt")?;
        let fits = name.eq_ignore_ascii_case("rtx") && apt.parse() == Ok(of);
        fits.then_some(Rtx {
            payload_type: codec.payload_type,
            clock_rate: clock.parse().ok()?,
        })
    })
}
