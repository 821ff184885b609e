//! fMP4 over WebSocket for Media Source Extensions; `docs/mse.md` is the wire format.
//!
//! Read in this order: [`router`] (the two routes), `layout` (which tracks go into MP4, and what a viewer
//! that plays some of them is told), `remux` (frames to messages, pure), `session` (what one viewer has said and is
//! told, pure), `viewer` (its driver: one task), `ws` (the WebSocket itself). That messages are made once a Channel
//! and written to all its viewers by few tasks is `fanout`'s part; `stage` and `seat` say to it what is made and who
//! gets what of it.
//!
//! A message is framed once and shared by all viewers. This crate never knows another egress or an ingest.

mod keepalive;
mod layout;
mod message;
mod outbox;
mod rebase;
mod remux;
mod routes;
mod seat;
mod session;
mod stage;
#[cfg(test)]
mod testing;
mod viewer;
mod ws;

#[doc(hidden)]
pub mod internals;

pub use routes::router;
