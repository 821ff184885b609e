//! SRTP and SRTCP (RFC 3711, RFC 7714) of one viewer: RTP and RTCP out, RTCP in. Pure.
//!
//! An outgoing packet is written into a buffer and sealed there. The nonce is made of SSRC and sequence number, so one
//! pair of them must never be sealed with two different contents: senders number packets in 64 bits, of which the
//! lower 48 go into the nonce, and what is sent again under its old number is the same, bit by bit.

mod kdf;
mod replay;

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use dimpl::SrtpProfile;

use crate::Error;
use kdf::{Label, derive};
use replay::Window;

/// The length of an HMAC-SHA1-80 tag.
const SHA1_TAG: usize = 10;
const GCM_TAG: usize = 16;
/// The E flag and index that follow an SRTCP packet.
const INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;
/// The header of an RTCP packet, which is never encrypted.
const RTCP_HEADER: usize = 8;

/// Both directions of one viewer.
#[derive(Debug)]
pub(crate) struct Srtp {
    rtp: Sealer,
    rtcp: Sealer,
    rtcp_index: u32,
    theirs: Sealer,
    seen: Window,
}

/// Keys of one direction and protocol.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are of the large one, which is used for each packet"
)]
enum Sealer {
    Gcm {
        key: LessSafeKey,
        salt: [u8; 12],
    },
    Sha1 {
        cipher: EncryptingKey,
        salt: [u8; 14],
        auth: hmac::Key,
    },
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gcm { .. } => "Gcm",
            Self::Sha1 { .. } => "Sha1",
        })
    }
}

impl Srtp {
    /// The contexts with the keying material of RFC 5764 §4.2; `client` says that we were the client of DTLS.
    ///
    /// # Errors
    /// [`Error::Srtp`] for a profile that is not known, or keys of a wrong length.
    pub(crate) fn new(material: &[u8], profile: SrtpProfile, client: bool) -> Result<Self, Error> {
        let (key, salt, algorithm) = match profile {
            SrtpProfile::AEAD_AES_256_GCM => (32, 12, Some(&AES_256_GCM)),
            SrtpProfile::AEAD_AES_128_GCM => (16, 12, Some(&AES_128_GCM)),
            SrtpProfile::AES128_CM_SHA1_80 => (16, 14, None),
            _ => return Err(Error::Srtp),
        };
        let part = |at: usize, size: usize| material.get(at..at + size).ok_or(Error::Srtp);
        let of_client = (part(0, key)?, part(2 * key, salt)?);
        let of_server = (part(key, key)?, part(2 * key + salt, salt)?);
        let (ours, theirs) = if client {
            (of_client, of_server)
        } else {
            (of_server, of_client)
        };
        Ok(Self {
            rtp: Sealer::new(ours.0, ours.1, algorithm, Label::RTP)?,
            rtcp: Sealer::new(ours.0, ours.1, algorithm, Label::RTCP)?,
            rtcp_index: 0,
            theirs: Sealer::new(theirs.0, theirs.1, algorithm, Label::RTCP)?,
            seen: Window::default(),
        })
    }

    /// Seals the RTP packet that begins at `start` of `buffer` and ends with it. Its header has `header` bytes,
    /// `sequence` is its extended sequence number.
    pub(crate) fn seal_rtp(
        &self,
        buffer: &mut Vec<u8>,
        start: usize,
        header: usize,
        sequence: u64,
    ) -> Result<(), Error> {
        let ssrc = be32(&buffer[start..], 8).ok_or(Error::Srtp)?;
        match &self.rtp {
            Sealer::Gcm { key, salt } => {
                let nonce = gcm_nonce(salt, ssrc, sequence & 0xffff_ffff_ffff);
                let (head, body) = buffer[start..].split_at_mut(header);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(&*head), body)
                    .map_err(|_| Error::Srtp)?;
                buffer.extend_from_slice(tag.as_ref());
            }
            Sealer::Sha1 { cipher, salt, auth } => {
                counter_mode(cipher, salt, ssrc, sequence, &mut buffer[start + header..])?;
                let rollovers = (sequence >> 16) as u32;
                let mut context = hmac::Context::with_key(auth);
                context.update(&buffer[start..]);
                context.update(&rollovers.to_be_bytes());
                buffer.extend_from_slice(&context.sign().as_ref()[..SHA1_TAG]);
            }
        }
        Ok(())
    }

    /// Seals the compound RTCP packet that begins at `start` of `buffer` and ends with it.
    pub(crate) fn seal_rtcp(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        let index = self.rtcp_index;
        // RFC 3711 §9.2: no key lives longer. At one report a second that is 68 years.
        self.rtcp_index = index
            .checked_add(1)
            .filter(|next| next & ENCRYPTED == 0)
            .ok_or(Error::Srtp)?;
        let ssrc = be32(&buffer[start..], 4).ok_or(Error::Srtp)?;
        let trailer = (index | ENCRYPTED).to_be_bytes();
        match &self.rtcp {
            Sealer::Gcm { key, salt } => {
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let (head, body) = buffer[start..].split_at_mut(RTCP_HEADER);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from([&*head, &trailer].concat()), body)
                    .map_err(|_| Error::Srtp)?;
                buffer.extend_from_slice(tag.as_ref());
                buffer.extend_from_slice(&trailer);
            }
            Sealer::Sha1 { cipher, salt, auth } => {
                counter_mode(
                    cipher,
                    salt,
                    ssrc,
                    u64::from(index),
                    &mut buffer[start + RTCP_HEADER..],
                )?;
                buffer.extend_from_slice(&trailer);
                let tag = hmac::sign(auth, &buffer[start..]);
                buffer.extend_from_slice(&tag.as_ref()[..SHA1_TAG]);
            }
        }
        Ok(())
    }

    /// Opens a compound RTCP packet of the peer; none for one that was altered, comes again, or is not encrypted.
    pub(crate) fn open_rtcp(&mut self, datagram: &[u8]) -> Option<Vec<u8>> {
        let ssrc = be32(datagram, 4)?;
        let (plain, index) = match &self.theirs {
            Sealer::Gcm { key, salt } => {
                let at = datagram.len().checked_sub(INDEX)?;
                let trailer = be32(datagram, at)?;
                let index = trailer & !ENCRYPTED;
                if trailer & ENCRYPTED == 0
                    || !self.seen.is_new(index)
                    || at < RTCP_HEADER + GCM_TAG
                {
                    return None;
                }
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let aad = Aad::from([&datagram[..RTCP_HEADER], &datagram[at..]].concat());
                let mut body = datagram[RTCP_HEADER..at].to_vec();
                let opened = key.open_in_place(nonce, aad, &mut body).ok()?;
                ([&datagram[..RTCP_HEADER], opened].concat(), index)
            }
            Sealer::Sha1 { cipher, salt, auth } => {
                let tag_at = datagram.len().checked_sub(SHA1_TAG)?;
                let at = tag_at.checked_sub(INDEX)?;
                let trailer = be32(datagram, at)?;
                let index = trailer & !ENCRYPTED;
                if trailer & ENCRYPTED == 0 || !self.seen.is_new(index) || at < RTCP_HEADER {
                    return None;
                }
                let tag = hmac::sign(auth, &datagram[..tag_at]);
                aws_lc_rs::constant_time::verify_slices_are_equal(
                    &tag.as_ref()[..SHA1_TAG],
                    &datagram[tag_at..],
                )
                .ok()?;
                let mut plain = datagram[..at].to_vec();
                counter_mode(
                    cipher,
                    salt,
                    ssrc,
                    u64::from(index),
                    &mut plain[RTCP_HEADER..],
                )
                .ok()?;
                (plain, index)
            }
        };
        self.seen.note(index);
        Some(plain)
    }
}

impl Sealer {
    fn new(
        key: &[u8],
        salt: &[u8],
        algorithm: Option<&'static Algorithm>,
        label: Label,
    ) -> Result<Self, Error> {
        let session = derive(key, salt, label.key, key.len())?;
        let session_salt = derive(key, salt, label.salt, salt.len())?;
        if let Some(algorithm) = algorithm {
            let unbound = UnboundKey::new(algorithm, &session).map_err(|_| Error::Srtp)?;
            return Ok(Self::Gcm {
                key: LessSafeKey::new(unbound),
                salt: session_salt.try_into().map_err(|_| Error::Srtp)?,
            });
        }
        let unbound = UnboundCipherKey::new(&AES_128, &session).map_err(|_| Error::Srtp)?;
        let auth = derive(key, salt, label.auth, 20)?;
        Ok(Self::Sha1 {
            cipher: EncryptingKey::ctr(unbound).map_err(|_| Error::Srtp)?,
            salt: session_salt.try_into().map_err(|_| Error::Srtp)?,
            auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
        })
    }
}

/// RFC 7714 §8.1 and §9.1: two zero bytes, the SSRC, and 48 bits of number, xored with the salt.
fn gcm_nonce(salt: &[u8; 12], ssrc: u32, number: u64) -> Nonce {
    let mut nonce = *salt;
    let parts = numbers(ssrc, number);
    nonce[2..]
        .iter_mut()
        .zip(parts)
        .for_each(|(byte, part)| *byte ^= part);
    Nonce::assume_unique_for_key(nonce)
}

/// RFC 3711 §4.1.1: the salt, the SSRC and 48 bits of number make the counter's beginning.
fn counter_mode(
    cipher: &EncryptingKey,
    salt: &[u8; 14],
    ssrc: u32,
    number: u64,
    data: &mut [u8],
) -> Result<(), Error> {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    let parts = numbers(ssrc, number);
    iv[4..14]
        .iter_mut()
        .zip(parts)
        .for_each(|(byte, part)| *byte ^= part);
    cipher
        .less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map(|_| ())
        .map_err(|_| Error::Srtp)
}

/// 4 bytes of SSRC, and 6 of a packet's number.
fn numbers(ssrc: u32, number: u64) -> impl Iterator<Item = u8> {
    ssrc.to_be_bytes()
        .into_iter()
        .chain(number.to_be_bytes().into_iter().skip(2))
}

fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*data.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
