use std::sync::Arc;

use media::pcm::Decoder;
use media::{Format, Frame};

use super::{MAX_BLOCK, MIN_BLOCK, encode};

/// A block whose samples were due more than this many milliseconds off where they come does not begin with
/// what was left over.
const SEAM_MS: i64 = 30;

/// Frames of G.711, G.722 or linear PCM into frames of FLAC, mostly one into one.
///
/// Up to 15 samples are kept for the next frame where a frame would leave a block too short for FLAC.
#[derive(Debug)]
pub struct PcmToFlac {
    decoder: Decoder,
    format: Arc<Format>,
    sample_rate: u32,
    channels: u8,
    /// Ticks of FLAC in a tick of the source: 2 for G.722, else 1.
    ticks: i64,
    /// Interleaved samples that wait for more.
    rest: Vec<i16>,
    /// When the sample after `rest` is due, in ticks of FLAC.
    next: i64,
}

impl PcmToFlac {
    /// A converter of frames of `source`; none for other codecs, and for more than two channels.
    pub fn new(source: &Format) -> Option<Self> {
        let decoder = Decoder::new(source)?;
        let (sample_rate, channels) = (decoder.sample_rate(), decoder.channels());
        Some(Self {
            decoder,
            format: Arc::new(Format::Flac(super::format(sample_rate, channels)?)),
            sample_rate,
            channels,
            ticks: i64::from(sample_rate / source.clock_rate()),
            rest: Vec::new(),
            next: 0,
        })
    }

    /// The format of what [`Self::push`] returns.
    pub fn format(&self) -> &Arc<Format> {
        &self.format
    }

    /// The frames of FLAC that `frame` completes: one, or none where it is shorter than [`MIN_BLOCK`], or
    /// more where it is longer than [`MAX_BLOCK`] samples.
    pub fn push(&mut self, frame: &Frame) -> Vec<Frame> {
        let channels = usize::from(self.channels);
        let mut due = frame.pts.saturating_mul(self.ticks);
        let seam = i64::from(self.sample_rate) * SEAM_MS / 1000;
        if frame.discontinuity || due.abs_diff(self.next) > seam.unsigned_abs() {
            self.rest.clear();
        }
        let mut samples = std::mem::take(&mut self.rest);
        due = due.saturating_sub((samples.len() / channels) as i64);
        self.decoder.decode(&frame.data, &mut samples);
        let mut blocks = Vec::with_capacity(1);
        let mut left = samples.as_slice();
        while left.len() >= MIN_BLOCK * channels {
            let (block, after) =
                left.split_at(left.len().min(MAX_BLOCK * channels) / channels * channels);
            blocks.extend(self.block(frame, due, block, blocks.is_empty()));
            due = due.saturating_add((block.len() / channels) as i64);
            left = after;
        }
        // Half a sample can't be kept: the next frame begins with a whole one.
        let whole = left.len() / channels * channels;
        self.next = due.saturating_add((whole / channels) as i64);
        self.rest = left[..whole].to_vec();
        blocks
    }

    fn block(&self, frame: &Frame, due: i64, samples: &[i16], first: bool) -> Option<Frame> {
        let number = u64::try_from(due).unwrap_or(0);
        let data = encode(self.sample_rate, self.channels, number, samples)?;
        Some(Frame {
            track: frame.track,
            format: Arc::clone(&self.format),
            pts: due,
            dts: due,
            keyframe: true,
            discontinuity: frame.discontinuity && first,
            wallclock: frame.wallclock.filter(|_| first),
            arrival: frame.arrival,
            data,
        })
    }
}
