//! What a second of sound costs as Opus, by codec and rate: divide by ten for the percentage of a core.
#![allow(missing_docs)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use audio::ToOpus;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use media::{Aac, Format, Frame, L16, TrackId};

/// HE-AAC of 2 s as a camera might send it, which also gives the sound for the others.
const HE: &[u8] = include_bytes!("../tests/data/he_stereo_44k1.aac");

fn frame(format: &Arc<Format>, pts: i64, data: Bytes) -> Frame {
    Frame {
        track: TrackId(1),
        format: Arc::clone(format),
        pts,
        dts: pts,
        keyframe: true,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data,
    }
}

/// A second of an ADTS stream; `rate` is that of its access units' clock.
fn aac(adts: &[u8]) -> Vec<Frame> {
    let format = Arc::new(Format::Aac(Aac::from_adts(adts).expect("an ADTS header")));
    let units = format.clock_rate() as usize / 1024;
    let (mut rest, mut frames) = (adts, Vec::new());
    while rest.len() > 7 && frames.len() < units {
        let length =
            usize::from(rest[3] & 3) << 11 | usize::from(rest[4]) << 3 | usize::from(rest[5]) >> 5;
        let data = Bytes::copy_from_slice(&rest[7..length]);
        frames.push(frame(&format, 1024 * frames.len() as i64, data));
        rest = &rest[length..];
    }
    frames
}

/// A second of linear sound in units of 20 ms, loud and full of edges.
fn linear(sample_rate: u32, channels: u8) -> Vec<Frame> {
    let format = Arc::new(Format::L16(L16 {
        sample_rate,
        channels,
    }));
    let unit = i64::from(sample_rate / 50);
    let sample = |n: i64| {
        let seconds = n as f64 / f64::from(sample_rate) / f64::from(channels);
        let note =
            (seconds * 440.0 * std::f64::consts::TAU).sin() * (-4.0 * (seconds % 0.25)).exp();
        let noise = f64::from((n as u32).wrapping_mul(2_654_435_761) >> 16) / 65_536.0 - 0.5;
        (20_000.0 * (note + 0.1 * noise)) as i16
    };
    (0..50)
        .map(|i| {
            let first = i * unit * i64::from(channels);
            let samples = (first..first + unit * i64::from(channels)).map(sample);
            frame(
                &format,
                i * unit,
                samples.flat_map(i16::to_be_bytes).collect(),
            )
        })
        .collect()
}

/// One second after the other, on a time line that goes on.
fn second(to_opus: &mut ToOpus, frames: &mut [Frame]) -> usize {
    let mut made = 0;
    for frame in frames {
        made += to_opus.push(black_box(frame)).expect("it decodes").len();
        frame.pts += i64::from(frame.format.clock_rate());
    }
    made
}

fn to_opus(c: &mut Criterion) {
    let mut group = c.benchmark_group("second_of_sound");
    let inputs = [
        ("l16_8k_mono", linear(8_000, 1)),
        ("l16_16k_mono", linear(16_000, 1)),
        ("l16_44k1_stereo", linear(44_100, 2)),
        ("l16_48k_mono", linear(48_000, 1)),
        ("l16_48k_stereo", linear(48_000, 2)),
        ("he_aac_44k1_stereo", aac(HE)),
    ];
    for (name, mut frames) in inputs {
        let mut to_opus = ToOpus::default();
        group.bench_function(name, |b| b.iter(|| second(&mut to_opus, &mut frames)));
    }
    group.finish();
}

criterion_group!(benches, to_opus);
criterion_main!(benches);
