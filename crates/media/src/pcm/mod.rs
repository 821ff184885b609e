//! G.711, G.722 and linear PCM to samples of 16 bits.

mod g711;
mod g722;

use crate::Format;

/// A decoder of one track. Only that of G.722 keeps a state: what the bytes before have left.
#[derive(Debug)]
pub struct Decoder {
    coding: Coding,
    sample_rate: u32,
    channels: u8,
}

#[derive(Debug)]
enum Coding {
    Table(&'static [i16; 256]),
    G722(Box<g722::Decoder>),
    BigEndian,
}

impl Decoder {
    /// A decoder of frames of `format`; none for other codecs.
    pub fn new(format: &Format) -> Option<Self> {
        let (coding, sample_rate, channels) = match format {
            Format::G711(g) if g.a_law => (Coding::Table(&g711::A_LAW), g.sample_rate, g.channels),
            Format::G711(g) => (Coding::Table(&g711::MU_LAW), g.sample_rate, g.channels),
            Format::G722 => (Coding::G722(Box::default()), 16_000, 1),
            Format::L16(l) => (Coding::BigEndian, l.sample_rate, l.channels),
            _ => return None,
        };
        Some(Self {
            coding,
            sample_rate,
            channels,
        })
    }

    /// Samples per second and channel. Twice the track's clock where that is G.722's.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Number of channels.
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Appends the samples of `data` to `out`, channels interleaved.
    pub fn decode(&mut self, data: &[u8], out: &mut Vec<i16>) {
        match &mut self.coding {
            Coding::Table(table) => out.extend(data.iter().map(|&code| table[usize::from(code)])),
            Coding::G722(decoder) => decoder.decode(data, out),
            Coding::BigEndian => out.extend(
                data.chunks_exact(2)
                    .map(|pair| i16::from_be_bytes([pair[0], pair[1]])),
            ),
        }
    }
}
