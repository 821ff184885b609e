//! Frames as RTP packets, whole: made once per Stream, and the same for all its viewers. Pure.
//!
//! Source, sequence numbers and timestamps are the Stream's, not a viewer's, so that a viewer costs no more than the
//! writing of bytes that are there already. One who skips finds a gap in the numbers, which is what it is.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use hub::ring::Slot;
use media::rtcp::{NtpTime, SenderReport, write_cname, write_goodbye, write_receiver_report};
use media::rtp::{HEADER_SIZE, Header, Packetizer};
use media::time::{NANOS, nanos_to_ticks};
use media::{Format, Frame, TrackId};
use rtsp::Interleaved;

use crate::describe::payload_type;

/// The most bytes of an RTP payload: with headers of RTP, UDP and IPv6 a datagram has 1420 bytes, which also tunnels carry.
const MAX_PAYLOAD: usize = 1360;
/// Bytes before each packet on the RTSP connection.
pub(crate) const FRAMING: usize = 4;
/// How often a track's clock is paired with the wall clock, in nanoseconds of the Stream's time line.
const REPORT_EVERY: i64 = 5 * NANOS;
/// How fast the wall clock at the zero of the Stream's time line follows what arrivals say: a camera's clock drifts, and
/// networks jitter.
const FOLLOW: i64 = 256;
/// Beyond this, in nanoseconds, it is no drift.
const JUMP: i64 = NANOS;
/// The most datagrams that the kernel is given to split: receivers' socket buffers hold some hundred.
const MAX_SEGMENTS: usize = 32;
/// The kernel takes at most 65,507 bytes in one send.
const MAX_RUN: usize = 60_000;

/// One frame in packets.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) track: TrackId,
    pub(crate) format: Arc<Format>,
    /// When it came from the camera.
    pub(crate) arrival: Instant,
    /// Where all tracks stand, if a viewer may start here.
    pub(crate) start: Option<Start>,
    /// A sender report, on the track's usual channel, that goes out before the packets.
    pub(crate) report: Option<Bytes>,
    /// The packets, each as an interleaved frame on the track's usual channel.
    pub(crate) framed: Bytes,
    /// Where each packet ends in `framed`.
    ends: Box<[u32]>,
    datagrams: OnceLock<Datagrams>,
}

/// Where a Stream is when a viewer starts.
#[derive(Debug)]
pub(crate) struct Start {
    /// The wall clock, in nanoseconds since 1970.
    unix: i64,
    marks: Box<[Mark]>,
}

/// Where a track is at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) track: TrackId,
    /// The number of its next packet.
    pub(crate) sequence: u16,
    /// The moment on the track's clock.
    pub(crate) timestamp: u32,
    packets: u32,
    octets: u32,
}

/// The same packets one behind the other, in pieces that the kernel splits.
#[derive(Debug)]
pub(crate) struct Datagrams {
    pub(crate) bytes: Bytes,
    pub(crate) runs: Box<[Run]>,
}

/// Datagrams of one size but the last, which may be smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) segment: usize,
}

/// The channels that carry a track on the RTSP connection, RTP and RTCP, if the client asks for these as most do.
pub(crate) fn usual_channels(track: TrackId) -> (u8, u8) {
    let first = 2 * (track.0 & 0x7f);
    (first, first + 1)
}

impl Unit {
    /// How many bytes it takes in memory.
    fn cost(&self) -> usize {
        self.framed.len() + 4 * self.ends.len()
    }

    /// The packets as interleaved frames on `channel`, where that is not the track's usual one.
    pub(crate) fn framed_on(&self, channel: u8) -> Option<Bytes> {
        if channel == usual_channels(self.track).0 {
            return None;
        }
        let mut copy = BytesMut::from(&self.framed[..]);
        let mut at = 0;
        for end in &self.ends {
            copy[at + 1] = channel;
            at = *end as usize;
        }
        Some(copy.freeze())
    }

    /// The packets as datagrams.
    pub(crate) fn datagrams(&self) -> &Datagrams {
        self.datagrams.get_or_init(|| {
            let mut bytes = BytesMut::with_capacity(self.framed.len());
            let mut runs = Runs::default();
            let mut at = 0;
            for end in &self.ends {
                let end = *end as usize;
                bytes.extend_from_slice(&self.framed[at + FRAMING..end]);
                runs.push(bytes.len());
                at = end;
            }
            Datagrams {
                bytes: bytes.freeze(),
                runs: runs.0.into(),
            }
        })
    }
}

/// Joins datagrams as they are written.
#[derive(Default)]
struct Runs(Vec<Run>);

impl Runs {
    /// One more datagram, which ends at `end`.
    fn push(&mut self, end: usize) {
        let start = self.0.last().map_or(0, |last| last.end);
        let size = end - start;
        if let Some(last) = self.0.last_mut() {
            let held = last.end - last.start;
            let fits = size <= last.segment
                && held.is_multiple_of(last.segment)
                && held / last.segment < MAX_SEGMENTS
                && end - last.start <= MAX_RUN;
            if fits {
                last.end = end;
                return;
            }
        }
        self.0.push(Run {
            start,
            end,
            segment: size,
        });
    }
}

impl Start {
    /// Where `track` is; none where it was not seen yet.
    pub(crate) fn mark(&self, track: TrackId) -> Option<Mark> {
        self.marks.iter().find(|mark| mark.track == track).copied()
    }

    /// The sender report of `track` for who starts here, as a packet.
    pub(crate) fn report(&self, sources: Sources, track: TrackId) -> Option<Bytes> {
        let mark = self.mark(track)?;
        Some(sources.report(track, self.unix, mark))
    }
}

/// The synchronization sources of a Stream's tracks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sources {
    base: u32,
}

impl Sources {
    /// Sources that begin at random.
    pub(crate) fn random() -> Self {
        let base = u32::from_be_bytes(crate::random::bytes()) & !0xff;
        Self { base }
    }

    /// That of `track`.
    pub(crate) fn ssrc(self, track: TrackId) -> u32 {
        self.base | u32::from(track.0)
    }

    /// Says that nothing more comes of `track`, as a packet.
    pub(crate) fn goodbye(self, track: TrackId) -> Bytes {
        let mut out = BytesMut::new();
        // RFC 3550 §6.1: a compound packet begins with a report.
        write_receiver_report(self.ssrc(track), &[], &self.name(), &mut out);
        write_goodbye(self.ssrc(track), &mut out);
        out.freeze()
    }

    fn report(self, track: TrackId, unix: i64, mark: Mark) -> Bytes {
        let mut out = BytesMut::with_capacity(64);
        SenderReport {
            ssrc: self.ssrc(track),
            ntp: NtpTime::from_unix_nanos(unix),
            rtp: mark.timestamp,
            packets: mark.packets,
            octets: mark.octets,
        }
        .write(&mut out);
        write_cname(self.ssrc(track), &self.name(), &mut out);
        out.freeze()
    }

    /// One for all tracks, so that players know that they belong together (RFC 3550 §6.5.1).
    fn name(self) -> String {
        format!("lunette-{:06x}", self.base >> 8)
    }
}

/// An RTCP packet as an interleaved frame.
pub(crate) fn framed_report(packet: &[u8], channel: u8) -> Bytes {
    let mut out = BytesMut::with_capacity(FRAMING + packet.len());
    // A report is far shorter than what a frame can hold.
    let _ = Interleaved::write(channel, packet, &mut out);
    out.freeze()
}

/// Turns the frames of a Stream into units.
#[derive(Debug)]
pub(crate) struct Packer {
    sources: Sources,
    lanes: Vec<Lane>,
    /// The wall clock at the zero of the Stream's time line, in nanoseconds since 1970.
    epoch: Option<i64>,
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
            epoch: None,
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
        let epoch = self.follow(unix - moment);
        let sources = self.sources;
        let at = self.lane(frame)?;
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

    fn follow(&mut self, seen: i64) -> i64 {
        let epoch = match self.epoch {
            Some(epoch) if (seen - epoch).abs() < JUMP => epoch + (seen - epoch) / FOLLOW,
            _ => seen,
        };
        self.epoch = Some(epoch);
        epoch
    }

    /// The place of the lane of `frame`, set to its format.
    fn lane(&mut self, frame: &Frame) -> Option<usize> {
        let known = self.lanes.iter().position(|lane| lane.track == frame.track);
        if let Some(at) = known
            && Arc::ptr_eq(&self.lanes[at].format, &frame.format)
        {
            return known;
        }
        let payload_type = payload_type(frame.track, &frame.format)?;
        let packetizer = Packetizer::new(&frame.format, MAX_PAYLOAD).ok()?;
        let format = frame.format.clone();
        if let Some(at) = known {
            let lane = &mut self.lanes[at];
            (lane.format, lane.payload_type, lane.packetizer) = (format, payload_type, packetizer);
            return known;
        }
        self.lanes.push(Lane {
            track: frame.track,
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
