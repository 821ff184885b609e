//! What a viewer's task and its shard share: the connection, the viewer's place in the ring, and what is due.
//!
//! A viewer that keeps up is written to by its shard, in one loop with the others; its own task sleeps but for
//! pings and words. Where the connection does not take all at once, the task takes over until it did.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::BytesMut;
use hub::ring::{Event, Reader};
use hub::{Delivery, Round};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;
use tokio_util::io::poll_read_buf;

use crate::outbox::{BATCH, Outbox, WriteError};
use crate::remux::Muxed;
use crate::session::{Close, Session};

/// How much is read at once. Clients send a hello, pongs, and nothing else.
const READ: usize = 512;

/// Why a viewer can't go on.
#[derive(Debug)]
pub(crate) enum Halt {
    /// Its connection broke or ended.
    Left,
    /// It is to be sent away.
    Close(Close),
    /// There is no more media; the stage knows why.
    NoMore,
}

impl From<Close> for Halt {
    fn from(close: Close) -> Self {
        Self::Close(close)
    }
}

impl From<WriteError> for Halt {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stalled => Close::new(Close::STALLED, error.to_string()).into(),
            WriteError::Io(_) => Self::Left,
        }
    }
}

/// What a viewer's task is told of its connection.
#[derive(Debug)]
pub(crate) enum Told {
    /// It does not take all that is due, and has until this moment to take the next message.
    Blocked(Instant),
    /// It took everything after it had been blocked for so long.
    Free(Duration),
    /// There is input.
    Input,
}

/// One viewer, as its shard sees it.
pub(crate) trait Seat: fmt::Debug + Send + Sync {
    /// Writes what the ring has, if this viewer keeps up. Never waits.
    fn serve(&self, round: &mut Round<'_>);

    /// Ends the viewer, whose service met a defect.
    fn give_up(&self);
}

/// See above.
#[derive(Debug)]
pub(crate) struct Shared<S>(Mutex<Desk<S>>);

#[derive(Debug)]
pub(crate) struct Desk<S> {
    io: S,
    delivery: Arc<Delivery>,
    pub(crate) session: Session,
    pub(crate) outbox: Outbox,
    /// The viewer's place, once media may flow.
    pub(crate) media: Option<Reader<Arc<Muxed>>>,
    batch: Vec<Arc<Muxed>>,
    /// The shard may write: everything that was due went out.
    idle: bool,
    /// Since when the connection has been blocked, and whether the task was told.
    blocked: Option<(Instant, bool)>,
    halt: Option<Halt>,
    task: Option<Waker>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    pub(crate) fn new(io: S, session: Session, outbox: Outbox, delivery: Arc<Delivery>) -> Self {
        Self(Mutex::new(Desk {
            io,
            delivery,
            session,
            outbox,
            media: None,
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
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(halt)) => return Poll::Ready(Err(halt)),
            Poll::Pending => return desk.tell_blocked(),
        }
        if let Some((since, _)) = desk.blocked.take() {
            return Poll::Ready(Ok(Told::Free(since.elapsed())));
        }
        desk.idle = true;
        inbox.reserve(READ);
        match ready!(poll_read_buf(Pin::new(&mut desk.io), cx, inbox)) {
            Ok(1..) => Poll::Ready(Ok(Told::Input)),
            Ok(0) | Err(_) => Poll::Ready(Err(Halt::Left)),
        }
    }

    /// Takes the connection from the shard, with what was to go out on it.
    pub(crate) fn part(&self) -> MutexGuard<'_, Desk<S>> {
        let mut desk = self.desk();
        desk.idle = false;
        desk.media = None;
        desk
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Desk<S> {
    /// Writes all that is due and all that the ring has. Pending where the connection is blocked.
    fn pump(&mut self, cx: &mut Context<'_>, round: &mut Round<'_>) -> Poll<Result<(), Halt>> {
        loop {
            ready!(self.outbox.poll_flush(cx, &mut self.io, round))?;
            let Some(event) = self.media.as_mut().and_then(Reader::try_next) else {
                return Poll::Ready(Ok(()));
            };
            self.take(event)?;
        }
    }

    fn take(&mut self, event: Event<Arc<Muxed>>) -> Result<(), Halt> {
        match event {
            Event::Item(muxed) => {
                self.session.media(muxed, &mut self.outbox)?;
                // Whoever is behind catches up with few calls.
                if let Some(reader) = &mut self.media {
                    reader.try_batch(&mut self.batch, BATCH - 1);
                }
                for muxed in self.batch.drain(..) {
                    self.session.media(muxed, &mut self.outbox)?;
                }
            }
            Event::Skipped(frames) => self.session.skip(frames, &mut self.outbox),
            Event::Closed => return Err(Halt::NoMore),
        }
        Ok(())
    }

    fn tell_blocked(&mut self) -> Poll<Result<Told, Halt>> {
        let (_, told) = self.blocked.get_or_insert_with(|| (Instant::now(), false));
        match (self.outbox.deadline(), std::mem::replace(told, true)) {
            (Some(deadline), false) => Poll::Ready(Ok(Told::Blocked(deadline))),
            _ => Poll::Pending,
        }
    }

    /// Writes what is due.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        let mut round = self.delivery.round();
        self.outbox.poll_flush(cx, &mut self.io, &mut round)
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
    fn serve(&self, round: &mut Round<'_>) {
        let mut desk = self.desk();
        if !desk.idle {
            return;
        }
        // Nobody is to be woken: the task polls the connection itself as soon as it is handed over.
        match desk.pump(&mut Context::from_waker(Waker::noop()), round) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(halt)) => desk.hand_over(Some(halt)),
            Poll::Pending => {
                desk.blocked = Some((Instant::now(), false));
                desk.hand_over(None);
            }
        }
    }

    fn give_up(&self) {
        let defect = Close::new(Close::DEFECT, "a defect of the server");
        self.desk().hand_over(Some(defect.into()));
    }
}
