//! Who sends to viewers: a few tasks per Channel, each of which serves its share of them in one loop, as those of the
//! MSE egress do (decision 5).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use hub::Delivery;
use hub::ring::Ring;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, unconstrained, yield_now};
use tracing::{Instrument as _, Span, error};

use crate::Error;
use crate::batch::Batch;
use crate::ended::Ended;
use crate::peer::Peer;
use crate::socket::Sockets;
use crate::unit::Unit;

/// How many viewers a shard has before another one is opened, while there are cores for it.
const FULL: usize = 64;
/// How many viewers' packets are written before they are sent, one send behind the other, and other tasks have their
/// turn: what writes and what sends (the kernel) each stay in the processor's caches meanwhile.
const TURN: usize = 16;
/// As soon as there is so much to send it is sent.
const LARGE: u64 = 256 << 10;

#[derive(Debug, Default)]
struct Seats {
    peers: Mutex<Vec<Weak<Peer>>>,
    taken: Notify,
}

/// The shards of one Channel; they end with this.
#[derive(Debug)]
pub(crate) struct Shards {
    /// Of pictures, of sound, and of sound that was made Opus of.
    rings: [Ring<Arc<Unit>>; 3],
    sockets: Arc<Sockets>,
    delivery: Arc<Delivery>,
    running: Mutex<Vec<Shard>>,
}

#[derive(Debug)]
struct Shard {
    seats: Arc<Seats>,
    task: AbortHandle,
}

impl Shards {
    pub(crate) fn new(
        rings: [Ring<Arc<Unit>>; 3],
        sockets: Arc<Sockets>,
        delivery: Arc<Delivery>,
    ) -> Self {
        Self {
            rings,
            sockets,
            delivery,
            running: Mutex::default(),
        }
    }

    /// Serves `peer` from now on, for as long as it is there. Needs a tokio runtime.
    pub(crate) fn seat(&self, peer: Weak<Peer>) {
        let mut shards = locked(&self.running);
        let sizes = shards.iter().map(|shard| locked(&shard.seats.peers).len());
        let emptiest = sizes.enumerate().min_by_key(|(_, size)| *size);
        let cores = Handle::current().metrics().num_workers();
        let shard = match emptiest {
            Some((n, size)) if size < FULL || shards.len() >= cores => &shards[n],
            _ => {
                shards.push(Shard::start(&self.rings, &self.sockets, &self.delivery));
                &shards[shards.len() - 1]
            }
        };
        locked(&shard.seats.peers).push(peer);
        shard.seats.taken.notify_one();
    }
}

impl Shards {
    /// Has all viewers served.
    pub(crate) fn wake(&self) {
        for shard in &*locked(&self.running) {
            shard.seats.taken.notify_one();
        }
    }
}

impl Shard {
    fn start(
        rings: &[Ring<Arc<Unit>>; 3],
        sockets: &Arc<Sockets>,
        delivery: &Arc<Delivery>,
    ) -> Self {
        let seats = Arc::<Seats>::default();
        let task = unconstrained(run(
            rings.clone(),
            Arc::clone(&seats),
            Arc::clone(sockets),
            Arc::clone(delivery),
        ));
        Self {
            task: tokio::spawn(task.instrument(Span::current())).abort_handle(),
            seats,
        }
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    [pictures, sounds, opus]: [Ring<Arc<Unit>>; 3],
    seats: Arc<Seats>,
    sockets: Arc<Sockets>,
    delivery: Arc<Delivery>,
) {
    let (mut seen, mut heard, mut made) = (0, 0, 0);
    let (mut due, mut batch) = (None, Batch::default());
    loop {
        let open = tokio::select! {
            open = pictures.pushed(&mut seen) => open,
            open = sounds.pushed(&mut heard) => open,
            open = opus.pushed(&mut made) => open,
            () = seats.taken.notified() => true,
            () = at(due) => true,
        };
        due = serve(&seats, &sockets, &delivery, &mut batch).await;
        if !open {
            // The end of the rings was told to viewers just now; nobody comes after it.
            return;
        }
    }
}

/// Serves everybody once. Answers when somebody is to be served again, where that is soon.
async fn serve(
    seats: &Seats,
    sockets: &Sockets,
    delivery: &Delivery,
    batch: &mut Batch,
) -> Option<Instant> {
    let present = std::mem::take(&mut *locked(&seats.peers));
    let mut staying = Vec::with_capacity(present.len());
    let mut due: Option<Instant> = None;
    let mut round = delivery.round();
    for weak in present {
        let Some(peer) = weak.upgrade().filter(|peer| !peer.is_over()) else {
            continue;
        };
        let (now, mark) = (Instant::now(), batch.mark());
        if let Ok(next) = catch_unwind(AssertUnwindSafe(|| peer.serve(now, batch, &mut round))) {
            due = [due, next].into_iter().flatten().min();
        } else {
            error!("serving a viewer panicked; it is sent away");
            batch.rewind(mark);
            peer.end(Ended::Broken(Error::Defect), now, batch);
        }
        staying.push(weak);
        let turn = staying.len().is_multiple_of(TURN);
        if turn || batch.bytes() >= LARGE {
            delivery.bytes(batch.bytes());
            sockets.flush(batch);
        }
        if turn {
            yield_now().await;
            round.look();
        }
    }
    delivery.bytes(batch.bytes());
    sockets.flush(batch);
    locked(&seats.peers).append(&mut staying);
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
