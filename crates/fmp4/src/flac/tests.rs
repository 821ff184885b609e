use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::{Format, Frame, G711, L16, TrackId};
use proptest::prelude::*;

use super::*;

/// A native FLAC file around `frames`, decoded by a decoder that is not ours.
fn decoded(flac: &Flac, frames: &[Bytes]) -> Vec<i16> {
    let mut file = b"fLaC\x80\0\0\x22".to_vec();
    file.extend_from_slice(&flac.stream_info);
    for frame in frames {
        file.extend_from_slice(frame);
    }
    let mut reader = claxon::FlacReader::new(Cursor::new(file)).expect("STREAMINFO reads");
    reader
        .samples()
        .map(|s| s.expect("a frame reads") as i16)
        .collect()
}

fn round_trip(rate: u32, channels: u8, at: u64, samples: &[i16]) {
    let flac = format(rate, channels).expect("a format");
    let frame = encode(rate, channels, at, samples).expect("a frame");
    let count = samples.len() / usize::from(channels);
    assert_eq!(block_size(&frame), Some(count as u32));
    assert_eq!(decoded(&flac, &[frame]), samples);
}

/// Samples per channel, as another crate reads them from the header.
fn block_size(frame: &[u8]) -> Option<u32> {
    Format::Flac(format(8000, 1)?).samples(frame)
}

fn frame(format: Format, pts: i64, data: Vec<u8>) -> Frame {
    Frame {
        track: TrackId(1),
        format: Arc::new(format),
        pts,
        dts: pts,
        keyframe: true,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data: data.into(),
    }
}

fn a_law() -> Format {
    Format::G711(G711 {
        a_law: true,
        sample_rate: 8000,
        channels: 1,
    })
}

proptest! {
    #[test]
    fn any_samples_come_back_as_they_were(
        samples in prop::collection::vec(any::<i16>(), 32..600),
        at in 0_u64..1 << 40,
        channels in 1_u8..=2,
    ) {
        let whole = samples.len() / usize::from(channels) * usize::from(channels);
        round_trip(8000, channels, at, &samples[..whole]);
    }

    #[test]
    fn smooth_samples_come_back_as_they_were(
        start in any::<i16>(),
        steps in prop::collection::vec(-300_i16..300, 16..4608),
        rate in prop::sample::select(vec![8000_u32, 11_025, 16_000, 32_000, 44_100, 48_000]),
    ) {
        let mut level = start;
        let samples: Vec<i16> = steps.iter().map(|&step| {
            level = level.saturating_add(step);
            level
        }).collect();
        round_trip(rate, 1, 7, &samples);
    }
}

#[test]
fn the_hard_signals_come_back_as_they_were() {
    let square: Vec<i16> = (0..160)
        .map(|n| if n % 2 == 0 { i16::MIN } else { i16::MAX })
        .collect();
    round_trip(8000, 1, 0, &square);
    round_trip(8000, 1, 0, &[i16::MIN; 160]);
    round_trip(8000, 2, 0, &[0; 32]);
    let click: Vec<i16> = (0..4608)
        .map(|n| if n == 4000 { i16::MAX } else { 0 })
        .collect();
    round_trip(48_000, 1, 0, &click);
}

#[test]
fn speech_like_sound_takes_less_than_linear_pcm() {
    let tone: Vec<i16> = (0..160)
        .map(|n| {
            (f64::from(n) * 0.2)
                .sin()
                .mul_add(6000.0, f64::from(n * 7919 % 41)) as i16
        })
        .collect();
    let frame = encode(8000, 1, 0, &tone).expect("a frame");
    assert!(frame.len() < 320 * 2 / 3, "{}", frame.len());
    assert!(encode(8000, 1, 0, &[0; 160]).expect("a frame").len() < 20);
}

#[test]
fn what_flac_can_not_say_is_refused() {
    assert!(encode(8000, 1, 0, &[0; 15]).is_none());
    assert!(encode(8000, 1, 0, &[0; 4609]).is_none());
    assert!(encode(8000, 2, 0, &[0; 33]).is_none());
    assert!(format(0, 1).is_none());
    assert!(format(8000, 3).is_none());
}

#[test]
fn a_packet_of_g711_becomes_one_frame_of_the_same_time() {
    let mut converter = PcmToFlac::new(&a_law()).expect("a converter");
    let codes: Vec<u8> = (0..160).collect();
    let out = converter.push(&frame(a_law(), 4000, codes.clone()));
    assert_eq!(out.len(), 1);
    assert_eq!(
        (out[0].pts, out[0].dts, out[0].keyframe),
        (4000, 4000, true)
    );
    let Format::Flac(flac) = &*out[0].format else {
        panic!("not FLAC")
    };
    let mut expected = Vec::new();
    let mut decoder = media::pcm::Decoder::new(&a_law()).expect("a decoder");
    decoder.decode(&codes, &mut expected);
    assert_eq!(decoded(flac, &[out[0].data.clone()]), expected);
}

#[test]
fn too_short_a_packet_waits_for_the_next() {
    let mut converter = PcmToFlac::new(&a_law()).expect("a converter");
    assert!(
        converter
            .push(&frame(a_law(), 100, vec![0xd5; 10]))
            .is_empty()
    );
    let out = converter.push(&frame(a_law(), 110, vec![0xd5; 10]));
    assert_eq!((out[0].pts, block_size(&out[0].data)), (100, Some(20)));
    // After a loss the old samples have no place any more.
    assert!(
        converter
            .push(&frame(a_law(), 120, vec![0xd5; 10]))
            .is_empty()
    );
    let out = converter.push(&frame(a_law(), 9000, vec![0xd5; 20]));
    assert_eq!((out[0].pts, block_size(&out[0].data)), (9000, Some(20)));
}

#[test]
fn a_long_unit_is_cut_and_nothing_of_it_is_lost() {
    let l16 = Format::L16(L16 {
        sample_rate: 48_000,
        channels: 2,
    });
    let mut converter = PcmToFlac::new(&l16).expect("a converter");
    // 4608 + 4608 + 10 stereo samples, and a stray byte.
    let bytes: Vec<u8> = (0..=9226 * 4).map(|n: u32| ((n * 31) >> 3) as u8).collect();
    let mut out = converter.push(&frame(l16.clone(), 0, bytes.clone()));
    out.extend(converter.push(&frame(l16, 9226, vec![0; 64])));
    let sizes: Vec<_> = out.iter().map(|f| (f.pts, block_size(&f.data))).collect();
    assert_eq!(
        sizes,
        [(0, Some(4608)), (4608, Some(4608)), (9216, Some(26))]
    );
    let flac = format(48_000, 2).expect("a format");
    let frames: Vec<Bytes> = out.iter().map(|f| f.data.clone()).collect();
    let pcm = decoded(&flac, &frames);
    let expected: Vec<i16> = bytes
        .chunks_exact(2)
        .map(|p| i16::from_be_bytes([p[0], p[1]]))
        .collect();
    assert_eq!(pcm[..expected.len()], expected[..]);
}

#[test]
fn g722_counts_in_its_own_samples_not_in_rtp_ticks() {
    let mut converter = PcmToFlac::new(&Format::G722).expect("a converter");
    assert_eq!(converter.format().clock_rate(), 16_000);
    let out = converter.push(&frame(Format::G722, 1000, vec![0x5a; 160]));
    assert_eq!((out[0].pts, block_size(&out[0].data)), (2000, Some(320)));
}

#[test]
fn silence_is_made_only_for_flac_of_our_own() {
    let ours = format(16_000, 1).expect("a format");
    let frame = silence(&ours, 99, 320).expect("silence");
    assert_eq!(decoded(&ours, &[frame]), vec![0; 320]);
    let theirs = Flac { bits: 24, ..ours };
    assert!(silence(&theirs, 99, 320).is_none());
}
