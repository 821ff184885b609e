//! Who writes to viewers: a few tasks per Channel, each of which serves its share of them in one loop (decision 5).
//!
//! A task per viewer would cost each item a wake-up, the polls of all that a viewer waits for, and a cold cache: as much
//! as a third of the write itself. A shard is woken once for all of its viewers.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use hub::ring::Ring;
use hub::{Delivery, Round};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, unconstrained, yield_now};
use tracing::{Instrument as _, Span, error};

/// How many viewers a shard has before another one is opened, while there are cores for it.
const FULL: usize = 64;
/// How many viewers are served before other tasks have their turn: a fraction of a millisecond.
const TURN: usize = 32;

/// One viewer, as its shard sees it.
pub(crate) trait Serve: fmt::Debug + Send + Sync {
    /// Sends what the ring has, if this viewer keeps up. Never waits. Answers when there is more to send, where that is not
    /// when the ring has more.
    fn serve(&self, round: &mut Round<'_>) -> Option<Instant>;

    /// Ends the viewer, whose service met a defect.
    fn give_up(&self);
}

#[derive(Debug, Default)]
struct Seats {
    taken: Mutex<Vec<Weak<dyn Serve>>>,
    wake: Notify,
}

/// The shards of one Channel; they end with this.
#[derive(Debug)]
pub(crate) struct Shards<T> {
    ring: Ring<Arc<T>>,
    delivery: Arc<Delivery>,
    open: Mutex<Vec<Shard>>,
}

#[derive(Debug)]
struct Shard {
    seats: Arc<Seats>,
    task: AbortHandle,
}

impl<T: Send + Sync + 'static> Shards<T> {
    /// What they write is counted in `delivery`.
    pub(crate) fn new(ring: Ring<Arc<T>>, delivery: Arc<Delivery>) -> Self {
        Self {
            ring,
            delivery,
            open: Mutex::default(),
        }
    }

    /// Serves `seat` from the ring's next item on, for as long as it is there. Needs a tokio runtime.
    pub(crate) fn seat(&self, seat: Weak<dyn Serve>) {
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
    }

    /// Has all viewers served.
    pub(crate) fn wake(&self) {
        for shard in &*locked(&self.open) {
            shard.seats.wake.notify_one();
        }
    }
}

impl Shard {
    fn start<T: Send + Sync + 'static>(ring: Ring<Arc<T>>, delivery: Arc<Delivery>) -> Self {
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

async fn run<T>(ring: Ring<Arc<T>>, delivery: Arc<Delivery>, seats: Arc<Seats>) {
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

/// Serves everybody once. Who comes meanwhile is seen to by its own task. Answers when somebody is to be served again, where that is soon.
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

    use hub::RingBounds;

    use super::*;

    /// Counts how often it was served and given up.
    #[derive(Debug, Default)]
    struct Counts {
        panics: bool,
        again: Option<Instant>,
        served: AtomicUsize,
        given_up: AtomicUsize,
    }

    impl Serve for Counts {
        fn serve(&self, _: &mut Round<'_>) -> Option<Instant> {
            self.served.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics, "as the test wants it");
            self.again
        }

        fn give_up(&self) {
            self.given_up.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Counts {
        fn both(&self) -> (usize, usize) {
            let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
            (of(&self.served), of(&self.given_up))
        }
    }

    fn seats(all: [&Arc<Counts>; 2]) -> Seats {
        let seats = Seats::default();
        locked(&seats.taken).extend(all.map(weak));
        seats
    }

    fn weak(seat: &Arc<Counts>) -> Weak<dyn Serve> {
        let seat: Weak<Counts> = Arc::downgrade(seat);
        seat
    }

    #[tokio::test]
    async fn a_panic_in_one_viewers_service_costs_no_other_viewer_anything() {
        let (good, bad) = (
            Arc::new(Counts::default()),
            Arc::new(Counts {
                panics: true,
                ..Counts::default()
            }),
        );
        let seats = seats([&bad, &good]);
        serve(&seats, &Delivery::default()).await;
        serve(&seats, &Delivery::default()).await;
        assert_eq!(bad.both(), (1, 1));
        assert_eq!(good.both(), (2, 0));
    }

    #[tokio::test]
    async fn the_first_that_has_more_to_send_says_when_all_are_served_again() {
        let later = |seconds| Some(Instant::now() + std::time::Duration::from_secs(seconds));
        let dues = [later(9), later(7)];
        let both = dues.map(|again| {
            Arc::new(Counts {
                again,
                ..Counts::default()
            })
        });
        let seats = seats([&both[0], &both[1]]);
        assert_eq!(serve(&seats, &Delivery::default()).await, dues[1]);
    }

    #[tokio::test]
    async fn who_is_woken_for_is_served_before_the_ring_has_more() {
        let shards = Shards::<()>::new(Ring::new(RingBounds::default()), Arc::default());
        let seat = Arc::new(Counts::default());
        shards.seat(weak(&seat));
        yield_now().await;
        assert_eq!(seat.both(), (0, 0));
        shards.wake();
        yield_now().await;
        assert_eq!(seat.both(), (1, 0));
    }

    #[tokio::test]
    async fn who_left_is_forgotten() {
        let (stays, leaves) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
        let seats = seats([&leaves, &stays]);
        drop(leaves);
        serve(&seats, &Delivery::default()).await;
        assert_eq!(locked(&seats.taken).len(), 1);
        assert_eq!(stays.both(), (1, 0));
    }

    #[tokio::test]
    async fn the_end_of_the_ring_is_served_to_all() {
        let ring = Ring::new(RingBounds::default());
        let shards = Shards::<()>::new(ring.clone(), Arc::default());
        let seats: Vec<_> = (0..3 * FULL).map(|_| Arc::new(Counts::default())).collect();
        for seat in &seats {
            shards.seat(weak(seat));
        }
        ring.close();
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(seats.iter().all(|seat| seat.both() == (1, 0)));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn there_are_as_many_shards_as_cores_once_there_are_viewers_for_them() {
        let shards = Shards::<()>::new(Ring::new(RingBounds::default()), Arc::default());
        let seats: Vec<_> = (0..5 * FULL).map(|_| Arc::new(Counts::default())).collect();
        let sizes = |shards: &Shards<()>| -> Vec<usize> {
            let shards = locked(&shards.open);
            shards
                .iter()
                .map(|s| locked(&s.seats.taken).len())
                .collect()
        };
        for seat in &seats[..FULL] {
            shards.seat(weak(seat));
        }
        assert_eq!(sizes(&shards), [FULL]);
        for seat in &seats[FULL..] {
            shards.seat(weak(seat));
        }
        assert_eq!(sizes(&shards), [5 * FULL / 2, 5 * FULL / 2]);
    }
}
