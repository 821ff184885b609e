//! Codecs to samples: floating point, one or two channels, interleaved.

use std::fmt;

use media::{Format, pcm};
use rusty_aac::config::{self, StreamConfig};
use rusty_aac::decode::Decoder as AacDecoder;

use crate::Error;
use crate::encode::rate_for;
use crate::resample::Resampler;

/// The sample rates that are taken.
const RATES: std::ops::RangeInclusive<u32> = 7_000..=96_000;

/// The most channels that are mixed down to two.
const MAX_CHANNELS: usize = 8;

/// What an access unit became.
#[derive(Debug, Default)]
pub(crate) struct Sound {
    /// Samples per second and channel.
    pub(crate) rate: u32,
    /// 1 or 2.
    pub(crate) channels: usize,
    /// Within -1 to 1, channels interleaved.
    pub(crate) samples: Vec<f32>,
}

/// Whether frames of `format` can become Opus.
///
/// # Errors
/// What is in the way, in words for the camera's owner.
pub fn check(format: &Format) -> Result<(), Error> {
    Decoder::new(format).map(|_| ())
}

/// A decoder of one track.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// Boxed, for it is large.
    Aac(Box<Aac>),
    /// G.711, G.722, linear PCM.
    Pcm(pcm::Decoder, Vec<i16>),
}

impl Decoder {
    pub(crate) fn new(format: &Format) -> Result<Self, Error> {
        if let Format::Aac(aac) = format {
            return Aac::new(&aac.config).map(|aac| Self::Aac(Box::new(aac)));
        }
        let decoder =
            pcm::Decoder::new(format).ok_or_else(|| Error::Codec(format.codec().name()))?;
        known(decoder.sample_rate())?;
        Ok(Self::Pcm(decoder, Vec::new()))
    }

    /// Decodes one access unit into `sound`.
    pub(crate) fn decode(&mut self, data: &[u8], sound: &mut Sound) -> Result<(), Error> {
        sound.samples.clear();
        match self {
            Self::Aac(aac) => aac.decode(data, sound),
            Self::Pcm(decoder, scratch) => {
                scratch.clear();
                decoder.decode(data, scratch);
                let samples = scratch.iter().map(|&s| f32::from(s) / 32_768.0);
                sound.rate = decoder.sample_rate();
                let channels = usize::from(decoder.channels());
                sound.channels = mix(samples, channels, &mut sound.samples);
                Ok(())
            }
        }
    }

    /// Forgets what the units before have left: units were lost.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Aac(aac) => aac.inner = aac.fresh(),
            // Nothing worth forgetting: the state of G.722 converges within milliseconds.
            Self::Pcm(..) => {}
        }
    }
}

/// AAC of all kinds that cameras make, SBR and parametric stereo included.
pub(crate) struct Aac {
    config: StreamConfig,
    /// None where building one failed, which it didn't the first time.
    inner: Option<AacDecoder>,
}

impl Aac {
    fn new(asc: &[u8]) -> Result<Self, Error> {
        let refused = |error: rusty_aac::Error| Error::Aac(words(&error));
        let config = config::parse(asc).map_err(refused)?;
        known(config.sample_rate)?;
        let inner = AacDecoder::with_stream_config(config.clone()).map_err(refused)?;
        Ok(Self {
            config,
            inner: Some(inner),
        })
    }

    fn fresh(&self) -> Option<AacDecoder> {
        AacDecoder::with_stream_config(self.config.clone()).ok()
    }

    fn decode(&mut self, data: &[u8], sound: &mut Sound) -> Result<(), Error> {
        let broken = |error: rusty_aac::Error| Error::Frame(words(&error));
        let Some(inner) = &mut self.inner else {
            return Err(Error::Frame("there is no decoder".to_owned()));
        };
        let decoded = inner.decode(data, None).map_err(broken)?;
        sound.rate = known(decoded.sample_rate)?;
        let channels = usize::from(decoded.channels);
        sound.channels = mix(
            decoded.samples.iter().copied(),
            channels,
            &mut sound.samples,
        );
        Ok(())
    }
}

fn known(rate: u32) -> Result<u32, Error> {
    let way = RATES.contains(&rate) && Resampler::knows(rate, rate_for(rate));
    way.then_some(rate).ok_or(Error::SampleRate(rate))
}

impl fmt::Debug for Aac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamConfig {
            object_type,
            sample_rate,
            ..
        } = self.config;
        write!(f, "Aac(type {object_type}, {sample_rate} Hz)")
    }
}

/// The decoder's own words, without its name before them.
fn words(error: &rusty_aac::Error) -> String {
    let text = error.to_string();
    text.rsplit("aac: ").next().unwrap_or(&text).to_owned()
}

/// Appends what `samples` are in one or two channels, and says in how many.
///
/// More than two are mixed down as ITU-R BS.775 has it, centre and surrounds 3 dB lower, without the low
/// frequency channel, and scaled so that nothing can clip. Channels come in the order of WAVE: left, right, centre, low
/// frequency, then the surrounds, left before right.
fn mix(samples: impl Iterator<Item = f32>, channels: usize, out: &mut Vec<f32>) -> usize {
    let samples = samples.map(sane);
    if channels <= 2 {
        out.extend(samples);
        return channels.max(1);
    }
    let weights = weights(channels);
    let mut pair = [0.0; 2];
    let mut channel = 0;
    for sample in samples {
        let [left, right] = weights.get(channel).copied().unwrap_or([0.0; 2]);
        pair[0] += left * sample;
        pair[1] += right * sample;
        channel += 1;
        if channel == channels {
            out.extend(pair);
            (pair, channel) = ([0.0; 2], 0);
        }
    }
    2
}

/// How much of each channel goes left and right. The layouts are those of `channelConfiguration` (ISO/IEC
/// 14496-3 table 1.19) 3 to 8 in the order of WAVE.
fn weights(channels: usize) -> [[f32; 2]; MAX_CHANNELS] {
    const L: [f32; 2] = [1.0, 0.0];
    const R: [f32; 2] = [0.0, 1.0];
    const C: [f32; 2] = [
        std::f32::consts::FRAC_1_SQRT_2,
        std::f32::consts::FRAC_1_SQRT_2,
    ];
    const SL: [f32; 2] = [std::f32::consts::FRAC_1_SQRT_2, 0.0];
    const SR: [f32; 2] = [0.0, std::f32::consts::FRAC_1_SQRT_2];
    const NONE: [f32; 2] = [0.0, 0.0];
    let mut weights = match channels {
        3 => [L, R, C, NONE, NONE, NONE, NONE, NONE],
        4 => [L, R, C, C, NONE, NONE, NONE, NONE],
        5 => [L, R, C, SL, SR, NONE, NONE, NONE],
        6 => [L, R, C, NONE, SL, SR, NONE, NONE],
        7 => [L, R, C, NONE, C, SL, SR, NONE],
        _ => [L, R, C, NONE, SL, SR, SL, SR],
    };
    let loudest = weights.iter().map(|w| w[0]).sum::<f32>();
    for weight in weights.iter_mut().flatten() {
        *weight /= loudest;
    }
    weights
}

/// What a broken unit decodes to may be anything.
fn sane(sample: f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(-1.0, 1.0)
    }
}
