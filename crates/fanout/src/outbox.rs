//! What is due on one connection, and the writing of it: shared slices, as many in one call as there are.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hub::{Round, Sent};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// How long a viewer may take for one parcel.
pub const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// The most slices in one call, below any system's IOV_MAX.
const SLICES: usize = 64;

/// Bytes that go out as one, shared with other viewers or not.
pub trait Parcel: fmt::Debug + Send {
    /// The bytes, in two pieces, of which any may be empty.
    fn parts(&self) -> [&[u8]; 2];

    /// When the frame that it was made of had reached us; none of what is no media.
    fn arrival(&self) -> Option<std::time::Instant>;
}

/// Why something did not go out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The viewer takes nothing.
    #[error("what was due was not taken within 10 s")]
    Stalled,
    /// The connection broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whose bytes are counted, and since when they watch.
#[derive(Debug)]
pub struct Meter {
    sent: Sent,
    joined: std::time::Instant,
    /// Media has gone out.
    begun: bool,
}

impl Meter {
    /// Of a viewer who joined at `joined`; what it is sent is counted in `sent`.
    pub fn new(sent: Sent, joined: std::time::Instant) -> Self {
        Self {
            sent,
            joined,
            begun: false,
        }
    }

    /// Counts bytes that went out.
    pub fn bytes(&self, bytes: usize, round: &mut Round<'_>) {
        self.sent.add(bytes as u64);
        round.bytes(bytes as u64);
    }

    /// Counts media that went out whole, and had arrived at `arrival`.
    pub fn media(&mut self, arrival: std::time::Instant, round: &mut Round<'_>) {
        round.frame(arrival, self.joined);
        if !std::mem::replace(&mut self.begun, true) {
            round.first_frame(self.joined);
        }
    }
}

/// What is due, bounded by what one event gives rise to: a batch of media, or the answers to what was read at once.
#[derive(Debug)]
pub struct Outbox<P> {
    due: Vec<P>,
    /// How much of it went out.
    done: usize,
    /// How much of the first that is still due was written.
    written: usize,
    /// Until when the connection has to take what it did not take at once.
    deadline: Option<Instant>,
    /// Where is counted what goes out; none before anybody watches.
    pub meter: Option<Meter>,
}

impl<P> Default for Outbox<P> {
    fn default() -> Self {
        Self {
            due: Vec::new(),
            done: 0,
            written: 0,
            deadline: None,
            meter: None,
        }
    }
}

impl<P: Parcel> Outbox<P> {
    /// Puts something behind all that is due.
    pub fn push(&mut self, parcel: P) {
        self.due.push(parcel);
    }

    /// Until when the connection has to take what it does not take now; none where it takes everything.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Forgets what was not begun. What was begun has to be ended before anything else can be understood.
    pub fn clear(&mut self) {
        let midway = self.written > 0;
        let begun = self.due.drain(..).nth(self.done).filter(|_| midway);
        self.due.extend(begun);
        self.done = 0;
    }

    /// Writes what is due, and counts it in `round`. Pending where the connection does not take all of it now; a later
    /// call goes on.
    pub fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut W,
        round: &mut Round<'_>,
    ) -> Poll<Result<(), WriteError>> {
        if self.due.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.done < self.due.len() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = self.slices(&mut slices);
            match Pin::new(&mut *io).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
                }
                Poll::Ready(Ok(written)) => self.advance(written, round),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => return self.blocked(),
            }
        }
        match Pin::new(io).poll_flush(cx) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
            Poll::Pending => return self.blocked(),
        }
        self.due.clear();
        self.done = 0;
        self.deadline = None;
        Poll::Ready(Ok(()))
    }

    fn blocked(&mut self) -> Poll<Result<(), WriteError>> {
        let now = Instant::now();
        if now < *self.deadline.get_or_insert(now + WRITE_DEADLINE) {
            return Poll::Pending;
        }
        Poll::Ready(Err(WriteError::Stalled))
    }

    /// Fills `slices` with what is due; returns how many there are.
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let mut skip = self.written;
        let mut count = 0;
        for part in self.due[self.done..].iter().flat_map(Parcel::parts) {
            let gone = skip.min(part.len());
            let part = &part[gone..];
            skip -= gone;
            if part.is_empty() {
                continue;
            }
            if count == SLICES {
                break;
            }
            slices[count] = IoSlice::new(part);
            count += 1;
        }
        count
    }

    fn advance(&mut self, written: usize, round: &mut Round<'_>) {
        if let Some(meter) = &self.meter {
            meter.bytes(written, round);
        }
        self.written += written;
        while let Some(parcel) = self.due.get(self.done) {
            let size: usize = parcel.parts().iter().map(|part| part.len()).sum();
            if self.written < size {
                break;
            }
            self.written -= size;
            if let (Some(meter), Some(arrival)) = (&mut self.meter, parcel.arrival()) {
                meter.media(arrival, round);
            }
            self.done += 1;
            self.deadline = None;
        }
    }
}

#[cfg(test)]
mod tests;
