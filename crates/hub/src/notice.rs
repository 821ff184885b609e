//! What happens in a Registry, for those who want to be told.

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::{ChannelId, Condition, StreamId, ViewerStatus};

/// How many notices wait for a listener at most; a slower one misses the oldest.
const WAITING: usize = 4096;

/// Something that happened in a Registry.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Notice {
    /// A Stream was added.
    StreamAdded(StreamId),
    /// Something of a Stream is not what it was: its name, its Channels, a Source, a policy.
    StreamChanged(StreamId),
    /// A Stream was removed.
    StreamRemoved(StreamId),
    /// A Channel's picture came or went.
    Channel {
        /// Its Stream.
        stream: StreamId,
        /// The Channel.
        channel: ChannelId,
        /// How it is now.
        condition: Condition,
    },
    /// Somebody watches.
    ViewerJoined(ViewerStatus),
    /// Somebody watches no more.
    ViewerLeft(ViewerStatus),
}

/// Where notices go out; nobody waits for a listener.
#[derive(Debug, Clone)]
pub(crate) struct Board(broadcast::Sender<Notice>);

impl Default for Board {
    fn default() -> Self {
        Self(broadcast::Sender::new(WAITING))
    }
}

impl Board {
    pub(crate) fn tell(&self, notice: impl FnOnce() -> Notice) {
        if self.0.receiver_count() > 0 {
            // An error says that the last listener left just now.
            let _ = self.0.send(notice());
        }
    }

    pub(crate) fn listen(&self) -> Notices {
        Notices {
            board: self.0.subscribe(),
            missed: 0,
        }
    }
}

/// The notices of a Registry from a moment on.
#[derive(Debug)]
pub struct Notices {
    board: broadcast::Receiver<Notice>,
    missed: u64,
}

impl Notices {
    /// The next notice; none once the Registry and all its Channels are gone. Cancel safe.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            match self.board.recv().await {
                Ok(notice) => return Some(notice),
                Err(RecvError::Lagged(n)) => self.missed += n,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// How many notices were missed so far, since this listener was too slow.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
