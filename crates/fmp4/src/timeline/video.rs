use media::{Format, Frame};

use super::unsigned;
use crate::moof::Sample;

/// A frame is late when it comes more than this (a ratio) of the last declared duration after the last one.
/// Browsers draw the line at 2; the rest is for their rounding to microseconds.
pub(super) const LATE: (u64, u64) = (19, 10);

/// Frames per second where nobody says.
const DEFAULT_RATE: u32 = 25;
/// What is believed of a frame rate in parameter sets, which are often wrong, in frames per second.
const BELIEVED_RATES: std::ops::RangeInclusive<u32> = 1..=240;

#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// What the first duration is thought to be, in ticks, where that is known better than from the parameter sets.
    pub(super) expected: Option<u32>,
    last: Option<Last>,
    pub(super) gaps: u64,
}

/// The frame before.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// Its true decode time.
    due: u64,
    /// Its decode time as placed.
    placed: u64,
    /// Its declared duration.
    duration: u32,
    /// What a duration is thought to be.
    estimate: u32,
}

impl Timeline {
    pub(super) fn place(&mut self, frame: &Frame) -> Sample {
        let due = unsigned(frame.dts);
        let now = match self.last {
            None => first(due, self.expected.unwrap_or_else(|| nominal(&frame.format))),
            Some(last) => after(last, due),
        };
        self.last = Some(now);
        // A late frame is shown early: its presentation moves with it.
        let shown = if now.placed < due {
            self.gaps += 1;
            frame.pts.saturating_sub(frame.dts)
        } else {
            frame.pts.max(0).saturating_sub_unsigned(now.placed)
        };
        Sample {
            dts: now.placed,
            duration: now.duration,
            composition: shown.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            keyframe: frame.keyframe,
            data: frame.data.clone(),
        }
    }

    /// The next frame continues nothing.
    pub(super) fn restart(&mut self) {
        if let Some(last) = self.last.take() {
            self.expected = Some(last.estimate);
        }
    }
}

fn first(due: u64, estimate: u32) -> Last {
    Last {
        due,
        placed: due,
        duration: estimate,
        estimate,
    }
}

fn after(last: Last, due: u64) -> Last {
    let estimate = smooth(last.estimate, due.saturating_sub(last.due));
    let late =
        due.saturating_sub(last.placed).saturating_mul(LATE.1) > u64::from(last.duration) * LATE.0;
    // A repeated or backward time still moves on by a tick.
    let placed = if late {
        last.placed + u64::from(last.duration)
    } else {
        due.max(last.placed + 1)
    };
    let duration = due.saturating_sub(placed) + u64::from(estimate);
    Last {
        due,
        placed,
        duration: u32::try_from(duration).unwrap_or(u32::MAX),
        estimate,
    }
}

fn smooth(estimate: u32, delta: u64) -> u32 {
    let delta = u32::try_from(delta).unwrap_or(u32::MAX);
    delta
        .min(estimate.saturating_mul(2))
        .max(estimate - estimate / 4)
        .max(1)
}

/// The duration that the parameter sets promise, in ticks.
fn nominal(format: &Format) -> u32 {
    let told = match format {
        Format::H264(video) => video.frame_rate,
        Format::H265(video) => video.frame_rate,
        _ => None,
    };
    let clock = format.clock_rate();
    let (numerator, denominator) = told.unwrap_or((DEFAULT_RATE, 1));
    if numerator == 0 || denominator == 0 {
        return clock / DEFAULT_RATE;
    }
    let ticks = u64::from(clock) * u64::from(denominator) / u64::from(numerator);
    let (slowest, fastest) = (*BELIEVED_RATES.start(), *BELIEVED_RATES.end());
    ticks.clamp(u64::from(clock / fastest), u64::from(clock / slowest)) as u32
}
