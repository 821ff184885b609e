//! How fast one viewer's pictures go out, and whether all of them do: a viewer whose line does not hold the stream gets keyframes
//! alone, whole, until it has been quiet for a while. Pure.

use std::time::{Duration, Instant};

use crate::rate::{MIN_BURST, Rate};
use crate::train::Passage;
use crate::twcc::Line;

/// How long the pacer lets the next packets wait.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// What an estimate must be above, in percent of the stream's bitrate.
const ENOUGH: u64 = 85;
/// An estimate is of packets that we do not ask about; so long after those it is one of all.
const ASKED: Duration = Duration::from_secs(3);
/// How long packets wait in front of a line that may be too slow: the one that waits least, by reports of arrivals; and by round trips,
/// which have the jitter of both ways in them. A way that became longer looks the same: there must be losses, too, as
/// there are where a queue is full,
const QUEUE: Duration = Duration::from_millis(120);
const WAIT: Duration = Duration::from_millis(150);
/// or the queue is so long that hardly a way is that much longer than another.
const DEEP: Duration = Duration::from_millis(500);
/// The part of packets lost, in 1/256, that a full queue loses, and a line that holds the stream hardly ever.
const SOME_LOST: u8 = 26;
/// How long an estimate, losses, or pictures that are late must say that the line is too slow.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A part of packets lost, in 1/256, from which on a line is too slow: above what a bad radio link loses.
const MUCH_LOST: u8 = 38;
/// How late pictures may be before those after them are left out.
const LATE: Duration = Duration::from_millis(1200);
/// How long a viewer gets keyframes alone the first time, and at most.
const FIRST_REST: Duration = Duration::from_secs(4);
const LONGEST_REST: Duration = Duration::from_secs(30);
/// After so long without trouble it is forgotten.
const PARDON: Duration = Duration::from_secs(30);

/// The pace of one viewer.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Rate,
    /// The viewer tells how packets arrive when it is asked; and when it was, the last time.
    tells: bool,
    asked: Option<Instant>,
    /// What the viewer says gets through, in bit/s.
    estimate: Option<u64>,
    /// Since when that is too little; and whether it was more than before, the last time.
    low_since: Option<Instant>,
    climbs: bool,
    /// Since when too much is lost, or waits.
    poor_since: Option<Instant>,
    /// Since when pictures are late.
    late_since: Option<Instant>,
    /// How long packets wait, by round trips.
    wait: Option<Duration>,
    /// What part was lost, in 1/256: by the last report, and by the last few.
    lost: (u8, u8),
    /// Until when keyframes alone go out.
    rest_until: Option<Instant>,
    rest: Duration,
    full_since: Instant,
}

impl Pace {
    /// The pace of a viewer who `tells` how packets arrive, or doesn't.
    pub(crate) fn new(tells: bool, now: Instant) -> Self {
        Self {
            rate: Rate::new(now),
            tells,
            asked: None,
            estimate: None,
            low_since: None,
            climbs: false,
            poor_since: None,
            late_since: None,
            wait: None,
            lost: (0, 0),
            rest_until: None,
            rest: FIRST_REST,
            full_since: now,
        }
    }

    /// Time has passed; the stream has `bitrate`.
    pub(crate) fn turn(&mut self, now: Instant, bitrate: u64) {
        let full = self.rate.full(bitrate);
        let least = match self.estimate {
            _ if !self.resting() => full,
            // What gets through is known, and a keyframe shall be there soon.
            Some(estimate) => estimate.min(full),
            None => 0,
        };
        let most = match self.estimate {
            Some(estimate) if !self.tells => estimate.saturating_mul(2).max(least),
            _ => u64::MAX,
        };
        self.rate.turn(now, least, most);
    }

    /// Whether a packet may go out now.
    pub(crate) fn allows(&self) -> bool {
        self.rate.allows()
    }

    /// So many bytes went out.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.rate.spend(bytes);
    }

    /// Whether to ask how packets arrive, of which so many `bytes` are to go out in a row.
    pub(crate) fn asks(&mut self, bytes: usize, now: Instant) -> bool {
        let asks = self.tells && bytes > MIN_BURST as usize && self.rate.learns(now);
        if asks {
            self.asked = Some(now);
        }
        asks
    }

    /// How packets that went out at this pace got through. Answers whether there is another one from now on.
    pub(crate) fn passed(&mut self, passage: &Passage, now: Instant) -> bool {
        tracing::trace!(?passage, "a viewer's packets");
        self.rate.heard(passage, now)
    }

    /// Packets were lost, and are sent again.
    pub(crate) fn lost(&mut self, now: Instant) {
        self.rate.lost(now);
    }

    /// Whether keyframes alone go out.
    pub(crate) fn resting(&self) -> bool {
        self.rest_until.is_some()
    }

    /// A keyframe is next: the rest may be over.
    pub(crate) fn keyframe(&mut self, now: Instant) {
        if self.rest_until.is_some_and(|until| until <= now) {
            self.rest_until = None;
            self.calm();
            self.estimate = None;
            self.full_since = now;
        }
    }

    /// The viewer says what gets through.
    pub(crate) fn estimated(&mut self, bits: u64, bitrate: u64, now: Instant) {
        tracing::trace!(bits, bitrate, "a viewer's estimate");
        // After a rest an estimate is low and climbs: that is no bad news.
        let before = self.estimate.replace(bits);
        self.climbs = before.is_some_and(|before| bits > before);
        let asked = self.asked.map(|asked| now.saturating_duration_since(asked));
        let partial = asked.is_some_and(|since| since < ASKED);
        if partial || bits.saturating_mul(100) >= bitrate * ENOUGH {
            self.low_since = None;
        } else if !self.climbs {
            self.low_since.get_or_insert(now);
        }
        self.judge(now);
    }

    /// What the viewer's reports of arrivals say.
    pub(crate) fn arrived(&mut self, line: Line, now: Instant) {
        let waits = line.queue >= QUEUE;
        // What gets through is what the line holds only where more is waiting.
        if waits {
            self.estimate = Some(line.rate);
        } else if !self.resting() {
            self.estimate = None;
        }
        tracing::trace!(?line, "a viewer's line");
        self.poor(
            is_full(line.queue, QUEUE, line.lost) || line.lost >= MUCH_LOST,
            now,
        );
        self.judge(now);
    }

    /// The viewer says what part was `lost`, in 1/256, where nothing tells better; packets `wait` so long by the round trips of its
    /// reports.
    pub(crate) fn reported(&mut self, lost: Option<u8>, wait: Option<Duration>, now: Instant) {
        self.wait = wait;
        if let Some(lost) = lost {
            let mean = (3 * u16::from(self.lost.1) + u16::from(lost)) / 4;
            self.lost = (lost, mean as u8);
            self.poor(lost >= MUCH_LOST, now);
            if lost == 0 && !self.tells && wait.is_none_or(|wait| wait < QUEUE / 2) {
                self.rate.clean(now);
            }
        }
        self.judge(now);
    }

    /// A picture that is up next came so long ago, and those before it went out in time.
    pub(crate) fn late_by(&mut self, late: Duration, now: Instant) {
        if late <= LATE {
            self.late_since = None;
            return;
        }
        let Some(since) = self.late_since else {
            // It may be the pace, or a machine that was busy, and not the line.
            self.rate.doubt();
            self.late_since = Some(now);
            return;
        };
        if now.saturating_duration_since(since) >= PATIENCE {
            self.tire("late", now);
        }
    }

    /// The line does not hold the stream, as `why` tells: keyframes alone go out for a while.
    pub(crate) fn tire(&mut self, why: &'static str, now: Instant) {
        if self.resting() {
            return;
        }
        if now.saturating_duration_since(self.full_since) > PARDON {
            self.rest = FIRST_REST;
        }
        self.rest_until = Some(now + self.rest);
        let (rest, estimate, wait, lost) = (self.rest, self.estimate, self.wait, self.lost);
        tracing::debug!(
            why,
            ?rest,
            pace = self.rate.bits(),
            estimate,
            ?wait,
            ?lost,
            "a viewer's line is too slow; it gets keyframes alone"
        );
        self.rest = (2 * self.rest).min(LONGEST_REST);
        self.calm();
    }

    fn calm(&mut self) {
        (self.low_since, self.poor_since, self.late_since) = (None, None, None);
    }

    fn poor(&mut self, poor: bool, now: Instant) {
        self.poor_since = poor.then(|| self.poor_since.unwrap_or(now));
    }

    /// Losses speak for themselves. An estimate falls with jitter, with losses, and where the viewer's machine is busy, too: it is believed
    /// where packets really wait, or nothing tells whether they do.
    fn judge(&mut self, now: Instant) {
        let long = |since: Option<Instant>| {
            since.is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE)
        };
        let lost = self.lost.0.min(self.lost.1);
        let waits = self.wait.is_none_or(|wait| is_full(wait, WAIT, lost));
        if long(self.poor_since) || waits && !self.climbs && long(self.low_since) {
            self.tire("rate", now);
        }
    }
}

/// Whether packets that `wait` so long in front of a line, of which a part gets `lost`, tell of a queue that does not get shorter.
fn is_full(wait: Duration, much: Duration, lost: u8) -> bool {
    wait >= DEEP || wait >= much && lost >= SOME_LOST
}

#[cfg(test)]
mod tests;
