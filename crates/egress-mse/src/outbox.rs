//! What goes out to viewers.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use fanout::Parcel;

use crate::remux::Muxed;

/// What is due to one viewer.
pub(crate) type Outbox = fanout::Outbox<Message>;

/// One message.
#[derive(Debug)]
pub(crate) enum Message {
    /// One of this viewer's own, or one for all in one piece.
    Whole(Bytes),
    /// A fragment as all viewers get it.
    Shared(Arc<Muxed>),
    /// A fragment with a head of this viewer's own.
    Rebased(Bytes, Arc<Muxed>),
}

impl Parcel for Message {
    fn parts(&self) -> [&[u8]; 2] {
        match self {
            Self::Whole(bytes) => [bytes, &[]],
            Self::Shared(muxed) => [&muxed.head, &muxed.data],
            Self::Rebased(head, muxed) => [head, &muxed.data],
        }
    }

    fn arrival(&self) -> Option<Instant> {
        match self {
            Self::Whole(_) => None,
            Self::Shared(muxed) | Self::Rebased(_, muxed) => Some(muxed.arrival),
        }
    }
}
