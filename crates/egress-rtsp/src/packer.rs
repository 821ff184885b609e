//! Frames to units. Pure.

use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use hub::ring::Slot;
use media::rtp::{HEADER_SIZE, Header, Packetizer};
use media::time::{NANOS, nanos_to_ticks};
use media::{Format, Frame, Track, TrackId};
use rtsp::Interleaved;

use crate::describe::{payload_type, sendable};
use crate::sources::{FRAMING, Sources, framed_report};
use crate::unit::{Mark, Start, Unit, usual_channels};
use crate::wall::Wall;

/// The most bytes of an RTP payload: with headers of RTP, UDP and IPv6 a datagram has 1420 bytes, which also tunnels carry.
const MAX_PAYLOAD: usize = 1360;
/// How often a track's clock is paired with the wall clock, in nanoseconds of the Stream's time line.
const REPORT_EVERY: i64 = 5 * NANOS;

/// Turns the frames of a Stream into units.
#[derive(Debug)]
pub(crate) struct Packer {
    sources: Sources,
    lanes: Vec<Lane>,
    wall: Wall,
}

#[derive(Debug)]
struct Lane {
    track: TrackId,
    format: Arc<Format>,
    payload_type: u8,
    packetizer: Packetizer,
    sequence: u16,
    /// What is added to times of the Stream.
    offset: u32,
    packets: u32,
    octets: u32,
    /// When the last report was, on the Stream's time line in nanoseconds.
    reported: Option<i64>,
}

impl Packer {
    pub(crate) fn new(sources: Sources) -> Self {
        Self {
            sources,
            lanes: Vec::new(),
            wall: Wall::default(),
        }
    }

    /// Knows of `tracks` before they have sent anything: players want to be told at once where each of them begins.
    pub(crate) fn expect(&mut self, tracks: &[Track]) {
        for track in tracks {
            let known = self.lanes.iter().any(|lane| lane.track == track.id);
            if let Some(format) = sendable(track).filter(|_| !known) {
                self.lane(track.id, format);
            }
        }
    }

    /// The unit of `frame`, at which a viewer may start if `start`; it arrived at `unix`, in nanoseconds since 1970. None for
    /// a format that is not sent.
    pub(crate) fn push(
        &mut self,
        frame: &Frame,
        start: bool,
        unix: i64,
    ) -> Option<Slot<Arc<Unit>>> {
        let moment = frame.pts_nanos();
        let epoch = self.wall.follow(moment, unix, frame.discontinuity);
        let sources = self.sources;
        let at = self.lane(frame.track, &frame.format)?;
        let start = start.then(|| Start {
            unix: epoch + moment,
            marks: self.lanes.iter().map(|lane| lane.mark(moment)).collect(),
        });
        let lane = &mut self.lanes[at];
        let due = lane
            .reported
            .is_none_or(|last| frame.discontinuity || (moment - last).abs() >= REPORT_EVERY);
        let report = due.then(|| {
            lane.reported = Some(moment);
            let packet = sources.report(lane.track, epoch + moment, lane.mark(moment));
            framed_report(&packet, usual_channels(lane.track).1)
        });
        let (framed, ends) = lane.packets(frame, sources.ssrc(frame.track))?;
        let unit = Unit {
            track: frame.track,
            format: frame.format.clone(),
            arrival: frame.arrival,
            report,
            framed,
            ends,
            datagrams: OnceLock::new(),
            start,
        };
        Some(Slot {
            start: unit.start.is_some(),
            at: frame.dts_nanos(),
            bytes: unit.cost(),
            item: Arc::new(unit),
        })
    }

    /// The place of the lane of `track`, set to `format`.
    fn lane(&mut self, track: TrackId, format: &Arc<Format>) -> Option<usize> {
        let known = self.lanes.iter().position(|lane| lane.track == track);
        if let Some(at) = known
            && Arc::ptr_eq(&self.lanes[at].format, format)
        {
            return known;
        }
        let payload_type = payload_type(track, format)?;
        let packetizer = Packetizer::new(format, MAX_PAYLOAD).ok()?;
        let format = format.clone();
        if let Some(at) = known {
            let lane = &mut self.lanes[at];
            (lane.format, lane.payload_type, lane.packetizer) = (format, payload_type, packetizer);
            return known;
        }
        self.lanes.push(Lane {
            track,
            format,
            payload_type,
            packetizer,
            sequence: u16::from_be_bytes(crate::random::bytes()),
            offset: u32::from_be_bytes(crate::random::bytes()),
            packets: 0,
            octets: 0,
            reported: None,
        });
        Some(self.lanes.len() - 1)
    }
}

impl Lane {
    /// Where the lane is at `moment`, in nanoseconds of the Stream's time line.
    fn mark(&self, moment: i64) -> Mark {
        let ticks = nanos_to_ticks(moment, self.format.clock_rate());
        Mark {
            track: self.track,
            sequence: self.sequence,
            timestamp: (ticks as u32).wrapping_add(self.offset),
            packets: self.packets,
            octets: self.octets,
        }
    }

    /// The packets of `frame` as interleaved frames, and where each ends; none where there are none.
    fn packets(&mut self, frame: &Frame, ssrc: u32) -> Option<(Bytes, Box<[u32]>)> {
        let timestamp = (frame.pts as u32).wrapping_add(self.offset);
        let channel = usual_channels(self.track).0;
        let overhead = FRAMING + HEADER_SIZE + 8;
        let expected = 2 + frame.data.len() / MAX_PAYLOAD;
        let mut out = BytesMut::with_capacity(frame.data.len() + 256 + overhead * expected);
        let mut ends = Vec::with_capacity(expected);
        let Self {
            packetizer,
            payload_type,
            sequence,
            packets,
            octets,
            ..
        } = self;
        packetizer.packetize(frame, |payload| {
            let size = HEADER_SIZE + payload.size();
            // An Opus packet, which can't be split, is the only one that could be longer; none real is.
            let Ok(framing) = Interleaved::header(channel, size) else {
                return;
            };
            let header = Header {
                marker: payload.marker,
                payload_type: *payload_type,
                sequence: *sequence,
                timestamp: timestamp.wrapping_add(payload.offset),
                ssrc,
            };
            out.put_slice(&framing);
            out.put_slice(&header.to_bytes());
            out.put_slice(&payload.header);
            out.put_slice(&payload.body);
            ends.push(out.len() as u32);
            *sequence = sequence.wrapping_add(1);
            *packets = packets.wrapping_add(1);
            *octets = octets.wrapping_add(payload.size() as u32);
        });
        (!ends.is_empty()).then(|| (out.freeze(), ends.into()))
    }
}

#[cfg(test)]
mod tests;
