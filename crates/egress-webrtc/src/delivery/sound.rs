//! Sound on its way to one viewer: each packet at once.

use std::sync::Arc;
use std::time::Duration;

use hub::ring::{Event, Reader};
use media::Codec;

use super::{Served, Way};
use crate::Error;
use crate::batch::Batch;
use crate::lane::Lane;
use crate::opus::Listening;
use crate::plan::Chosen;
use crate::stage::Stage;
use crate::unit::Unit;

#[derive(Debug)]
pub(super) struct Sound {
    pub(super) lane: Lane,
    codec: Codec,
    /// The camera's sound is something else, and Opus is made of it.
    made: bool,
    source: Option<Heard>,
}

/// Where sound comes from.
#[derive(Debug)]
enum Heard {
    Camera(Reader<Arc<Unit>>),
    Made(Listening),
}

impl Sound {
    pub(super) fn new(Chosen { wire, codec, made }: Chosen) -> Self {
        Self {
            lane: Lane::new(wire),
            codec,
            made,
            source: None,
        }
    }

    /// Takes a place in the ring: sound from now on.
    pub(super) fn begin(&mut self, stage: &Stage) {
        self.source = Some(if self.made {
            Heard::Made(stage.opus(self.lane.wire.track))
        } else {
            Heard::Camera(stage.sounds())
        });
    }

    pub(super) fn serve(
        &mut self,
        way: &mut Way<'_>,
        batch: &mut Batch,
        sent: &mut impl FnMut(&Unit),
    ) -> Result<Served, Error> {
        let reader = match &mut self.source {
            Some(Heard::Camera(reader)) => reader,
            Some(Heard::Made(listening)) => &mut listening.units,
            None => return Ok(Served::All),
        };
        loop {
            match reader.try_next() {
                Some(Event::Item(unit)) if unit.track == self.lane.wire.track => {
                    if unit.format.codec() != self.codec {
                        return Ok(Served::OtherCodec);
                    }
                    self.lane.begin(&unit, Duration::ZERO, false);
                    for payload in &unit.packets {
                        self.lane
                            .send(payload, way.unix, way.srtp, way.path, batch)?;
                    }
                    sent(&unit);
                }
                Some(Event::Item(_) | Event::Skipped(_)) => {}
                Some(Event::Closed) => return Ok(Served::Closed),
                None => return Ok(Served::All),
            }
        }
    }
}
