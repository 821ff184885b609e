//! Sound that browsers don't take over WebRTC, as Opus.
//!
//! Read in this order: [`ToOpus`] (frames of any codec that cameras speak in, frames of Opus out), [`check`] (whether
//! there is a way at all, for whoever negotiates), `decode` (codecs to samples), `resample` (to a rate that Opus
//! knows), `clock` (where samples lie on the Stream's time line), `line` (what is done about holes), `encode`.
//!
//! This crate is pure: it never knows tokio, sockets, clocks or streams. One [`ToOpus`] serves one track of one
//! Channel; that it runs once however many watch is the hub's business.

mod clock;
mod decode;
mod encode;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod line;
mod resample;
mod to_opus;

pub use decode::check;
pub use error::Error;
pub use to_opus::ToOpus;
