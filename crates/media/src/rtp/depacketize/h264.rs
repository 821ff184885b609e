//! RFC 6184: RTP payload format for H.264.

use std::sync::Arc;

use super::Encoding;
use super::output::Output;
use super::picture::Picture;
use super::syntax::Syntax;
use crate::nal::h264;
use crate::rtp::Packet;
use crate::{Error, Format};

const AGGREGATE: &str = "H.264 STAP";
const FRAGMENT: &str = "H.264 FU";

/// Bytes of the decoding order number that STAP-B and FU-B carry.
const ORDER_SIZE: usize = 2;

#[derive(Debug)]
pub(super) struct Depacketizer {
    picture: Picture,
}

impl Depacketizer {
    pub(super) fn new(encoding: &Encoding<'_>) -> Self {
        Self {
            picture: Picture::new(Syntax::H264, encoding, &["sprop-parameter-sets"]),
        }
    }

    pub(super) fn format(&self) -> Option<&Arc<Format>> {
        self.picture.parameters.format()
    }

    pub(super) fn output(&self) -> &Output {
        &self.picture.output
    }

    pub(super) fn output_mut(&mut self) -> &mut Output {
        &mut self.picture.output
    }

    pub(super) fn push(&mut self, packet: &Packet, lost: u16) -> Result<(), Error> {
        self.picture.packet(packet.header.timestamp, lost);
        let result = self.payload(&packet.payload);
        if result.is_err() {
            self.picture.damage();
        }
        let ended = self.picture.packet_end(packet.header.marker);
        result.and(ended)
    }

    fn payload(&mut self, payload: &[u8]) -> Result<(), Error> {
        let Some((&indicator, rest)) = payload.split_first() else {
            return Ok(());
        };
        match h264::unit_type(indicator) {
            h264::STAP_A => self.aggregate(rest),
            h264::STAP_B => self.aggregate(skip(rest, ORDER_SIZE, AGGREGATE)?),
            h264::FU_A => self.fragment(indicator, rest, 0),
            h264::FU_B => self.fragment(indicator, rest, ORDER_SIZE),
            26 | 27 => Err(Error::invalid(
                "H.264 payload",
                "interleaved packets (MTAP) are not supported; set packetization-mode 1",
            )),
            _ => self.picture.nal(payload),
        }
    }

    /// §5.7.1: NAL units behind their lengths in 2 bytes.
    fn aggregate(&mut self, mut rest: &[u8]) -> Result<(), Error> {
        while let Some((length, after)) = rest.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            if length == 0 {
                break; // padding that is not marked as such
            }
            let (nal, after) = after
                .split_at_checked(length)
                .ok_or_else(|| Error::truncated(AGGREGATE))?;
            self.picture.nal(nal)?;
            rest = after;
        }
        Ok(())
    }

    /// §5.8: a piece of a NAL unit, whose header is spread over the two first bytes.
    fn fragment(&mut self, indicator: u8, rest: &[u8], order: usize) -> Result<(), Error> {
        let (&header, rest) = rest
            .split_first()
            .ok_or_else(|| Error::truncated(FRAGMENT))?;
        let rest = skip(rest, order, FRAGMENT)?;
        if header & 0x80 != 0 {
            let nal_header = indicator & 0xe0 | header & 0x1f;
            self.picture.fragment_start(&[nal_header], rest)?;
        } else {
            self.picture.fragment(rest)?;
        }
        if header & 0x40 != 0 {
            self.picture.end_fragment()?;
        }
        Ok(())
    }
}

fn skip<'a>(bytes: &'a [u8], count: usize, what: &'static str) -> Result<&'a [u8], Error> {
    bytes.get(count..).ok_or_else(|| Error::truncated(what))
}
