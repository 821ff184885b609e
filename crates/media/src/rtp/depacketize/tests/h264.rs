use std::sync::Arc;

use super::*;
use crate::rtp::MAX_UNIT;
use crate::{Format, nal::RandomAccess};

/// 2560 by 1440, of a Reolink camera.
const SPS: &[u8] = &[
    0x67, 0x64, 0, 0x33, 0xac, 0x15, 0x14, 0xa0, 0x28, 0, 0xb5, 0x90,
];
const PPS: &[u8] = &[0x68, 0xee, 0x3c, 0xb0];
/// 640 by 480, of a Dahua camera.
const SMALL_SPS: &[u8] = &[
    0x67, 0x64, 0, 0x1e, 0xac, 0x15, 0x14, 0xa0, 0xa0, 0x3d, 0xa1, 0, 0, 4, 0xf6, 0, 0, 0x63, 0x38,
    4, 1,
];
const SEI: &[u8] = &[6, 5, 2, 1, 2, 0x80];
const RECOVERY: &[u8] = &[6, 6, 1, 0xc4, 0x80];
const AUD: &[u8] = &[9, 0xf0];
const IDR: &[u8] = &[0x65, 0x88, 0x84, 1];
const IDR_MORE: &[u8] = &[0x65, 0x21, 0x84, 2];
const P: &[u8] = &[0x41, 0x9a, 3];
const P_MORE: &[u8] = &[0x41, 0x3a, 4];
const FMTP: &str =
    "packetization-mode=1;profile-level-id=640033;sprop-parameter-sets=Z2QAM6wVFKAoALWQ,aO48sA==";

fn track() -> Track {
    Track::new("H264", 90_000, FMTP)
}

fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A STAP-A of `nals`.
fn stap(nals: &[&[u8]]) -> Vec<u8> {
    let mut payload = vec![0x78];
    for nal in nals {
        payload.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        payload.extend_from_slice(nal);
    }
    payload
}

/// FU-A packets of `nal`, `size` bytes of it in each.
fn fragments(nal: &[u8], size: usize) -> Vec<Vec<u8>> {
    let chunks: Vec<&[u8]> = nal[1..].chunks(size).collect();
    let last = chunks.len() - 1;
    let of = |(index, chunk): (usize, &&[u8])| {
        let flags = if index == 0 { 0x80 } else { 0 } | if index == last { 0x40 } else { 0 };
        joined(&[&[nal[0] & 0xe0 | 0x1c, flags | nal[0] & 0x1f], chunk])
    };
    chunks.iter().enumerate().map(of).collect()
}

fn size(unit: &AccessUnit) -> Option<(u32, u32)> {
    unit.format.resolution()
}

#[test]
fn the_description_gives_the_format_before_any_packet() {
    let track = track();
    let format = track.depacketizer.format().unwrap();
    assert_eq!(format.resolution(), Some((2560, 1440)));
}

#[test]
fn parameter_sets_in_the_stream_do_where_the_description_has_none() {
    let mut track = Track::new("H264", 90_000, "");
    assert!(track.depacketizer.format().is_none());
    assert_eq!(track.picture(0, &[IDR]), []);
    let units = track.picture(3000, &[SPS, PPS, IDR]);
    assert_eq!(size(&units[0]), Some((2560, 1440)));
    assert_eq!(nals(&units[0]), [IDR]);
    assert!(units[0].keyframe);
}

#[test]
fn an_unchanged_format_stays_the_same_arc() {
    let mut track = track();
    let before = track.depacketizer.format().unwrap().clone();
    let with_zeros = joined(&[SPS, &[0, 0]]);
    let units = track.picture(0, &[&with_zeros, PPS, IDR]);
    assert!(Arc::ptr_eq(&units[0].format, &before));
}

#[test]
fn new_parameter_sets_change_the_format_of_the_very_unit_that_uses_them() {
    let mut track = track();
    let first = track.picture(0, &[IDR]);
    let second = track.picture(3000, &[P]);
    let third = track.picture(6000, &[SMALL_SPS, PPS, IDR]);
    assert_eq!(size(&first[0]), Some((2560, 1440)));
    assert_eq!(size(&second[0]), Some((2560, 1440)));
    assert_eq!(size(&third[0]), Some((640, 480)));
}

#[test]
fn parameter_sets_that_follow_a_picture_belong_to_the_next() {
    let mut track = track();
    track.push(0, false, IDR);
    track.push(3000, false, P);
    // No markers, and the sets still carry the timestamp of the picture before them.
    track.push(3000, false, SMALL_SPS);
    track.push(3000, false, PPS);
    let second = track.push(6000, false, IDR);
    assert_eq!(size(&second[0]), Some((2560, 1440)));
    let third = track.push(9000, false, P);
    assert_eq!(size(&third[0]), Some((640, 480)));
}

#[test]
fn markers_on_parameter_sets_and_sei_do_not_end_a_picture() {
    let mut track = track();
    for nal in [SPS, PPS, SEI] {
        assert_eq!(track.push(0, true, nal), []);
    }
    let units = track.push(0, true, IDR);
    assert_eq!(nals(&units[0]), [SEI, IDR]);
}

#[test]
fn delimiters_filler_and_type_zero_are_left_out_and_sei_stays() {
    let mut track = track();
    let units = track.picture(0, &[AUD, SEI, &[12, 0xff, 0x80], &[0], IDR]);
    assert_eq!(nals(&units[0]), [SEI, IDR]);
}

#[test]
fn slices_with_parameter_sets_between_them_are_one_unit() {
    let mut track = track();
    let units = track.picture(0, &[SPS, PPS, IDR, SPS, PPS, IDR_MORE]);
    assert_eq!(units.len(), 1);
    assert_eq!(nals(&units[0]), [IDR, IDR_MORE]);
}

#[test]
fn pictures_end_by_timestamp_where_markers_are_missing() {
    let mut track = track();
    assert_eq!(track.push(0, false, IDR), []);
    assert_eq!(nals(&track.push(3000, false, P)[0]), [IDR]);
    assert_eq!(nals(&track.push(6000, false, P)[0]), [P]);
}

#[test]
fn a_marker_on_every_slice_is_found_out() {
    let mut track = track();
    assert_eq!(track.push(0, true, IDR).len(), 1);
    assert_eq!(track.push(0, true, IDR_MORE), []);
    let mut units = Vec::new();
    for picture in 1..4u32 {
        let (first, more) = if picture == 2 {
            (IDR, IDR_MORE)
        } else {
            (P, P_MORE)
        };
        units.extend(track.push(picture * 3000, true, first));
        units.extend(track.push(picture * 3000, true, more));
    }
    units.extend(track.push(12_000, true, P));
    let whole: Vec<_> = units.iter().map(nals).collect();
    assert_eq!(whole, [[IDR, IDR_MORE], [P, P_MORE]]);
}

#[test]
fn timestamps_that_stand_still_split_at_markers() {
    let mut track = track();
    let units: Vec<_> = [IDR, P, P]
        .iter()
        .flat_map(|nal| track.push(7, true, nal))
        .collect();
    assert_eq!(units.len(), 3);
}

#[test]
fn timestamps_that_stand_still_without_markers_split_at_first_slices() {
    let mut track = track();
    for _ in 0..9 {
        assert_eq!(track.push(7, false, P), []);
    }
    let units: Vec<_> = [IDR, P, P, P]
        .iter()
        .flat_map(|nal| track.push(7, false, nal))
        .collect();
    assert_eq!(
        units.iter().map(nals).collect::<Vec<_>>(),
        [[IDR], [P], [P]]
    );
}

#[test]
fn aggregates_and_fragments_make_the_same_unit_as_single_packets() {
    let long: Vec<u8> = joined(&[IDR, &[0xaa; 5000]]);
    let mut track = track();
    let single = track.picture(0, &[SEI, &long]);
    let mut payloads = vec![stap(&[SPS, PPS, SEI])];
    payloads.extend(fragments(&long, 1400));
    let refs: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let split = track.picture(3000, &refs);
    assert_eq!(single[0].data, split[0].data);
    let order_number = [&[0x79, 0, 7][..], &stap(&[SEI, IDR])[1..]].concat();
    assert_eq!(nals(&track.picture(6000, &[&order_number])[0]), [SEI, IDR]);
}

#[test]
fn start_codes_inside_one_payload_are_split() {
    let code: &[u8] = &[0, 0, 0, 1];
    let mut track = Track::new("H264", 90_000, "");
    let inside = joined(&[SPS, code, PPS, code, SEI, &code[1..], IDR]);
    let units = track.picture(0, &[&inside]);
    assert_eq!(nals(&units[0]), [SEI, IDR]);
    let ahead = joined(&[code, AUD, code, P]);
    assert_eq!(nals(&track.picture(3000, &[&ahead])[0]), [P]);
    // Once the habit is known, slices are searched as well.
    let slices = joined(&[P, code, P_MORE]);
    assert_eq!(nals(&track.picture(6000, &[&slices])[0]), [P, P_MORE]);
}

#[test]
fn start_codes_inside_fragments_are_split() {
    let code: &[u8] = &[0, 0, 0, 1];
    let long = joined(&[IDR, &[0xaa; 3000]]);
    for whole in [
        joined(&[SPS, code, PPS, code, &long]),
        joined(&[code, SPS, code, PPS, code, &long]),
    ] {
        let mut track = Track::new("H264", 90_000, "");
        let payloads = fragments(&whole, 1000);
        let refs: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let units = track.picture(0, &refs);
        assert_eq!(nals(&units[0]), [long.as_slice()]);
    }
}

#[test]
fn nothing_passes_before_the_first_keyframe_and_that_is_no_drop() {
    let mut track = track();
    assert_eq!(track.picture(0, &[P]), []);
    // The tail of a picture whose beginning was sent before the session joined.
    assert_eq!(track.picture(3000, &[&[0x7c, 0x45, 1, 2]]), []);
    assert_eq!(track.picture(6000, &[IDR]).len(), 1);
    assert_eq!(track.dropped(), 0);
}

#[test]
fn a_loss_drops_everything_up_to_the_next_keyframe() {
    let mut track = track();
    track.picture(0, &[IDR]);
    let long = joined(&[P, &[0xaa; 3000]]);
    let pieces = fragments(&long, 1000);
    track.push(3000, false, &pieces[0]);
    track.lose(1);
    assert_eq!(track.push(3000, true, &pieces[3]), []);
    assert_eq!(track.picture(6000, &[P]), []);
    let units = track.picture(9000, &[IDR]);
    assert_eq!((units.len(), units[0].lost), (1, 1));
    assert_eq!(track.dropped(), 2);
    assert_eq!(track.picture(12_000, &[P])[0].lost, 0);
}

#[test]
fn a_loss_between_pictures_spares_the_keyframe_that_follows() {
    let mut track = track();
    track.picture(0, &[IDR]);
    track.lose(3);
    let units = track.picture(9000, &[SPS, PPS, IDR]);
    assert_eq!((units.len(), units[0].lost), (1, 3));
    assert_eq!(track.dropped(), 0);
}

#[test]
fn a_keyframe_whose_first_slice_is_lost_is_not_one() {
    let mut track = track();
    track.picture(0, &[IDR]);
    track.lose(1);
    assert_eq!(track.picture(3000, &[IDR_MORE]), []);
    track.lose(1);
    assert_eq!(track.picture(6000, &[&[0x7c, 0x45, 1, 2]]), []);
    assert_eq!(track.picture(9000, &[IDR]).len(), 1);
    assert_eq!(track.dropped(), 2);
}

#[test]
fn a_loss_of_the_marker_packet_drops_the_picture_before() {
    let mut track = track();
    track.picture(0, &[IDR]);
    track.push(3000, false, P);
    track.lose(1);
    assert_eq!(track.picture(6000, &[P]), []);
    assert_eq!(track.picture(9000, &[IDR]).len(), 1);
    assert_eq!(track.dropped(), 2);
}

#[test]
fn a_fragment_without_an_end_is_closed_by_the_marker_or_the_next_unit() {
    let mut track = track();
    track.push(0, false, &[0x7c, 0x85, 0x88, 1]);
    assert_eq!(
        nals(&track.push(0, true, &[0x7c, 0x05, 2])[0]),
        [[0x65, 0x88, 1, 2]]
    );
    track.push(3000, false, &[0x5c, 0x81, 0x9a, 1]);
    assert_eq!(
        nals(&track.push(3000, true, P_MORE)[0]),
        [vec![0x41, 0x9a, 1], P_MORE.to_vec()]
    );
}

#[test]
fn a_packet_that_makes_no_sense_is_an_error_and_the_rest_goes_on() {
    let mut track = track();
    track.picture(0, &[IDR]);
    assert!(track.try_push(3000, true, &[0x78, 0, 9, 0x41]).is_err());
    assert!(track.try_push(6000, true, &[0x7a, 1, 2, 3]).is_err());
    assert_eq!(track.push(9000, true, &[]), []);
    assert_eq!(track.picture(12_000, &[IDR]).len(), 1);
}

#[test]
fn recovery_points_start_a_stream_that_has_no_idr() {
    let mut track = track();
    let units = track.picture(0, &[RECOVERY, P]);
    assert!(units[0].keyframe);
    assert!(!track.picture(3000, &[P])[0].keyframe);
    assert!(track.picture(6000, &[RECOVERY, P])[0].keyframe);
}

#[test]
fn recovery_points_beside_idr_pictures_start_nothing_until_the_idr_pictures_end() {
    let mut track = track();
    track.picture(0, &[IDR]);
    let starts: Vec<bool> = (1..5u32)
        .map(|index| track.picture(index * 3000, &[RECOVERY, P])[0].keyframe)
        .collect();
    assert_eq!(starts, [false, false, true, true]);
    track.picture(30_000, &[IDR]);
    assert!(!track.picture(33_000, &[RECOVERY, P])[0].keyframe);
}

#[test]
fn a_unit_that_grows_without_end_is_given_up() {
    let mut track = track();
    track.picture(0, &[IDR]);
    track.push(3000, false, &joined(&[&[0x7c, 0x85], &vec![0x88; 60_000]]));
    let more = joined(&[&[0x7c, 0x05], &vec![0x88; 60_000]]);
    let mut errors = 0;
    for _ in 0..MAX_UNIT / 60_000 + 10 {
        errors += usize::from(track.try_push(3000, false, &more).is_err());
    }
    assert!(errors > 0);
    track.push(3000, true, P);
    assert_eq!(track.picture(6000, &[IDR]).len(), 1);
}

#[test]
fn what_comes_out_agrees_with_the_public_view_of_random_access() {
    let mut track = track();
    let unit = track.picture(0, &[SEI, IDR]).remove(0);
    assert_eq!(
        nal::random_access(&unit.format, &unit.data),
        RandomAccess::Full
    );
    assert!(matches!(&*unit.format, Format::H264(_)));
}
