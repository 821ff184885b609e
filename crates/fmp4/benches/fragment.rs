//! What one frame costs on its way into a fragment, and 20 ms of sound into FLAC.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use fmp4::flac::PcmToFlac;
use fmp4::{Fragmenter, Sequence};
use media::{Format, Frame, G711, Opus, TrackId};

fn frame(format: Format, data: Bytes) -> Frame {
    Frame {
        track: TrackId(0),
        format: Arc::new(format),
        pts: 0,
        dts: 0,
        keyframe: true,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data,
    }
}

fn fragment(c: &mut Criterion) {
    let mut frame = frame(
        Format::Opus(Opus { channels: 2 }),
        vec![0xfc; 11_000].into(),
    );
    let mut fragmenter = Fragmenter::new(1);
    let mut sequence = Sequence::default();
    c.bench_function("a fragment around a frame of 11 kB", |b| {
        b.iter(|| {
            frame.dts += 960;
            fragmenter.push(black_box(&frame), &mut sequence).len()
        });
    });
    let fragment = fragmenter.push(&frame, &mut sequence).pop();
    c.bench_function("a rebased head", |b| {
        b.iter(|| black_box(&fragment).as_ref().map(|f| f.rebased(1000)));
    });
}

fn flac(c: &mut Criterion) {
    let g711 = Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    });
    let codes: Vec<u8> = (0..160_u8).map(|n| n.wrapping_mul(37) ^ 0x55).collect();
    let mut noisy = frame(g711.clone(), codes.into());
    let mut converter = PcmToFlac::new(&g711).expect("G.711 can be converted");
    c.bench_function("20 ms of G.711 noise into FLAC", |b| {
        b.iter(|| {
            noisy.pts += 160;
            converter.push(black_box(&noisy)).len()
        });
    });
    let mut wide = frame(Format::G722, vec![0x5a; 160].into());
    let mut converter = PcmToFlac::new(&Format::G722).expect("G.722 can be converted");
    c.bench_function("20 ms of G.722 into FLAC", |b| {
        b.iter(|| {
            wide.pts += 160;
            converter.push(black_box(&wide)).len()
        });
    });
}

criterion_group!(benches, fragment, flac);
criterion_main!(benches);
