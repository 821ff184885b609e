//! How far apart a camera's pictures are, found before the first of them is placed. Pure.
//!
//! Whoever sends each picture at once has to guess how long the first one lasts (`fmp4::Timeline`), and where pictures are seconds
//! apart the guess is corrected over many of them, with parts that come in bursts meanwhile. A playlist has time: nothing is listed
//! before a part is full.

use crate::timing::{SECOND, SPARSE};

/// Between a fifth of a second and this, in nanoseconds, a step between two pictures may be a stall: where it decides how long parts
/// are, the next step is looked at too.
const DOUBTED_STEP: std::ops::Range<i64> = SECOND / 5 + 1..2 * SECOND + 1;

/// How much sound after the second picture tells, in nanoseconds, that a step that makes parts longer was no stall.
const BELIEVED_AFTER: i64 = SECOND;

/// How much later than the first picture sound may be, in nanoseconds, until the second picture is waited for no more.
const LONGEST_WAIT: i64 = 10 * SECOND;

/// What is known of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Pace {
    /// There was no picture yet.
    #[default]
    Unseen,
    /// The decode time of the first picture in nanoseconds, and the way to the second one.
    Begun { first: i64, step: Option<i64> },
    /// From picture to picture in nanoseconds; none where the second one did not come in time.
    Known(Option<i64>),
}

impl Pace {
    /// Learns from a picture that is decoded at `at`; `alone` says that there is no sound beside it.
    pub(crate) fn picture(&mut self, at: i64, alone: bool) {
        *self = match *self {
            Self::Unseen => Self::Begun {
                first: at,
                step: None,
            },
            Self::Begun { first, step: None } => {
                let step = at - first;
                if is_doubted(step, alone) {
                    Self::Begun {
                        first,
                        step: Some(step),
                    }
                } else {
                    Self::Known(Some(step))
                }
            }
            Self::Begun {
                first,
                step: Some(step),
            } => Self::Known(Some(step.min(at - first - step))),
            known @ Self::Known(_) => known,
        };
    }

    /// Learns from sound at `at` that no picture has come up to there.
    pub(crate) fn sound(&mut self, at: i64) {
        if let Self::Begun { first, step } = *self {
            let known_at = step.map_or(LONGEST_WAIT, |step| step + BELIEVED_AFTER);
            if at - first > known_at {
                *self = Self::Known(step);
            }
        }
    }

    /// Another session of the camera begins: what is not known by now has to be found anew.
    pub(crate) fn restart(&mut self) {
        if !matches!(self, Self::Known(_)) {
            *self = Self::Unseen;
        }
    }

    /// Whether frames have to wait until more is known.
    pub(crate) fn waits(self) -> bool {
        matches!(self, Self::Begun { .. })
    }

    /// From picture to picture in nanoseconds, where it is known.
    pub(crate) fn step(self) -> Option<i64> {
        match self {
            Self::Known(step) => step,
            Self::Unseen | Self::Begun { .. } => None,
        }
    }
}

/// Whether a step decides how long parts are, and may be a stall.
fn is_doubted(step: i64, alone: bool) -> bool {
    if alone {
        DOUBTED_STEP.contains(&step)
    } else {
        step > SPARSE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: &[i64], alone: bool) -> Pace {
        let mut pace = Pace::default();
        for at in millis {
            pace.picture(at * SECOND / 1000, alone);
        }
        pace
    }

    #[test]
    fn two_pictures_tell_how_far_they_are_apart() {
        for alone in [true, false] {
            assert!(after(&[7], alone).waits());
            assert_eq!(after(&[7, 47], alone).step(), Some(SECOND / 25));
        }
        assert_eq!(after(&[0, 5000], true).step(), Some(5 * SECOND));
    }

    #[test]
    fn what_may_be_a_stall_is_looked_at_twice_where_it_makes_parts_longer() {
        assert!(after(&[0, 1000], true).waits());
        assert_eq!(after(&[0, 1000, 1040], true).step(), Some(SECOND / 25));
        assert_eq!(after(&[0, 1000, 2000], true).step(), Some(SECOND));
        assert_eq!(after(&[0, 1000], false).step(), Some(SECOND));
        assert!(after(&[0, 5000], false).waits());
        assert_eq!(after(&[0, 5000, 5040], false).step(), Some(SECOND / 25));
    }

    #[test]
    fn a_second_of_sound_without_a_picture_tells_that_it_was_no_stall() {
        let mut pace = after(&[0, 5000], false);
        pace.sound(5 * SECOND + BELIEVED_AFTER);
        assert!(pace.waits());
        pace.sound(5 * SECOND + BELIEVED_AFTER + 1);
        assert_eq!(pace.step(), Some(5 * SECOND));
    }

    #[test]
    fn sound_waits_for_a_second_picture_only_so_long() {
        let mut pace = after(&[0], false);
        pace.sound(LONGEST_WAIT);
        assert!(pace.waits());
        pace.sound(LONGEST_WAIT + 1);
        assert_eq!(pace, Pace::Known(None));
    }

    #[test]
    fn a_restart_forgets_what_was_not_certain() {
        let mut pace = after(&[0], false);
        pace.restart();
        assert_eq!(pace, Pace::Unseen);
        let mut pace = after(&[0, 40], false);
        pace.restart();
        assert_eq!(pace.step(), Some(SECOND / 25));
    }
}
