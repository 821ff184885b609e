//! What is due on one RTSP connection, and the writing of it: shared slices, as many in one call as there are.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hub::{Round, Sent};
use tokio::io::AsyncWrite;
use tokio::time::Instant;

/// How long a viewer may take for what is due.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// The most units that are taken from the ring at once: what is taken is beyond skipping.
pub(crate) const BATCH: usize = 32;
/// The most slices in one call, below any system's IOV_MAX.
const SLICES: usize = 2 * BATCH;

/// Why something did not go out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("what was due was not taken within 10 s")]
    Stalled,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Bytes that go out as one.
#[derive(Debug)]
struct Due {
    bytes: Bytes,
    /// A unit of media: when it arrived.
    arrival: Option<std::time::Instant>,
}

/// Whose bytes are counted, and since when they watch.
#[derive(Debug)]
pub(crate) struct Meter {
    sent: Sent,
    joined: std::time::Instant,
    /// Media has gone out.
    begun: bool,
}

impl Meter {
    pub(crate) fn new(sent: Sent, joined: std::time::Instant) -> Self {
        Self {
            sent,
            joined,
            begun: false,
        }
    }

    /// Counts bytes that went out.
    pub(crate) fn bytes(&self, bytes: usize, round: &mut Round<'_>) {
        self.sent.add(bytes as u64);
        round.bytes(bytes as u64);
    }

    /// Counts a unit of media that went out whole.
    pub(crate) fn unit(&mut self, arrival: std::time::Instant, round: &mut Round<'_>) {
        round.frame(arrival, self.joined);
        if !std::mem::replace(&mut self.begun, true) {
            round.first_frame(self.joined);
        }
    }
}

/// What is due, bounded by what one event gives rise to: a batch of media, or the answers to what was read at once.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    due: Vec<Due>,
    /// How much of it went out.
    done: usize,
    /// How much of the first that is still due was written.
    written: usize,
    /// Until when the connection has to take what it did not take at once.
    deadline: Option<Instant>,
    /// None before anybody watches.
    pub(crate) meter: Option<Meter>,
}

impl Outbox {
    /// Words, or a report.
    pub(crate) fn words(&mut self, bytes: Bytes) {
        let arrival = None;
        self.due.push(Due { bytes, arrival });
    }

    /// A unit that arrived at `arrival`.
    pub(crate) fn unit(&mut self, bytes: Bytes, arrival: std::time::Instant) {
        let arrival = Some(arrival);
        self.due.push(Due { bytes, arrival });
    }

    /// Until when the connection has to take what it does not take now; none where it takes everything.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether something was begun and has to be ended before anything else can be understood.
    pub(crate) fn is_midway(&self) -> bool {
        self.written > 0
    }

    /// Forgets what was not begun.
    pub(crate) fn clear(&mut self) {
        let midway = self.is_midway();
        let begun = self.due.drain(..).nth(self.done).filter(|_| midway);
        self.due.extend(begun);
        self.done = 0;
    }

    /// Writes what is due, and counts it in `round`. Pending where the connection does not take all of it now; a later
    /// call goes on.
    pub(crate) fn poll_flush<W: AsyncWrite + Unpin>(
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
        for (slice, due) in slices.iter_mut().zip(&self.due[self.done..]) {
            *slice = IoSlice::new(&due.bytes[std::mem::take(&mut skip)..]);
            count += 1;
        }
        count
    }

    fn advance(&mut self, written: usize, round: &mut Round<'_>) {
        if let Some(meter) = &self.meter {
            meter.bytes(written, round);
        }
        self.written += written;
        while let Some(due) = self.due.get(self.done)
            && self.written >= due.bytes.len()
        {
            self.written -= due.bytes.len();
            if let (Some(meter), Some(arrival)) = (&mut self.meter, due.arrival) {
                meter.unit(arrival, round);
            }
            self.done += 1;
            self.deadline = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use hub::Delivery;
    use proptest::prelude::*;

    use super::*;

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
            if size == 0 {
                return Poll::Pending;
            }
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

    proptest! {
        #[test]
        fn whatever_the_socket_takes_at_once_every_byte_goes_out_in_order(
            messages in prop::collection::vec((1_usize..90, any::<bool>()), 1..100),
            sizes in prop::collection::vec(1_usize..300, 1..20),
        ) {
            let delivery = Delivery::default();
            let meter = Meter::new(Sent::default(), std::time::Instant::now());
            let mut outbox = Outbox { meter: Some(meter), ..Outbox::default() };
            let (mut expected, mut units) = (Vec::new(), 0);
            for (n, &(size, unit)) in messages.iter().enumerate() {
                let bytes = vec![n as u8; size];
                expected.extend_from_slice(&bytes);
                units += u64::from(unit);
                if unit {
                    outbox.unit(bytes.into(), std::time::Instant::now());
                } else {
                    outbox.words(bytes.into());
                }
            }
            let mut sip = Sip { taken: Vec::new(), sizes: sizes.into_iter().cycle() };
            let mut cx = Context::from_waker(Waker::noop());
            let flushed = outbox.poll_flush(&mut cx, &mut sip, &mut delivery.round());
            prop_assert!(matches!(flushed, Poll::Ready(Ok(()))));
            let counted = delivery.read();
            prop_assert_eq!((counted.frames, counted.bytes), (units, expected.len() as u64));
            prop_assert_eq!(sip.taken, expected);
        }
    }

    #[test]
    fn what_was_begun_is_ended_and_what_was_not_is_forgotten() {
        let mut outbox = Outbox::default();
        for n in 0..3_u8 {
            outbox.words(vec![n; 4].into());
        }
        let delivery = Delivery::default();
        let mut sip = Sip {
            taken: Vec::new(),
            sizes: vec![6, 0].into_iter().cycle(),
        };
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            outbox
                .poll_flush(&mut cx, &mut sip, &mut delivery.round())
                .is_pending()
        );
        outbox.clear();
        outbox.words(vec![9].into());
        sip.sizes = vec![99].into_iter().cycle();
        assert!(
            outbox
                .poll_flush(&mut cx, &mut sip, &mut delivery.round())
                .is_ready()
        );
        assert_eq!(sip.taken, [0, 0, 0, 0, 1, 1, 1, 1, 9]);
    }
}
