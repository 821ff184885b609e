/// Why a camera can't be set up as it is described: what is wrong and what would be right. No message
/// shows a part of a URL that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No `://`.
    #[error("the camera's URL has no scheme; expected one like rtsp://192.168.1.10:554/stream1")]
    NoScheme,
    /// A scheme that is not ours.
    #[error("`{0}` is no scheme of a camera; expected rtsp://, rtsps://, rtmp:// or rtmps://")]
    Scheme(String),
    /// No host, or one with characters that no host has.
    #[error(
        "the camera's URL names no usable host; expected one like rtsp://192.168.1.10:554/stream1 (an IPv6 address stands in brackets)"
    )]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error(
        "what follows the host in the camera's URL is no port; a password with `/`, `?` or `#` in it must be percent-encoded (%2F, %3F, %23) or given as `password`"
    )]
    Port,
    /// Control characters or broken UTF-8 in the user name or password.
    #[error("the user name or password in the camera's URL is no text")]
    CredentialBytes,
    /// Control characters in the path.
    #[error("the path of the camera's URL has control characters in it")]
    Path,
    /// A user name in the URL and another beside it.
    #[error("the camera's user name stands both in its URL and in `username`; keep one of them")]
    TwoUsernames,
    /// A password without a user name.
    #[error("`password` is given without `username`")]
    NoUsername,
    /// A timeout of zero.
    #[error("the timeout `{0}` is zero; expected a positive duration")]
    ZeroTimeout(&'static str),
    /// TLS settings for a camera without TLS.
    #[error("TLS settings are given, but the camera's URL begins with rtsp://; expected rtsps://")]
    TlsUnused,
    /// UDP for a camera with TLS.
    #[error(
        "the picture would travel unencrypted by UDP, though the camera's URL begins with rtsps://; expected `transport` \"tcp\" or \"auto\""
    )]
    UdpInTheOpen,
    /// TLS can't be set up as it is described.
    #[error(transparent)]
    Tls(#[from] camera_tls::Error),
}
