//! Notices a picture that stands still while the sound goes on. Pure.

use std::time::{Duration, Instant};

/// How much longer than the longest pause so far the picture may stay away.
const PACES: u32 = 20;
/// For how many silence limits the picture must have gone on before its absence means anything: cameras that
/// send pictures only when something moves do so in short runs.
const STEADY: u32 = 6;
/// For how many silence limits a picture that was announced may fail to begin while sound comes.
const BEGINNING: u32 = 3;
/// After a steady time of this length, pauses from before it are forgotten.
const MEMORY: Duration = Duration::from_secs(3600);

/// Judges the picture of a camera by its own past pace.
///
/// Few pictures are no fault: some cameras send one in many seconds, others only when something moves. So the
/// picture is missed when it came without a break for a good while, and then stays away for the silence limit and
/// for many times longer than it ever did, and sound still comes.
///
/// A picture that was announced and does not begin is missed sooner, and each session after that waits twice as long: a
/// camera may have nothing to show until something moves.
#[derive(Debug)]
pub(crate) struct Standstill {
    silence: Duration,
    known: Known,
    /// A picture was announced.
    expected: bool,
    /// Since when sound comes.
    heard: Option<Instant>,
    /// The longest pause since `steady`.
    recent: Duration,
    /// Since when the picture has come without a break of the silence limit.
    steady: Option<Instant>,
    picture: Option<Instant>,
    sound: Option<Instant>,
}

/// What one session learns of a camera's picture for the next.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// The longest pause that it makes.
    pause: Duration,
    /// How long it did not begin.
    start: Duration,
}

impl Standstill {
    /// For a camera that is taken for silent after `silence`, and of whose picture this was `known`
    /// when its session before this one ended.
    pub(crate) fn new(silence: Duration, known: Known) -> Self {
        Self {
            silence,
            known,
            expected: false,
            heard: None,
            recent: Duration::ZERO,
            steady: None,
            picture: None,
            sound: None,
        }
    }

    /// There is to be a picture.
    pub(crate) fn expect(&mut self) {
        self.expected = true;
    }

    /// A packet of the picture came.
    pub(crate) fn picture(&mut self, now: Instant) {
        let gap = self.picture.map_or(Duration::ZERO, |at| now - at);
        self.picture = Some(now);
        self.known.start = Duration::ZERO;
        self.known.pause = self.known.pause.max(gap);
        if gap >= self.silence {
            self.begin(now);
        }
        self.recent = self.recent.max(gap);
        let steady = *self.steady.get_or_insert(now);
        if now - steady >= MEMORY {
            self.known.pause = self.recent;
            self.begin(now);
        }
    }

    /// A packet of the sound came.
    pub(crate) fn sound(&mut self, now: Instant) {
        self.sound = Some(now);
        self.heard.get_or_insert(now);
    }

    /// How long the picture has been away at `now`, if that is too long. The next session is to know of it:
    /// dialling again may not have been the cure.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Duration> {
        let (since, patience) = self.waiting()?;
        let away = now.saturating_duration_since(since);
        self.sound.filter(|&at| at + self.silence > now)?;
        if away < patience {
            return None;
        }
        let longest = match self.picture {
            Some(_) => &mut self.known.pause,
            None => &mut self.known.start,
        };
        *longest = away.max(*longest);
        Some(away)
    }

    /// What is known of the picture.
    pub(crate) fn known(&self) -> Known {
        self.known
    }

    /// Since when the picture is away, and for how long it may be. Whether it is missed then, the sound tells.
    fn waiting(&self) -> Option<(Instant, Duration)> {
        let Some(picture) = self.picture else {
            let patience = (self.silence * BEGINNING).max(self.known.start * 2);
            return Some((self.heard.filter(|_| self.expected)?, patience));
        };
        let patience = self.silence.max(self.known.pause * PACES);
        (picture - self.steady? >= self.silence * STEADY).then_some((picture, patience))
    }

    fn begin(&mut self, now: Instant) {
        self.steady = Some(now);
        self.recent = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const SOUND: Duration = Duration::from_millis(20);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A camera in virtual time, whose sound never ends.
    struct Camera {
        watch: Standstill,
        now: Instant,
    }

    impl Camera {
        fn new() -> Self {
            Self {
                watch: Standstill::new(LIMIT, Known::default()),
                now: Instant::now(),
            }
        }

        /// Sends pictures every `step` for `time`; true if the picture was missed.
        fn films(&mut self, step: Duration, time: Duration) -> bool {
            let end = self.now + time;
            let mut missed = false;
            while self.now < end {
                self.watch.picture(self.now);
                missed |= self.hums(step.min(end - self.now)).is_some();
            }
            missed
        }

        /// Sends sound alone for `time`, and says how long the picture was away when it was missed.
        fn hums(&mut self, time: Duration) -> Option<Duration> {
            let end = self.now + time;
            while self.now < end {
                self.now += SOUND.min(end - self.now);
                self.watch.sound(self.now);
                let away = self.watch.overdue(self.now);
                if away.is_some() {
                    return away;
                }
            }
            None
        }

        /// Dials again: what is known of pauses is kept.
        fn again(&mut self) {
            self.watch = Standstill::new(LIMIT, self.watch.known());
        }
    }

    #[test]
    fn a_picture_that_stops_in_mid_flow_is_missed_after_the_silence_limit() {
        let mut camera = Camera::new();
        assert!(!camera.films(secs(1) / 25, secs(60) + secs(1)));
        let away = camera.hums(secs(60)).unwrap();
        assert!(away.abs_diff(LIMIT) < secs(1) / 10, "{away:?}");
    }

    #[test]
    fn a_picture_that_was_announced_and_does_not_begin_is_missed_and_later_each_time() {
        let mut camera = Camera::new();
        for patience in [30, 60, 120] {
            camera.watch.expect();
            let away = camera.hums(secs(200)).unwrap();
            assert!(away.abs_diff(secs(patience)) < secs(1) / 10, "{away:?}");
            camera.again();
        }
        // Once it is there, that is forgotten.
        camera.watch.expect();
        assert!(!camera.films(secs(1) / 25, secs(61)));
        assert!(camera.hums(secs(11)).is_some());
        camera.again();
        camera.watch.expect();
        assert!(camera.hums(secs(31)).is_some());
    }

    #[test]
    fn sound_alone_is_no_fault() {
        assert_eq!(Camera::new().hums(secs(3600)), None);
    }

    #[test]
    fn without_sound_it_is_not_ours_to_judge() {
        let mut camera = Camera::new();
        camera.films(secs(1) / 25, secs(100));
        camera.now += secs(60);
        assert_eq!(camera.watch.overdue(camera.now), None);
    }

    #[test]
    fn one_picture_in_five_seconds_is_a_pace_like_any_other() {
        let mut camera = Camera::new();
        assert!(!camera.films(secs(5), secs(3600)));
        assert_eq!(camera.hums(secs(94)), None);
        assert!(camera.hums(secs(10)).is_some());
    }

    #[test]
    fn a_pace_below_the_silence_limit_is_never_missed() {
        let mut camera = Camera::new();
        assert!(!camera.films(secs(25), secs(3600)));
        assert_eq!(camera.hums(secs(3600)), None);
    }

    #[test]
    fn pictures_only_when_something_moves_are_not_missed() {
        let mut camera = Camera::new();
        for (moves, rests) in [
            (20, 300),
            (45, 30),
            (5, 3000),
            (30, 90),
            (50, 900),
            (10, 7200),
        ] {
            assert!(!camera.films(secs(1) / 25, secs(moves)));
            assert_eq!(camera.hums(secs(rests)), None);
        }
        // A long run among them is no reason to forget the rests.
        assert!(!camera.films(secs(1) / 25, secs(1800)));
        assert_eq!(camera.hums(secs(7200)), None);
    }

    #[test]
    fn a_camera_that_was_dialled_again_in_vain_is_given_much_more_time() {
        let mut camera = Camera::new();
        camera.films(secs(1) / 25, secs(90));
        assert!(camera.hums(secs(11)).is_some());
        camera.again();
        camera.films(secs(1) / 25, secs(90));
        assert_eq!(camera.hums(secs(190)), None);
        assert!(camera.hums(secs(20)).is_some());
        camera.again();
        camera.films(secs(1) / 25, secs(90));
        assert_eq!(camera.hums(secs(3600)), None);
    }

    #[test]
    fn an_hour_of_steady_pictures_makes_pauses_forgotten() {
        let mut camera = Camera::new();
        camera.films(secs(1) / 25, secs(90));
        camera.hums(secs(11));
        camera.again();
        camera.films(secs(1) / 25, secs(3700));
        assert!(camera.hums(secs(11)).is_some());
    }
}
