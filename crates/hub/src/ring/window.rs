use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::RingBounds;
use crate::counters::{add, get};

/// What one item costs beside its payload, so that many tiny items are bounded too.
const ITEM_OVERHEAD: usize = 256;

/// An item on its way into a ring, with what the ring must know of it.
#[derive(Debug, Clone)]
pub struct Slot<T> {
    /// The item; cheap to clone.
    pub item: T,
    /// A reader may start here.
    pub start: bool,
    /// Its place on the Stream's time line, in nanoseconds.
    pub at: i64,
    /// Its payload in bytes.
    pub bytes: usize,
}

/// A reader's place: the number of the item that it reads next.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    next: Option<u64>,
    /// The reader lost its place and waits for a start; `next` is the first number that it missed.
    lost: bool,
}

/// What a cursor finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Read<T> {
    /// The next item.
    Item(T),
    /// So many items were passed over; the next item is a start.
    Skipped(u64),
    /// Nothing yet.
    Empty,
    /// Nothing any more.
    Closed,
}

/// How often readers were made to skip, over the life of one ring or of several.
#[derive(Debug, Default)]
pub struct Skips {
    behind: AtomicU64,
    bytes: AtomicU64,
    items: AtomicU64,
}

impl Skips {
    /// How often a reader was further behind live than allowed.
    pub fn behind(&self) -> u64 {
        get(&self.behind)
    }

    /// How often the bound of bytes had made the ring drop what a reader was to get, before it was too old.
    pub fn bytes(&self) -> u64 {
        get(&self.bytes)
    }

    /// Over how many items.
    pub fn items(&self) -> u64 {
        get(&self.items)
    }
}

/// What the policy says of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// Read on.
    Stay,
    /// Go to this start.
    To(u64),
    /// Wait for a start.
    Wait,
}

/// The newest items, numbered from 0 in the order of their pushing. Pure: no clock, no lock.
#[derive(Debug)]
pub struct Window<T> {
    bounds: RingBounds,
    slots: VecDeque<Slot<T>>,
    /// The number of the front slot.
    first: u64,
    /// The number of the newest start that a new reader may take, which is in `slots`.
    newest_start: Option<u64>,
    bytes: usize,
    closed: bool,
    skips: Arc<Skips>,
    /// One more than the number of the newest item that was dropped for the bound of bytes alone.
    short: u64,
    overflows: u64,
}

impl<T: Clone> Window<T> {
    /// An empty window.
    pub fn new(bounds: RingBounds) -> Self {
        Self::counting(bounds, Arc::default())
    }

    /// An empty window that counts what readers skip in `skips`.
    pub fn counting(bounds: RingBounds, skips: Arc<Skips>) -> Self {
        Self {
            bounds,
            slots: VecDeque::new(),
            first: 0,
            newest_start: None,
            bytes: 0,
            closed: false,
            skips,
            short: 0,
            overflows: 0,
        }
    }

    /// Appends an item and drops what is beyond the bounds.
    pub fn push(&mut self, slot: Slot<T>) {
        if slot.start {
            self.newest_start = Some(self.head());
        }
        self.bytes += cost(&slot);
        self.slots.push_back(slot);
        self.evict();
    }

    /// Moves `cursor` on by one event.
    pub fn read(&mut self, cursor: &mut Cursor) -> Read<T> {
        if self.closed {
            return Read::Closed;
        }
        let next = cursor.next.unwrap_or(self.first);
        if let Some(missed) = self.reposition(cursor) {
            let reason = if next < self.short {
                &self.skips.bytes
            } else {
                &self.skips.behind
            };
            add(reason, 1);
            add(&self.skips.items, missed);
            return Read::Skipped(missed);
        }
        self.take(cursor).map_or(Read::Empty, Read::Item)
    }

    /// Moves `cursor` on by one item, unless something else than an item is due.
    pub fn read_item(&mut self, cursor: &mut Cursor) -> Option<T> {
        if self.closed || self.policy(cursor) != Move::Stay {
            return None;
        }
        self.take(cursor)
    }

    /// Changes the bounds.
    pub fn set_bounds(&mut self, bounds: RingBounds) {
        self.bounds = bounds;
    }

    /// Makes new readers wait for the next start.
    pub fn cut(&mut self) {
        self.newest_start = None;
    }

    /// Drops all items; the numbers go on.
    pub fn clear(&mut self) {
        self.first = self.head();
        self.slots.clear();
        self.bytes = 0;
        self.newest_start = None;
    }

    /// Ends all reading.
    pub fn close(&mut self) {
        self.clear();
        self.closed = true;
    }

    /// Whether all reading has ended.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The number that the next pushed item will get.
    pub fn head(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// A cursor at what is pushed next.
    pub fn end(&self) -> Cursor {
        Cursor {
            next: Some(self.head()),
            ..Cursor::default()
        }
    }

    /// Items that are held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Bytes that are held, each item's overhead included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// From the oldest to the newest item.
    pub fn span(&self) -> Duration {
        self.slots
            .front()
            .map_or(Duration::ZERO, |front| self.behind(front))
    }

    /// What readers were made to skip.
    pub fn skips(&self) -> &Skips {
        &self.skips
    }

    /// How often the newest GOP itself outgrew the bound of bytes, so that new readers had to wait.
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    /// What the policy says of a cursor.
    fn policy(&self, cursor: &Cursor) -> Move {
        let Some(next) = cursor.next else {
            return self.newest_start.map_or(Move::Wait, Move::To);
        };
        let start = self.newest_start.filter(|&start| start >= next);
        if cursor.lost || next < self.first {
            return start.map_or(Move::Wait, Move::To);
        }
        let too_far = |slot| self.behind(slot) > self.bounds.keep;
        match (start, self.slots.get((next - self.first) as usize)) {
            (Some(start), Some(slot)) if start > next && too_far(slot) => Move::To(start),
            _ => Move::Stay,
        }
    }

    /// Applies the policy to `cursor`; the number of items that it passes over, if it does.
    fn reposition(&self, cursor: &mut Cursor) -> Option<u64> {
        match self.policy(cursor) {
            Move::Stay => None,
            Move::Wait => {
                cursor.lost = cursor.next.is_some();
                None
            }
            Move::To(start) => {
                cursor.lost = false;
                let from = cursor.next.replace(start)?;
                Some(start - from).filter(|&missed| missed > 0)
            }
        }
    }

    fn take(&mut self, cursor: &mut Cursor) -> Option<T> {
        let next = cursor.next.filter(|_| !cursor.lost)?;
        let slot = self.slots.get(next.checked_sub(self.first)? as usize)?;
        cursor.next = Some(next + 1);
        Some(slot.item.clone())
    }

    /// How far `slot` is behind the newest one. A time line that jumps back counts as not behind.
    fn behind(&self, slot: &Slot<T>) -> Duration {
        let newest = self.slots.back().map_or(slot.at, |back| back.at);
        Duration::from_nanos(u64::try_from(newest.saturating_sub(slot.at)).unwrap_or(0))
    }

    /// The newest GOP stays whole until it alone is beyond the bound of bytes; what is before it stays
    /// as long as both bounds allow.
    fn evict(&mut self) {
        while let Some(front) = self.slots.front() {
            let too_big = self.bytes > self.bounds.bytes;
            let too_old = self.behind(front) > self.bounds.keep;
            match self.newest_start {
                Some(start) if start == self.first => {
                    if !too_big {
                        return;
                    }
                    self.newest_start = None;
                    self.overflows += 1;
                }
                _ if !too_big && !too_old => return,
                _ => {}
            }
            let front = self
                .slots
                .pop_front()
                .expect("the front was just looked at");
            self.bytes -= cost(&front);
            self.first += 1;
            if !too_old {
                self.short = self.first;
            }
        }
    }
}

fn cost<T>(slot: &Slot<T>) -> usize {
    slot.bytes + ITEM_OVERHEAD
}

#[cfg(test)]
mod tests;
