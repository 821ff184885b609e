//! A stream of an RTMP server as a [`hub::Source`]: played, not published.
//!
//! Read in this order: [`Location`] (what a URL means, and what of it is shown), `amf` (values of commands), `chunk`
//! (messages out of bytes and into them), `session` (what is said to a server: pure), `flv` (what a message of sound or
//! picture holds), `intake` (frames and their times), [`Stream`] (the driver).
//!
//! The specification is Adobe's "RTMP 1.0", with FLV 10.1 for what messages hold, and "Enhanced RTMP" for H.265. What
//! a server sends is bounded wherever it is held. This crate never knows an egress, and never owns a retry.

mod amf;
mod chunk;
mod error;
mod flv;
#[doc(hidden)]
pub mod fuzz;
mod intake;
mod location;
mod session;
mod stream;

pub use camera_tls::Tls;
pub use error::Error;
pub use location::Location;
pub use stream::{Stream, Timeouts};
