//! What one viewer gets, on the seat that its task and its shard share.

use std::sync::Arc;

use fanout::{BATCH, Fill, Filled};
use hub::Round;
use hub::ring::{Event, Reader};

use crate::outbox::{Message, Outbox};
use crate::remux::Muxed;
use crate::session::{Close, Session};

/// One viewer on its connection.
pub(crate) type Seat<S> = fanout::Seat<S, Show>;

/// Why a viewer can't go on.
pub(crate) type Halt = fanout::Halt<Close>;

/// What one viewer gets, by what it has said.
#[derive(Debug)]
pub(crate) struct Show {
    pub(crate) session: Session,
    /// The viewer's place, once media may flow.
    pub(crate) media: Option<Reader<Arc<Muxed>>>,
    batch: Vec<Arc<Muxed>>,
}

impl Show {
    pub(crate) fn new(session: Session) -> Self {
        Self {
            session,
            media: None,
            batch: Vec::new(),
        }
    }
}

impl Fill for Show {
    type Parcel = Message;
    type Misfit = Close;
    /// Clients send a hello, pongs, and nothing else.
    const READ: usize = 512;

    fn fill(&mut self, outbox: &mut Outbox, _: &mut Round<'_>) -> Result<Filled, Halt> {
        let Some(reader) = &mut self.media else {
            return Ok(Filled::Nothing);
        };
        // Whoever is behind catches up with few calls, and whoever is not looks once.
        if reader.try_batch(&mut self.batch, BATCH) {
            let all = self.batch.len() < BATCH;
            for muxed in self.batch.drain(..) {
                self.session.media(muxed, outbox).map_err(Halt::Misfit)?;
            }
            return Ok(if all { Filled::All } else { Filled::More });
        }
        match reader.try_next() {
            Some(Event::Item(muxed)) => self.session.media(muxed, outbox).map_err(Halt::Misfit)?,
            Some(Event::Skipped(frames)) => self.session.skip(frames, outbox),
            Some(Event::Closed) => return Err(Halt::NoMore),
            None => return Ok(Filled::Nothing),
        }
        Ok(Filled::More)
    }
}
