//! Guests in the order in which they came, to find one who can make room.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::guest::Guest;

/// How many are looked at, at most, to find one who can make room.
const LOOKS: usize = 1024;
/// Below so many, those who left are not swept out.
const FEW: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Line(VecDeque<Weak<Guest>>);

impl Line {
    /// One more; with them `present` are there.
    pub(super) fn join(&mut self, guest: &Arc<Guest>, present: usize) {
        // Those who left are swept out when they are half of the line at least.
        if self.0.len() >= 2 * present.max(FEW) {
            self.0.retain(|other| other.strong_count() > 0);
        }
        self.0.push_back(Arc::downgrade(guest));
    }

    /// Tells one to make room: the first who never asked for anything, or else one who waits for nothing. False if
    /// there is none.
    pub(super) fn dismiss_one(&mut self) -> bool {
        let mut idle = None;
        for _ in 0..self.0.len().min(LOOKS) {
            let Some(weak) = self.0.pop_front() else {
                break;
            };
            let Some(guest) = weak.upgrade().filter(|guest| !guest.is_leaving()) else {
                continue;
            };
            if !guest.has_asked() {
                guest.dismiss();
                return true;
            }
            // The next search begins with those who were not looked at.
            self.0.push_back(weak);
            if guest.is_idle() && idle.is_none() {
                idle = Some(guest);
            }
        }
        idle.inspect(|guest| guest.dismiss()).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::guest::Answering;
    use super::*;

    #[tokio::test]
    async fn who_never_asked_leaves_first_and_then_who_waits_for_nothing() {
        let mut line = Line::default();
        let [idle, busy, gone, oldest, newest] = [(); 5].map(|()| Arc::new(Guest::default()));
        for guest in [&idle, &busy, &gone, &oldest, &newest] {
            line.join(guest, 5);
        }
        drop((Answering::begin(&idle), gone));
        let answer = Answering::begin(&busy);
        for guest in [&oldest, &newest, &idle] {
            assert!(line.dismiss_one());
            guest.dismissed().await;
        }
        assert!(!line.dismiss_one(), "the one who is left is served");
        drop(answer);
        assert!(line.dismiss_one());
        busy.dismissed().await;
        assert!(!line.dismiss_one(), "nobody is told twice");
    }

    #[test]
    fn the_line_does_not_grow_with_those_who_left() {
        let mut line = Line::default();
        for _ in 0..1000 {
            line.join(&Arc::new(Guest::default()), 1);
        }
        assert!(line.0.len() <= 2 * FEW);
    }
}
