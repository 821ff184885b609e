use std::time::Instant;

use bytes::Bytes;
use media::{Aac, Flac, G711, L16, TrackId};
use opus_pure::OpusDecoder;

use super::*;

const RATE: i64 = 16_000;
/// Samples in a unit of 20 ms.
const UNIT: i64 = RATE / 50;
/// Where the first unit lies: a second after zero, as the hub has it.
const BEGIN: i64 = RATE;

fn l16(sample_rate: u32) -> Arc<Format> {
    let channels = 1;
    Arc::new(Format::L16(L16 {
        sample_rate,
        channels,
    }))
}

fn frame(format: &Arc<Format>, pts: i64, data: impl Into<Bytes>) -> Frame {
    Frame {
        track: TrackId(1),
        format: Arc::clone(format),
        pts,
        dts: pts,
        keyframe: true,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data: data.into(),
    }
}

/// Linear sound at `RATE`: a tone of 500 Hz, of which the sample at `pts` depends on `pts` alone.
fn tone(pts: i64, samples: i64) -> Frame {
    let at = |n: i64| (n as f64 / RATE as f64 * 500.0 * std::f64::consts::TAU).sin();
    let data = (pts..pts + samples).flat_map(|n| ((at(n) * 12_000.0) as i16).to_be_bytes());
    frame(&l16(16_000), pts, data.collect::<Vec<u8>>())
}

fn times(frames: &[Frame]) -> Vec<i64> {
    frames.iter().map(|frame| frame.pts).collect()
}

/// What a receiver plays at 16 kHz: the samples of all packets, one behind the other.
fn played(frames: &[Frame]) -> Vec<f32> {
    let mut decoder = OpusDecoder::new(16_000, 1).expect("a decoder");
    let mut all = Vec::new();
    for frame in frames {
        let mut samples = vec![0.0; UNIT as usize];
        let count = decoder.decode(&frame.data, UNIT as usize, &mut samples);
        assert_eq!(count.ok(), Some(UNIT as usize));
        all.extend(samples);
    }
    all
}

/// The largest change between samples of the tone above is 0.072; noise of the codec comes on top.
fn clicks(samples: &[f32]) -> usize {
    samples
        .windows(2)
        .filter(|pair| (pair[1] - pair[0]).abs() > 0.12)
        .count()
}

fn push_all(to_opus: &mut ToOpus, frames: impl IntoIterator<Item = Frame>) -> Vec<Frame> {
    let made = frames
        .into_iter()
        .map(|frame| to_opus.push(&frame).expect("it decodes"));
    made.flatten().collect()
}

#[test]
fn packets_of_20_ms_follow_each_other_however_the_camera_cuts() {
    let mut to_opus = ToOpus::default();
    let cuts = [100, 700, 160, 1, 2000, 559];
    let mut pts = BEGIN;
    let made = push_all(
        &mut to_opus,
        cuts.map(|samples| {
            let unit = tone(pts, samples);
            pts += samples;
            unit
        }),
    );
    assert_eq!(made.len(), 3520 / 320);
    assert!(
        made.iter()
            .all(|frame| frame.keyframe && frame.track == TrackId(1))
    );
    assert!(
        made.iter()
            .all(|frame| matches!(&*frame.format, Format::Opus(o) if o.channels == 1))
    );
    let expected: Vec<i64> = (0..11).map(|n| 48_000 - 120 + 960 * n).collect();
    assert_eq!(times(&made), expected);
    assert!(made.iter().all(|frame| !frame.discontinuity));
}

#[test]
fn what_is_heard_lies_where_it_lay() {
    let mut to_opus = ToOpus::default();
    let made = push_all(&mut to_opus, (0..25).map(|n| tone(BEGIN + n * UNIT, UNIT)));
    let heard = played(&made);
    // 120 ticks before the first sample are 40 samples at 16 kHz.
    let error: f64 = (4000..7000)
        .map(|n| {
            let expected = ((n - 40) as f64 / RATE as f64 * 500.0 * std::f64::consts::TAU).sin()
                * 12_000.0
                / 32_768.0;
            (expected - f64::from(heard[n as usize])).powi(2)
        })
        .sum::<f64>()
        / 3000.0;
    let snr = 10.0 * (0.067 / error).log10();
    assert!(snr > 25.0, "{snr:.1} dB");
}

#[test]
fn a_small_hole_is_filled_and_nothing_clicks() {
    let mut to_opus = ToOpus::default();
    let made = push_all(
        &mut to_opus,
        (0..20)
            .filter(|n| *n != 10)
            .map(|n| tone(BEGIN + n * UNIT, UNIT)),
    );
    assert_eq!(made.len(), 20);
    assert!(made.windows(2).all(|two| two[1].pts == two[0].pts + 960));
    assert!(made.iter().all(|frame| !frame.discontinuity));
    let heard = played(&made);
    assert_eq!(clicks(&heard), 0);
    let middle = &heard[10 * 320 + 160..10 * 320 + 300];
    assert!(
        middle.iter().all(|sample| sample.abs() < 0.02),
        "the hole is silent"
    );
}

#[test]
fn a_large_hole_stays_one_in_the_times_and_nothing_clicks() {
    let mut to_opus = ToOpus::default();
    let odd = 130;
    let there = (0..30).filter(|n| !(10..20).contains(n));
    let first = tone(BEGIN - odd, odd);
    let made = push_all(
        &mut to_opus,
        std::iter::once(first).chain(there.map(|n| tone(BEGIN + n * UNIT, UNIT))),
    );
    let after = made
        .iter()
        .position(|frame| frame.discontinuity)
        .expect("a hole");
    assert_eq!(
        made[after].pts,
        (BEGIN + 20 * UNIT) * 3 - 120,
        "the sound after it begins at once"
    );
    assert_eq!(made.iter().filter(|frame| frame.discontinuity).count(), 1);
    assert!(made[after - 1].pts <= (BEGIN + 10 * UNIT) * 3);
    assert_eq!(clicks(&played(&made)), 0);
}

#[test]
fn sound_that_overlaps_what_was_loses_that_part() {
    let mut to_opus = ToOpus::default();
    let first = (0..10).map(|n| tone(BEGIN + n * UNIT, UNIT));
    // 12 ms are there twice.
    let then = (0..10).map(|n| tone(BEGIN + 10 * UNIT - 192 + n * UNIT, UNIT));
    let made = push_all(&mut to_opus, first.chain(then));
    assert_eq!(made.len(), 19);
    assert!(made.windows(2).all(|two| two[1].pts == two[0].pts + 960));
    assert_eq!(clicks(&played(&made)), 0);
}

#[test]
fn times_that_tremble_by_a_few_milliseconds_change_nothing() {
    let mut to_opus = ToOpus::default();
    let made = push_all(
        &mut to_opus,
        (0..50).map(|n| {
            let mut unit = tone(BEGIN + n * UNIT, UNIT);
            unit.pts += [0, 90, -70, 30, -120][n as usize % 5];
            unit
        }),
    );
    assert_eq!(made.len(), 50);
    assert!(made.windows(2).all(|two| two[1].pts == two[0].pts + 960));
}

#[test]
fn the_wall_clock_is_that_of_the_packet_not_of_the_unit_that_completed_it() {
    let mut to_opus = ToOpus::default();
    let wall = 1_700_000_000_000_000_000;
    let mut made = Vec::new();
    for n in 0..4 {
        let mut unit = tone(BEGIN + n * 240, 240);
        unit.wallclock = Some(wall + n * 15_000_000);
        made.extend(to_opus.push(&unit).expect("it decodes"));
    }
    let told: Vec<_> = made.iter().map(|frame| frame.wallclock).collect();
    let delay = 2_500_000;
    assert_eq!(
        told,
        [0, 20, 40].map(|ms| Some(wall + ms * 1_000_000 - delay))
    );
}

#[test]
fn a_loss_that_the_camera_told_of_is_told_on() {
    let mut to_opus = ToOpus::default();
    let mut units: Vec<_> = (0..6).map(|n| tone(BEGIN + n * UNIT, UNIT)).collect();
    units[3].discontinuity = true;
    let made = push_all(&mut to_opus, units);
    let told: Vec<_> = made.iter().map(|frame| frame.discontinuity).collect();
    assert_eq!(told, [false, false, false, true, false, false]);
}

#[test]
fn another_codec_goes_on_where_the_one_before_ended() {
    let mut to_opus = ToOpus::default();
    let mut made = push_all(&mut to_opus, (0..10).map(|n| tone(BEGIN + n * 200, 200)));
    let a_law = Arc::new(Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    }));
    let from = i64::midpoint(BEGIN, 2000);
    made.extend(push_all(
        &mut to_opus,
        (0..10).map(|n| frame(&a_law, from + n * 160, vec![0xd5; 160])),
    ));
    assert!(made.windows(2).all(|two| two[1].pts >= two[0].pts + 960));
    let last = made.last().expect("packets").pts;
    assert!(
        (last - (48_000 + 6000 + 9600 - 960)).abs() < 2 * 960,
        "{last}"
    );
}

#[test]
fn g722_counts_in_its_own_samples_not_in_rtp_ticks() {
    let g722 = Arc::new(Format::G722);
    let mut to_opus = ToOpus::default();
    let made = push_all(
        &mut to_opus,
        (0..5).map(|n| frame(&g722, 8000 + n * 160, vec![0; 160])),
    );
    assert_eq!(
        times(&made),
        [0, 1, 2, 3, 4].map(|n| 48_000 - 120 + n * 960)
    );
}

#[test]
fn a_broken_unit_costs_its_own_sound_and_no_more() {
    let aac = Arc::new(Format::Aac(
        Aac::low_complexity(16_000, 1).expect("a configuration"),
    ));
    let silence = [0x01, 0x18, 0x20, 0x07]; // SCE, no spectrum; END
    let mut to_opus = ToOpus::default();
    let mut made = Vec::new();
    for n in 0..12 {
        let data: &[u8] = if n == 5 { &[0x20; 9] } else { &silence };
        match to_opus.push(&frame(&aac, 16_000 + n * 1024, data.to_vec())) {
            Ok(frames) => made.extend(frames),
            Err(error) => {
                assert!(matches!(error, Error::Frame(_)), "{error}");
                assert_eq!(n, 5);
            }
        }
    }
    // The hole of 64 ms is in the times: not one packet lies in the wrong place.
    let holes: Vec<_> = made
        .windows(2)
        .filter(|two| two[1].pts != two[0].pts + 960)
        .collect();
    assert_eq!(holes.len(), 1);
    assert_eq!(holes[0][1].pts, 48_000 + 6 * 3072 - 120);
}

#[test]
fn what_cannot_become_opus_is_refused_in_words() {
    let flac = Format::Flac(Flac {
        stream_info: Bytes::new(),
        sample_rate: 8000,
        channels: 1,
        bits: 16,
    });
    let said = crate::check(&flac)
        .expect_err("there is no decoder")
        .to_string();
    assert_eq!(
        said,
        "FLAC can't be turned into Opus; set the camera to AAC-LC or G.711"
    );
    // ER AAC scalable.
    let scalable =
        Aac::new(Bytes::from_static(&[0xa4, 0x08, 0x00, 0x00])).expect("a configuration");
    let said = crate::check(&Format::Aac(scalable))
        .expect_err("it is scalable")
        .to_string();
    assert!(
        said.starts_with("this AAC can't be decoded (")
            && said.ends_with("set the camera to AAC-LC"),
        "{said}"
    );
    assert!(crate::check(&l16(44_101)).is_err());
    assert!(crate::check(&l16(44_100)).is_ok());
}
