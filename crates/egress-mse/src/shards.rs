//! Who writes to viewers: a few tasks per Channel, each of which serves its share of them in one loop.
//!
//! A task per viewer would cost each message a wake-up, the polls of all that a viewer waits for, and a cold
//! cache: as much as a third of the write itself. A shard is woken once for all of its viewers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hub::Delivery;
use hub::ring::Ring;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, unconstrained, yield_now};
use tracing::{Instrument as _, Span, error};

use crate::remux::Muxed;
use crate::seat::Seat;

/// How many viewers a shard has before another one is opened, while there are cores for it.
const FULL: usize = 64;

/// How many viewers are served before other tasks have their turn: a fraction of a millisecond.
const TURN: usize = 32;

type Seats = Arc<Mutex<Vec<Weak<dyn Seat>>>>;

/// The shards of one Channel; they end with this.
#[derive(Debug)]
pub(crate) struct Shards {
    ring: Ring<Arc<Muxed>>,
    delivery: Arc<Delivery>,
    open: Mutex<Vec<Shard>>,
}

#[derive(Debug)]
struct Shard {
    seats: Seats,
    task: AbortHandle,
}

impl Shards {
    /// What they write is counted in `delivery`.
    pub(crate) fn new(ring: Ring<Arc<Muxed>>, delivery: Arc<Delivery>) -> Self {
        Self {
            ring,
            delivery,
            open: Mutex::default(),
        }
    }

    /// Serves `seat` from now on, for as long as it is there. Needs a tokio runtime.
    pub(crate) fn seat(&self, seat: Weak<dyn Seat>) {
        let mut shards = locked(&self.open);
        let sizes = shards.iter().map(|shard| locked(&shard.seats).len());
        let emptiest = sizes.enumerate().min_by_key(|(_, size)| *size);
        let cores = Handle::current().metrics().num_workers();
        match emptiest {
            Some((n, size)) if size < FULL || shards.len() >= cores => {
                locked(&shards[n].seats).push(seat);
            }
            _ => {
                let delivery = Arc::clone(&self.delivery);
                shards.push(Shard::start(self.ring.clone(), delivery, seat));
            }
        }
    }
}

impl Shard {
    fn start(ring: Ring<Arc<Muxed>>, delivery: Arc<Delivery>, seat: Weak<dyn Seat>) -> Self {
        let seats: Seats = Arc::new(Mutex::new(vec![seat]));
        let task = run(ring, delivery, Arc::clone(&seats));
        let task = unconstrained(task).instrument(Span::current());
        Self {
            seats,
            task: tokio::spawn(task).abort_handle(),
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(ring: Ring<Arc<Muxed>>, delivery: Arc<Delivery>, seats: Seats) {
    let mut seen = 0;
    while ring.pushed(&mut seen).await {
        serve(&seats, &delivery).await;
    }
    // The end of the ring is told to viewers too.
    serve(&seats, &delivery).await;
}

/// Serves everybody once. Who comes meanwhile is seen to by its own task.
async fn serve(seats: &Seats, delivery: &Delivery) {
    let present = std::mem::take(&mut *locked(seats));
    let mut staying = Vec::with_capacity(present.len());
    let mut round = delivery.round();
    for weak in present {
        let Some(seat) = weak.upgrade() else {
            continue;
        };
        if catch_unwind(AssertUnwindSafe(|| seat.serve(&mut round))).is_err() {
            error!("serving a viewer panicked; it is sent away");
            seat.give_up();
            continue;
        }
        staying.push(weak);
        if staying.len().is_multiple_of(TURN) {
            yield_now().await;
            round.look();
        }
    }
    locked(seats).append(&mut staying);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is in there is whole at any moment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hub::{RingBounds, Round};

    use super::*;
    use crate::testing::delivery;

    /// Counts how often it was served and given up.
    #[derive(Debug, Default)]
    struct Counts {
        panics: bool,
        served: AtomicUsize,
        given_up: AtomicUsize,
    }

    impl Seat for Counts {
        fn serve(&self, _: &mut Round<'_>) {
            self.served.fetch_add(1, Ordering::Relaxed);
            assert!(!self.panics, "as the test wants it");
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

    fn weak(seat: &Arc<Counts>) -> Weak<dyn Seat> {
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
        let seats: Seats = Arc::new(Mutex::new(vec![weak(&bad), weak(&good)]));
        serve(&seats, &delivery()).await;
        serve(&seats, &delivery()).await;
        assert_eq!(bad.both(), (1, 1));
        assert_eq!(good.both(), (2, 0));
    }

    #[tokio::test]
    async fn who_left_is_forgotten() {
        let (stays, leaves) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
        let seats: Seats = Arc::new(Mutex::new(vec![weak(&leaves), weak(&stays)]));
        drop(leaves);
        serve(&seats, &delivery()).await;
        assert_eq!(locked(&seats).len(), 1);
        assert_eq!(stays.both(), (1, 0));
    }

    #[tokio::test]
    async fn the_end_of_the_ring_is_served_to_all() {
        let ring = Ring::new(RingBounds::default());
        let shards = Shards::new(ring.clone(), delivery());
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
        let shards = Shards::new(Ring::new(RingBounds::default()), delivery());
        let seats: Vec<_> = (0..5 * FULL).map(|_| Arc::new(Counts::default())).collect();
        let sizes = |shards: &Shards| -> Vec<usize> {
            let shards = locked(&shards.open);
            shards.iter().map(|s| locked(&s.seats).len()).collect()
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
