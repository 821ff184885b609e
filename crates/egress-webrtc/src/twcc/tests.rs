use proptest::prelude::*;

use super::*;

/// The example of a receiver: two packets, a hole of one, a late one, a run of losses.
#[test]
fn a_report_is_read_packet_by_packet() {
    // Number 0xfffe, 10 packets, reference 3, report 0; 2-bit symbols 1 1 0 2 0 0 0; a run of 3 lost.
    let body = [
        0xff, 0xfe, 0, 10, 0, 0, 3, 0, 0xd4, 0x80, 0, 3, 4, 8, 0xff, 0xfc, 0, 0,
    ];
    let report: Vec<_> = Report::parse(&body).expect("a report").collect();
    let numbers: Vec<u16> = report.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [65_534, 65_535, 0, 1, 2, 3, 4, 5, 6, 7]);
    let arrivals: Vec<_> = report.iter().filter_map(|(_, at)| *at).collect();
    assert_eq!(arrivals, [772, 780, 776]);
    assert!(report[3].1.is_some() && report[2].1.is_none());
}

#[test]
fn one_bit_symbols_and_runs_are_read_too() {
    let body = [0, 1, 0, 16, 0, 0, 0, 0, 0xa0, 0x01, 0x20, 2, 1, 1, 1, 1];
    let report: Vec<_> = Report::parse(&body).expect("a report").collect();
    let came: Vec<u16> = report
        .iter()
        .filter_map(|(number, at)| at.map(|_| *number))
        .collect();
    assert_eq!(came, [1, 14, 15, 16]);
}

/// A viewer behind a line, whose packets are reported one by one.
struct Bench {
    history: History,
    /// In microseconds.
    now: i64,
    /// When the line is free.
    free: i64,
    lines: Vec<Line>,
    passage: Option<Passage>,
}

impl Bench {
    fn new(now: i64) -> Self {
        Self {
            history: History::default(),
            now,
            free: 0,
            lines: Vec::new(),
            passage: None,
        }
    }

    /// Sends 1250 bytes every `every` microseconds for so long, over a line of `mbit` with a queue of 300 ms.
    fn play(&mut self, millis: i64, every: i64, mbit: i64, jitter: i64) {
        let start = self.now;
        for n in 0..millis * 1000 / every {
            let sent = start + n * every;
            let number = self.history.send(1250, (sent / 250) as u32);
            let begin = self.free.max(sent);
            let lost = begin - sent > 300_000;
            if !lost {
                self.free = begin + 10_000 / mbit;
            }
            let wobble = n % 7 * jitter / 6;
            // Their clock is another one.
            let arrival = (self.free + wobble + 40_000 + 7_000_000) / 250;
            self.report(number, (!lost).then_some(arrival));
        }
        self.now += millis * 1000;
    }

    fn report(&mut self, number: u16, arrival: Option<i64>) {
        let at = arrival.unwrap_or(0);
        let reference = (at / 256) as u32;
        let delta = (at % 256) as u8;
        let symbol: u16 = arrival.map_or(0, |_| 1 << 13);
        let mut body = number.to_be_bytes().to_vec();
        body.extend([0, 1]);
        body.extend(&reference.to_be_bytes()[1..]);
        body.push(0);
        body.extend((symbol | 1).to_be_bytes());
        body.extend(arrival.map(|_| delta));
        let lines = &mut self.lines;
        let passage = self.history.report(&body, |line| lines.push(line));
        self.passage = passage.or(self.passage);
    }
}

#[test]
fn a_line_that_holds_the_stream_has_no_queue_whatever_its_jitter_and_its_clock() {
    let wrap = (1 << 32) * 250;
    let mut bench = Bench::new(wrap - 3_000_000);
    // 4 Mbit/s over 10 Mbit/s, across the wrap of our clock.
    bench.play(6_000, 2_500, 10, 50_000);
    assert!(bench.lines.len() >= 10, "{}", bench.lines.len());
    for line in &bench.lines {
        assert!(
            line.queue < Duration::from_millis(5) && line.lost == 0,
            "{line:?}"
        );
        assert!(line.rate.abs_diff(4_000_000) < 600_000, "{line:?}");
    }
}

#[test]
fn a_line_that_does_not_hold_it_has_a_queue_then_losses_and_a_rate_of_its_own() {
    let mut bench = Bench::new(0);
    bench.play(2_000, 2_500, 10, 0);
    bench.lines.clear();
    // 4 Mbit/s over 3 Mbit/s.
    bench.play(4_000, 2_500, 3, 0);
    let last = *bench.lines.last().expect("some");
    assert!(last.queue > Duration::from_millis(200), "{last:?}");
    assert!(last.lost > 38, "{last:?}");
    assert!(last.rate.abs_diff(3_000_000) < 300_000, "{last:?}");
}

#[test]
fn a_train_is_what_goes_out_from_its_beginning_to_its_end_at_one_pace() {
    let mut bench = Bench::new(0);
    bench.play(500, 2_500, 10, 0);
    assert_eq!(bench.passage, None, "none has begun");
    bench.history.begin();
    // 20 Mbit/s over 10 Mbit/s.
    bench.play(50, 500, 10, 0);
    bench.history.end();
    bench.play(500, 2_500, 10, 0);
    let passage = bench.passage.take().expect("a train");
    assert_eq!(passage.packets, 100);
    assert!(
        passage.waits() && passage.rate.abs_diff(10_000_000) < 200_000,
        "{passage:?}"
    );
    // What is left of it is one more at the new pace; what follows is none.
    bench.history.begin();
    bench.play(50, 500, 10, 0);
    bench.history.renew();
    bench.play(50, 2_500, 10, 0);
    bench.history.end();
    bench.history.renew();
    bench.passage = None;
    bench.play(200_000, 2_500, 10, 0);
    assert_eq!(
        bench.passage, None,
        "numbers that come again are another packet's"
    );
}

proptest! {
    #[test]
    fn no_report_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..2000) {
        let mut history = History::default();
        for n in 0..count {
            history.send(n, n as u32 * 1_000_000);
            if n == 20 {
                history.begin();
            }
        }
        for _ in 0..2 {
            let passage = history.report(&body, |_| {});
            let now = std::time::Instant::now();
            let mut rate = crate::rate::Rate::new(now);
            if let Some(passage) = passage {
                passage.flows();
                rate.heard(&passage, now);
            }
        }
    }
}
