//! What a viewer's reports of arrivals say of its line (draft-holmer-rmcat-transport-wide-cc-extensions-01). Pure.
//!
//! It is used for viewers that have no estimator of their own. We don't look for the greatest rate, which the camera sets
//! anyway, but for one answer: whether the line holds the stream. Where it doesn't, packets wait longer and longer in front of it,
//! or get lost.

use std::time::Duration;

use crate::train::{Passage, Train};

/// How many packets are remembered: a second of a camera of 9 Mbit/s, where reports come four times a second at least.
const REMEMBERED: usize = 1024;
/// How many packets one report may be about.
const MAX_REPORTED: usize = REMEMBERED;
/// How much sending is looked at together. A keyframe's own queue is gone by then.
const SPAN: u32 = 500_000 / TICK;
/// How long the shortest delay is taken for that of the empty line: for as long to twice as long.
const BASE_SPAN: u32 = 15_000_000 / TICK;
/// The unit of times in reports, and here, in microseconds; and that of a report's reference time, in ticks.
pub(crate) const TICK: u32 = 250;
const REFERENCE: i64 = 256;
/// The nanoseconds of a tick.
pub(crate) const TICK_NANOS: i64 = 1000 * TICK as i64;

/// A packet that went out.
#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u16,
    size: u16,
    /// In ticks, wrapping after 12 days as their clock does.
    at: u32,
    /// No report was about it.
    open: bool,
}

/// How the line was over some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    /// How long packets waited in front of it: the one that waited least.
    pub(crate) queue: Duration,
    /// What part was lost, in 1/256.
    pub(crate) lost: u8,
    /// How much got through, in bit/s.
    pub(crate) rate: u64,
}

/// What went out to one viewer, and what is known of its arrival.
#[derive(Debug)]
pub(crate) struct History {
    next: u16,
    sent: Vec<Sent>,
    span: Option<Span>,
    /// The shortest delays of this time and of the time before, and since when this time is.
    base: Option<(i64, i64, u32)>,
    /// What goes out in a row at the present pace, the number that it began with, and the one after its last.
    train: Train,
    from: u16,
    to: Option<u16>,
}

/// What is known of the present time.
#[derive(Debug, Clone, Copy)]
struct Span {
    /// When its first packet was sent.
    since: u32,
    received: u32,
    lost: u32,
    bytes: u64,
    least: i64,
    /// The first and the last arrival.
    arrivals: (i64, i64),
}

impl Default for History {
    fn default() -> Self {
        Self {
            next: 0,
            sent: Vec::new(),
            span: None,
            base: None,
            train: Train::default(),
            from: 0,
            to: Some(0),
        }
    }
}

impl History {
    /// The number of the packet that goes out now, at `at` ticks.
    pub(crate) fn send(&mut self, size: usize, at: u32) -> u16 {
        let number = self.next;
        self.next = number.wrapping_add(1);
        if self.to.is_some() && number == self.from {
            // Numbers begin anew.
            self.to = Some(number);
        }
        let sent = Sent {
            number,
            size: size as u16,
            at,
            open: true,
        };
        if self.sent.len() < REMEMBERED {
            self.sent.push(sent);
        } else {
            self.sent[usize::from(number) % REMEMBERED] = sent;
        }
        number
    }

    /// A train begins.
    pub(crate) fn begin(&mut self) {
        (self.train, self.from, self.to) = (Train::default(), self.next, None);
    }

    /// What goes out from now on is no part of the train.
    pub(crate) fn end(&mut self) {
        self.to.get_or_insert(self.next);
    }

    /// The pace is another one now: of the train that is under way the rest counts as one of its own.
    pub(crate) fn renew(&mut self) {
        if self.to.is_none() {
            self.begin();
        } else {
            self.to = Some(self.from);
        }
    }

    fn in_train(&self, number: u16) -> bool {
        let place = number.wrapping_sub(self.from);
        place
            < self
                .to
                .map_or(u16::MAX / 2, |to| to.wrapping_sub(self.from))
    }

    /// Reads a report: what follows the sources in it. Tells how the line was whenever enough is known for that, and answers how
    /// what goes out at the present pace gets through.
    pub(crate) fn report(&mut self, body: &[u8], mut tell: impl FnMut(Line)) -> Option<Passage> {
        let mut newest = None;
        for (number, arrival) in Report::parse(body)? {
            let place = usize::from(number) % REMEMBERED;
            let Some(sent) = self.sent.get_mut(place) else {
                continue;
            };
            if sent.number != number || !std::mem::take(&mut sent.open) {
                continue;
            }
            let sent = *sent;
            if self.in_train(number) {
                self.train.note(sent.at, sent.size, arrival);
                newest = Some(sent.at);
            }
            if let Some(line) = self.note(sent, arrival) {
                tell(line);
            }
        }
        let base = self.base(self.train.least()?, newest?);
        self.train.passage(base)
    }

    fn note(&mut self, sent: Sent, arrival: Option<i64>) -> Option<Line> {
        let ended = self
            .span
            .filter(|span| sent.at.wrapping_sub(span.since) < u32::MAX / 2)
            .filter(|span| sent.at.wrapping_sub(span.since) >= SPAN);
        let line = ended.and_then(|span| self.line(span));
        if ended.is_some() {
            self.span = None;
        }
        let span = self.span.get_or_insert(Span {
            since: sent.at,
            received: 0,
            lost: 0,
            bytes: 0,
            least: i64::MAX,
            arrivals: (i64::MAX, i64::MIN),
        });
        match arrival {
            Some(arrival) => {
                span.received += 1;
                span.bytes += u64::from(sent.size);
                span.least = span.least.min(arrival - i64::from(sent.at));
                span.arrivals.0 = span.arrivals.0.min(arrival);
                span.arrivals.1 = span.arrivals.1.max(arrival);
            }
            None => span.lost += 1,
        }
        line
    }

    fn line(&mut self, span: Span) -> Option<Line> {
        let all = span.received + span.lost;
        let lost = (256 * span.lost / all.max(1)).min(255) as u8;
        let (first, last) = span.arrivals;
        if span.received < 2 || last <= first {
            // Nothing, or next to nothing, got through.
            return (span.lost > 0).then_some(Line {
                queue: Duration::ZERO,
                lost,
                rate: 0,
            });
        }
        let base = self.base(span.least, span.since);
        Some(Line {
            queue: Duration::from_micros(u64::from(TICK) * (span.least - base).max(0) as u64),
            lost,
            rate: span.bytes * u64::from(8_000_000 / TICK) / (last - first) as u64,
        })
    }

    /// The delay of the empty line, in the units of two clocks that have nothing in common.
    fn base(&mut self, least: i64, now: u32) -> i64 {
        let (mut this, mut before, mut since) = self.base.unwrap_or((least, least, now));
        // A clock that wrapped, or leapt, begins anew.
        let leapt = (least - this).abs() > i64::from(4 * BASE_SPAN);
        if leapt {
            (this, before, since) = (least, least, now);
        } else if now.wrapping_sub(since) >= BASE_SPAN {
            (before, this, since) = (this, least, now);
        }
        this = this.min(least);
        self.base = Some((this, before, since));
        this.min(before)
    }
}

/// A report, packet by packet: its number, and when it arrived, in ticks.
struct Report<'a> {
    number: u16,
    left: usize,
    chunks: &'a [u8],
    deltas: &'a [u8],
    /// The chunk that is being read: what it says of its next packets, and of how many.
    chunk: (Symbols, u16),
    at: i64,
}

#[derive(Debug, Clone, Copy)]
enum Symbols {
    /// All packets have this one.
    Run(u16),
    /// So many bits each, from the left.
    Each(u16, u16),
}

impl<'a> Report<'a> {
    fn parse(body: &'a [u8]) -> Option<Self> {
        let number = u16::from_be_bytes(*body.first_chunk()?);
        let count = usize::from(u16::from_be_bytes(*body.get(2..)?.first_chunk()?));
        let [_, a, b, c] = *body.get(3..)?.first_chunk::<4>()?;
        let reference = i64::from(u32::from_be_bytes([0, a, b, c]));
        let chunks = body.get(8..)?;
        let size = sized(chunks, count)?;
        Some(Self {
            number,
            left: count.min(MAX_REPORTED),
            chunks: &chunks[..size],
            deltas: &chunks[size..],
            chunk: (Symbols::Run(0), 0),
            at: reference * REFERENCE,
        })
    }

    /// What the next packet's symbol is.
    fn symbol(&mut self) -> Option<u16> {
        if self.chunk.1 == 0 {
            let (chunk, rest) = self.chunks.split_first_chunk()?;
            self.chunks = rest;
            self.chunk = read(u16::from_be_bytes(*chunk));
        }
        self.chunk.1 = self.chunk.1.checked_sub(1)?;
        Some(match &mut self.chunk.0 {
            Symbols::Run(symbol) => *symbol,
            Symbols::Each(bits, symbols) => {
                let symbol = *symbols >> (16 - *bits);
                *symbols <<= *bits;
                symbol
            }
        })
    }
}

impl Iterator for Report<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let number = self.number;
        self.number = number.wrapping_add(1);
        let ticks = match self.symbol()? {
            1 => {
                let (delta, rest) = self.deltas.split_first()?;
                self.deltas = rest;
                i64::from(*delta)
            }
            2 => {
                let (delta, rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                i64::from(i16::from_be_bytes(*delta))
            }
            _ => return Some((number, None)),
        };
        self.at += ticks;
        Some((number, Some(self.at)))
    }
}

/// A chunk: what it says, and of how many packets (§3.1.3, §3.1.4).
fn read(chunk: u16) -> (Symbols, u16) {
    match (chunk >> 15, chunk >> 14 & 1) {
        (0, _) => (Symbols::Run(chunk >> 13 & 3), chunk & 0x1fff),
        (_, 0) => (Symbols::Each(1, chunk << 2), 14),
        (_, _) => (Symbols::Each(2, chunk << 2), 7),
    }
}

/// How many bytes the chunks for `count` packets take.
fn sized(chunks: &[u8], count: usize) -> Option<usize> {
    let mut told = 0;
    for (place, chunk) in chunks.chunks_exact(2).enumerate() {
        if told >= count {
            return Some(2 * place);
        }
        told += usize::from(read(u16::from_be_bytes([chunk[0], chunk[1]])).1);
    }
    (told >= count).then_some(chunks.len() / 2 * 2)
}

#[cfg(test)]
mod tests;
