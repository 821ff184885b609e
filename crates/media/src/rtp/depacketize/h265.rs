//! RFC 7798: RTP payload format for H.265.

use super::fmtp::Fmtp;
use super::picture::Picture;
use crate::Error;
use crate::nal::h265;

const PAYLOAD: &str = "H.265 payload";
const AGGREGATE: &str = "H.265 AP";
const FRAGMENT: &str = "H.265 FU";

/// Bytes of the payload header, which is that of a NAL unit.
const HEADER_SIZE: usize = 2;

/// How a track's payloads are laid out.
#[derive(Debug)]
pub(super) struct Payloads {
    /// Decoding order numbers stand in them (`sprop-max-don-diff` above 0, §7.1).
    order_numbers: bool,
}

impl Payloads {
    pub(super) fn new(fmtp: Fmtp<'_>) -> Self {
        Self {
            order_numbers: fmtp.number("sprop-max-don-diff").unwrap_or(0) > 0,
        }
    }

    /// Passes the NAL units of one payload on to `picture`.
    pub(super) fn read(&self, picture: &mut Picture, payload: &[u8]) -> Result<(), Error> {
        let Some((header, rest)) = payload.split_first_chunk::<HEADER_SIZE>() else {
            return Ok(());
        };
        match h265::unit_type(header[0]) {
            h265::AP => self.aggregate(picture, rest),
            h265::FU => self.fragment(picture, *header, rest),
            h265::PACI => Err(Error::invalid(
                PAYLOAD,
                "packets with content information (PACI) are not supported",
            )),
            _ if self.order_numbers && header[0] != 0 => {
                let nal = rest.get(2..).ok_or_else(|| Error::truncated(PAYLOAD))?;
                picture.nal(&[&header[..], nal].concat())
            }
            _ => picture.nal(payload),
        }
    }

    /// §4.4.2: NAL units behind their lengths in 2 bytes.
    fn aggregate(&self, picture: &mut Picture, mut rest: &[u8]) -> Result<(), Error> {
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
            picture.nal(nal)?;
            rest = after;
        }
    }

    /// §4.4.3: a piece of a NAL unit. Cameras send start and end in one, which the RFC forbids.
    fn fragment(
        &self,
        picture: &mut Picture,
        header: [u8; HEADER_SIZE],
        rest: &[u8],
    ) -> Result<(), Error> {
        let (&fu, mut rest) = rest
            .split_first()
            .ok_or_else(|| Error::truncated(FRAGMENT))?;
        if fu & 0x80 != 0 {
            if self.order_numbers {
                rest = rest.get(2..).ok_or_else(|| Error::truncated(FRAGMENT))?;
            }
            let first = header[0] & 0x81 | (fu & 0x3f) << 1;
            picture.fragment_start(&[first, header[1]], rest)?;
        } else {
            picture.fragment(rest)?;
        }
        if fu & 0x40 != 0 {
            picture.end_fragment()?;
        }
        Ok(())
    }
}
