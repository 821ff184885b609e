use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use media::{Aac, H264, Opus, TrackId};
use proptest::prelude::*;

use super::*;

/// 1280x720 baseline, no timing information.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1f, 0xd9, 0x00, 0x50, 0x05, 0xbb, 0x01, 0x10, 0x00, 0x00, 0x03, 0x00, 0x10,
    0x00, 0x00, 0x03, 0x03, 0x20, 0xf1, 0x83, 0x19, 0x20,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

fn picture() -> Arc<Format> {
    let format = H264::new(SPS.to_vec().into(), vec![PPS.to_vec().into()]);
    Arc::new(Format::H264(format.expect("real parameter sets")))
}

fn aac(sample_rate: u32) -> Arc<Format> {
    let format = Aac::low_complexity(sample_rate, 1);
    Arc::new(Format::Aac(format.expect("a usual rate")))
}

fn frame(format: &Arc<Format>, pts: i64, dts: i64) -> Frame {
    Frame {
        track: TrackId(0),
        format: Arc::clone(format),
        pts,
        dts,
        keyframe: format.kind() == Kind::Audio,
        discontinuity: false,
        wallclock: None,
        arrival: Instant::now(),
        data: Bytes::from_static(b"data"),
    }
}

/// Decode time, duration and presentation time of frames whose pictures are not reordered.
fn placed(timeline: &mut Timeline, format: &Arc<Format>, times: &[i64]) -> Vec<(u64, u32, i64)> {
    times
        .iter()
        .filter_map(|&time| timeline.push(&frame(format, time, time)).frame)
        .map(|sample| (sample.dts, sample.duration, sample.pts()))
        .collect()
}

/// What a browser does by MSE §3.5.8: drops everything up to the next random access point where the decode time
/// goes back, or on by more than twice the last duration.
fn a_browser_takes_all(samples: &[Sample]) -> bool {
    samples.windows(2).all(|pair| {
        let step = pair[1].dts.checked_sub(pair[0].dts);
        step.is_some_and(|step| step <= 2 * u64::from(pair[0].duration))
    })
}

#[test]
fn a_steady_picture_gets_its_exact_times_and_its_own_duration() {
    let mut timeline = Timeline::default();
    let got = placed(&mut timeline, &picture(), &[9000, 12_600, 16_200]);
    assert_eq!(
        got,
        [
            (9000, 3600, 9000),
            (12_600, 3600, 12_600),
            (16_200, 3600, 16_200)
        ]
    );
    assert_eq!(timeline.gaps(), 0);
}

#[test]
fn pictures_whose_step_is_known_are_exact_from_the_first_one_on() {
    let mut timeline = Timeline::of_step(450_000);
    let got = placed(&mut timeline, &picture(), &[0, 450_000, 900_000]);
    assert_eq!(
        got,
        [
            (0, 450_000, 0),
            (450_000, 450_000, 450_000),
            (900_000, 450_000, 900_000)
        ]
    );
    assert_eq!(timeline.gaps(), 0);
}

#[test]
fn the_duration_follows_the_rate_of_the_camera() {
    let mut timeline = Timeline::default();
    let times: Vec<i64> = (0..8).map(|n| n * 1500).collect();
    let got = placed(&mut timeline, &picture(), &times);
    assert_eq!(
        got.iter().map(|s| s.0).collect::<Vec<_>>(),
        [0, 1500, 3000, 4500, 6000, 7500, 9000, 10_500]
    );
    assert_eq!(got.last().map(|s| s.1), Some(1500));
}

#[test]
fn a_late_picture_is_shown_early_and_long_and_the_next_is_exact() {
    let mut timeline = Timeline::default();
    let second = 90_000;
    let got = placed(&mut timeline, &picture(), &[0, 3600, second, second + 3600]);
    // Placed at the end of the one before, lasting until one (doubled) estimate after its true time.
    assert_eq!(got[2], (7200, 90_000 - 7200 + 7200, 7200));
    assert_eq!((got[3].0, got[3].2), (93_600, 93_600));
    assert_eq!(timeline.gaps(), 1);
}

#[test]
fn a_late_keyframe_is_treated_in_the_same_way() {
    let mut timeline = Timeline::default();
    let format = picture();
    placed(&mut timeline, &format, &[0, 3600]);
    let mut late = frame(&format, 900_000, 900_000);
    late.keyframe = true;
    let sample = timeline
        .push(&late)
        .frame
        .expect("pictures are never left out");
    assert_eq!((sample.dts, sample.keyframe), (7200, true));
}

#[test]
fn reordered_pictures_keep_their_presentation_times() {
    let mut timeline = Timeline::default();
    let format = picture();
    let times = [(7200, 0), (18_000, 3600), (10_800, 7200), (14_400, 10_800)];
    let got: Vec<i64> = times
        .iter()
        .filter_map(|&(pts, dts)| timeline.push(&frame(&format, pts, dts)).frame)
        .map(|sample| sample.pts())
        .collect();
    assert_eq!(got, [7200, 18_000, 10_800, 14_400]);
}

#[test]
fn times_below_zero_are_moved_to_zero_and_stay_in_order() {
    let mut timeline = Timeline::default();
    let format = picture();
    let got: Vec<(u64, i64)> = [(0, -7200), (3600, -3600), (7200, 0), (10_800, 3600)]
        .iter()
        .filter_map(|&(pts, dts)| timeline.push(&frame(&format, pts, dts)).frame)
        .map(|sample| (sample.dts, sample.pts()))
        .collect();
    assert_eq!(got, [(0, 0), (1, 3600), (2, 7200), (3600, 10_800)]);
}

#[test]
fn sound_with_rounded_times_is_seamless() {
    let mut timeline = Timeline::default();
    // A camera that counts milliseconds: 128 ms is 1024 ticks of 8 kHz, sent as 120, 130 and 140 ms.
    let got = placed(&mut timeline, &aac(8000), &[0, 960, 2100, 3072, 4180]);
    let times: Vec<u64> = got.iter().map(|s| s.0).collect();
    assert_eq!(times, [0, 1024, 2048, 3072, 4096]);
    assert!(got.iter().all(|s| s.1 == 1024));
    assert_eq!(timeline.gaps(), 0);
}

#[test]
fn lost_sound_becomes_silence_and_the_next_frame_is_exact() {
    let mut timeline = Timeline::default();
    let format = aac(48_000);
    timeline.push(&frame(&format, 0, 0));
    let got = timeline.push(&frame(&format, 5000, 5000));
    let silence: Vec<_> = got.silence.iter().map(|s| (s.dts, s.duration)).collect();
    assert_eq!(silence, [(1024, 1024), (2048, 1024), (3072, 1928)]);
    assert_eq!(got.frame.map(|s| (s.dts, s.duration)), Some((5000, 1024)));
}

#[test]
fn an_hour_without_sound_is_bridged_by_a_bounded_number_of_units() {
    let mut timeline = Timeline::default();
    let format = aac(48_000);
    timeline.push(&frame(&format, 0, 0));
    let hour = 3600 * 48_000;
    let got = timeline.push(&frame(&format, hour, hour));
    assert_eq!(got.silence.len(), 1000);
    assert_eq!(got.frame.map(|s| s.dts), Some(hour as u64));
}

#[test]
fn sound_without_a_known_silence_lasts_over_the_gap() {
    let mut timeline = Timeline::default();
    // 5.1 channels.
    let format = Aac::low_complexity(48_000, 6).expect("a usual layout");
    let format = Arc::new(Format::Aac(format));
    let got = placed(&mut timeline, &format, &[0, 10_240, 11_264]);
    assert_eq!(
        got,
        [(0, 1024, 0), (1024, 10_240, 1024), (11_264, 1024, 11_264)]
    );
}

#[test]
fn sound_that_overlaps_what_is_there_is_left_out() {
    let mut timeline = Timeline::default();
    let format = aac(16_000);
    let got = placed(
        &mut timeline,
        &format,
        &[16_000, 17_024, 12_000, 13_024, 18_048],
    );
    assert_eq!(
        got.iter().map(|s| s.0).collect::<Vec<_>>(),
        [16_000, 17_024, 18_048]
    );
    assert_eq!(timeline.overlaps(), 2);
}

#[test]
fn sound_that_never_came_is_silence_from_where_the_picture_began() {
    let mut timeline = Timeline::default();
    let format = Format::Opus(Opus { channels: 2 });
    let silence = timeline.silence(&format, 48_000, 50_000);
    assert_eq!(
        silence.iter().map(|s| s.dts).collect::<Vec<_>>(),
        [48_000, 48_960]
    );
    assert!(
        timeline.silence(&format, 0, 50_000).is_empty(),
        "no whole unit fits"
    );
    assert_eq!(timeline.silence(&format, 0, 52_000)[0].dts, 49_920);
    // Sound that comes at last goes on where the silence ends.
    let format = Arc::new(format);
    let first = timeline.push(&frame(&format, 52_100, 52_100));
    assert_eq!(first.frame.map(|s| s.dts), Some(51_840));
}

#[test]
fn a_change_of_clock_goes_on_at_the_same_moment() {
    let mut timeline = Timeline::default();
    timeline.push(&frame(&aac(48_000), 48_000 - 1024, 48_000 - 1024));
    let got = timeline.push(&frame(&aac(16_000), 16_000, 16_000));
    assert_eq!(
        (got.silence.len(), got.frame.map(|s| s.dts)),
        (0, Some(16_000))
    );
}

proptest! {
    #[test]
    fn whatever_the_steps_a_browser_takes_every_picture(steps in prop::collection::vec(
        prop_oneof![0_i64..10, 1000_i64..8000, 3600_i64..3601, 0_i64..20_000_000], 1..200,
    )) {
        let mut timeline = Timeline::default();
        let format = picture();
        let mut time = -5000;
        let mut samples = Vec::new();
        for step in steps {
            time += step;
            samples.extend(timeline.push(&frame(&format, time, time)).frame);
        }
        prop_assert!(a_browser_takes_all(&samples));
        prop_assert!(samples.windows(2).all(|pair| pair[0].dts < pair[1].dts));
    }

    #[test]
    fn whatever_the_steps_sound_has_no_hole(
        steps in prop::collection::vec(prop_oneof![1024_i64..1025, -3000_i64..9000, 0_i64..90_000_000], 1..200),
        silent_codec in any::<bool>(),
    ) {
        let mut timeline = Timeline::default();
        let channels = if silent_codec { 2 } else { 6 };
        let format = Arc::new(Format::Aac(Aac::low_complexity(48_000, channels).expect("usual")));
        let mut time = 0;
        let mut samples = Vec::new();
        for step in steps {
            time += step;
            let placed = timeline.push(&frame(&format, time, time));
            samples.extend(placed.silence);
            samples.extend(placed.frame);
        }
        prop_assert!(a_browser_takes_all(&samples));
        for pair in samples.windows(2) {
            let end = pair[0].dts + u64::from(pair[0].duration);
            prop_assert!(pair[1].dts >= end && pair[1].dts - end <= u64::from(pair[0].duration));
        }
    }
}
