use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::rtcp::{ReportBlock, SenderReport};
use media::rtp::{AccessUnit, Depacketizer, Limits, Packet, Reception, Reorder};
use media::{Frame, Kind, Track};

use super::News;
use super::clock::{Clock, Ticks};
use crate::plan;

/// One track on its way from packets to frames.
#[derive(Debug)]
pub(super) struct Lane {
    track: Track,
    payload_type: u8,
    refused: bool,
    left: bool,
    reorder: Reorder,
    reception: Reception,
    depacketizer: Depacketizer,
    /// Packets and frames lost that are reported already.
    reported: (u64, u64),
    ticks: Ticks,
    /// Packets that are no RTP, or of another payload type.
    foreign: u64,
}

impl Lane {
    pub(super) fn new(lane: plan::Lane, datagrams: bool) -> Result<Self, media::Error> {
        let limits = if datagrams {
            Limits::UDP
        } else {
            Limits::IN_ORDER
        };
        Ok(Self {
            depacketizer: lane.depacketizer()?,
            reorder: Reorder::new(limits),
            reception: Reception::new(lane.payload.clock_rate),
            payload_type: lane.payload.payload_type,
            track: lane.track,
            refused: false,
            left: false,
            reported: (0, 0),
            ticks: Ticks::new(lane.payload.clock_rate),
            foreign: 0,
        })
    }

    pub(super) fn track(&self) -> &Track {
        &self.track
    }

    /// This track will carry nothing.
    pub(super) fn refuse(&mut self, why: &str) {
        self.refused = true;
        self.track.unsupported = Some(why.to_owned());
    }

    /// Whether there is nothing more to learn before the track is announced.
    pub(super) fn is_known(&self) -> bool {
        self.refused || self.track.format.is_some()
    }

    pub(super) fn takes(&self, payload_type: u8) -> bool {
        self.payload_type == payload_type && !self.refused
    }

    /// Takes a packet; false if it is none of this track's.
    pub(super) fn push(&mut self, data: Bytes, now: Instant) -> bool {
        match Packet::parse(data) {
            Ok(packet) if packet.header.payload_type == self.payload_type => {
                self.left = false;
                self.reception.packet(&packet.header, now);
                self.reorder.push(packet, now);
                true
            }
            other => {
                self.foreign += 1;
                if self.foreign.is_power_of_two() {
                    let why = other.err().map(|error| error.to_string());
                    tracing::debug!(
                        track = self.track.id.0,
                        count = self.foreign,
                        why,
                        "foreign packets"
                    );
                }
                false
            }
        }
    }

    /// The next frame that is whole at `now`.
    pub(super) fn pull(&mut self, clock: &mut Clock, now: Instant) -> Option<Frame> {
        loop {
            if let Some(unit) = self.depacketizer.pull() {
                return Some(self.frame(unit, clock, now));
            }
            let arrived = self.reorder.pop(now)?;
            if let Err(error) = self.depacketizer.push(arrived.packet, arrived.lost) {
                tracing::debug!(track = self.track.id.0, %error, "a packet makes no sense");
            }
        }
    }

    /// Takes note of the format that `frame` came with; true if it is a new one.
    pub(super) fn take_format(&mut self, frame: &Frame) -> bool {
        let known = self.track.format.as_ref();
        let news = known.is_none_or(|f| !Arc::ptr_eq(f, &frame.format) && **f != *frame.format);
        if news {
            self.track.format = Some(Arc::clone(&frame.format));
        }
        news
    }

    /// What was lost since the last time, if anything.
    pub(super) fn losses(&mut self) -> Option<News> {
        let (packets, frames) = (self.reorder.counters().lost, self.depacketizer.dropped());
        let before = std::mem::replace(&mut self.reported, (packets, frames));
        (before != self.reported).then(|| News::Lost {
            track: self.track.id,
            packets: packets - before.0,
            frames: frames - before.1,
        })
    }

    pub(super) fn sender_report(&mut self, report: &SenderReport, now: Instant) {
        self.reception.sender_report(report, now);
    }

    /// The camera has said goodbye to this track.
    pub(super) fn leave(&mut self) {
        self.left = true;
    }

    pub(super) fn has_left(&self) -> bool {
        self.left || self.refused
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.reorder.timeout()
    }

    pub(super) fn report(&mut self, now: Instant) -> Option<ReportBlock> {
        self.reception.report(now)
    }

    fn frame(&mut self, unit: AccessUnit, clock: &mut Clock, now: Instant) -> Frame {
        let rate = unit.format.clock_rate();
        let pts = self.ticks.place(unit.timestamp, rate, clock, now);
        let data = match unit.format.kind() {
            // Sound comes as slices of what was read from the network, of which a ring would keep 64 KiB each.
            Kind::Audio => Bytes::copy_from_slice(&unit.data),
            Kind::Video => unit.data,
        };
        Frame {
            track: self.track.id,
            pts,
            dts: pts,
            keyframe: unit.keyframe,
            discontinuity: unit.lost > 0,
            wallclock: None,
            arrival: now,
            format: unit.format,
            data,
        }
    }
}
