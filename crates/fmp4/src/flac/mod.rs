//! G.711, G.722 and linear PCM to FLAC (RFC 9639), without loss and without delay: browsers play FLAC in MP4,
//! and none of the three.
//!
//! Every frame names its own block size and first sample (variable block size), so frames can be as long as
//! the camera's packets, begin anywhere, and be joined with [`silence`]. The encoder keeps no state.

mod bits;
mod convert;
mod crc;
mod frame;
mod subframe;

use bytes::Bytes;
use media::Flac;

pub use convert::PcmToFlac;
pub use frame::encode;

/// The fewest samples that a block may have (RFC 9639 §8.2).
pub const MIN_BLOCK: usize = 16;
/// The most samples that a block has here: what the streamable subset allows at 48 kHz and below (§7).
pub const MAX_BLOCK: usize = 4608;
/// Bits per sample of everything that is made here.
pub const BITS: u8 = 16;

/// The format of FLAC of 16 bits at `sample_rate` per second with 1 or 2 channels.
///
/// None for what STREAMINFO or the frame headers can't say: no rate, 2^20 or more, other channel counts.
pub fn format(sample_rate: u32, channels: u8) -> Option<Flac> {
    if !(1..1 << 20).contains(&sample_rate) || !(1..=2).contains(&channels) {
        return None;
    }
    let mut info = bits::Bits::default();
    info.put(MIN_BLOCK as u64, 16);
    info.put(MAX_BLOCK as u64, 16);
    info.put(0, 24 + 24); // frame sizes: unknown
    info.put(u64::from(sample_rate), 20);
    info.put(u64::from(channels - 1), 3);
    info.put(u64::from(BITS - 1), 5);
    info.put(0, 36); // number of samples: unknown
    info.put(0, 64);
    info.put(0, 64); // MD5: unknown
    Some(Flac {
        stream_info: info.finish().into(),
        sample_rate,
        channels,
        bits: BITS,
    })
}

/// How many samples a unit of silence has: 20 ms.
pub(crate) fn silent_length(sample_rate: u32) -> u32 {
    (sample_rate / 50).clamp(MIN_BLOCK as u32, MAX_BLOCK as u32)
}

/// A frame of `length` silent samples, the first of which is number `at`. None for FLAC that was not made here,
/// whose blocks may be numbered in another way.
pub fn silence(flac: &Flac, at: u64, length: u32) -> Option<Bytes> {
    if format(flac.sample_rate, flac.channels).as_ref() != Some(flac) {
        return None;
    }
    let samples = vec![0; length as usize * usize::from(flac.channels)];
    encode(flac.sample_rate, flac.channels, at, &samples)
}

#[cfg(test)]
mod tests;
