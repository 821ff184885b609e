//! Packets that go out one behind the other at one pace, and how they arrive: the way that they push a queue before them tells whether
//! the line holds that pace. Pure.

use std::time::Duration;

use crate::twcc::TICK;

/// So many packets at each end of a train are looked at for the one that waited least, as the others have jitter.
const EDGE: usize = 12;
/// A train tells something when it is that long, by packets or by time.
const TELLING: u32 = 32;
const LONG: Duration = Duration::from_millis(60);
/// How much longer packets wait at its end than at its beginning where the pace is too high, in time, and as a part of the train's: an
/// eighth is a pace that is an eighth too high.
const GROWTH: Duration = Duration::from_millis(6);
const PART: u32 = 12;
/// Or they wait so long, whatever the train did about that.
const MUCH: Duration = Duration::from_millis(25);
/// A part that is no growth.
const NO_PART: u32 = 40;

/// A train under way. Times are in ticks.
#[derive(Debug)]
pub(crate) struct Train {
    packets: u32,
    lost: u32,
    bytes: u64,
    sent: (u32, u32),
    arrivals: (i64, i64),
    /// The least delay of the first packets, and those of the last.
    head: i64,
    tail: [i64; EDGE],
}

/// How a train got through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passage {
    /// How many packets came, and how many did not.
    pub(crate) packets: u32,
    pub(crate) lost: u32,
    /// From its first packet to its last, when they were sent.
    pub(crate) span: Duration,
    /// How much longer the last packets waited than the first.
    pub(crate) growth: Duration,
    /// How long the last packets waited.
    pub(crate) queue: Duration,
    /// How much got through, in bit/s.
    pub(crate) rate: u64,
}

impl Passage {
    /// Whether it was long enough to tell something.
    pub(crate) fn is_telling(&self) -> bool {
        self.packets >= TELLING || self.packets >= EDGE as u32 && self.span >= LONG
    }

    /// Whether it went out faster than the line takes it.
    pub(crate) fn waits(&self) -> bool {
        self.growth >= GROWTH.max(self.span / PART) || self.queue >= MUCH
    }

    /// Whether the line takes it as it goes out.
    pub(crate) fn flows(&self) -> bool {
        self.growth <= self.span / NO_PART && self.queue < MUCH / 2
    }
}

impl Default for Train {
    fn default() -> Self {
        Self {
            packets: 0,
            lost: 0,
            bytes: 0,
            sent: (0, 0),
            arrivals: (i64::MAX, i64::MIN),
            head: i64::MAX,
            tail: [i64::MAX; EDGE],
        }
    }
}

impl Train {
    /// A packet of `size` that went out at `sent` came at `arrival`, or got lost.
    pub(crate) fn note(&mut self, sent: u32, size: u16, arrival: Option<i64>) {
        let Some(arrival) = arrival else {
            self.lost += 1;
            return;
        };
        if self.packets == 0 {
            self.sent = (sent, sent);
        }
        // The clock of what is sent wraps.
        let since = sent.wrapping_sub(self.sent.0);
        let delay = arrival - i64::from(self.sent.0) - i64::from(since);
        if (self.packets as usize) < EDGE {
            self.head = self.head.min(delay);
        }
        self.tail[self.packets as usize % EDGE] = delay;
        self.packets += 1;
        // The rate is that of what arrived after the first packet.
        if self.packets > 1 {
            self.bytes += u64::from(size);
        }
        self.sent.1 = sent;
        self.arrivals.0 = self.arrivals.0.min(arrival);
        self.arrivals.1 = self.arrivals.1.max(arrival);
    }

    /// The least delay that is known; none before anything arrived.
    pub(crate) fn least(&self) -> Option<i64> {
        let least = self.tail.into_iter().fold(self.head, i64::min);
        (self.packets > 0).then_some(least)
    }

    /// How it got through so far, where the empty line has a delay of `base`; none for one of which next to nothing arrived.
    pub(crate) fn passage(&self, base: i64) -> Option<Passage> {
        let took = self.arrivals.1.checked_sub(self.arrivals.0)?;
        let took = u64::try_from(took).ok().filter(|took| *took > 0)?;
        let last = self.tail.into_iter().min()?;
        Some(Passage {
            packets: self.packets,
            lost: self.lost,
            span: ticks(i64::from(self.sent.1.wrapping_sub(self.sent.0))),
            growth: ticks(last - self.head),
            queue: ticks(last - base),
            rate: self.bytes * u64::from(8_000_000 / TICK) / took,
        })
    }
}

fn ticks(ticks: i64) -> Duration {
    Duration::from_micros(u64::from(TICK) * u64::try_from(ticks).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A train of so many packets of 1250 bytes at `mbit` over a line of `line` Mbit/s, from the tick `at` on.
    fn train(packets: i64, mbit: i64, line: i64, at: i64) -> Passage {
        let (mut train, mut free) = (Train::default(), 0);
        for n in 0..packets {
            let sent = 10_000 / mbit * n;
            free = sent.max(free) + 10_000 / line;
            let arrival = (1 << 40) + (free + 5_000) / 250;
            train.note((at + sent / 250) as u32, 1250, Some(arrival));
        }
        let least = train.least().expect("all arrived");
        train.passage(least).expect("all arrived")
    }

    #[test]
    fn a_train_that_is_too_fast_pushes_a_queue_and_arrives_at_the_lines_pace() {
        let fast = train(100, 12, 10, 0);
        assert!(fast.is_telling() && fast.waits(), "{fast:?}");
        assert!((9_900_000..10_100_000).contains(&fast.rate), "{fast:?}");
        assert!((12..17).contains(&fast.queue.as_millis()), "{fast:?}");
        let slow = train(100, 8, 10, 0);
        assert!(slow.is_telling() && !slow.waits(), "{slow:?}");
    }

    #[test]
    fn a_short_one_tells_nothing_and_a_clock_that_wraps_is_no_queue() {
        assert!(!train(20, 8, 10, 0).is_telling());
        assert!(!train(100, 8, 10, i64::from(u32::MAX) - 100).waits());
    }

    #[test]
    fn losses_are_no_arrivals() {
        let mut train = Train::default();
        assert_eq!(train.passage(0), None);
        train.note(0, 1250, None);
        train.note(4, 1250, Some(10));
        assert_eq!(train.passage(6), None, "one packet has no rate");
        train.note(8, 1250, Some(14));
        let passage = train.passage(6).expect("two arrived");
        assert_eq!((passage.packets, passage.lost), (2, 1));
        assert_eq!((passage.rate, passage.queue), (10_000_000, Duration::ZERO));
    }
}
