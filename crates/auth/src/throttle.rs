use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How often an address may fail before it has to wait.
const BURST: u32 = 10;
/// One more failure is allowed after so long.
const REFILL: Duration = Duration::from_secs(6);
/// How many addresses are remembered at most; the one that failed least makes room.
const MAX: usize = 4096;

/// Who guesses too often. A network of 64 bits counts as one address in IPv6: its owner has them all.
#[derive(Debug, Default)]
pub struct Throttle {
    /// When all is forgiven.
    table: HashMap<IpAddr, Instant>,
}

impl Throttle {
    /// How long `address` has to wait until it may try again; None: it may.
    pub fn wait(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let debt = self
            .table
            .get(&network(address))?
            .saturating_duration_since(now);
        debt.checked_sub(REFILL * (BURST - 1))
            .filter(|wait| !wait.is_zero())
    }

    /// `address` failed.
    pub fn failed(&mut self, address: IpAddr, now: Instant) {
        let key = network(address);
        if self.table.len() >= MAX && !self.table.contains_key(&key) {
            self.make_room(now);
        }
        let forgiven = self.table.entry(key).or_insert(now);
        let most = now + REFILL * BURST;
        *forgiven = ((*forgiven).max(now) + REFILL).min(most);
    }

    fn make_room(&mut self, now: Instant) {
        self.table.retain(|_, forgiven| *forgiven > now);
        if self.table.len() >= MAX {
            let least = self.table.iter().min_by_key(|(_, forgiven)| **forgiven);
            let least = least.map(|(address, _)| *address);
            least.map(|address| self.table.remove(&address));
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let bits = u128::from(address) & (u128::MAX << 64);
            IpAddr::V6(Ipv6Addr::from(bits))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_some_failures_an_address_waits_and_others_do_not() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let (bad, good) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        for _ in 0..BURST - 1 {
            throttle.failed(bad, now);
            assert_eq!(throttle.wait(bad, now), None);
        }
        for _ in 0..5 {
            throttle.failed(bad, now);
            assert_eq!(
                throttle.wait(bad, now),
                Some(REFILL),
                "no longer for who goes on"
            );
        }
        assert_eq!(throttle.wait(good, now), None);
        assert_eq!(throttle.wait(bad, now + REFILL), None);
        throttle.failed(bad, now + REFILL);
        assert!(
            throttle.wait(bad, now + REFILL).is_some(),
            "one more was allowed"
        );
        assert_eq!(throttle.wait(bad, now + REFILL * (BURST + 1)), None);
    }

    #[test]
    fn neighbours_in_ipv6_are_one() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        for n in 0..BURST {
            throttle.failed(format!("2001:db8::{n:x}").parse().unwrap(), now);
        }
        assert!(
            throttle
                .wait("2001:db8::ffff".parse().unwrap(), now)
                .is_some()
        );
        assert_eq!(throttle.wait("2001:db8:1::1".parse().unwrap(), now), None);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_least_guilty() {
        let (mut throttle, now) = (Throttle::default(), Instant::now());
        let guilty = "192.0.2.1".parse().unwrap();
        for _ in 0..BURST {
            throttle.failed(guilty, now);
        }
        for n in 0..2 * MAX as u32 {
            throttle.failed(IpAddr::from((0x0a00_0000 + n).to_be_bytes()), now);
        }
        assert!(throttle.table.len() <= MAX);
        assert!(throttle.wait(guilty, now).is_some());
    }
}
