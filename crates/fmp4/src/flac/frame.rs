//! One frame: header, a subframe for each channel, checksums (RFC 9639 §9).

use bytes::Bytes;

use super::bits::Bits;
use super::crc::{crc8, crc16};
use super::{MAX_BLOCK, MIN_BLOCK, subframe};

/// The sync code, a reserved zero, and "variable block size".
const SYNC_VARIABLE: u64 = 0xfff9;
/// Sample numbers have 36 bits, which is 16 days at 48 kHz; then they begin again.
const SAMPLE_NUMBER: u64 = (1 << 36) - 1;

/// Encodes interleaved 16-bit `samples`, the first of which is number `at` of its channel, as one frame.
///
/// None unless there are 1 or 2 channels with [`MIN_BLOCK`] to [`MAX_BLOCK`] samples each.
pub fn encode(sample_rate: u32, channels: u8, at: u64, samples: &[i16]) -> Option<Bytes> {
    let count = usize::from(channels);
    if !(1..=2).contains(&channels) || !samples.len().is_multiple_of(count) {
        return None;
    }
    let block = samples.len() / count;
    if !(MIN_BLOCK..=MAX_BLOCK).contains(&block) {
        return None;
    }
    let mut bits = Bits::with_capacity(32 + samples.len() * 2);
    header(&mut bits, sample_rate, channels, at, block);
    let mut channel = Vec::with_capacity(block);
    for first in 0..count {
        channel.clear();
        channel.extend(
            samples[first..]
                .iter()
                .step_by(count)
                .map(|&s| i32::from(s)),
        );
        subframe::write(&mut bits, &channel);
    }
    bits.align();
    let crc = crc16(bits.bytes());
    bits.put(u64::from(crc), 16);
    Some(bits.finish().into())
}

/// RFC 9639 §9.1.
fn header(bits: &mut Bits, sample_rate: u32, channels: u8, at: u64, block: usize) {
    const BLOCK_SIZE_IN_16_BITS: u64 = 0b0111;
    const DEPTH_16: u64 = 0b100;
    bits.put(SYNC_VARIABLE, 16);
    bits.put(BLOCK_SIZE_IN_16_BITS, 4);
    bits.put(rate_code(sample_rate), 4);
    bits.put(u64::from(channels - 1), 4);
    bits.put(DEPTH_16, 3);
    bits.put(0, 1);
    coded_number(bits, at & SAMPLE_NUMBER);
    bits.put(block as u64 - 1, 16);
    let crc = crc8(bits.bytes());
    bits.put(u64::from(crc), 8);
}

/// RFC 9639 §9.1.2; 0 refers to STREAMINFO.
fn rate_code(sample_rate: u32) -> u64 {
    match sample_rate {
        88_200 => 1,
        176_400 => 2,
        192_000 => 3,
        8_000 => 4,
        16_000 => 5,
        22_050 => 6,
        24_000 => 7,
        32_000 => 8,
        44_100 => 9,
        48_000 => 10,
        96_000 => 11,
        _ => 0,
    }
}

/// The extended UTF-8 of RFC 9639 §9.1.5, 1 to 7 bytes.
fn coded_number(bits: &mut Bits, number: u64) {
    if number < 0x80 {
        return bits.put(number, 8);
    }
    // `more` bytes of 6 bits follow a first one with what is left beside its marks: 6 - more bits.
    let more = (1..6).find(|&more| number >> (6 * more) < 1 << (6 - more));
    let more = more.unwrap_or(6);
    let marks = 0xff << (7 - more) & 0xff;
    bits.put(marks | number >> (6 * more), 8);
    for place in (0..more).rev() {
        bits.put(0x80 | number >> (6 * place) & 0x3f, 8);
    }
}
