//! fMP4 over WebSocket for Media Source Extensions; `docs/mse.md` is the wire format.
//!
//! Read in this order: [`router`] (the two routes), `layout` (which tracks go into MP4, and what a viewer
//! that plays some of them is told), `remux` (frames to messages, pure), `stage` (one task a Channel, started
//! with its first viewer and ended with its last, which feeds a ring of messages), `session` (what one
//! viewer has said and is told, pure), `viewer` (its driver: one task, one vectored write for whatever is
//! due), `ws` (the WebSocket itself).
//!
//! A message is framed once and shared by all viewers. This crate never knows another egress or an ingest.

mod gather;
mod keepalive;
mod layout;
mod message;
mod outbox;
mod rebase;
mod remux;
mod routes;
mod seat;
mod session;
mod shards;
mod stage;
#[cfg(test)]
mod testing;
mod viewer;
mod ws;

#[doc(hidden)]
pub mod internals;

pub use routes::router;
