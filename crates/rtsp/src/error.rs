/// What can't be understood, and what would have been right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The lines before a message's body go on beyond [`crate::MAX_HEAD`].
    #[error("the head of an RTSP message is longer than {limit} bytes")]
    HeadTooLong {
        /// The bound in bytes.
        limit: usize,
    },
    /// A message has more lines than [`crate::MAX_HEADERS`].
    #[error("an RTSP message has more than {limit} headers")]
    TooManyHeaders {
        /// The bound.
        limit: usize,
    },
    /// A message announces a body longer than [`crate::MAX_BODY`].
    #[error("an RTSP message announces a body of {length} bytes; at most {limit} are taken")]
    BodyTooLong {
        /// What `Content-Length` says.
        length: u64,
        /// The bound in bytes.
        limit: usize,
    },
    /// Nothing that looks like RTSP came for [`crate::MAX_GARBAGE`] bytes.
    #[error("the peer does not speak RTSP: {bytes} bytes in a row belong to no message")]
    NotRtsp {
        /// How many bytes were skipped.
        bytes: usize,
    },
    /// A payload does not fit into the 16-bit length of an interleaved frame.
    #[error("an interleaved payload of {length} bytes is longer than 65535")]
    PayloadTooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A `Transport` header without a usable specification.
    #[error("`{value}` is no transport; expected one like `RTP/AVP/TCP;unicast;interleaved=0-1`")]
    Transport {
        /// The start of the header's value.
        value: String,
    },
    /// A `Session` header without an id.
    #[error("the Session header has no id; expected one like `12345678;timeout=60`")]
    Session,
    /// A session description without any `m=` line.
    #[error("the session description has no media lines (m=)")]
    NoMedia,
}

/// The start of `text`, short enough for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}
