//! What goes out on RTSP connections.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fanout::Parcel;

use crate::unit::Unit;

/// What is due on one connection.
pub(crate) type Outbox = fanout::Outbox<Due>;

/// Bytes that go out as one.
#[derive(Debug)]
pub(crate) enum Due {
    /// An answer, or a report.
    Words(Bytes),
    /// The packets of a unit, as most viewers get them.
    Shared(Arc<Unit>),
    /// The packets of a unit that arrived at that moment, on channels of this viewer's own.
    Own(Bytes, Instant),
}

impl Parcel for Due {
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Words(bytes) | Self::Own(bytes, _) => [bytes, &[]],
            Self::Shared(unit) => [&unit.framed, &[]],
        }
    }

    fn arrival(&self) -> Option<Instant> {
        match self {
            Self::Words(_) => None,
            Self::Shared(unit) => Some(unit.arrival),
            Self::Own(_, arrival) => Some(*arrival),
        }
    }
}
