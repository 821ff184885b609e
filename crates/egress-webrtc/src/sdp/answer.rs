use std::fmt::Write as _;
use std::net::SocketAddr;

use super::{Chosen, Offer, Section, SectionKind};
use crate::data::MAX_MESSAGE;
use crate::ice::Credentials;

/// The extensions of RTP headers that are sent where they are offered.
pub(crate) const ABS_SEND_TIME: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";
pub(crate) const TRANSPORT_WIDE: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
pub(crate) const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

/// Where viewers reach us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) address: SocketAddr,
    /// Over TCP, which the viewer opens (RFC 6544).
    pub(crate) tcp: bool,
}

/// What an answer says of us.
#[derive(Debug)]
pub(crate) struct Identity<'a> {
    pub(crate) ice: &'a Credentials,
    /// The hash of our certificate, as SDP writes it.
    pub(crate) fingerprint: &'a str,
    pub(crate) candidates: &'a [Candidate],
    /// The name that all of this viewer's tracks share.
    pub(crate) cname: &'a str,
}

/// What a section's packets are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ssrcs {
    pub(crate) media: u32,
    /// Of retransmissions.
    pub(crate) rtx: Option<u32>,
}

/// What is sent in one section of the offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Planned {
    /// Frames with this codec.
    Media(Chosen, Ssrcs),
    /// Data channels.
    Data,
    /// Nothing.
    Nothing,
}

/// The answer to `offer`, whose sections get what `planned` says, in order.
pub(crate) fn render(offer: &Offer, planned: &[Planned], us: &Identity<'_>) -> String {
    let mut out = String::with_capacity(2048);
    let mids: Vec<&str> = offer
        .sections
        .iter()
        .zip(planned)
        .filter(|(section, planned)| port(section, planned) != 0 && !section.mid.is_empty())
        .map(|(section, _)| section.mid.as_str())
        .collect();
    let session = u64::from_be_bytes(crate::random::bytes()) >> 2;
    let _ = write!(
        out,
        "v=0\r\no=- {session} 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"
    );
    if !mids.is_empty() {
        let _ = write!(out, "a=group:BUNDLE {}\r\n", mids.join(" "));
    }
    if offer.extmap_mixed {
        out.push_str("a=extmap-allow-mixed\r\n");
    }
    out.push_str("a=ice-lite\r\na=msid-semantic:WMS *\r\n");
    let mut told = false;
    for (section, planned) in offer.sections.iter().zip(planned) {
        let live = port(section, planned) != 0;
        one(&mut out, section, planned, us.cname);
        if live {
            transport(
                &mut out,
                us,
                offer.passive,
                !std::mem::replace(&mut told, true),
            );
        }
    }
    out
}

/// The section that the transport of all is told in, as fragments name it (RFC 8840 §4.4).
pub(crate) fn head(offer: &Offer, planned: &[Planned]) -> String {
    let mut all = offer.sections.iter().zip(planned);
    let first = all.find(|(section, planned)| port(section, planned) != 0);
    first.map_or_else(String::new, |(section, _)| {
        let Section {
            media,
            protocol,
            mid,
            ..
        } = section;
        format!("m={media} 9 {protocol} 0\r\na=mid:{mid}\r\n")
    })
}

/// Zero where a section is refused. One that could be used stays in the group, though nothing is sent in it: where
/// the first one, which carries the transport, is refused, browsers refuse the answer.
fn port(section: &Section, planned: &Planned) -> u16 {
    let media = matches!(section.kind, SectionKind::Video | SectionKind::Audio);
    let refused = *planned == Planned::Nothing && !(media && section.receives);
    if refused { 0 } else { 9 }
}

fn one(out: &mut String, section: &Section, planned: &Planned, cname: &str) {
    let chosen = match planned {
        Planned::Media(chosen, _) => Some(chosen),
        Planned::Data | Planned::Nothing => None,
    };
    let formats = chosen.map_or_else(
        || section.formats.first().cloned().unwrap_or_default(),
        |chosen| {
            let rtx = chosen.rtx.map(|rtx| format!(" {}", rtx.payload_type));
            format!("{}{}", chosen.payload_type, rtx.unwrap_or_default())
        },
    );
    let port = port(section, planned);
    let _ = write!(
        out,
        "m={} {port} {} {formats}\r\nc=IN IP4 0.0.0.0\r\n",
        section.media, section.protocol
    );
    if !section.mid.is_empty() {
        let _ = write!(out, "a=mid:{}\r\n", section.mid);
    }
    match planned {
        Planned::Media(chosen, ssrcs) => {
            out.push_str("a=sendonly\r\na=rtcp-mux\r\n");
            codec(out, chosen);
            extensions(out, section, chosen);
            sources(out, section, ssrcs, cname);
        }
        Planned::Data => data(out, &formats),
        Planned::Nothing if port != 0 => {
            out.push_str("a=inactive\r\na=rtcp-mux\r\n");
            for line in section
                .values("rtpmap")
                .filter(|line| starts_with(line, &formats))
            {
                let _ = write!(out, "a=rtpmap:{line}\r\n");
            }
            for line in section
                .values("fmtp")
                .filter(|line| starts_with(line, &formats))
            {
                let _ = write!(out, "a=fmtp:{line}\r\n");
            }
        }
        Planned::Nothing => out.push_str("a=inactive\r\n"),
    }
}

/// RFC 8841 §5; §11 of its old drafts where the offer is of that age, and names the port as its format.
fn data(out: &mut String, format: &str) {
    let _ = if format.bytes().all(|byte| byte.is_ascii_digit()) {
        write!(out, "a=sctpmap:{format} webrtc-datachannel 1024\r\n")
    } else {
        write!(
            out,
            "a=sctp-port:5000\r\na=max-message-size:{MAX_MESSAGE}\r\n"
        )
    };
}

fn starts_with(line: &str, format: &str) -> bool {
    line.split_once(' ').is_some_and(|(of, _)| of == format)
}

fn codec(out: &mut String, chosen: &Chosen) {
    let pt = chosen.payload_type;
    let _ = write!(out, "a=rtpmap:{pt} {}\r\n", chosen.rtpmap);
    if let Some(fmtp) = &chosen.fmtp {
        let _ = write!(out, "a=fmtp:{pt} {fmtp}\r\n");
    }
    for feedback in &chosen.feedback {
        let _ = write!(out, "a=rtcp-fb:{pt} {feedback}\r\n");
    }
    if let Some(rtx) = &chosen.rtx {
        let of = rtx.payload_type;
        let _ = write!(
            out,
            "a=rtpmap:{of} rtx/{}\r\na=fmtp:{of} apt={pt}\r\n",
            rtx.clock_rate
        );
    }
}

fn extensions(out: &mut String, section: &Section, chosen: &Chosen) {
    for (id, uri) in sent_extensions(section, chosen) {
        let _ = write!(out, "a=extmap:{id} {uri}\r\n");
    }
}

/// The extensions that packets of a section carry, with their numbers (RFC 8285, one-byte form).
pub(crate) fn sent_extensions<'a>(section: &'a Section, chosen: &Chosen) -> Vec<(u8, &'a str)> {
    section
        .extensions()
        .filter(|(_, uri)| match *uri {
            PLAYOUT_DELAY => section.kind == SectionKind::Video,
            // It differs each time, and what is sent again without RTX must be the same (see `srtp`).
            ABS_SEND_TIME => chosen.rtx.is_some(),
            TRANSPORT_WIDE => chosen.feedback.contains(&"transport-cc"),
            _ => false,
        })
        .collect()
}

fn sources(out: &mut String, section: &Section, ssrcs: &Ssrcs, cname: &str) {
    let _ = write!(out, "a=msid:{cname} {}\r\n", section.media);
    if let Some(rtx) = ssrcs.rtx {
        let _ = write!(out, "a=ssrc-group:FID {} {rtx}\r\n", ssrcs.media);
    }
    for ssrc in [Some(ssrcs.media), ssrcs.rtx].into_iter().flatten() {
        let _ = write!(
            out,
            "a=ssrc:{ssrc} cname:{cname}\r\na=ssrc:{ssrc} msid:{cname} {}\r\n",
            section.media
        );
    }
}

fn transport(out: &mut String, us: &Identity<'_>, offered_passive: bool, first: bool) {
    let setup = if offered_passive { "active" } else { "passive" };
    let _ = write!(
        out,
        "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\n",
        us.ice.ufrag, us.ice.password, us.fingerprint
    );
    if first {
        candidates(out, us.candidates);
    }
}

/// All candidates, and that there are no more.
pub(super) fn candidates(out: &mut String, candidates: &[Candidate]) {
    for (place, candidate) in candidates.iter().enumerate() {
        let Candidate { address, tcp } = candidate;
        // RFC 8445 §5.1.2: host candidates; UDP before TCP, in our order, component 1.
        let local = 65_535 - place as u32 - if *tcp { 32_768 } else { 0 };
        let priority = 126 << 24 | local << 8 | 255;
        let (protocol, kind) = if *tcp {
            ("tcp", " tcptype passive")
        } else {
            ("udp", "")
        };
        let _ = write!(
            out,
            "a=candidate:{} 1 {protocol} {priority} {} {} typ host{kind}\r\n",
            place + 1,
            address.ip(),
            address.port()
        );
    }
    out.push_str("a=end-of-candidates\r\n");
}
