//! What a frame costs for each of 1000 viewers of one Channel, without the kernel: waking up, reading the ring, handing
//! the slices to a socket that swallows them. The MSE egress has the same, so the two can be compared.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use egress_rtsp::{Admission, Ask, Door, Gate, RtspServer, Settings};
use hub::Registry;
use media::{Format, Opus};
use testing::Order;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

const VIEWERS: u64 = 1000;
const REQUESTS: &[u8] = b"SETUP rtsp://h/cam/trackID=0 RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP/TCP;interleaved=0-1\r\n\r\n\
    PLAY rtsp://h/cam RTSP/1.0\r\nCSeq: 2\r\n\r\n";

/// Lets everybody in.
#[derive(Debug)]
struct Open;

impl Gate for Open {
    fn admit(&self, _: Ask) -> Admission<'_> {
        Box::pin(std::future::ready(Ok(hub::Leave::default())))
    }
}

/// A connection that asks to play, swallows everything, and counts frames.
#[derive(Debug)]
struct Swallow {
    asks: &'static [u8],
    written: Arc<AtomicU64>,
    over: CancellationToken,
}

impl AsyncRead for Swallow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.over.is_cancelled() {
            return Poll::Ready(Ok(()));
        }
        if self.asks.is_empty() {
            return Poll::Pending;
        }
        into.put_slice(std::mem::take(&mut self.asks));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Swallow {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.over.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let bytes = slices.iter().map(|slice| slice.len()).sum();
        // The 11 kB frame, as opposed to answers and reports.
        self.written
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

fn serve(registry: &Registry) -> Door {
    let settings = Settings {
        udp: None,
        ..Settings::default()
    };
    let stop = CancellationToken::new();
    let server = RtspServer::bind(registry.clone(), settings, Arc::new(Open), stop);
    server.expect("a port").door()
}

fn fan_out(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let _inside = runtime.enter();
    let format = Arc::new(Format::Opus(Opus { channels: 2 }));
    let (camera, orders) = testing::scripted();
    let (registry, _) = testing::registry(camera);
    let tracks = vec![testing::track(0, &format)];
    orders.send(Order::Announce(tracks)).expect("it obeys");
    let door = serve(&registry);
    let written = Arc::new(AtomicU64::new(0));
    let mut dts = 0;
    let mut write = || {
        dts += 960;
        let frame = testing::frame(0, &format, dts, true, vec![0xfc; 11_000]);
        let order = Order::Write(Box::new(frame));
        orders.send(order).expect("the camera lives");
    };
    let mut group = c.benchmark_group("fan-out");
    group.throughput(Throughput::Elements(VIEWERS));
    group.bench_function("a frame to 1000 RTSP viewers", |b| {
        b.iter_custom(|rounds| {
            let over = CancellationToken::new();
            for n in 0..VIEWERS {
                // From many addresses, since one may not have so many that were not let in yet.
                let peer = SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 5000));
                let io = Swallow {
                    asks: REQUESTS,
                    written: Arc::clone(&written),
                    over: over.clone(),
                };
                assert!(door.serve(io, peer, IpAddr::V4(Ipv4Addr::LOCALHOST)));
            }
            // All play once a frame reaches all of them.
            let mut count = 0;
            while count < VIEWERS {
                let before = written.load(Ordering::Relaxed);
                write();
                std::thread::sleep(Duration::from_millis(100));
                count = written.load(Ordering::Relaxed) - before;
            }
            let mut round = || {
                let due = written.load(Ordering::Relaxed) + VIEWERS;
                write();
                while written.load(Ordering::Relaxed) < due {
                    std::thread::yield_now();
                }
            };
            let began = Instant::now();
            (0..rounds).for_each(|_| round());
            let took = began.elapsed();
            over.cancel();
            write();
            took
        });
    });
    group.finish();
}

criterion_group!(benches, fan_out);
criterion_main!(benches);
