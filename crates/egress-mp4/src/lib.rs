//! A piece of a stream as an MP4 file, from a keyframe on.
//!
//! Read in this order: [`Recording`] (who watches, and until when), [`Mp4`] (frames to the bytes of the file). The
//! file is fragmented, so that it is whole however it ends. This crate never knows files or another egress.

mod mp4;
mod recording;

pub use mp4::Mp4;
pub use recording::Recording;

/// What these viewers are called.
pub const PROTOCOL: &str = "mp4";

/// Why nothing is recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is known of the camera's tracks.
    #[error("the camera has sent nothing within 10 s")]
    NotReady,
    /// None of the tracks goes into MP4.
    #[error("the camera sends nothing that goes into MP4")]
    NothingToRecord,
    /// The tracks can't be described.
    #[error(transparent)]
    Mp4(#[from] fmp4::Error),
}
