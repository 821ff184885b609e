use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Packet;

/// A jump of the sequence number beyond this, forwards, is a peer that began anew (RFC 3550 §A.1, `MAX_DROPOUT`).
const MAX_JUMP: u16 = 3000;

/// A packet later than this, in sequence numbers, is a peer that began anew (`MAX_MISORDER` there).
const MAX_LATE: u16 = 128;

/// The bounds of a [`Reorder`] buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many sequence numbers the buffer spans at most.
    pub packets: u16,
    /// How long a missing packet is waited for.
    pub delay: Duration,
}

impl Limits {
    /// For UDP: 512 packets (half a second of 10 Mbit/s) and 100 ms.
    pub const UDP: Self = Self {
        packets: 512,
        delay: Duration::from_millis(100),
    };

    /// For TCP, which keeps the order itself: gaps are counted and nothing is waited for.
    pub const IN_ORDER: Self = Self {
        packets: 1,
        delay: Duration::ZERO,
    };
}

/// A packet in its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The packet.
    pub packet: Packet,
    /// How many packets are missing before it. At least 1 where the peer began anew.
    pub lost: u16,
}

/// What a [`Reorder`] buffer has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that never came in time.
    pub lost: u64,
    /// Packets that came out of order and were put into place.
    pub reordered: u64,
    /// Packets that came twice, dropped.
    pub duplicates: u64,
    /// Packets that came after their turn, dropped.
    pub late: u64,
    /// How often the peer began anew: another source, or a big jump of the sequence number.
    pub restarts: u64,
    /// Packets of another source, or far off the sequence, that nothing followed, dropped.
    pub strangers: u64,
    /// Packets dropped because nobody took them.
    pub overflow: u64,
}

/// Puts packets into the order of their sequence numbers and says how many are missing.
///
/// [`push`](Self::push) each packet as it comes, then [`pop`](Self::pop) until there is nothing more, and
/// again at [`timeout`](Self::timeout). A packet that comes in its turn passes without delay.
#[derive(Debug)]
pub struct Reorder {
    limits: Limits,
    /// The sequence number that the front of `held` stands for.
    next: u16,
    ssrc: Option<u32>,
    held: VecDeque<Option<(Packet, Instant)>>,
    ready: VecDeque<Arrived>,
    /// Since when the packet at the front is waited for.
    waiting: Option<Instant>,
    /// Packets missing before the next that is released.
    missing: u16,
    /// Bit `i` is set where the packet `next - 1 - i` came.
    history: u128,
    /// A packet of another source or far off the sequence: if its successor follows, the peer began anew.
    suspect: Option<Packet>,
    counters: Counters,
}

impl Reorder {
    /// An empty buffer.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: 0,
            ssrc: None,
            held: VecDeque::new(),
            ready: VecDeque::new(),
            waiting: None,
            missing: 0,
            history: 0,
            suspect: None,
            counters: Counters::default(),
        }
    }

    /// Takes a packet that came at `now`. Returns whether it is the peer's: another source, or a packet far off
    /// the sequence, is believed when its successor follows (RFC 3550 §A.1), since anybody can send a datagram.
    pub fn push(&mut self, packet: Packet, now: Instant) -> bool {
        if self.ssrc.is_none() {
            self.begin(&packet);
        }
        let ahead = packet.header.sequence.wrapping_sub(self.next);
        let behind = ahead.wrapping_neg();
        if self.ssrc != Some(packet.header.ssrc) {
            return self.suspect(packet, now);
        }
        if ahead < MAX_JUMP {
            self.forget_suspect();
            self.hold(packet, ahead, now);
        } else if behind <= MAX_LATE {
            self.late(behind);
        } else {
            return self.suspect(packet, now);
        }
        true
    }

    /// The next packet whose turn it is at `now`.
    pub fn pop(&mut self, now: Instant) -> Option<Arrived> {
        if self.ready.is_empty() && self.timeout().is_some_and(|at| at <= now) {
            self.skip_gap();
            self.release();
        }
        self.ready.pop_front()
    }

    /// When to call [`pop`](Self::pop) even if no packet comes.
    pub fn timeout(&self) -> Option<Instant> {
        self.waiting.map(|since| since + self.limits.delay)
    }

    /// What was seen so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn begin(&mut self, packet: &Packet) {
        self.ssrc = Some(packet.header.ssrc);
        self.next = packet.header.sequence;
        self.history = 0;
    }

    /// The peer began anew with `packet`: what is held goes out, and at least one packet counts as lost.
    fn restart(&mut self, packet: &Packet) {
        while !self.held.is_empty() {
            self.skip_gap();
            self.release();
        }
        self.counters.restarts += 1;
        self.missing = self.missing.max(1);
        self.begin(packet);
    }

    fn hold(&mut self, packet: Packet, ahead: u16, now: Instant) {
        // The window moves on by force where the packet lies beyond it.
        while packet.header.sequence.wrapping_sub(self.next) >= self.limits.packets {
            if self.held.is_empty() {
                let skipped = packet.header.sequence.wrapping_sub(self.next);
                self.advance_over(skipped);
            } else {
                self.skip_gap();
                self.release();
            }
        }
        let at = usize::from(packet.header.sequence.wrapping_sub(self.next));
        if at < self.held.len() {
            if self.held[at].is_some() {
                self.counters.duplicates += 1;
                return;
            }
            self.counters.reordered += 1;
        } else {
            self.held.resize_with(at, || None);
            self.held.push_back(None);
        }
        if ahead > 0 && self.waiting.is_none() {
            self.waiting = Some(now);
        }
        self.held[at] = Some((packet, now));
        self.release();
    }

    /// Moves what is in its turn from `held` to `ready`.
    fn release(&mut self) {
        let mut moved = false;
        while let Some(Some(_)) = self.held.front() {
            if let Some(Some((packet, _))) = self.held.pop_front() {
                self.emit(packet);
                moved = true;
            }
        }
        if moved {
            self.waiting = self.held.iter().flatten().map(|(_, at)| *at).min();
        }
    }

    fn emit(&mut self, packet: Packet) {
        self.next = packet.header.sequence.wrapping_add(1);
        self.history = self.history << 1 | 1;
        if self.ready.len() >= usize::from(self.limits.packets).max(64) {
            self.counters.overflow += 1;
            self.missing = self.missing.saturating_add(1);
            return;
        }
        let lost = std::mem::take(&mut self.missing);
        self.ready.push_back(Arrived { packet, lost });
    }

    /// Gives the missing packets at the front up.
    fn skip_gap(&mut self) {
        let gap = self.held.iter().take_while(|slot| slot.is_none()).count();
        self.held.drain(..gap);
        self.advance_over(gap as u16);
    }

    fn advance_over(&mut self, count: u16) {
        self.next = self.next.wrapping_add(count);
        self.history = self.history.checked_shl(u32::from(count)).unwrap_or(0);
        self.missing = self.missing.saturating_add(count);
        self.counters.lost += u64::from(count);
    }

    fn late(&mut self, behind: u16) {
        if self.history >> (behind - 1) & 1 == 1 {
            self.counters.duplicates += 1;
        } else {
            self.counters.late += 1;
        }
    }

    /// Takes a packet of another source or far off the sequence; true where it follows one like it.
    fn suspect(&mut self, packet: Packet, now: Instant) -> bool {
        let header = packet.header;
        let precedes = |first: &Packet| {
            first.header.ssrc == header.ssrc
                && first.header.sequence.wrapping_add(1) == header.sequence
        };
        if let Some(first) = self.suspect.take_if(|first| precedes(first)) {
            self.restart(&first);
            self.hold(first, 0, now);
            self.hold(packet, 0, now);
            return true;
        }
        self.forget_suspect();
        self.suspect = Some(packet);
        false
    }

    fn forget_suspect(&mut self) {
        self.counters.strangers += u64::from(self.suspect.take().is_some());
    }
}

#[cfg(test)]
mod tests;
