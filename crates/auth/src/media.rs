//! Signed media URLs: whoever has one may watch, until it ends.

use std::sync::LazyLock;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{Error, Glob, random};

/// What is signed begins with it, so that a signature for one purpose is none for another.
const PURPOSE: &[u8] = b"lunette media 1\0";
/// The first byte of a token.
const VERSION: u8 = 1;
/// Bytes of the time of expiry: enough up to the year 36812.
const TIME: usize = 5;
/// The shortest text to derive a key from, in characters.
const SHORTEST: usize = 32;

/// Signs media tokens, and knows its own.
#[derive(Debug, Clone)]
pub struct Signer(Key);

/// What a media token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaToken {
    /// Which streams may be watched.
    pub streams: Glob,
    /// Up to when, in seconds since the Unix epoch.
    pub expires: u64,
}

impl Signer {
    /// Signs with a key of `text`.
    ///
    /// # Errors
    /// [`Error::ShortKey`] if it could be guessed.
    pub fn new(text: &str) -> Result<Self, Error> {
        if text.chars().count() < SHORTEST {
            return Err(Error::ShortKey);
        }
        Ok(Self(Key::new(HMAC_SHA256, text.as_bytes())))
    }

    /// Signs with a key that nobody else has.
    pub fn random() -> Self {
        Self(Key::new(HMAC_SHA256, &random::bytes()))
    }

    /// Signs with a key that nobody else has and that ends with this process: the same one each time, so that
    /// what is signed outlives other changes of who may do what.
    pub fn of_this_process() -> Self {
        static KEY: LazyLock<Signer> = LazyLock::new(Signer::random);
        KEY.clone()
    }

    /// The text of `token`, for a URL. The same token is the same text, so that caches hold one copy for all who have it.
    pub fn sign(&self, token: &MediaToken) -> String {
        let mut payload = vec![VERSION];
        payload.extend(&token.expires.to_be_bytes()[8 - TIME..]);
        payload.extend(token.streams.as_str().as_bytes());
        let signature = hmac::sign(&self.0, &signed(&payload));
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        format!("{}.{}", encode(&payload), encode(signature.as_ref()))
    }

    /// What `text` says, if it was signed with the same key. It may have expired.
    pub fn verify(&self, text: &str) -> Option<MediaToken> {
        let (payload, signature) = text.split_once('.')?;
        let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.0, &signed(&payload), &signature).ok()?;
        let (head, streams) = payload.split_at_checked(1 + TIME)?;
        let mut expires = [0; 8];
        expires[8 - TIME..].copy_from_slice(&head[1..]);
        (head[0] == VERSION).then_some(())?;
        Some(MediaToken {
            streams: std::str::from_utf8(streams).ok()?.parse().ok()?,
            expires: u64::from_be_bytes(expires),
        })
    }
}

fn signed(payload: &[u8]) -> Vec<u8> {
    [PURPOSE, payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_was_signed_and_nothing_else_is_one() {
        let signer = Signer::new(&"k".repeat(32)).unwrap();
        let token = MediaToken {
            streams: "front*".parse().unwrap(),
            expires: 1_800_000_000,
        };
        let text = signer.sign(&token);
        assert_eq!(text, signer.sign(&token), "caches see one URL");
        assert_eq!(signer.verify(&text), Some(token));
        assert_eq!(Signer::random().verify(&text), None, "another key");
        for n in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[n] = if bytes[n] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).unwrap();
            assert_eq!(signer.verify(&changed), None, "{changed}");
        }
        for rubbish in ["", ".", "a.b", "a.b.c", &text[1..], &text[..text.len() - 1]] {
            assert_eq!(signer.verify(rubbish), None, "{rubbish}");
        }
    }

    #[test]
    fn a_key_that_could_be_guessed_is_refused() {
        assert_eq!(Signer::new("secret").unwrap_err(), Error::ShortKey);
    }
}
