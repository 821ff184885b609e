//! GOP cache and slow-viewer policy in one.
//!
//! One writer numbers what it pushes; any number of [`Reader`]s each hold *a number*, not a queue. A new
//! reader starts at the newest start (a keyframe) with everything since; one that falls off the tail, or
//! further behind than the bound, is told how many it [missed](Read::Skipped) and goes on at a start. So
//! memory is bounded per ring, whatever the number of readers, and a reader never sees a broken GOP.
//!
//! [`Window`] is the pure part; [`Ring`] and [`Reader`] add a lock and a wake-up.

mod window;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

pub use window::{Cursor, Read, Skips, Slot, Window};

use crate::RingBounds;
use crate::RingStatus;
use crate::channel::locked;

/// The shared ring of one Channel, or of what an egress makes of it. Clones are handles to the same ring.
#[derive(Debug)]
pub struct Ring<T>(Arc<Shared<T>>);

#[derive(Debug)]
struct Shared<T> {
    window: Mutex<Window<T>>,
    pushed: Notify,
    readers: AtomicUsize,
}

/// What [`Reader::next`] yields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<T> {
    /// The next item.
    Item(T),
    /// The reader was too slow: this many items were passed over. The next item is a start.
    Skipped(u64),
    /// The ring was closed; nothing will follow.
    Closed,
}

impl<T: Clone> Ring<T> {
    /// An empty ring.
    pub fn new(bounds: RingBounds) -> Self {
        Self::counting(bounds, Arc::default())
    }

    /// An empty ring that counts what readers skip in `skips`.
    pub fn counting(bounds: RingBounds, skips: Arc<Skips>) -> Self {
        Self(Arc::new(Shared {
            window: Mutex::new(Window::counting(bounds, skips)),
            pushed: Notify::new(),
            readers: AtomicUsize::new(0),
        }))
    }

    /// Appends an item and wakes all readers.
    pub fn push(&self, slot: Slot<T>) {
        self.push_all(std::iter::once(slot));
    }

    /// Appends items and wakes all readers once, where there is any item.
    pub fn push_all(&self, slots: impl IntoIterator<Item = Slot<T>>) {
        let pushed = self.with(|window| {
            let before = window.head();
            slots.into_iter().for_each(|slot| window.push(slot));
            window.head() > before
        });
        if pushed {
            self.0.pushed.notify_waiters();
        }
    }

    /// A reader that starts at the newest start, or at the next one where there is none.
    pub fn reader(&self) -> Reader<T> {
        self.reader_at(Cursor::default())
    }

    /// A reader of what is pushed from now on, be it a start or not.
    pub fn reader_from_now(&self) -> Reader<T> {
        self.reader_at(self.with(|window| window.end()))
    }

    fn reader_at(&self, cursor: Cursor) -> Reader<T> {
        self.0.readers.fetch_add(1, Ordering::Relaxed);
        Reader {
            ring: self.clone(),
            cursor,
        }
    }

    /// Waits until more was pushed than `seen`, and notes in it how much was. False once the ring is closed.
    /// For one who serves many readers, which then find something by [`Reader::try_next`].
    pub async fn pushed(&self, seen: &mut u64) -> bool {
        loop {
            let pushed = self.0.pushed.notified();
            tokio::pin!(pushed);
            pushed.as_mut().enable();
            let (head, closed) = self.with(|window| (window.head(), window.is_closed()));
            if closed || head > *seen {
                *seen = head;
                return !closed;
            }
            pushed.await;
        }
    }

    /// How many readers there are now.
    pub fn readers(&self) -> usize {
        self.0.readers.load(Ordering::Relaxed)
    }

    /// Changes the bounds; what is beyond them goes with the next push.
    pub fn set_bounds(&self, bounds: RingBounds) {
        self.with(|window| window.set_bounds(bounds));
    }

    /// Ends a session: new readers wait for the next start, those under way finish what is there.
    pub fn cut(&self) {
        self.with(Window::cut);
    }

    /// Ends a session and forgets its items.
    pub fn clear(&self) {
        self.with(Window::clear);
    }

    /// Ends the ring: readers get [`Event::Closed`] at once.
    pub fn close(&self) {
        self.with(Window::close);
        self.0.pushed.notify_waiters();
    }

    /// What the ring holds, and how often its bounds were hit.
    pub fn status(&self) -> RingStatus {
        self.with(|window| {
            let skips = window.skips();
            RingStatus {
                items: window.len(),
                bytes: window.bytes(),
                span: window.span(),
                skips_behind: skips.behind(),
                skips_bytes: skips.bytes(),
                skipped: skips.items(),
                overflows: window.overflows(),
            }
        })
    }

    /// Looks at the window under its lock.
    pub fn with<R>(&self, look: impl FnOnce(&mut Window<T>) -> R) -> R {
        look(&mut locked(&self.0.window))
    }
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One reader's place in a [`Ring`].
#[derive(Debug)]
pub struct Reader<T> {
    ring: Ring<T>,
    cursor: Cursor,
}

impl<T: Clone> Reader<T> {
    /// The next event, as soon as there is one. Cancel safe: a dropped future loses nothing.
    pub async fn next(&mut self) -> Event<T> {
        loop {
            // Only a reader that finds nothing pays for being registered as a waiter.
            if let Some(event) = self.try_next() {
                return event;
            }
            let shared = Arc::clone(&self.ring.0);
            let pushed = shared.pushed.notified();
            tokio::pin!(pushed);
            pushed.as_mut().enable();
            if let Some(event) = self.try_next() {
                return event;
            }
            pushed.await;
        }
    }

    /// The next event, if there is one now.
    pub fn try_next(&mut self) -> Option<Event<T>> {
        let cursor = &mut self.cursor;
        event(self.ring.with(|window| window.read(cursor)))
    }

    /// Takes items into `batch` until it holds `max`, the ring has no more, or something other than an item
    /// is next. Returns whether anything was taken. One lock, however many items.
    pub fn try_batch(&mut self, batch: &mut Vec<T>, max: usize) -> bool {
        let before = batch.len();
        let cursor = &mut self.cursor;
        self.ring.with(|window| {
            while batch.len() < max {
                let Some(item) = window.read_item(cursor) else {
                    break;
                };
                batch.push(item);
            }
        });
        batch.len() > before
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        self.ring.0.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

fn event<T>(read: Read<T>) -> Option<Event<T>> {
    match read {
        Read::Item(item) => Some(Event::Item(item)),
        Read::Skipped(n) => Some(Event::Skipped(n)),
        Read::Closed => Some(Event::Closed),
        Read::Empty => None,
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Wake, Waker};

    use super::*;

    /// Counts how often it was woken.
    #[derive(Debug, Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn ring() -> Ring<u8> {
        Ring::new(RingBounds::default())
    }

    fn slot(item: u8) -> Slot<u8> {
        Slot {
            item,
            start: item == 0,
            at: i64::from(item),
            bytes: 1,
        }
    }

    /// How often a reader that waits is woken by `push`, and what it finds then.
    fn wakes(push: impl FnOnce(&Ring<u8>)) -> (usize, Poll<Event<u8>>) {
        let (ring, count) = (ring(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let mut reader = ring.reader();
        let mut next = pin!(reader.next());
        let mut poll = || next.as_mut().poll(&mut Context::from_waker(&waker));
        assert_eq!(poll(), Poll::Pending);
        push(&ring);
        (count.0.load(Ordering::Relaxed), poll())
    }

    #[test]
    fn what_is_pushed_together_wakes_a_reader_once() {
        let (count, found) = wakes(|ring| ring.push_all([slot(0), slot(1), slot(2)]));
        assert_eq!((count, found), (1, Poll::Ready(Event::Item(0))));
    }

    #[test]
    fn nothing_pushed_wakes_nobody() {
        assert_eq!(wakes(|ring| ring.push_all([])), (0, Poll::Pending));
    }

    #[tokio::test]
    async fn who_waits_for_a_push_misses_none_and_learns_of_the_end() {
        let (ring, mut seen) = (ring(), 0);
        ring.push_all([slot(0), slot(1)]);
        assert!(ring.pushed(&mut seen).await);
        assert_eq!(seen, 2);
        let mut later = tokio::spawn({
            let ring = ring.clone();
            async move { ring.pushed(&mut seen).await }
        });
        tokio::task::yield_now().await;
        assert!(!later.is_finished());
        ring.push(slot(2));
        assert!((&mut later).await.expect("it ends"));
        ring.close();
        assert!(!ring.pushed(&mut seen).await);
    }

    #[test]
    fn readers_are_counted_until_they_are_dropped() {
        let ring = ring();
        let (first, second) = (ring.reader(), ring.reader());
        assert_eq!(ring.readers(), 2);
        drop(first);
        assert_eq!(ring.readers(), 1);
        drop(second);
        assert_eq!(ring.readers(), 0);
    }
}
