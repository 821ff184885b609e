//! Frames to CMAF/ISO-BMFF init segments and fragments.
//!
//! Read in this order: [`Carrier`] (in which format a track goes into MP4: as it is, or as FLAC),
//! [`codec_string`] and [`init`] (what players are told before the first sample), [`Timeline`] (which decode
//! time and duration each frame gets, and why: browsers are strict about both), [`Sample`] and [`moof::head`]
//! (any number of samples behind one `moof`), [`Roster`] and [`Heard`] (which tracks there are, and sound that stays away), [`Fragmenter`] and [`Fragment`] (one sample each, as MSE takes
//! them), [`flac`] (PCM, G.711 and G.722 to FLAC).
//!
//! This crate is pure: it never knows streams, HTTP, tokio or clocks, and never copies a frame's payload.

mod boxes;
mod carrier;
mod codec_string;
mod error;
pub mod flac;
mod fragment;
mod init;
pub mod moof;
mod roster;
mod sample_entry;
mod silence;
mod timeline;

pub use carrier::Carrier;
pub use codec_string::codec_string;
pub use error::Error;
pub use fragment::{Fragment, Fragmenter, Sequence};
pub use init::init;
pub use moof::Sample;
pub use roster::{Heard, Roster};
pub use timeline::{Placed, Timeline};
