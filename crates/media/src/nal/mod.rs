//! NAL units of H.264 and H.265: their types, and how they lie in a frame.
//!
//! A frame's data holds NAL units behind their lengths in 4 bytes ([`units`]); some peers send start
//! codes instead ([`annexb`]).

pub mod annexb;
pub mod h264;
pub mod h265;

use bytes::{Buf, Bytes};

use crate::Format;

/// Bytes of the length before each NAL unit of a frame.
pub const LENGTH_SIZE: usize = 4;

/// How a decoder may start at an access unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RandomAccess {
    /// It can't: the picture refers to earlier ones.
    No,
    /// A recovery point SEI message (gradual refresh, or an open GOP): the picture is right after a while.
    Recovery,
    /// A picture that refers to no other: H.264 IDR, H.265 IDR, CRA and BLA.
    Full,
}

/// Iterates over the NAL units of length-prefixed `data`. A length that runs past the end ends the iteration.
pub fn units(data: &[u8]) -> Units<'_> {
    Units { rest: data }
}

/// The iterator that [`units`] gives.
#[derive(Debug, Clone)]
pub struct Units<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Units<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            let (length, rest) = self.rest.split_first_chunk::<LENGTH_SIZE>()?;
            let length = u32::from_be_bytes(*length) as usize;
            let Some((unit, rest)) = rest.split_at_checked(length) else {
                self.rest = &[];
                return None;
            };
            self.rest = rest;
            if !unit.is_empty() {
                return Some(unit);
            }
        }
    }
}

/// Whether a decoder may start at the access unit that `data` (NAL units behind lengths) holds.
/// Formats other than H.264 and H.265 have no NAL units: always [`RandomAccess::No`].
pub fn random_access(format: &Format, data: &[u8]) -> RandomAccess {
    let of: fn(&[u8]) -> RandomAccess = match format {
        Format::H264(_) => h264::random_access,
        Format::H265(_) => h265::random_access,
        _ => return RandomAccess::No,
    };
    units(data).map(of).max().unwrap_or(RandomAccess::No)
}

/// Cuts a leading Annex B start code and trailing zero bytes (which no NAL unit ends with, H.264 §7.4.1) off.
pub(crate) fn trim(mut nal: Bytes) -> Bytes {
    nal.advance(annexb::start_code(&nal).unwrap_or(0));
    let last = nal.iter().rposition(|byte| *byte != 0);
    nal.truncate(last.map_or(0, |last| last + 1));
    nal
}

#[cfg(test)]
mod tests;
