//! How long a unit of sound lasts, from its bytes.

use super::{Format, Kind};

impl Format {
    /// How many ticks of [`Format::clock_rate`] the unit of sound in `data` lasts. None for video, and
    /// where the bytes don't say (an empty or broken unit).
    pub fn samples(&self, data: &[u8]) -> Option<u32> {
        match self {
            Self::Aac(aac) => (!data.is_empty()).then_some(u32::from(aac.frame_length)),
            Self::Opus(_) => opus(data),
            Self::Flac(_) => flac(data),
            Self::G711(g) => per_channel(data.len(), usize::from(g.channels)),
            Self::G722 => per_channel(data.len(), 1),
            Self::L16(l) => per_channel(data.len(), 2 * usize::from(l.channels)),
            Self::H264(_) | Self::H265(_) | Self::Av1(_) => {
                debug_assert_eq!(self.kind(), Kind::Video);
                None
            }
        }
    }
}

fn per_channel(bytes: usize, per_tick: usize) -> Option<u32> {
    let ticks = bytes.checked_div(per_tick)?;
    u32::try_from(ticks).ok().filter(|ticks| *ticks > 0)
}

/// RFC 6716 §3.1 and §3.2: the configuration gives the length of a frame, the code their number.
/// A packet lasts at most 120 ms.
fn opus(data: &[u8]) -> Option<u32> {
    let toc = *data.first()?;
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let count = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(data.get(1)? & 0x3f),
    };
    Some(frame * count).filter(|samples| (1..=5760).contains(samples))
}

/// RFC 9639 §9.1: the block size of a frame header.
fn flac(data: &[u8]) -> Option<u32> {
    if *data.first()? != 0xff || data.get(1)? & 0xfc != 0xf8 {
        return None;
    }
    let after_number = 4 + coded_number_length(*data.get(4)?)?;
    match data.get(2)? >> 4 {
        0 => None,
        1 => Some(192),
        code @ 2..=5 => Some(144 << code),
        6 => Some(u32::from(*data.get(after_number)?) + 1),
        7 => {
            let bytes = data.get(after_number..after_number + 2)?;
            Some(u32::from(bytes[0]) << 8 | u32::from(bytes[1])).map(|size| size + 1)
        }
        code => Some(1 << code),
    }
}

/// The length of the coded frame or sample number (RFC 9639 §9.1.5), which extends UTF-8 to 7 bytes.
fn coded_number_length(first: u8) -> Option<usize> {
    match first.leading_ones() {
        0 => Some(1),
        ones @ 2..=7 => Some(ones as usize),
        _ => None,
    }
}
