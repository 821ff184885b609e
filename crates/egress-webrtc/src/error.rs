use thiserror::Error;

/// What goes wrong with one viewer's connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The offer can't be read, or lacks something that WebRTC needs.
    #[error("{0}")]
    Offer(String),
    /// The trickle fragment can't be read.
    #[error("{0}")]
    Fragment(String),
    /// DTLS agreed on keys that can't be used.
    #[error("the keys for SRTP can't be used")]
    Srtp,
    /// The DTLS handshake failed.
    #[error("DTLS: {0}")]
    Dtls(String),
    /// The peer has another certificate than the one its offer names.
    #[error("the peer's certificate is not the one that its offer names")]
    Fingerprint,
    /// A defect of ours.
    #[error("a defect of the server")]
    Defect,
    /// A socket can't be had.
    #[error("can't listen on {address}: {why}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system says.
        why: String,
    },
}
