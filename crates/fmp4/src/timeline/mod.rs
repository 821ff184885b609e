//! Which decode time and duration a frame gets in the container.
//!
//! A frame goes out when it is complete, so its duration is not known yet: the next frame would tell it.
//! Browsers are strict about both. The coded frame processing of Media Source Extensions (§3.5.8) takes a decode
//! time that is more than twice the last declared duration after the last one for a discontinuity, and then
//! throws away **all tracks'** frames up to their next random access points: one late picture, or one gap in
//! the sound, freezes the picture until the next keyframe, which can be a minute away. And a hole in what is
//! buffered stalls the element. So there are no discontinuities and no holes:
//!
//! **Picture.** The declared duration is an estimate: the distance of the last two decode times, smoothed so
//! that a single outlier can at most double it or take a quarter off; before that the rate in the parameter
//! sets, or 1/25 s. A frame that comes within [`video::LATE`] of the last duration gets its exact time: what
//! is declared too long or too short is shorter than what browsers bridge. One that comes later is placed
//! right at the end of the frame before it, and lasts until where the next is due: it is shown early and
//! long, and the next frame's time is exact again.
//!
//! **Sound.** Durations are exact; decode times follow each other without a seam, since browsers fill any seam
//! with silence or cut it, both audible. A frame within [`audio::TOLERANCE_MS`] of where it is due follows
//! the one before. Where frames are missing, silence in the track's own codec is put in (AAC mono and stereo, Opus,
//! our FLAC) and the next frame is exact; where there is none for the codec, the frame is placed early and
//! lasts as long as the gap. A frame that overlaps what is there is left out.
//!
//! Both kinds declare a time never later than the frame's own, so latency does not grow.
//! `docs/decisions/0003-fragment-durations.md` has the alternatives.

mod audio;
mod video;

use media::{Format, Frame, Kind};

use crate::moof::Sample;

/// What becomes of one frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    /// Silence that fills the gap before the frame; mostly empty.
    pub silence: Vec<Sample>,
    /// The frame; none if it overlaps what is there.
    pub frame: Option<Sample>,
}

/// The placing of one track's frames, in decoding order.
#[derive(Debug, Default)]
pub struct Timeline {
    video: video::Timeline,
    audio: audio::Timeline,
    clock: u32,
}

impl Timeline {
    /// A timeline for pictures that are `ticks` apart at first, as whoever can wait for the second one knows.
    pub fn of_step(ticks: u32) -> Self {
        let mut timeline = Self::default();
        timeline.video.expected = Some(ticks.max(1));
        timeline
    }

    /// Places `frame`, whose data are shared, not copied.
    pub fn push(&mut self, frame: &Frame) -> Placed {
        self.follow_clock(&frame.format);
        match frame.kind() {
            Kind::Video => Placed {
                silence: Vec::new(),
                frame: Some(self.video.place(frame)),
            },
            Kind::Audio => self.audio.place(frame),
        }
    }

    /// What follows continues nothing: its times count as they are. Pictures are expected as far apart as they were.
    pub fn restart(&mut self) {
        self.video.restart();
        self.audio = audio::Timeline::default();
    }

    /// Silence from the end of a sound track, or from `from` where it never had anything, up to `until`, both in
    /// ticks of `format`. Nothing for a picture, for a codec without known silence, or where less than
    /// a unit of it is missing.
    pub fn silence(&mut self, format: &Format, from: i64, until: i64) -> Vec<Sample> {
        self.follow_clock(format);
        match format.kind() {
            Kind::Video => Vec::new(),
            Kind::Audio => self.audio.silence(format, from, until),
        }
    }

    /// Where a sound track ends, in ticks of its clock; none before the first frame.
    pub fn audio_end(&self) -> Option<u64> {
        self.audio.end
    }

    /// How many frames came too late and were placed early, or needed silence before them.
    pub fn gaps(&self) -> u64 {
        self.video.gaps + self.audio.gaps
    }

    /// How many frames of sound were left out because they overlapped what was there.
    pub fn overlaps(&self) -> u64 {
        self.audio.overlaps
    }

    fn follow_clock(&mut self, format: &Format) {
        let clock = format.clock_rate();
        if self.clock != clock {
            if self.clock != 0 {
                self.audio.rescale(self.clock, clock);
            }
            self.clock = clock;
        }
    }
}

/// A time on the Stream's time line as containers have it: never before zero.
fn unsigned(ticks: i64) -> u64 {
    u64::try_from(ticks).unwrap_or(0)
}

#[cfg(test)]
mod tests;
