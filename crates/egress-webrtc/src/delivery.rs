//! What one viewer gets: its lanes, its places in the rings, and its pace. Time is an argument.

mod picture;
mod sound;

use std::time::Instant;

use bytes::BytesMut;
use hub::Round;
use media::Codec;
use media::rtcp::NtpTime;

use crate::Error;
use crate::batch::Batch;
use crate::feedback::Feedback;
use crate::figures::Counts;
use crate::ice::Path;
use crate::lane::{Lane, Wire};
use crate::plan::Chosen;
use crate::srtp::Srtp;
use crate::stage::Stage;
use crate::unit::Unit;

use picture::Picture;
use sound::Sound;

/// Where and how packets go out.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    pub(crate) srtp: &'a mut Srtp,
    pub(crate) path: Path,
    pub(crate) now: Instant,
    /// The wall clock now, in nanoseconds since 1970.
    pub(crate) unix: i64,
    pub(crate) counts: &'a Counts,
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

impl Delivery {
    pub(crate) fn new(
        picture: Option<(Wire, Codec)>,
        sound: Option<Chosen>,
        cname: String,
        joined: Instant,
        now: Instant,
    ) -> Self {
        Self {
            picture: picture.map(|picture| Picture::new(picture, now)),
            sound: sound.map(Sound::new),
            cname,
            counted: Counted {
                joined,
                began: false,
            },
        }
    }

    /// Whether keyframes alone go out.
    pub(crate) fn rests(&self) -> bool {
        self.picture
            .as_ref()
            .is_some_and(|picture| picture.pace.resting())
    }

    /// How many packets went out for the first time since this was asked last.
    pub(crate) fn take_packets(&mut self) -> u64 {
        self.lanes().map(Lane::take_packets).sum()
    }

    fn lanes(&mut self) -> impl Iterator<Item = &mut Lane> {
        let picture = self.picture.as_mut().map(|picture| &mut picture.lane);
        let sound = self.sound.as_mut().map(|sound| &mut sound.lane);
        [picture, sound].into_iter().flatten()
    }

    /// Takes places in the rings: pictures from the newest keyframe on, sound from now on.
    pub(crate) fn begin(&mut self, stage: &Stage, now: Instant) {
        if let Some(picture) = &mut self.picture {
            picture.begin(stage, now);
        }
        if let Some(sound) = &mut self.sound {
            sound.begin(stage);
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
        if let Feedback::Report { ssrc, report } = feedback {
            let lane = self.lanes().find(|lane| lane.wire.ssrc == ssrc);
            let lost = lane.map_or(0, |lane| lane.report_lost(report.lost));
            way.counts.lost.add(lost);
        }
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
                return picture.resend(sequence, following, stage, way, batch);
            }
            Feedback::Keyframe { ssrc } if ssrc == ours => {
                way.counts.keyframe_requests.one();
                return Ok(picture.restart(stage, way.now));
            }
            Feedback::Estimate { bits } => picture.pace.estimated(bits, stage.bitrate(), way.now),
            Feedback::Report { ssrc, report } if ssrc == ours => {
                let clock = NtpTime::from_unix_nanos(way.unix).middle();
                picture.reported(report, clock, way.now);
            }
            Feedback::Arrivals { report } => picture.arrived(report, way.now),
            _ => {}
        }
        Ok(false)
    }
}

fn send_rtcp(report: &[u8], way: &mut Way<'_>, batch: &mut Batch) -> Result<(), Error> {
    let (buffer, start) = batch.begin();
    buffer.extend_from_slice(report);
    way.srtp.seal_rtcp(buffer, start)?;
    batch.end(way.path, start);
    Ok(())
}
