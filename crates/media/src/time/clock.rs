use std::time::Instant;

use super::rate::{Measured, RateMeter};
use super::{NANOS, ticks_to_nanos};
use crate::rtcp::SenderReport;
use crate::rtp::Unwrapper;

/// A timestamp that jumps forwards by more than this, and not because as much time has passed, is not believed.
const MAX_FORWARD: i64 = 10 * NANOS;

/// A timestamp that goes back by more than this is a jump, and by less a reordered picture or a small lie.
const MAX_BACKWARD: i64 = NANOS;

/// How far timestamps and arrival may disagree about the time between two units.
const DISAGREEMENT: i64 = 2 * NANOS;

/// How near to where it should be a unit lies that an earlier time line explains.
const RESTORE_WITHIN: i64 = NANOS / 2;

/// Units in a row that do not move on before the clock is set anew by arrival.
const PATIENCE: u8 = 3;

/// Pictures in a row that are shown before one that came earlier; a full picture buffer.
const MAX_REORDERED: u8 = 16;

/// How far sound that goes by its own length may stray from its arrival.
const MAX_STRAY: i64 = NANOS / 4;

/// What a clock had to be helped with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// The timestamp repeated or fell back a little: the unit lies where its arrival puts it.
    Paced,
    /// Timestamps no longer move on from where they were: they count from the arrival of this unit.
    Reanchored,
    /// The timestamp jumped by `by` nanoseconds: time goes on by arrival instead.
    Jump {
        /// How far the timestamp jumped, in nanoseconds.
        by: i64,
    },
    /// The time line before the last jump fits again: that jump was a single wild timestamp.
    Restored,
    /// The clock runs at `measured` ticks per second instead of the `announced` ones.
    Rate {
        /// What was in force.
        announced: u32,
        /// What is in force now.
        measured: u32,
    },
}

/// Where a unit lies on its track's time line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    /// Nanoseconds from the origin.
    pub(super) nanos: i64,
    pub(super) discontinuity: bool,
    pub(super) repair: Option<Repair>,
}

/// What is known of a unit besides its timestamp.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) timestamp: u32,
    pub(super) arrival: Instant,
    /// How long a unit of sound lasts, in nanoseconds.
    pub(super) duration: Option<i64>,
    /// Whether pictures may be shown before ones that came earlier.
    pub(super) reorders: bool,
}

/// A point where timestamps and the time line meet.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    ticks: i64,
    nanos: i64,
}

/// The last unit that moved time on.
#[derive(Debug, Clone, Copy)]
struct Newest {
    ticks: i64,
    nanos: i64,
    arrival: Instant,
    duration: Option<i64>,
}

/// The clock of one track: turns its timestamps into nanoseconds, and does not believe everything.
#[derive(Debug, Clone)]
pub(super) struct Clock {
    rate: u32,
    unwrapper: Unwrapper,
    anchor: Option<Anchor>,
    /// The anchor before the last jump: single wild timestamps return to it.
    previous: Option<Anchor>,
    newest: Option<Newest>,
    /// The ticks of the last unit.
    last_ticks: i64,
    /// Units in a row that did not move time on.
    behind: u8,
    /// Where units are placed by arrival: from this point of the time line and this moment on.
    pacing: Option<(i64, Instant)>,
    meter: RateMeter,
    report: Option<SenderReport>,
}

impl Clock {
    pub(super) fn new(rate: u32) -> Self {
        Self {
            rate: rate.max(1),
            unwrapper: Unwrapper::new(),
            anchor: None,
            previous: None,
            newest: None,
            last_ticks: 0,
            behind: 0,
            pacing: None,
            meter: RateMeter::default(),
            report: None,
        }
    }

    /// Whether a unit was placed yet.
    pub(super) fn has_begun(&self) -> bool {
        self.anchor.is_some()
    }

    /// Places the first unit at `nanos`.
    pub(super) fn begin(&mut self, unit: &Unit, nanos: i64) -> Position {
        let ticks = self.unwrapper.unwrap(unit.timestamp);
        self.last_ticks = ticks;
        let _ = self.meter.unit(ticks, nanos, unit, self.rate);
        self.set_anchor(ticks, nanos);
        self.accept(unit, ticks, nanos);
        Position {
            nanos,
            discontinuity: false,
            repair: None,
        }
    }

    /// Places the next unit.
    pub(super) fn place(&mut self, unit: &Unit) -> Position {
        let (Some(newest), Some(anchor)) = (self.newest, self.anchor) else {
            return self.begin(unit, 0);
        };
        let ticks = self.unwrapper.unwrap(unit.timestamp);
        let moved = ticks != self.last_ticks;
        self.last_ticks = ticks;
        let step = ticks_to_nanos(ticks - newest.ticks, self.rate);
        let passed = nanos_between(newest.arrival, unit.arrival);
        let disagree = (step - passed).abs() > DISAGREEMENT;
        if disagree && let Some(restored) = self.restore(unit, ticks, newest.nanos + passed) {
            return restored;
        }
        if step < -MAX_BACKWARD || (step > MAX_FORWARD && disagree) {
            return self.jump(unit, ticks, step);
        }
        let nanos = self.nanos_at(anchor, ticks);
        if nanos > newest.nanos {
            self.behind = 0;
            self.pacing = None;
            if let Some(measured) = self.meter.unit(ticks, nanos, unit, self.rate) {
                return self.correct(unit, ticks, nanos, measured);
            }
            self.accept(unit, ticks, nanos);
            return position(nanos, None);
        }
        self.behind = self.behind.saturating_add(1);
        if unit.reorders && moved && self.behind <= MAX_REORDERED {
            return position(nanos, None);
        }
        self.pace(unit, ticks, newest)
    }

    /// Takes a sender report. One that tells no time is of no use.
    pub(super) fn sender_report(&mut self, report: &SenderReport) {
        if report.is_usable() {
            self.report = Some(*report);
        }
    }

    /// The sender's wall clock at the origin of the time line, in nanoseconds since the Unix epoch, if a
    /// report tells it that fits the timestamps.
    pub(super) fn wallclock_at_origin(&self) -> Option<i64> {
        let (report, anchor, newest) = (self.report?, self.anchor?, self.newest?);
        let ticks = self.unwrapper.peek(report.rtp);
        if ticks_to_nanos(ticks - newest.ticks, self.rate).abs() > MAX_FORWARD {
            return None;
        }
        let nanos = self.nanos_at(anchor, ticks);
        report.ntp.unix_nanos().checked_sub(nanos)
    }

    fn nanos_at(&self, anchor: Anchor, ticks: i64) -> i64 {
        anchor.nanos + ticks_to_nanos(ticks - anchor.ticks, self.rate)
    }

    fn set_anchor(&mut self, ticks: i64, nanos: i64) {
        self.anchor = Some(Anchor { ticks, nanos });
        self.behind = 0;
    }

    fn accept(&mut self, unit: &Unit, ticks: i64, nanos: i64) {
        self.newest = Some(Newest {
            ticks,
            nanos,
            arrival: unit.arrival,
            duration: unit.duration,
        });
    }

    /// The unit lies where its arrival puts it, or after the sound before it where both nearly agree.
    fn pace(&mut self, unit: &Unit, ticks: i64, newest: Newest) -> Position {
        let nanos = self.paced(unit, &newest);
        let repair = if self.behind >= PATIENCE {
            self.set_anchor(ticks, nanos);
            self.meter.reset();
            self.report = None;
            Repair::Reanchored
        } else {
            Repair::Paced
        };
        // The ticks stay those of the unit that moved time on, unless time counts from here.
        let reached = if repair == Repair::Reanchored {
            ticks
        } else {
            newest.ticks
        };
        self.accept(unit, reached, nanos);
        position(nanos, Some(repair))
    }

    /// Time goes on by arrival, counted from here.
    fn jump(&mut self, unit: &Unit, ticks: i64, by: i64) -> Position {
        let Some(newest) = self.newest else {
            return self.begin(unit, 0);
        };
        let nanos = self.paced(unit, &newest);
        self.previous = self.anchor;
        self.pacing = None;
        self.set_anchor(ticks, nanos);
        self.meter.reset();
        self.report = None;
        self.accept(unit, ticks, nanos);
        Position {
            nanos,
            discontinuity: true,
            repair: Some(Repair::Jump { by }),
        }
    }

    /// Returns to the time line before the last jump, if that explains the unit.
    fn restore(&mut self, unit: &Unit, ticks: i64, expected: i64) -> Option<Position> {
        let previous = self.previous?;
        let nanos = self.nanos_at(previous, ticks);
        let newest = self.newest?;
        if (nanos - expected).abs() > RESTORE_WITHIN || nanos <= newest.nanos {
            return None;
        }
        self.anchor = self.previous.take();
        self.behind = 0;
        self.pacing = None;
        self.accept(unit, ticks, nanos);
        Some(position(nanos, Some(Repair::Restored)))
    }

    /// Time goes on at the rate that was measured, from where this unit should have been.
    fn correct(&mut self, unit: &Unit, ticks: i64, nanos: i64, measured: Measured) -> Position {
        let announced = std::mem::replace(&mut self.rate, measured.rate.max(1));
        let after = self.newest.map_or(0, |newest| newest.nanos + 1);
        let moved = measured.nanos.map(|nanos| nanos.max(after));
        let nanos = moved.unwrap_or(nanos);
        self.set_anchor(ticks, nanos);
        self.accept(unit, ticks, nanos);
        Position {
            nanos,
            discontinuity: moved.is_some(),
            repair: moved.map(|_| Repair::Rate {
                announced,
                measured: measured.rate,
            }),
        }
    }

    /// Where arrival puts the unit, or right after the sound before it where both nearly agree.
    fn paced(&mut self, unit: &Unit, newest: &Newest) -> i64 {
        let (nanos, since) = *self.pacing.get_or_insert((newest.nanos, newest.arrival));
        let by_arrival = nanos + nanos_between(since, unit.arrival);
        let paced = match newest.duration {
            Some(duration) if (newest.nanos + duration - by_arrival).abs() <= MAX_STRAY => {
                newest.nanos + duration
            }
            _ => by_arrival,
        };
        paced.max(newest.nanos + 1)
    }
}

fn position(nanos: i64, repair: Option<Repair>) -> Position {
    Position {
        nanos,
        discontinuity: false,
        repair,
    }
}

pub(super) fn nanos_between(from: Instant, to: Instant) -> i64 {
    i64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(i64::MAX)
}
