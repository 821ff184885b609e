//! From one Channel to all its viewers: what is made once per Stream, and written by few tasks (decisions 1, 5 and 25).
//!
//! An egress says what is made of frames ([`Make`]), what goes out ([`Parcel`]) and what one viewer gets of it
//! ([`Fill`]). Read in this order: [`Stages`] (one task a Channel, started with its first viewer and ended with its last,
//! which feeds a ring), `gather` (sound goes out with the picture where many watch), `shards` (who writes), [`Seat`] (what a
//! viewer's own task and its shard share), [`Outbox`] (what is due to one viewer).
//!
//! This crate never names a protocol, and never waits for a viewer.

mod gather;
mod outbox;
mod seat;
mod shards;
mod stage;

pub use outbox::{Meter, Outbox, Parcel, WRITE_DEADLINE, WriteError};
pub use seat::{BATCH, Desk, Fill, Filled, Halt, Seat, Told};
pub use stage::{End, Item, Make, Stage, Stages};
