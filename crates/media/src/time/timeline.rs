use std::time::Instant;

use super::clock::{Clock, Position, Repair, Unit, nanos_between};
use super::{NANOS, nanos_to_ticks, ticks_to_nanos};
use crate::rtcp::SenderReport;
use crate::rtp::AccessUnit;
use crate::{Format, Kind, TrackId};

/// Where the time line begins, in nanoseconds: the decode times of reordered pictures, and sound that is
/// moved back to meet its picture, stay above zero.
pub const LEAD: i64 = NANOS;

/// Sound and picture that are nearer than this stay as they are, in nanoseconds.
const SYNC_TOLERANCE: i64 = NANOS / 100;

/// Sender reports that would move sound by more than this are not believed, in nanoseconds: cameras set
/// the wall clocks of their tracks apart.
const MAX_SHIFT: i64 = 5 * NANOS;

/// Sound moves by at most one part in this many of its own length, so that players neither stall at a
/// gap nor drop an overlap.
const SLEW: i64 = 4;

/// Where one access unit lies on the time line of its Stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Presentation time in ticks of the unit's [`Format::clock_rate`]. All tracks share one zero.
    pub pts: i64,
    /// The camera's timestamps broke off before this unit.
    pub discontinuity: bool,
    /// The camera's wall clock at `pts`, in nanoseconds since the Unix epoch, where reports tell it.
    pub wallclock: Option<i64>,
    /// What had to be repaired to place the unit.
    pub repair: Option<Repair>,
}

/// Places the access units of a Stream's tracks on one time line, whatever their timestamps say.
///
/// Tracks begin by the arrival of their first units. Once sender reports tell how sound and picture
/// belong together, sound is moved, gently, and never back in time. See `docs/time.md` for what is done
/// about cameras that lie.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    origin: Option<Instant>,
    tracks: Vec<Track>,
}

#[derive(Debug, Clone)]
struct Track {
    id: TrackId,
    kind: Kind,
    clock: Clock,
    /// What sender reports add to the clock, in nanoseconds: now, and in the end.
    shift: i64,
    target: i64,
    /// A target that the next report has to confirm.
    proposed: Option<i64>,
    aligned: bool,
    last_nanos: i64,
    last_pts: Option<(i64, u32)>,
}

impl Timeline {
    /// A time line without tracks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a track whose RTP clock has `clock_rate` ticks per second, as its description says.
    /// A track that is there begins anew.
    pub fn add(&mut self, id: TrackId, kind: Kind, clock_rate: u32) {
        self.tracks.retain(|track| track.id != id);
        self.tracks.push(Track {
            id,
            kind,
            clock: Clock::new(clock_rate),
            shift: 0,
            target: 0,
            proposed: None,
            aligned: false,
            last_nanos: 0,
            last_pts: None,
        });
    }

    /// Places the next unit of the track `id`, whose last packet came at `arrival`. A track that was not
    /// added is, with the clock of its format.
    pub fn place(&mut self, id: TrackId, unit: &AccessUnit, arrival: Instant) -> Placed {
        let format = &*unit.format;
        let rate = format.clock_rate();
        let origin = *self.origin.get_or_insert(arrival);
        let index = self.index(id).unwrap_or_else(|| {
            self.add(id, format.kind(), rate);
            self.tracks.len() - 1
        });
        let input = Unit {
            timestamp: unit.timestamp,
            arrival,
            duration: format
                .samples(&unit.data)
                .map(|samples| ticks_to_nanos(samples.into(), rate)),
            reorders: reorders(format),
        };
        let begins = !self.tracks[index].clock.has_begun();
        let position = if begins {
            let nanos = on_grid(LEAD + nanos_between(origin, arrival), rate);
            let position = self.tracks[index].clock.begin(&input, nanos);
            self.align(Some(id));
            position
        } else {
            self.tracks[index].clock.place(&input)
        };
        self.tracks[index].finish(position, rate, input.reorders, begins)
    }

    /// Takes a sender report of the track `id`.
    pub fn sender_report(&mut self, id: TrackId, report: &SenderReport) {
        if let Some(index) = self.index(id) {
            self.tracks[index].clock.sender_report(report);
            self.align(None);
        }
    }

    /// How far the sound of the track `id` is moved against its arrival, in nanoseconds.
    pub fn shift(&self, id: TrackId) -> Option<i64> {
        self.index(id).map(|index| self.tracks[index].shift)
    }

    fn index(&self, id: TrackId) -> Option<usize> {
        self.tracks.iter().position(|track| track.id == id)
    }

    /// Moves sound to where its picture is, by the wall clocks of both. A track that `begins` takes its
    /// place at once: nothing of it was seen yet.
    fn align(&mut self, begins: Option<TrackId>) {
        let video = self
            .tracks
            .iter()
            .position(|track| track.kind == Kind::Video);
        let Some(video) = video else {
            return;
        };
        let Some(reference) = self.tracks[video].wallclock() else {
            return;
        };
        if begins == Some(self.tracks[video].id) {
            return self.align_first(video);
        }
        for track in &mut self.tracks {
            if track.kind == Kind::Audio
                && let Some(wallclock) = track.clock.wallclock_at_origin()
            {
                track.propose(wallclock - reference, begins == Some(track.id));
            }
        }
    }

    /// Picture that begins after its sound goes to where the sound is.
    fn align_first(&mut self, video: usize) {
        let sound = self
            .tracks
            .iter()
            .filter(|track| track.kind == Kind::Audio)
            .find_map(Track::wallclock);
        let picture = self.tracks[video].clock.wallclock_at_origin();
        if let (Some(sound), Some(picture)) = (sound, picture) {
            self.tracks[video].propose(picture - sound, true);
        }
    }
}

impl Track {
    /// The wall clock at the zero of the time line, as units are placed in the end.
    fn wallclock(&self) -> Option<i64> {
        let wallclock = self.clock.wallclock_at_origin()?;
        Some(wallclock - self.target)
    }

    /// Sets the target, if it is worth it and, after the first time, said twice: the reports of two tracks
    /// disagree for a while after the camera's wall clock was set.
    fn propose(&mut self, shift: i64, at_once: bool) {
        if (shift - self.target).abs() <= SYNC_TOLERANCE || shift.abs() > MAX_SHIFT {
            self.proposed = None;
            self.aligned |= shift.abs() <= MAX_SHIFT;
            return;
        }
        let confirmed = self
            .proposed
            .is_some_and(|before| (before - shift).abs() <= SYNC_TOLERANCE);
        if at_once || confirmed || !self.aligned {
            self.target = shift;
            self.proposed = None;
            self.aligned = true;
        } else {
            self.proposed = Some(shift);
        }
        if at_once {
            self.shift = shift;
        }
    }

    /// Turns a position into ticks, moved as the reports say.
    fn finish(&mut self, position: Position, rate: u32, reorders: bool, begins: bool) -> Placed {
        if !begins {
            let most = (position.nanos - self.last_nanos).max(0) / SLEW;
            self.shift += (self.target - self.shift).clamp(-most, most);
        }
        self.last_nanos = position.nanos;
        let mut pts = nanos_to_ticks(position.nanos + self.shift, rate);
        if let Some((last, last_rate)) = self.last_pts
            && !reorders
        {
            // A change of the rate keeps the place on the time line.
            let last = if last_rate == rate {
                last
            } else {
                nanos_to_ticks(ticks_to_nanos(last, last_rate), rate)
            };
            pts = pts.max(last + 1);
        }
        self.last_pts = Some((pts, rate));
        Placed {
            pts,
            discontinuity: position.discontinuity,
            wallclock: self
                .clock
                .wallclock_at_origin()
                .map(|wallclock| wallclock + position.nanos),
            repair: position.repair,
        }
    }
}

/// Whether pictures may be shown before ones that came earlier. Unknown counts as yes.
fn reorders(format: &Format) -> bool {
    format.reorder() != Some(0)
}

/// The nearest multiple of a tick, so that ticks survive the way over nanoseconds unchanged.
fn on_grid(nanos: i64, rate: u32) -> i64 {
    ticks_to_nanos(nanos_to_ticks(nanos, rate), rate)
}

#[cfg(test)]
mod tests;
