//! What one viewer gets, on the seat that its connection's task and its shard share.

use std::sync::Arc;
use std::time::Instant;

use fanout::{BATCH, Fill, Filled};
use hub::Round;
use hub::ring::Event;

use crate::outbox::{Due, Outbox};
use crate::play::{Changed, Play};
use crate::unit::Unit;

/// One connection.
pub(crate) type Seat<S> = fanout::Seat<S, Show>;

/// Why a connection can't go on.
pub(crate) type Halt = fanout::Halt<Changed>;

/// What one viewer gets.
#[derive(Debug, Default)]
pub(crate) struct Show {
    /// What is sent, while something is.
    pub(crate) play: Option<Play>,
    batch: Vec<Arc<Unit>>,
}

impl Show {
    /// Sends `first`, and what follows it from then on.
    pub(crate) fn begin(
        &mut self,
        play: Play,
        first: Option<Arc<Unit>>,
        outbox: &mut Outbox,
    ) -> Result<(), Changed> {
        let play = self.play.insert(play);
        if let Some(unit) = first {
            play.report(&unit, outbox);
            play.take(unit, outbox)?;
        }
        Ok(())
    }
}

impl Fill for Show {
    type Parcel = Due;
    type Misfit = Changed;
    /// A request, or some reports.
    const READ: usize = 2048;

    fn fill(&mut self, outbox: &mut Outbox, round: &mut Round<'_>) -> Result<Filled, Halt> {
        let Some(play) = &mut self.play else {
            return Ok(Filled::Nothing);
        };
        if play.needs_time()
            && let Err(again) = play.send_datagrams(Instant::now(), outbox, round)
        {
            return Ok(Filled::At(again));
        }
        // Whoever is behind catches up with few calls, and whoever is not looks once. Datagrams go out unit by unit.
        if !play.sends_datagrams() && play.reader.try_batch(&mut self.batch, BATCH) {
            let all = self.batch.len() < BATCH;
            for unit in self.batch.drain(..) {
                play.take(unit, outbox).map_err(Halt::Misfit)?;
            }
            return Ok(if all { Filled::All } else { Filled::More });
        }
        match play.reader.try_next() {
            Some(Event::Item(unit)) => play.take(unit, outbox).map_err(Halt::Misfit)?,
            // What is missing, the numbers of the packets tell.
            Some(Event::Skipped(_)) => {}
            Some(Event::Closed) => return Err(Halt::NoMore),
            None => return Ok(Filled::Nothing),
        }
        Ok(Filled::More)
    }
}
