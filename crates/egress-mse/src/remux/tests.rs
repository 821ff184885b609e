use media::{Aac, Opus};

use super::*;
use crate::testing::{PICTURE, SOUND, a_law, baseline, high, picture, sound, track};

fn tracks(list: Vec<Track>) -> Arc<[Track]> {
    list.into()
}

fn both() -> Arc<[Track]> {
    tracks(vec![
        track(PICTURE, Kind::Video, Some(&baseline())),
        track(SOUND, Kind::Audio, Some(&a_law())),
    ])
}

fn brief(slots: &[Slot<Arc<Muxed>>]) -> Vec<(u8, u64, bool)> {
    let of = |slot: &Slot<Arc<Muxed>>| (slot.item.track.0, slot.item.dts, slot.start);
    slots.iter().map(of).collect()
}

#[test]
fn nothing_comes_before_the_first_keyframe_and_only_those_are_starts() {
    let (mut remuxer, all) = (Remuxer::default(), both());
    let (video, audio) = (baseline(), a_law());
    assert!(
        remuxer
            .messages(&picture(&video, 0, false), &all)
            .is_empty()
    );
    assert!(remuxer.messages(&sound(&audio, 0), &all).is_empty());
    let first = remuxer.messages(&picture(&video, 1, true), &all);
    assert_eq!(brief(&first), [(0, 3600, true)]);
    assert_eq!(
        brief(&remuxer.messages(&sound(&audio, 2), &all)),
        [(1, 320, false)]
    );
    assert_eq!(
        brief(&remuxer.messages(&picture(&video, 2, false), &all)),
        [(0, 7200, false)]
    );
}

#[test]
fn a_message_is_a_frame_header_a_head_and_the_frames_own_bytes() {
    let (mut remuxer, all) = (Remuxer::default(), both());
    let frame = picture(&baseline(), 1, true);
    let slots = remuxer.messages(&frame, &all);
    let muxed = &slots[0].item;
    assert_eq!(muxed.data.as_ptr(), frame.data.as_ptr(), "not copied");
    let length = (muxed.head.len() - 4 + muxed.data.len()) as u16;
    assert_eq!(
        muxed.head[..4],
        [&[0x82, 126][..], &length.to_be_bytes()].concat()
    );
    assert_eq!(&muxed.head[8..12], b"moof");
    assert_eq!(muxed.head[muxed.tfdt_at..][..8], 3600_u64.to_be_bytes());
    assert_eq!(slots[0].at, 40_000_000);
}

#[test]
fn equal_parameters_after_a_restart_keep_the_layout() {
    let mut remuxer = Remuxer::default();
    let before = remuxer.messages(&picture(&baseline(), 0, true), &both());
    let after = remuxer.messages(&picture(&baseline(), 9, true), &both());
    assert!(Arc::ptr_eq(&before[0].item.layout, &after[0].item.layout));
}

#[test]
fn new_parameters_of_the_picture_are_a_new_layout_at_its_keyframe() {
    let (mut remuxer, all) = (Remuxer::default(), both());
    let before = remuxer.messages(&picture(&baseline(), 0, true), &all);
    assert!(
        remuxer
            .messages(&picture(&high(), 1, false), &all)
            .is_empty()
    );
    assert_eq!(remuxer.misfits(), 1);
    let after = remuxer.messages(&picture(&high(), 2, true), &all);
    assert_eq!(brief(&after), [(0, 3600, true)], "the time line goes on");
    assert!(!Arc::ptr_eq(&before[0].item.layout, &after[0].item.layout));
}

#[test]
fn new_parameters_of_the_sound_wait_for_the_keyframe() {
    let (mut remuxer, all) = (Remuxer::default(), both());
    let (video, opus) = (baseline(), Arc::new(Format::Opus(Opus { channels: 2 })));
    remuxer.messages(&picture(&video, 0, true), &all);
    assert!(remuxer.messages(&sound(&opus, 0), &all).is_empty());
    assert_eq!(remuxer.messages(&picture(&video, 1, false), &all).len(), 1);
    remuxer.messages(&picture(&video, 2, true), &all);
    assert_eq!(remuxer.messages(&sound(&opus, 48), &all).len(), 1);
}

#[test]
fn sound_that_never_comes_is_silence_beside_the_picture() {
    let (mut remuxer, all) = (Remuxer::default(), both());
    let video = baseline();
    let mut end = 0;
    for n in 0..50 {
        for slot in remuxer.messages(&picture(&video, n, n == 0), &all) {
            if slot.item.track == SOUND {
                assert_eq!(slot.item.dts, end, "without a seam");
                end = slot.item.dts + u64::from(slot.item.duration);
            }
        }
    }
    // 49 pictures of 40 ms have passed, in units of 20 ms.
    assert_eq!(end, 49 * 320);
}

#[test]
fn sound_that_pauses_is_bridged_and_goes_on_where_it_is_due() {
    let (mut remuxer, all) = (Remuxer::default(), both());
    let (video, audio) = (baseline(), a_law());
    let mut got = Vec::new();
    for n in 0..100 {
        let mut slots = remuxer.messages(&picture(&video, n, n == 0), &all);
        if !(10..60).contains(&n) {
            slots.extend(remuxer.messages(&sound(&audio, 2 * n), &all));
            slots.extend(remuxer.messages(&sound(&audio, 2 * n + 1), &all));
        }
        got.extend(slots.into_iter().filter(|slot| slot.item.track == SOUND));
    }
    let seams = got
        .windows(2)
        .filter(|pair| pair[0].item.dts + u64::from(pair[0].item.duration) != pair[1].item.dts);
    assert_eq!(seams.count(), 0);
    // Of the 4 s nothing is missing, and no more is early than what passes for punctual.
    assert!((200..=201).contains(&got.len()), "{}", got.len());
}

#[test]
fn sound_waits_for_a_picture_that_is_announced_without_parameters_but_not_for_ever() {
    let all = tracks(vec![
        track(PICTURE, Kind::Video, None),
        track(SOUND, Kind::Audio, Some(&a_law())),
    ]);
    let mut remuxer = Remuxer::default();
    assert!((0..150).all(|n| remuxer.messages(&sound(&a_law(), n), &all).is_empty()));
    let alone = remuxer.messages(&sound(&a_law(), 150), &all);
    assert_eq!(brief(&alone), [(1, 24_000, true)]);
    let joined = remuxer.messages(&picture(&baseline(), 80, true), &all);
    assert!(joined[0].item.layout.has_picture());
}

#[test]
fn tracks_that_mp4_can_not_hold_are_left_out_and_named() {
    let mut broken = track(PICTURE, Kind::Video, None);
    broken.encoding = "JPEG".to_owned();
    broken.unsupported = Some("unsupported codec JPEG".to_owned());
    let format = Aac::low_complexity(48_000, 2).expect("a usual rate");
    let all = tracks(vec![broken, track(SOUND, Kind::Audio, Some(&a_law()))]);
    let slots = Remuxer::default().messages(&sound(&a_law(), 0), &all);
    let offer = slots[0].item.layout.offer(|_| true).expect("FLAC");
    assert_eq!(offer.codecs, ["flac"]);
    let text = String::from_utf8_lossy(&offer.announcement).into_owned();
    assert!(
        text.contains(r#""name":"JPEG","why":"unsupported codec JPEG""#),
        "{text}"
    );
    drop(format);
}
