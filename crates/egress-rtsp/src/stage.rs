//! One task a Channel makes packets of its frames: `fanout` runs it, a [`Packer`] does the work.

use std::sync::Arc;

use fanout::{Item, Make};
use hub::Clock;
use hub::ring::Slot;
use media::{Frame, Kind, Track};

use crate::packer::Packer;
use crate::sources::Sources;
use crate::unit::Unit;

/// What this egress is called in counts and lists.
pub(crate) const PROTOCOL: &str = "rtsp";

/// The stages that run, by Channel.
pub(crate) type Stages = fanout::Stages<Packets>;

/// One Channel's packets.
pub(crate) type Stage = fanout::Stage<Packets>;

/// Makes packets of a Stream.
#[derive(Debug)]
pub(crate) struct Packets {
    sources: Sources,
    packer: Packer,
    clock: Clock,
    /// Frames of formats that are not sent.
    left_out: u64,
}

impl Packets {
    /// From sources at random; `clock` is the one in reports.
    pub(crate) fn new(clock: Clock) -> Self {
        let sources = Sources::random();
        Self {
            sources,
            packer: Packer::new(sources),
            clock,
            left_out: 0,
        }
    }
}

impl Make for Packets {
    type Item = Unit;
    type Facts = Sources;
    const PROTOCOL: &'static str = PROTOCOL;

    fn facts(&self) -> Sources {
        self.sources
    }

    fn push(
        &mut self,
        frame: &Frame,
        announced: &Arc<[Track]>,
    ) -> impl IntoIterator<Item = Slot<Arc<Unit>>> {
        let (start, unix) = (
            is_start(frame, announced),
            self.clock.unix_nanos(frame.arrival),
        );
        if start {
            self.packer.expect(announced);
        }
        let slot = self.packer.push(frame, start, unix);
        self.left_out += u64::from(slot.is_none());
        slot
    }

    fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Item for Unit {
    fn goes_with_a_picture(&self) -> bool {
        // Sound that one may start at has no picture to wait for.
        self.start.is_none() && self.format.kind() == Kind::Audio
    }
}

/// Whether viewers may start at `frame`: a keyframe, or sound where there is no picture.
fn is_start(frame: &Frame, tracks: &[Track]) -> bool {
    let has_picture = || {
        let sent = |track: &Track| track.format.is_some() && track.unsupported.is_none();
        tracks
            .iter()
            .any(|track| track.kind == Kind::Video && sent(track))
    };
    frame.keyframe && (frame.kind() == Kind::Video || !has_picture())
}
