use std::time::{Duration, Instant};

use super::clock::{Unit, nanos_between};
use super::{NANOS, rescale};

/// How long the clock is watched for one opinion about its rate.
const WINDOW: Duration = Duration::from_secs(5);

/// Units in a window below which there is no opinion.
const MIN_UNITS: u32 = 8;

/// A clock within this part of the announced rate is right, in percent. Bursts and stalls of the network
/// spoil a window by more; they do not do so twice in the same way.
const TOLERANCE: u64 = 20;

/// Two windows agree within this, in percent.
const AGREEMENT: u64 = 5;

/// How near a measured rate must be to a usual one to be taken for it, in percent.
const SNAP: u64 = 4;

/// Units of sound in a row whose length says the same wrong rate before that is believed.
const SOUND_UNITS: u8 = 8;

/// The rates that clocks have in fact, in ticks per second.
const USUAL: [u32; 14] = [
    1_000, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 90_000, 96_000,
    100_000, 1_000_000,
];

/// A rate other than the announced one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Measured {
    /// Ticks per second.
    pub(super) rate: u32,
    /// Where the unit at hand lies on the time line at that rate; none where it stays and the rate is
    /// only made more exact.
    pub(super) nanos: Option<i64>,
}

/// Measures the rate of a clock: against the length of the sound in its units, and against arrival.
#[derive(Debug, Clone, Default)]
pub(super) struct RateMeter {
    window: Option<Window>,
    /// What the last window measured, where it disagreed with the rate in force.
    suspicion: Option<u64>,
    /// The unit of sound before: its ticks and its length in nanoseconds.
    sound: Option<(i64, i64)>,
    /// The rate that the lengths of sound say, and how many said so in a row.
    by_sound: (u64, u8),
    /// The rate in force is none that clocks usually have: the longer it is measured, the more exact.
    odd: bool,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    /// Where the first unit since the last reset lay, and when it came.
    origin: (i64, Instant),
    ticks_at_origin: i64,
    start: Instant,
    ticks: i64,
    units: u32,
}

impl RateMeter {
    /// Takes a unit with the unwrapped time `ticks` that lies at `nanos` by the `rate` in force. Gives
    /// the true rate once it is clear that this one is wrong.
    pub(super) fn unit(
        &mut self,
        ticks: i64,
        nanos: i64,
        unit: &Unit,
        rate: u32,
    ) -> Option<Measured> {
        let window = *self.window.get_or_insert(Window {
            origin: (nanos, unit.arrival),
            ticks_at_origin: ticks,
            start: unit.arrival,
            ticks,
            units: 0,
        });
        let found = self.by_sound(ticks, unit, rate);
        let measured = match found {
            Some(rate) => {
                let ticks = ticks - window.ticks_at_origin;
                let nanos = window.origin.0 + rescale(ticks, NANOS, rate.into());
                Some(Measured {
                    rate,
                    nanos: Some(nanos),
                })
            }
            None => self.by_arrival(ticks, nanos, unit.arrival, rate),
        };
        if let Some(Measured {
            rate,
            nanos: Some(_),
        }) = measured
        {
            self.reset();
            self.odd = !USUAL.contains(&rate);
        }
        measured
    }

    /// The clock began anew.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The distance of two units of sound is the length of the first.
    fn by_sound(&mut self, ticks: i64, unit: &Unit, rate: u32) -> Option<u32> {
        let before =
            std::mem::replace(&mut self.sound, unit.duration.map(|length| (ticks, length)));
        let (ticks_before, length) = before?;
        let step = u64::try_from(ticks - ticks_before).unwrap_or(0);
        let says = step.saturating_mul(NANOS as u64) / u64::try_from(length).unwrap_or(1).max(1);
        if says == 0 || near(says, rate.into(), TOLERANCE) {
            self.by_sound = (0, 0);
            return None;
        }
        let (known, count) = self.by_sound;
        let count = if near(says, known, 1) { count + 1 } else { 1 };
        self.by_sound = (says, count);
        if count < SOUND_UNITS {
            return None;
        }
        snap(says)
    }

    /// The ticks of a window over the time that it took, twice in a row.
    fn by_arrival(&mut self, ticks: i64, nanos: i64, now: Instant, rate: u32) -> Option<Measured> {
        let window = self.window.as_mut()?;
        window.units += 1;
        let passed = now.saturating_duration_since(window.start);
        if passed < WINDOW {
            return None;
        }
        let measured = per_second(ticks - window.ticks, passed);
        let enough = window.units > MIN_UNITS;
        (window.start, window.ticks, window.units) = (now, ticks, 0);
        let wrong = enough && measured > 0 && !near(measured, rate.into(), TOLERANCE);
        let before = std::mem::replace(&mut self.suspicion, wrong.then_some(measured));
        let (origin, begun) = window.origin;
        let due = origin + nanos_between(begun, now);
        if before.is_some_and(|before| wrong && near(before, measured, AGREEMENT)) {
            return Some(Measured {
                rate: snap(measured)?,
                nanos: Some(due),
            });
        }
        if !self.odd || wrong {
            return None;
        }
        // The next window takes what the measure was off by until now back.
        let length = WINDOW.as_nanos() as i64;
        let off = (due - nanos).clamp(-length / 10, length / 10);
        let since = now.saturating_duration_since(begun);
        let exact = per_second(ticks - window.ticks_at_origin, since);
        let steered = rescale(i64::try_from(exact).ok()?, length, length + off);
        Some(Measured {
            rate: u32::try_from(steered).ok().filter(|rate| *rate > 0)?,
            nanos: None,
        })
    }
}

/// `ticks` over `time`, rounded down; zero where they went back.
fn per_second(ticks: i64, time: Duration) -> u64 {
    let ticks = u128::try_from(ticks).unwrap_or(0);
    (ticks * 1_000_000 / time.as_micros().max(1)) as u64
}

fn near(a: u64, b: u64, percent: u64) -> bool {
    a.abs_diff(b).saturating_mul(100) <= b.saturating_mul(percent)
}

fn snap(measured: u64) -> Option<u32> {
    let usual = USUAL
        .into_iter()
        .filter(|usual| near(measured, u64::from(*usual), SNAP))
        .min_by_key(|usual| measured.abs_diff(u64::from(*usual)));
    usual.or_else(|| u32::try_from(measured).ok())
}
