//! Connections that have not asked for anything yet. When all slots are taken, they make room, oldest first, so that
//! thousands that only hold a connection open keep nobody out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::Notify;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Newcomer {
    /// It has sent a request.
    pub(super) asked: AtomicBool,
    leave: Notify,
}

/// The newest connections, in the order in which they came.
#[derive(Debug)]
pub(super) struct Newcomers {
    line: Mutex<VecDeque<Weak<Newcomer>>>,
    capacity: usize,
}

impl Newcomer {
    /// Returns when it has to leave.
    pub(super) async fn dismissed(&self) {
        self.leave.notified().await;
    }

    fn is_new(&self) -> bool {
        !self.asked.load(Ordering::Relaxed)
    }
}

impl Newcomers {
    /// A line for a server of `capacity` connections.
    pub(super) fn new(capacity: usize) -> Self {
        let line = Mutex::default();
        Self { line, capacity }
    }

    /// One more.
    pub(super) fn join(&self) -> Arc<Newcomer> {
        let newcomer = Arc::new(Newcomer::default());
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that left or asked are swept out when they are half of the line at least.
        if line.len() >= 2 * self.capacity {
            line.retain(|other| other.upgrade().is_some_and(|other| other.is_new()));
        }
        line.push_back(Arc::downgrade(&newcomer));
        newcomer
    }

    /// Tells the oldest that has not asked yet to leave. False if there is none.
    pub(super) fn dismiss_one(&self) -> bool {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(other) = line.pop_front() {
            if let Some(other) = other.upgrade().filter(|other| other.is_new()) {
                other.leave.notify_one();
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_oldest_that_never_asked_leaves_first() {
        let line = Newcomers::new(4);
        let [asked, gone, oldest, newest] = [(); 4].map(|()| line.join());
        asked.asked.store(true, Ordering::Relaxed);
        drop(gone);
        assert!(line.dismiss_one());
        oldest.dismissed().await;
        assert!(line.dismiss_one());
        newest.dismissed().await;
        assert!(!line.dismiss_one(), "nobody is left who never asked");
    }

    #[test]
    fn the_line_does_not_grow_with_those_that_left() {
        let line = Newcomers::new(4);
        for _ in 0..1000 {
            drop(line.join());
        }
        assert!(line.line.lock().unwrap().len() <= 8);
    }
}
