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
    /// `_HLS_skip` came before `_HLS_msn`: so asks video.js (8.24) alone, all others sort them.
    pub(crate) unordered: bool,
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
                "_HLS_msn" => {
                    ask.segment = Some(number()?);
                    ask.unordered = ask.skip;
                }
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
        if self.wants_two(segment, window, timing) {
            return Verdict::Wait;
        }
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

    /// Whether this is video.js, there is one part of the segment in the making, and it has none of that.
    ///
    /// video.js (8.24) appends the init segment again with each part until two in a row were in one playlist, and the browser drops what comes after one
    /// up to the next keyframe: within a GOP it gives up. The first two parts of a segment in one playlist end that at a keyframe.
    fn wants_two(self, segment: u64, window: &Window, timing: Timing) -> bool {
        let last = window.last();
        let before = self.part.filter(|_| self.unordered).is_some_and(|part| {
            // Of a segment that has ended it asks for the last part until it sees one of the next.
            let ended = segment.checked_add(1) == Some(last);
            (segment == last && part == 0)
                || (ended && part.saturating_add(1) >= window.parts(segment))
        });
        before && window.parts(last) == 1 && timing.is_brief()
    }
}

/// The Advance Part Limit: three seconds' worth of parts, or three parts where they are longer than a second.
fn advance(timing: Timing) -> u64 {
    let in_three_seconds = (3_000_000_000 + timing.part - 1) / timing.part.max(1);
    u64::try_from(in_three_seconds).unwrap_or(3).max(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::{Begins, Scene, film, packager};

    #[test]
    fn what_is_no_directive_is_left_alone_and_their_order_tells_video_js() {
        let ask = |skip, unordered| Ask {
            segment: Some(7),
            part: Some(2),
            skip,
            unordered,
        };
        for (query, expected) in [
            ("_HLS_msn=7&_HLS_part=2", ask(false, false)),
            ("_HLS_msn=7&x=_HLS_skip&_HLS_part=2", ask(false, false)),
            ("_HLS_msn=7&_HLS_part=2&_HLS_skip=YES", ask(true, false)),
            ("_HLS_skip=YES&_HLS_msn=7&_HLS_part=2", ask(true, true)),
        ] {
            assert_eq!(Ask::parse(query), Ok(expected), "{query}");
        }
        for query in ["_HLS_part=2", "_HLS_msn=+7", "_HLS_msn=x", "_HLS_skip=NO"] {
            assert!(Ask::parse(query).is_err(), "{query}");
        }
    }

    /// What is seen by whoever asks as video.js does, from answer to answer: the segment in the making, and how many parts it had.
    fn seen(gop: u32, unordered: bool) -> Vec<(u64, u64)> {
        let scene = Scene {
            step: 40_000,
            jitter: 0,
            gop,
            seconds: 20,
            high: false,
            begins: Begins::Smoothly,
            ahead: 40,
            stalls: None,
        };
        let mut packager = packager(Settings::default());
        let mut ask = Ask {
            segment: Some(0),
            part: Some(0),
            skip: true,
            unordered,
        };
        let mut seen = Vec::new();
        for (frame, tracks) in film(&[scene], true) {
            if !packager.push(&frame, &tracks) {
                continue;
            }
            let timing = packager.timing().expect("there is a part");
            let window = packager.window();
            if ask.judge(window, timing) != Verdict::Answer {
                continue;
            }
            let last = window.last();
            let parts = window.parts(last);
            seen.push((last, parts));
            (ask.segment, ask.part) = if parts == 0 {
                let ended = last.saturating_sub(1);
                (Some(ended), window.parts(ended).checked_sub(1))
            } else {
                (Some(last), Some(parts))
            };
        }
        seen
    }

    #[test]
    fn video_js_gets_the_first_two_parts_of_a_segment_in_one_playlist() {
        // Five of a part go into the one, and not into the other.
        for gop in [50, 64] {
            let two = seen(gop, true);
            assert!(two.len() > 60, "{two:?}");
            assert!(two.iter().all(|(_, parts)| *parts != 1), "{two:?}");
            assert!(two.iter().any(|(_, parts)| *parts == 2), "{two:?}");
            assert!(seen(gop, false).iter().any(|(_, parts)| *parts == 1));
        }
    }
}
