//! Who writes to viewers: a few tasks per Channel, each of which serves its share of them in one loop, as those of the MSE
//! egress do (decision 5).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use hub::Delivery;
use hub::ring::Ring;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, unconstrained, yield_now};
use tracing::{Instrument as _, Span, error};

use crate::desk::Seat;
use crate::unit::Unit;

/// How many viewers a shard has before another one is opened, while there are cores for it.
const FULL: usize = 64;
/// How many viewers are served before other tasks have their turn: a fraction of a millisecond.
const TURN: usize = 32;

#[derive(Debug, Default)]
struct Seats {
    taken: Mutex<Vec<Weak<dyn Seat>>>,
    wake: Notify,
}

/// The shards of one Channel; they end with this.
#[derive(Debug)]
pub(crate) struct Shards {
    ring: Ring<Arc<Unit>>,
    delivery: Arc<Delivery>,
    open: Mutex<Vec<Shard>>,
}

#[derive(Debug)]
struct Shard {
    seats: Arc<Seats>,
    task: AbortHandle,
}

impl Shards {
    /// What they write is counted in `delivery`.
    pub(crate) fn new(ring: Ring<Arc<Unit>>, delivery: Arc<Delivery>) -> Self {
        Self {
            ring,
            delivery,
            open: Mutex::default(),
        }
    }

    /// Serves `seat` from now on, for as long as it is there. Needs a tokio runtime.
    pub(crate) fn seat(&self, seat: Weak<dyn Seat>) {
        let mut shards = locked(&self.open);
        let sizes = shards.iter().map(|shard| locked(&shard.seats.taken).len());
        let emptiest = sizes.enumerate().min_by_key(|(_, size)| *size);
        let cores = Handle::current().metrics().num_workers();
        let shard = match emptiest {
            Some((n, size)) if size < FULL || shards.len() >= cores => &shards[n],
            _ => {
                shards.push(Shard::start(self.ring.clone(), Arc::clone(&self.delivery)));
                &shards[shards.len() - 1]
            }
        };
        locked(&shard.seats.taken).push(seat);
        shard.seats.wake.notify_one();
    }

    /// Has all viewers served.
    pub(crate) fn wake(&self) {
        for shard in &*locked(&self.open) {
            shard.seats.wake.notify_one();
        }
    }
}

impl Shard {
    fn start(ring: Ring<Arc<Unit>>, delivery: Arc<Delivery>) -> Self {
        let seats = Arc::<Seats>::default();
        let task = unconstrained(run(ring, delivery, Arc::clone(&seats)));
        Self {
            seats,
            task: tokio::spawn(task.instrument(Span::current())).abort_handle(),
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(ring: Ring<Arc<Unit>>, delivery: Arc<Delivery>, seats: Arc<Seats>) {
    let (mut seen, mut due) = (0, None);
    loop {
        let open = tokio::select! {
            open = ring.pushed(&mut seen) => open,
            () = seats.wake.notified() => true,
            () = at(due) => true,
        };
        due = serve(&seats, &delivery).await;
        if !open {
            // The end of the ring was told to viewers just now; nobody comes after it.
            return;
        }
    }
}

/// Serves everybody once. Answers when somebody is to be served again, where that is soon.
async fn serve(seats: &Seats, delivery: &Delivery) -> Option<Instant> {
    let present = std::mem::take(&mut *locked(&seats.taken));
    let mut staying = Vec::with_capacity(present.len());
    let mut round = delivery.round();
    let mut due: Option<Instant> = None;
    for weak in present {
        let Some(seat) = weak.upgrade() else {
            continue;
        };
        let Ok(next) = catch_unwind(AssertUnwindSafe(|| seat.serve(&mut round))) else {
            error!("serving a viewer panicked; it is sent away");
            seat.give_up();
            continue;
        };
        due = [due, next].into_iter().flatten().min();
        staying.push(weak);
        if staying.len().is_multiple_of(TURN) {
            yield_now().await;
            round.look();
        }
    }
    locked(&seats.taken).append(&mut staying);
    due
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole at any moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hub::{RingBounds, Round, Timings};

    use super::*;

    /// Counts how often it was served and given up.
    #[derive(Debug, Default)]
    struct Counts {
        panics: bool,
        served: AtomicUsize,
        given_up: AtomicUsize,
    }

    impl Seat for Counts {
        fn serve(&self, _: &mut Round<'_>) -> Option<Instant> {
            self.served.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics, "as the test wants it");
            None
        }

        fn give_up(&self) {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn weak(seat: &Arc<Counts>) -> Weak<dyn Seat> {
        let seat: Weak<Counts> = Arc::downgrade(seat);
        seat
    }

    #[tokio::test]
    async fn a_panic_in_one_viewers_service_costs_no_other_viewer_anything() {
        let good = Arc::new(Counts::default());
        let bad = Arc::new(Counts {
            panics: true,
            ..Counts::default()
        });
        let seats = Seats::default();
        locked(&seats.taken).extend([weak(&bad), weak(&good)]);
        let _ = Timings::default();
        let delivery = Delivery::default();
        serve(&seats, &delivery).await;
        serve(&seats, &delivery).await;
        let of = |seat: &Counts| {
            (
                seat.served.load(Ordering::Relaxed),
                seat.given_up.load(Ordering::Relaxed),
            )
        };
        assert_eq!((of(&bad), of(&good)), ((1, 1), (2, 0)));
    }

    #[tokio::test]
    async fn the_end_of_the_ring_is_served_to_all() {
        let ring = Ring::new(RingBounds::default());
        let shards = Shards::new(ring.clone(), Arc::default());
        let seats: Vec<_> = (0..3 * FULL).map(|_| Arc::new(Counts::default())).collect();
        for seat in &seats {
            shards.seat(weak(seat));
        }
        ring.close();
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(
            seats
                .iter()
                .all(|seat| seat.served.load(Ordering::Relaxed) >= 1)
        );
    }
}
