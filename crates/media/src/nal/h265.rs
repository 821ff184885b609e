//! NAL unit types of H.265 (ITU-T H.265 table 7-1) and of its RTP payload format (RFC 7798 §4.4).

use super::RandomAccess;

/// A leading picture of a random access point that can't be decoded when decoding starts there, unreferenced.
pub const RASL_N: u8 = 8;
/// The same, referenced by other pictures.
pub const RASL_R: u8 = 9;
/// The first of the types that are random access points: BLA_W_LP.
pub const BLA_W_LP: u8 = 16;
/// Instantaneous decoder refresh that may have decodable leading pictures.
pub const IDR_W_RADL: u8 = 19;
/// Instantaneous decoder refresh without leading pictures.
pub const IDR_N_LP: u8 = 20;
/// Clean random access, whose leading pictures may refer to earlier ones.
pub const CRA: u8 = 21;
/// The last type that is kept for random access points.
pub const IRAP_LAST: u8 = 23;
/// The last type of a coded slice segment.
pub const SLICE_LAST: u8 = 31;
/// A video parameter set.
pub const VPS: u8 = 32;
/// A sequence parameter set.
pub const SPS: u8 = 33;
/// A picture parameter set.
pub const PPS: u8 = 34;
/// An access unit delimiter.
pub const AUD: u8 = 35;
/// Filler data.
pub const FILLER: u8 = 38;
/// Supplemental enhancement information before the slices.
pub const SEI_PREFIX: u8 = 39;
/// Supplemental enhancement information after the slices.
pub const SEI_SUFFIX: u8 = 40;
/// RTP: several NAL units of one time.
pub const AP: u8 = 48;
/// RTP: a piece of a NAL unit.
pub const FU: u8 = 49;
/// RTP: packet content information.
pub const PACI: u8 = 50;

/// The NAL unit type in the first of the two header bytes.
pub fn unit_type(header: u8) -> u8 {
    header >> 1 & 0x3f
}

/// What a decoder that starts at this one NAL unit can make of it.
pub fn random_access(nal: &[u8]) -> RandomAccess {
    match nal.first().map(|header| unit_type(*header)) {
        Some(BLA_W_LP..=CRA) => RandomAccess::Full,
        _ => RandomAccess::No,
    }
}

/// Whether a slice segment is the first of its picture, from the bytes after the two header bytes.
pub fn is_first_slice(payload: &[u8]) -> bool {
    payload.first().is_some_and(|byte| byte & 0x80 != 0)
}
