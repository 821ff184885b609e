use super::*;

const S: Duration = Duration::from_secs(1);

/// A lifecycle and a clock that only the test moves.
struct Bench {
    machine: Lifecycle,
    now: Instant,
}

impl Bench {
    fn new(on_demand: bool) -> Self {
        let policy = Policy {
            on_demand,
            linger: 5 * S,
            stall: 10 * S,
            ..Policy::default()
        };
        Self {
            machine: Lifecycle::new(policy),
            now: Instant::now(),
        }
    }

    fn after(&mut self, pause: Duration, input: Input) -> Option<Action> {
        self.now += pause;
        self.machine.handle(input, self.now, 0.0)
    }

    fn viewers(&mut self, n: usize) -> Option<Action> {
        self.after(Duration::ZERO, Input::Viewers(n))
    }

    fn fail(&mut self, reason: Reason) -> Option<Action> {
        self.after(
            Duration::ZERO,
            Input::Ended(Err(Fault::new(reason, "it failed"))),
        )
    }

    /// Sleeps until the deadline; the Source was last heard `ago` before it.
    fn deadline(&mut self, ago: Duration) -> Option<Action> {
        self.now = self.machine.deadline().expect("something is due");
        let heard = self.now - ago;
        self.after(Duration::ZERO, Input::Deadline { heard })
    }

    fn live(on_demand: bool) -> Self {
        let mut bench = Self::new(on_demand);
        assert_eq!(bench.viewers(1), Some(Action::Start));
        assert_eq!(bench.after(S, Input::FirstFrame), None);
        assert!(matches!(bench.machine.phase(), Phase::Live { .. }));
        bench
    }
}

#[test]
fn an_on_demand_source_starts_with_the_first_viewer_and_ends_after_the_linger() {
    let mut bench = Bench::new(true);
    assert_eq!(bench.viewers(0), None);
    assert_eq!(bench.viewers(1), Some(Action::Start));
    bench.after(S, Input::FirstFrame);
    assert_eq!(bench.viewers(0), None);
    assert!(matches!(bench.machine.phase(), Phase::Lingering { .. }));
    assert_eq!(bench.deadline(Duration::ZERO), Some(Action::Cancel));
    assert_eq!(bench.after(S, Input::Ended(Ok(()))), None);
    assert_eq!(*bench.machine.phase(), Phase::Idle);
}

#[test]
fn a_viewer_who_comes_while_it_lingers_finds_it_live() {
    let mut bench = Bench::live(true);
    bench.viewers(0);
    assert_eq!(bench.after(4 * S, Input::Viewers(1)), None);
    assert!(matches!(bench.machine.phase(), Phase::Live { .. }));
}

#[test]
fn a_viewer_who_comes_while_it_stops_never_causes_a_second_session() {
    let mut bench = Bench::live(true);
    bench.viewers(0);
    assert_eq!(bench.deadline(Duration::ZERO), Some(Action::Cancel));
    assert_eq!(bench.viewers(1), None, "the old session has not ended yet");
    assert_eq!(bench.after(S, Input::Ended(Ok(()))), Some(Action::Start));
}

#[test]
fn an_always_on_source_runs_without_viewers() {
    let mut bench = Bench::new(false);
    assert_eq!(bench.viewers(0), Some(Action::Start));
    bench.after(S, Input::FirstFrame);
    assert_eq!(bench.viewers(1), None);
    assert_eq!(bench.viewers(0), None);
    assert!(matches!(bench.machine.phase(), Phase::Live { .. }));
}

#[test]
fn a_first_dial_that_fails_is_retried_like_any_other() {
    let mut bench = Bench::new(true);
    bench.viewers(1);
    assert_eq!(bench.fail(Reason::Refused), None);
    assert_eq!(
        bench.machine.fault().map(|f| f.reason),
        Some(Reason::Refused)
    );
    assert_eq!(bench.deadline(S), Some(Action::Start));
    bench.after(S, Input::FirstFrame);
    assert_eq!(bench.machine.fault(), None);
}

#[test]
fn retries_end_when_nobody_watches_an_on_demand_source_any_more() {
    let mut bench = Bench::new(true);
    bench.viewers(1);
    bench.fail(Reason::Timeout);
    assert_eq!(bench.viewers(0), None);
    assert_eq!(*bench.machine.phase(), Phase::Idle);
    assert_eq!(bench.machine.deadline(), None);
}

#[test]
fn a_camera_that_ends_its_session_is_dialled_again_at_once_if_it_ran_well() {
    let mut bench = Bench::live(true);
    bench.after(60 * S, Input::Ended(Ok(())));
    assert_eq!(
        bench.machine.fault().map(|f| f.reason),
        Some(Reason::Closed)
    );
    let pause = bench.machine.deadline().map(|d| d - bench.now);
    assert_eq!(pause, Some(Duration::from_millis(250)));
}

#[test]
fn a_silent_source_is_restarted_and_says_why() {
    let mut bench = Bench::live(true);
    assert_eq!(bench.deadline(10 * S), Some(Action::Cancel));
    bench.after(S, Input::Ended(Ok(())));
    assert_eq!(
        bench.machine.fault().map(|f| f.reason),
        Some(Reason::Stalled)
    );
    assert!(matches!(bench.machine.phase(), Phase::Backoff { .. }));
}

#[test]
fn a_source_that_is_heard_is_not_stuck_however_long_its_gop() {
    let mut bench = Bench::live(true);
    for _ in 0..100 {
        assert_eq!(bench.deadline(S), None);
    }
    assert!(matches!(bench.machine.phase(), Phase::Live { .. }));
}

#[test]
fn a_source_that_does_not_end_when_told_to_is_dropped() {
    let mut bench = Bench::live(true);
    bench.deadline(10 * S);
    assert_eq!(bench.deadline(10 * S), Some(Action::Abort));
}

#[test]
fn a_silent_source_ends_even_while_it_lingers() {
    let mut bench = Bench::live(true);
    bench.machine.handle(
        Input::Policy(Policy {
            linger: 3600 * S,
            stall: 10 * S,
            ..Policy::default()
        }),
        bench.now,
        0.0,
    );
    bench.viewers(0);
    assert_eq!(bench.deadline(10 * S), Some(Action::Cancel));
    assert_eq!(bench.after(S, Input::Ended(Ok(()))), None);
    assert_eq!(*bench.machine.phase(), Phase::Idle);
}

#[test]
fn a_restart_ends_the_session_before_it_starts_the_next() {
    let mut bench = Bench::live(true);
    assert_eq!(bench.after(S, Input::Restart), Some(Action::Cancel));
    assert_eq!(bench.after(S, Input::Ended(Ok(()))), Some(Action::Start));
    assert_eq!(bench.machine.fault(), None, "to be restarted is no failure");
}

#[test]
fn a_restart_in_backoff_does_not_wait_for_its_end() {
    let mut bench = Bench::new(true);
    bench.viewers(1);
    bench.fail(Reason::Unauthorized);
    assert_eq!(bench.after(S, Input::Restart), Some(Action::Start));
}

#[test]
fn a_policy_that_turns_always_on_starts_an_idle_source() {
    let mut bench = Bench::new(true);
    let policy = Policy {
        on_demand: false,
        ..Policy::default()
    };
    assert_eq!(bench.after(S, Input::Policy(policy)), Some(Action::Start));
}
