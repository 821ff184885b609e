//! Where samples lie on the Stream's time line, and what is done where they don't follow each other.

/// Ticks of Opus in a second (RFC 7587 §4.1).
pub(crate) const TICKS: i64 = 48_000;

/// A unit of sound that is due so much earlier or later than the one before ends is taken to follow it: nobody
/// hears that, cameras' times are no more exact, and each correction costs a splice. 10 ms, as in `docs/time.md`.
const TOLERANCE: i64 = TICKS / 100;

/// Holes up to this are filled with silence. Longer ones are left: a receiver has concealed them by the time the
/// sound after them comes, and silence for them would arrive too late.
const MAX_FILL: i64 = TICKS * 60 / 1000;

/// Counts samples from a unit of sound whose time was believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// When the first sample counted lies, in ticks of Opus.
    anchor: i64,
    samples: i64,
    rate: i64,
}

/// What is to be done before a unit of sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It follows the one before.
    Follow,
    /// So many silent samples come first.
    Fill(usize),
    /// So many samples of it lie before the end of what was, and are left out.
    Drop(usize),
    /// It begins somewhere else.
    Jump,
}

impl Clock {
    /// Samples at `rate` per second from `anchor` on.
    pub(crate) fn new(anchor: i64, rate: u32) -> Self {
        Self {
            anchor,
            samples: 0,
            rate: i64::from(rate.max(1)),
        }
    }

    /// When the next sample is expected.
    pub(crate) fn now(&self) -> i64 {
        self.anchor.saturating_add(self.samples * TICKS / self.rate)
    }

    /// What is to be done before a unit that is due at `due`.
    pub(crate) fn step(&self, due: i64) -> Step {
        let late = due.saturating_sub(self.now());
        let samples = (late.saturating_abs().min(TICKS * 3600) * self.rate / TICKS) as usize;
        match late {
            _ if late.saturating_abs() <= TOLERANCE => Step::Follow,
            _ if late < 0 => Step::Drop(samples),
            ..=MAX_FILL => Step::Fill(samples),
            _ => Step::Jump,
        }
    }

    /// Counts `samples` more.
    pub(crate) fn advance(&mut self, samples: usize) {
        self.samples += samples as i64;
        // Whole seconds go into the anchor, so that the count stays small however long a camera runs.
        let seconds = self.samples / self.rate;
        self.anchor = self.anchor.saturating_add(seconds * TICKS);
        self.samples -= seconds * self.rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_sound_at_a_rate_that_does_not_divide_the_ticks_ends_at_the_tick() {
        let mut clock = Clock::new(7, 11_025);
        for _ in 0..86_400 * 11_025_i64 / 1024 {
            clock.advance(1024);
        }
        assert_eq!(
            clock.now(),
            7 + 86_400 * 11_025 / 1024 * 1024 * TICKS / 11_025
        );
    }

    #[test]
    fn what_is_due_within_10_ms_follows_and_beyond_that_is_put_in_its_place() {
        let clock = Clock::new(48_000, 16_000);
        let step = |late: i64| clock.step(48_000 + late);
        assert_eq!([step(0), step(480), step(-480)], [Step::Follow; 3]);
        assert_eq!(step(481), Step::Fill(160));
        assert_eq!(step(-960), Step::Drop(320));
        assert_eq!(step(2880), Step::Fill(960));
        assert_eq!(step(2881), Step::Jump);
    }

    #[test]
    fn times_at_the_ends_of_the_range_are_no_harm() {
        let clock = Clock::new(i64::MAX - 5, 48_000);
        assert_eq!(clock.step(i64::MIN), Step::Drop(3600 * 48_000));
        assert_eq!(Clock::new(i64::MIN, 8_000).step(i64::MAX), Step::Jump);
    }
}
