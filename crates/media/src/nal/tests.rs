use super::*;

#[test]
fn start_codes_of_any_length_split_and_empty_units_vanish() {
    let stream = [
        0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0, 0, 1, 0x68, 3, 0, 0, 0, 0, 1, 0x65, 9,
    ];
    let units: Vec<&[u8]> = annexb::split(&stream).collect();
    assert_eq!(units, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 9]]);
}

#[test]
fn bytes_before_the_first_start_code_are_a_unit() {
    let units: Vec<&[u8]> = annexb::split(&[0x67, 1, 0, 0, 1, 0x68]).collect();
    assert_eq!(units, [&[0x67, 1][..], &[0x68]]);
}

#[test]
fn a_length_past_the_end_ends_the_units() {
    let data = [0, 0, 0, 1, 0x65, 0, 0, 0, 0, 0, 0, 0, 9, 1];
    assert_eq!(units(&data).collect::<Vec<_>>(), [&[0x65][..]]);
}

#[test]
fn a_recovery_point_is_found_behind_other_messages() {
    let user_data = [6, 5, 2, 0xaa, 0xbb, 6, 1, 0xc4, 0x80];
    assert_eq!(h264::random_access(&user_data), RandomAccess::Recovery);
    assert_eq!(
        h264::random_access(&[6, 5, 2, 6, 1, 0x80]),
        RandomAccess::No
    );
    assert_eq!(h264::random_access(&[6, 0xff, 0xff]), RandomAccess::No);
    assert_eq!(h264::random_access(&[0x65, 0x88]), RandomAccess::Full);
}

#[test]
fn the_h265_pictures_to_start_at_are_bla_idr_and_cra() {
    let starts: Vec<u8> = (0..64)
        .filter(|kind| h265::random_access(&[kind << 1, 1, 0x80]) == RandomAccess::Full)
        .collect();
    assert_eq!(starts, [16, 17, 18, 19, 20, 21]);
}
