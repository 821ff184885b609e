//! Samples to the bytes of a part. Pure.

use bytes::BytesMut;
use fmp4::{Sample, Sequence, moof};
use media::time::{nanos_to_ticks, ticks_to_nanos};

use crate::lanes::Unit;

/// The span of a part on the playlist's clock, in nanoseconds of the Stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// How long parts are.
    pub(crate) part: i64,
    /// How many parts have begun since one began with a keyframe.
    pub(crate) since_start: u64,
}

/// The most ticks that a part's decode time is early.
const MAX_EARLY: u64 = 150;

/// Appends `moof` and `mdat` of one track, and that a `silent` one goes on at its time.
pub(crate) fn write(
    data: &mut BytesMut,
    sequence: &mut Sequence,
    silent: Option<(u32, u64)>,
    track: u32,
    samples: &[Sample],
) {
    let number = sequence.advance();
    data.extend_from_slice(&match silent {
        Some(silent) => moof::head_beside(silent, number, track, samples),
        None => moof::head(number, track, samples),
    });
    for sample in samples {
        data.extend_from_slice(&sample.data);
    }
}

/// When the picture after `sample` has to be decoded at the latest, in nanoseconds: a browser that finds it later than two durations drops
/// all up to the next keyframe (MSE §3.5.8). A little less, for what it rounds.
pub(crate) fn next_by(sample: &Sample, clock: u32) -> i64 {
    let by = sample.dts + u64::from(sample.duration) * 19 / 10;
    ticks_to_nanos(i64::try_from(by).unwrap_or(i64::MAX), clock)
}

/// Where a part begins, in ticks of `clock`: nearly on the playlist's clock, see [`on_the_clock`].
pub(crate) fn begins(clock: u32, span: Span) -> u64 {
    let at = u64::try_from(nanos_to_ticks(span.from, clock)).unwrap_or(0);
    at.saturating_sub(span.since_start.min(MAX_EARLY))
}

/// The samples of a picture, decoded on the playlist's clock: the first one exactly where the part begins, and the
/// last one until where it ends. Players (Shaka) compare the decode time of a part with the playlist,
/// and a millisecond of difference costs them all pictures up to the next keyframe.
///
/// Nearly exactly: a tick earlier with each part, until one begins with a keyframe. Shaka (5.2) adds a millisecond to
/// what it subtracts, and then takes a difference of a millisecond for a reason to drop pictures; what grows by a tick
/// stays below. Decode times alone are moved, by 2 ms at most, which nobody sees.
///
/// When pictures are shown stays as the camera says. Only those that are ahead of the playlist by more than a part,
/// as after a stall, are shown earlier, so that no hole is in what is buffered.
pub(crate) fn on_the_clock(units: &[Unit], clock: u32, span: Span) -> Vec<Sample> {
    let ticks = |nanos: i64| u64::try_from(nanos_to_ticks(nanos, clock)).unwrap_or(0);
    let first = begins(clock, span);
    // Where the next part begins, unless a keyframe does. Never on the part's end itself: video.js (8.24) that stands there after the
    // part with the keyframe loads that part again, ten times, and gives up.
    let last = ticks(span.to).saturating_sub((span.since_start + 1).min(MAX_EARLY));
    let mut next = first;
    let mut samples: Vec<Sample> = Vec::with_capacity(units.len());
    for (place, unit) in units.iter().enumerate() {
        let own = unit.sample.dts;
        let left = (units.len() - place) as u64;
        let latest = last.saturating_sub(MAX_EARLY + left).max(next);
        let dts = if place == 0 {
            first
        } else {
            own.clamp(next, latest)
        };
        let ahead = own as i64 - dts as i64;
        let ahead = ahead.min(nanos_to_ticks(span.part, clock));
        let mut composition = i64::from(unit.sample.composition).saturating_add(ahead);
        if place == 0 && unit.starts() {
            // Never shown before it is decoded: hls.js (1.7) puts the decode time of what it begins with at 0, and a browser drops
            // what is shown before that, and then all up to the next keyframe.
            composition = composition.max(0);
        }
        samples.push(Sample {
            dts,
            composition: composition.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32,
            ..unit.sample.clone()
        });
        next = dts + 1;
    }
    if let Some((sample, unit)) = samples.last_mut().zip(units.last()) {
        // A long picture lasts over the parts after this one, which have none.
        let end = if unit.end() - span.to >= span.part / 2 {
            ticks(unit.end())
        } else {
            last
        };
        let duration = end.saturating_sub(sample.dts).max(1);
        sample.duration = u32::try_from(duration).unwrap_or(u32::MAX);
    }
    samples
}
