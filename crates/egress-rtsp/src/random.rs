//! Random bytes that nobody can guess.

/// Random bytes of the operating system's generator.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

/// A name of a session: 96 bits in hexadecimal digits (RFC 2326 §3.4 asks for eight characters at least).
pub(crate) fn session_id() -> String {
    let bits = u128::from_be_bytes(bytes());
    format!("{:024X}", bits >> 32)
}
