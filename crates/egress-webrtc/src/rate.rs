//! How fast packets go out to one viewer, and how that is learnt. Pure.
//!
//! A keyframe may be a hundred times as large as other pictures: sent at once, it overflows the queue in front of a slow line and loses
//! its own tail. So bytes go out at a pace that lines of our time hold. It rises only as far as answers say that packets which
//! went out at it did not wait, and only while packets have to wait for it: what was not tried tells nothing.

use std::time::{Duration, Instant};

use crate::train::Passage;

/// The pace where nothing is known of the line, in bit/s.
const START: u64 = 8_000_000;
/// No pace is slower, or faster: 16 packets a millisecond.
const SLOWEST: u64 = 300_000;
const FASTEST: u64 = 150_000_000;
/// What may go out at once after a pause: 10 ms at the pace, but a few packets at least.
const BURST: Duration = Duration::from_millis(10);
pub(crate) const MIN_BURST: i64 = 16_000;
/// How long a line is taken for what packets that waited told of it.
const HOLD: Duration = Duration::from_secs(30);
/// The same of packets that were lost, the first time: it doubles each time, and begins anew after [`HOLD`] without losses.
const LOSS_HOLD: Duration = Duration::from_secs(2);
/// Packets that are asked for within so long were lost together.
const MOMENT: Duration = Duration::from_millis(100);
/// No queue is waited out for longer.
const LONGEST_QUEUE: Duration = Duration::from_millis(300);

/// The pace of one viewer.
#[derive(Debug)]
pub(crate) struct Rate {
    /// In bit/s.
    bits: u64,
    /// Bytes that may go out now; less than none after a large packet.
    budget: i64,
    at: Instant,
    /// Packets had to wait for it since it changed.
    limits: bool,
    /// Until when it does not rise, as the line was seen not to hold more.
    held_until: Option<Instant>,
    /// That was seen by packets that waited.
    queued: bool,
    /// Packets that went out at this pace did not wait.
    proven: bool,
    fell: Option<Instant>,
    loss_hold: Duration,
}

impl Rate {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            bits: START,
            budget: MIN_BURST,
            at: now,
            limits: false,
            held_until: None,
            queued: false,
            proven: false,
            fell: None,
            loss_hold: LOSS_HOLD,
        }
    }

    /// The least pace for a stream of `bitrate`: more than it has, or pictures come later and later.
    pub(crate) fn full(&self, bitrate: u64) -> u64 {
        if self.queued {
            11 * bitrate / 10
        } else {
            START.max(5 * bitrate / 4)
        }
    }

    /// Time has passed; the pace is to be between `least` and `most`.
    pub(crate) fn turn(&mut self, now: Instant, least: u64, most: u64) {
        let passed = now.saturating_duration_since(self.at);
        self.at = now;
        let most = most.clamp(SLOWEST, FASTEST);
        self.bits = self.bits.clamp(least.clamp(SLOWEST, most), most);
        let burst = self.bytes_in(BURST).max(MIN_BURST);
        self.budget = (self.budget + self.bytes_in(passed)).min(burst);
    }

    fn bytes_in(&self, span: Duration) -> i64 {
        (self.bits as u128 * span.as_nanos() / 8_000_000_000) as i64
    }

    /// Whether a packet may go out now.
    pub(crate) fn allows(&self) -> bool {
        self.budget > 0
    }

    /// So many bytes went out.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.budget -= bytes as i64;
        self.limits |= self.budget <= 0;
    }

    /// Whether it is worth asking how packets arrive.
    pub(crate) fn learns(&self, now: Instant) -> bool {
        self.bits < FASTEST && (!self.proven || self.may_rise(now))
    }

    fn may_rise(&self, now: Instant) -> bool {
        self.held_until.is_none_or(|until| until <= now)
    }

    /// How packets that went out at this pace got through. Answers whether it changed, so that only those which follow tell of it.
    pub(crate) fn heard(&mut self, passage: &Passage, now: Instant) -> bool {
        if !passage.is_telling() {
            return false;
        }
        if passage.waits() {
            self.bits = (passage.rate / 10 * 9).min(self.bits).max(SLOWEST);
            // Nothing goes out until what waits has gone.
            self.budget -= self.bytes_in(passage.queue.min(LONGEST_QUEUE));
            self.hold(now + HOLD);
            self.queued = true;
            return true;
        }
        self.proven |= passage.flows();
        passage.lost == 0 && self.rise(now)
    }

    /// A second went by without losses, of which nothing better is known.
    pub(crate) fn clean(&mut self, now: Instant) {
        self.rise(now);
    }

    fn rise(&mut self, now: Instant) -> bool {
        let rises = self.limits && self.bits < FASTEST && self.may_rise(now);
        if rises {
            // Where the end is known it is looked for in small steps.
            let known = self.held_until.is_some();
            self.bits += if known { self.bits / 4 } else { self.bits / 2 };
            (self.limits, self.proven) = (false, false);
        }
        rises
    }

    /// Packets were lost, and are sent again: it falls, once for what was lost together.
    pub(crate) fn lost(&mut self, now: Instant) {
        let since = self.fell.map(|fell| now.saturating_duration_since(fell));
        if since.is_some_and(|since| since < MOMENT) {
            return;
        }
        self.fell = Some(now);
        self.bits -= self.bits / 4;
        self.loss_hold = match since {
            Some(since) if since < HOLD => (2 * self.loss_hold).min(HOLD),
            _ => LOSS_HOLD,
        };
        self.hold(now + self.loss_hold);
    }

    /// Pictures come late for this pace: where packets that waited told of it, they may have had jitter, and the line gets another chance.
    pub(crate) fn doubt(&mut self) {
        if std::mem::take(&mut self.queued) {
            self.bits = self.bits.saturating_mul(2).min(FASTEST);
            (self.limits, self.proven) = (false, false);
        }
    }

    /// In bit/s.
    pub(crate) fn bits(&self) -> u64 {
        self.bits
    }

    fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(Some(until));
        (self.limits, self.proven) = (false, false);
    }
}

#[cfg(test)]
mod tests;
