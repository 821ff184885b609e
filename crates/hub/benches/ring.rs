//! What a frame costs the ring: the push, and each of 1,000 readers.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hub::RingBounds;
use hub::ring::{Ring, Slot};

const READERS: usize = 1000;
const FRAME: i64 = 40_000_000;

fn slot(n: i64) -> Slot<Arc<[u8; 64]>> {
    Slot {
        item: Arc::new([0; 64]),
        start: n % 250 == 0,
        at: n * FRAME,
        bytes: 10_000,
    }
}

fn push(c: &mut Criterion) {
    let ring = Ring::new(RingBounds::default());
    let mut n = 0;
    c.bench_function("push, nobody reads", |b| {
        b.iter(|| {
            ring.push(slot(n));
            n += 1;
        });
    });
}

fn fan_out(c: &mut Criterion) {
    let mut group = c.benchmark_group("fan-out");
    group.throughput(Throughput::Elements(READERS as u64));
    group.bench_function("one frame to 1,000 readers", |b| {
        let ring = Ring::new(RingBounds::default());
        let mut readers: Vec<_> = (0..READERS).map(|_| ring.reader()).collect();
        let mut n = 0;
        b.iter(|| {
            ring.push(slot(n));
            n += 1;
            for reader in &mut readers {
                black_box(reader.try_next());
            }
        });
    });
    group.finish();
}

fn wake_up(c: &mut Criterion) {
    let mut group = c.benchmark_group("wake-up");
    group.throughput(Throughput::Elements(READERS as u64));
    group.measurement_time(Duration::from_secs(8));
    group.bench_function("one frame to 1,000 sleeping tasks", |b| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime");
        let ring = Ring::new(RingBounds::default());
        let (done, mut all_done) = tokio::sync::mpsc::channel(READERS);
        for _ in 0..READERS {
            let (mut reader, done) = (ring.reader(), done.clone());
            runtime.spawn(async move {
                loop {
                    black_box(reader.next().await);
                    if done.send(()).await.is_err() {
                        return;
                    }
                }
            });
        }
        let mut n = 0;
        b.iter(|| {
            runtime.block_on(async {
                ring.push(slot(n));
                n += 1;
                for _ in 0..READERS {
                    all_done.recv().await;
                }
            });
        });
    });
    group.finish();
}

criterion_group!(benches, push, fan_out, wake_up);
criterion_main!(benches);
