//! What one viewer has said and what it is told. Pure: the driver in `viewer` owns the socket and the clock.

use std::sync::Arc;

use hub::State;
use tokio::time::Instant;

use crate::layout::{Layout, Offer};
use crate::message::{Condition, Heard, Said};
use crate::outbox::{Message, Outbox};
use crate::rebase::Rebase;
use crate::remux::Muxed;

/// Why a connection is closed (`docs/mse.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Close {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Close {
    pub(crate) const SHUTDOWN: u16 = 1001;
    pub(crate) const PROTOCOL: u16 = 1002;
    pub(crate) const DEFECT: u16 = 1011;
    pub(crate) const RESTART: u16 = 1012;
    pub(crate) const REMOVED: u16 = 4000;
    pub(crate) const UNANSWERED: u16 = 4001;
    pub(crate) const STALLED: u16 = 4002;
    pub(crate) const UNPLAYABLE: u16 = 4003;
    pub(crate) const KICKED: u16 = 4004;
    pub(crate) const FORBIDDEN: u16 = 4005;

    /// The reason in one word, for the log; none where the client wished to end.
    pub(crate) fn name(&self) -> Option<&'static str> {
        Some(match self.code {
            Self::SHUTDOWN => "shutdown",
            Self::PROTOCOL => "protocol",
            Self::DEFECT => "defect",
            Self::RESTART => "codecs_changed",
            Self::REMOVED => "removed",
            Self::UNANSWERED => "unanswered",
            Self::STALLED => "stalled",
            Self::UNPLAYABLE => "unplayable",
            Self::KICKED => "kicked",
            Self::FORBIDDEN => "forbidden",
            _ => return None,
        })
    }

    pub(crate) fn new(code: u16, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

/// How media is framed.
#[derive(Debug)]
enum Framing {
    /// `lunette.v1`. The codecs the client said it plays; none before its hello.
    Lunette(Option<Vec<String>>),
    /// RTSPtoWeb's, which has no negotiation.
    Legacy(Rebase),
}

/// One viewer.
#[derive(Debug)]
pub(crate) struct Session {
    framing: Framing,
    /// What was announced last.
    current: Option<(Arc<Layout>, Arc<Offer>)>,
    /// The state that was told last, as it was sent.
    told: Option<bytes::Bytes>,
    /// How many frames this viewer was too slow for.
    pub(crate) skipped: u64,
}

impl Session {
    /// A viewer that speaks `lunette.v1`.
    pub(crate) fn lunette() -> Self {
        Self::new(Framing::Lunette(None))
    }

    /// A viewer that expects RTSPtoWeb's framing.
    pub(crate) fn legacy() -> Self {
        Self::new(Framing::Legacy(Rebase::default()))
    }

    fn new(framing: Framing) -> Self {
        Self {
            framing,
            current: None,
            told: None,
            skipped: 0,
        }
    }

    /// Whether media may flow.
    pub(crate) fn ready(&self) -> bool {
        !matches!(self.framing, Framing::Lunette(None))
    }

    /// The client sent text.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Close> {
        let Framing::Lunette(codecs) = &mut self.framing else {
            return Ok(()); // RTSPtoWeb's clients say nothing that means anything.
        };
        let heard: Heard = serde_json::from_str(text)
            .map_err(|error| Close::new(Close::PROTOCOL, format!("not a message: {error}")))?;
        match (heard, &codecs) {
            (Heard::Hello { codecs: played }, None) => *codecs = Some(played),
            (Heard::Other, None) => {
                return Err(Close::new(
                    Close::PROTOCOL,
                    "the first message must be a hello",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// The camera's state, which is told once it differs from what was told.
    pub(crate) fn state(&mut self, state: &State, now: Instant, out: &mut Outbox) {
        if !matches!(self.framing, Framing::Lunette(Some(_))) {
            return;
        }
        let message = Said::State(Condition::of(state, now)).framed();
        if self.told.as_ref() != Some(&message) {
            self.told = Some(message.clone());
            out.push(Message::Whole(message));
        }
    }

    /// The next fragment of the Stream.
    pub(crate) fn media(&mut self, muxed: Arc<Muxed>, out: &mut Outbox) -> Result<(), Close> {
        let offer = match &self.current {
            Some((layout, offer)) if Arc::ptr_eq(layout, &muxed.layout) => Arc::clone(offer),
            _ => self.announce(&muxed.layout, out)?,
        };
        if !offer.tracks.contains(&muxed.track) {
            return Ok(());
        }
        match &mut self.framing {
            Framing::Lunette(_) => out.push(Message::Shared(muxed)),
            Framing::Legacy(rebase) => {
                if let Some(head) = rebase.head(&muxed) {
                    out.push(Message::Rebased(head, muxed));
                }
            }
        }
        Ok(())
    }

    /// The viewer was too slow for `frames`; the next one is a keyframe.
    pub(crate) fn skip(&mut self, frames: u64, out: &mut Outbox) {
        self.skipped += frames;
        match &mut self.framing {
            Framing::Lunette(_) => out.push(Message::Whole(Said::Skipped { frames }.framed())),
            Framing::Legacy(rebase) => rebase.skipped(),
        }
    }

    /// Tells which tracks follow, and their init segment.
    fn announce(&mut self, layout: &Arc<Layout>, out: &mut Outbox) -> Result<Arc<Offer>, Close> {
        let plays = |codec: &str| match &self.framing {
            Framing::Lunette(played) => played.iter().flatten().any(|p| family(p) == family(codec)),
            Framing::Legacy(_) => true,
        };
        let offer = layout
            .offer(plays)
            .map_err(|why| Close::new(Close::UNPLAYABLE, why))?;
        let announcement = match (&self.framing, &self.current) {
            (Framing::Lunette(_), _) => Some(&offer.announcement),
            (Framing::Legacy(_), None) => Some(&offer.legacy_announcement),
            (Framing::Legacy(_), Some((_, before))) if alike(before, &offer) => None,
            (Framing::Legacy(_), Some(_)) => {
                let why = "the stream's codecs changed; connect again";
                return Err(Close::new(Close::RESTART, why));
            }
        };
        for message in announcement.into_iter().chain([&offer.init]) {
            out.push(Message::Whole(message.clone()));
        }
        self.current = Some((Arc::clone(layout), Arc::clone(&offer)));
        Ok(offer)
    }
}

/// The part of a codec string that names the codec, without its profile.
fn family(codec: &str) -> &str {
    codec.split('.').next().unwrap_or(codec).trim()
}

/// Whether a browser takes the init segment of `b` where it had that of `a`: the same codecs, whatever
/// their profiles, in tracks of the same numbers.
fn alike(a: &Offer, b: &Offer) -> bool {
    let families = |offer: &Offer| -> Vec<String> {
        offer.codecs.iter().map(|c| family(c).to_owned()).collect()
    };
    a.tracks == b.tracks && families(a) == families(b)
}

#[cfg(test)]
mod tests;
