//! Pictures on their way to one viewer: at a pace, whole, and again where packets got lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hub::ring::{Event, Reader};
use media::Codec;
use media::rtp::Payload;

use super::{Served, Way};
use crate::Error;
use crate::batch::Batch;
use crate::cushion::Cushion;
use crate::lane::{Lane, Wire};
use crate::pace::{Pace, TICK};
use crate::reports::{Report, Reports};
use crate::stage::Stage;
use crate::unit::Unit;

/// No viewer is begun anew for a keyframe more often.
const RESTART: Duration = Duration::from_secs(1);
/// So many times in a row, each within [`RESTART_SPAN`] of the last, and its line is too slow.
const MANY_RESTARTS: u32 = 4;
const RESTART_SPAN: Duration = Duration::from_secs(5);
/// How long it takes at most to catch up with what came since the keyframe that a viewer began at.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Retransmissions get so many bytes a second, and as many at once.
const RESENT: i64 = 500_000;
/// How many packets wait to be sent again at most; who misses more asks again.
const MISSING: usize = 256;
/// How many of the last retransmissions are remembered, so that who asks twice for a packet that is under way gets it once.
const REMEMBERED: usize = 128;

#[derive(Debug)]
pub(super) struct Picture {
    pub(super) lane: Lane,
    codec: Codec,
    reader: Option<Reader<Arc<Unit>>>,
    /// The unit under way, and its next packet.
    current: Option<(Arc<Unit>, usize)>,
    pub(super) pace: Pace,
    reports: Reports,
    cushion: Cushion,
    /// All that there was has gone out once since the beginning.
    caught_up: bool,
    restarted: Instant,
    restarts: u32,
    /// Bytes that retransmissions may take.
    resend: i64,
    resend_at: Instant,
    /// The numbers of packets that are to be sent again.
    missing: VecDeque<u16>,
    /// The numbers of packets that were sent again lately, and when.
    resent: VecDeque<(u16, Instant)>,
    /// Nothing was left to be sent: what goes out next is not a part of what went out before.
    paused: bool,
}

impl Picture {
    pub(super) fn new((wire, codec): (Wire, Codec), now: Instant) -> Self {
        let lane = Lane::new(wire);
        Self {
            pace: Pace::new(lane.history.is_some(), now),
            lane,
            codec,
            reader: None,
            current: None,
            reports: Reports::default(),
            cushion: Cushion::default(),
            caught_up: false,
            restarted: now,
            restarts: 0,
            resend: RESENT,
            resend_at: now,
            missing: VecDeque::new(),
            resent: VecDeque::new(),
            paused: true,
        }
    }

    /// Takes a place in the ring: from the newest keyframe on.
    pub(super) fn begin(&mut self, stage: &Stage, now: Instant) {
        self.reader = Some(stage.pictures());
        self.pace = Pace::new(self.lane.history.is_some(), now);
        self.restarted = now;
    }

    pub(super) fn serve(
        &mut self,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
        sent: &mut impl FnMut(&Unit),
    ) -> Result<Served, Error> {
        self.send_missing(stage, way, batch)?;
        while self.pace.allows() {
            if self.current.is_none() {
                match self.next(way.now) {
                    Served::Until(_) => {}
                    other => return Ok(other),
                }
            }
            let Some((unit, place)) = &mut self.current else {
                continue;
            };
            let size =
                self.lane
                    .send(&unit.packets[*place], way.unix, way.srtp, way.path, batch)?;
            self.pace.spend(size);
            *place += 1;
            if *place == unit.packets.len() {
                sent(unit);
                self.current = None;
            }
        }
        Ok(Served::Until(way.now + TICK))
    }

    /// Begins the next unit, if there is one: then the answer is `Until`.
    fn next(&mut self, now: Instant) -> Served {
        let Some(reader) = &mut self.reader else {
            return Served::All;
        };
        loop {
            let unit = match reader.try_next() {
                Some(Event::Item(unit)) => unit,
                Some(Event::Skipped(_)) => continue,
                Some(Event::Closed) => return Served::Closed,
                None => {
                    (self.caught_up, self.paused) = (true, true);
                    return Served::All;
                }
            };
            if unit.track != self.lane.wire.track {
                continue;
            }
            if unit.format.codec() != self.codec {
                return Served::OtherCodec;
            }
            if unit.keyframe {
                self.pace.keyframe(now);
            } else if self.caught_up || now.saturating_duration_since(self.restarted) > CATCH_UP {
                self.pace
                    .late_by(now.saturating_duration_since(unit.arrival), now);
            }
            if self.pace.resting() && !unit.keyframe {
                continue;
            }
            self.lane
                .keep(self.cushion.next(self.reports.answer(), now));
            let late = if self.caught_up {
                Duration::ZERO
            } else {
                now.saturating_duration_since(unit.arrival)
            };
            self.lane.begin(&unit, late, true);
            self.ask(&unit, now);
            self.current = Some((unit, 0));
            return Served::Until(now);
        }
    }

    /// Asks how the packets of `unit` arrive, where they have to wait for each other.
    fn ask(&mut self, unit: &Unit, now: Instant) {
        let bytes = if self.caught_up {
            unit.packets.iter().map(Payload::size).sum()
        } else {
            usize::MAX
        };
        let asks = self.pace.asks(bytes, now);
        let paused = std::mem::take(&mut self.paused);
        self.lane.ask(asks, paused);
    }

    /// The viewer reports when packets arrived.
    pub(super) fn arrived(&mut self, report: &[u8], now: Instant) {
        let Some(history) = &mut self.lane.history else {
            return;
        };
        // Of packets that are seldom asked about too little is known for more.
        let (pace, estimates) = (&mut self.pace, self.lane.wire.estimates);
        let passage = history.report(report, |line| {
            if !estimates {
                pace.arrived(line, now);
            }
        });
        if passage.is_some_and(|passage| self.pace.passed(&passage, now)) {
            history.renew();
        }
    }

    /// The viewer lost its picture: begins anew at the newest keyframe.
    pub(super) fn restart(&mut self, stage: &Stage, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.restarted);
        let under_way = !self.caught_up && since < RESTART_SPAN;
        if since < RESTART || under_way || self.pace.resting() {
            // It is under way, or will be with the next keyframe.
            return false;
        }
        self.restarts = if since < RESTART_SPAN {
            self.restarts + 1
        } else {
            0
        };
        self.restarted = now;
        if self.restarts >= MANY_RESTARTS {
            self.restarts = 0;
            self.pace.tire("keyframes", now);
            return false;
        }
        self.reader = Some(stage.pictures());
        self.current = None;
        self.missing.clear();
        self.caught_up = false;
        true
    }

    /// The viewer reports what it got, when the middle bits of our time are `clock`.
    pub(super) fn reported(&mut self, report: Report, clock: u32, now: Instant) {
        let lost = self.reports.add(report, clock, now);
        let wait = self.reports.wait();
        tracing::trace!(lost, ?wait, "a viewer's report");
        // Reports of arrivals tell of losses, too, and sooner.
        let lost = lost.filter(|_| self.lane.history.is_none() || self.lane.wire.estimates);
        self.pace.reported(lost, wait, now);
    }

    /// Sends again what the viewer misses: a packet, and those of the 16 after it whose bit is set. Answers whether there is more than
    /// the pace allows now.
    pub(super) fn resend(
        &mut self,
        sequence: u16,
        following: u16,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
    ) -> Result<bool, Error> {
        let others = (0..16)
            .filter(|bit| following & 1 << bit != 0)
            .map(|bit| bit + 1);
        for distance in std::iter::once(0).chain(others) {
            let sequence = sequence.wrapping_add(distance);
            let known = self.missing.contains(&sequence) || self.is_under_way(sequence, way.now);
            if !known && self.missing.len() < MISSING {
                self.missing.push_back(sequence);
            }
        }
        self.send_missing(stage, way, batch)?;
        Ok(!self.missing.is_empty())
    }

    /// Sends again what the viewer misses, as far as the pace allows: lost to a queue that is full, all of it at once would be lost again.
    fn send_missing(
        &mut self,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        self.pace.turn(way.now, stage.bitrate());
        if self.missing.is_empty() {
            return Ok(());
        }
        let passed = way
            .now
            .saturating_duration_since(self.resend_at)
            .as_micros() as i64;
        self.resend_at = way.now;
        self.resend = (self.resend + RESENT * passed / 1_000_000).min(RESENT);
        if self.resend <= 0 {
            self.missing.clear();
        }
        let cache = stage.cache();
        while self.resend > 0 && self.pace.allows() {
            let Some(sequence) = self.missing.pop_front() else {
                break;
            };
            let size = self
                .lane
                .resend(sequence, &cache, way.unix, way.srtp, way.path, batch)?;
            if size > 0 {
                self.resend -= size as i64;
                self.pace.spend(size);
                // Who asks again for what is gone says nothing new.
                self.pace.lost(way.now);
                self.cushion.lost(way.now);
                way.counts.resent.one();
                self.resent.truncate(REMEMBERED - 1);
                self.resent.push_front((sequence, way.now));
            }
        }
        Ok(())
    }

    /// Whether a packet was sent again, and can't have arrived yet. Without an idea of how far away we are, viewers ask again each 100 ms.
    fn is_under_way(&self, sequence: u16, now: Instant) -> bool {
        let lately = self.reports.shortest().unwrap_or_default() * 3 / 4;
        self.resent
            .iter()
            .take_while(|(_, at)| now.saturating_duration_since(*at) < lately)
            .any(|(number, _)| *number == sequence)
    }
}
