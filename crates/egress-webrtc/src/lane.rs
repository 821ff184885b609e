//! One track on its way to one viewer: the shared packets under numbers, times and a source of the viewer's own. Pure.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use media::TrackId;
use media::rtcp::{NtpTime, SenderReport, write_cname};
use media::rtp::Payload;
use media::time::nanos_to_ticks;

use crate::Error;
use crate::batch::Batch;
use crate::ice::Path;
use crate::srtp::Srtp;
use crate::twcc::{History, TICK_NANOS};
use crate::unit::{Cache, Unit};

/// How often a sender report goes out; the first ones come soon, so that picture and sound find each other.
const REPORT: Duration = Duration::from_secs(1);
/// How many pictures back a viewer may ask for packets.
const REMEMBERED: usize = 128;
/// The longest that a viewer is let keep pictures, beyond what it is told to, in units of 10 ms. A player that is told to keep them for
/// no time, and for half a second at most, shows each at once.
const SPARE: u16 = 40;
/// How far apart, in ticks, pictures are that are sent faster than they were taken: 1 ms.
const CATCH_UP: i64 = 90;
const EXTENSION_PROFILE: [u8; 2] = [0xbe, 0xde];

/// What a track is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wire {
    pub(crate) track: TrackId,
    pub(crate) payload_type: u8,
    pub(crate) ssrc: u32,
    /// Payload type and source of retransmissions.
    pub(crate) rtx: Option<(u8, u32)>,
    /// The number of the playout-delay extension.
    pub(crate) playout_delay: Option<u8>,
    /// The number of the abs-send-time extension.
    pub(crate) abs_send_time: Option<u8>,
    /// The number of the transport-wide sequence number extension.
    pub(crate) transport_wide: Option<u8>,
    /// The viewer makes an estimate of its own, of packets without such a number: they have one only while we ask how they arrive.
    pub(crate) estimates: bool,
    pub(crate) clock_rate: u32,
}

impl Wire {
    /// How many words of header extensions a packet has.
    fn words(&self, numbered: bool) -> u16 {
        let number = self.transport_wide.filter(|_| numbered);
        let all = [self.playout_delay, self.abs_send_time, number];
        all.into_iter().flatten().count() as u16
    }

    /// RFC 8285, one-byte form: each a number, its length less one, and 2 or 3 bytes.
    fn extensions(&self, buffer: &mut Vec<u8>, keep: u16, now: i64, number: Option<u16>) {
        buffer.extend_from_slice(&EXTENSION_PROFILE);
        buffer.extend_from_slice(&self.words(number.is_some()).to_be_bytes());
        if let Some(id) = self.playout_delay {
            // The least delay and the greatest, 12 bits each, in units of 10 ms.
            let [_, a, b, c] = (u32::from(keep) << 12 | u32::from(keep + SPARE)).to_be_bytes();
            buffer.extend_from_slice(&[id << 4 | 2, a, b, c]);
        }
        if let Some(id) = self.abs_send_time {
            // Seconds, 6 bits, and their fraction, 18 bits.
            let middle = NtpTime::from_unix_nanos(now).0 >> 14 & 0xff_ffff;
            let [_, a, b, c] = (middle as u32).to_be_bytes();
            buffer.extend_from_slice(&[id << 4 | 2, a, b, c]);
        }
        if let (Some(id), Some(number)) = (self.transport_wide, number) {
            let [high, low] = number.to_be_bytes();
            buffer.extend_from_slice(&[id << 4 | 1, high, low, 0]);
        }
    }
}

/// One track on its way to one viewer.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) wire: Wire,
    /// The extended sequence number of the next packet.
    next: u64,
    rtx_next: u64,
    /// What is added to times of the Stream.
    offset: u32,
    /// The time of the unit that was begun last, in ticks of the Stream or later.
    latest: Option<i64>,
    sent: VecDeque<Sent>,
    /// For how long the viewer is to keep pictures, in units of 10 ms.
    keep: u16,
    /// Where the viewer reports arrivals.
    pub(crate) history: Option<Box<History>>,
    /// We ask how packets arrive.
    asked: bool,
    packets: u32,
    octets: u32,
    /// How many of the packets were counted for the figures, and how many were reported lost.
    counted: u32,
    lost: u32,
    report_at: Option<Instant>,
    reports: u8,
}

/// A unit, or its beginning, that was sent.
#[derive(Debug, Clone, Copy)]
struct Sent {
    /// The sequence number of its first packet.
    sequence: u64,
    /// The number of that packet along its track.
    number: u64,
    count: u16,
    timestamp: u32,
}

impl Lane {
    /// A lane whose numbers begin at random.
    pub(crate) fn new(wire: Wire) -> Self {
        // RFC 3711 §3.3.1: beginning in the lower half, early losses can't be mistaken for a rollover.
        let start = || u64::from(u16::from_be_bytes(crate::random::bytes()) & 0x7fff);
        Self {
            wire,
            next: start(),
            rtx_next: start(),
            offset: u32::from_be_bytes(crate::random::bytes()),
            latest: None,
            sent: VecDeque::new(),
            keep: 0,
            history: wire.transport_wide.map(|_| Box::default()),
            asked: false,
            packets: 0,
            octets: 0,
            counted: 0,
            lost: 0,
            report_at: None,
            reports: 0,
        }
    }

    /// Begins a unit, which is sent `late`: players take the time between pictures from when they come, so that those
    /// which a viewer catches up with have the time of now. Times never go back: each picture is behind the last.
    pub(crate) fn begin(&mut self, unit: &Unit, late: Duration, remember: bool) {
        let late = late.as_millis() as i64 * i64::from(self.wire.clock_rate) / 1_000;
        let ticks = match self.latest {
            Some(latest) => (unit.ticks + late).max(latest + CATCH_UP),
            None => unit.ticks + late,
        };
        self.latest = Some(ticks);
        if !remember {
            return;
        }
        if self.sent.len() == REMEMBERED {
            self.sent.pop_front();
        }
        self.sent.push_back(Sent {
            sequence: self.next,
            number: unit.first,
            count: 0,
            timestamp: (ticks as u32).wrapping_add(self.offset),
        });
    }

    /// Whether we ask how packets arrive from now on; what went out before a pause tells nothing of them.
    pub(crate) fn ask(&mut self, asks: bool, paused: bool) {
        let asked = self.asked;
        self.asked = asks;
        match &mut self.history {
            Some(history) if asks && (paused || !asked) => history.begin(),
            Some(history) if !asks => history.end(),
            _ => {}
        }
    }

    /// The viewer is to keep pictures for so long from now on: 30 s at most.
    pub(crate) fn keep(&mut self, time: Duration) {
        self.keep = (time.as_millis() / 10).min(3_000) as u16;
    }

    /// Writes the next packet of the unit that was begun. Returns its size.
    pub(crate) fn send(
        &mut self,
        payload: &Payload,
        now: i64,
        srtp: &Srtp,
        path: Path,
        batch: &mut Batch,
    ) -> Result<usize, Error> {
        let ticks = self.latest.unwrap_or(0) + i64::from(payload.offset);
        let head = Head {
            marker: payload.marker,
            payload_type: self.wire.payload_type,
            sequence: self.next,
            timestamp: (ticks as u32).wrapping_add(self.offset),
            ssrc: self.wire.ssrc,
            original: None,
        };
        let size = self.write(head, payload, now, srtp, path, batch)?;
        self.next += 1;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.size() as u32);
        if let Some(sent) = self.sent.back_mut() {
            sent.count = sent.count.saturating_add(1);
        }
        Ok(size)
    }

    /// Writes a packet again that got lost. Returns its size; 0 for one that is not remembered.
    pub(crate) fn resend(
        &mut self,
        sequence: u16,
        cache: &Cache,
        now: i64,
        srtp: &Srtp,
        path: Path,
        batch: &mut Batch,
    ) -> Result<usize, Error> {
        let Some((sent, sequence)) = self.find(sequence) else {
            return Ok(0);
        };
        let number = sent.number + (sequence - sent.sequence);
        let Some((unit, place)) = cache.find(self.wire.track, number) else {
            return Ok(0);
        };
        let payload = &unit.packets[place];
        let mut head = Head {
            marker: payload.marker,
            payload_type: self.wire.payload_type,
            sequence,
            timestamp: sent.timestamp,
            ssrc: self.wire.ssrc,
            original: None,
        };
        if let Some((payload_type, ssrc)) = self.wire.rtx {
            head.original = Some(sequence as u16);
            (head.payload_type, head.ssrc, head.sequence) = (payload_type, ssrc, self.rtx_next);
        }
        let size = self.write(head, payload, now, srtp, path, batch)?;
        self.rtx_next += u64::from(self.wire.rtx.is_some());
        Ok(size)
    }

    /// The unit that the newest packet with such a number belongs to, and that number extended.
    fn find(&self, sequence: u16) -> Option<(Sent, u64)> {
        let newest = self.next.checked_sub(1)?;
        let behind = u64::from((newest as u16).wrapping_sub(sequence));
        let sequence = newest.checked_sub(behind)?;
        let after = self.sent.partition_point(|sent| sent.sequence <= sequence);
        let sent = *self.sent.get(after.checked_sub(1)?)?;
        (sequence - sent.sequence < u64::from(sent.count)).then_some((sent, sequence))
    }

    fn write(
        &mut self,
        head: Head,
        payload: &Payload,
        now: i64,
        srtp: &Srtp,
        path: Path,
        batch: &mut Batch,
    ) -> Result<usize, Error> {
        let (buffer, start) = batch.begin();
        let numbered = (self.asked || !self.wire.estimates) && self.history.is_some();
        let words = self.wire.words(numbered);
        buffer.extend_from_slice(&head.fixed(words > 0));
        if words > 0 {
            let history = self.history.as_mut().filter(|_| numbered);
            let number = history.map(|history| {
                let size = head.size(payload) + 4 * (1 + usize::from(words));
                history.send(size, (now / TICK_NANOS) as u32)
            });
            self.wire.extensions(buffer, self.keep, now, number);
        }
        let header = buffer.len() - start;
        if let Some(original) = head.original {
            buffer.extend_from_slice(&original.to_be_bytes());
        }
        buffer.extend_from_slice(&payload.header);
        buffer.extend_from_slice(&payload.body);
        if let Err(error) = srtp.seal_rtp(buffer, start, header, head.sequence) {
            batch.undo(start);
            return Err(error);
        }
        let size = buffer.len() - start;
        batch.end(path, start);
        Ok(size)
    }

    /// How many packets went out since this was asked last.
    pub(crate) fn take_packets(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.counted, self.packets);
        self.packets.wrapping_sub(before).into()
    }

    /// The viewer says that so many packets were lost so far. Answers how many of them are news; more than were sent are none.
    pub(crate) fn report_lost(&mut self, lost: i32) -> u64 {
        let lost = u32::try_from(lost).unwrap_or(0).min(self.packets);
        let news = lost.saturating_sub(self.lost);
        self.lost += news;
        news.into()
    }

    /// When [`Lane::report`] is to be called.
    pub(crate) fn report_due(&self, now: Instant) -> bool {
        self.packets > 0 && self.report_at.is_none_or(|at| at <= now)
    }

    /// Writes a sender report. `epoch` is the wall clock at the zero of the Stream's time line, `unix` the wall clock now.
    pub(crate) fn report(
        &mut self,
        now: Instant,
        (epoch, unix): (i64, i64),
        cname: &str,
        out: &mut BytesMut,
    ) {
        self.reports = self.reports.saturating_add(1);
        let pause = if self.reports < 4 { REPORT / 4 } else { REPORT };
        // RFC 3550 §6.2: not in step with anything, such as keyframes, behind which each report would wait. 3/4 to 5/4.
        let spread = self.packets.wrapping_mul(0x9e37_79b1) >> 24;
        self.report_at = Some(now + pause * (384 + spread) / 512);
        let ticks = nanos_to_ticks(unix - epoch, self.wire.clock_rate);
        let report = SenderReport {
            ssrc: self.wire.ssrc,
            ntp: NtpTime::from_unix_nanos(unix),
            rtp: (ticks as u32).wrapping_add(self.offset),
            packets: self.packets,
            octets: self.octets,
        };
        report.write(out);
        write_cname(self.wire.ssrc, cname, out);
    }
}

/// The header of one packet.
#[derive(Debug, Clone, Copy)]
struct Head {
    marker: bool,
    payload_type: u8,
    /// Extended.
    sequence: u64,
    timestamp: u32,
    ssrc: u32,
    /// In a retransmission: the number that was lost (RFC 4588 §4).
    original: Option<u16>,
}

impl Head {
    /// The size of a packet before encryption, extensions aside.
    fn size(self, payload: &Payload) -> usize {
        media::rtp::HEADER_SIZE + usize::from(self.original.is_some()) * 2 + payload.size()
    }

    fn fixed(self, extended: bool) -> [u8; media::rtp::HEADER_SIZE] {
        let header = media::rtp::Header {
            marker: self.marker,
            payload_type: self.payload_type,
            sequence: self.sequence as u16,
            timestamp: self.timestamp,
            ssrc: self.ssrc,
        };
        let mut bytes = header.to_bytes();
        bytes[0] |= u8::from(extended) << 4;
        bytes
    }
}

#[cfg(test)]
mod tests;
