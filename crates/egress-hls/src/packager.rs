//! Samples to parts and segments. Pure; `docs/decisions/0006-hls-time.md` has the reasons.
//!
//! The playlist has a clock of its own, [`Packager::edge`]: each part lasts exactly as long as the last one, but
//! for the last of a segment. A picture belongs to the part in whose span its middle lies, so the media stay within
//! half a picture of that clock, whatever the frame rate.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;
use fmp4::Sequence;
use media::{Frame, Track};

use crate::Settings;
use crate::calendar::{Calendar, Epoch};
use crate::cut::{Cut, Slot};
use crate::lanes::{Lanes, Step, Unit};
use crate::layout::Layout;
use crate::mux::{self, Span};
use crate::playlist;
use crate::timing::{GRAIN, ROUNDING, Timing, grained};
use crate::window::{Bounds, Map, Numbers, Part, Window};

/// Samples of a track that wait for their part; the oldest sound goes first, a picture makes a part.
const MAX_PENDING: usize = 2048;

/// What outlives a packager, for the next one of the same Channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(crate) numbers: Numbers,
    /// The camera's clock minus ours in nanoseconds, as far as it is known.
    pub(crate) ahead: i64,
    /// How far the camera's keyframes are apart in nanoseconds, if that is known.
    pub(crate) gop: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Packager {
    settings: Settings,
    lanes: Lanes,
    calendar: Calendar,
    window: Window,
    gop: Option<i64>,
    /// What came before that was in the Channel's ring.
    began: Instant,
    /// When the newest sample of the leading track came.
    arrived: Instant,
    timing: Option<Timing>,
    sequence: Sequence,
    map: Option<Arc<Map>>,
    /// Samples by lane, of which no part has been made.
    pending: Vec<VecDeque<Unit>>,
    /// What came last of each lane: where it ends, in nanoseconds of the Stream, and how long it is.
    newest: Vec<(i64, i64)>,
    /// Where the next part begins, in nanoseconds of the Stream; none until the first keyframe.
    edge: Option<i64>,
    /// Where the Stream went on after its last break, in nanoseconds.
    floor: i64,
    /// When the next picture has to be decoded at the latest, in nanoseconds.
    latest: i64,
    /// The next segment does not continue the one before.
    discontinuity: bool,
    /// How many parts have begun since one began with a keyframe.
    since_start: u64,
    /// What did not find its way into a part.
    pub(crate) left_out: u64,
}

impl Packager {
    pub(crate) fn new(settings: Settings, epoch: Epoch, resume: Resume) -> Self {
        Self {
            settings,
            lanes: Lanes::default(),
            gop: resume.gop,
            began: epoch.at,
            arrived: epoch.at,
            calendar: Calendar::new(epoch, resume.ahead),
            window: Window::new(Bounds::of(&settings), resume.numbers),
            timing: None,
            sequence: Sequence::default(),
            map: None,
            pending: Vec::new(),
            newest: Vec::new(),
            edge: None,
            floor: 0,
            latest: i64::MAX,
            // Whoever still has a playlist of an earlier packager sees that this is another.
            discontinuity: resume.numbers.discontinuities > 0,
            since_start: 0,
            left_out: 0,
        }
    }

    /// Goes by `settings` from now on. False where it can't: a playlist keeps the lengths of its parts and segments.
    pub(crate) fn adopt(&mut self, settings: Settings) -> bool {
        let cut = |settings: &Settings| (settings.part, settings.segment);
        if cut(&settings) != cut(&self.settings) {
            return false;
        }
        self.window.bound(Bounds::of(&settings));
        self.list_enough();
        self.settings = settings;
        true
    }

    pub(crate) fn window(&self) -> &Window {
        &self.window
    }

    /// What the next packager of this Channel needs to know.
    pub(crate) fn resume(&self) -> Resume {
        Resume {
            numbers: self.window.numbers(),
            ahead: self.calendar.ahead(),
            gop: self.gop,
        }
    }

    /// Known as soon as there is a part.
    pub(crate) fn timing(&self) -> Option<Timing> {
        self.timing
    }

    /// Takes a frame that was written while `tracks` were announced; whether there is a new part.
    pub(crate) fn push(&mut self, frame: &Frame, tracks: &Arc<[Track]>) -> bool {
        let before = self.window.next_part();
        for step in self.lanes.push(frame, tracks) {
            match step {
                Step::Layout(layout) => self.change(layout),
                Step::Unit(unit) => self.take(unit),
            }
        }
        self.window.next_part() != before
    }

    /// Frames were passed over; the next one is a keyframe.
    pub(crate) fn skipped(&mut self) {
        self.lanes.skipped();
    }

    fn change(&mut self, layout: Arc<Layout>) {
        self.flush();
        self.pending = vec![VecDeque::new(); layout.entries.len()];
        self.newest = vec![(0, 0); layout.entries.len()];
        self.map = Some(self.window.map(layout));
    }

    fn take(&mut self, unit: Unit) {
        if unit.lane == 0 {
            self.arrived = unit.arrival;
            if unit.breaks {
                self.flush();
            }
            self.calendar.learn(unit.at, unit.wallclock, unit.arrival);
            if self.edge.is_none() && unit.starts() {
                self.begin(&unit);
            }
        }
        if self.edge.is_none() || unit.end() <= self.floor {
            self.left_out += 1;
            return;
        }
        self.newest[unit.lane] = (unit.end(), unit.length);
        self.pending[unit.lane].push_back(unit);
        while self.cut_part(false) {}
        self.bound();
    }

    /// Begins at a keyframe, where nothing was before or what was has broken off.
    fn begin(&mut self, unit: &Unit) {
        self.edge = Some(grained(unit.at));
        self.latest = i64::MAX;
        self.floor = unit.at;
        self.newest.fill((unit.at, 0));
        self.calendar.begin(unit.at, unit.wallclock, unit.arrival);
        for pending in &mut self.pending {
            let before = pending.len();
            pending.retain(|unit| unit.end() > self.floor);
            self.left_out += (before - pending.len()) as u64;
        }
    }

    /// Makes parts of all that waits, and ends the segment.
    fn flush(&mut self) {
        while self.pending.first().is_some_and(|lead| !lead.is_empty()) && self.cut_part(true) {}
        self.end();
        self.discontinuity |= self.edge.take().is_some();
    }

    /// Makes the next part, if it is due. With `all`, nothing is waited for.
    fn cut_part(&mut self, all: bool) -> bool {
        let Some(edge) = self.edge else {
            return false;
        };
        let Some(timing) = self.time() else {
            return false;
        };
        if self.pending[0]
            .front()
            .is_some_and(|unit| unit.at - edge > timing.target)
        {
            return self.leap();
        }
        let cut = self.cut(edge, timing);
        let mut slot = cut.slot(all);
        if !all && !cut.is_due(&slot) {
            return false;
        }
        let sound = |unit: &Unit| middle(unit, timing.part) < slot.end;
        let heard = self
            .pending
            .get(1)
            .is_some_and(|lane| lane.front().is_some_and(sound));
        if slot.count == 0 && slot.cut && (slot.end - edge < timing.part / 2 || !heard) {
            // No short part of sound alone, on which hls.js (1.7) waits for the whole next segment: it takes a segment for
            // complete that lacks less than 200 ms, and asks for no more of it, nor for what follows.
            self.end();
            return true;
        }
        if slot.count == 0 && !heard {
            if self.pending[0].is_empty() {
                return false;
            }
            // A long picture has filled the span already: the next one stands in it, and so on until the
            // playlist has caught up.
            slot.count = 1;
        }
        self.make(edge, slot, timing);
        true
    }

    fn cut(&self, edge: i64, timing: Timing) -> Cut<'_> {
        Cut {
            lead: &self.pending[0],
            newest: &self.newest,
            open: self.window.open(),
            edge,
            timing,
            picture: self.has_picture(),
            latest: self.latest,
        }
    }

    fn make(&mut self, edge: i64, slot: Slot, timing: Timing) {
        let Some(map) = self.map.clone() else {
            return;
        };
        if self.window.open().is_none() {
            self.open(&map, edge);
        }
        // Room for a tick for each picture, whatever the camera says.
        let least = GRAIN * (3 + slot.count as i64 / 90);
        let duration = (slot.end - edge).clamp(least, timing.part.max(least));
        let lead: Vec<Unit> = self.pending[0].drain(..slot.count).collect();
        let starts = lead.first().is_some_and(Unit::starts);
        self.since_start = if starts { 0 } else { self.since_start + 1 };
        let span = Span {
            from: edge,
            to: edge + duration,
            part: timing.part,
            since_start: self.since_start,
        };
        let mut data = BytesMut::new();
        let independent = lead.iter().any(Unit::starts);
        let pictures = if self.has_picture() { lead.len() } else { 0 };
        let mut silent = self.write_lead(&map, &lead, span, &mut data);
        for lane in 1..self.pending.len() {
            let belongs = |unit: &&Unit| middle(unit, timing.part) < slot.end;
            let count = self.pending[lane].iter().take_while(belongs).count();
            let samples: Vec<_> = self.pending[lane]
                .drain(..count)
                .map(|unit| unit.sample)
                .collect();
            if !samples.is_empty() {
                let track = map.layout.entries[lane].number();
                let silent = silent.take();
                mux::write(&mut data, &mut self.sequence, silent, track, &samples);
            }
        }
        self.window
            .push(duration, independent, pictures, data.freeze());
        self.edge = Some(edge + duration);
        self.end_if_full(slot.cut, timing);
    }

    /// The leading track comes first in a part. Where it has nothing, its number and time, which stand before the next track's.
    fn write_lead(
        &mut self,
        map: &Map,
        units: &[Unit],
        span: Span,
        data: &mut BytesMut,
    ) -> Option<(u32, u64)> {
        let entry = &map.layout.entries[0];
        let (track, clock) = (entry.number(), entry.clock());
        if units.is_empty() {
            return Some((track, mux::begins(clock, span)));
        }
        let samples = if self.has_picture() {
            mux::on_the_clock(units, clock, span)
        } else {
            units.iter().map(|unit| unit.sample.clone()).collect()
        };
        if self.has_picture() {
            self.latest = samples
                .last()
                .map_or(i64::MAX, |sample| mux::next_by(sample, clock));
        }
        mux::write(data, &mut self.sequence, None, track, &samples);
        None
    }

    fn end_if_full(&mut self, cut: bool, timing: Timing) {
        // Players begin when there are whole segments, at the beginning of one: the first ones end as soon as the playlist
        // has all that was there before.
        let first = self.window.listed().nth(2).is_none()
            && self.shows()
            && playlist::is_enough(&self.window, timing)
            && self.arrived >= self.began;
        let full = self.window.open().is_some_and(|open| {
            open.duration + timing.part > timing.target + ROUNDING
                || open.bytes > self.settings.bytes / 4
        });
        if cut || full || first {
            self.end();
        }
    }

    /// Ends the segment in the making; the first one as three, of which the last two have as many parts as players begin with, each with a picture.
    ///
    /// Chromium's own player (156) gives up unless it has one of its segments still to load when it begins to play. GStreamer (1.22) finds its place
    /// in a new playlist by any segment of the one before but the first. hls.js (1.7) goes on in parts where no more has come meanwhile than it can
    /// load in parts.
    fn end(&mut self) {
        if self.window.listed().next().is_none() {
            let [last, newest] = self.tail();
            self.window.end_before(last);
            if last > newest {
                self.window.end_before(newest);
            }
        }
        self.window.end();
    }

    /// Of how many parts the last two of the first three segments are, and the last one: four and three with a picture each, or as many that they
    /// begin with a picture each.
    fn tail(&self) -> [usize; 2] {
        let parts = self.window.open().map_or(&[][..], |open| &open.parts);
        let shown = |part: &Part| part.pictures > 0 || !self.has_picture();
        if self.is_dense() {
            let newest = parts.iter().rev().take(playlist::FIRST_PARTS);
            let last = newest.take_while(|part| shown(part)).count();
            return [last, last.saturating_sub(1).max(1)];
        }
        let behind = parts.iter().skip(1).rev().zip(1..);
        let pictures: Vec<usize> = behind
            .filter_map(|(part, at)| shown(part).then_some(at))
            .collect();
        let enough = pictures
            .iter()
            .take_while(|at| **at + 1 < playlist::FIRST_PARTS);
        let newest = enough.count().min(pictures.len().saturating_sub(2));
        let of = |place: usize| pictures.get(place).copied();
        let newest_parts = of(newest).unwrap_or(0);
        [of(newest + 1).unwrap_or(newest_parts), newest_parts]
    }

    /// Whether the newest part has a picture, or sound where there are none.
    fn shows(&self) -> bool {
        let newest = self.window.open().and_then(|open| open.parts.last());
        newest.is_some_and(|part| part.pictures > 0 || !self.has_picture())
    }

    /// Whether each part has a picture, as far as is known.
    fn is_dense(&self) -> bool {
        let known = self.lanes.step().zip(self.timing);
        known.is_none_or(|(step, timing)| step <= timing.part)
    }

    /// Begins the next segment at `edge`.
    fn open(&mut self, map: &Arc<Map>, edge: i64) {
        let lead = self.pending[0].front().filter(|unit| unit.starts());
        if let Some(lead) = lead.filter(|_| self.calendar.astray()) {
            self.calendar.begin(lead.at, lead.wallclock, lead.arrival);
            self.discontinuity |= self.window.next_part() > 0;
        }
        let date = self.calendar.date(edge);
        let discontinuity = std::mem::take(&mut self.discontinuity);
        self.window.begin(map, discontinuity, date);
    }

    /// The pictures have left the playlist's clock too far behind: it goes on where they are.
    fn leap(&mut self) -> bool {
        self.end();
        self.discontinuity = true;
        self.edge = self.pending[0].front().map(|unit| grained(unit.at));
        self.floor = self.edge.unwrap_or(self.floor);
        true
    }

    /// Keeps what waits within its bounds.
    fn bound(&mut self) {
        for lane in 1..self.pending.len() {
            while self.pending[lane].len() > MAX_PENDING {
                self.pending[lane].pop_front();
                self.left_out += 1;
            }
        }
        let waiting: usize = self.pending[0]
            .iter()
            .map(|unit| unit.sample.data.len())
            .sum();
        if self.pending[0].len() > MAX_PENDING || waiting > self.settings.bytes / 4 {
            while !self.pending[0].is_empty() && self.cut_part(true) {}
        }
    }

    fn has_picture(&self) -> bool {
        self.map
            .as_ref()
            .is_some_and(|map| map.layout.has_picture())
    }

    /// The durations; with the first part they are fixed.
    fn time(&mut self) -> Option<Timing> {
        if self.timing.is_none() {
            let (settings, step) = (&self.settings, self.lanes.step().unwrap_or(0));
            self.timing = Some(if !self.has_picture() {
                Timing::sound(settings, self.pending[0].front()?.length)
            } else if self.pending.len() > 1 {
                Timing::heard(settings, step, self.gop)
            } else {
                Timing::pictures(settings, step, self.gop)
            });
            self.list_enough();
        }
        self.timing
    }

    fn list_enough(&mut self) {
        if let Some(timing) = self.timing {
            let least = timing.target * i64::from(Settings::MIN_WINDOW);
            self.window.list(least);
        }
    }
}

/// The middle of a sample, which decides to which part it belongs. Of a long one only its beginning counts.
fn middle(unit: &Unit, part: i64) -> i64 {
    unit.at + unit.length.min(part) / 2
}

#[cfg(test)]
mod tests;
