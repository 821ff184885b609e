//! What one viewer gets: its tracks and what carries them. Time is an argument.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use hub::Round;
use hub::ring::Reader;
use media::{Format, TrackId};

use crate::describe::still_understood;
use crate::outbox::{Due, Outbox};
use crate::pace::Pace;
use crate::sources::{FRAMING, Sources, framed_report};
use crate::udp::Udp;
use crate::unit::{Unit, usual_channels};

/// What a track goes out by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// The RTSP connection, on these channels.
    Tcp {
        /// The media's.
        rtp: u8,
        /// The reports'.
        rtcp: u8,
    },
    /// Datagrams to these addresses.
    Udp {
        /// The media's.
        rtp: SocketAddr,
        /// The reports'.
        rtcp: SocketAddr,
    },
}

/// A track that was set up.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) track: TrackId,
    /// What the viewer was told of it.
    pub(crate) told: Arc<Format>,
    pub(crate) carrier: Carrier,
}

/// The camera sends something else now than the viewer was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed;

/// Where datagrams go out.
#[derive(Debug)]
pub(crate) struct Datagrams {
    pub(crate) udp: Arc<Udp>,
    /// Where they come from: where the client reached us.
    pub(crate) from: IpAddr,
    pace: Pace,
    /// The unit under way, where it goes, and how many of its runs went out.
    current: Option<(Arc<Unit>, SocketAddr, usize)>,
}

impl Datagrams {
    pub(crate) fn new(udp: Arc<Udp>, from: IpAddr, now: Instant) -> Self {
        Self {
            udp,
            from,
            pace: Pace::new(now),
            current: None,
        }
    }
}

/// A viewer that plays.
#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) reader: Reader<Arc<Unit>>,
    sources: Sources,
    lanes: Vec<Lane>,
    /// Where there are lanes that go out so.
    datagrams: Option<Datagrams>,
}

impl Play {
    pub(crate) fn new(
        reader: Reader<Arc<Unit>>,
        sources: Sources,
        lanes: Vec<Lane>,
        datagrams: Option<Datagrams>,
    ) -> Self {
        Self {
            reader,
            sources,
            lanes,
            datagrams,
        }
    }

    /// Puts a unit into `outbox`, or gets it ready to go out as datagrams: then nothing else may be taken before
    /// [`Play::send_datagrams`] has sent it.
    pub(crate) fn take(&mut self, unit: Arc<Unit>, outbox: &mut Outbox) -> Result<(), Changed> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.track == unit.track) else {
            return Ok(());
        };
        if !Arc::ptr_eq(&lane.told, &unit.format) {
            if !still_understood(&lane.told, &unit.format) {
                return Err(Changed);
            }
            lane.told = Arc::clone(&unit.format);
        }
        match lane.carrier {
            Carrier::Tcp { rtp, rtcp } => {
                if let Some(report) = &unit.report {
                    outbox.push(Due::Words(on_channel(report, unit.track, rtcp)));
                }
                outbox.push(match unit.framed_on(rtp) {
                    Some(framed) => Due::Own(framed, unit.arrival),
                    None => Due::Shared(unit),
                });
            }
            Carrier::Udp { rtp, rtcp } => {
                if let Some(datagrams) = &mut self.datagrams {
                    if let Some(report) = &unit.report {
                        datagrams
                            .udp
                            .report(rtcp, datagrams.from, &report[FRAMING..]);
                    }
                    datagrams.current = Some((unit, rtp, 0));
                }
            }
        }
        Ok(())
    }

    /// Tells who starts at `unit` how the clocks of the tracks belong together.
    pub(crate) fn report(&self, unit: &Unit, outbox: &mut Outbox) {
        for lane in &self.lanes {
            let report = unit
                .start
                .as_ref()
                .and_then(|start| start.report(self.sources, lane.track));
            if let Some(report) = report {
                self.send_report(lane, &report, outbox);
            }
        }
    }

    /// Says that nothing more comes.
    pub(crate) fn goodbye(&self, outbox: &mut Outbox) {
        for lane in &self.lanes {
            self.send_report(lane, &self.sources.goodbye(lane.track), outbox);
        }
    }

    fn send_report(&self, lane: &Lane, packet: &[u8], outbox: &mut Outbox) {
        match (lane.carrier, &self.datagrams) {
            (Carrier::Tcp { rtcp, .. }, _) => outbox.push(Due::Words(framed_report(packet, rtcp))),
            (Carrier::Udp { rtcp, .. }, Some(datagrams)) => {
                datagrams.udp.report(rtcp, datagrams.from, packet);
            }
            _ => {}
        }
    }

    /// Whether something of it goes out as datagrams.
    pub(crate) fn sends_datagrams(&self) -> bool {
        self.datagrams.is_some()
    }

    /// Whether a unit is under way as datagrams.
    pub(crate) fn needs_time(&self) -> bool {
        self.datagrams
            .as_ref()
            .is_some_and(|datagrams| datagrams.current.is_some())
    }

    /// Sends the unit that is under way as datagrams, as far as the pace allows.
    ///
    /// # Errors
    /// When to go on.
    pub(crate) fn send_datagrams(
        &mut self,
        now: Instant,
        outbox: &mut Outbox,
        round: &mut Round<'_>,
    ) -> Result<(), Instant> {
        let Some(datagrams) = &mut self.datagrams else {
            return Ok(());
        };
        let Some((unit, to, done)) = &mut datagrams.current else {
            return Ok(());
        };
        let packets = unit.datagrams();
        for run in &packets.runs[*done..] {
            let size = run.end - run.start;
            datagrams.pace.take(size, now)?;
            datagrams.udp.send(
                *to,
                datagrams.from,
                &packets.bytes[run.start..run.end],
                run.segment,
            );
            if let Some(meter) = &outbox.meter {
                meter.bytes(size, round);
            }
            *done += 1;
        }
        if let Some(meter) = &mut outbox.meter {
            meter.media(unit.arrival, round);
        }
        datagrams.current = None;
        Ok(())
    }
}

/// A framed report of `track` on `channel`.
fn on_channel(report: &Bytes, track: TrackId, channel: u8) -> Bytes {
    if channel == usual_channels(track).1 {
        return report.clone();
    }
    framed_report(&report[FRAMING..], channel)
}
