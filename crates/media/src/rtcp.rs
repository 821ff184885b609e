//! RTCP (RFC 3550 §6): sender reports and goodbyes in, receiver and sender reports out.

use bytes::{BufMut, BytesMut};

use crate::time::{NANOS, rescale};

/// Seconds from the beginning of 1900, where NTP counts from, to that of 1970.
const NTP_TO_UNIX: i64 = 2_208_988_800;

/// NTP timestamps below this belong to the era that begins in 2036 (RFC 4330 §3).
const NTP_ERA: u64 = 1 << 63;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// The SDES item that names the sender (RFC 3550 §6.5.1).
const CNAME: u8 = 1;

/// The most report blocks in one report: their number has 5 bits.
const MAX_BLOCKS: usize = 31;

/// A time as NTP writes it: seconds since 1900 in the upper 32 bits, their fraction in the lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The same time in nanoseconds since the Unix epoch, between 1968 and 2104.
    pub fn unix_nanos(self) -> i64 {
        let era = if self.0 < NTP_ERA { 1i64 << 32 } else { 0 };
        let seconds = (self.0 >> 32) as i64 + era - NTP_TO_UNIX;
        let fraction = rescale((self.0 & 0xffff_ffff) as i64, NANOS, 1 << 32);
        seconds * NANOS + fraction
    }

    /// The NTP time of `nanos` since the Unix epoch.
    pub fn from_unix_nanos(nanos: i64) -> Self {
        let seconds = nanos.div_euclid(NANOS).wrapping_add(NTP_TO_UNIX) as u64;
        let fraction = rescale(nanos.rem_euclid(NANOS), 1 << 32, NANOS) as u64;
        Self((seconds << 32).wrapping_add(fraction))
    }

    /// The middle 32 bits, which reports refer to (RFC 3550 §6.4.1, LSR).
    pub fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }
}

/// A sender report (RFC 3550 §6.4.1) without its report blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReport {
    /// Who sends.
    pub ssrc: u32,
    /// The sender's wall clock. Some cameras leave it zero: [`SenderReport::is_usable`].
    pub ntp: NtpTime,
    /// The same moment on the clock of the RTP timestamps.
    pub rtp: u32,
    /// RTP packets sent since the start.
    pub packets: u32,
    /// Bytes of payload sent since the start.
    pub octets: u32,
}

impl SenderReport {
    /// Whether the report tells a time at all.
    pub fn is_usable(&self) -> bool {
        self.ntp.0 != 0
    }

    /// Appends the report as a packet to `out`.
    pub fn write(&self, out: &mut BytesMut) {
        put_header(out, 0, SENDER_REPORT, 7);
        out.put_u32(self.ssrc);
        out.put_u64(self.ntp.0);
        out.put_u32(self.rtp);
        out.put_u32(self.packets);
        out.put_u32(self.octets);
    }
}

/// What a receiver says of one sender (RFC 3550 §6.4.1, report block).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    /// The sender.
    pub ssrc: u32,
    /// Packets lost since the last report, in 1/256 of those expected.
    pub fraction_lost: u8,
    /// Packets lost since the start, in 24 bits; negative where duplicates outnumber losses.
    pub cumulative_lost: i32,
    /// The highest sequence number received, with the count of its wraps in the upper 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter in ticks of the sender's clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time; 0 where there was none.
    pub last_report: u32,
    /// Time since that report, in 1/65536 s.
    pub delay: u32,
}

/// One packet of a compound packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// A sender report.
    SenderReport(SenderReport),
    /// A receiver's view of those that it hears.
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it says of each sender.
        blocks: Vec<ReportBlock>,
    },
    /// These sources leave.
    Goodbye(Vec<u32>),
    /// Anything else, by its packet type.
    Other(u8),
}

/// Iterates over the packets of a compound packet. It ends at the first that makes no sense: peers
/// append bytes of their own.
pub fn messages(data: &[u8]) -> Messages<'_> {
    Messages { rest: data }
}

/// The iterator that [`messages`] gives.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl Iterator for Messages<'_> {
    type Item = Message;

    fn next(&mut self) -> Option<Message> {
        let header = self.rest.first_chunk::<4>()?;
        let (flags, kind) = (header[0], header[1]);
        let length = 4 * (1 + usize::from(u16::from_be_bytes([header[2], header[3]])));
        if flags >> 6 != 2 {
            self.rest = &[];
            return None;
        }
        // A length that runs past the end still leaves what is there to read.
        let (packet, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        Some(message(kind, usize::from(flags & 0x1f), &packet[4..]))
    }
}

/// Writes a receiver report with `blocks` (RFC 3550 §6.4.2; 31 at most are written) and the source
/// description with the `cname` that every compound packet has to hold (§6.1).
pub fn write_receiver_report(ssrc: u32, blocks: &[ReportBlock], cname: &str, out: &mut BytesMut) {
    let blocks = &blocks[..blocks.len().min(MAX_BLOCKS)];
    let words = 2 + 6 * blocks.len();
    put_header(out, blocks.len() as u8, RECEIVER_REPORT, words);
    out.put_u32(ssrc);
    for block in blocks {
        put_block(out, block);
    }
    write_cname(ssrc, cname, out);
}

/// Writes a source description that holds only `cname` (RFC 3550 §6.5), of 255 bytes at most.
pub fn write_cname(ssrc: u32, cname: &str, out: &mut BytesMut) {
    let cname = &cname.as_bytes()[..cname.len().min(255)];
    // The item, and at least one zero byte that ends the list, fill whole words.
    let item = (2 + cname.len() + 1).next_multiple_of(4);
    put_header(out, 1, SOURCE_DESCRIPTION, (8 + item) / 4);
    out.put_u32(ssrc);
    out.put_u8(CNAME);
    out.put_u8(cname.len() as u8);
    out.put_slice(cname);
    out.put_bytes(0, item - 2 - cname.len());
}

/// Writes a goodbye of `ssrc` (RFC 3550 §6.6).
pub fn write_goodbye(ssrc: u32, out: &mut BytesMut) {
    put_header(out, 1, GOODBYE, 2);
    out.put_u32(ssrc);
}

fn put_header(out: &mut BytesMut, count: u8, kind: u8, words: usize) {
    out.put_u8(0x80 | count);
    out.put_u8(kind);
    out.put_u16((words - 1) as u16);
}

fn put_block(out: &mut BytesMut, block: &ReportBlock) {
    let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
    out.put_u32(block.ssrc);
    out.put_u32(u32::from(block.fraction_lost) << 24 | lost);
    out.put_u32(block.highest_sequence);
    out.put_u32(block.jitter);
    out.put_u32(block.last_report);
    out.put_u32(block.delay);
}

fn message(kind: u8, count: usize, body: &[u8]) -> Message {
    let parsed = match kind {
        SENDER_REPORT => sender_report(body).map(Message::SenderReport),
        RECEIVER_REPORT => word(body, 0).map(|ssrc| Message::ReceiverReport {
            ssrc,
            blocks: blocks(&body[4..], count),
        }),
        GOODBYE => Some(Message::Goodbye(
            (0..count).map_while(|index| word(body, index)).collect(),
        )),
        _ => None,
    };
    parsed.unwrap_or(Message::Other(kind))
}

fn sender_report(body: &[u8]) -> Option<SenderReport> {
    let (high, low) = (word(body, 1)?, word(body, 2)?);
    Some(SenderReport {
        ssrc: word(body, 0)?,
        ntp: NtpTime(u64::from(high) << 32 | u64::from(low)),
        rtp: word(body, 3)?,
        // Cameras cut the report short here; the time is what counts.
        packets: word(body, 4).unwrap_or(0),
        octets: word(body, 5).unwrap_or(0),
    })
}

fn blocks(body: &[u8], count: usize) -> Vec<ReportBlock> {
    body.chunks_exact(24)
        .take(count)
        .filter_map(|block| {
            let lost = word(block, 1)?;
            Some(ReportBlock {
                ssrc: word(block, 0)?,
                fraction_lost: (lost >> 24) as u8,
                // Sign-extends 24 bits.
                cumulative_lost: (lost << 8) as i32 >> 8,
                highest_sequence: word(block, 2)?,
                jitter: word(block, 3)?,
                last_report: word(block, 4)?,
                delay: word(block, 5)?,
            })
        })
        .collect()
}

fn word(data: &[u8], index: usize) -> Option<u32> {
    let bytes = data.get(4 * index..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests;
