mod ends;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ask::{Ask, Verdict};
use crate::playlist::{self, Playlist};
use crate::testing::{
    Begins, Listed, ListedSegment, Scene, TODAY, epoch, film, frame, packager, picture_format,
    sound_alone, sound_format, timely, tracks,
};
use crate::timing::SECOND;

const STEADY: Scene = Scene {
    step: 40_000,
    jitter: 0,
    gop: 50,
    seconds: 20,
    high: false,
    begins: Begins::Smoothly,
    ahead: 40,
    stalls: None,
};

/// A keyframe every ten seconds.
const SPARSE: Scene = Scene {
    gop: 256,
    seconds: 65,
    ..STEADY
};

fn listed(packager: &Packager, which: Playlist) -> Option<Listed> {
    let text = playlist::media(which, packager.window(), packager.timing()?, "x/")?;
    Some(Listed::read(&text))
}

/// Plays `scenes`; checks every `every`th state of the playlists.
fn play(scenes: &[Scene], sound: bool, settings: Settings, every: usize) -> Packager {
    play_with(packager(settings), scenes, sound, every)
}

/// The same with a packager that knows something already.
fn play_with(packager: Packager, scenes: &[Scene], sound: bool, every: usize) -> Packager {
    play_frames(packager, film(scenes, sound), every)
}

/// The same with these frames.
fn play_frames(
    mut packager: Packager,
    frames: Vec<(Frame, Arc<[Track]>)>,
    every: usize,
) -> Packager {
    let mut before: Option<Listed> = None;
    let (mut parts, mut hint) = (0_usize, 0);
    let mut asked = None;
    for (frame, tracks) in frames {
        if !packager.push(&frame, &tracks) {
            continue;
        }
        parts += 1;
        check_bounds(&packager);
        // §4.4.5.3: what was hinted at has come.
        assert!(hint == packager.window.next_part() || packager.window.part(hint).is_some());
        hint = packager.window.next_part();
        asked = Some(check_asking(&packager, asked));
        if parts.is_multiple_of(every)
            && let Some(low) = listed(&packager, Playlist::Low)
        {
            low.check();
            check_delta(&packager, &low);
            check_times(&packager);
            if packager.has_picture() {
                check_browser(&packager);
            }
            if let Some(before) = &before {
                low.check_after(before);
            }
            if let Some(plain) = listed(&packager, Playlist::Plain) {
                plain.check();
            }
            before = Some(low);
        }
    }
    assert!(before.is_some(), "there was never a playlist");
    packager
}

/// §6.2.5.2: what a player at live asks for next is waited for, as is what one asks for that runs ahead; what was `asked`
/// for before the newest part came is there. Returns what is asked for next.
fn check_asking(packager: &Packager, asked: Option<Ask>) -> Ask {
    let window = packager.window();
    let timing = packager.timing().expect("there is a part");
    let ask = |segment, part| Ask {
        segment: Some(segment),
        part: Some(part),
        ..Ask::default()
    };
    if let Some(asked) = asked {
        assert_eq!(asked.judge(window, timing), Verdict::Answer, "{asked:?}");
        let unordered = Ask {
            unordered: true,
            ..asked
        };
        let held = unordered.judge(window, timing) == Verdict::Wait;
        assert!(!held || window.parts(window.last()) == 1, "{asked:?}");
    }
    let next = ask(window.last(), window.parts(window.last()));
    assert_eq!(next.judge(window, timing), Verdict::Wait, "{next:?}");
    if let Some(newest) = window.all().next_back() {
        let ahead = ask(newest.number, newest.parts.len() as u64 + 2);
        assert_eq!(ahead.judge(window, timing), Verdict::Wait, "{ahead:?}");
        let far = ask(newest.number, newest.parts.len() as u64 + 20);
        assert!(matches!(far.judge(window, timing), Verdict::Refuse(_)));
    }
    next
}

fn check_bounds(packager: &Packager) {
    let settings = packager.settings;
    assert!(
        packager.window.bytes().0 <= settings.bytes,
        "more bytes than allowed"
    );
    let waiting: usize = packager.pending.iter().map(VecDeque::len).sum();
    assert!(waiting <= 2 * MAX_PENDING + 2, "{waiting} samples wait");
}

/// §6.2.5.1: what a delta update leaves out is beyond the skip boundary, and nothing else is changed.
fn check_delta(packager: &Packager, full: &Listed) {
    let delta = listed(packager, Playlist::LowDelta).expect("where there is a full one");
    let skipped = delta.skipped as usize;
    let same = |(a, b): (&ListedSegment, &ListedSegment)| {
        (&a.uri, &a.parts, &a.map, &a.date) == (&b.uri, &b.parts, &b.map, &b.date)
            && a.number == b.number
    };
    assert_eq!(delta.segments.len(), full.segments[skipped..].len());
    assert!(
        delta
            .segments
            .iter()
            .zip(&full.segments[skipped..])
            .all(same)
    );
    let rest: f64 = delta.segments.iter().map(ListedSegment::length).sum();
    if skipped > 0 {
        assert!(rest >= full.skip_until - 1e-6, "{rest} s are left");
    }
    let first = delta.segments.first().filter(|first| first.uri.is_some());
    let more = first.is_some_and(|first| rest - first.duration >= full.skip_until + 1e-6);
    assert!(!more, "one more segment could have been skipped");
}

/// The decode time of each part is what the playlist says of it, within 2 ms.
fn check_times(packager: &Packager) {
    let mut last: Option<(i64, i64)> = None;
    for segment in packager.window.all() {
        let map = &segment.map.layout;
        let clock = map.entries[0].clock();
        if segment.discontinuity {
            last = None;
        }
        for part in &segment.parts {
            let tfdt = part.data[moof_time()].try_into().expect("8 bytes");
            let at = media::time::ticks_to_nanos(u64::from_be_bytes(tfdt) as i64, clock);
            if let Some((before, duration)) = last {
                let off = at - before - duration;
                assert!(
                    off.abs() <= 2 * SECOND / 1000,
                    "part {} is off by {off} ns",
                    part.number
                );
            }
            last = Some((at, part.duration));
        }
    }
}

/// MSE §3.5.8: where the decode time goes on by more than twice the last duration, a browser drops what comes up to the next keyframe.
fn check_browser(packager: &Packager) {
    let mut last: Option<(u64, u64)> = None;
    for segment in packager.window.all() {
        if segment.discontinuity {
            last = None;
        }
        for part in segment.parts.iter().filter(|part| part.pictures > 0) {
            for (dts, duration, keyframe) in samples(&part.data) {
                if let Some((before, lasts)) = last {
                    let step = dts - before;
                    let taken = keyframe || step <= 2 * lasts;
                    assert!(taken, "{step} after {lasts} in part {}", part.number);
                }
                last = Some((dts, duration));
            }
        }
    }
}

/// Decode time, duration in ticks, and whether it is a keyframe, of each sample of a part's first track.
fn samples(part: &[u8]) -> Vec<(u64, u64, bool)> {
    let word = |at: usize| u32::from_be_bytes(part[at..at + 4].try_into().expect("4 bytes"));
    let mut dts = u64::from_be_bytes(part[moof_time()].try_into().expect("8 bytes"));
    let entries = (0..word(80) as usize).map(|place| 88 + 16 * place);
    entries
        .map(|at| {
            let (now, duration) = (dts, u64::from(word(at)));
            dts += duration;
            (now, duration, word(at + 8) & 0x1_0000 == 0)
        })
        .collect()
}

fn moof_time() -> std::ops::Range<usize> {
    fmp4::moof::TFDT_AT..fmp4::moof::TFDT_AT + 8
}

fn segments(packager: &Packager) -> Vec<f64> {
    let listed = listed(packager, Playlist::Plain).expect("a playlist");
    listed
        .segments
        .iter()
        .map(|segment| segment.duration)
        .collect()
}

#[test]
fn segments_end_at_keyframes_and_parts_have_one_length() {
    let packager = play(&[STEADY], true, Settings::default(), 1);
    assert!(
        segments(&packager)[4..]
            .iter()
            .all(|length| (length - 2.0).abs() < 1e-9)
    );
    let low = listed(&packager, Playlist::Low).unwrap();
    let parts = low.segments.iter().flat_map(|segment| &segment.parts);
    assert!(parts.clone().count() >= 10);
    assert!(parts.clone().all(|part| (part.duration - 0.2).abs() < 1e-9));
    let newest = &low.segments[low.segments.len() - 2];
    assert!(newest.parts[0].independent && !newest.parts[1].independent);
}

#[test]
fn a_minute_without_a_keyframe_is_cut_in_time_and_players_begin_where_one_is() {
    let scene = Scene {
        gop: 1500,
        seconds: 59,
        ..STEADY
    };
    let packager = play(&[scene], true, Settings::default(), 3);
    let lengths = segments(&packager);
    assert!(
        lengths.iter().sum::<f64>() > 50.0,
        "the keyframe stays listed: {lengths:?}"
    );
    let low = listed(&packager, Playlist::Low).unwrap();
    assert_eq!(
        low.start,
        Some(0.15),
        "in the first segment, which is listed in one piece, near its end"
    );
}

#[test]
fn what_was_cut_in_time_ends_at_the_next_keyframe_and_players_begin_at_the_last_one() {
    let scene = Scene {
        seconds: 60,
        ..SPARSE
    };
    let packager = play(&[scene], true, Settings::default(), 1);
    let low = listed(&packager, Playlist::Low).unwrap();
    let keyframes = low.segments.iter().flat_map(|segment| &segment.parts);
    assert!(keyframes.clone().any(|part| part.independent));
    for segment in &low.segments {
        let places = segment.parts.iter().enumerate();
        let late: Vec<_> = places
            .filter(|(place, part)| part.independent && *place > 0)
            .collect();
        assert!(
            late.is_empty(),
            "a segment begins with each keyframe: {late:?}"
        );
    }
    let (mut at, mut keyframes) = (0.0, Vec::new());
    for segment in &low.segments {
        if segment.parts.first().is_some_and(|part| part.independent) {
            keyframes.push(at + 0.01);
        }
        at += segment.length();
    }
    let start = low
        .start
        .expect("they are further apart than segments are long");
    let last = keyframes.iter().rfind(|keyframe| **keyframe + 0.6 <= at);
    assert!(
        last.is_some_and(|last| (last - start).abs() < 1e-6),
        "{start} of {keyframes:?}"
    );
}

#[test]
fn the_first_segment_has_all_that_was_in_the_ring() {
    let mut packager = packager(Settings::default());
    let scene = Scene {
        seconds: 5,
        ..STEADY
    };
    for (mut frame, tracks) in film(&[scene], true) {
        // All but the last second came before the packager began.
        frame.arrival -= Duration::from_secs(4);
        frame.keyframe &= frame.dts_nanos() < 2 * SECOND || frame.track.0 > 0;
        packager.push(&frame, &tracks);
        if packager.window.listed().next().is_some() {
            assert!(frame.arrival >= epoch().at, "more of it was there");
            break;
        }
    }
    let whole: i64 = packager.window.listed().map(|s| s.duration).sum();
    assert!(whole >= 3 * SECOND, "{whole}");
}

#[test]
fn a_picture_every_five_seconds_is_a_part() {
    let scene = Scene {
        step: 5_000_000,
        gop: 1,
        seconds: 200,
        ..STEADY
    };
    let silent = play(std::slice::from_ref(&scene), false, Settings::default(), 1);
    let heard = play(std::slice::from_ref(&scene), true, Settings::default(), 1);
    for packager in [silent, heard] {
        let low = listed(&packager, Playlist::Low).unwrap();
        assert!((low.part_target - 5.5).abs() < 1e-9 && (low.target - 6.0).abs() < 1e-9);
        let mut parts = packager.window.all().flat_map(|segment| &segment.parts);
        assert!(parts.all(|part| part.pictures == 1 && part.duration == 5 * SECOND));
    }
}

#[test]
fn slow_pictures_with_sound_have_parts_of_sound_between_them() {
    let scene = Scene {
        step: 1_000_000,
        gop: 4,
        seconds: 60,
        ahead: 1000,
        ..STEADY
    };
    let packager = play(&[scene], true, Settings::default(), 1);
    let low = listed(&packager, Playlist::Low).unwrap();
    assert!((low.part_target - 0.2).abs() < 1e-9);
}

#[test]
fn frames_that_were_passed_over_before_the_first_picture_hold_up_nothing() {
    let mut packager = packager(Settings::default());
    packager.skipped();
    let scene = Scene { gop: 1, ..STEADY };
    for (frame, tracks) in film(&[scene], true) {
        packager.push(&frame, &tracks);
    }
    let low = listed(&packager, Playlist::Low).expect("a playlist");
    low.check();
}

#[test]
fn a_restart_is_a_discontinuity_and_numbers_go_on() {
    let scenes = [
        STEADY,
        Scene {
            begins: Begins::Restarted,
            seconds: 5,
            ..STEADY
        },
    ];
    let packager = play(&scenes, true, Settings::default(), 1);
    let low = listed(&packager, Playlist::Low).unwrap();
    let breaks: Vec<u64> = low
        .segments
        .iter()
        .filter(|s| s.discontinuity)
        .map(|s| s.number)
        .collect();
    assert_eq!(breaks.len(), 1);
    assert_eq!(low.segments.last().unwrap().discontinuities, 1);
    let maps: Vec<_> = low.segments.iter().map(|segment| &segment.map).collect();
    assert!(
        maps.windows(2).all(|pair| pair[0] == pair[1]),
        "the same parameters, the same map"
    );
}

#[test]
fn new_parameters_are_a_new_map_behind_a_discontinuity() {
    let scenes = [
        STEADY,
        Scene {
            high: true,
            seconds: 5,
            ..STEADY
        },
    ];
    let packager = play(&scenes, true, Settings::default(), 1);
    let low = listed(&packager, Playlist::Low).unwrap();
    let change = low
        .segments
        .windows(2)
        .find(|pair| pair[0].map != pair[1].map)
        .unwrap();
    assert!(change[1].discontinuity);
}

#[test]
fn dates_become_the_cameras_as_soon_as_its_clock_is_known() {
    const BEHIND: i64 = 3600 * SECOND;
    let mut packager = packager(Settings::default());
    for (mut frame, tracks) in film(&[STEADY], false) {
        let at = frame.dts_nanos();
        frame.wallclock = (at >= 4 * SECOND).then_some(TODAY + at - BEHIND);
        packager.push(&frame, &tracks);
    }
    let low = listed(&packager, Playlist::Low).unwrap();
    let breaks = low.segments.iter().filter(|s| s.discontinuity).count();
    assert_eq!(breaks, 1, "and only once");
    let newest = packager.window().all().next_back().unwrap();
    let off = newest.date - (TODAY + SECOND - BEHIND);
    assert!((0..21 * SECOND).contains(&off), "{off} ns");
}

#[test]
fn sound_alone_is_cut_between_its_units() {
    let format = sound_format();
    let all = tracks(&[&format]);
    let mut packager = packager(Settings::default());
    for n in 0..2000 {
        packager.push(
            &frame(0, &format, SECOND + n * 1024 * SECOND / 48_000, true, 30),
            &all,
        );
    }
    let low = listed(&packager, Playlist::Low).unwrap();
    low.check();
    check_times(&packager);
    assert!(
        (low.part_target - 0.214).abs() < 1e-9,
        "{}",
        low.part_target
    );
    assert!(
        low.segments
            .iter()
            .flat_map(|segment| &segment.parts)
            .all(|part| part.independent)
    );
}

#[test]
fn pictures_whose_time_stands_still_fill_no_memory() {
    let format = picture_format(false);
    let all = tracks(&[&format]);
    let settings = Settings {
        bytes: 1 << 20,
        ..Settings::default()
    };
    let mut packager = packager(settings);
    for n in 0..30_000 {
        let mut frame = frame(0, &format, SECOND, n % 100 == 0, 1000);
        frame.dts += n;
        frame.pts += n;
        packager.push(&frame, &all);
        check_bounds(&packager);
    }
    assert!(
        packager
            .window
            .all()
            .map(|segment| segment.bytes)
            .sum::<usize>()
            < 3 << 20
    );
}

#[test]
fn a_segment_is_there_for_as_long_as_its_last_playlist_was() {
    let mut packager = packager(Settings::default());
    let scene = Scene {
        seconds: 120,
        ..STEADY
    };
    let mut clock = 0.0;
    let mut removed: VecDeque<(f64, u64)> = VecDeque::new();
    let mut first = None;
    let mut checked = 0;
    for (frame, tracks) in film(&[scene], false) {
        if !packager.push(&frame, &tracks) {
            continue;
        }
        clock += 0.2;
        let now = packager.window.first();
        let gone = first.replace(now).unwrap_or(now);
        removed.extend((gone..now).map(|number| {
            let segment = packager.window.segment(number).expect("just removed");
            (
                clock + 20.0 + segment.duration as f64 / SECOND as f64,
                number,
            )
        }));
        while removed.front().is_some_and(|(until, _)| clock >= *until) {
            removed.pop_front();
            checked += 1;
        }
        for (until, number) in &removed {
            let there = packager.window.segment(*number).is_some();
            assert!(there, "{number} is gone {} s too early", until - clock);
        }
    }
    assert!(checked > 20);
}

fn scenes() -> impl Strategy<Value = Vec<Scene>> {
    let begins = prop_oneof![
        Just(Begins::Smoothly),
        Just(Begins::Restarted),
        (1_i64..20_000).prop_map(Begins::Lost),
    ];
    let step = prop_oneof![
        Just(40_000_i64),
        Just(33_367),
        Just(83_333),
        Just(200_000),
        16_000_i64..200_000,
        200_000_i64..6_000_000,
    ];
    let stalls = prop_oneof![3 => Just(None), 1 => (20_u32..200, 300_i64..9000).prop_map(Some)];
    let scene = (
        step,
        0_i64..60,
        1_u32..1500,
        any::<bool>(),
        begins,
        -600_i64..900,
        stalls,
    )
        .prop_map(|(step, jitter, gop, high, begins, ahead, stalls)| Scene {
            step,
            jitter,
            gop,
            seconds: 360,
            high,
            begins,
            ahead,
            stalls,
        });
    prop::collection::vec(scene, 10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 60, ..ProptestConfig::default() })]

    /// Ten scenes of six minutes each.
    #[test]
    fn an_hour_of_whatever_a_camera_does_keeps_to_the_specification(
        scenes in scenes(),
        kinds in 0_u8..3,
        part in 200_u64..500,
        segment in 1_u64..8,
        gop in prop::option::of(300_i64..40_000),
    ) {
        let settings = Settings {
            part: Duration::from_millis(part),
            segment: Duration::from_secs(segment),
            window: Duration::from_secs(segment * 8),
            ..Settings::default()
        };
        let resume = Resume {
            gop: gop.map(|millis| millis * SECOND / 1000),
            ..Resume::default()
        };
        let frames = match kinds {
            0 => film(&scenes, false),
            1 => film(&scenes, true),
            _ => sound_alone(film(&scenes, true)),
        };
        play_frames(Packager::new(settings, epoch(), resume), frames, 17);
    }
}
