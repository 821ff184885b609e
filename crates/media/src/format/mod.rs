mod aac;
mod av1;
mod duration;
mod h264;
mod h265;
mod h265_sets;
mod vui;

#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use aac::Aac;
pub(crate) use aac::Adts;
pub use av1::Av1;
pub use h264::H264;
pub(crate) use h264::{MAX_PARAMETER_SET, MAX_PPS, pps_id as h264_pps_id};
pub use h265::H265;
pub(crate) use h265::pps_id as h265_pps_id;

use crate::time::VIDEO_CLOCK;

/// Picture or sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Picture.
    Video,
    /// Sound.
    Audio,
}

/// A codec without its parameters: what a status line or a capability list names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// H.264 / AVC.
    H264,
    /// H.265 / HEVC.
    H265,
    /// AV1.
    Av1,
    /// AAC (MPEG-4 audio).
    Aac,
    /// Opus.
    Opus,
    /// FLAC.
    Flac,
    /// G.711 A-law.
    Pcma,
    /// G.711 µ-law.
    Pcmu,
    /// G.722.
    G722,
    /// Linear 16-bit PCM, big endian.
    L16,
}

/// The codec parameters of a track: everything a decoder, a container or an offer needs to know.
///
/// Two equal formats describe the same stream, so a Source that reconnects keeps the old `Arc`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// H.264 / AVC.
    H264(H264),
    /// H.265 / HEVC.
    H265(H265),
    /// AV1.
    Av1(Av1),
    /// AAC.
    Aac(Aac),
    /// Opus.
    Opus(Opus),
    /// FLAC.
    Flac(Flac),
    /// G.711, either law.
    G711(G711),
    /// G.722: 16 kHz sound on an RTP clock of 8 kHz (RFC 3551 §4.5.2). One byte holds two samples.
    G722,
    /// Linear 16-bit PCM, big endian.
    L16(L16),
}

/// Opus parameters. The clock is always 48 kHz (RFC 7587 §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Opus {
    /// Number of channels, 1 or 2.
    pub channels: u8,
}

/// FLAC parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Flac {
    /// The 34 bytes of the STREAMINFO block (RFC 9639 §8.2), without the block header.
    pub stream_info: Bytes,
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
    /// Bits per sample.
    pub bits: u8,
}

/// G.711: one byte a sample and channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct G711 {
    /// A-law if true, µ-law if false.
    pub a_law: bool,
    /// Samples per second, nearly always 8000.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
}

/// Linear PCM: 16-bit signed big-endian samples, channels interleaved.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct L16 {
    /// Samples per second.
    pub sample_rate: u32,
    /// Number of channels.
    pub channels: u8,
}

impl Format {
    /// Whether this is picture or sound.
    pub fn kind(&self) -> Kind {
        match self {
            Self::H264(_) | Self::H265(_) | Self::Av1(_) => Kind::Video,
            _ => Kind::Audio,
        }
    }

    /// The codec without its parameters.
    pub fn codec(&self) -> Codec {
        match self {
            Self::H264(_) => Codec::H264,
            Self::H265(_) => Codec::H265,
            Self::Av1(_) => Codec::Av1,
            Self::Aac(_) => Codec::Aac,
            Self::Opus(_) => Codec::Opus,
            Self::Flac(_) => Codec::Flac,
            Self::G711(g) if g.a_law => Codec::Pcma,
            Self::G711(_) => Codec::Pcmu,
            Self::G722 => Codec::G722,
            Self::L16(_) => Codec::L16,
        }
    }

    /// Ticks per second of `pts` and `dts` of this format's frames.
    pub fn clock_rate(&self) -> u32 {
        match self {
            Self::H264(_) | Self::H265(_) | Self::Av1(_) => VIDEO_CLOCK,
            Self::Aac(a) => a.sample_rate,
            Self::Opus(_) => 48_000,
            Self::Flac(f) => f.sample_rate,
            Self::G711(g) => g.sample_rate,
            Self::G722 => 8_000,
            Self::L16(l) => l.sample_rate,
        }
    }

    /// Width and height in pixels; none for sound.
    pub fn resolution(&self) -> Option<(u32, u32)> {
        match self {
            Self::H264(v) => Some((v.width, v.height)),
            Self::H265(v) => Some((v.width, v.height)),
            Self::Av1(v) => Some((v.width, v.height)),
            _ => None,
        }
    }

    /// The highest number of pictures a picture may overtake in output order, where it is known.
    pub fn reorder(&self) -> Option<u8> {
        match self {
            Self::H264(v) => v.reorder,
            Self::H265(v) => v.reorder,
            _ => Some(0),
        }
    }
}

impl Codec {
    /// The name that people know, such as `H.264` or `G.711 A-law`.
    pub fn name(self) -> &'static str {
        match self {
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Av1 => "AV1",
            Self::Aac => "AAC",
            Self::Opus => "Opus",
            Self::Flac => "FLAC",
            Self::Pcma => "G.711 A-law",
            Self::Pcmu => "G.711 µ-law",
            Self::G722 => "G.722",
            Self::L16 => "L16",
        }
    }
}
