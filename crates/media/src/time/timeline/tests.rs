use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::rtcp::NtpTime;
use crate::{G711, H264};

const VIDEO: TrackId = TrackId(0);
const AUDIO: TrackId = TrackId(1);
const MS: i64 = 1_000_000;

/// What a Timeline makes of a camera, with time in milliseconds from an arbitrary start.
struct Scene {
    timeline: Timeline,
    start: Instant,
    video: Arc<Format>,
    audio: Arc<Format>,
}

impl Scene {
    fn new() -> Self {
        let sps: &'static [u8] = &[
            0x67, 0x42, 0xc0, 0x1e, 0xda, 0x02, 0x80, 0xbf, 0xe5, 0xc0, 0x44, 0,
        ];
        let pps: &'static [u8] = &[0x68, 0xce, 0x0f, 0xc8];
        let video = H264::new(Bytes::from_static(sps), vec![Bytes::from_static(pps)]).unwrap();
        let audio = G711 {
            a_law: true,
            sample_rate: 8000,
            channels: 1,
        };
        Self {
            timeline: Timeline::new(),
            start: Instant::now(),
            video: Arc::new(Format::H264(video)),
            audio: Arc::new(Format::G711(audio)),
        }
    }

    /// The same camera with pictures that overtake others.
    fn reordering() -> Self {
        let mut scene = Self::new();
        if let Format::H264(video) = &*scene.video {
            let mut video = video.clone();
            video.reorder = Some(2);
            scene.video = Arc::new(Format::H264(video));
        }
        scene
    }

    fn at(&self, ms: i64) -> Instant {
        self.start + Duration::from_millis(ms.unsigned_abs())
    }

    fn unit(&self, id: TrackId, timestamp: u32, bytes: usize) -> AccessUnit {
        AccessUnit {
            timestamp,
            keyframe: true,
            lost: 0,
            format: if id == VIDEO {
                self.video.clone()
            } else {
                self.audio.clone()
            },
            data: Bytes::from(vec![0; bytes]),
        }
    }

    /// A picture at `ms`.
    fn video(&mut self, timestamp: u32, ms: i64) -> Placed {
        let unit = self.unit(VIDEO, timestamp, 1);
        self.timeline.place(VIDEO, &unit, self.at(ms))
    }

    /// 20 ms of sound at `ms`.
    fn audio(&mut self, timestamp: u32, ms: i64) -> Placed {
        let unit = self.unit(AUDIO, timestamp, 160);
        self.timeline.place(AUDIO, &unit, self.at(ms))
    }

    /// A report of `id` that puts `rtp` at `wall` milliseconds of the camera's clock.
    fn report(&mut self, id: TrackId, rtp: u32, wall: i64) {
        let ntp = NtpTime::from_unix_nanos(1_800_000_000 * NANOS + wall * MS);
        let report = SenderReport {
            ssrc: 1,
            ntp,
            rtp,
            packets: 0,
            octets: 0,
        };
        self.timeline.sender_report(id, &report);
    }
}

/// Milliseconds from the beginning of the time line.
fn ms(placed: &Placed, rate: i64) -> i64 {
    placed.pts * 1000 / rate - LEAD / MS
}

#[test]
fn tracks_begin_by_arrival_and_go_on_by_timestamps_across_the_wrap() {
    let mut scene = Scene::new();
    let first = scene.video(u32::MAX - 1799, 0);
    assert_eq!(first.pts, 90_000);
    let second = scene.video(1800, 47);
    assert_eq!(second.pts, 90_000 + 3600);
    let sound = scene.audio(77, 100);
    assert_eq!(ms(&sound, 8000), 100);
    assert_eq!(scene.audio(77 + 160, 135).pts, sound.pts + 160);
    assert_eq!(
        (second.discontinuity, second.repair, second.wallclock),
        (false, None, None)
    );
}

#[test]
fn a_day_of_ticks_is_exact() {
    let mut scene = Scene::new();
    scene.video(0, 0);
    for hour in 1..=24i64 {
        let placed = scene.video((hour * 3600 * 90_000) as u32, hour * 3_600_000);
        assert_eq!(placed.pts, 90_000 + hour * 3600 * 90_000);
    }
}

#[test]
fn reports_move_sound_gently_to_its_picture() {
    let mut scene = Scene::new();
    scene.video(0, 0);
    // Sound arrives 200 ms late: it was taken together with the first picture.
    let mut last = scene.audio(0, 200);
    scene.report(VIDEO, 0, 5000);
    scene.report(AUDIO, 0, 5000);
    for index in 1..100u32 {
        let placed = scene.audio(index * 160, 200 + 20 * i64::from(index));
        let step = placed.pts - last.pts;
        assert!((119..=160).contains(&step), "{step}");
        last = placed;
    }
    assert_eq!(ms(&last, 8000), 99 * 20);
    assert_eq!(scene.timeline.shift(AUDIO), Some(-200 * MS));
    let wallclock = 1_800_000_000 * NANOS + (5000 + 99 * 20) * MS;
    assert_eq!(last.wallclock, Some(wallclock));
    assert_eq!(
        scene.video(90_000, 1000).pts,
        180_000,
        "picture never moves"
    );
}

#[test]
fn sound_moves_forwards_as_gently() {
    let mut scene = Scene::new();
    scene.audio(0, 0);
    scene.video(0, 100);
    scene.report(VIDEO, 0, 0);
    scene.report(AUDIO, 0, 300);
    let mut last = 8000;
    for index in 1..200u32 {
        let placed = scene.audio(index * 160, 20 * i64::from(index));
        assert!((160..=201).contains(&(placed.pts - last)));
        last = placed.pts;
    }
    assert_eq!(scene.timeline.shift(AUDIO), Some(400 * MS));
}

#[test]
fn a_track_that_begins_after_the_reports_takes_its_place_at_once() {
    let mut scene = Scene::new();
    scene.timeline.add(VIDEO, Kind::Video, 90_000);
    scene.timeline.add(AUDIO, Kind::Audio, 8000);
    scene.video(0, 0);
    scene.report(VIDEO, 0, 0);
    scene.report(AUDIO, 8000, 1000);
    // Taken 400 ms after the first picture, and 100 ms on its way.
    let placed = scene.audio(3200, 500);
    assert_eq!(ms(&placed, 8000), 400);
    let mut scene = Scene::new();
    scene.timeline.add(VIDEO, Kind::Video, 90_000);
    scene.audio(0, 0);
    scene.report(AUDIO, 0, 0);
    scene.report(VIDEO, 0, 50);
    assert_eq!(ms(&scene.video(0, 500), 90_000), 50);
}

#[test]
fn ten_milliseconds_are_no_reason_to_move() {
    let mut scene = Scene::new();
    scene.video(0, 0);
    scene.audio(0, 0);
    scene.report(VIDEO, 0, 0);
    scene.report(AUDIO, 0, 9);
    scene.audio(160, 20);
    assert_eq!(scene.timeline.shift(AUDIO), Some(0));
}

#[test]
fn reports_without_a_time_or_with_an_absurd_one_are_ignored() {
    let mut scene = Scene::new();
    scene.video(0, 0);
    scene.audio(0, 0);
    scene.report(VIDEO, 0, 0);
    scene.report(AUDIO, 0, 3_600_000);
    scene.audio(160, 20);
    assert_eq!(scene.timeline.shift(AUDIO), Some(0));
    let report = SenderReport {
        ssrc: 1,
        ntp: NtpTime(0),
        rtp: 0,
        packets: 0,
        octets: 0,
    };
    scene.timeline.sender_report(VIDEO, &report);
    scene.report(AUDIO, 3_000_000_000, 0);
    assert_eq!(scene.audio(320, 40).wallclock, None);
}

#[test]
fn a_camera_that_sets_its_clock_does_not_tear_sound_from_picture() {
    let mut scene = Scene::new();
    scene.video(0, 0);
    scene.audio(0, 0);
    scene.report(VIDEO, 0, 0);
    scene.report(AUDIO, 0, 0);
    // The clock is set forward by a second between the reports of both tracks.
    scene.video(90_000, 1000);
    scene.audio(8000, 1000);
    scene.report(AUDIO, 8000, 2000);
    scene.report(VIDEO, 90_000, 2000);
    scene.audio(8160, 1020);
    assert_eq!(scene.timeline.shift(AUDIO), Some(0));
}

#[test]
fn pictures_that_are_reordered_keep_their_times() {
    let mut scene = Scene::reordering();
    let pts: Vec<i64> = [0u32, 4, 2, 1, 3, 8, 6, 5, 7]
        .iter()
        .enumerate()
        .map(|(index, place)| scene.video(place * 3600, 40 * index as i64).pts)
        .collect();
    let expected = [0, 4, 2, 1, 3, 8, 6, 5, 7].map(|place| 90_000 + place * 3600);
    assert_eq!(pts, expected);
}

#[test]
fn a_clock_that_stands_still_goes_by_arrival() {
    let mut scene = Scene::new();
    for index in 0..500 {
        let placed = scene.video(0, index * 40);
        assert_eq!(ms(&placed, 90_000), index * 40);
        assert!(!placed.discontinuity);
    }
}

#[test]
fn sound_without_timestamps_goes_by_its_length() {
    let mut scene = Scene::new();
    for index in 0..500 {
        let jitter = [0, 70, 30, 5][index as usize % 4];
        let placed = scene.audio(0, index * 20 + jitter);
        assert_eq!(ms(&placed, 8000), index * 20);
    }
    // After a second of silence it goes on by arrival.
    let placed = scene.audio(0, 11_000);
    assert!((10_900..=11_000).contains(&ms(&placed, 8000)), "{placed:?}");
}

#[test]
fn a_repeated_timestamp_is_paced_and_forgotten() {
    let mut scene = Scene::new();
    let times: Vec<i64> = [0u32, 3600, 3600, 10_800, 14_400]
        .iter()
        .enumerate()
        .map(|(index, timestamp)| ms(&scene.video(*timestamp, 40 * index as i64), 90_000))
        .collect();
    assert_eq!(times, [0, 40, 80, 120, 160]);
}

#[test]
fn a_clock_that_falls_back_a_little_counts_from_there() {
    let mut scene = Scene::new();
    for index in 0..50 {
        scene.video(index * 3600, i64::from(index) * 40);
    }
    let mut repairs = Vec::new();
    for index in 50..60 {
        let placed = scene.video(index * 3600 - 45_000, i64::from(index) * 40);
        assert_eq!(ms(&placed, 90_000), i64::from(index) * 40);
        assert!(!placed.discontinuity);
        repairs.extend(placed.repair);
    }
    assert_eq!(repairs, [Repair::Paced, Repair::Paced, Repair::Reanchored]);
}

#[test]
fn a_jump_in_either_direction_goes_on_by_arrival() {
    for base in [90_000 * 3600, 90_000 * 20, 0u32.wrapping_sub(90_000 * 5)] {
        let mut scene = Scene::new();
        scene.video(0, 0);
        let placed = scene.video(base, 40);
        assert_eq!(ms(&placed, 90_000), 40);
        assert!(placed.discontinuity && matches!(placed.repair, Some(Repair::Jump { .. })));
        let placed = scene.video(base.wrapping_add(3600), 90);
        assert_eq!((ms(&placed, 90_000), placed.discontinuity), (80, false));
    }
}

#[test]
fn a_single_wild_timestamp_is_one_unit_long() {
    for wild in [0, 90_000 * 7200] {
        let mut scene = Scene::new();
        let base = 90_000 * 5;
        scene.video(base, 0);
        scene.video(base + 3600, 40);
        assert_eq!(ms(&scene.video(wild, 80), 90_000), 80);
        let placed = scene.video(base + 10_800, 120);
        assert_eq!((ms(&placed, 90_000), placed.discontinuity), (120, false));
        assert_eq!(placed.repair, Some(Repair::Restored));
        assert_eq!(ms(&scene.video(base + 14_400, 160), 90_000), 160);
    }
}

#[test]
fn a_pause_that_really_happened_is_no_jump() {
    let mut scene = Scene::new();
    scene.video(0, 0);
    let placed = scene.video(90_000 * 60, 60_300);
    assert_eq!((ms(&placed, 90_000), placed.discontinuity), (60_000, false));
}

#[test]
fn a_stall_and_a_burst_of_the_network_change_nothing() {
    let mut scene = Scene::new();
    for index in 0..300i64 {
        let arrival = if (100..200).contains(&index) {
            8000
        } else {
            index * 40
        };
        let placed = scene.video(index as u32 * 3600, arrival);
        assert_eq!((ms(&placed, 90_000), placed.repair), (index * 40, None));
    }
}

#[test]
fn a_burst_at_the_start_is_not_a_fast_clock() {
    let mut scene = Scene::new();
    for index in 0..1000i64 {
        let arrival = (index * 40 - 4000).max(0);
        let placed = scene.video(index as u32 * 3600, arrival);
        assert_eq!((ms(&placed, 90_000), placed.repair), (index * 40, None));
    }
}

#[test]
fn sound_on_another_clock_than_announced_is_found_by_its_length() {
    let mut scene = Scene::new();
    scene.video(0, 0);
    let mut repairs = Vec::new();
    let mut last = None;
    for index in 0..100u32 {
        // 20 ms of sound advance by 960 ticks: the clock is 48 kHz.
        let placed = scene.audio(index * 960, i64::from(index) * 20);
        repairs.extend(placed.repair);
        last = Some(placed);
    }
    let rate = Repair::Rate {
        announced: 8000,
        measured: 48_000,
    };
    assert_eq!(repairs, [rate]);
    let ahead = ms(&last.unwrap(), 8000) - 99 * 20;
    assert!((0..1000).contains(&ahead), "{ahead}");
}

#[test]
fn picture_on_another_clock_than_announced_is_found_by_arrival() {
    // In milliseconds, and counting 25 pictures a second while 15 are sent.
    for clock in [1000i64, 54_000] {
        let mut scene = Scene::new();
        let mut repairs = Vec::new();
        for index in 0..20_000i64 {
            let jitter = [0, 9, 3, 14][index as usize % 4];
            let placed = scene.video((index * 40 * clock / 1000) as u32, index * 40 + jitter);
            repairs.extend(placed.repair.map(|repair| (repair, placed.discontinuity)));
            if index > 300 {
                let off = ms(&placed, 90_000) - index * 40;
                assert!(off.abs() < 60, "{off} at {index}");
            }
        }
        let [
            (
                Repair::Rate {
                    announced: 90_000,
                    measured,
                },
                true,
            ),
        ] = repairs[..]
        else {
            panic!("{repairs:?}");
        };
        assert!(
            i64::from(measured).abs_diff(clock) * 100 < clock as u64,
            "{measured}"
        );
    }
}

#[test]
fn a_rate_of_the_format_other_than_that_of_the_clock_is_converted() {
    let mut scene = Scene::new();
    scene.timeline.add(AUDIO, Kind::Audio, 16_000);
    scene.video(0, 0);
    let first = scene.audio(0, 0);
    let second = scene.audio(320, 20);
    assert_eq!(second.pts - first.pts, 160);
}

proptest! {
    #[test]
    fn sound_never_goes_back_whatever_a_camera_says(
        steps in prop::collection::vec((any::<u32>(), 0i64..3000, 0..6u8, any::<u64>()), 1..200)
    ) {
        let mut scene = Scene::new();
        let (mut timestamp, mut now, mut last) = (0u32, 0, i64::MIN);
        for (value, wait, kind, ntp) in steps {
            now += wait;
            match kind {
                0 => timestamp = value,
                1 => timestamp = timestamp.wrapping_sub(value % 9000),
                2 => {
                    let report = SenderReport { ssrc: 0, ntp: NtpTime(ntp), rtp: value, packets: 0, octets: 0 };
                    scene.timeline.sender_report(if value % 2 == 0 { AUDIO } else { VIDEO }, &report);
                }
                3 => { scene.video(value, now); }
                _ => timestamp = timestamp.wrapping_add(value % 2000),
            }
            let placed = scene.audio(timestamp, now);
            prop_assert!(placed.pts > last);
            last = placed.pts;
        }
    }
}
