/// Why a stream can't be set up as it is described: what is wrong and what would be right. No message shows a part of a URL
/// that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// TLS can't be set up as it is described.
    #[error(transparent)]
    Tls(#[from] camera_tls::Error),
    /// TLS settings for a server without TLS.
    #[error("TLS settings are given, but the URL begins with rtmp://; expected rtmps://")]
    TlsUnused,
    /// Another scheme.
    #[error("this is no URL of an RTMP server; expected one like rtmp://192.168.1.10/live/stream1")]
    Scheme,
    /// No host, or one with characters that no host has.
    #[error(
        "the URL names no usable host; expected one like rtmp://192.168.1.10/live/stream1 (an IPv6 address stands in brackets)"
    )]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error("what follows the host in the URL is no port")]
    Port,
    /// A user name or password before the host.
    #[error(
        "RTMP has no user names; what the server wants to know stands behind the stream's name, such as rtmp://host/live/stream1?key=…"
    )]
    Credentials,
    /// Nothing that names a stream.
    #[error(
        "the URL names no stream; expected an application and a stream, such as rtmp://192.168.1.10/live/stream1"
    )]
    NoStream,
    /// Control characters in the path.
    #[error("the path of the URL has control characters in it")]
    Path,
}
