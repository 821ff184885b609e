//! What goes into a layout, and when: the tracks of a Stream as they were announced and as their frames are, and
//! how long sound stays away. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use media::{Format, Frame, Kind, Track, TrackId};

/// How long sound waits, in nanoseconds, for the parameters of a picture that was announced without them.
const PICTURE_PATIENCE: i64 = 3_000_000_000;

/// How long the picture goes on without a frame of sound, in nanoseconds, before silence takes its place:
/// players stop the picture where the sound ends. Sound packets come every 20 to 128 ms.
const SOUND_PATIENCE: i64 = 500_000_000;

/// The tracks of a Stream.
#[derive(Debug, Default)]
pub struct Roster {
    announced: Option<Arc<[Track]>>,
    /// The newest format that a frame of a track had since the announcement.
    seen: BTreeMap<TrackId, Arc<Format>>,
    stale: bool,
    /// Since when sound waits for the picture's parameters, in nanoseconds.
    waiting: Option<i64>,
}

impl Roster {
    /// Takes note of `frame`, which was written while `announced` were the tracks.
    pub fn note(&mut self, frame: &Frame, announced: &Arc<[Track]>) {
        let news = |known: &Arc<[Track]>| !Arc::ptr_eq(known, announced);
        if self.announced.as_ref().is_none_or(news) {
            self.announced = Some(Arc::clone(announced));
            self.seen.clear();
            self.stale = true;
        }
        let known = self.seen.get(&frame.track);
        if known.is_none_or(|format| !Arc::ptr_eq(format, &frame.format)) {
            self.seen.insert(frame.track, Arc::clone(&frame.format));
            self.stale = true;
        }
    }

    /// Whether a layout should be made of it at `now`, in nanoseconds: there is news, and no picture that was announced is
    /// waited for.
    pub fn is_ready(&mut self, now: i64) -> bool {
        if self.stale && self.picture_is_unknown() {
            return now - *self.waiting.get_or_insert(now) >= PICTURE_PATIENCE;
        }
        self.stale
    }

    /// A layout was made of it.
    pub fn settle(&mut self) {
        self.stale = false;
        self.waiting = None;
    }

    /// The tracks as they were announced.
    pub fn announced(&self) -> &[Track] {
        self.announced.as_deref().unwrap_or_default()
    }

    /// The format of `track`: that of its frames, or the announced one.
    pub fn format<'r>(&'r self, track: &'r Track) -> Option<&'r Arc<Format>> {
        self.seen.get(&track.id).or(track.format.as_ref())
    }

    /// The tracks that have frames, with their formats.
    pub fn seen(&self) -> impl Iterator<Item = (TrackId, &Arc<Format>)> {
        self.seen.iter().map(|(id, format)| (*id, format))
    }

    fn picture_is_unknown(&self) -> bool {
        let mut pictures = self
            .announced()
            .iter()
            .filter(|track| track.kind == Kind::Video && track.unsupported.is_none());
        pictures.any(|track| track.format.is_none() && !self.seen.contains_key(&track.id))
    }
}

/// A track of sound beside a picture, which may stay away. Times are in nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Heard(Option<Last>);

/// Where the sound was when it was heard last.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// Up to where pictures had come.
    picture: i64,
    /// How far the sound was behind them, when it first came after that picture.
    behind: i64,
    end: i64,
}

impl Heard {
    /// Sound came while the picture was at `picture`, and ends at `end`.
    pub fn note(&mut self, picture: Option<i64>, end: Option<i64>) {
        let before = self.0;
        self.0 = picture.zip(end).map(|(picture, end)| {
            // While a picture is shown for long its sound comes, and is behind the next one, not behind this one.
            let same = before.filter(|last| last.picture == picture);
            let behind = same.map_or(0, |last| last.behind).max(picture - end);
            Last {
                picture,
                behind,
                end,
            }
        });
    }

    /// From when to when silence stands for the sound, now that the picture is at `picture`: so that the sound stays as far
    /// behind it as it was when it was heard. Sound that is before the picture, or comes while one is shown for
    /// seconds, has not stayed away.
    pub fn silence(&mut self, picture: i64) -> Option<(i64, i64)> {
        let &mut Last { behind, end, .. } = self.0.get_or_insert(Last {
            picture,
            behind: 0,
            end: picture,
        });
        let due = picture - behind;
        (due - end > SOUND_PATIENCE).then_some((end, due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_keeps_the_distance_at_which_sound_was_heard() {
        let ms = |ms: i64| ms * 1_000_000;
        let mut heard = Heard::default();
        heard.note(Some(ms(1000)), Some(ms(960)));
        assert_eq!(heard.silence(ms(1500)), None, "it may still come");
        assert_eq!(heard.silence(ms(1600)), Some((ms(960), ms(1560))));
        heard.note(Some(ms(1600)), Some(ms(1540)));
        assert_eq!(heard.silence(ms(1640)), None, "it is back");
    }

    #[test]
    fn sound_that_comes_while_a_picture_is_shown_for_seconds_has_not_stayed_away() {
        let mut heard = Heard::default();
        let second = 1_000_000_000;
        for picture in (0..50).step_by(5).map(|at| at * second) {
            assert_eq!(heard.silence(picture), None);
            for sound in (0..5 * second).step_by(20_000_000) {
                // It is 700 ms behind.
                heard.note(Some(picture), Some(picture + sound - 700_000_000));
            }
        }
        let ends = 50 * second - 720_000_000;
        let silent = heard.silence(51 * second);
        assert_eq!(silent, Some((ends, 51 * second - 700_000_000)));
    }

    #[test]
    fn sound_that_was_never_heard_is_silent_from_the_first_picture_on() {
        let mut heard = Heard::default();
        assert_eq!(heard.silence(0), None);
        assert_eq!(heard.silence(PICTURE_PATIENCE), Some((0, PICTURE_PATIENCE)));
    }
}
