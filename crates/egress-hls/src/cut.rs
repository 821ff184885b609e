//! Where the next part ends: at its full length, before the next segment, or where all ends that there is. Pure.

use std::collections::VecDeque;

use crate::Settings;
use crate::lanes::Unit;
use crate::timing::{GRAIN, ROUNDING, SECOND, Timing, grained, nanos};
use crate::window::Segment;

/// How long a part waits for its sound, in nanoseconds of picture.
const SOUND_WAIT: i64 = SECOND;

/// How long a part is that does not end a segment, at least, in percent of PART-TARGET (draft-pantos-hls-rfc8216bis §4.4.4.9).
const SHORTEST: i64 = 85;

/// What decides it. Times are in nanoseconds of the Stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut<'p> {
    /// Samples of the leading track of which no part has been made.
    pub(crate) lead: &'p VecDeque<Unit>,
    /// What came last of each track: where it ends, and how long it is.
    pub(crate) newest: &'p [(i64, i64)],
    /// The segment in the making.
    pub(crate) open: Option<&'p Segment>,
    /// Where the part begins.
    pub(crate) edge: i64,
    pub(crate) timing: Timing,
    /// Pictures lead, and not sound.
    pub(crate) picture: bool,
    /// When the next picture has to be decoded at the latest, for a browser to take it.
    pub(crate) latest: i64,
}

/// Up to where a part goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) end: i64,
    /// A segment begins there.
    pub(crate) cut: bool,
    /// How many samples of the leading track it has.
    pub(crate) count: usize,
}

impl Cut<'_> {
    /// The next part. With `all`, it ends where all ends that there is.
    pub(crate) fn slot(&self, all: bool) -> Slot {
        let mut end = self.edge + self.timing.part;
        let mut cut = false;
        let mut count = 0;
        for unit in self.lead {
            if !self.belongs(unit.end(), unit.length, end) {
                break;
            }
            if self.ends_segment(unit, count) {
                end = grained(unit.at).min(end);
                cut = true;
                break;
            }
            count += 1;
        }
        if self.picture && count == 0 && !cut && end > self.latest {
            // Its middle lies beyond, but it would be decoded too long after the one before.
            count = self.lead.len().min(1);
        }
        if all && count == self.lead.len() {
            end = end.min(grained(self.newest[0].0)).max(self.edge + GRAIN);
        } else if !self.picture && count > 0 {
            // Sound is cut between two units.
            end = grained(self.lead[count - 1].end()).max(self.edge + GRAIN);
        } else if self.timing.single && count > 0 && !cut {
            let shortest = self.edge + self.timing.part * SHORTEST / 100 + GRAIN;
            end = grained(self.lead[count - 1].end()).clamp(shortest, end);
        }
        Slot { end, cut, count }
    }

    /// Whether all that belongs into `slot` is there: of each track, what comes next lies beyond it.
    pub(crate) fn is_due(&self, slot: &Slot) -> bool {
        let part = self.timing.part;
        let (end, length) = self.newest[0];
        let next_fits = self.belongs(end + length, length, self.edge + part);
        if self.lead.len() == slot.count && next_fits {
            return false;
        }
        // Of a long picture only the beginning counts: sound comes while it is shown.
        let too_late = end - length.max(part) + part - slot.end > SOUND_WAIT;
        let beyond = |&(end, length): &(i64, i64)| end + length.min(part) / 2 >= slot.end;
        too_late || self.newest.get(1).is_none_or(beyond)
    }

    /// Whether a unit of the leading track that ends at `end` belongs before `until`: a picture if its middle does
    /// (of a long one only the beginning counts), a unit of sound if all of it does.
    fn belongs(&self, end: i64, length: i64, until: i64) -> bool {
        if self.picture {
            end - length + length.min(self.timing.part) / 2 < until
        } else {
            end <= until + GRAIN
        }
    }

    /// Whether a segment begins with `unit`, before which `count` samples wait: with a keyframe, and with a picture that is longer than a
    /// part and would have to be cut in time. Where pictures are longer than parts, none is without a picture.
    fn ends_segment(&self, unit: &Unit, count: usize) -> bool {
        let Some(open) = self.open else {
            return false;
        };
        let so_far = open.duration + unit.at - self.edge;
        let long = unit.length > self.timing.part;
        let something = count > 0 || open.pictures > 0 || !long && !open.parts.is_empty();
        let least = if open.begins_with_keyframe() {
            nanos(Settings::MIN_SEGMENT)
        } else {
            0
        };
        let keyframe = unit.starts() && so_far >= least;
        let full = so_far + unit.length > self.timing.target + ROUNDING;
        self.picture && something && (keyframe || long && full)
    }
}
