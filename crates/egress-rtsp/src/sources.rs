//! Where a Stream's packets come from, and the reports of it. Pure.

use bytes::{Bytes, BytesMut};
use media::TrackId;
use media::rtcp::{NtpTime, SenderReport, write_cname, write_goodbye, write_receiver_report};
use rtsp::Interleaved;

use crate::unit::Mark;

/// Bytes before each packet on the RTSP connection.
pub(crate) const FRAMING: usize = 4;

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

    /// What the wall clock was, at `unix` in nanoseconds since 1970, when the track was at `mark`, as a packet.
    pub(crate) fn report(self, track: TrackId, unix: i64, mark: Mark) -> Bytes {
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
