//! Random bytes that nobody can guess.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Random bytes of the operating system's generator.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// `N` random bytes in base64, whose characters are those of an ICE name or password (RFC 8839 §5.4).
pub(crate) fn text<const N: usize>() -> String {
    STANDARD_NO_PAD.encode(bytes::<N>())
}

/// `N` random bytes in URL-safe base64.
pub(crate) fn url<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<N>())
}
