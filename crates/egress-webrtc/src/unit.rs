//! Frames as RTP payloads: made once per stream, shared by all its viewers. Pure.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use hub::ring::Slot;
use media::rtp::{Packetizer, Payload};
use media::{Format, Frame, Kind, TrackId};

/// The most bytes of an RTP payload. With IPv6, UDP, the extensions of the header, the number of a retransmission and
/// the tag of SRTP, a packet stays below the 1280 bytes that each network carries.
const MAX_PAYLOAD: usize = 1150;

/// One frame in packets.
#[derive(Debug)]
pub(crate) struct Unit {
    pub(crate) track: TrackId,
    pub(crate) format: Arc<Format>,
    /// A viewer may start here.
    pub(crate) keyframe: bool,
    /// The number of the first packet, counted along its track.
    pub(crate) first: u64,
    /// Presentation time in ticks of the RTP clock.
    pub(crate) ticks: i64,
    /// When it came from the camera.
    pub(crate) arrival: Instant,
    pub(crate) packets: Box<[Payload]>,
}

/// Turns frames into units, track by track.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    tracks: HashMap<TrackId, Track>,
}

#[derive(Debug)]
struct Track {
    format: Arc<Format>,
    /// None where the format can't be sent.
    packetizer: Option<Packetizer>,
    next: u64,
    /// The latest presentation time of a picture.
    latest: i64,
}

/// The frame came in an order that WebRTC can't express.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reordered;

impl Packets {
    /// The unit of `frame`, with what the ring must know of it; none for a format that is not sent.
    ///
    /// # Errors
    /// [`Reordered`] where a picture is to be shown before one that came earlier: a B-frame.
    pub(crate) fn push(&mut self, frame: &Frame) -> Result<Option<Slot<Arc<Unit>>>, Reordered> {
        let track = self
            .tracks
            .entry(frame.track)
            .or_insert_with(|| Track::new(&frame.format));
        if frame.kind() == Kind::Video {
            if frame.discontinuity {
                track.latest = i64::MIN;
            }
            if frame.pts < track.latest {
                return Err(Reordered);
            }
            track.latest = frame.pts;
        }
        if !Arc::ptr_eq(&track.format, &frame.format) {
            let next = track.next;
            *track = Track {
                next,
                ..Track::new(&frame.format)
            };
        }
        let Some(packetizer) = &mut track.packetizer else {
            return Ok(None);
        };
        let mut packets = Vec::new();
        packetizer.packetize(frame, |payload| packets.push(payload));
        if packets.is_empty() {
            return Ok(None);
        }
        let first = track.next;
        track.next += packets.len() as u64;
        let bytes = frame.data.len() + packets.len() * size_of::<Payload>();
        let unit = Unit {
            track: frame.track,
            format: frame.format.clone(),
            keyframe: frame.keyframe,
            first,
            ticks: frame.pts,
            arrival: frame.arrival,
            packets: packets.into(),
        };
        Ok(Some(Slot {
            start: frame.keyframe,
            at: frame.dts_nanos(),
            bytes,
            item: Arc::new(unit),
        }))
    }
}

impl Track {
    fn new(format: &Arc<Format>) -> Self {
        Self {
            format: format.clone(),
            packetizer: Packetizer::new(format, MAX_PAYLOAD).ok(),
            next: 0,
            latest: i64::MIN,
        }
    }
}

/// The newest pictures of a track, for whoever lost packets of them: one for all viewers.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    units: VecDeque<Arc<Unit>>,
    bytes: usize,
}

impl Cache {
    /// More pictures than a viewer asks for: what is older comes too late to be shown.
    const UNITS: usize = 150;
    const BYTES: usize = 8 << 20;

    /// Remembers a unit. One of another track takes the place of all.
    pub(crate) fn push(&mut self, unit: &Arc<Unit>) {
        if self
            .units
            .back()
            .is_some_and(|last| last.track != unit.track)
        {
            *self = Self::default();
        }
        self.bytes += cost(unit);
        self.units.push_back(Arc::clone(unit));
        while self.units.len() > Self::UNITS || self.bytes > Self::BYTES && self.units.len() > 1 {
            if let Some(oldest) = self.units.pop_front() {
                self.bytes -= cost(&oldest);
            }
        }
    }

    /// The packet with a number, as a unit and a place in it.
    pub(crate) fn find(&self, track: TrackId, number: u64) -> Option<(Arc<Unit>, usize)> {
        let after = self.units.partition_point(|unit| unit.first <= number);
        let unit = self.units.get(after.checked_sub(1)?)?;
        let place = (number - unit.first) as usize;
        (unit.track == track && place < unit.packets.len()).then(|| (Arc::clone(unit), place))
    }
}

fn cost(unit: &Unit) -> usize {
    unit.packets.iter().map(Payload::size).sum()
}

#[cfg(test)]
mod tests;
