//! When a Source runs: a pure table. Time is an argument; nothing here spawns, sleeps or reads a clock.

use std::time::Duration;

use tokio::time::Instant;

use crate::backoff::Backoff;
use crate::{Fault, Policy, Reason, STOP_GRACE};

/// The states of a Channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The Source does not run, and nobody wants it to.
    Idle,
    /// The Source runs and has not written a frame yet.
    Starting { heard: Instant },
    /// Frames flow.
    Live { since: Instant, heard: Instant },
    /// As before, but nobody watches any more: it ends at `until` unless somebody comes.
    Lingering {
        until: Instant,
        live: Option<Instant>,
        heard: Instant,
    },
    /// The Source was told to end and has until `until`; then it is dropped.
    Stopping {
        until: Instant,
        fault: Option<Fault>,
    },
    /// The Source failed and is started again at `until`.
    Backoff { until: Instant },
}

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// So many Viewers are there now.
    Viewers(usize),
    /// The Source wrote the first frame of its run.
    FirstFrame,
    /// The Source ended by itself, or after it was told to.
    Ended(Result<(), Fault>),
    /// [`Lifecycle::deadline`] has passed. The Source was last heard at `heard`.
    Deadline { heard: Instant },
    /// The Source shall be ended and started anew: it was replaced, or somebody asked for it.
    Restart,
    /// The policy is another one now.
    Policy(Policy),
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// Run the Source.
    Start,
    /// Tell the Source to end.
    Cancel,
    /// Drop the Source: it did not end in time. [`Input::Ended`] follows.
    Abort,
}

/// The table itself, for one Channel.
#[derive(Debug)]
pub(crate) struct Lifecycle {
    policy: Policy,
    viewers: usize,
    phase: Phase,
    backoff: Backoff,
    fault: Option<Fault>,
}

impl Lifecycle {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            policy,
            viewers: 0,
            phase: Phase::Idle,
            backoff: Backoff::default(),
            fault: None,
        }
    }

    pub(crate) fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Why the Source is not live, where it failed last.
    pub(crate) fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// When [`Input::Deadline`] is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Idle => None,
            Phase::Starting { heard } => Some(*heard + self.policy.stall.max(START_LIMIT)),
            Phase::Live { heard, .. } => Some(*heard + self.policy.stall),
            Phase::Lingering { until, heard, .. } => Some((*until).min(*heard + self.policy.stall)),
            Phase::Stopping { until, .. } | Phase::Backoff { until } => Some(*until),
        }
    }

    /// Moves on. `jitter` in 0.0..1.0 spreads the retries of many cameras.
    pub(crate) fn handle(&mut self, input: Input, now: Instant, jitter: f64) -> Option<Action> {
        match input {
            Input::Viewers(viewers) => {
                self.viewers = viewers;
                self.settle(now)
            }
            Input::Policy(policy) => {
                self.policy = policy;
                self.settle(now)
            }
            Input::FirstFrame => {
                self.first_frame(now);
                None
            }
            Input::Ended(result) => self.ended(result, now, jitter),
            Input::Deadline { heard } => self.due(heard, now),
            Input::Restart => self.restart(now),
        }
    }

    fn wanted(&self) -> bool {
        self.viewers > 0 || !self.policy.on_demand
    }

    /// Brings the phase in line with who watches.
    fn settle(&mut self, now: Instant) -> Option<Action> {
        match (self.phase.clone(), self.wanted()) {
            (Phase::Idle, true) => return Some(self.start(now)),
            (Phase::Starting { heard }, false) => self.linger(now, None, heard),
            (Phase::Live { since, heard }, false) => self.linger(now, Some(since), heard),
            (
                Phase::Lingering {
                    live: Some(since),
                    heard,
                    ..
                },
                true,
            ) => self.phase = Phase::Live { since, heard },
            (
                Phase::Lingering {
                    live: None, heard, ..
                },
                true,
            ) => self.phase = Phase::Starting { heard },
            (Phase::Backoff { .. }, false) => self.idle(),
            _ => {}
        }
        None
    }

    fn first_frame(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Starting { .. } => {
                self.phase = Phase::Live {
                    since: now,
                    heard: now,
                }
            }
            Phase::Lingering { live, heard, .. } => {
                live.get_or_insert(now);
                *heard = now;
            }
            _ => return,
        }
        self.fault = None;
    }

    fn ended(&mut self, result: Result<(), Fault>, now: Instant, jitter: f64) -> Option<Action> {
        let (since, stopped) = match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Live { since, .. } => (Some(since), None),
            Phase::Lingering { live, .. } => (live, None),
            Phase::Stopping { fault, .. } => (None, Some(fault)),
            _ => (None, None),
        };
        let fault = match stopped {
            // It ended because it was told to: what counts is why it was told.
            Some(fault) => fault,
            None => Some(result.err().unwrap_or_else(closed)),
        };
        if !self.wanted() {
            self.idle();
            return None;
        }
        let Some(fault) = fault else {
            return Some(self.start(now));
        };
        if since.is_some_and(|since| now - since >= PROVEN) {
            self.backoff = Backoff::default();
        }
        let until = now + self.backoff.next(fault.reason, now, jitter);
        self.fault = Some(fault);
        self.phase = Phase::Backoff { until };
        None
    }

    fn due(&mut self, last_heard: Instant, now: Instant) -> Option<Action> {
        match &mut self.phase {
            Phase::Starting { heard }
            | Phase::Live { heard, .. }
            | Phase::Lingering { heard, .. } => {
                *heard = last_heard.max(*heard);
            }
            Phase::Idle | Phase::Stopping { .. } | Phase::Backoff { .. } => {}
        }
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        match &self.phase {
            Phase::Idle => None,
            Phase::Lingering { until, .. } if *until <= now => Some(self.stop(now, None)),
            Phase::Starting { .. } | Phase::Live { .. } | Phase::Lingering { .. } => {
                let message = format!(
                    "the camera sent nothing for {} s",
                    self.policy.stall.as_secs_f32()
                );
                Some(self.stop(now, Some(Fault::new(Reason::Stalled, message))))
            }
            Phase::Stopping { .. } => Some(Action::Abort),
            Phase::Backoff { .. } => Some(self.start(now)),
        }
    }

    fn restart(&mut self, now: Instant) -> Option<Action> {
        self.backoff = Backoff::default();
        match self.phase {
            Phase::Idle | Phase::Stopping { .. } => None,
            Phase::Backoff { .. } => Some(self.start(now)),
            _ => Some(self.stop(now, None)),
        }
    }

    fn start(&mut self, now: Instant) -> Action {
        self.phase = Phase::Starting { heard: now };
        Action::Start
    }

    fn stop(&mut self, now: Instant, fault: Option<Fault>) -> Action {
        let until = now + STOP_GRACE;
        self.phase = Phase::Stopping { until, fault };
        Action::Cancel
    }

    fn linger(&mut self, now: Instant, live: Option<Instant>, heard: Instant) {
        let until = now + self.policy.linger;
        self.phase = Phase::Lingering { until, live, heard };
    }

    fn idle(&mut self) {
        self.phase = Phase::Idle;
        self.backoff = Backoff::default();
    }
}

/// How long a Source was live to have proven itself: its next failure is retried like a first one.
const PROVEN: Duration = Duration::from_secs(10);

/// How long a Source may take until it is heard for the first time. It has time-outs of its own for each
/// step, which tell more; this one only catches what they miss.
const START_LIMIT: Duration = Duration::from_secs(40);

fn closed() -> Fault {
    Fault::new(Reason::Closed, "the camera ended the session")
}

#[cfg(test)]
mod tests;
