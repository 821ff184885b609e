//! One task a Channel makes messages of its frames: `fanout` runs it, a [`Remuxer`] does the work.

use std::sync::Arc;

use fanout::{Item, Make};
use hub::ring::Slot;
use media::{Frame, Track};

use crate::layout::number;
use crate::remux::{Muxed, Remuxer};

/// What the hub calls our viewers.
pub(crate) const PROTOCOL: &str = "mse";

/// The stages that run, by Channel.
pub(crate) type Stages = fanout::Stages<Remuxer>;

/// One Channel's messages.
pub(crate) type Stage = fanout::Stage<Remuxer>;

impl Make for Remuxer {
    type Item = Muxed;
    type Facts = ();
    const PROTOCOL: &'static str = PROTOCOL;

    fn facts(&self) {}

    fn push(
        &mut self,
        frame: &Frame,
        announced: &Arc<[Track]>,
    ) -> impl IntoIterator<Item = Slot<Arc<Muxed>>> {
        self.messages(frame, announced)
    }

    fn left_out(&self) -> u64 {
        self.misfits()
    }
}

impl Item for Muxed {
    fn goes_with_a_picture(&self) -> bool {
        self.layout.has_picture() && self.layout.is_sound(number(self.track))
    }
}
