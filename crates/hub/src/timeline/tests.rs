use media::L16;

use super::*;
use crate::testing::{frame, sound};

fn write(timeline: &mut Timeline, pts: i64) -> (Placed, Frame) {
    let mut frame = sound(pts);
    (timeline.place(&mut frame), frame)
}

#[test]
fn a_stream_begins_at_one_second_whatever_the_camera_counts_from() {
    let mut timeline = Timeline::default();
    timeline.begin();
    assert_eq!(write(&mut timeline, 123_456).1.dts, 8000);
    assert_eq!(write(&mut timeline, 123_616).1.dts, 8160);
}

#[test]
fn a_restarted_camera_continues_right_after_its_last_frame() {
    let mut timeline = Timeline::default();
    timeline.begin();
    write(&mut timeline, 1000);
    write(&mut timeline, 1160);
    timeline.begin();
    let (_, first) = write(&mut timeline, 77);
    assert!(first.discontinuity);
    assert_eq!(first.dts, 8160 + 320, "40 ms after the last frame");
    assert!(!write(&mut timeline, 237).1.discontinuity);
}

#[test]
fn an_equal_format_keeps_the_same_arc_across_a_restart() {
    let mut timeline = Timeline::default();
    timeline.begin();
    let (_, before) = write(&mut timeline, 0);
    timeline.begin();
    let (_, after) = write(&mut timeline, 0);
    assert!(Arc::ptr_eq(&before.format, &after.format));
}

#[test]
fn a_track_that_changes_its_clock_stays_where_it_was_in_time() {
    let mut timeline = Timeline::default();
    timeline.begin();
    write(&mut timeline, 0);
    write(&mut timeline, 8000);
    timeline.begin();
    let mut faster = frame(
        Arc::new(Format::L16(L16 {
            sample_rate: 16_000,
            channels: 1,
        })),
        5,
    );
    timeline.place(&mut faster);
    assert_eq!(faster.dts_nanos(), 2_040_000_000);
}

#[test]
fn sound_from_before_the_seam_is_late() {
    let mut timeline = Timeline::default();
    timeline.begin();
    write(&mut timeline, 0);
    write(&mut timeline, 8000);
    assert_eq!(write(&mut timeline, 4000).0, Placed::Late);
    assert_eq!(write(&mut timeline, 8000).0, Placed::Late);
    assert_eq!(write(&mut timeline, 8160).0, Placed::AsSent);
}
#[test]
fn a_picture_whose_time_stands_still_is_moved_behind_the_one_before() {
    let mut timeline = Timeline::default();
    timeline.begin();
    let format = picture();
    for (pts, placed, dts) in [
        (0, Placed::AsSent, 0),
        (3600, Placed::AsSent, 3600),
        (3600, Placed::Repaired, 3601),
        (3000, Placed::Repaired, 3602),
    ] {
        let mut frame = frame(Arc::clone(&format), pts);
        assert_eq!(timeline.place(&mut frame), placed);
        assert_eq!(frame.dts, 90_000 + dts);
        assert!(frame.pts >= frame.dts);
    }
}

/// A picture format without parameter sets of its own: AV1 needs none for what is tested here.
fn picture() -> Arc<Format> {
    let header = bytes::Bytes::from_static(&[
        0x0a, 0x0b, 0x00, 0x00, 0x00, 0x24, 0xc4, 0xff, 0xdf, 0x3f, 0xfa, 0xe0, 0x10,
    ]);
    Arc::new(Format::Av1(
        media::Av1::new(header).expect("a sequence header"),
    ))
}
