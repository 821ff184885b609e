//! What those who wait are waiting for: a part that comes wakes them alone for whom it is the one.
//!
//! Thousands may wait for a segment of which ten parts are yet to come, and each look at a request that goes on waiting costs as
//! much as an answer does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use crate::ask::Ask;
use crate::timing::Timing;
use crate::window::Window;

/// Who waits, by what for. There are as many entries as an [`Ask`] that is not refused can have values, some dozens.
#[derive(Debug, Default)]
pub(crate) struct Wishes(Mutex<BTreeMap<Ask, Arc<Notify>>>);

impl Wishes {
    /// Is done when it may be that there is what `ask` wants. It hears of all that is told after this call, and of nothing before:
    /// whoever waits looks once more in between.
    pub(crate) fn of(&self, ask: Ask) -> OwnedNotified {
        // Made while nobody is told anything: an entry may be gone as soon as the lock is.
        let mut entries = self.entries();
        Arc::clone(entries.entry(ask).or_default()).notified_owned()
    }

    /// Wakes those whose wish is no more to be waited for, `window` being what there is.
    pub(crate) fn grant(&self, window: &Window, timing: Timing) {
        let mut due = Vec::new();
        self.entries().retain(|ask, notify| {
            let waits = ask.waits(window, timing);
            if !waits {
                due.push(Arc::clone(notify));
            }
            waits
        });
        for notify in due {
            notify.notify_waiters();
        }
    }

    /// Wakes all, for them to see whether they have waited for too long.
    pub(crate) fn wake(&self) {
        let all = std::mem::take(&mut *self.entries());
        for notify in all.into_values() {
            notify.notify_waiters();
        }
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Ask, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::testing::{Begins, Scene, film, packager};

    #[test]
    fn a_part_wakes_those_who_wait_for_it_and_no_others() {
        let scene = Scene {
            step: 40_000,
            jitter: 0,
            gop: 250,
            seconds: 5,
            high: false,
            begins: Begins::Smoothly,
            ahead: 40,
            stalls: None,
        };
        let (wishes, mut packager) = (Wishes::default(), packager(Settings::default()));
        let mut frames = film(&[scene], true).into_iter();
        let mut next_part = || {
            let (frame, tracks) = frames.next().expect("enough was filmed");
            (
                packager.push(&frame, &tracks),
                packager.window().clone(),
                packager.timing(),
            )
        };
        let (window, timing) = loop {
            if let (true, window, Some(timing)) = next_part()
                && window.open().is_some_and(|open| open.parts.len() == 2)
            {
                break (window, timing);
            }
        };
        let ask = |segment, part| Ask {
            segment: Some(segment),
            part,
            ..Ask::default()
        };
        let open = window.last();
        let asks = [
            ask(open, Some(2)),
            ask(open, Some(3)),
            ask(open, None),
            Ask::default(),
        ];
        let mut waiting = asks.map(|ask| Box::pin(wishes.of(ask)));
        let (window, timing) = loop {
            if let (true, window, _) = next_part() {
                break (window, timing);
            }
        };
        wishes.grant(&window, timing);
        let woken = waiting.each_mut().map(|one| one.as_mut().enable());
        assert_eq!(woken, [true, false, false, true]);
        wishes.wake();
        assert!(waiting.iter_mut().all(|one| one.as_mut().enable()));
    }
}
