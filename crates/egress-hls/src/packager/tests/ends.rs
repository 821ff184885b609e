//! Where parts and segments end.

use super::*;

fn knowing(gop: impl Into<Option<i64>>) -> Packager {
    let resume = Resume {
        gop: gop.into(),
        ..Resume::default()
    };
    Packager::new(Settings::default(), epoch(), resume)
}

#[test]
fn where_it_is_known_how_far_keyframes_are_apart_segments_begin_with_them() {
    let mut packager = knowing(10_240_000_000);
    let mut states = 0;
    for (frame, tracks) in film(&[SPARSE], true) {
        if packager.push(&frame, &tracks)
            && let Some(low) = listed(&packager, Playlist::Low)
        {
            low.check();
            states += 1;
            let whole = low.segments.iter().skip(4).filter(|s| s.uri.is_some());
            // Half a picture is what the playlist's clock may be off.
            assert!(whole.clone().all(|s| (s.duration - 10.24).abs() < 0.02));
            assert!((low.target - 10.0).abs() < 1e-9);
        }
    }
    assert!(states > 300);
    let total: i64 = packager.window.all().map(|s| s.duration).sum();
    assert!(total >= 30 * SECOND, "three target durations are listed");
}

#[test]
fn a_target_duration_is_the_way_between_keyframes_rounded() {
    let target = |gop| Timing::heard(&Settings::default(), SECOND / 25, Some(gop)).target / SECOND;
    let of_millis: Vec<i64> = [500, 1000, 2000, 2300, 2560, 4000, 10_240, 29_900, 60_000]
        .map(|millis| target(millis * 1_000_000))
        .into();
    assert_eq!(of_millis, [2, 2, 2, 2, 3, 4, 10, 30, 4]);
}

#[test]
fn parts_fill_a_gop_evenly_where_that_makes_them_little_shorter() {
    let part = |gop: i64| {
        let gop = Some(gop * 1_000_000);
        Timing::heard(&Settings::default(), SECOND / 25, gop).part / 1_000_000
    };
    let of_millis: Vec<i64> = [500, 1000, 1040, 1996, 2003, 2560, 10_240].map(part).into();
    assert_eq!(of_millis, [200, 200, 174, 200, 200, 197, 197]);
}

/// Where the first picture of a part is decoded and where the last one ends, in ticks.
fn decoded(part: &[u8]) -> (u64, u64) {
    let all = samples(part);
    let last = all.last().expect("a picture");
    (all[0].0, last.0 + last.1)
}

#[test]
fn pictures_end_where_the_next_part_begins_or_ticks_before_a_keyframe() {
    let packager = play(&[STEADY], true, Settings::default(), 50);
    let all = packager.window.all().flat_map(|segment| &segment.parts);
    let parts: Vec<_> = all.collect();
    let mut keyframes = 0;
    for pair in parts.windows(2) {
        let gap = decoded(&pair[1].data).0 - decoded(&pair[0].data).1;
        let expected = if pair[1].independent { 1..=150 } else { 0..=0 };
        assert!(expected.contains(&gap), "{gap} after {}", pair[0].number);
        keyframes += usize::from(pair[1].independent);
    }
    assert!(keyframes >= 5);
}

#[test]
fn no_keyframe_is_shown_before_the_part_that_it_begins() {
    let scene = Scene {
        step: 40_013,
        jitter: 20,
        ..STEADY
    };
    for gop in [None, Some(2_000_650_000)] {
        let packager = play_with(knowing(gop), std::slice::from_ref(&scene), true, 50);
        let all = packager.window.all().flat_map(|segment| &segment.parts);
        let offsets: Vec<i32> = all
            .filter(|part| part.independent)
            .map(|part| i32::from_be_bytes(part.data[100..104].try_into().expect("4 bytes")))
            .collect();
        assert!(offsets.len() >= 5);
        assert!(offsets.iter().all(|offset| *offset >= 0), "{offsets:?}");
    }
}

#[test]
fn a_keyframe_a_little_late_leaves_no_short_part_before_it() {
    // 50 pictures of 40.2 ms: 10 ms more than ten parts.
    let scene = Scene {
        step: 40_200,
        ..STEADY
    };
    for gop in [None, Some(2_010_000_000)] {
        let packager = play_with(knowing(gop), std::slice::from_ref(&scene), true, 50);
        let all = packager.window.all().flat_map(|segment| &segment.parts);
        let shortest = all.map(|part| part.duration).min();
        assert!(shortest >= Some(SECOND / 50), "{shortest:?}");
    }
}

#[test]
fn each_segment_of_slow_pictures_with_sound_has_one() {
    for (step, gop, part) in [
        (5_000_000, 1, 5.5),
        (5_000_000, 12, 5.5),
        (3_300_000, 4, 3.63),
        (1_400_000, 5, 0.2),
        (1_000_000, 7, 0.2),
        (1_000_000, 1, 0.2),
        (1_400_000, 1, 0.2),
        (500_000, 2, 0.2),
        (300_000, 4, 0.2),
    ] {
        let scene = Scene {
            step,
            gop,
            seconds: 150,
            ..STEADY
        };
        let mut packager = packager(Settings::default());
        let mut whole = 0;
        for (frame, tracks) in timely(scene, true) {
            packager.push(&frame, &tracks);
            let from = whole;
            for segment in packager.window.listed().filter(|s| s.number >= from) {
                whole = segment.number + 1;
                assert!(segment.pictures > 0, "{step} {gop}: {segment:?}");
            }
        }
        let low = listed(&packager, Playlist::Low).unwrap();
        assert!((low.part_target - part).abs() < 1e-9);
        assert!(whole >= 20, "{whole} segments of {step}");
    }
}

#[test]
fn sound_beside_pictures_that_are_a_second_apart_is_listed_as_it_comes() {
    let (picture, sound) = (picture_format(false), sound_format());
    let all = tracks(&[&picture, &sound]);
    let mut packager = packager(Settings {
        window: Duration::from_secs(60),
        ..Settings::default()
    });
    let step = 1024 * SECOND / 48_000;
    let mut units = 0;
    for n in 0..(40 * SECOND / step) {
        let now = SECOND + n * step;
        if n % 60 == 0 {
            packager.push(&frame(0, &picture, now, n == 0, 900), &all);
        }
        packager.push(&frame(1, &sound, now, true, 20), &all);
        let listed: i64 = packager.window.all().map(|s| s.duration).sum();
        // The first picture waits for the second one.
        if n > 2 * 60 && n % 60 > 20 {
            let late = now - SECOND - listed;
            assert!((-2 * step..SECOND / 2).contains(&late), "{late} at {now}");
        }
        units += 1;
    }
    // What is listed is what the camera sent, and no silence in its place.
    let parts = packager.window.all().flat_map(|segment| &segment.parts);
    let bytes: usize = parts.map(|part| count(&part.data, &[1; 20])).sum();
    assert!(bytes * 10 > units * 9, "{bytes} of {units}");
}

/// How often `what` stands in `data`, without overlaps.
fn count(data: &[u8], what: &[u8]) -> usize {
    let mut rest = data;
    let mut found = 0;
    while let Some(at) = rest.windows(what.len()).position(|some| some == what) {
        found += 1;
        rest = &rest[at + what.len()..];
    }
    found
}

/// What is listed first.
fn first_playlist(packager: &mut Packager, frames: Vec<(Frame, Arc<[Track]>)>) -> Listed {
    let mut lists = frames.into_iter().filter_map(|(frame, tracks)| {
        packager.push(&frame, &tracks);
        listed(packager, Playlist::Low)
    });
    lists.next().expect("something is listed")
}

#[test]
fn parts_of_slow_pictures_follow_them() {
    for (sound, jitter, gop) in [(true, 4, 6), (false, 4, 6), (true, 0, 250), (false, 7, 1)] {
        let scene = Scene {
            step: 4_987_000,
            jitter,
            gop,
            seconds: 600,
            ..STEADY
        };
        let packager = play(&[scene], sound, Settings::default(), 1);
        let parts = packager.window.all().flat_map(|segment| &segment.parts);
        for part in parts {
            assert_eq!(part.pictures, 1, "{sound} {jitter}: {}", part.number);
            let offset = i32::from_be_bytes(part.data[100..104].try_into().expect("4 bytes"));
            // In ticks: a picture is decoded where it is shown, by a fifth of its length at most.
            assert!(
                offset.abs() < 90_000,
                "{sound} {jitter} {gop} {offset} in {}",
                part.number
            );
        }
    }
}

#[test]
fn pictures_little_longer_than_parts_are_all_taken_by_a_browser() {
    for step in [
        190_000, 200_300, 210_000, 250_000, 290_000, 333_333, 500_000,
    ] {
        for jitter in [0, 2, 10, 30] {
            for sound in [true, false] {
                let scene = Scene {
                    step,
                    jitter,
                    gop: 100,
                    seconds: 100,
                    ahead: 600,
                    ..STEADY
                };
                play(&[scene], sound, Settings::default(), 10);
            }
        }
    }
}

#[test]
fn the_first_playlist_of_slow_pictures_has_two_segments() {
    for sound in [true, false] {
        for gop in [1, 6] {
            let mut packager = packager(Settings::default());
            let scene = Scene {
                step: 5_000_000,
                gop,
                ..STEADY
            };
            let low = first_playlist(&mut packager, timely(scene, sound));
            let whole: Vec<_> = low.segments.iter().filter(|s| s.uri.is_some()).collect();
            assert_eq!(whole.len(), 2, "sound {sound}, gop {gop}");
            assert!(whole.iter().all(|s| (s.duration - 5.0).abs() < 1e-9));
        }
    }
}

#[test]
fn the_first_segments_of_pictures_longer_than_parts_begin_with_one_each() {
    for (step, gop) in [(1_000_000, 1), (1_000_000, 5), (500_000, 4), (250_000, 12)] {
        for millis in (0..3000).step_by(200) {
            let mut packager = packager(Settings::default());
            packager.began += Duration::from_millis(millis);
            let scene = Scene {
                step,
                gop,
                ..STEADY
            };
            let low = first_playlist(&mut packager, timely(scene, true));
            low.check();
            let whole: Vec<_> = low.segments.iter().filter(|s| s.uri.is_some()).collect();
            assert!(whole.len() >= 3, "{step} {gop} {millis}: {low:?}");
            let mut first = packager.window.listed().take(whole.len());
            assert!(first.all(|segment| segment.parts[0].pictures > 0));
        }
    }
}

#[test]
fn the_first_playlist_has_three_whole_segments_wherever_in_a_gop_it_comes() {
    for millis in (1000..3600).step_by(40) {
        let mut packager = knowing(2_000_000_000);
        // So much was there before the packager began.
        packager.began += Duration::from_millis(millis);
        let low = first_playlist(&mut packager, film(&[STEADY], true));
        low.check();
        let whole: Vec<_> = low.segments.iter().filter(|s| s.uri.is_some()).collect();
        assert_eq!(whole.len(), 3, "{millis} ms");
        assert!(whole[0].parts.is_empty(), "it is listed in one piece");
        assert_eq!(whole[1].parts.len(), 1, "{millis} ms");
        assert!((1..=3).contains(&whole[2].parts.len()), "{millis} ms");
        // Inside the segment with the keyframe, near its end.
        let (start, ends) = (low.start.expect("told"), whole[0].duration);
        let usual = ends + whole[1].duration + whole[2].duration - 3.0 * low.part_target;
        if ends > 0.1
            && low
                .segments
                .iter()
                .all(|s| s.parts.iter().all(|p| !p.independent))
        {
            assert!(
                (start - (ends - 0.05).min(usual).max(0.01)).abs() < 1e-6,
                "{start} of {ends}"
            );
        }
        check_times(&packager);
    }
}
