use super::*;

const MBIT: u64 = 1_000_000;

struct Bench {
    pace: Pace,
    now: Instant,
    bitrate: u64,
}

impl Bench {
    fn new(bitrate: u64) -> Self {
        let now = Instant::now();
        let pace = Pace::new(false, now);
        Self { pace, now, bitrate }
    }

    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.pace.turn(self.now, self.bitrate);
    }

    /// How many bytes go out within `millis` where there is always more to send.
    fn flood(&mut self, millis: u64) -> usize {
        let mut bytes = 0;
        for _ in 0..millis / 5 {
            self.pass(5);
            while self.pace.allows() {
                self.pace.spend(1200);
                bytes += 1200;
            }
        }
        bytes
    }

    fn estimated(&mut self, bits: u64) {
        self.pace.estimated(bits, self.bitrate, self.now);
    }
}

#[test]
fn a_line_that_does_not_hold_the_stream_gets_keyframes_alone_and_another_chance() {
    let mut bench = Bench::new(4 * MBIT);
    bench.estimated(3 * MBIT);
    bench.pass(1_000);
    bench.estimated(3 * MBIT);
    assert!(!bench.pace.resting(), "it may be a hiccup");
    bench.pass(600);
    bench.estimated(3 * MBIT);
    assert!(bench.pace.resting());
    bench.pass(2_000);
    bench.pace.keyframe(bench.now);
    assert!(bench.pace.resting());
    bench.pass(2_000);
    bench.pace.keyframe(bench.now);
    assert!(!bench.pace.resting(), "4 s are over");
    bench.pace.tire("test", bench.now);
    bench.pass(4_500);
    bench.pace.keyframe(bench.now);
    assert!(
        bench.pace.resting(),
        "it rests twice as long the second time"
    );
}

#[test]
fn a_low_estimate_is_believed_where_packets_wait() {
    let mut bench = Bench::new(4 * MBIT);
    let wait = |millis| Some(Duration::from_millis(millis));
    for _ in 0..10 {
        bench.pass(1_000);
        bench.pace.reported(Some(13), wait(60), bench.now);
        bench.estimated(2 * MBIT);
    }
    assert!(!bench.pace.resting(), "it is jitter, or a busy machine");
    for _ in 0..5 {
        bench.pass(1_000);
        bench.pace.reported(Some(13), wait(300), bench.now);
    }
    assert!(!bench.pace.resting(), "the way is a longer one now");
    for _ in 0..6 {
        bench.pass(1_000);
        bench.pace.reported(Some(35), wait(200), bench.now);
    }
    assert!(bench.pace.resting(), "a full queue loses");
}

#[test]
fn packets_that_wait_for_very_long_need_no_losses_to_be_believed() {
    let mut bench = Bench::new(4 * MBIT);
    for _ in 0..3 {
        bench.pass(1_000);
        bench.estimated(2 * MBIT);
        bench
            .pace
            .reported(Some(0), Some(Duration::from_millis(600)), bench.now);
    }
    assert!(bench.pace.resting());
}

#[test]
fn a_keyframe_to_a_line_too_slow_goes_out_as_fast_as_that_takes_it() {
    let mut bench = Bench::new(4 * MBIT);
    bench.estimated(5 * MBIT / 2);
    bench.pace.tire("test", bench.now);
    for _ in 0..20 {
        bench.pass(100);
        bench.pace.lost(bench.now);
    }
    let sent = bench.flood(1_000) * 8;
    assert!(
        (2_400_000..3_000_000).contains(&sent),
        "{sent} bits in a second"
    );
}

#[test]
fn an_estimate_beyond_all_numbers_is_no_harm() {
    let mut bench = Bench::new(4 * MBIT);
    for bits in [u64::MAX, 0, u64::MAX] {
        bench.estimated(bits);
        bench.pass(1_000);
    }
    assert!(bench.flood(100) > 0);
}

#[test]
fn an_estimate_of_the_packets_that_were_not_asked_about_is_not_one_of_the_line() {
    let mut bench = Bench::new(4 * MBIT);
    bench.pace.tells = true;
    for _ in 0..4 {
        bench.pass(1_000);
        assert!(bench.pace.asks(100_000, bench.now));
        bench.estimated(MBIT);
    }
    assert!(!bench.pace.resting());
    for _ in 0..6 {
        bench.pass(1_000);
        assert!(!bench.pace.asks(10_000, bench.now), "it waits for nothing");
        bench.estimated(MBIT);
    }
    assert!(bench.pace.resting());
}

#[test]
fn an_estimate_that_climbs_is_waited_for() {
    let mut bench = Bench::new(4 * MBIT);
    for mbit in [1, 2, 3] {
        bench.pass(1_000);
        bench.estimated(mbit * MBIT);
    }
    bench.pass(1_000);
    bench.estimated(5 * MBIT);
    assert!(!bench.pace.resting());
}

#[test]
fn five_percent_of_loss_is_no_reason_to_rest_and_a_fifth_is() {
    let mut bench = Bench::new(2 * MBIT);
    for _ in 0..20 {
        bench.pass(1_000);
        bench.pace.reported(Some(13), None, bench.now);
    }
    assert!(!bench.pace.resting());
    for _ in 0..3 {
        bench.pass(1_000);
        bench.pace.reported(Some(51), None, bench.now);
    }
    assert!(bench.pace.resting());
}

#[test]
fn packets_that_wait_longer_and_longer_are_a_line_too_slow_and_jitter_is_none() {
    let mut bench = Bench::new(4 * MBIT);
    let line = |millis, lost| Line {
        queue: Duration::from_millis(millis),
        lost,
        rate: 3 * MBIT,
    };
    for millis in [200, 20, 200, 50, 200, 0, 200] {
        bench.pass(500);
        bench.pace.arrived(line(millis, 13), bench.now);
    }
    assert!(!bench.pace.resting());
    for _ in 0..9 {
        bench.pass(500);
        bench.pace.arrived(line(200, 13), bench.now);
    }
    assert!(!bench.pace.resting(), "the way is a longer one now");
    for _ in 0..4 {
        bench.pass(500);
        bench.pace.arrived(line(200, 30), bench.now);
    }
    assert!(bench.pace.resting());
    bench.pass(4_500);
    bench.pace.arrived(line(0, 0), bench.now);
    bench.pace.keyframe(bench.now);
    assert!(!bench.pace.resting());
}

#[test]
fn pictures_that_stay_late_make_it_rest() {
    let mut bench = Bench::new(2 * MBIT);
    let late = |bench: &mut Bench, wait, millis| {
        bench.pass(wait);
        bench.pace.late_by(Duration::from_millis(millis), bench.now);
        bench.pace.resting()
    };
    assert!(!late(&mut bench, 0, 900));
    assert!(
        !late(&mut bench, 100, 1_300),
        "it may be a machine that was busy"
    );
    assert!(!late(&mut bench, 1_000, 1_250));
    assert!(!late(&mut bench, 100, 1_000), "that was all");
    assert!(!late(&mut bench, 1_000, 1_300));
    assert!(late(&mut bench, 1_500, 1_250));
}

#[test]
fn jitter_that_is_taken_for_a_queue_makes_pictures_late_and_no_viewer_rest() {
    let mut bench = Bench::new(4 * MBIT);
    let jitter = Passage {
        packets: 40,
        lost: 0,
        span: Duration::from_millis(60),
        growth: Duration::from_millis(20),
        queue: Duration::from_millis(40),
        rate: MBIT,
    };
    bench.pace.passed(&jitter, bench.now);
    // What came since a keyframe of 2.5 s ago, with a twentieth of it sent again.
    let mut behind = 2.5 * 4e6 / 8.0;
    let second = |bench: &mut Bench, behind: &mut f64, judged: bool| {
        for _ in 0..25 {
            *behind += 1.05 * 4e6 / 8.0 / 25.0;
            let before = *behind;
            for _ in 0..8 {
                bench.pass(5);
                while *behind > 0.0 && bench.pace.allows() {
                    bench.pace.spend(1200);
                    *behind -= 1200.0;
                }
            }
            let late = Duration::from_secs_f64(before / 4e6 * 8.0);
            if judged {
                bench.pace.late_by(late, bench.now);
            }
        }
    };
    for _ in 0..5 {
        second(&mut bench, &mut behind, false);
    }
    assert!(
        behind / 4e6 * 8.0 > 1.2,
        "a tenth more is too little to catch up with it"
    );
    for _ in 0..5 {
        second(&mut bench, &mut behind, true);
        assert!(!bench.pace.resting());
    }
    assert!(behind < 20_000.0, "{behind}");
}
