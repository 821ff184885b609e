//! An RTSP/1.0 server (RFC 2326) for viewers: players, recorders, and whatever else takes RTSP cameras.
//!
//! Read in this order: [`RtspServer`] and [`Gate`] (what the outside gives and gets), `place` (what a URL means), `session`
//! (requests, pure), `describe` (formats as a session description, pure), `unit` and `packer` (frames to whole packets, pure), `wall` (what time it was, for reports: pure), `play` (what
//! one viewer gets), `client` (its driver: one task), `udp` (the ports all share). That packets are made once a Channel and
//! written to all its viewers by few tasks is `fanout`'s part; `stage` and `seat` say to it what is made and who gets what of
//! it.
//!
//! Packets are made once per Stream, with their headers, and shared by all its viewers. This crate never knows another
//! egress or an ingest, nor who may do what.

mod client;
mod describe;
mod error;
#[doc(hidden)]
pub mod fuzz;
mod gate;
mod outbox;
mod pace;
mod packer;
mod place;
mod play;
mod random;
mod seat;
mod server;
mod service;
mod session;
mod settings;
mod sockets;
mod sources;
mod stage;
mod udp;
mod unit;
mod wall;
mod watch;

pub use error::Error;
pub use gate::{Admission, Ask, Gate, Presented, Refused};
pub use server::{Door, Plan, RtspServer};
pub use settings::{PORT, Settings, UDP_PORT, UdpPorts};
pub use sockets::tune;
