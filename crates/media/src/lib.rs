//! What a frame is; codec and RTP bits in and out of frames.
//!
//! Read in this order: [`Frame`] (one access unit, immutable once published), [`Format`] (the codec
//! parameters that ride on it), [`Track`] (what a Source announces), [`nal`] (how a picture lies in its
//! bytes), [`rtp`] (packets to access units and back), [`rtcp`] (reports), [`pcm`] (G.711, G.722 and
//! linear PCM to samples), [`time`] (units, and the one
//! time line for the tracks of a camera), [`DecodeTimes`] (what containers need besides).
//!
//! This crate is pure: it never knows tokio, sockets, clocks, HTTP or containers. Time is an argument.

mod bits;
mod dts;
mod error;
mod format;
mod frame;
#[doc(hidden)]
pub mod fuzz;
pub mod nal;
mod obu;
pub mod pcm;
pub mod rtcp;
pub mod rtp;
pub mod time;

pub use dts::DecodeTimes;
pub use error::Error;
pub use format::{Aac, Av1, Codec, Flac, Format, G711, H264, H265, Kind, L16, Opus};
pub use frame::{Frame, Track, TrackId};
