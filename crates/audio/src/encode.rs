//! Samples to Opus.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use media::{Format, Opus};
use opus_pure::{Application, MAX_PACKET_BYTES, OpusEncoder};

use crate::clock::TICKS;

/// The rates that Opus takes as they are (RFC 6716 §2.1.3).
const RATES: [u32; 5] = [8_000, 12_000, 16_000, 24_000, 48_000];

/// Packets in a second: one per 20 ms, as everybody does.
const PACKETS: u32 = 50;

/// Bits per second, by the number of channels.
const BIT_RATES: [i32; 2] = [64_000, 96_000];

/// How hard the encoder tries, 0 to 10. At these bit rates, more is not heard and costs a third more.
const COMPLEXITY: i32 = 5;

/// The lowest of the rates of Opus that carries all of sound at `rate`.
pub(crate) fn rate_for(rate: u32) -> u32 {
    let fits = |known: &&u32| **known >= rate;
    RATES.iter().find(fits).copied().unwrap_or(48_000)
}

/// An encoder, of CELT alone: with the least delay, and what these bit rates would choose anyway.
pub(crate) struct Encoder {
    inner: OpusEncoder,
    format: Arc<Format>,
    rate: u32,
    channels: usize,
    buffer: Vec<u8>,
}

impl Encoder {
    /// For samples at `rate`, one of the rates of Opus, in one or two channels.
    pub(crate) fn new(rate: u32, channels: usize) -> Option<Self> {
        let low_delay = Application::RestrictedLowDelay;
        let mut inner = OpusEncoder::new(rate as i32, channels, low_delay).ok()?;
        inner.bitrate_bps = *BIT_RATES.get(channels.checked_sub(1)?)?;
        inner.complexity = COMPLEXITY;
        Some(Self {
            inner,
            format: Arc::new(Format::Opus(Opus {
                channels: channels as u8,
            })),
            rate,
            channels,
            buffer: vec![0; MAX_PACKET_BYTES],
        })
    }

    /// Whether this takes such samples.
    pub(crate) fn takes(&self, rate: u32, channels: usize) -> bool {
        (self.rate, self.channels) == (rate, channels)
    }

    /// What the packets are.
    pub(crate) fn format(&self) -> &Arc<Format> {
        &self.format
    }

    /// Samples per channel in a packet.
    pub(crate) fn packet(&self) -> usize {
        (self.rate / PACKETS) as usize
    }

    /// By how much what is decoded comes behind what was encoded, in ticks of Opus.
    pub(crate) fn delay(&self) -> i64 {
        self.inner.lookahead() as i64 * TICKS / i64::from(self.rate)
    }

    /// One packet of [`Self::packet`] samples per channel, interleaved.
    pub(crate) fn encode(&mut self, samples: &[f32]) -> Option<Bytes> {
        let length = self.packet();
        let made = self.inner.encode(samples, length, &mut self.buffer).ok()?;
        Some(Bytes::copy_from_slice(&self.buffer[..made]))
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoder({} Hz, {} channels)", self.rate, self.channels)
    }
}
