use std::fmt;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use crate::{Error, random};

/// What every API key begins with, so that one is known when it is seen where it should not be.
const PREFIX: &str = "lk_";
/// What comes before the hash.
const ALGORITHM: &str = "sha256:";

/// The hash of an API key. A key has 256 random bits, so that one round of SHA-256 is enough.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

/// A new API key.
pub fn generate_key() -> String {
    format!("{PREFIX}{}", random::secret())
}

impl KeyHash {
    /// The hash of `key`.
    pub fn of(key: &str) -> Self {
        Self(random::sha256(key.as_bytes()))
    }

    /// Whether it is the hash of `key`; in constant time.
    pub fn is_of(&self, key: &str) -> bool {
        verify_slices_are_equal(&self.0, &Self::of(key).0).is_ok()
    }
}

impl FromStr for KeyHash {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hex = text
            .strip_prefix(ALGORITHM)
            .filter(|hex| hex.len() == 64 && hex.is_ascii());
        let hex = hex.ok_or(Error::KeyHash)?;
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            let two = &hex[2 * i..2 * i + 2];
            *byte = u8::from_str_radix(two, 16).map_err(|_| Error::KeyHash)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ALGORITHM)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_hash_alone() {
        let (key, other) = (generate_key(), generate_key());
        let hash: KeyHash = KeyHash::of(&key).to_string().parse().unwrap();
        assert!(hash.is_of(&key) && !hash.is_of(&other) && !hash.is_of(""));
        assert!(!format!("{hash:?}").contains("sha256"));
        for bad in [
            "",
            "sha256:",
            "sha256:zz",
            &key,
            &format!("sha256:{}", "é".repeat(32)),
        ] {
            assert_eq!(bad.parse::<KeyHash>(), Err(Error::KeyHash), "{bad}");
        }
    }
}
