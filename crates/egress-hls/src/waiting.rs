//! Requests that wait for something that is yet to come: so many and no more.
//!
//! Thousands are released by a part, so a request has no timer of its own: the packager's task wakes all of them
//! now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use hub::Channel;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::answer::Refusal;
use crate::ask::Ask;
use crate::snapshot::{Run, Snapshot};
use crate::stage::Snapshots;
use crate::timing::Timing;

/// How long a request waits before the first part: a camera is dialled meanwhile.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// How long a request waits for what comes next, in target durations (draft-pantos-hls-rfc8216bis §6.2.5.2).
const BLOCK_FOR: i64 = 3;

#[derive(Debug)]
pub(crate) struct Waiting {
    settings: watch::Receiver<Settings>,
    now: AtomicUsize,
    /// How many were sent away since there were as many as may be already.
    refused: AtomicU64,
    stop: CancellationToken,
}

/// Somebody waits while this is held.
struct Place<'a>(&'a Waiting);

impl Waiting {
    pub(crate) fn new(settings: watch::Receiver<Settings>, stop: CancellationToken) -> Self {
        Self {
            settings,
            now: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            stop,
        }
    }

    /// What `look` finds, as soon as it finds anything, and of which run of the packager. It is to find something as soon as there is
    /// what `ask` wants.
    pub(crate) async fn wait<T>(
        &self,
        snapshots: Snapshots,
        channel: &Channel,
        ask: Ask,
        look: impl Fn(&Snapshot) -> Option<Result<T, Refusal>>,
    ) -> Result<(T, Arc<Run>), Refusal> {
        let look = |snapshot: &Snapshot| {
            let found = look(snapshot)?;
            Some(found.map(|found| (found, Arc::clone(&snapshot.run))))
        };
        let now = snapshots.now();
        if let Some(found) = now.as_deref().and_then(look) {
            return found;
        }
        let _place = self.enter()?;
        let least = if now.is_none() {
            FIRST_WAIT
        } else {
            Duration::ZERO
        };
        let began = Instant::now();
        loop {
            let told = snapshots.wishes.of(ask);
            let now = snapshots.now();
            if let Some(found) = now.as_deref().and_then(look) {
                return found;
            }
            if !snapshots.go_on() {
                break;
            }
            let limit = now.map_or(Duration::ZERO, |now| block_for(now.timing));
            if began.elapsed() >= limit.max(least) {
                return Err(late(channel));
            }
            told.await;
        }
        let why = if self.stop.is_cancelled() {
            "the server shuts down"
        } else {
            "the stream has ended"
        };
        Err(Refusal::Late(why.to_owned()))
    }

    /// Waits for the next part where that is soon, so that what is taken from `snapshots` then is new.
    ///
    /// Players begin so far behind the end of their first playlist as it says, and stay there: hls.js (1.7) never makes up for
    /// the time since its newest part came.
    pub(crate) async fn renew(&self, snapshots: &mut Snapshots) {
        let now = snapshots.newest.borrow_and_update().clone();
        let within = now.and_then(|now| now.next_within());
        if let (Some(within), Some(_place)) = (within, self.place()) {
            let _ = timeout(within, snapshots.newest.changed()).await;
        }
    }

    fn place(&self) -> Option<Place<'_>> {
        let before = self.now.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        let max = self.settings.borrow().max_blocked;
        (before < max).then_some(place)
    }

    fn enter(&self) -> Result<Place<'_>, Refusal> {
        if let Some(place) = self.place() {
            return Ok(place);
        }
        let refused = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if refused.is_power_of_two() {
            let max = self.settings.borrow().max_blocked;
            tracing::warn!(max, refused, "too many requests wait; some are sent away");
        }
        Err(Refusal::Full)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How long a request waits where parts and segments are as long as that.
fn block_for(timing: Timing) -> Duration {
    Duration::from_nanos(u64::try_from(BLOCK_FOR * timing.target).unwrap_or(0))
}

/// Why nothing came, as far as the camera's state tells.
fn late(channel: &Channel) -> Refusal {
    let state = channel.state().borrow().clone();
    Refusal::Late(match state.fault() {
        Some(fault) => format!("the camera is offline: {}", fault.message),
        None => "the camera sent nothing in time".to_owned(),
    })
}
