use std::time::Duration;

use tokio::time::Instant;

use crate::Reason;

/// The pause after the first failure.
const FIRST: Duration = Duration::from_millis(250);

/// The longest pause while an outage is young: a camera that reboots is back on screen within two seconds.
const YOUNG_CAP: Duration = Duration::from_secs(1);

/// How long an outage counts as young. Reboots and firmware updates fit in.
const YOUNG: Duration = Duration::from_secs(300);

/// The longest pause in an old outage.
const OLD_CAP: Duration = Duration::from_secs(10);

/// The first pause where a retry can do harm or is unlikely to help: cameras lock accounts after some wrong
/// passwords, and a codec does not become supported by itself.
const SETUP_FIRST: Duration = Duration::from_secs(5);

/// The longest pause there.
const SETUP_CAP: Duration = Duration::from_secs(60);

/// Capped exponential backoff with jitter, for one Channel.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    since: Option<Instant>,
}

impl Backoff {
    /// How long to wait after one more failure. `jitter` in 0.0..1.0 takes up to a quarter off.
    pub(crate) fn next(&mut self, reason: Reason, now: Instant, jitter: f64) -> Duration {
        let since = *self.since.get_or_insert(now);
        let (first, cap) = match reason {
            Reason::Unauthorized | Reason::Unsupported => (SETUP_FIRST, SETUP_CAP),
            _ if now - since < YOUNG => (FIRST, YOUNG_CAP),
            _ => (FIRST, OLD_CAP),
        };
        let doubled = first.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        doubled
            .min(cap)
            .mul_f64(1.0 - 0.25 * jitter.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(reason: Reason, at: &[u64]) -> Vec<u128> {
        let start = Instant::now();
        let mut backoff = Backoff::default();
        at.iter()
            .map(|s| {
                backoff
                    .next(reason, start + Duration::from_secs(*s), 0.0)
                    .as_millis()
            })
            .collect()
    }

    #[test]
    fn pauses_double_up_to_a_second_so_that_a_rebooted_camera_is_soon_back() {
        assert_eq!(
            pauses(Reason::Refused, &[0, 1, 2, 3, 299]),
            [250, 500, 1000, 1000, 1000]
        );
    }

    #[test]
    fn an_old_outage_is_retried_more_rarely() {
        assert_eq!(
            pauses(Reason::Refused, &[0, 1, 2, 3, 4, 5, 301]).last(),
            Some(&10_000)
        );
    }

    #[test]
    fn a_wrong_password_is_retried_ever_more_rarely_lest_the_camera_locks_the_account() {
        let pauses = pauses(Reason::Unauthorized, &[0; 12]);
        assert_eq!(&pauses[..4], [5_000, 10_000, 20_000, 40_000]);
        assert_eq!(pauses.last(), Some(&60_000));
    }

    #[test]
    fn jitter_spreads_the_retries_of_many_cameras() {
        let pause = Backoff::default().next(Reason::Timeout, Instant::now(), 1.0);
        assert_eq!(pause, Duration::from_micros(187_500));
    }
}
