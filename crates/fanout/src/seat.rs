//! What a viewer's task and its shard share: the connection, the viewer's place in the ring, and what is due.
//!
//! A viewer that keeps up is written to by its shard, in one loop with the others; its own task sleeps but for what
//! the viewer says. Where the connection does not take all at once, the task takes over until it did.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use std::time::Instant as Moment;

use bytes::BytesMut;
use hub::{Delivery, Round};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use crate::outbox::{Meter, Outbox, Parcel, WriteError};
use crate::shards::Serve;

/// The most items that [`Fill::fill`] should take from the ring at once: what is taken is beyond skipping.
pub const BATCH: usize = 32;

/// How much is read at once of what nobody looks at.
const SKIM: usize = 512;

/// What one viewer gets: its place in the ring, and what becomes of an item for it.
pub trait Fill: fmt::Debug + Send {
    /// What goes out.
    type Parcel: Parcel;
    /// Why a viewer can't be given what comes next.
    type Misfit: fmt::Debug + Send;
    /// How much is read at once of what viewers say, in bytes.
    const READ: usize;

    /// Puts what comes next into `outbox`, [`BATCH`] items of the ring at most. Whatever was put there before has gone
    /// out. Never waits.
    ///
    /// # Errors
    /// Why nothing can follow.
    fn fill(
        &mut self,
        outbox: &mut Outbox<Self::Parcel>,
        round: &mut Round<'_>,
    ) -> Result<Filled, Halt<Self::Misfit>>;
}

/// What became of [`Fill::fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// There may be more.
    More,
    /// It was all that the ring had.
    All,
    /// There is nothing more before the ring has more.
    Nothing,
    /// There is more at this moment.
    At(Moment),
}

/// Why a viewer can't go on; `M` is the protocol's own reason.
#[derive(Debug)]
pub enum Halt<M> {
    /// Its connection broke or ended.
    Left,
    /// It does not take what is due.
    Stalled,
    /// What comes next is not for it.
    Misfit(M),
    /// There is no more media; the stage knows why.
    NoMore,
    /// A defect of ours.
    Defect,
}

impl<M> From<WriteError> for Halt<M> {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stalled => Self::Stalled,
            WriteError::Io(_) => Self::Left,
        }
    }
}

/// What a viewer's task is told of its connection.
#[derive(Debug)]
pub enum Told {
    /// It does not take all that is due, and has until this moment to take more.
    Blocked(Instant),
    /// It took everything after it had been blocked for so long.
    Free(Duration),
    /// There is input.
    Input,
}

/// One viewer on its connection, for its task and its shard.
#[derive(Debug)]
pub struct Seat<S, F: Fill>(Mutex<Desk<S, F>>);

/// What only one of them may touch at a time.
#[derive(Debug)]
pub struct Desk<S, F: Fill> {
    io: S,
    delivery: Arc<Delivery>,
    /// What the viewer gets.
    pub fill: F,
    /// What is due. What is put here goes out with the task's next poll.
    pub outbox: Outbox<F::Parcel>,
    /// The shard may write: everything that was due went out.
    idle: bool,
    /// Since when the connection has been blocked, and whether the task was told.
    blocked: Option<(Instant, bool)>,
    halt: Option<Halt<F::Misfit>>,
    task: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, F: Fill> Seat<S, F> {
    /// A viewer that nobody counts yet.
    pub fn new(io: S, fill: F) -> Self {
        Self(Mutex::new(Desk {
            io,
            delivery: Arc::default(),
            fill,
            outbox: Outbox::default(),
            idle: false,
            blocked: None,
            halt: None,
            task: None,
        }))
    }

    /// Looks at the desk.
    pub fn desk(&self) -> MutexGuard<'_, Desk<S, F>> {
        // Whoever panicked here left its viewer to `give_up`.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with writing and, while nothing is due, with reading into `inbox`. For the viewer's task.
    ///
    /// # Errors
    /// Why the viewer can't go on.
    pub fn poll(
        &self,
        cx: &mut Context<'_>,
        inbox: &mut BytesMut,
    ) -> Poll<Result<Told, Halt<F::Misfit>>> {
        let desk = &mut *self.desk();
        match &mut desk.task {
            Some(waker) => waker.clone_from(cx.waker()),
            None => desk.task = Some(cx.waker().clone()),
        }
        desk.idle = false;
        if let Some(halt) = desk.halt.take() {
            return Poll::Ready(Err(halt));
        }
        let delivery = Arc::clone(&desk.delivery);
        match desk.pump(cx, &mut delivery.round()) {
            Poll::Ready(Ok(_)) => {}
            Poll::Ready(Err(halt)) => return Poll::Ready(Err(halt)),
            Poll::Pending => return desk.tell_blocked(),
        }
        if let Some((since, _)) = desk.blocked.take() {
            return Poll::Ready(Ok(Told::Free(since.elapsed())));
        }
        desk.idle = true;
        inbox.reserve(F::READ);
        match ready!(poll_read_buf(Pin::new(&mut desk.io), cx, inbox)) {
            Ok(1..) => Poll::Ready(Ok(Told::Input)),
            Ok(0) | Err(_) => Poll::Ready(Err(Halt::Left)),
        }
    }

    /// Takes the connection from the shard, with what was to go out on it.
    pub fn part(&self) -> MutexGuard<'_, Desk<S, F>> {
        let mut desk = self.desk();
        desk.idle = false;
        desk
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, F: Fill> Desk<S, F> {
    /// Counts what goes out from now on.
    pub fn count(&mut self, delivery: Arc<Delivery>, meter: Meter) {
        self.delivery = delivery;
        self.outbox.meter = Some(meter);
    }

    /// Writes all that is due and all that the ring has. Pending where the connection is blocked; answers when there is more
    /// to send, where that is not when the ring has more.
    fn pump(
        &mut self,
        cx: &mut Context<'_>,
        round: &mut Round<'_>,
    ) -> Poll<Result<Option<Moment>, Halt<F::Misfit>>> {
        loop {
            ready!(self.outbox.poll_flush(cx, &mut self.io, round))?;
            match self.fill.fill(&mut self.outbox, round)? {
                Filled::More => {}
                // What the ring got meanwhile, its shard is woken for.
                Filled::All => {
                    ready!(self.outbox.poll_flush(cx, &mut self.io, round))?;
                    return Poll::Ready(Ok(None));
                }
                Filled::Nothing => return Poll::Ready(Ok(None)),
                Filled::At(again) => return Poll::Ready(Ok(Some(again))),
            }
        }
    }

    fn tell_blocked(&mut self) -> Poll<Result<Told, Halt<F::Misfit>>> {
        let (_, told) = self.blocked.get_or_insert_with(|| (Instant::now(), false));
        match (self.outbox.deadline(), std::mem::replace(told, true)) {
            (Some(deadline), false) => Poll::Ready(Ok(Told::Blocked(deadline))),
            _ => Poll::Pending,
        }
    }

    /// Writes what is due, and nothing of the ring.
    ///
    /// # Errors
    /// Why it can't be written.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let mut round = self.delivery.round();
        self.outbox.poll_flush(cx, &mut self.io, &mut round)
    }

    /// Ends the writing side.
    ///
    /// # Errors
    /// The connection's.
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Reads what nobody looks at; ready at the end of it.
    pub fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut nowhere = [0; SKIM];
        loop {
            let mut rest = ReadBuf::new(&mut nowhere);
            let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut rest));
            if read.is_err() || rest.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Hands over to the viewer's task.
    fn hand_over(&mut self, halt: Option<Halt<F::Misfit>>) {
        self.idle = false;
        self.halt = halt;
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }
}

impl<S, F> Serve for Seat<S, F>
where
    S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send,
    F: Fill,
{
    fn serve(&self, round: &mut Round<'_>) -> Option<Moment> {
        let mut desk = self.desk();
        if !desk.idle {
            return None;
        }
        // Nobody is to be woken: the task polls the connection itself as soon as it is handed over.
        match desk.pump(&mut Context::from_waker(Waker::noop()), round) {
            Poll::Ready(Ok(again)) => return again,
            Poll::Ready(Err(halt)) => desk.hand_over(Some(halt)),
            Poll::Pending => {
                desk.blocked = Some((Instant::now(), false));
                desk.hand_over(None);
            }
        }
        None
    }

    fn give_up(&self) {
        self.desk().hand_over(Some(Halt::Defect));
    }
}
