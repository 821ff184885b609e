use proptest::prelude::*;

use super::*;

/// RFC 5769 §2.1: a request of `evtj:h6vY`, whose software names itself.
const SAMPLE: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
\x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
\x00\x06\x00\x09evtj:h6vY\x20\x20\x20\x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\
\xc1\xb5\x71\xa2\x80\x28\x00\x04\xe5\x7a\x3b\xcf";
const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

/// A request with the attributes given, signed with `password`.
fn request(attributes: &[(u16, &[u8])], password: &str) -> Vec<u8> {
    let mut writer = Writer::new(BINDING_REQUEST, &[7; 12]);
    for (kind, value) in attributes {
        writer.attribute(*kind, value);
    }
    writer.signed(&key(password))
}

const NAMED: (u16, &[u8]) = (USERNAME, b"ours:theirs");

#[test]
fn the_sample_request_of_rfc_5769_is_read_and_its_signature_holds() {
    let request = Request::parse(SAMPLE).expect("it is a request");
    assert_eq!((request.local, request.remote), ("evtj", "h6vY"));
    assert!(request.is_from(&key(PASSWORD)));
    assert!(!request.is_from(&key("another password")));
    assert!(request.controlled, "the sample is of a controlled agent");
}

#[test]
fn a_request_with_a_wrong_fingerprint_is_none() {
    let mut sample = SAMPLE.to_vec();
    *sample.last_mut().expect("bytes") ^= 1;
    assert_eq!(Request::parse(&sample), None);
}

#[test]
fn a_request_that_is_not_signed_is_none() {
    let mut writer = Writer::new(BINDING_REQUEST, &[7; 12]);
    writer.attribute(NAMED.0, NAMED.1);
    assert_eq!(Request::parse(&writer.bytes), None);
}

#[test]
fn what_stands_behind_the_signature_is_not_believed() {
    let mut bytes = request(&[NAMED], "p");
    bytes.truncate(bytes.len() - 8);
    let mut writer = Writer { bytes };
    writer.attribute(USE_CANDIDATE, b"");
    let parsed = Request::parse(&writer.bytes).expect("it is a request");
    assert!(parsed.is_from(&key("p")) && !parsed.use_candidate);
}

#[test]
fn the_answer_tells_the_senders_address_and_is_signed() {
    for from in [
        "192.0.2.1:32853",
        "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
    ] {
        let from: SocketAddr = from.parse().expect("an address");
        let bytes = request(&[NAMED, (USE_CANDIDATE, b"")], "p");
        let parsed = Request::parse(&bytes).expect("it is a request");
        assert!(parsed.use_candidate && parsed.succeeds());
        let answer = parsed.answer(from, &key("p"));
        assert_eq!(discovered(&answer, [7; 12]), Some(from));
        assert_eq!(discovered(&answer, [8; 12]), None, "of another transaction");
        let crc = crc32fast::hash(&answer[..answer.len() - 8]) ^ FINGERPRINT_MASK;
        assert_eq!(answer[answer.len() - 4..], crc.to_be_bytes());
    }
}

#[test]
fn a_peer_that_thinks_it_is_controlled_is_told_of_the_conflict() {
    let bytes = request(&[NAMED, (ICE_CONTROLLED, &[0; 8])], "p");
    let parsed = Request::parse(&bytes).expect("it is a request");
    let answer = parsed.answer(SocketAddr::from(([1, 2, 3, 4], 5)), &key("p"));
    assert_eq!(be16(&answer, 0), Some(BINDING_ERROR));
    assert_eq!(answer[HEADER + 4..HEADER + 8], [0, 0, 4, 87]);
    assert!(!parsed.succeeds());
}

#[test]
fn an_attribute_that_had_to_be_understood_is_named_in_the_refusal() {
    let bytes = request(&[NAMED, (0x7fff, &[1])], "p");
    let parsed = Request::parse(&bytes).expect("it is a request");
    let answer = parsed.answer(SocketAddr::from(([1, 2, 3, 4], 5)), &key("p"));
    assert_eq!(answer[HEADER + 4..HEADER + 8], [0, 0, 4, 20]);
    assert!(answer.windows(2).any(|pair| pair == [0x7f, 0xff]));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in 0usize..96, byte: u8,
    ) {
        let _ = Request::parse(&bytes);
        if bytes.len() >= 8 {
            bytes[..8].copy_from_slice(b"\0\x01\0\0\x21\x12\xa4\x42");
            let _ = Request::parse(&bytes);
            let _ = discovered(&bytes, [0; 12]);
        }
        let mut sample = SAMPLE.to_vec();
        sample[at] = byte;
        if let Some(request) = Request::parse(&sample) {
            let _ = request.is_from(&key(PASSWORD));
        }
    }
}
