//! SRTP and SRTCP with AES-GCM (RFC 7714): RTP in, RTCP out.

use anyhow::{Result, bail, ensure};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use dimpl::SrtpProfile;

const SALT: usize = 12;
/// The tag behind what is sealed.
pub const TAG: usize = 16;
const RTCP_HEADER: usize = 8;

/// The key of one direction and protocol.
pub struct Key {
    key: LessSafeKey,
    salt: [u8; SALT],
}

/// What one viewer opens and seals with.
pub struct Srtp {
    theirs: Key,
    ours: Key,
    index: u32,
    /// Bits of a key.
    pub bits: u16,
}

impl Key {
    /// The session key that follows from a master key and salt (RFC 3711 section 4.3).
    pub fn derive(key: &[u8], salt: &[u8], label: u8) -> Result<Self> {
        let stream = |label: u8, size: usize| -> Result<Vec<u8>> {
            let mut iv = [0; 16];
            iv[..SALT].copy_from_slice(salt);
            iv[7] ^= label;
            let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
            let cipher = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key)?)?;
            let mut out = vec![0; size];
            cipher.less_safe_encrypt(&mut out, EncryptionContext::Iv128(FixedLength::from(iv)))?;
            Ok(out)
        };
        let algorithm = if key.len() == 32 {
            &AES_256_GCM
        } else {
            &AES_128_GCM
        };
        let unbound = UnboundKey::new(algorithm, &stream(label, key.len())?)?;
        let mut session_salt = [0; SALT];
        session_salt.copy_from_slice(&stream(label + 2, SALT)?);
        Ok(Self {
            key: LessSafeKey::new(unbound),
            salt: session_salt,
        })
    }

    fn nonce(&self, ssrc: &[u8], number: u64) -> Nonce {
        let mut nonce = self.salt;
        let parts = ssrc
            .iter()
            .chain(&number.to_be_bytes()[2..])
            .copied()
            .collect::<Vec<_>>();
        nonce[2..]
            .iter_mut()
            .zip(parts)
            .for_each(|(byte, part)| *byte ^= part);
        Nonce::assume_unique_for_key(nonce)
    }

    /// Seals the RTP packet that begins at `start` of `buffer`, whose header has `header` bytes.
    pub fn seal(
        &self,
        buffer: &mut Vec<u8>,
        start: usize,
        header: usize,
        number: u64,
    ) -> Result<()> {
        let mut nonce = self.salt;
        for (at, byte) in buffer[start + 8..start + 12].iter().enumerate() {
            nonce[2 + at] ^= byte;
        }
        for (at, byte) in number.to_be_bytes()[2..].iter().enumerate() {
            nonce[6 + at] ^= byte;
        }
        let (head, body) = buffer[start..].split_at_mut(header);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(&*head), body)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }
}

impl Srtp {
    /// The keys of RFC 5764 section 4.2; `client` says that we were the client of DTLS.
    pub fn new(material: &[u8], profile: SrtpProfile, client: bool) -> Result<Self> {
        let size = match profile {
            SrtpProfile::AEAD_AES_128_GCM => 16,
            SrtpProfile::AEAD_AES_256_GCM => 32,
            other => {
                bail!("the server took {other}, which is not measured here: AES-GCM is offered")
            }
        };
        ensure!(material.len() >= 2 * (size + SALT), "short keying material");
        let key = |n: usize| &material[n * size..(n + 1) * size];
        let salt = |n: usize| &material[2 * size + n * SALT..2 * size + (n + 1) * SALT];
        let (we, they) = if client { (0, 1) } else { (1, 0) };
        Ok(Self {
            theirs: Key::derive(key(they), salt(they), 0)?,
            ours: Key::derive(key(we), salt(we), 3)?,
            index: 0,
            bits: 8 * size as u16,
        })
    }

    /// Opens an RTP packet whose header has `header` bytes into `out`; `number` is its extended sequence number.
    pub fn open<'a>(
        &self,
        packet: &[u8],
        header: usize,
        number: u64,
        out: &'a mut Vec<u8>,
    ) -> Result<&'a [u8]> {
        ensure!(
            packet.len() >= header + TAG && header >= 12,
            "a packet that is too short"
        );
        out.clear();
        out.extend_from_slice(&packet[header..]);
        let nonce = self.theirs.nonce(&packet[8..12], number);
        Ok(self
            .theirs
            .key
            .open_in_place(nonce, Aad::from(&packet[..header]), out)?)
    }

    /// Seals a compound RTCP packet.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> Result<()> {
        let trailer = (self.index | 1 << 31).to_be_bytes();
        let nonce = self.ours.nonce(&packet[4..8], u64::from(self.index));
        self.index += 1;
        let (head, body) = packet.split_at_mut(RTCP_HEADER);
        let aad = Aad::from([&*head, &trailer].concat());
        let tag = self.ours.key.seal_in_place_separate_tag(nonce, aad, body)?;
        packet.extend_from_slice(tag.as_ref());
        packet.extend_from_slice(&trailer);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_seals_the_other_opens_and_nothing_else() {
        let material: Vec<u8> = (0..56).collect();
        let profile = SrtpProfile::AEAD_AES_128_GCM;
        let viewer = Srtp::new(&material, profile, true).unwrap();
        let server = Key::derive(&material[16..32], &material[44..56], 0).unwrap();
        let mut packet = [&[0x80, 96, 0, 5, 0, 0, 0, 9, 1, 2, 3, 4][..], b"media"].concat();
        server.seal(&mut packet, 0, 12, 5).unwrap();
        let mut out = Vec::new();
        assert_eq!(viewer.open(&packet, 12, 5, &mut out).unwrap(), b"media");
        assert!(viewer.open(&packet, 12, 6, &mut out).is_err());
        assert!(viewer.open(&packet[..20], 12, 5, &mut out).is_err());
    }
}
