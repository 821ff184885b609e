//! RFC 6184: RTP payload format for H.264.

use super::picture::Picture;
use crate::Error;
use crate::nal::h264;

const AGGREGATE: &str = "H.264 STAP";
const FRAGMENT: &str = "H.264 FU";

/// Bytes of the decoding order number that STAP-B and FU-B carry.
const ORDER_SIZE: usize = 2;

/// Passes the NAL units of one payload on to `picture`.
pub(super) fn payload(picture: &mut Picture, payload: &[u8]) -> Result<(), Error> {
    let Some((&indicator, rest)) = payload.split_first() else {
        return Ok(());
    };
    match h264::unit_type(indicator) {
        h264::STAP_A => aggregate(picture, rest),
        h264::STAP_B => aggregate(picture, skip(rest, ORDER_SIZE, AGGREGATE)?),
        h264::FU_A => fragment(picture, indicator, rest, 0),
        h264::FU_B => fragment(picture, indicator, rest, ORDER_SIZE),
        26 | 27 => Err(Error::invalid(
            "H.264 payload",
            "interleaved packets (MTAP) are not supported; set packetization-mode 1",
        )),
        _ => picture.nal(payload),
    }
}

/// §5.7.1: NAL units behind their lengths in 2 bytes.
fn aggregate(picture: &mut Picture, mut rest: &[u8]) -> Result<(), Error> {
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 {
            break; // padding that is not marked as such
        }
        let (nal, after) = after
            .split_at_checked(length)
            .ok_or_else(|| Error::truncated(AGGREGATE))?;
        picture.nal(nal)?;
        rest = after;
    }
    Ok(())
}

/// §5.8: a piece of a NAL unit, whose header is spread over the two first bytes.
fn fragment(picture: &mut Picture, indicator: u8, rest: &[u8], order: usize) -> Result<(), Error> {
    let (&header, rest) = rest
        .split_first()
        .ok_or_else(|| Error::truncated(FRAGMENT))?;
    let rest = skip(rest, order, FRAGMENT)?;
    if header & 0x80 != 0 {
        let nal_header = indicator & 0xe0 | header & 0x1f;
        picture.fragment_start(&[nal_header], rest)?;
    } else {
        picture.fragment(rest)?;
    }
    if header & 0x40 != 0 {
        picture.end_fragment()?;
    }
    Ok(())
}

fn skip<'a>(bytes: &'a [u8], count: usize, what: &'static str) -> Result<&'a [u8], Error> {
    bytes.get(count..).ok_or_else(|| Error::truncated(what))
}
