//! Silence in a track's own codec, and how long a unit of sound lasts.

use bytes::Bytes;
use media::{Aac, Flac, Format};

use crate::flac;

/// `raw_data_block` of AAC-LC: one single channel element without a scale factor band (ISO/IEC 14496-3
/// §4.4.2.1: 3 bits id, 4 tag, 8 gain, 11 `ics_info`, 3 flags), then ID_END.
const AAC_MONO: &[u8] = &[0x00, 0x00, 0x00, 0x07];
/// One channel pair element with a common window, both channels without a scale factor band, then ID_END.
const AAC_STEREO: &[u8] = &[0x21, 0x00, 0x00, 0x00, 0x00, 0x1c];
/// CELT, full band, 20 ms, mono (RFC 6716 §3.1), whose range coder begins with the silence flag (§4.3).
/// Decoders take it in a stereo stream too.
const OPUS: &[u8] = &[0xf8, 0xff, 0xfe];
const OPUS_LENGTH: u32 = 960;

/// One unit of silence.
#[derive(Debug)]
pub(crate) enum Unit<'a> {
    Fixed(&'static [u8], u32),
    Flac(&'a Flac, u32),
}

impl<'a> Unit<'a> {
    /// The unit for `format`; none where none is known.
    pub(crate) fn of(format: &'a Format) -> Option<Self> {
        match format {
            Format::Aac(aac) => Self::aac(aac),
            Format::Opus(_) => Some(Self::Fixed(OPUS, OPUS_LENGTH)),
            Format::Flac(flac) => {
                let length = flac::silent_length(flac.sample_rate);
                flac::silence(flac, 0, length).map(|_| Self::Flac(flac, length))
            }
            _ => None,
        }
    }

    /// Ticks in one unit.
    pub(crate) fn length(&self) -> u32 {
        match *self {
            Self::Fixed(_, length) | Self::Flac(_, length) => length,
        }
    }

    /// The unit that begins at `at` ticks.
    pub(crate) fn data(&self, at: u64) -> Bytes {
        match *self {
            Self::Fixed(data, _) => Bytes::from_static(data),
            Self::Flac(flac, length) => flac::silence(flac, at, length).unwrap_or_default(),
        }
    }

    /// The object types whose frames are `raw_data_block`s: LC, and HE-AAC, which has the LC syntax inside.
    fn aac(aac: &Aac) -> Option<Self> {
        let data = match (aac.object_type, aac.channels) {
            (2 | 5, 1) => AAC_MONO,
            (2 | 5, 2) => AAC_STEREO,
            _ => return None,
        };
        Some(Self::Fixed(data, u32::from(aac.frame_length.max(1))))
    }
}

/// How long the unit of sound `data` lasts, in ticks of `format`. One that can't be read lasts 20 ms.
pub(crate) fn length(format: &Format, data: &[u8]) -> u32 {
    let guess = || (format.clock_rate() / 50).max(1);
    format.samples(data).unwrap_or_else(guess)
}
