//! How many connections there may be, in all and from one address, and who makes room when there are too many.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guest::Guest;
use super::line::Line;
use crate::http::Entry;
use crate::latest::Latest;

/// How many connections are open at once at most; fewer where the system allows fewer open files.
const MAX_CONNECTIONS: usize = 16_384;
/// Open files that are not viewers' connections: cameras, the log, the runtime, files being read.
const OTHER_FILES: u64 = 512;
/// There is room for so many, however few files may be open.
const MIN_CONNECTIONS: u64 = 64;
/// How long whoever was told to make room has to be gone.
const MOVE: Duration = Duration::from_secs(1);

/// The connections of all listeners. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slots: Arc<Semaphore>,
    capacity: u32,
    entry: Latest<Entry>,
    guests: Mutex<Guests>,
    counts: Counts,
}

/// What happened to connections, since the start.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Refused: their address had as many as one may.
    pub(crate) over_address: AtomicU64,
    /// Refused: there were as many as there may be, and all were in use.
    pub(crate) full: AtomicU64,
    /// Closed, idle as they were, to make room for others.
    pub(crate) made_room: AtomicU64,
    /// Closed since nothing came of them.
    pub(crate) idle: AtomicU64,
}

#[derive(Debug, Default)]
struct Guests {
    open: usize,
    /// Those of them who were told to make room.
    leaving: usize,
    /// How many wait for one of those to be gone.
    waiting: usize,
    all: Line,
    homes: HashMap<Home, Household>,
}

/// Where connections come from that count together: an address, or the network of 64 bits that one machine has with IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Home(IpAddr);

#[derive(Debug, Default)]
struct Household {
    open: usize,
    line: Line,
}

/// What one connection holds as long as it is open, upgraded or not.
#[derive(Debug)]
pub(super) struct Slot {
    room: Room,
    home: Option<Home>,
    _permit: OwnedSemaphorePermit,
}

/// Why a connection is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// There are so many from its address, which is as many as one may have.
    OverAddress(usize),
    /// There are so many in all.
    Full(u32),
}

impl Home {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into()
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

impl Room {
    /// For as many as a process may have that may open so many `files`, and as `entry` says of one address.
    pub(crate) fn new(files: Option<u64>, entry: Latest<Entry>) -> Self {
        let allowed = files.map_or(u64::MAX, |files| {
            files.saturating_sub(OTHER_FILES).max(MIN_CONNECTIONS)
        });
        let capacity = MAX_CONNECTIONS.min(usize::try_from(allowed).unwrap_or(MAX_CONNECTIONS));
        Self::of(capacity, entry)
    }

    fn of(capacity: usize, entry: Latest<Entry>) -> Self {
        Self(Arc::new(Inner {
            slots: Arc::new(Semaphore::new(capacity)),
            capacity: capacity as u32,
            entry,
            guests: Mutex::default(),
            counts: Counts::default(),
        }))
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> u64 {
        self.capacity() - self.0.slots.available_permits() as u64
    }

    /// How many may be open.
    pub(crate) fn capacity(&self) -> u64 {
        self.0.capacity.into()
    }

    /// What happened to connections.
    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }

    /// A connection from `address`.
    pub(super) async fn enter(&self, address: IpAddr) -> Result<(Arc<Guest>, Slot), Refused> {
        let home = self.home(address)?;
        let inner = &*self.0;
        let permit = match Arc::clone(&inner.slots).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) if self.make_room() => {
                let permit = Arc::clone(&inner.slots).acquire_owned();
                self.guests().waiting += 1;
                let permit = tokio::time::timeout(MOVE, permit).await;
                self.guests().waiting -= 1;
                permit.ok().and_then(Result::ok)
            }
            Err(_) => None,
        };
        let Some(permit) = permit else {
            inner.counts.full.fetch_add(1, Relaxed);
            return Err(Refused::Full(inner.capacity));
        };
        let guest = Arc::new(Guest::default());
        self.guests().join(&guest, home);
        let slot = Slot {
            room: self.clone(),
            home,
            _permit: permit,
        };
        Ok((guest, slot))
    }

    /// Has one make room who makes no use of their connection, unless somebody is about to. False if there is nobody.
    pub(super) fn make_room(&self) -> bool {
        let mut guests = self.guests();
        if guests.leaving > guests.waiting {
            return true;
        }
        let made = guests.all.dismiss_one();
        if made {
            guests.leaving += 1;
            self.0.counts.made_room.fetch_add(1, Relaxed);
        }
        made
    }

    /// To be called when HTTP's part of a connection is over.
    pub(super) fn has_left(&self, guest: &Guest) {
        if guest.is_leaving() {
            self.guests().leaving -= 1;
        }
    }

    /// Returns when all are gone.
    pub(super) async fn empty(&self) {
        let _all = self.0.slots.acquire_many(self.0.capacity).await;
    }

    /// Where a connection from `address` counts; nowhere if it may be one of many proxied ones.
    fn home(&self, address: IpAddr) -> Result<Option<Home>, Refused> {
        let entry = self.0.entry.get();
        let trusted = || entry.trusted.iter().any(|network| network.holds(address));
        if entry.per_address == 0 || trusted() {
            return Ok(None);
        }
        // Whatever is configured, one address never has it all.
        let capacity = self.0.capacity as usize;
        let most = entry.per_address.min(capacity - capacity / 4);
        let home = Home::of(address);
        let mut guests = self.guests();
        let guests = &mut *guests;
        let Some(household) = guests.homes.get_mut(&home) else {
            return Ok(Some(home));
        };
        if household.open < most {
            return Ok(Some(home));
        }
        if household.line.dismiss_one() {
            guests.leaving += 1;
            self.0.counts.made_room.fetch_add(1, Relaxed);
            return Ok(Some(home));
        }
        self.0.counts.over_address.fetch_add(1, Relaxed);
        Err(Refused::OverAddress(most))
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests {
    fn join(&mut self, guest: &Arc<Guest>, home: Option<Home>) {
        self.open += 1;
        self.all.join(guest, self.open);
        if let Some(home) = home {
            let household = self.homes.entry(home).or_default();
            household.open += 1;
            household.line.join(guest, household.open);
        }
    }

    fn leave(&mut self, home: Option<Home>) {
        self.open -= 1;
        let Some(home) = home else {
            return;
        };
        if let Some(household) = self.homes.get_mut(&home) {
            household.open -= 1;
            if household.open == 0 {
                self.homes.remove(&home);
            }
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.room.guests().leave(self.home);
    }
}

#[cfg(test)]
mod tests {
    use super::super::guest::Answering;
    use super::*;

    fn room(capacity: usize, per_address: usize) -> Room {
        let entry = Entry {
            per_address,
            trusted: vec!["10.0.0.0/8".parse().unwrap()].into(),
            ..Entry::default()
        };
        Room::of(capacity, Latest::new(entry))
    }

    async fn busy(room: &Room, address: &str) -> Result<(Answering, Slot), Refused> {
        let (guest, slot) = room.enter(address.parse().unwrap()).await?;
        Ok((Answering::begin(&guest), slot))
    }

    #[tokio::test]
    async fn one_address_has_so_many_and_others_come_in_all_the_same() {
        let room = room(100, 3);
        let mut inside = Vec::new();
        for address in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"] {
            inside.push(busy(&room, address).await.unwrap());
        }
        let refused = busy(&room, "192.0.2.1").await.unwrap_err();
        assert_eq!(refused, Refused::OverAddress(3));
        inside.push(busy(&room, "192.0.2.2").await.unwrap());
        for n in 1..=3 {
            inside.push(busy(&room, &format!("2001:db8::{n}")).await.unwrap());
        }
        assert!(
            busy(&room, "2001:db8::ffff:4").await.is_err(),
            "all of one network of 64 bits"
        );
        inside.push(busy(&room, "2001:db8:0:1::4").await.unwrap());
        for _ in 0..10 {
            inside.push(busy(&room, "10.1.2.3").await.unwrap());
        }
        assert_eq!(room.counts().over_address.load(Relaxed), 2);
        assert_eq!(room.open(), inside.len() as u64);
        drop(inside);
        assert!(room.guests().homes.is_empty() && room.open() == 0);
        busy(&room, "192.0.2.1").await.unwrap();
    }

    #[tokio::test]
    async fn who_is_idle_makes_room_for_another_of_the_same_address() {
        let room = room(100, 2);
        let _first = busy(&room, "192.0.2.1").await.unwrap();
        let (idle, slot) = room.enter("192.0.2.1".parse().unwrap()).await.unwrap();
        let _third = busy(&room, "192.0.2.1").await.unwrap();
        idle.dismissed().await;
        drop(slot);
        assert!(
            busy(&room, "192.0.2.1").await.is_err(),
            "all of them are in use"
        );
        assert_eq!(room.counts().made_room.load(Relaxed), 1);
    }

    #[tokio::test]
    async fn however_few_there_may_be_one_address_does_not_have_them_all() {
        let room = room(64, 2048);
        let mut inside = Vec::new();
        while let Ok(one) = busy(&room, "192.0.2.1").await {
            inside.push(one);
        }
        assert_eq!(inside.len(), 48);
        busy(&room, "192.0.2.2").await.unwrap();
    }

    #[tokio::test]
    async fn nobody_else_has_to_go_while_somebody_is_on_the_way_out() {
        let room = room(8, 2);
        let enter = || room.enter("192.0.2.1".parse().unwrap());
        let (first, second, third) = (enter().await, enter().await, enter().await);
        let [first, second, third] = [first, second, third].map(Result::unwrap);
        first.0.dismissed().await;
        assert!(room.make_room(), "the first is about to leave");
        assert!(!second.0.is_leaving() && !third.0.is_leaving());
        room.has_left(&first.0);
        assert!(room.make_room() && second.0.is_leaving());
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_is_taken_the_idle_make_room_and_then_nobody() {
        let room = room(2, 0);
        let _first = busy(&room, "192.0.2.1").await.unwrap();
        let (idle, slot) = room.enter("192.0.2.1".parse().unwrap()).await.unwrap();
        let leaves = async {
            idle.dismissed().await;
            drop(slot);
            room.has_left(&idle);
        };
        let (second, ()) = tokio::join!(busy(&room, "192.0.2.2"), leaves);
        let _second = second.unwrap();
        assert_eq!(room.guests().leaving, 0);
        let refused = busy(&room, "192.0.2.3").await.unwrap_err();
        assert_eq!(refused, Refused::Full(2));
        assert_eq!(room.counts().full.load(Relaxed), 1);
    }
}
