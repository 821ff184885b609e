//! How a viewer's connection ends.

use crate::Error;
use crate::stage::End;

/// Why a viewer's connection is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The viewer said so, by DTLS or by HTTP.
    Left,
    /// The viewer did not connect in time.
    Handshake,
    /// The viewer was not heard for too long.
    Silent,
    /// There is no more media.
    Stage(End),
    /// The camera changed its codec; a new offer may find one.
    OtherCodec,
    /// An operator sent the viewer away.
    Kicked,
    /// The viewer may not watch any more.
    Forbidden,
    /// The server shuts down.
    Shutdown,
    /// Something is broken.
    Broken(Error),
}

impl Ended {
    /// In one word for machines.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Handshake => "unconnected",
            Self::Silent => "unanswered",
            Self::Stage(End::Gone) => "removed",
            Self::Stage(End::BFrames) => "b_frames",
            Self::Stage(End::Defect) | Self::Broken(Error::Defect) => "defect",
            Self::OtherCodec => "codecs_changed",
            Self::Kicked => "kicked",
            Self::Forbidden => "forbidden",
            Self::Shutdown => "shutdown",
            Self::Broken(_) => "protocol",
        }
    }

    /// Whether the viewer is there, and does not know yet.
    pub(crate) fn is_news(&self) -> bool {
        !matches!(self, Self::Left | Self::Handshake | Self::Silent)
    }
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}
