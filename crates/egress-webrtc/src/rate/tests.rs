use super::*;
use crate::train::Train;

const MBIT: u64 = 1_000_000;
const PACKET: u64 = 1200;

/// A viewer behind a line, who reports arrivals ten times a second.
struct Bench {
    rate: Rate,
    start: Instant,
    /// Since then, in microseconds.
    now: u64,
    bitrate: u64,
    /// The line's pace, its queue, and the way there and back, in microseconds.
    line: (u64, u64, u64),
    free: u64,
    train: Train,
    lost: u32,
    /// Trains that were sent and not reported yet: when to, of which pace, and each packet's times.
    sent: Vec<(u64, Option<u64>)>,
}

impl Bench {
    fn new(mbit: u64, queue_ms: u64, trip_ms: u64, bitrate: u64) -> Self {
        let start = Instant::now();
        Self {
            rate: Rate::new(start),
            start,
            now: 0,
            bitrate,
            line: (mbit * MBIT, queue_ms * 1000, trip_ms * 1000),
            free: 0,
            train: Train::default(),
            lost: 0,
            sent: Vec::new(),
        }
    }

    fn at(&self) -> Instant {
        self.start + Duration::from_micros(self.now)
    }

    fn turn(&mut self) {
        let least = self.rate.full(self.bitrate);
        self.rate.turn(self.at(), least, u64::MAX);
    }

    /// A packet goes out. Answers when it is there.
    fn pass(&mut self, size: u64) -> Option<u64> {
        let begin = self.free.max(self.now);
        if begin - self.now > self.line.1 {
            return None;
        }
        self.free = begin + size * 8_000_000 / self.line.0;
        Some(self.free + self.line.2 / 2)
    }

    /// A picture of so many bytes goes out. Answers how long that took.
    fn picture(&mut self, bytes: u64) -> Duration {
        let (began, mut left) = (self.now, bytes);
        let asks = bytes as i64 > MIN_BURST && self.rate.learns(self.at());
        let mut report_at = self.now + 100_000;
        self.train = Train::default();
        let mut ended = None;
        while left > 0 || (!self.sent.is_empty() && ended.is_none_or(|at| self.now < at + 400_000))
        {
            self.turn();
            while left > 0 && self.rate.allows() {
                left = left.saturating_sub(PACKET);
                let came = self.pass(PACKET);
                self.lost += u32::from(came.is_none());
                if came.is_none() {
                    self.rate.lost(self.at());
                }
                self.rate.spend(PACKET as usize);
                if asks {
                    self.sent.push((self.now, came));
                }
            }
            if left == 0 {
                ended.get_or_insert(self.now);
            }
            if self.now >= report_at {
                self.report();
                report_at += 100_000;
            }
            self.now += 5_000;
        }
        self.sent.clear();
        Duration::from_micros(ended.unwrap_or(self.now) - began)
    }

    /// What had arrived half a way ago is known now.
    fn report(&mut self) {
        let known = self.now - self.line.2 / 2;
        let count = self
            .sent
            .iter()
            .take_while(|(_, came)| came.is_none_or(|came| came <= known));
        let reported: Vec<_> = self.sent.drain(..count.count()).collect();
        for (sent, came) in reported {
            let arrival = came.map(|came| came as i64 / 250);
            self.train.note((sent / 250) as u32, 1200, arrival);
        }
        let base = self.line.2 as i64 / 2 / 250;
        let passage = self.train.passage(base);
        if passage.is_some_and(|passage| self.rate.heard(&passage, self.at())) {
            self.train = Train::default();
            self.sent.clear();
        }
    }

    /// A second of 25 pictures, of which the first has `keyframe` bytes. Answers how long that one took.
    fn second(&mut self, keyframe: u64) -> Duration {
        let end = self.now + 1_000_000;
        let took = self.picture(keyframe);
        while self.now < end {
            self.turn();
            self.pass(5_000);
            self.rate.spend(5_000);
            self.now += 40_000;
        }
        took
    }
}

#[test]
fn a_megabyte_over_10_mbit_loses_nothing_whatever_the_queue_and_the_way() {
    for queue in [60, 100, 200] {
        for trip in [2, 20, 100] {
            let mut bench = Bench::new(10, queue, trip, 4 * MBIT);
            let took: Vec<_> = (0..20).map(|_| bench.second(1_000_000)).collect();
            assert_eq!(bench.lost, 0, "queue {queue} ms, round trip {trip} ms");
            assert!(
                took[10..].iter().all(|took| took.as_millis() < 1_100),
                "{took:?}"
            );
        }
    }
}

#[test]
fn a_line_of_half_that_is_found_out_within_its_queue() {
    let mut bench = Bench::new(5, 200, 20, 2 * MBIT);
    for _ in 0..10 {
        bench.second(300_000);
    }
    assert_eq!(bench.lost, 0);
}

#[test]
fn a_wide_line_is_used_after_some_keyframes() {
    let mut bench = Bench::new(1000, 50, 4, 2 * MBIT);
    let took: Vec<_> = (0..12).map(|_| bench.second(100_000)).collect();
    assert!(took[0].as_millis() >= 80, "{took:?}");
    assert!(took[11].as_millis() <= 10, "{took:?}");
    assert_eq!(bench.lost, 0);
}

#[test]
fn without_reports_it_begins_below_10_mbit_and_rises_with_each_second_that_loses_nothing() {
    let mut bench = Bench::new(1000, 50, 4, MBIT);
    bench.rate.held_until = Some(bench.at() + HOLD);
    assert!(bench.picture(200_000).as_millis() > 160);
    bench.rate.held_until = None;
    bench.rate.clean(bench.at());
    let (faster, before) = (bench.rate.bits, START);
    assert_eq!(faster, before * 3 / 2);
    bench.rate.clean(bench.at());
    assert_eq!(bench.rate.bits, faster, "nothing had to wait");
}

#[test]
fn what_is_lost_together_makes_it_fall_once_and_holds_it_longer_each_time() {
    let mut bench = Bench::new(1000, 50, 4, MBIT);
    bench.rate.bits = 100 * MBIT;
    let mut rates = Vec::new();
    for millis in [0, 50, 200, 5_000] {
        bench.rate.lost(bench.at() + Duration::from_millis(millis));
        rates.push(bench.rate.bits / MBIT);
    }
    assert_eq!(rates, [75, 75, 56, 42]);
    let held = bench.rate.held_until.map(|until| until - bench.at());
    assert_eq!(held, Some(Duration::from_secs(5 + 8)));
    assert!(!bench.rate.may_rise(bench.at()));
}
