//! Notices a picture that stands still while the sound goes on. Pure.

use std::time::{Duration, Instant};

/// How much longer than the longest pause so far the picture may stay away.
const PACES: u32 = 20;
/// For how many silence limits the picture must have gone on before its absence means anything: cameras that
/// send pictures only when something moves do so in short runs.
const STEADY: u32 = 6;
/// After a steady time of this length, pauses from before it are forgotten.
const MEMORY: Duration = Duration::from_secs(3600);

/// Judges the picture of a camera by its own past pace.
///
/// Few pictures are no fault: some cameras send one in many seconds, others only when something moves. So the
/// picture is missed when it came without a break for a good while, and then stays away for the silence limit and
/// for many times longer than it ever did, and sound still comes.
#[derive(Debug)]
pub(crate) struct Standstill {
    silence: Duration,
    /// The longest pause that the picture is known to make.
    pause: Duration,
    /// The longest pause since `steady`.
    recent: Duration,
    /// Since when the picture has come without a break of the silence limit.
    steady: Option<Instant>,
    picture: Option<Instant>,
    sound: Option<Instant>,
}

impl Standstill {
    /// For a camera that is taken for silent after `silence`, and whose picture was known to pause for `pause`
    /// when its session before this one ended.
    pub(crate) fn new(silence: Duration, pause: Duration) -> Self {
        Self {
            silence,
            pause,
            recent: Duration::ZERO,
            steady: None,
            picture: None,
            sound: None,
        }
    }

    /// A packet of the picture came.
    pub(crate) fn picture(&mut self, now: Instant) {
        let gap = self.picture.map_or(Duration::ZERO, |at| now - at);
        self.picture = Some(now);
        self.pause = self.pause.max(gap);
        if gap >= self.silence {
            self.begin(now);
        }
        self.recent = self.recent.max(gap);
        let steady = *self.steady.get_or_insert(now);
        if now - steady >= MEMORY {
            self.pause = self.recent;
            self.begin(now);
        }
    }

    /// A packet of the sound came.
    pub(crate) fn sound(&mut self, now: Instant) {
        self.sound = Some(now);
    }

    /// How long the picture has been away at `now`, if that is too long. The next session is to know of it:
    /// dialling again may not have been the cure.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Duration> {
        let picture = self
            .picture
            .filter(|_| self.due().is_some_and(|at| now >= at))?;
        self.sound.filter(|&at| at + self.silence > now)?;
        let away = now - picture;
        self.pause = self.pause.max(away);
        Some(away)
    }

    /// The longest pause that the picture is known to make.
    pub(crate) fn pause(&self) -> Duration {
        self.pause
    }

    /// When the picture will be overdue if none comes. Whether it is then, the sound tells.
    fn due(&self) -> Option<Instant> {
        let (steady, picture) = (self.steady?, self.picture?);
        let patience = self.silence.max(self.pause * PACES);
        (picture - steady >= self.silence * STEADY).then_some(picture + patience)
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
                watch: Standstill::new(LIMIT, Duration::ZERO),
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
            self.watch = Standstill::new(LIMIT, self.watch.pause());
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
