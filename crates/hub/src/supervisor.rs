//! Runs a Channel's Source: the driver of `lifecycle`, one task per Channel.

use std::future::pending;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, info, info_span, warn};

use crate::channel::{Shared, Wish, locked};
use crate::counters::add;
use crate::lifecycle::{Action, Input, Lifecycle, Phase};
use crate::notice::Notice;
use crate::status::State;
use crate::{Fault, Publisher, Reason, STOP_GRACE};

/// One run of a Source.
struct Run {
    number: u64,
    task: JoinHandle<Result<(), Fault>>,
    cancel: CancellationToken,
}

struct Supervisor {
    shared: Arc<Shared>,
    lifecycle: Lifecycle,
    wish: Wish,
    run: Option<Run>,
    sources: Handle,
}

/// Supervises `shared` until it is gone. Its Source runs on `sources`, or here.
pub(crate) async fn supervise(shared: Arc<Shared>, sources: Option<Handle>) {
    let span = info_span!("channel", stream = %shared.stream, channel = %shared.id);
    let wish = shared.wish();
    let lifecycle = Lifecycle::new(wish.policy);
    Supervisor {
        shared,
        lifecycle,
        wish,
        run: None,
        sources: sources.unwrap_or_else(Handle::current),
    }
    .serve()
    .instrument(span)
    .await;
}

impl Supervisor {
    async fn serve(mut self) {
        self.catch_up();
        loop {
            let shared = Arc::clone(&self.shared);
            let deadline = self.lifecycle.deadline();
            tokio::select! {
                biased;
                () = shared.gone.cancelled() => break,
                result = ended(&mut self.run) => self.step(Input::Ended(result)),
                () = shared.changed.notified() => self.catch_up(),
                () = until(deadline) => self.step(Input::Deadline { heard: shared.heard() }),
            }
        }
        self.close().await;
    }

    /// Looks at everything that may have changed since the last look.
    fn catch_up(&mut self) {
        let wish = self.shared.wish();
        if wish.policy != self.wish.policy {
            self.step(Input::Policy(wish.policy));
        }
        let replaced = wish.generation != self.wish.generation;
        self.wish = wish;
        if replaced {
            self.step(Input::Restart);
        }
        if self
            .run
            .as_ref()
            .is_some_and(|run| self.shared.is_live(run.number))
        {
            self.step(Input::FirstFrame);
        }
        self.step(Input::Viewers(self.shared.viewers()));
    }

    fn step(&mut self, input: Input) {
        if matches!(&input, Input::Ended(_)) {
            self.run = None;
            // What the run left is no place to start for whoever joins before the next one.
            self.shared.ring.cut();
        }
        let action = self
            .lifecycle
            .handle(input, Instant::now(), fastrand::f64());
        match action {
            Some(Action::Start) => self.start(),
            Some(Action::Cancel) => self.run.iter().for_each(|run| run.cancel.cancel()),
            Some(Action::Abort) => self.run.iter().for_each(|run| run.task.abort()),
            None => {}
        }
        self.tell();
    }

    fn start(&mut self) {
        let shared = Arc::clone(&self.shared);
        let number = locked(&shared.writer).begin();
        shared.hear();
        add(&shared.counters.starts, 1);
        let cancel = CancellationToken::new();
        let publisher = Publisher::new(shared, number, cancel.clone());
        let source = Arc::clone(&self.wish.source);
        let work = async move { source.run(publisher).await };
        let task = self.sources.spawn(work.in_current_span());
        self.run = Some(Run {
            number,
            task,
            cancel,
        });
    }

    /// Publishes the state where it changed, and logs the change.
    fn tell(&self) {
        let after = self.lifecycle.fault().cloned();
        let state = match self.lifecycle.phase() {
            Phase::Idle => State::Idle,
            Phase::Starting { .. } => State::Starting { after },
            Phase::Live { .. } => State::Live,
            Phase::Lingering { .. } | Phase::Stopping { fault: None, .. } => State::Lingering,
            Phase::Stopping {
                fault: Some(fault),
                until,
            } => State::Backoff {
                fault: fault.clone(),
                retry_at: *until,
            },
            Phase::Backoff { until } => State::Backoff {
                fault: after.unwrap_or_else(unknown),
                retry_at: *until,
            },
        };
        let mut before = state.clone();
        // Who follows the state is woken by changes alone: the Source is looked at every few seconds.
        let changed = self.shared.state.send_if_modified(|known| {
            std::mem::swap(known, &mut before);
            *known != before
        });
        if !changed {
            return;
        }
        let condition = state.condition();
        if before.condition() != condition {
            let Shared {
                stream, id, board, ..
            } = &*self.shared;
            board.tell(|| Notice::Channel {
                stream: stream.clone(),
                channel: id.clone(),
                condition,
            });
        }
        match &state {
            State::Backoff { fault, .. } if before.fault() != Some(fault) => {
                warn!(
                    event = "channel_offline",
                    reason = fault.reason.code(),
                    "offline: {fault}"
                );
            }
            State::Live if before != State::Lingering => info!(event = "channel_live", "live"),
            State::Idle => {
                self.shared.ring.clear();
                info!(event = "channel_idle", "idle");
            }
            _ => {}
        }
        if let State::Backoff { fault, .. } = &state
            && !matches!(before, State::Backoff { .. })
        {
            add(&self.shared.counters.failures[fault.reason as usize], 1);
        }
    }

    /// Ends the Source, gently where it lets us, and then everything that reads it.
    async fn close(mut self) {
        self.shared.ring.close();
        if let Some(run) = &mut self.run {
            run.cancel.cancel();
            if tokio::time::timeout(STOP_GRACE, &mut run.task)
                .await
                .is_err()
            {
                run.task.abort();
            }
        }
        locked(&self.shared.writer).begin();
        self.shared.state.send_replace(State::Idle);
    }
}

/// Resolves with the outcome of the run, panics included; never where there is none.
async fn ended(run: &mut Option<Run>) -> Result<(), Fault> {
    let Some(run) = run else {
        return pending().await;
    };
    match (&mut run.task).await {
        Ok(result) => result,
        Err(error) if error.is_panic() => {
            tracing::error!("the worker panicked; it is started anew");
            Err(Fault::new(
                Reason::Internal,
                "the worker of this camera failed and was restarted",
            ))
        }
        Err(_) => Err(Fault::new(
            Reason::Stalled,
            "the camera did not end its session in time",
        )),
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

fn unknown() -> Fault {
    Fault::new(Reason::Closed, "the camera ended the session")
}
