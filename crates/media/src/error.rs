use std::borrow::Cow;

/// What can be wrong with codec parameters, RTP and RTCP.
///
/// Each message says what is wrong and, where the peer's owner can do something, what would be right.
/// Nothing in here ever holds payload bytes or secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes end before the structure does.
    #[error("{what} is cut short")]
    Truncated {
        /// The structure, such as `H.264 SPS`.
        what: &'static str,
    },
    /// The bytes are there but break the rules of the structure.
    #[error("{what}: {why}")]
    Invalid {
        /// The structure, such as `RTP packet`.
        what: &'static str,
        /// What is wrong with it.
        why: Cow<'static, str>,
    },
    /// Something grew beyond what this crate is willing to keep.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What grew, such as `access unit`.
        what: &'static str,
        /// The bound in bytes.
        limit: usize,
    },
    /// The encoding of an SDP description has no depacketizer or packetizer here.
    #[error("unsupported encoding {name}: {advice}")]
    UnsupportedEncoding {
        /// The encoding as the peer named it.
        name: String,
        /// What the owner of the camera can set instead.
        advice: &'static str,
    },
}

impl Error {
    pub(crate) fn truncated(what: &'static str) -> Self {
        Self::Truncated { what }
    }

    pub(crate) fn invalid(what: &'static str, why: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid {
            what,
            why: why.into(),
        }
    }
}
