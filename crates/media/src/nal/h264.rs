//! NAL unit types of H.264 (ITU-T H.264 table 7-1) and of its RTP payload format (RFC 6184 table 1).

use super::RandomAccess;

/// A coded slice of a picture that is not IDR.
pub const SLICE: u8 = 1;
/// A coded slice of an IDR picture.
pub const IDR: u8 = 5;
/// Supplemental enhancement information.
pub const SEI: u8 = 6;
/// A sequence parameter set.
pub const SPS: u8 = 7;
/// A picture parameter set.
pub const PPS: u8 = 8;
/// An access unit delimiter.
pub const AUD: u8 = 9;
/// Filler data.
pub const FILLER: u8 = 12;
/// RTP: several NAL units of one time.
pub const STAP_A: u8 = 24;
/// RTP: several NAL units of one time, with a decoding order number.
pub const STAP_B: u8 = 25;
/// RTP: a piece of a NAL unit.
pub const FU_A: u8 = 28;
/// RTP: the first piece of a NAL unit, with a decoding order number.
pub const FU_B: u8 = 29;

/// The SEI payload type of a recovery point (§D.1.8).
const RECOVERY_POINT: u32 = 6;

/// The NAL unit type in the header byte.
pub fn unit_type(header: u8) -> u8 {
    header & 0x1f
}

/// What a decoder that starts at this one NAL unit can make of it.
pub fn random_access(nal: &[u8]) -> RandomAccess {
    match nal.first().map(|header| unit_type(*header)) {
        Some(IDR) => RandomAccess::Full,
        Some(SEI) if has_recovery_point(&nal[1..]) => RandomAccess::Recovery,
        _ => RandomAccess::No,
    }
}

/// Whether a slice is the first of its picture (`first_mb_in_slice` is 0), from the bytes after the header.
pub fn is_first_slice(payload: &[u8]) -> bool {
    payload.first().is_some_and(|byte| byte & 0x80 != 0)
}

/// Walks the messages of an SEI NAL unit (§7.3.2.3). Emulation prevention bytes are left in: they can't
/// stand within the types and sizes of messages that are shorter than 64 KiB.
fn has_recovery_point(mut rest: &[u8]) -> bool {
    while rest.len() > 2 {
        let Some(kind) = sei_number(&mut rest) else {
            return false;
        };
        let Some(size) = sei_number(&mut rest) else {
            return false;
        };
        if kind == RECOVERY_POINT {
            return true;
        }
        let Some(next) = rest.get(size as usize..) else {
            return false;
        };
        rest = next;
    }
    false
}

fn sei_number(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0u32;
    loop {
        let (byte, next) = rest.split_first()?;
        *rest = next;
        value = value.checked_add(u32::from(*byte))?;
        if *byte != 0xff {
            return Some(value);
        }
    }
}
