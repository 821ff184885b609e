//! RFC 7798: RTP payload format for H.265.

use std::sync::Arc;

use super::Encoding;
use super::fmtp::Fmtp;
use super::output::Output;
use super::picture::Picture;
use super::syntax::Syntax;
use crate::nal::h265;
use crate::rtp::Packet;
use crate::{Error, Format};

const PAYLOAD: &str = "H.265 payload";
const AGGREGATE: &str = "H.265 AP";
const FRAGMENT: &str = "H.265 FU";

/// Bytes of the payload header, which is that of a NAL unit.
const HEADER_SIZE: usize = 2;

#[derive(Debug)]
pub(super) struct Depacketizer {
    picture: Picture,
    /// Decoding order numbers stand in the payloads (`sprop-max-don-diff` above 0, §7.1).
    order_numbers: bool,
}

impl Depacketizer {
    pub(super) fn new(encoding: &Encoding<'_>) -> Self {
        let fmtp = Fmtp::new(encoding.fmtp);
        Self {
            picture: Picture::new(
                Syntax::H265,
                encoding,
                &["sprop-vps", "sprop-sps", "sprop-pps"],
            ),
            order_numbers: fmtp.number("sprop-max-don-diff").unwrap_or(0) > 0,
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
        let Some((header, rest)) = payload.split_first_chunk::<HEADER_SIZE>() else {
            return Ok(());
        };
        match h265::unit_type(header[0]) {
            h265::AP => self.aggregate(rest),
            h265::FU => self.fragment(*header, rest),
            h265::PACI => Err(Error::invalid(
                PAYLOAD,
                "packets with content information (PACI) are not supported",
            )),
            _ if self.order_numbers && header[0] != 0 => {
                let nal = rest.get(2..).ok_or_else(|| Error::truncated(PAYLOAD))?;
                self.picture.nal(&[&header[..], nal].concat())
            }
            _ => self.picture.nal(payload),
        }
    }

    /// §4.4.2: NAL units behind their lengths in 2 bytes.
    fn aggregate(&mut self, mut rest: &[u8]) -> Result<(), Error> {
        let mut order = if self.order_numbers { 2 } else { 0 };
        loop {
            rest = rest.get(order..).unwrap_or(&[]);
            order = order.min(1); // DONL before the first, DOND before the others
            let Some((length, after)) = rest.split_first_chunk::<2>() else {
                return Ok(());
            };
            let length = usize::from(u16::from_be_bytes(*length));
            if length == 0 {
                return Ok(()); // padding that is not marked as such
            }
            let (nal, after) = after
                .split_at_checked(length)
                .ok_or_else(|| Error::truncated(AGGREGATE))?;
            self.picture.nal(nal)?;
            rest = after;
        }
    }

    /// §4.4.3: a piece of a NAL unit. Cameras send start and end in one, which the RFC forbids.
    fn fragment(&mut self, header: [u8; HEADER_SIZE], rest: &[u8]) -> Result<(), Error> {
        let (&fu, mut rest) = rest
            .split_first()
            .ok_or_else(|| Error::truncated(FRAGMENT))?;
        if fu & 0x80 != 0 {
            if self.order_numbers {
                rest = rest.get(2..).ok_or_else(|| Error::truncated(FRAGMENT))?;
            }
            let first = header[0] & 0x81 | (fu & 0x3f) << 1;
            self.picture.fragment_start(&[first, header[1]], rest)?;
        } else {
            self.picture.fragment(rest)?;
        }
        if fu & 0x40 != 0 {
            self.picture.end_fragment()?;
        }
        Ok(())
    }
}
