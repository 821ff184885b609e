use super::*;

const VPS: &[u8] =
    b"\x40\x01\x0c\x01\xff\xff\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x5d\x95\x94\x09";
const SPS: &[u8] = b"\x42\x01\x01\x01\x60\0\0\x03\0\x90\0\0\x03\0\0\x03\0\x5d\xa0\x02\x80\x80\x2d\x16\x59\x59\x52\x93\x0b\xc0\x5a\x02\0\0\x03\0\x02\0\0\x03\0\x28\x10";
const PPS: &[u8] = b"\x44\x01\xc0\x73\xc1\x89";
const IDR: &[u8] = &[0x26, 1, 0xaf, 1];
const CRA: &[u8] = &[0x2a, 1, 0xaf, 2];
const RASL: &[u8] = &[0x10, 1, 0xd0, 3];
const TRAIL: &[u8] = &[0x02, 1, 0xd0, 4];
const SEI: &[u8] = &[0x4e, 1, 5, 1, 2, 0x80];

fn start() -> Track {
    let mut track = Track::new("H265", 90_000, "");
    assert_eq!(track.picture(0, &[VPS, SPS, PPS, IDR]).len(), 1);
    track
}

fn aggregate(nals: &[&[u8]], order: bool) -> Vec<u8> {
    let mut payload = vec![0x60, 1];
    for (index, nal) in nals.iter().enumerate() {
        if order {
            payload.extend_from_slice(if index == 0 { &[0, 9] } else { &[1] });
        }
        payload.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        payload.extend_from_slice(nal);
    }
    payload
}

#[test]
fn the_description_and_the_stream_complete_each_other() {
    let fmtp = "sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwBdlZQJ;sprop-pps=RAHAc8GJ";
    let mut track = Track::new("H265", 90_000, fmtp);
    assert!(track.depacketizer.format().is_none());
    let units = track.picture(0, &[SPS, IDR]);
    assert_eq!(units[0].format.resolution(), Some((1280, 720)));
}

#[test]
fn an_aggregate_with_markers_on_parameter_sets_is_one_picture() {
    let mut track = Track::new("hevc", 90_000, "");
    assert_eq!(track.push(0, true, &aggregate(&[VPS, SPS, PPS], false)), []);
    let units = track.push(0, true, &aggregate(&[SEI, IDR], false));
    assert_eq!(nals(&units[0]), [SEI, IDR]);
    assert!(units[0].keyframe);
}

#[test]
fn decoding_order_numbers_are_passed_over_where_announced() {
    let mut track = Track::new("H265", 90_000, "sprop-max-don-diff=2");
    track.push(0, false, &aggregate(&[VPS, SPS, PPS], true));
    let units = track.push(0, true, &[0x26, 1, 0, 5, 0xaf, 1]);
    assert_eq!(nals(&units[0]), [IDR]);
    track.push(3000, false, &[0x62, 1, 0x81, 0, 6, 0xd0]);
    assert_eq!(
        nals(&track.push(3000, true, &[0x62, 1, 0x41, 4])[0]),
        [TRAIL]
    );
}

#[test]
fn fragments_are_joined_also_where_start_and_end_are_one() {
    let mut track = start();
    track.push(3000, false, &[0x62, 1, 0x81, 0xd0]);
    assert_eq!(
        nals(&track.push(3000, true, &[0x62, 1, 0x41, 4])[0]),
        [TRAIL]
    );
    let both = track.push(6000, true, &[0x62, 1, 0x93, 0xaf, 1]);
    assert_eq!(nals(&both[0]), [IDR]);
    assert!(both[0].keyframe);
}

#[test]
fn leading_pictures_that_a_start_at_a_cra_breaks_are_dropped() {
    let mut track = start();
    assert_eq!(track.picture(3000, &[TRAIL]).len(), 1);
    // Nothing is missing: the leading pictures are fine.
    assert!(track.picture(6000, &[CRA])[0].keyframe);
    assert_eq!(track.picture(4500, &[RASL]).len(), 1);
    track.lose(1);
    assert_eq!(track.picture(9000, &[CRA]).len(), 1);
    assert_eq!(track.picture(7500, &[RASL]), []);
    assert_eq!(track.picture(12_000, &[TRAIL]).len(), 1);
    assert_eq!(track.picture(15_000, &[CRA]).len(), 1);
    assert_eq!(track.picture(13_500, &[RASL]).len(), 1);
}

#[test]
fn start_codes_inside_a_payload_are_split() {
    let code: &[u8] = &[0, 0, 0, 1];
    let mut track = Track::new("H265", 90_000, "");
    let whole = [code, VPS, code, SPS, code, PPS, code, IDR].concat();
    assert_eq!(nals(&track.push(0, true, &whole)[0]), [IDR]);
}

#[test]
fn enhancement_layers_and_content_packets_do_not_get_through() {
    let mut track = start();
    let units = track.picture(3000, &[TRAIL, &[0x02, 9, 0xd0, 5]]);
    assert_eq!(nals(&units[0]), [TRAIL]);
    assert!(track.try_push(6000, true, &[0x64, 1, 1, 2, 3]).is_err());
}
