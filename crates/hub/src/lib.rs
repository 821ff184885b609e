//! Named streams: who produces, who watches, when it runs.
//!
//! Read in this order: [`Registry`] (all Streams, and [`Registry::apply`], the one way to change them),
//! [`StreamSpec`] and [`ChannelSpec`] (what is wished for), [`Source`] and [`Publisher`] (who produces),
//! [`Channel`] and [`Viewer`] (who watches), [`Derived`] (what is made of frames once for
//! all who want it), [`Notice`] (what happens), [`ring`] (the GOP cache and the slow-viewer
//! policy in one), `lifecycle` (when a Source runs: a pure table in virtual time),
//! [`Delivery`] and [`Timings`] (what is counted for whoever runs the whole), [`Clock`] (what time it was for people).
//!
//! This crate never names a protocol and never parses media.

mod attendance;
mod backoff;
mod channel;
mod clock;
mod counters;
mod delivery;
mod derived;
mod fault;
mod histogram;
mod ids;
mod lifecycle;
mod notice;
mod registry;
pub mod ring;
mod source;
mod spec;
mod status;
mod supervisor;
#[cfg(test)]
mod testing;
mod timeline;
mod tracks;

/// How long a cancelled Source may take to say goodbye.
pub const STOP_GRACE: std::time::Duration = std::time::Duration::from_secs(2);
pub use attendance::{Guest, Leave, Sent, ViewerId, ViewerStatus, WeakLeave, Who};
pub use channel::{Channel, Event, FrameReader, Viewer};
pub use clock::Clock;
pub use delivery::{Delays, Delivered, Delivery, Round, Timings};
pub use derived::{Derived, DerivedStatus};
pub use fault::{Fault, Reason};
pub use histogram::{Distribution, Histogram};
pub use ids::{ChannelId, IdError, StreamId};
pub use notice::{Notice, Notices};
pub use registry::{Applied, ApplyError, Registry, Stream};
pub use source::{Publisher, RunFuture, Source};
pub use spec::{ChannelSpec, Policy, RingBounds, StreamSpec};
pub use status::{ChannelStatus, Condition, RingStatus, State};
pub use tracks::Unknown;
