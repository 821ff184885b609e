//! The key derivation of RFC 3711 §4.3, with a derivation rate of zero.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use crate::Error;

/// What is derived for one protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) key: u8,
    pub(super) auth: u8,
    pub(super) salt: u8,
}

impl Label {
    pub(super) const RTP: Self = Self {
        key: 0,
        auth: 1,
        salt: 2,
    };
    pub(super) const RTCP: Self = Self {
        key: 3,
        auth: 4,
        salt: 5,
    };
}

/// `size` bytes of the key stream for `label`. RFC 7714 §11: GCM's shorter salt is filled up with zeros.
pub(super) fn derive(key: &[u8], salt: &[u8], label: u8, size: usize) -> Result<Vec<u8>, Error> {
    let mut iv = [0; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label;
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let cipher = UnboundCipherKey::new(algorithm, key)
        .and_then(EncryptingKey::ctr)
        .map_err(|_| Error::Srtp)?;
    let mut out = vec![0; size];
    cipher
        .less_safe_encrypt(&mut out, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map_err(|_| Error::Srtp)?;
    Ok(out)
}
