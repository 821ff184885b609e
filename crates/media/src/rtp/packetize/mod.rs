//! Frames to RTP payloads, whose bytes stay where they are: each payload is a short header and a slice.

mod audio;
mod nal_units;

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Error, Format, Frame};

/// The smallest payload size that a packetizer works with, in bytes. Networks carry 548 and more.
pub const MIN_PAYLOAD: usize = 64;

/// The few bytes of a payload that do not come from the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PayloadHeader {
    bytes: [u8; 4],
    length: u8,
}

impl PayloadHeader {
    fn new<const N: usize>(header: [u8; N]) -> Self {
        let mut bytes = [0; 4];
        bytes[..N].copy_from_slice(&header);
        Self {
            bytes,
            length: N as u8,
        }
    }
}

impl Deref for PayloadHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// What one RTP packet carries: `header` followed by `body`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The bytes of the payload format.
    pub header: PayloadHeader,
    /// A slice of the frame, or parameter sets.
    pub body: Bytes,
    /// The RTP marker bit.
    pub marker: bool,
    /// Ticks of the track's clock that this packet's timestamp lies after that of the frame.
    pub offset: u32,
}

impl Payload {
    /// Bytes of header and body.
    pub fn size(&self) -> usize {
        self.header.len() + self.body.len()
    }
}

/// Turns the frames of one track into RTP payloads: H.264 (RFC 6184, mode 1), H.265 (RFC 7798), AAC
/// (RFC 3640, AAC-hbr), Opus (RFC 7587), and PCM (RFC 3551).
///
/// Parameter sets go ahead of each keyframe, as the frame's own format has them.
#[derive(Debug)]
pub struct Packetizer {
    max_payload: usize,
    /// The parameter sets as they are sent, and the format that they are of.
    sets: Option<(Arc<Format>, Vec<Bytes>)>,
}

impl Packetizer {
    /// A packetizer for frames of `format`, whose payloads have at most `max_payload` bytes (at least
    /// [`MIN_PAYLOAD`]). An Opus packet, which can't be split, may be larger.
    ///
    /// # Errors
    /// [`Error::UnsupportedEncoding`] for formats that are not packetized: AV1 and FLAC.
    pub fn new(format: &Format, max_payload: usize) -> Result<Self, Error> {
        match format {
            Format::Av1(_) | Format::Flac(_) => Err(Error::UnsupportedEncoding {
                name: format.codec().name().to_owned(),
                advice: "it is not sent over RTP; set the source to H.264 or H.265, and AAC, G.711 or Opus",
            }),
            _ => Ok(Self {
                max_payload: max_payload.max(MIN_PAYLOAD),
                sets: None,
            }),
        }
    }

    /// Hands the payloads of `frame` to `emit`, in order.
    pub fn packetize(&mut self, frame: &Frame, mut emit: impl FnMut(Payload)) {
        let max = self.max_payload;
        match &*frame.format {
            Format::H264(_) | Format::H265(_) => self.nal_units(frame, &mut emit),
            Format::Aac(_) => audio::aac(&frame.data, max, &mut emit),
            Format::Opus(_) => emit(Payload {
                header: PayloadHeader::default(),
                body: frame.data.clone(),
                marker: false,
                offset: 0,
            }),
            Format::G711(g) => audio::pcm(&frame.data, g.channels.into(), max, &mut emit),
            Format::G722 => audio::pcm(&frame.data, 1, max, &mut emit),
            Format::L16(l) => audio::pcm(&frame.data, 2 * usize::from(l.channels), max, &mut emit),
            // `new` refuses these.
            Format::Av1(_) | Format::Flac(_) => {}
        }
    }

    fn nal_units(&mut self, frame: &Frame, emit: &mut impl FnMut(Payload)) {
        let syntax = nal_units::Syntax::of(&frame.format);
        let max = self.max_payload;
        if frame.keyframe {
            for set in self.parameter_sets(&frame.format, syntax) {
                syntax.split(set, false, max, emit);
            }
        }
        let mut units = crate::nal::units(&frame.data).peekable();
        while let Some(unit) = units.next() {
            let last = units.peek().is_none();
            syntax.split(&frame.data.slice_ref(unit), last, max, emit);
        }
    }

    /// The parameter sets of `format`, in one payload where they fit.
    fn parameter_sets(&mut self, format: &Arc<Format>, syntax: nal_units::Syntax) -> &[Bytes] {
        let known = matches!(&self.sets, Some((of, _)) if Arc::ptr_eq(of, format));
        if !known {
            let sets = syntax.parameter_sets(format, self.max_payload);
            self.sets = Some((format.clone(), sets));
        }
        self.sets.as_ref().map_or(&[], |(_, sets)| sets)
    }
}

#[cfg(test)]
mod tests;
