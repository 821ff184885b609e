//! An RTSP camera as a [`hub::Source`].
//!
//! Read in this order: [`Config`] (which camera, and how), [`Location`] and [`Credentials`] (its URL taken
//! apart), [`Camera`] (the Source). Inside: `session` (the protocol, a pure state machine), `auth` (answers to
//! challenges), `plan` (which tracks are taken), `intake` (packets to frames, pure), `standstill` (a picture that
//! stays away while the sound goes on, pure), `drive` (the loop that
//! reads clock and sockets), `link` and `udp` (the sockets), `words` (faults for people).
//!
//! It never owns a retry: a Camera runs once and fails, the hub runs it again. It never knows who watches,
//! and no log line or error of it holds a password.

mod auth;
mod camera;
mod config;
mod drive;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod intake;
mod link;
mod location;
mod plan;
mod secret;
mod session;
mod standstill;
mod udp;
mod words;

pub use camera::Camera;
pub use camera_tls::Tls;
pub use config::{Config, Timeouts, TransportChoice};
pub use error::Error;
pub use location::Location;
pub use secret::{Credentials, Secret};
