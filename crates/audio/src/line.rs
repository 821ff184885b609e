//! One run of sound of the same rate and channels: samples go in where they are due, packets of Opus come out.

use std::sync::Arc;

use bytes::Bytes;
use media::Format;

use crate::Error;
use crate::clock::{Clock, Step, TICKS};
use crate::encode::{Encoder, rate_for};
use crate::resample::{REACH, Resampler};

/// How long sound takes to fade at a splice, in parts of a second: 5 ms, so that nothing clicks.
const FADE: u32 = 200;

/// A packet of Opus.
#[derive(Debug)]
pub(crate) struct Packet {
    /// When the first sample that is decoded from it lies, in ticks of Opus.
    pub(crate) at: i64,
    pub(crate) format: Arc<Format>,
    pub(crate) data: Bytes,
}

#[derive(Debug)]
pub(crate) struct Line {
    rate: u32,
    channels: usize,
    clock: Clock,
    resampler: Option<Resampler>,
    encoder: Encoder,
    /// Samples at the encoder's rate that wait for a whole packet; the first lies at `start`.
    pending: Vec<f32>,
    start: i64,
    /// The last sample of each channel.
    last: Vec<f32>,
    /// The same at the last splice, and so many samples were blended with it since.
    held: Vec<f32>,
    blended: usize,
}

impl Line {
    /// For samples at `rate` in one or two `channels`, of which the first lies at `start`. Takes `encoder` over
    /// where it fits: its receivers then hear no seam.
    pub(crate) fn new(
        rate: u32,
        channels: usize,
        start: i64,
        encoder: Option<Encoder>,
    ) -> Result<Self, Error> {
        let refused = || Error::SampleRate(rate);
        let encoded = rate_for(rate);
        let resampler = if encoded == rate {
            None
        } else {
            Some(Resampler::new(rate, encoded, channels).ok_or_else(refused)?)
        };
        let encoder = encoder.filter(|encoder| encoder.takes(encoded, channels));
        let encoder = match encoder {
            Some(encoder) => encoder,
            None => Encoder::new(encoded, channels).ok_or_else(refused)?,
        };
        Ok(Self {
            rate,
            channels,
            clock: Clock::new(start, rate),
            resampler,
            encoder,
            pending: Vec::new(),
            start,
            last: vec![0.0; channels],
            held: vec![0.0; channels],
            blended: 0,
        })
    }

    /// Whether it takes such samples.
    pub(crate) fn takes(&self, rate: u32, channels: usize) -> bool {
        (self.rate, self.channels) == (rate, channels)
    }

    /// Whether a unit that is due at `due` follows what was.
    pub(crate) fn follows(&self, due: i64) -> bool {
        self.clock.step(due) == Step::Follow
    }

    /// Takes interleaved samples of which the first is due at `due`.
    pub(crate) fn push(&mut self, due: i64, samples: &mut [f32], out: &mut Vec<Packet>) {
        let mut from = 0;
        match self.clock.step(due) {
            Step::Follow => {}
            Step::Fill(samples) => self.silence(samples, out),
            Step::Drop(samples) => {
                from = samples.saturating_mul(self.channels);
                self.splice();
            }
            Step::Jump => {
                self.finish(out);
                self.begin(due);
            }
        }
        if let Some(samples) = samples.get_mut(from..) {
            self.blend(samples);
            self.append(samples, out);
        }
    }

    /// Completes the packet that is under way with silence. Returns the encoder, and when the line ends.
    pub(crate) fn end(mut self, out: &mut Vec<Packet>) -> (Encoder, i64) {
        self.finish(out);
        (self.encoder, self.start)
    }

    fn finish(&mut self, out: &mut Vec<Packet>) {
        // What the resampler still holds comes out.
        self.silence(REACH.max((self.rate / FADE) as usize), out);
        if !self.pending.is_empty() {
            self.pending
                .resize(self.encoder.packet() * self.channels, 0.0);
            self.encode(out);
        }
    }

    /// Begins anew at `start`.
    fn begin(&mut self, start: i64) {
        self.clock = Clock::new(start, self.rate);
        self.start = start;
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }

    /// Appends `samples` of silence, to which the sound before falls, and from which that after it rises.
    fn silence(&mut self, samples: usize, out: &mut Vec<Packet>) {
        let mut silence = vec![0.0; samples * self.channels];
        self.splice();
        self.blend(&mut silence);
        self.append(&silence, out);
        self.splice();
    }

    /// What comes next does not follow what was.
    fn splice(&mut self) {
        self.held.copy_from_slice(&self.last);
        self.blended = 0;
    }

    /// Lets the sound before the last splice go over into `samples`.
    fn blend(&mut self, samples: &mut [f32]) {
        let length = (self.rate / FADE) as usize;
        for frame in samples.chunks_exact_mut(self.channels) {
            if self.blended >= length {
                return;
            }
            self.blended += 1;
            let gain = self.blended as f32 / length as f32;
            for (sample, held) in frame.iter_mut().zip(&self.held) {
                *sample = *sample * gain + held * (1.0 - gain);
            }
        }
    }

    fn append(&mut self, samples: &[f32], out: &mut Vec<Packet>) {
        if let Some(last) = samples.chunks_exact(self.channels).next_back() {
            self.last.copy_from_slice(last);
        }
        self.clock.advance(samples.len() / self.channels);
        match &mut self.resampler {
            None => self.pending.extend_from_slice(samples),
            Some(resampler) => resampler.push(samples, &mut self.pending),
        }
        self.encode(out);
    }

    /// Encodes what there is of whole packets.
    fn encode(&mut self, out: &mut Vec<Packet>) {
        let whole = self.encoder.packet() * self.channels;
        let mut taken = 0;
        while let Some(samples) = self.pending.get(taken..taken + whole) {
            // The encoder's delay is made good: what comes out first of this packet lay so much earlier.
            let at = self.start.saturating_sub(self.encoder.delay());
            if let Some(data) = self.encoder.encode(samples) {
                let format = Arc::clone(self.encoder.format());
                out.push(Packet { at, format, data });
            }
            self.start = self.start.saturating_add(TICKS / 50);
            taken += whole;
        }
        self.pending.drain(..taken);
    }
}
