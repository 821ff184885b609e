//! A sender of pictures, for tests and benchmarks.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::rtp::{Header, Packet, Packetizer};
use media::{Format, Frame, TrackId};

/// Ticks from picture to picture: 25 a second.
pub(crate) const STEP: u32 = 3600;

/// A picture of `data`, at no particular time.
pub(crate) fn frame(format: &Arc<Format>, keyframe: bool, data: Bytes) -> Frame {
    Frame {
        track: TrackId(0),
        format: Arc::clone(format),
        pts: 0,
        dts: 0,
        keyframe,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data,
    }
}

/// The packets of `frames` as a camera would send them.
pub(crate) fn packets(
    packetizer: &mut Packetizer,
    frames: impl IntoIterator<Item = Frame>,
) -> Vec<Packet> {
    let mut packets = Vec::new();
    for (index, frame) in frames.into_iter().enumerate() {
        packetizer.packetize(&frame, |payload| {
            packets.push(Packet {
                header: Header {
                    marker: payload.marker,
                    payload_type: 96,
                    sequence: packets.len() as u16,
                    timestamp: index as u32 * STEP,
                    ssrc: 1,
                },
                extension: None,
                payload: [&payload.header[..], &payload.body].concat().into(),
            });
        });
    }
    packets
}
