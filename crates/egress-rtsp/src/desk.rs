//! What a viewer's task and its shard share: the connection, the viewer's place in the ring, and what is due.
//!
//! A viewer that keeps up is written to by its shard, in one loop with the others; its own task sleeps but for requests.
//! Where the connection does not take all at once, the task takes over until it did.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant as Moment;

use bytes::BytesMut;
use hub::ring::Event;
use hub::{Delivery, Round};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use crate::outbox::{BATCH, Outbox, WriteError};
use crate::play::{Changed, Play};
use crate::unit::Unit;

/// How much is read at once: a request, or some reports.
const READ: usize = 2048;

/// Why a connection can't go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// It broke or ended.
    Left,
    /// It does not take what is due.
    Stalled,
    /// The camera sends something else now than was described.
    Changed,
    /// There is no more media; the stage knows why.
    NoMore,
    /// A defect of ours.
    Defect,
}

impl From<WriteError> for Halt {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stalled => Self::Stalled,
            WriteError::Io(_) => Self::Left,
        }
    }
}

impl From<Changed> for Halt {
    fn from(_: Changed) -> Self {
        Self::Changed
    }
}

/// What a task is told of its connection.
#[derive(Debug)]
pub(crate) enum Told {
    /// It does not take all that is due, and has until this moment to take more.
    Blocked(Instant),
    /// It took everything after it had been blocked.
    Free,
    /// There is input.
    Input,
}

/// One viewer, as its shard sees it.
pub(crate) trait Seat: fmt::Debug + Send + Sync {
    /// Sends what the ring has, if this viewer keeps up. Never waits. Answers when there is more to send, where that is not
    /// when the ring has more.
    fn serve(&self, round: &mut Round<'_>) -> Option<Moment>;

    /// Ends the viewer, whose service met a defect.
    fn give_up(&self);
}

/// See above.
#[derive(Debug)]
pub(crate) struct Shared<S>(Mutex<Desk<S>>);

#[derive(Debug)]
pub(crate) struct Desk<S> {
    io: S,
    /// Where is counted what goes out.
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) outbox: Outbox,
    /// What is sent, while something is.
    pub(crate) play: Option<Play>,
    batch: Vec<Arc<Unit>>,
    /// The shard may write: everything that was due went out.
    idle: bool,
    /// The connection is blocked; whether the task was told.
    blocked: Option<bool>,
    halt: Option<Halt>,
    task: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(crate) fn new(io: S) -> Self {
        Self(Mutex::new(Desk {
            io,
            delivery: Arc::default(),
            outbox: Outbox::default(),
            play: None,
            batch: Vec::new(),
            idle: false,
            blocked: None,
            halt: None,
            task: None,
        }))
    }

    /// Looks at the desk. What is put into its outbox goes out with the task's next poll.
    pub(crate) fn desk(&self) -> MutexGuard<'_, Desk<S>> {
        // Whoever panicked here left its viewer to `give_up`.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with writing and, while nothing is due, with reading into `inbox`. For the viewer's task.
    pub(crate) fn poll(
        &self,
        cx: &mut Context<'_>,
        inbox: &mut BytesMut,
    ) -> Poll<Result<Told, Halt>> {
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
        if desk.blocked.take().is_some() {
            return Poll::Ready(Ok(Told::Free));
        }
        desk.idle = true;
        inbox.reserve(READ);
        match ready!(poll_read_buf(Pin::new(&mut desk.io), cx, inbox)) {
            Ok(1..) => Poll::Ready(Ok(Told::Input)),
            Ok(0) | Err(_) => Poll::Ready(Err(Halt::Left)),
        }
    }

    /// Takes the connection from the shard; what was not begun to be sent is forgotten.
    pub(crate) fn part(&self) -> MutexGuard<'_, Desk<S>> {
        let mut desk = self.desk();
        desk.idle = false;
        desk.play = None;
        desk
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Desk<S> {
    /// Sends all that is due and all that the ring has. Pending where the connection is blocked; answers when to go on with
    /// datagrams where they wait for their time.
    fn pump(
        &mut self,
        cx: &mut Context<'_>,
        round: &mut Round<'_>,
    ) -> Poll<Result<Option<Moment>, Halt>> {
        loop {
            ready!(self.outbox.poll_flush(cx, &mut self.io, round))?;
            let Some(play) = &mut self.play else {
                return Poll::Ready(Ok(None));
            };
            let now = play.needs_time().then(Moment::now);
            if let Some(now) = now
                && let Err(again) = play.send_datagrams(now, &mut self.outbox, round)
            {
                return Poll::Ready(Ok(Some(again)));
            }
            match play.reader.try_next() {
                Some(Event::Item(unit)) => self.take(&unit)?,
                // What is missing, the numbers of the packets tell.
                Some(Event::Skipped(_)) => {}
                Some(Event::Closed) => return Poll::Ready(Err(Halt::NoMore)),
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn take(&mut self, unit: &Arc<Unit>) -> Result<(), Changed> {
        let Some(play) = &mut self.play else {
            return Ok(());
        };
        play.take(unit, &mut self.outbox)?;
        if play.needs_time() {
            return Ok(());
        }
        // Whoever is behind catches up with few calls.
        play.reader.try_batch(&mut self.batch, BATCH - 1);
        for unit in self.batch.drain(..) {
            play.take(&unit, &mut self.outbox)?;
        }
        Ok(())
    }

    /// Sends `first`, and what follows it from then on.
    pub(crate) fn begin(&mut self, play: Play, first: Option<&Arc<Unit>>) -> Result<(), Changed> {
        let play = self.play.insert(play);
        if let Some(unit) = first {
            play.report(unit, &mut self.outbox);
            play.take(unit, &mut self.outbox)?;
        }
        Ok(())
    }

    fn tell_blocked(&mut self) -> Poll<Result<Told, Halt>> {
        let told = self.blocked.replace(true).unwrap_or(false);
        match (self.outbox.deadline(), told) {
            (Some(deadline), false) => Poll::Ready(Ok(Told::Blocked(deadline))),
            _ => Poll::Pending,
        }
    }

    /// Writes what is due.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let delivery = Arc::clone(&self.delivery);
        self.outbox
            .poll_flush(cx, &mut self.io, &mut delivery.round())
    }

    /// Ends the writing side.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    /// Reads what nobody looks at; ready at the end of it.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut nowhere = [0; READ];
        loop {
            let mut rest = ReadBuf::new(&mut nowhere);
            let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut rest));
            if read.is_err() || rest.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    }

    /// Hands over to the viewer's task.
    fn hand_over(&mut self, halt: Option<Halt>) {
        self.idle = false;
        self.halt = halt;
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }
}

impl<S> Seat for Shared<S>
where
    S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send,
{
    fn serve(&self, round: &mut Round<'_>) -> Option<Moment> {
        let mut desk = self.desk();
        if !desk.idle || desk.play.is_none() {
            return None;
        }
        // Nobody is to be woken: the task polls the connection itself as soon as it is handed over.
        match desk.pump(&mut Context::from_waker(Waker::noop()), round) {
            Poll::Ready(Ok(again)) => again,
            Poll::Ready(Err(halt)) => {
                desk.hand_over(Some(halt));
                None
            }
            Poll::Pending => {
                desk.blocked = Some(false);
                desk.hand_over(None);
                None
            }
        }
    }

    fn give_up(&self) {
        self.desk().hand_over(Some(Halt::Defect));
    }
}
