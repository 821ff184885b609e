//! H.264 and H.265: payloads to NAL units, and these to pictures.

use super::Encoding;
use super::fmtp::Fmtp;
use super::picture::Picture;
use super::syntax::Syntax;
use super::{h264, h265};
use crate::Error;
use crate::rtp::Packet;

#[derive(Debug)]
pub(super) struct Depacketizer {
    pub(super) picture: Picture,
    payloads: Payloads,
}

#[derive(Debug)]
enum Payloads {
    H264,
    H265(h265::Payloads),
}

impl Depacketizer {
    pub(super) fn h264(encoding: &Encoding<'_>) -> Self {
        Self {
            picture: Picture::new(Syntax::H264, encoding, &["sprop-parameter-sets"]),
            payloads: Payloads::H264,
        }
    }

    pub(super) fn h265(encoding: &Encoding<'_>) -> Self {
        let sets = ["sprop-vps", "sprop-sps", "sprop-pps"];
        Self {
            picture: Picture::new(Syntax::H265, encoding, &sets),
            payloads: Payloads::H265(h265::Payloads::new(Fmtp::new(encoding.fmtp))),
        }
    }

    pub(super) fn push(&mut self, packet: &Packet, lost: u16) -> Result<(), Error> {
        let picture = &mut self.picture;
        picture.packet(packet.header.timestamp, lost);
        let result = match &self.payloads {
            Payloads::H264 => h264::payload(picture, &packet.payload),
            Payloads::H265(payloads) => payloads.read(picture, &packet.payload),
        };
        if result.is_err() {
            picture.damage();
        }
        let ended = picture.packet_end(packet.header.marker);
        result.and(ended)
    }
}
