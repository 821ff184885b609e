use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::rtcp::{ReportBlock, SenderReport};
use media::rtp::{AccessUnit, Depacketizer, Limits, Packet, Reception, Reorder};
use media::time::{Timeline, VIDEO_CLOCK};
use media::{DecodeTimes, Format, Frame, Kind, Track};

use super::News;
use crate::plan;

/// One track on its way from packets to frames.
#[derive(Debug)]
pub(super) struct Lane {
    track: Track,
    payload_type: u8,
    clock_rate: u32,
    refused: bool,
    left: bool,
    reorder: Reorder,
    reception: Reception,
    depacketizer: Depacketizer,
    /// Packets and frames lost that are reported already.
    reported: (u64, u64),
    /// For pictures, once there is one.
    decode_times: Option<DecodeTimes>,
    /// The format that the last frame came with.
    last_format: Option<Arc<Format>>,
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
            decode_times: None,
            last_format: None,
            clock_rate: lane.payload.clock_rate,
            foreign: 0,
        })
    }

    /// Makes the track known to the time line.
    pub(super) fn enter(&self, timeline: &mut Timeline) {
        timeline.add(self.track.id, self.track.kind, self.clock_rate);
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
                let header = packet.header;
                let ours = self.reorder.push(packet, now);
                if ours {
                    self.reception.packet(&header, now);
                }
                ours
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
    pub(super) fn pull(&mut self, timeline: &mut Timeline, now: Instant) -> Option<Frame> {
        loop {
            if let Some(unit) = self.depacketizer.pull() {
                return Some(self.frame(unit, timeline, now));
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

    pub(super) fn sender_report(
        &mut self,
        report: &SenderReport,
        timeline: &mut Timeline,
        now: Instant,
    ) {
        self.reception.sender_report(report, now);
        timeline.sender_report(self.track.id, report);
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

    fn frame(&mut self, unit: AccessUnit, timeline: &mut Timeline, now: Instant) -> Frame {
        let placed = timeline.place(self.track.id, &unit, now);
        if let Some(repair) = placed.repair {
            tracing::debug!(
                track = self.track.id.0,
                ?repair,
                "the camera's clock had to be helped"
            );
        }
        let dts = self.decode_time(&unit.format, placed.pts);
        Frame {
            track: self.track.id,
            pts: placed.pts,
            dts,
            keyframe: unit.keyframe,
            discontinuity: unit.lost > 0 || placed.discontinuity,
            wallclock: placed.wallclock,
            arrival: now,
            format: unit.format,
            data: unit.data,
        }
    }

    /// When the unit that is shown at `pts` is decoded: earlier, where pictures overtake others.
    fn decode_time(&mut self, format: &Arc<Format>, pts: i64) -> i64 {
        if format.kind() == Kind::Audio {
            return pts;
        }
        let depth = format.reorder();
        let times = self
            .decode_times
            .get_or_insert_with(|| DecodeTimes::new(depth, frame_duration(format)));
        if self
            .last_format
            .as_ref()
            .is_none_or(|f| !Arc::ptr_eq(f, format))
        {
            self.last_format = Some(Arc::clone(format));
            times.set_depth(depth);
        }
        times.push(pts)
    }
}

/// The distance of pictures in ticks, as the parameter sets have it; 25 a second where they are silent.
fn frame_duration(format: &Format) -> i64 {
    let rate = match format {
        Format::H264(f) => f.frame_rate,
        Format::H265(f) => f.frame_rate,
        _ => None,
    };
    let (frames, seconds) = rate.filter(|r| r.0 > 0).unwrap_or((25, 1));
    i64::from(VIDEO_CLOCK) * i64::from(seconds) / i64::from(frames)
}
