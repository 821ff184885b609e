//! STUN as an ICE agent needs it (RFC 8489, RFC 8445 section 7).

use std::net::SocketAddrV4;

use aws_lc_rs::hmac;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const INTEGRITY: usize = 24;
const FINGERPRINT: usize = 8;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
/// As RFC 8445 section 5.1.2 computes it for a host's only address, of the type peer reflexive.
const PRIORITY: u32 = 0x6eff_ffff;

/// What a STUN message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A check of the other side.
    Request,
    /// An answer to our check.
    Success,
    /// Anything else.
    Other,
}

/// What `datagram` is, if it is STUN.
#[must_use]
pub fn kind(datagram: &[u8]) -> Option<Kind> {
    let kind = u16::from_be_bytes([*datagram.first()?, *datagram.get(1)?]);
    (datagram.get(4..8)? == COOKIE && datagram.len() >= HEADER).then_some(match kind {
        REQUEST => Kind::Request,
        SUCCESS => Kind::Success,
        _ => Kind::Other,
    })
}

/// A check of a controlling agent that nominates the pair at once. `user` is `THEIRS:OURS`, `key` of their password.
#[must_use]
pub fn check(number: u64, user: &str, key: &hmac::Key) -> Vec<u8> {
    let mut message = begin(REQUEST, number);
    attribute(&mut message, 0x0006, user.as_bytes());
    attribute(&mut message, 0x0024, &PRIORITY.to_be_bytes());
    attribute(&mut message, 0x802a, &number.to_be_bytes());
    attribute(&mut message, 0x0025, &[]);
    finish(message, key)
}

/// The answer to a check of the other side, signed with our own password.
#[must_use]
pub fn answer(request: &[u8], from: SocketAddrV4, key: &hmac::Key) -> Vec<u8> {
    let mut message = begin(SUCCESS, 0);
    message[8..HEADER].copy_from_slice(&request[8..HEADER]);
    let port = from.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
    let mut mapped = vec![0, 1];
    mapped.extend_from_slice(&port.to_be_bytes());
    mapped.extend(from.ip().octets().iter().zip(COOKIE).map(|(a, b)| a ^ b));
    attribute(&mut message, 0x0020, &mapped);
    finish(message, key)
}

fn begin(kind: u16, number: u64) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(&COOKIE);
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(&number.to_be_bytes());
    message
}

fn attribute(message: &mut Vec<u8>, kind: u16, value: &[u8]) {
    message.extend_from_slice(&kind.to_be_bytes());
    message.extend_from_slice(&(value.len() as u16).to_be_bytes());
    message.extend_from_slice(value);
    message.resize(message.len().next_multiple_of(4), 0);
}

/// Adds MESSAGE-INTEGRITY and FINGERPRINT.
fn finish(mut message: Vec<u8>, key: &hmac::Key) -> Vec<u8> {
    let length = |message: &mut Vec<u8>, more: usize| {
        let length = (message.len() - HEADER + more) as u16;
        message[2..4].copy_from_slice(&length.to_be_bytes());
    };
    length(&mut message, INTEGRITY);
    let tag = hmac::sign(key, &message);
    attribute(&mut message, 0x0008, tag.as_ref());
    length(&mut message, FINGERPRINT);
    let sum = crc32fast::hash(&message) ^ 0x5354_554e;
    attribute(&mut message, 0x8028, &sum.to_be_bytes());
    message
}

/// The key that messages are signed with.
#[must_use]
pub fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_has_the_length_and_sums_that_it_says() {
        let check = check(7, "them:us", &key("secret"));
        assert_eq!(kind(&check), Some(Kind::Request));
        let length = u16::from_be_bytes([check[2], check[3]]);
        assert_eq!(usize::from(length), check.len() - HEADER);
        let (before, last) = check.split_at(check.len() - 4);
        let sum = crc32fast::hash(&before[..before.len() - 4]) ^ 0x5354_554e;
        assert_eq!(last, sum.to_be_bytes());
        let answer = answer(&check, "127.1.0.2:4000".parse().unwrap(), &key("other"));
        assert_eq!(kind(&answer), Some(Kind::Success));
        assert_eq!(kind(b"\x80\x60\0\x01"), None);
    }
}
