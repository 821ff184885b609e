use media::time::rescale;
use media::{Format, Frame};

use super::{Placed, unsigned};
use crate::moof::Sample;
use crate::silence::{self, Unit};

/// How far a frame may be from where it is due and still follow the frame before it, in milliseconds. Sender
/// reports and cameras' rounding move sound by less; lips and voices part visibly at more than 40.
pub(super) const TOLERANCE_MS: u64 = 30;

/// The most units of silence in one gap; the last one lasts as long as the rest. 20 s of AAC at 48 kHz.
const MAX_SILENCE: u64 = 1000;

#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Where the last sample ends.
    pub(super) end: Option<u64>,
    /// How long the last sample lasts.
    last_duration: u64,
    pub(super) gaps: u64,
    pub(super) overlaps: u64,
}

impl Timeline {
    pub(super) fn place(&mut self, frame: &Frame) -> Placed {
        let length = silence::length(&frame.format, &frame.data);
        let due = unsigned(frame.dts);
        let tolerance = u64::from(frame.format.clock_rate()) * TOLERANCE_MS / 1000;
        let end = self.end.unwrap_or(due);
        if end.saturating_sub(due) > tolerance && due + u64::from(length) <= end + tolerance {
            self.overlaps += 1;
            return Placed::default();
        }
        let gap = due.saturating_sub(end);
        if gap <= tolerance {
            return self.append(Vec::new(), end, u64::from(length), frame);
        }
        self.gaps += 1;
        let silence = self.fill(&frame.format, end, due);
        let start = self.end.unwrap_or(due);
        // What is left of the gap is bridged by browsers only up to the length of the frame before it.
        if due.saturating_sub(start).saturating_mul(10) <= self.last_duration.saturating_mul(9) {
            self.append(silence, due, u64::from(length), frame)
        } else {
            self.append(silence, start, due - start + u64::from(length), frame)
        }
    }

    pub(super) fn silence(&mut self, format: &Format, from: i64, until: i64) -> Vec<Sample> {
        let start = self.end.unwrap_or_else(|| unsigned(from));
        let Some(unit) = Unit::of(format) else {
            return Vec::new();
        };
        let room = unsigned(until).saturating_sub(start);
        // Whole units only: sound that comes back is better early than cut.
        self.fill(
            format,
            start,
            start + room - room % u64::from(unit.length()),
        )
    }

    /// The clock changed: the same moment in ticks of the new one.
    pub(super) fn rescale(&mut self, from: u32, to: u32) {
        let convert = |ticks: u64| {
            let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
            unsigned(rescale(ticks, i64::from(to), i64::from(from)))
        };
        self.end = self.end.map(convert);
        self.last_duration = convert(self.last_duration);
    }

    fn append(&mut self, silence: Vec<Sample>, at: u64, duration: u64, frame: &Frame) -> Placed {
        let sample = Sample {
            dts: at,
            duration: u32::try_from(duration).unwrap_or(u32::MAX),
            composition: 0,
            keyframe: true,
            data: frame.data.clone(),
        };
        self.advance(&sample);
        Placed {
            silence,
            frame: Some(sample),
        }
    }

    /// Silence from `from` to exactly `to`; nothing where not a single unit fits.
    fn fill(&mut self, format: &Format, from: u64, to: u64) -> Vec<Sample> {
        let mut samples = Vec::new();
        let Some(unit) = Unit::of(format) else {
            return samples;
        };
        let length = u64::from(unit.length());
        let count = (to.saturating_sub(from) / length).min(MAX_SILENCE);
        for place in 0..count {
            let dts = from + place * length;
            let duration = if place + 1 == count { to - dts } else { length };
            let sample = Sample {
                dts,
                duration: u32::try_from(duration).unwrap_or(u32::MAX),
                composition: 0,
                keyframe: true,
                data: unit.data(dts),
            };
            self.advance(&sample);
            samples.push(sample);
        }
        samples
    }

    fn advance(&mut self, sample: &Sample) {
        self.end = Some(sample.dts + u64::from(sample.duration));
        self.last_duration = u64::from(sample.duration);
    }
}
