//! What one viewer gets: its lanes, its places in the rings, and its pace. Time is an argument.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use hub::Round;
use hub::ring::{Event, Reader};
use media::Codec;

use crate::Error;
use crate::batch::Batch;
use crate::feedback::Feedback;
use crate::ice::Path;
use crate::lane::{Lane, Wire};
use crate::opus::Listening;
use crate::pace::{Pace, TICK};
use crate::plan::Chosen;
use crate::srtp::Srtp;
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

/// Where and how packets go out.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    pub(crate) srtp: &'a mut Srtp,
    pub(crate) path: Path,
    pub(crate) now: Instant,
    /// The wall clock now, in nanoseconds since 1970.
    pub(crate) unix: i64,
}

/// What came of serving a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// All that there was.
    All,
    /// More is to go out soon.
    Until(Instant),
    /// The rings were closed.
    Closed,
    /// The camera sends another codec now than the viewer was told.
    OtherCodec,
}

/// The tracks of one viewer.
#[derive(Debug)]
pub(crate) struct Delivery {
    picture: Option<Picture>,
    sound: Option<Sound>,
    cname: String,
    counted: Counted,
}

/// What was noted of a viewer for the figures.
#[derive(Debug, Clone, Copy)]
struct Counted {
    joined: Instant,
    /// Its first media went out.
    began: bool,
}

impl Counted {
    fn sent(&mut self, unit: &Unit, round: &mut Round<'_>) {
        round.frame(unit.arrival, self.joined);
        if !std::mem::replace(&mut self.began, true) {
            round.first_frame(self.joined);
        }
    }
}

#[derive(Debug)]
struct Picture {
    lane: Lane,
    codec: Codec,
    reader: Option<Reader<Arc<Unit>>>,
    /// The unit under way, and its next packet.
    current: Option<(Arc<Unit>, usize)>,
    pace: Pace,
    /// All that there was has gone out once since the beginning.
    caught_up: bool,
    restarted: Instant,
    restarts: u32,
    /// Bytes that retransmissions may take.
    resend: i64,
    resend_at: Instant,
}

#[derive(Debug)]
struct Sound {
    lane: Lane,
    codec: Codec,
    /// The camera's sound is something else, and Opus is made of it.
    made: bool,
    source: Option<Heard>,
}

/// Where sound comes from.
#[derive(Debug)]
enum Heard {
    Camera(Reader<Arc<Unit>>),
    Made(Listening),
}

impl Delivery {
    pub(crate) fn new(
        picture: Option<(Wire, Codec)>,
        sound: Option<Chosen>,
        cname: String,
        joined: Instant,
        now: Instant,
    ) -> Self {
        Self {
            picture: picture.map(|(wire, codec)| Picture {
                lane: Lane::new(wire),
                codec,
                reader: None,
                current: None,
                pace: Pace::new(now),
                caught_up: false,
                restarted: now,
                restarts: 0,
                resend: RESENT,
                resend_at: now,
            }),
            sound: sound.map(|Chosen { wire, codec, made }| Sound {
                lane: Lane::new(wire),
                codec,
                made,
                source: None,
            }),
            cname,
            counted: Counted {
                joined,
                began: false,
            },
        }
    }

    /// Takes places in the rings: pictures from the newest keyframe on, sound from now on.
    pub(crate) fn begin(&mut self, stage: &Stage, now: Instant) {
        if let Some(picture) = &mut self.picture {
            picture.reader = Some(stage.pictures());
            picture.pace = Pace::new(now);
            picture.restarted = now;
        }
        if let Some(sound) = &mut self.sound {
            sound.source = Some(if sound.made {
                Heard::Made(stage.opus(sound.lane.wire.track))
            } else {
                Heard::Camera(stage.sounds())
            });
        }
    }

    /// Sends what is there, as far as the pace allows.
    pub(crate) fn serve(
        &mut self,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
        round: &mut Round<'_>,
    ) -> Result<Served, Error> {
        let counted = &mut self.counted;
        let mut sent = |unit: &Unit| counted.sent(unit, round);
        // Sound first: it is little, and does not wait.
        if let Some(sound) = &mut self.sound {
            let served = sound.serve(way, batch, &mut sent)?;
            if served != Served::All {
                return Ok(served);
            }
        }
        let served = match &mut self.picture {
            Some(picture) => picture.serve(stage, way, batch, &mut sent)?,
            None => Served::All,
        };
        self.report(stage, way, batch)?;
        Ok(served)
    }

    /// Sends the sender reports that are due.
    pub(crate) fn report(
        &mut self,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let Some(epoch) = stage.epoch() else {
            return Ok(());
        };
        let picture = self.picture.as_mut().map(|picture| &mut picture.lane);
        let sound = self.sound.as_mut().map(|sound| &mut sound.lane);
        for lane in [picture, sound].into_iter().flatten() {
            if lane.report_due(way.now) {
                let mut report = BytesMut::new();
                lane.report(way.now, (epoch, way.unix), &self.cname, &mut report);
                send_rtcp(&report, way, batch)?;
            }
        }
        Ok(())
    }

    /// Tells the viewer that nothing follows.
    pub(crate) fn goodbye(&self, way: &mut Way<'_>, batch: &mut Batch) -> Result<(), Error> {
        let picture = self.picture.as_ref().map(|picture| &picture.lane);
        let sound = self.sound.as_ref().map(|sound| &sound.lane);
        for lane in [picture, sound].into_iter().flatten() {
            let mut report = BytesMut::new();
            // RFC 3550 §6.1: a compound packet begins with a report.
            media::rtcp::write_receiver_report(lane.wire.ssrc, &[], &self.cname, &mut report);
            media::rtcp::write_goodbye(lane.wire.ssrc, &mut report);
            send_rtcp(&report, way, batch)?;
        }
        Ok(())
    }

    /// Does what the viewer asks for in RTCP. Answers whether there is something to serve.
    pub(crate) fn hear(
        &mut self,
        feedback: Feedback<'_>,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
    ) -> Result<bool, Error> {
        let Some(picture) = &mut self.picture else {
            return Ok(false);
        };
        let ours = picture.lane.wire.ssrc;
        match feedback {
            Feedback::Nack {
                ssrc,
                sequence,
                following,
            } if ssrc == ours => {
                picture.resend(sequence, following, stage, way, batch)?;
            }
            Feedback::Keyframe { ssrc } if ssrc == ours => {
                return Ok(picture.restart(stage, way.now));
            }
            Feedback::Estimate { bits } => picture.pace.estimated(bits, stage.bitrate(), way.now),
            // Reports of arrivals tell the same, and sooner.
            Feedback::Loss { ssrc, fraction } if ssrc == ours && picture.lane.history.is_none() => {
                picture.pace.reported(fraction, way.now);
            }
            Feedback::Arrivals { report } => {
                if let Some(history) = &mut picture.lane.history {
                    history.report(report, |line| picture.pace.arrived(line, way.now));
                }
            }
            _ => {}
        }
        Ok(false)
    }
}

impl Sound {
    fn serve(
        &mut self,
        way: &mut Way<'_>,
        batch: &mut Batch,
        sent: &mut impl FnMut(&Unit),
    ) -> Result<Served, Error> {
        let reader = match &mut self.source {
            Some(Heard::Camera(reader)) => reader,
            Some(Heard::Made(listening)) => &mut listening.units,
            None => return Ok(Served::All),
        };
        loop {
            match reader.try_next() {
                Some(Event::Item(unit)) if unit.track == self.lane.wire.track => {
                    if unit.format.codec() != self.codec {
                        return Ok(Served::OtherCodec);
                    }
                    self.lane.begin(&unit, false);
                    for payload in &unit.packets {
                        self.lane
                            .send(payload, way.unix, way.srtp, way.path, batch)?;
                    }
                    sent(&unit);
                }
                Some(Event::Item(_) | Event::Skipped(_)) => {}
                Some(Event::Closed) => return Ok(Served::Closed),
                None => return Ok(Served::All),
            }
        }
    }
}

impl Picture {
    fn serve(
        &mut self,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
        sent: &mut impl FnMut(&Unit),
    ) -> Result<Served, Error> {
        self.pace.turn(way.now, stage.bitrate());
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
                    self.caught_up = true;
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
            self.lane.begin(&unit, true);
            self.current = Some((unit, 0));
            return Served::Until(now);
        }
    }

    /// The viewer lost its picture: begins anew at the newest keyframe.
    fn restart(&mut self, stage: &Stage, now: Instant) -> bool {
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
        self.caught_up = false;
        true
    }

    fn resend(
        &mut self,
        sequence: u16,
        following: u16,
        stage: &Stage,
        way: &mut Way<'_>,
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let passed = way
            .now
            .saturating_duration_since(self.resend_at)
            .as_micros() as i64;
        self.resend_at = way.now;
        self.resend = (self.resend + RESENT * passed / 1_000_000).min(RESENT);
        let cache = stage.cache();
        let others = (0..16)
            .filter(|bit| following & 1 << bit != 0)
            .map(|bit| bit + 1);
        for distance in std::iter::once(0).chain(others) {
            if self.resend <= 0 {
                break;
            }
            let sequence = sequence.wrapping_add(distance);
            let size = self
                .lane
                .resend(sequence, &cache, way.unix, way.srtp, way.path, batch)?;
            self.resend -= size as i64;
            if size > 0 {
                // Who asks again for what is gone says nothing new.
                self.pace.lost(way.now);
            }
        }
        Ok(())
    }
}

fn send_rtcp(report: &[u8], way: &mut Way<'_>, batch: &mut Batch) -> Result<(), Error> {
    let (buffer, start) = batch.begin();
    buffer.extend_from_slice(report);
    way.srtp.seal_rtcp(buffer, start)?;
    batch.end(way.path, start);
    Ok(())
}
