//! Open bitstream units of AV1 (§5.3).

use bytes::{BufMut, BytesMut};

use crate::Error;

const OBU: &str = "AV1 OBU";

/// `obu_type` of a sequence header.
pub(crate) const SEQUENCE_HEADER: u8 = 1;
/// `obu_type` of a temporal delimiter.
pub(crate) const TEMPORAL_DELIMITER: u8 = 2;
/// `obu_type` of a frame header.
pub(crate) const FRAME_HEADER: u8 = 3;
/// `obu_type` of a frame with its header.
pub(crate) const FRAME: u8 = 6;
/// `obu_type` of a tile list, which RTP must not carry.
pub(crate) const TILE_LIST: u8 = 8;
/// `obu_type` of padding.
pub(crate) const PADDING: u8 = 15;
/// `obu_has_size_field` in the header byte.
pub(crate) const HAS_SIZE: u8 = 0x02;

/// `obu_extension_flag` in the header byte.
const HAS_EXTENSION: u8 = 0x04;

/// The header of an OBU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// `obu_type`.
    pub(crate) kind: u8,
    /// The header byte without the size flag.
    pub(crate) first: u8,
    /// The extension byte.
    pub(crate) extension: Option<u8>,
    /// Where the body begins.
    start: usize,
    /// Bytes of the body, where the header says so.
    size: Option<usize>,
}

impl Header {
    /// Parses the header at the start of `data`.
    pub(crate) fn parse(data: &[u8]) -> Result<Self, Error> {
        let first = *data.first().ok_or_else(|| Error::truncated(OBU))?;
        let mut start = 1;
        let mut extension = None;
        if first & HAS_EXTENSION != 0 {
            extension = Some(*data.get(1).ok_or_else(|| Error::truncated(OBU))?);
            start = 2;
        }
        let mut size = None;
        if first & HAS_SIZE != 0 {
            let (value, length) = leb128(&data[start..])?;
            size = Some(value);
            start += length;
        }
        Ok(Self {
            kind: first >> 3 & 0x0f,
            first: first & !HAS_SIZE,
            extension,
            start,
            size,
        })
    }

    /// The body within `data`, which [`Header::parse`] was given.
    pub(crate) fn body<'a>(&self, data: &'a [u8]) -> Result<&'a [u8], Error> {
        let rest = &data[self.start..];
        match self.size {
            Some(size) => rest.get(..size).ok_or_else(|| Error::truncated(OBU)),
            None => Ok(rest),
        }
    }
}

/// Reads a little-endian base 128 number (§4.10.5); gives it and its length in bytes.
pub(crate) fn leb128(data: &[u8]) -> Result<(usize, usize), Error> {
    let mut value = 0usize;
    for (index, byte) in data.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok((value, index + 1));
        }
    }
    if data.len() < 4 {
        return Err(Error::truncated("AV1 size"));
    }
    Err(Error::invalid("AV1 size", "it has more than 28 bits"))
}

/// Writes a little-endian base 128 number.
pub(crate) fn put_leb128(out: &mut BytesMut, mut value: usize) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}
