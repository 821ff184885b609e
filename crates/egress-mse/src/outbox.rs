//! What is due to one viewer, and the writing of it: shared slices, as many in one call as there are.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hub::{Round, Sent};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

use crate::remux::Muxed;

/// How long a viewer may take for one message.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(10);

/// The most messages of media that are taken from the ring at once: what is taken is beyond skipping.
pub(crate) const BATCH: usize = 32;

/// The most slices in one call, below any system's IOV_MAX.
const SLICES: usize = 2 * BATCH;

/// Why a message did not go out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("a message was not taken within 10 s")]
    Stalled,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One message.
#[derive(Debug)]
enum Message {
    /// One of this viewer's own, or one for all in one piece.
    Whole(Bytes),
    /// A fragment as all viewers get it.
    Shared(Arc<Muxed>),
    /// A fragment with a head of this viewer's own.
    Rebased(Bytes, Arc<Muxed>),
}

impl Message {
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Whole(bytes) => [bytes, &[]],
            Self::Shared(muxed) => [&muxed.head, &muxed.data],
            Self::Rebased(head, muxed) => [head, &muxed.data],
        }
    }

    fn len(&self) -> usize {
        self.parts().iter().map(|part| part.len()).sum()
    }
}

/// The messages that are due, bounded by what one event gives rise to: a batch of media, or a few words.
#[derive(Debug)]
pub(crate) struct Outbox {
    messages: Vec<Message>,
    /// How many of the messages went out.
    done: usize,
    /// How much of the first message that is still due was written.
    written: usize,
    /// Until when the connection has to take the message that it did not take at once.
    deadline: Option<Instant>,
    /// How many messages went out.
    pub(crate) sent: u64,
    /// Counts the bytes that went out.
    meter: Sent,
    joined: std::time::Instant,
    /// Media has gone out.
    begun: bool,
}

impl Outbox {
    /// Of a viewer who joined at `joined`; what it is sent is counted by `meter`.
    pub(crate) fn new(joined: std::time::Instant, meter: Sent) -> Self {
        Self {
            messages: Vec::new(),
            done: 0,
            written: 0,
            deadline: None,
            sent: 0,
            meter,
            joined,
            begun: false,
        }
    }

    pub(crate) fn whole(&mut self, message: Bytes) {
        self.messages.push(Message::Whole(message));
    }

    pub(crate) fn shared(&mut self, muxed: Arc<Muxed>) {
        self.messages.push(Message::Shared(muxed));
    }

    pub(crate) fn rebased(&mut self, head: Bytes, muxed: Arc<Muxed>) {
        self.messages.push(Message::Rebased(head, muxed));
    }

    /// Until when the connection has to take what it does not take now; none where it takes everything.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Writes what is due, and counts it in `round`. Pending where the connection does not take all of it now; a later
    /// call goes on.
    pub(crate) fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        io: &mut W,
        round: &mut Round<'_>,
    ) -> Poll<Result<(), WriteError>> {
        if self.messages.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.done < self.messages.len() {
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
        self.messages.clear();
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
        for part in self.messages[self.done..].iter().flat_map(Message::parts) {
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
        self.meter.add(written as u64);
        round.bytes(written as u64);
        self.written += written;
        while let Some(message) = self.messages.get(self.done)
            && self.written >= message.len()
        {
            self.written -= message.len();
            self.sent += 1;
            if let Message::Shared(muxed) | Message::Rebased(_, muxed) = message {
                round.frame(muxed.arrival, self.joined);
                if !std::mem::replace(&mut self.begun, true) {
                    round.first_frame(self.joined);
                }
            }
            self.done += 1;
            self.deadline = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use media::TrackId;
    use proptest::prelude::*;

    use super::*;
    use crate::layout::Layout;
    use crate::testing::delivery;

    /// Takes a few bytes of the slices it is given at each call.
    struct Sip {
        taken: Vec<u8>,
        sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
    }

    impl AsyncWrite for Sip {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let size = self.sizes.next().unwrap_or(1).min(all.len());
            self.taken.extend_from_slice(&all[..size]);
            Poll::Ready(Ok(size))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn muxed(head: usize, data: usize, fill: u8) -> Arc<Muxed> {
        Arc::new(Muxed {
            layout: Arc::new(Layout::new(Vec::new(), Vec::new())),
            track: TrackId(0),
            head: vec![fill; head].into(),
            data: vec![fill ^ 0xff; data].into(),
            tfdt_at: 0,
            dts: 0,
            duration: 0,
            clock: 90_000,
            arrival: std::time::Instant::now(),
        })
    }

    proptest! {
        #[test]
        fn whatever_the_socket_takes_at_once_every_byte_goes_out_in_order(
            messages in prop::collection::vec((1_usize..40, 0_usize..90), 1..100),
            sizes in prop::collection::vec(1_usize..300, 1..20),
        ) {
            let delivery = delivery();
            let mut outbox = Outbox::new(std::time::Instant::now(), Sent::default());
            let mut expected = Vec::new();
            for (n, &(head, data)) in messages.iter().enumerate() {
                let muxed = muxed(head, data, n as u8);
                expected.extend_from_slice(&muxed.head);
                expected.extend_from_slice(&muxed.data);
                outbox.shared(muxed);
            }
            let mut sip = Sip { taken: Vec::new(), sizes: sizes.into_iter().cycle() };
            let mut cx = Context::from_waker(Waker::noop());
            let flushed = outbox.poll_flush(&mut cx, &mut sip, &mut delivery.round());
            prop_assert!(matches!(flushed, Poll::Ready(Ok(()))));
            let sent = (outbox.sent, outbox.meter.bytes());
            prop_assert_eq!(sent, (messages.len() as u64, expected.len() as u64));
            let counted = delivery.read();
            prop_assert_eq!((counted.frames, counted.bytes), sent);
            prop_assert_eq!(sip.taken, expected);
        }
    }
}
