//! What it costs to make access units of H.264 packets: 25 pictures a second at 8 Mbit/s, the first of
//! each 50 ten times as large as the others, in packets of 1400 bytes.
#![expect(clippy::unwrap_used, reason = "a benchmark that fails shall stop")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use media::rtp::{Depacketizer, Encoding, Limits, Packet, Packetizer, Reorder};
use media::{Format, Frame, H264};

const PICTURES: u32 = 50;
const SMALL: usize = 33_900;

fn format() -> Arc<Format> {
    let sps: &'static [u8] = &[
        0x67, 0x64, 0, 0x33, 0xac, 0x15, 0x14, 0xa0, 0x28, 0, 0xb5, 0x90,
    ];
    let pps: &'static [u8] = &[0x68, 0xee, 0x3c, 0xb0];
    Arc::new(Format::H264(
        H264::new(Bytes::from_static(sps), vec![Bytes::from_static(pps)]).unwrap(),
    ))
}

fn frame(format: &Arc<Format>, index: u32) -> Frame {
    let keyframe = index == 0;
    let size = if keyframe { 10 * SMALL } else { SMALL };
    let mut data = BytesMut::with_capacity(size + 5);
    data.put_u32(size as u32 + 2);
    data.put_slice(&[if keyframe { 0x65 } else { 0x41 }, 0x9a]);
    data.extend((0..size).map(|byte| (byte * 7 % 251) as u8 | 1));
    common::frame(format, keyframe, data.freeze())
}

/// The packets of one group of pictures, as bytes on the wire.
fn wire() -> Vec<Bytes> {
    let format = format();
    let mut packetizer = Packetizer::new(&format, 1400).unwrap();
    let frames = (0..PICTURES).map(|index| frame(&format, index));
    let packets = common::packets(&mut packetizer, frames);
    let bytes = packets.iter().map(|packet| {
        let mut out = BytesMut::new();
        packet.write(&mut out);
        out.freeze()
    });
    bytes.collect()
}

fn depacketizer() -> Depacketizer {
    let encoding = Encoding {
        name: "H264",
        clock_rate: 90_000,
        channels: None,
        fmtp: None,
    };
    Depacketizer::new(&encoding).unwrap()
}

fn benches(criterion: &mut Criterion) {
    let wire = wire();
    let bytes: usize = wire.iter().map(Bytes::len).sum();
    let packets: Vec<Packet> = wire
        .iter()
        .map(|p| Packet::parse(p.clone()).unwrap())
        .collect();
    for (name, throughput) in [
        ("h264/bytes", Throughput::Bytes(bytes as u64)),
        ("h264/packets", Throughput::Elements(wire.len() as u64)),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.throughput(throughput);
        group.bench_function("parse", |bencher| {
            bencher.iter_batched(|| wire.clone(), parse, BatchSize::LargeInput);
        });
        group.bench_function("parse, reorder, depacketize", |bencher| {
            bencher.iter_batched(|| wire.clone(), whole_path, BatchSize::LargeInput);
        });
        group.bench_function("depacketize", |bencher| {
            bencher.iter_batched(|| packets.clone(), depacketize, BatchSize::LargeInput);
        });
        group.finish();
    }
    let format = format();
    let frames: Vec<Frame> = (0..PICTURES).map(|index| frame(&format, index)).collect();
    let mut group = criterion.benchmark_group("h264/packets");
    group.throughput(Throughput::Elements(wire.len() as u64));
    group.bench_function("packetize", |bencher| {
        let mut packetizer = Packetizer::new(&format, 1400).unwrap();
        bencher.iter(|| {
            for frame in &frames {
                packetizer.packetize(frame, |payload| {
                    black_box(payload);
                });
            }
        });
    });
    group.finish();
}

fn parse(wire: Vec<Bytes>) {
    for packet in wire {
        black_box(Packet::parse(packet).unwrap());
    }
}

fn depacketize(packets: Vec<Packet>) {
    let mut depacketizer = depacketizer();
    for packet in packets {
        depacketizer.push(packet, 0).unwrap();
        while let Some(unit) = depacketizer.pull() {
            black_box(unit);
        }
    }
}

fn whole_path(wire: Vec<Bytes>) {
    let (mut reorder, now) = (Reorder::new(Limits::UDP), Instant::now());
    let mut depacketizer = depacketizer();
    for packet in wire {
        reorder.push(Packet::parse(packet).unwrap(), now);
        while let Some(arrived) = reorder.pop(now) {
            depacketizer.push(arrived.packet, arrived.lost).unwrap();
            while let Some(unit) = depacketizer.pull() {
                black_box(unit);
            }
        }
    }
}

criterion_group!(group, benches);
criterion_main!(group);
