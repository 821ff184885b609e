use std::fmt;

mod read;
mod write;

pub use read::MAX_MEDIA;

/// A session description (RFC 8866) as RTSP uses it (RFC 2326 Appendix C): what a camera has.
///
/// [`Sdp::parse`] reads what cameras write; `Display` writes what players read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sdp {
    /// The session's name (`s=`); the first where there are several.
    pub name: String,
    /// The `a=control` of the whole session.
    pub control: Option<String>,
    /// The `a=range` of the whole session, such as `npt=now-`.
    pub range: Option<String>,
    /// The tracks, at most [`MAX_MEDIA`].
    pub media: Vec<Media>,
}

/// One `m=` line with what follows it: a track.
#[derive(Debug, Clone, PartialEq)]
pub struct Media {
    /// What it carries.
    pub kind: MediaKind,
    /// The port; mostly 0, since SETUP negotiates it. Negative ones count as 0.
    pub port: u16,
    /// The transport protocol, such as `RTP/AVP`.
    pub protocol: String,
    /// The payload types, at least one where the protocol is RTP.
    pub payloads: Vec<Payload>,
    /// The `a=control` of the track.
    pub control: Option<String>,
    /// Which way the data goes.
    pub direction: Direction,
    /// The `a=framerate` in frames per second.
    pub frame_rate: Option<f64>,
    /// The `b=AS` in kbit/s.
    pub bandwidth: Option<u32>,
}

/// What a track carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
    /// Data such as ONVIF metadata.
    Application,
    /// Anything else; cameras invent names.
    Other(String),
}

/// The `a=sendrecv` and its like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways, or unsaid.
    #[default]
    Both,
    /// `a=recvonly`.
    RecvOnly,
    /// `a=sendonly`.
    SendOnly,
    /// `a=inactive`.
    Inactive,
}

/// An encoding that a track's packets may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Payload {
    /// The RTP payload type.
    pub payload_type: u8,
    /// The encoding's name in upper case, such as `H264`; empty where nothing tells.
    pub encoding: String,
    /// Ticks of the RTP clock per second.
    pub clock_rate: u32,
    /// Number of channels of sound.
    pub channels: Option<u16>,
    /// The format parameters.
    pub fmtp: Fmtp,
}

/// The parameters of an `a=fmtp` line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Fmtp(Vec<(String, String)>);

impl Sdp {
    /// Whether `media`, one of [`Sdp::media`], is a back channel: sound that the client sends to the camera
    /// (ONVIF Streaming Specification §5.3 marks it `a=sendonly`).
    ///
    /// A camera that marks all its tracks `sendonly` only tells its own point of view.
    pub fn is_back_channel(&self, media: &Media) -> bool {
        media.kind == MediaKind::Audio
            && media.direction == Direction::SendOnly
            && self
                .media
                .iter()
                .any(|m| m.direction != Direction::SendOnly)
    }
}

impl MediaKind {
    /// The kind called `name`.
    pub fn new(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "video" => Self::Video,
            "audio" => Self::Audio,
            "application" => Self::Application,
            _ => Self::Other(name.to_owned()),
        }
    }

    /// The name in an `m=` line.
    pub fn name(&self) -> &str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Application => "application",
            Self::Other(name) => name,
        }
    }
}

impl Media {
    /// A track that SETUP can find by `control`, with one payload type.
    pub fn new(kind: MediaKind, control: impl Into<String>, payload: Payload) -> Self {
        Self {
            kind,
            port: 0,
            protocol: "RTP/AVP".to_owned(),
            payloads: vec![payload],
            control: Some(control.into()),
            direction: Direction::Both,
            frame_rate: None,
            bandwidth: None,
        }
    }
}

impl Payload {
    /// An encoding without format parameters.
    pub fn new(payload_type: u8, encoding: &str, clock_rate: u32) -> Self {
        Self {
            payload_type,
            encoding: encoding.to_owned(),
            clock_rate,
            channels: None,
            fmtp: Fmtp::default(),
        }
    }
}

impl Fmtp {
    /// Reads `name=value` pairs between semicolons. Values may contain further `=`.
    pub fn parse(text: &str) -> Self {
        Self(
            text.split(';')
                .map(str::trim)
                .filter(|p| !p.is_empty())
                .map(|p| {
                    let (name, value) = p.split_once('=').unwrap_or((p, ""));
                    (name.trim().to_owned(), value.trim().to_owned())
                })
                .collect(),
        )
    }

    /// The value of `name`, whose case does not matter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v)
    }

    /// All parameters as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Fmtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, value)) in self.iter().enumerate() {
            let separator = if at == 0 { "" } else { ";" };
            if value.is_empty() {
                write!(f, "{separator}{name}")?;
            } else {
                write!(f, "{separator}{name}={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
