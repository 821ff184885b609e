//! Samples of one rate to another, a rational factor apart: a windowed sinc, one phase per output sample.

use std::f64::consts::PI;

/// Samples of the input on either side that an output sample is made of.
pub(crate) const REACH: usize = 24;
/// How many phases there may be: what the rates of sound need, and no more memory than 120 KB.
const MAX_PHASES: usize = 640;
/// The middle of the slope, of what the lower of the two rates can carry.
const CUTOFF: f64 = 0.93;
/// The shape of the Kaiser window: 60 dB down outside of the pass band.
const BETA: f64 = 6.0;

/// A resampler without delay: an output sample lies exactly where it would on the input's time line, and comes as
/// soon as the [`REACH`] input samples after it are there.
#[derive(Debug)]
pub(crate) struct Resampler {
    /// Input samples per `up` output samples, both without a common factor.
    down: usize,
    up: usize,
    /// For each place of an output sample between two input samples, the weights of those around it.
    phases: Vec<[f32; 2 * REACH]>,
    /// By channel, input that is still needed.
    past: Vec<Vec<f32>>,
    /// The next output sample: the input sample at or before it, counted in `past`, and the phase.
    at: usize,
    phase: usize,
}

impl Resampler {
    /// Whether the two rates have enough in common.
    pub(crate) fn knows(from: u32, to: u32) -> bool {
        (to / gcd(from, to)) as usize <= MAX_PHASES
    }

    /// From `from` to `to` samples per second; none where the two have too little in common.
    pub(crate) fn new(from: u32, to: u32, channels: usize) -> Option<Self> {
        let common = gcd(from, to);
        let (up, down) = ((to / common) as usize, (from / common) as usize);
        let cutoff = CUTOFF * (f64::from(to) / f64::from(from)).min(1.0);
        Self::knows(from, to).then(|| Self {
            down,
            up,
            phases: (0..up)
                .map(|phase| weights(phase as f64 / up as f64, cutoff))
                .collect(),
            // Silence before the first sample.
            past: vec![vec![0.0; REACH - 1]; channels],
            at: REACH - 1,
            phase: 0,
        })
    }

    /// Begins anew, from silence.
    pub(crate) fn reset(&mut self) {
        for past in &mut self.past {
            past.clear();
            past.resize(REACH - 1, 0.0);
        }
        (self.at, self.phase) = (REACH - 1, 0);
    }

    /// Appends to `out` what `samples` make possible; channels are interleaved in both.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let channels = self.past.len();
        for (channel, past) in self.past.iter_mut().enumerate() {
            past.extend(
                samples[channel.min(samples.len())..]
                    .iter()
                    .step_by(channels),
            );
        }
        let there = self.past.iter().map(Vec::len).min().unwrap_or(0);
        while self.at + REACH < there {
            let weights = &self.phases[self.phase];
            let around = self.at + 1 - REACH..self.at + 1 + REACH;
            out.extend(
                self.past
                    .iter()
                    .map(|past| dot(&past[around.clone()], weights)),
            );
            self.phase += self.down;
            self.at += self.phase / self.up;
            self.phase %= self.up;
        }
        let done = (self.at + 1 - REACH).min(there);
        for past in &mut self.past {
            past.drain(..done);
        }
        self.at -= done;
    }
}

/// In eight lanes, so that the compiler may use vectors.
fn dot(samples: &[f32], weights: &[f32; 2 * REACH]) -> f32 {
    let mut lanes = [0.0; 8];
    for (samples, weights) in samples.chunks_exact(8).zip(weights.chunks_exact(8)) {
        for ((lane, sample), weight) in lanes.iter_mut().zip(samples).zip(weights) {
            *lane += sample * weight;
        }
    }
    lanes.iter().sum()
}

/// The weights of an output sample that lies `place` (0 to 1) behind an input sample.
fn weights(place: f64, cutoff: f64) -> [f32; 2 * REACH] {
    let mut weights = [0.0; 2 * REACH];
    for (i, weight) in weights.iter_mut().enumerate() {
        let x = i as f64 - (REACH - 1) as f64 - place;
        let ratio = x / REACH as f64;
        let window = bessel(BETA * (1.0 - ratio * ratio).max(0.0).sqrt()) / bessel(BETA);
        *weight = sinc(cutoff * x) * window;
    }
    // Each phase passes a constant as it is: otherwise it would hum at the rate of the phases.
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| (weight / sum) as f32)
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    }
}

/// The modified Bessel function of the first kind and order zero.
fn bessel(x: f64) -> f64 {
    let (mut sum, mut term, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-12 {
        term *= (x / (2.0 * k)) * (x / (2.0 * k));
        sum += term;
        k += 1.0;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
