//! Durations that hold for as long as a packager runs. Pure.

use std::time::Duration;

use crate::Settings;

pub(crate) const SECOND: i64 = 1_000_000_000;

/// Durations are whole milliseconds, as dates are, in nanoseconds: players take one for the other.
pub(crate) const GRAIN: i64 = SECOND / 1000;

/// How much longer than the target duration a segment may be: durations count as rounded
/// (draft-pantos-hls-rfc8216bis §4.4.3.1).
pub(crate) const ROUNDING: i64 = SECOND / 2 - GRAIN;

/// The longest that a part is, in nanoseconds, however few pictures there are.
const LONGEST_PART: i64 = 30 * SECOND;

/// Pictures that are further apart than this, in nanoseconds, are a part each even where there is sound: video.js (8.24) gives up after ten parts in a
/// row without a picture.
pub(crate) const SPARSE: i64 = SECOND * 3 / 2;

/// How many pictures the first playlist has where each is a part, and a segment: with one segment GStreamer (1.22) finds its place no more.
const FIRST_SINGLE: usize = 2;

/// How many it has where they are further apart than parts are long: one for each of the first three segments, and one for the last of these to have
/// some parts (`Packager::tail`).
const FIRST_SPARSE: usize = 4;

/// The longest that segments are made for keyframes that are far apart, in nanoseconds.
const LONGEST_SEGMENT: i64 = 30 * SECOND;

/// The shortest target duration, in nanoseconds: a GOP of less than a second is less than two seconds with the next one.
const SHORTEST_TARGET: i64 = 2 * SECOND;

/// By how much less than its GOP a target duration may be, in nanoseconds: durations count as rounded. Not more than needed,
/// since video.js (8.24) takes the segment in the making to be as long as that, and begins at its end.
const SLACK: i64 = SECOND * 2 / 5;

/// Durations that hold for as long as the packager runs, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    /// EXT-X-PART-INF:PART-TARGET.
    pub(crate) part: i64,
    /// EXT-X-TARGETDURATION, whole seconds.
    pub(crate) target: i64,
    /// A part is one picture, and ends where the next one begins.
    pub(crate) single: bool,
    /// How many pictures the first playlist has at least.
    pub(crate) pictures: usize,
}

impl Timing {
    /// For pictures that are `step` nanoseconds apart, sound beside them, and a keyframe every `gop` nanoseconds.
    pub(crate) fn heard(settings: &Settings, step: i64, gop: Option<i64>) -> Self {
        if step > SPARSE {
            return Self::pictures(settings, step, gop);
        }
        Self::new(settings, even(nanos(settings.part), gop), step, gop)
    }

    /// For nothing but pictures that are `step` nanoseconds apart: a part is long enough for one.
    pub(crate) fn pictures(settings: &Settings, step: i64, gop: Option<i64>) -> Self {
        let wanted = nanos(settings.part);
        if step <= wanted {
            return Self::new(settings, even(wanted, gop), step, gop);
        }
        Self {
            single: true,
            pictures: FIRST_SINGLE,
            ..Self::new(settings, step + step / 10, step, gop)
        }
    }

    /// For nothing but sound in units of `unit` nanoseconds: a part holds as many as fit, exactly.
    pub(crate) fn sound(settings: &Settings, unit: i64) -> Self {
        let unit = unit.max(GRAIN);
        let units = (nanos(settings.part) + unit - 1) / unit;
        Self::new(settings, units * unit, unit, None)
    }

    /// Whether parts are so short that an answer may wait for one more; longer ones are longer than anybody would wish to wait.
    pub(crate) fn is_brief(&self) -> bool {
        self.part <= nanos(Settings::PARTS[1])
    }

    /// A segment has room for a picture and for one that comes a tenth late: one without any is no media to some players (hls.js 1.7).
    fn new(settings: &Settings, part: i64, step: i64, gop: Option<i64>) -> Self {
        let part = up(part.min(LONGEST_PART), GRAIN);
        let room = (step + step / 10).min(LONGEST_PART);
        let whole = gop
            .filter(|gop| *gop <= LONGEST_SEGMENT)
            .map(|gop| up(gop - SLACK, SECOND).max(SHORTEST_TARGET));
        let segment = whole.unwrap_or_else(|| nanos(settings.segment));
        Self {
            part,
            target: up(segment.max(part).max(room), SECOND),
            single: false,
            pictures: if step > part { FIRST_SPARSE } else { 0 },
        }
    }
}

/// Parts of at most `part` nanoseconds, a whole number of which is a GOP, where that makes them little shorter: a segment then
/// has no short part at its end.
fn even(part: i64, gop: Option<i64>) -> i64 {
    let Some(gop) = gop.filter(|gop| *gop > 0) else {
        return part;
    };
    // Keyframes come a little early or late; what is that short is no part.
    let count = up((gop - part / 20).max(1), part) / part;
    let even = up(gop / count, GRAIN).min(part);
    if even * 100 >= part * 85 { even } else { part }
}

/// `value` rounded up to a multiple of `step`.
fn up(value: i64, step: i64) -> i64 {
    (value + step - 1).div_euclid(step) * step
}

/// `value` rounded to the nearest multiple of [`GRAIN`].
pub(crate) fn grained(value: i64) -> i64 {
    (value + GRAIN / 2).div_euclid(GRAIN) * GRAIN
}

pub(crate) fn nanos(span: Duration) -> i64 {
    i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)
}
