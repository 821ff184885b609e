//! What a frame costs for each of 1000 viewers of one Channel, without the kernel: waking up, reading the
//! ring, handing the slices to a socket that swallows them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use egress_mse::internals::Gallery;
use media::{Format, Opus};
use testing::Order;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const VIEWERS: u64 = 1000;

/// A connection that swallows everything, counts writes, and never says anything.
#[derive(Debug)]
struct Swallow(Arc<AtomicU64>);

impl AsyncRead for Swallow {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Swallow {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        // A fragment of the 11 kB frame, as opposed to pings and announcements.
        self.0
            .fetch_add(u64::from(bytes > 11_000), Ordering::Relaxed);
        Poll::Ready(Ok(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn fan_out(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let (camera, orders) = testing::scripted();
    let (_registry, channel) = testing::registry(camera);
    let gallery = Gallery::default();
    let written = Arc::new(AtomicU64::new(0));
    let mut dts = 0;
    let format = Arc::new(Format::Opus(Opus { channels: 2 }));
    let mut write = || {
        dts += 960;
        let frame = testing::frame(0, &format, dts, true, vec![0xfc; 11_000]);
        let order = Order::Write(Box::new(frame));
        orders.send(order).expect("the camera lives");
    };
    let mut group = c.benchmark_group("fan-out");
    group.throughput(Throughput::Elements(VIEWERS));
    group.bench_function("a frame to 1000 viewers", |b| {
        b.iter_custom(|rounds| {
            // Viewers that say nothing are dropped after 12 s: each measurement has its own.
            let viewers: Vec<_> = (0..VIEWERS)
                .map(|_| runtime.spawn(gallery.view(&channel, Swallow(Arc::clone(&written)))))
                .collect();
            let mut round = || {
                let due = written.load(Ordering::Relaxed) + VIEWERS;
                write();
                while written.load(Ordering::Relaxed) < due {
                    std::thread::yield_now();
                }
            };
            round();
            let began = Instant::now();
            (0..rounds).for_each(|_| round());
            let took = began.elapsed();
            viewers.iter().for_each(tokio::task::JoinHandle::abort);
            took
        });
    });
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
