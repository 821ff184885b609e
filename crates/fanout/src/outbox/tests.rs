use std::task::Waker;

use hub::Delivery;
use proptest::prelude::*;

use super::*;

/// A head, a body, and whether it is media.
#[derive(Debug)]
struct Piece(Vec<u8>, Vec<u8>, bool);

impl Parcel for Piece {
    fn parts(&self) -> [&[u8]; 2] {
        [&self.0, &self.1]
    }

    fn arrival(&self) -> Option<std::time::Instant> {
        self.2.then(std::time::Instant::now)
    }
}

/// Takes a few bytes of the slices it is given at each call; it is blocked where that is none.
struct Sip {
    taken: Vec<u8>,
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Sip {
    fn new(sizes: Vec<usize>) -> Self {
        Self {
            taken: Vec::new(),
            sizes: sizes.into_iter().cycle(),
        }
    }
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

fn flush(outbox: &mut Outbox<Piece>, sip: &mut Sip, delivery: &Delivery) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    let flushed = outbox.poll_flush(&mut cx, sip, &mut delivery.round());
    matches!(flushed, Poll::Ready(Ok(())))
}

proptest! {
    #[test]
    fn whatever_the_socket_takes_at_once_every_byte_goes_out_in_order(
        pieces in prop::collection::vec((0_usize..40, 1_usize..90, any::<bool>()), 1..100),
        sizes in prop::collection::vec(1_usize..300, 1..20),
    ) {
        let (delivery, sent) = (Delivery::default(), Sent::default());
        let mut outbox = Outbox {
            meter: Some(Meter::new(sent.clone(), std::time::Instant::now())),
            ..Outbox::default()
        };
        let (mut expected, mut media) = (Vec::new(), 0);
        for (n, &(head, body, is_media)) in pieces.iter().enumerate() {
            let piece = Piece(vec![n as u8; head], vec![n as u8 ^ 0xff; body], is_media);
            expected.extend(piece.parts().concat());
            media += u64::from(is_media);
            outbox.push(piece);
        }
        let mut sip = Sip::new(sizes);
        prop_assert!(flush(&mut outbox, &mut sip, &delivery));
        let counted = delivery.read();
        let bytes = expected.len() as u64;
        prop_assert_eq!((counted.frames, counted.bytes, sent.bytes()), (media, bytes, bytes));
        prop_assert_eq!(sip.taken, expected);
    }
}

#[test]
fn what_was_begun_is_ended_and_what_was_not_is_forgotten() {
    let mut outbox = Outbox::default();
    for n in 0..3_u8 {
        outbox.push(Piece(vec![n; 2], vec![n; 2], true));
    }
    let delivery = Delivery::default();
    let mut sip = Sip::new(vec![6, 0]);
    assert!(!flush(&mut outbox, &mut sip, &delivery));
    outbox.clear();
    outbox.push(Piece(vec![9], Vec::new(), false));
    sip.sizes = vec![99].into_iter().cycle();
    assert!(flush(&mut outbox, &mut sip, &delivery));
    assert_eq!(sip.taken, [0, 0, 0, 0, 1, 1, 1, 1, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_takes_nothing_for_10_s_has_stalled() {
    let mut outbox = Outbox::default();
    outbox.push(Piece(vec![1; 4], Vec::new(), true));
    let (delivery, mut sip) = (Delivery::default(), Sip::new(vec![0]));
    let mut poll = || {
        let mut cx = Context::from_waker(Waker::noop());
        outbox.poll_flush(&mut cx, &mut sip, &mut delivery.round())
    };
    assert!(poll().is_pending());
    tokio::time::advance(Duration::from_secs(9)).await;
    assert!(poll().is_pending());
    tokio::time::advance(Duration::from_secs(1)).await;
    assert!(matches!(poll(), Poll::Ready(Err(WriteError::Stalled))));
}
