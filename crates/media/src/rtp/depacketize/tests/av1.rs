use super::*;

/// 640 by 360, of SVT-AV1.
const SEQUENCE: &[u8] = &[
    0x08, 0, 0, 0, 0x0c, 0xc4, 0xff, 0x67, 0x3e, 0xfe, 0x40, 0x10,
];
const KEY: &[u8] = &[0x30, 0x10, 1, 2, 3];
const INTER: &[u8] = &[0x30, 0x30, 4, 5];
const DELIMITER: &[u8] = &[0x10];

fn sized(elements: &[&[u8]]) -> Vec<u8> {
    let mut payload = vec![0x08];
    for element in elements {
        payload.push(element.len() as u8);
        payload.extend_from_slice(element);
    }
    payload
}

#[test]
fn obus_get_sizes_and_delimiters_vanish() {
    let mut track = Track::new("AV1", 90_000, "");
    let unit = track
        .push(0, true, &sized(&[DELIMITER, SEQUENCE, KEY]))
        .remove(0);
    assert!(unit.keyframe);
    assert_eq!(unit.format.resolution(), Some((640, 360)));
    let expected = [&[0x0a, 11][..], &SEQUENCE[1..], &[0x32, 4], &KEY[1..]].concat();
    assert_eq!(unit.data, expected);
}

#[test]
fn an_obu_over_three_packets_is_joined() {
    let mut track = Track::new("AV1", 90_000, "");
    let first = [&[0x68][..], &[12], SEQUENCE, &KEY[..2]].concat(); // Y, W=2
    track.push(0, false, &first);
    track.push(0, false, &[0xd0, KEY[2]]); // Z, Y, W=1
    let unit = track.push(0, true, &[0x90, KEY[3], KEY[4]]).remove(0); // Z, W=1
    assert_eq!(unit.data[13..], [&[0x32, 4][..], &KEY[1..]].concat());
}

#[test]
fn a_loss_waits_for_the_next_keyframe() {
    let mut track = Track::new("AV1", 90_000, "");
    assert_eq!(track.push(0, true, &sized(&[INTER])), []);
    assert_eq!(track.push(3000, true, &sized(&[SEQUENCE, KEY])).len(), 1);
    assert_eq!(track.push(6000, true, &sized(&[INTER])).len(), 1);
    track.lose(2);
    assert_eq!(track.push(9000, true, &sized(&[INTER])), []);
    assert_eq!(
        track.push(12_000, true, &sized(&[SEQUENCE, KEY]))[0].lost,
        2
    );
    assert_eq!(track.dropped(), 1);
}
