//! STUN (RFC 8489) as far as an ICE-lite agent needs it (RFC 8445 §7.3): binding requests in, answers out. Pure.

use std::net::{IpAddr, SocketAddr};

use aws_lc_rs::hmac;

const COOKIE: [u8; 4] = 0x2112_a442u32.to_be_bytes();
const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;

const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;

/// What the CRC is xored with (RFC 8489 §14.7).
const FINGERPRINT_MASK: u32 = 0x5354_554e;
/// Attributes of this range must be understood.
const REQUIRED: std::ops::Range<u16> = 0x0001..0x8000;

/// The key of MESSAGE-INTEGRITY with short-term credentials: the password (RFC 8489 §9.1.1).
pub(crate) fn key(password: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes())
}

/// Whether a datagram is STUN, by its first byte (RFC 7983 §7).
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram.len() >= HEADER && datagram[0] < 4 && datagram[4..8] == COOKIE
}

/// A binding request whose form is right. Whether it comes from who it says, [`Request::is_from`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    datagram: &'a [u8],
    /// Where MESSAGE-INTEGRITY begins.
    integrity_at: usize,
    /// The user name's first part: our name fragment.
    pub(crate) local: &'a str,
    /// The user name's second part: that of the peer.
    pub(crate) remote: &'a str,
    pub(crate) use_candidate: bool,
    /// The sender thinks that it is controlled, which we, as ICE-lite, always are.
    pub(crate) controlled: bool,
    /// The first attribute that had to be understood and wasn't.
    unknown: Option<u16>,
}

impl<'a> Request<'a> {
    /// Reads a binding request; none where it is something else, broken, not signed, or its FINGERPRINT is wrong.
    pub(crate) fn parse(datagram: &'a [u8]) -> Option<Self> {
        if !is_stun(datagram) || be16(datagram, 0)? != BINDING_REQUEST {
            return None;
        }
        if usize::from(be16(datagram, 2)?) + HEADER != datagram.len() {
            return None;
        }
        let mut found = Self {
            datagram,
            integrity_at: 0,
            local: "",
            remote: "",
            use_candidate: false,
            controlled: false,
            unknown: None,
        };
        let mut at = HEADER;
        while at < datagram.len() {
            let (kind, size) = (be16(datagram, at)?, usize::from(be16(datagram, at + 2)?));
            let value = datagram.get(at + 4..at + 4 + size)?;
            found.attribute(kind, value, at)?;
            at += 4 + size.next_multiple_of(4);
        }
        (found.integrity_at > 0 && !found.local.is_empty()).then_some(found)
    }

    fn attribute(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        if kind == FINGERPRINT {
            let crc = crc32fast::hash(&self.datagram[..at]) ^ FINGERPRINT_MASK;
            return (at + 8 == self.datagram.len() && value == crc.to_be_bytes()).then_some(());
        }
        if self.integrity_at > 0 {
            // RFC 8489 §14.5: what follows the signature is not covered by it.
            return Some(());
        }
        match kind {
            MESSAGE_INTEGRITY if value.len() == 20 => self.integrity_at = at,
            USERNAME => {
                (self.local, self.remote) = std::str::from_utf8(value).ok()?.split_once(':')?;
            }
            USE_CANDIDATE => self.use_candidate = true,
            ICE_CONTROLLED => self.controlled = true,
            PRIORITY | ICE_CONTROLLING => {}
            _ if REQUIRED.contains(&kind) => self.unknown = self.unknown.or(Some(kind)),
            _ => {}
        }
        Some(())
    }

    /// Whether it was signed by somebody who knows `key`.
    pub(crate) fn is_from(&self, key: &hmac::Key) -> bool {
        let mut signed = self.datagram[..self.integrity_at].to_vec();
        // RFC 8489 §14.5: the length as if the message ended behind MESSAGE-INTEGRITY.
        let length = (self.integrity_at + 24 - HEADER) as u16;
        signed[2..4].copy_from_slice(&length.to_be_bytes());
        let at = self.integrity_at + 4;
        hmac::verify(key, &signed, &self.datagram[at..at + 20]).is_ok()
    }

    /// The answer to a request that [`Request::is_from`] whom we know.
    pub(crate) fn answer(&self, from: SocketAddr, key: &hmac::Key) -> Vec<u8> {
        if let Some(unknown) = self.unknown {
            let mut writer = self.error(420, "Unknown Attribute");
            writer.attribute(UNKNOWN_ATTRIBUTES, &unknown.to_be_bytes());
            return writer.signed(key);
        }
        if self.controlled {
            // RFC 8445 §7.3.1.1: the lite agent keeps its role, the peer takes the other one.
            return self.error(487, "Role Conflict").signed(key);
        }
        let mut writer = Writer::new(BINDING_SUCCESS, self.transaction());
        writer.attribute(XOR_MAPPED_ADDRESS, &xor(from, self.transaction()));
        writer.signed(key)
    }

    /// Whether [`Request::answer`] says yes.
    pub(crate) fn succeeds(&self) -> bool {
        self.unknown.is_none() && !self.controlled
    }

    fn transaction(&self) -> &'a [u8] {
        &self.datagram[8..HEADER]
    }

    /// The identifier of the transaction, which no other request has (RFC 8489 §5).
    pub(crate) fn id(&self) -> [u8; 12] {
        let mut id = [0; 12];
        id.copy_from_slice(self.transaction());
        id
    }

    fn error(&self, code: u16, reason: &str) -> Writer {
        let mut writer = Writer::new(BINDING_ERROR, self.transaction());
        let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
        value.extend_from_slice(reason.as_bytes());
        writer.attribute(ERROR_CODE, &value);
        writer
    }
}

/// A binding request without credentials, to learn our public address from a server.
pub(crate) fn discovery(transaction: [u8; 12]) -> Vec<u8> {
    Writer::new(BINDING_REQUEST, &transaction).bytes
}

/// The address that the server says we have, where `datagram` answers `transaction`.
pub(crate) fn discovered(datagram: &[u8], transaction: [u8; 12]) -> Option<SocketAddr> {
    if !is_stun(datagram) || be16(datagram, 0)? != BINDING_SUCCESS {
        return None;
    }
    if datagram[8..HEADER] != transaction {
        return None;
    }
    let mut at = HEADER;
    while at < datagram.len() {
        let (kind, size) = (be16(datagram, at)?, usize::from(be16(datagram, at + 2)?));
        let value = datagram.get(at + 4..at + 4 + size)?;
        if kind == XOR_MAPPED_ADDRESS {
            return unxor(value, &transaction);
        }
        at += 4 + size.next_multiple_of(4);
    }
    None
}

/// A message under construction.
#[derive(Debug)]
struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn new(kind: u16, transaction: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(96);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(transaction);
        Self { bytes }
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.bytes.extend_from_slice(&kind.to_be_bytes());
        self.bytes
            .extend_from_slice(&(value.len() as u16).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self.set_length(0);
    }

    fn set_length(&mut self, more: usize) {
        let length = (self.bytes.len() - HEADER + more) as u16;
        self.bytes[2..4].copy_from_slice(&length.to_be_bytes());
    }

    fn signed(mut self, key: &hmac::Key) -> Vec<u8> {
        self.set_length(24);
        let tag = hmac::sign(key, &self.bytes);
        self.attribute(MESSAGE_INTEGRITY, tag.as_ref());
        self.set_length(8);
        let crc = crc32fast::hash(&self.bytes) ^ FINGERPRINT_MASK;
        self.attribute(FINGERPRINT, &crc.to_be_bytes());
        self.bytes
    }
}

fn be16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

/// RFC 8489 §14.2.
fn xor(address: SocketAddr, transaction: &[u8]) -> Vec<u8> {
    let mask: Vec<u8> = COOKIE.iter().chain(transaction).copied().collect();
    let (family, mut ip) = match address.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    ip.iter_mut()
        .zip(&mask)
        .for_each(|(byte, mask)| *byte ^= mask);
    let port = address.port() ^ 0x2112;
    let mut value = vec![0, family];
    value.extend_from_slice(&port.to_be_bytes());
    value.extend_from_slice(&ip);
    value
}

fn unxor(value: &[u8], transaction: &[u8]) -> Option<SocketAddr> {
    let mask: Vec<u8> = COOKIE.iter().chain(transaction).copied().collect();
    let port = be16(value, 2)? ^ 0x2112;
    let mut ip = value.get(4..)?.to_vec();
    ip.iter_mut()
        .zip(&mask)
        .for_each(|(byte, mask)| *byte ^= mask);
    let ip = match value[1] {
        1 => IpAddr::from(*ip.first_chunk::<4>()?),
        2 => IpAddr::from(*ip.first_chunk::<16>()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A check as a full agent sends it.
    pub(crate) fn signed_request(username: &str, password: &str, nominate: bool) -> Vec<u8> {
        let mut writer = Writer::new(BINDING_REQUEST, &crate::random::bytes::<12>());
        writer.attribute(USERNAME, username.as_bytes());
        writer.attribute(ICE_CONTROLLING, &[1; 8]);
        if nominate {
            writer.attribute(USE_CANDIDATE, b"");
        }
        writer.signed(&key(password))
    }
}
