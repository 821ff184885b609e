//! Bytes that nobody sane sends.

use proptest::prelude::*;

use super::*;
use crate::rtp::MAX_READY;

const ENCODINGS: [(&str, &str); 8] = [
    ("H264", ""),
    ("H264", "sprop-parameter-sets=Z2QAM6wVFKAoALWQ,aO48sA=="),
    ("H265", "sprop-max-don-diff=1"),
    ("H265", ""),
    ("AV1", ""),
    ("MPEG4-GENERIC", "config=1408"),
    ("MP4A-LATM", "config=400023203fc0"),
    ("L16", ""),
];

/// Payloads that begin like real ones more often than chance has it.
fn payload() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        any::<u8>(),
        prop::sample::select(vec![
            0x67u8, 0x68, 0x65, 0x41, 0x78, 0x7c, 0x5c, 6, 0, 0x60, 0x62, 0x26, 0x42, 8
        ]),
    ];
    let rest = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(
            prop::sample::select(vec![0u8, 1, 3, 0x80, 0x40, 0x85, 0x45, 0xff]),
            0..80
        ),
    ];
    (first, rest).prop_map(|(first, rest)| [&[first][..], &rest].concat())
}

#[test]
fn a_picture_whose_last_fragment_could_not_be_read_is_dropped_and_not_passed_empty() {
    let (name, fmtp) = ENCODINGS[1];
    let mut track = Track::new(name, 90_000, fmtp);
    // A start code within SEI, parameter sets that can't be read, an aggregate that is cut short: then a
    // fragment that is taken apart only when the timestamp moves on.
    let packets: [(&[u8], u32); 5] = [
        (&[38, 0, 0, 1], 0),
        (&[103, 0, 0, 0, 0], 0),
        (&[120, 0, 1], 0),
        (&[188, 133], 1),
        (&[0], 0),
    ];
    for (payload, timestamp) in packets {
        if let Ok(units) = track.try_push(timestamp, false, payload) {
            assert!(units.iter().all(|unit| !unit.data.is_empty()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn arbitrary_packets_never_panic_and_never_pile_up(
        which in 0..ENCODINGS.len(),
        packets in prop::collection::vec((payload(), 0u32..3, any::<bool>(), prop_oneof![9 => Just(0u16), 1 => any::<u16>()]), 1..80),
    ) {
        let (name, fmtp) = ENCODINGS[which];
        let mut track = Track::new(name, 90_000, fmtp);
        let mut bytes = 0;
        for (payload, timestamp, marker, lost) in packets {
            bytes += payload.len();
            track.lose(lost);
            if let Ok(units) = track.try_push(timestamp, marker, &payload) {
                prop_assert!(units.len() <= MAX_READY);
                for unit in units {
                    // Four bytes of length for each NAL unit, and the twofold of 8-bit samples.
                    prop_assert!(unit.data.len() <= 5 * bytes + 8);
                    prop_assert!(!unit.data.is_empty());
                }
            }
        }
    }

    #[test]
    fn arbitrary_descriptions_never_panic(name in "[A-Z0-9-]{1,12}", fmtp in "\\PC{0,200}", rate in any::<u32>()) {
        for name in [name.as_str(), "H264", "H265", "MPEG4-GENERIC", "MP4A-LATM", "OPUS"] {
            for fmtp in [fmtp.clone(), format!("config={fmtp};sprop-parameter-sets={fmtp};sprop-sps={fmtp}")] {
                let _ = Depacketizer::new(&Encoding { name, clock_rate: rate, channels: None, fmtp: Some(&fmtp) });
            }
        }
    }
}
