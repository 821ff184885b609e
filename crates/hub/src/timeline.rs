//! The Stream's own time line: it goes on where it was when a Source is restarted. Pure. See `docs/time.md`.

use std::collections::BTreeMap;
use std::sync::Arc;

use media::time::{nanos_to_ticks, ticks_to_nanos};
use media::{Format, Frame, Kind, TrackId};

/// What lies on the time line between the last frame of a run and the first of the next, in nanoseconds:
/// about one picture, so that a player sees neither a hole nor an overlap.
const SEAM: i64 = 40_000_000;

/// Where a Stream's time line begins, in nanoseconds: sound that is a little older than the first picture,
/// and decode times before the first presentation time, still lie after zero.
const BEGIN: i64 = 1_000_000_000;

/// Where frames are put on the Stream's time line. Outlives the runs of a Source.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// The latest moment that any frame reached, in nanoseconds.
    end: Option<i64>,
    /// What is added to the times of the present run, in nanoseconds; none before its first frame.
    offset: Option<i64>,
    tracks: BTreeMap<TrackId, Place>,
    /// The run whose frames are taken; writes of an earlier one come too late.
    run: u64,
}

/// How far one track has come.
#[derive(Debug)]
struct Place {
    format: Arc<Format>,
    last_dts: i64,
    /// No frame of the present run has been seen.
    resumed: bool,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed {
    /// It was moved onto the Stream's time line.
    AsSent,
    /// A picture whose time stood still or ran backwards was moved right behind the one before: the
    /// pictures after it need it.
    Repaired,
    /// Sound that lies before what was already written has no place any more.
    Late,
}

impl Timeline {
    /// Begins a new run: what follows continues after all that was.
    pub(crate) fn begin(&mut self) -> u64 {
        self.run += 1;
        self.offset = None;
        for place in self.tracks.values_mut() {
            place.resumed = true;
        }
        self.run
    }

    /// Whether `run` is the present one.
    pub(crate) fn is(&self, run: u64) -> bool {
        self.run == run
    }

    /// Moves a frame of the present run onto the time line. A format equal to the track's last keeps its `Arc`.
    pub(crate) fn place(&mut self, frame: &mut Frame) -> Placed {
        let rate = frame.format.clock_rate();
        let begin = self.end.map_or(BEGIN, |end| end + SEAM);
        let offset = *self.offset.get_or_insert_with(|| begin - frame.dts_nanos());
        let shift = nanos_to_ticks(offset, rate);
        frame.dts += shift;
        frame.pts += shift;
        let placed = self.keep_order(frame);
        if placed != Placed::Late {
            let reached = frame.pts_nanos().max(frame.dts_nanos());
            self.end = Some(self.end.map_or(reached, |end| end.max(reached)));
        }
        placed
    }

    /// Makes decode times strictly increase on each track, across runs and changes of its clock too.
    fn keep_order(&mut self, frame: &mut Frame) -> Placed {
        let Some(place) = self.tracks.get_mut(&frame.track) else {
            frame.discontinuity |= self.run > 1;
            let place = Place {
                format: Arc::clone(&frame.format),
                last_dts: frame.dts,
                resumed: false,
            };
            self.tracks.insert(frame.track, place);
            return Placed::AsSent;
        };
        let last = ticks_to_nanos(place.last_dts, place.format.clock_rate());
        let last = nanos_to_ticks(last, frame.format.clock_rate());
        let in_order = frame.dts > last;
        if !in_order && frame.kind() == Kind::Audio {
            return Placed::Late;
        }
        if place.format == frame.format {
            frame.format = Arc::clone(&place.format);
        } else {
            place.format = Arc::clone(&frame.format);
        }
        if !in_order {
            frame.dts = last + 1;
            frame.pts = frame.pts.max(frame.dts);
        }
        place.last_dts = frame.dts;
        frame.discontinuity |= std::mem::take(&mut place.resumed);
        if in_order {
            Placed::AsSent
        } else {
            Placed::Repaired
        }
    }
}

#[cfg(test)]
mod tests;
