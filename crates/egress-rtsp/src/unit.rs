//! A frame as RTP packets, whole: made once per Stream (`packer`), and the same for all its viewers. Pure.
//!
//! Source, sequence numbers and timestamps are the Stream's, not a viewer's, so that a viewer costs no more than the
//! writing of bytes that are there already. One who skips finds a gap in the numbers, which is what it is.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use media::{Format, TrackId};

use crate::sources::{FRAMING, Sources};

/// The most datagrams that the kernel is given to split: receivers' socket buffers hold some hundred.
pub(crate) const MAX_SEGMENTS: usize = 32;
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
    pub(crate) ends: Box<[u32]>,
    pub(crate) datagrams: OnceLock<Datagrams>,
}

/// Where a Stream is when a viewer starts.
#[derive(Debug)]
pub(crate) struct Start {
    /// The wall clock, in nanoseconds since 1970.
    pub(crate) unix: i64,
    pub(crate) marks: Box<[Mark]>,
}

/// Where a track is at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) track: TrackId,
    /// The number of its next packet.
    pub(crate) sequence: u16,
    /// The moment on the track's clock.
    pub(crate) timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
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
    pub(crate) fn cost(&self) -> usize {
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
