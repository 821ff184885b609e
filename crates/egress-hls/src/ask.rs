//! What a player asks of a playlist: the delivery directives (draft-pantos-hls-rfc8216bis §6.2.5). Pure.

use crate::timing::Timing;
use crate::window::Window;

/// A playlist request's directives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ask {
    /// `_HLS_msn`
    pub(crate) segment: Option<u64>,
    /// `_HLS_part`
    pub(crate) part: Option<u64>,
    /// `_HLS_skip`
    pub(crate) skip: bool,
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The playlist has what is asked for.
    Answer,
    /// It will.
    Wait,
    /// Nobody who has a playlist of this stream asks for that: 400.
    Refuse(&'static str),
}

impl Ask {
    /// Reads a query string. What is no directive is left alone, as are directives of later versions.
    ///
    /// # Errors
    /// What is wrong, for an answer 400.
    pub(crate) fn parse(query: &str) -> Result<Self, &'static str> {
        let mut ask = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            // `parse` takes a sign.
            let unsigned = !value.starts_with('+');
            let parsed = || value.parse().ok().filter(|_| unsigned);
            let number = || parsed().ok_or("a directive is no number");
            match name {
                "_HLS_msn" => ask.segment = Some(number()?),
                "_HLS_part" => ask.part = Some(number()?),
                "_HLS_skip" => match value {
                    "YES" | "v2" => ask.skip = true,
                    _ => return Err("_HLS_skip is YES or v2"),
                },
                _ => {}
            }
        }
        if ask.part.is_some() && ask.segment.is_none() {
            return Err("_HLS_part needs _HLS_msn");
        }
        Ok(ask)
    }

    /// Whether there is nothing to do about it yet.
    pub(crate) fn waits(self, window: &Window, timing: Timing) -> bool {
        self.judge(window, timing) == Verdict::Wait
    }

    /// What to do while `window` is what there is.
    pub(crate) fn judge(self, window: &Window, timing: Timing) -> Verdict {
        let Some(segment) = self.segment else {
            return Verdict::Answer;
        };
        if window.has(segment, self.part) {
            return Verdict::Answer;
        }
        let last = window.last();
        if segment > last.saturating_add(2) {
            return Verdict::Refuse("_HLS_msn is too far ahead");
        }
        // Of a segment that has just ended, more parts may be asked for than there are: the next segment's first is meant.
        let parts = window.parts(segment);
        // The last part there is has the number `parts - 1`.
        if self
            .part
            .is_some_and(|part| part >= parts.saturating_add(advance(timing)))
        {
            return Verdict::Refuse("_HLS_part is too far ahead");
        }
        Verdict::Wait
    }
}

/// The Advance Part Limit: three seconds' worth of parts, or three parts where they are longer than a second.
fn advance(timing: Timing) -> u64 {
    let in_three_seconds = (3_000_000_000 + timing.part - 1) / timing.part.max(1);
    u64::try_from(in_three_seconds).unwrap_or(3).max(3)
}
