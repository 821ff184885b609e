use media::Format;
use media::time::{NANOS, rescale, ticks_to_nanos};

use crate::clip::ClipTrack;

/// Which unit of a track comes next when the clip is played over and over, and when.
///
/// Each round of a picture track begins a whole period after the one before. Sound has a grid of its own, of
/// units of equal length, which goes on through all rounds: a round begins at the place of the grid that is
/// nearest to where the picture's does. So the times of sound never jump, and sound and picture are never
/// more than half a unit apart, whatever the lengths in the clip.
#[derive(Debug, Clone)]
pub(crate) struct Playhead {
    /// The period in ticks of the track's clock.
    period: i64,
    /// The length of a unit of sound in ticks; zero for picture.
    step: i64,
    clock: u32,
    round: i64,
    unit: usize,
}

/// A unit's place in the endless film.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its number among the units of the clip.
    pub(crate) unit: usize,
    /// Its time in ticks of the track's clock since the first round began.
    pub(crate) ticks: i64,
    /// The same in nanoseconds.
    pub(crate) nanos: i64,
}

impl Playhead {
    /// At the beginning of `track` of a clip that begins anew after `period` nanoseconds.
    pub(crate) fn new(track: &ClipTrack, period: i64) -> Self {
        let step = match &*track.format {
            Format::Aac(aac) => i64::from(aac.frame_length),
            _ => 0,
        };
        let clock = track.format.clock_rate();
        Self {
            period: rescale(period, i64::from(clock), NANOS),
            step,
            clock,
            round: 0,
            unit: 0,
        }
    }

    /// The place of the unit that comes next.
    pub(crate) fn next(&self, track: &ClipTrack) -> Place {
        let unit = self.unit.min(track.units.len() - 1);
        let ticks = if self.step > 0 {
            (self.start(self.round) + self.unit as i64) * self.step
        } else {
            self.round * self.period + track.units[unit].pts
        };
        Place {
            unit,
            ticks,
            nanos: ticks_to_nanos(ticks, self.clock),
        }
    }

    /// Goes on to the unit after the next.
    pub(crate) fn advance(&mut self, track: &ClipTrack) {
        self.unit += 1;
        let units = if self.step > 0 {
            (self.start(self.round + 1) - self.start(self.round)) as usize
        } else {
            track.units.len()
        };
        if self.unit >= units {
            self.unit = 0;
            self.round += 1;
        }
    }

    /// The place on the grid of sound where `round` begins.
    fn start(&self, round: i64) -> i64 {
        rescale(round, self.period, self.step)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use bytes::Bytes;
    use media::{Aac, Frame, TrackId};

    use super::*;
    use crate::clip::Clip;

    fn sound(units: usize) -> ClipTrack {
        let format = Arc::new(Format::Aac(Aac::low_complexity(48_000, 1).unwrap()));
        let unit = Frame {
            track: TrackId(1),
            format: Arc::clone(&format),
            pts: 0,
            dts: 0,
            keyframe: true,
            discontinuity: false,
            wallclock: None,
            arrival: Instant::now(),
            data: Bytes::new(),
        };
        ClipTrack {
            format,
            units: vec![unit; units],
        }
    }

    #[test]
    fn picture_and_sound_of_the_clip_run_on_for_hours() {
        let clip = Clip::bundled().unwrap();
        for track in &clip.tracks {
            let mut head = Playhead::new(track, clip.period);
            let mut last = head.next(track);
            let first_step = {
                head.advance(track);
                head.next(track).ticks
            };
            for _ in 0..500_000 {
                let place = head.next(track);
                assert_eq!(place.ticks - last.ticks, first_step);
                assert_eq!(place.unit, (last.unit + 1) % track.units.len());
                last = place;
                head.advance(track);
            }
        }
    }

    #[test]
    fn sound_that_does_not_fit_the_picture_keeps_its_grid_and_stays_near() {
        // 10 s are 468.75 units.
        let (track, period) = (sound(468), 10 * NANOS);
        let mut head = Playhead::new(&track, period);
        for n in 0..10_000i64 {
            let place = head.next(&track);
            assert_eq!(place.ticks, n * 1024);
            if place.unit == 0 {
                let into = (place.nanos + period / 2) % period - period / 2;
                assert!(
                    into.abs() <= 10_700_000,
                    "{into} ns from where the picture begins"
                );
            }
            head.advance(&track);
        }
    }
}
