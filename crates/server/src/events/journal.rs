//! The last events, kept for those who were away for a moment, and the next ones for those who listen.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hub::Registry;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::Event;
use crate::config::{Keeper, View};

/// How many events are kept for those who come back.
const KEPT: usize = 1024;
/// How many events wait for a listener at most.
const WAITING: usize = 1024;

/// The number of an event: of which run of the server, and which of its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Id {
    run: u64,
    number: u64,
}

/// An event with its number and its text, which all who listen share.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) kind: &'static str,
    pub(crate) json: String,
}

/// All events of this run of the server. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    run: u64,
    kept: Mutex<Kept>,
    next: broadcast::Sender<Arc<Entry>>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Arc<Entry>>,
    count: u64,
}

/// What a listener is told.
#[derive(Debug)]
pub(crate) enum Said {
    /// An event.
    Event(Arc<Entry>),
    /// Events were missed: the listener was away for too long, or is too slow.
    Missed,
}

/// Somebody who listens from some event on.
#[derive(Debug)]
pub(crate) struct Listener {
    missed: bool,
    past: VecDeque<Arc<Entry>>,
    next: broadcast::Receiver<Arc<Entry>>,
}

impl Journal {
    /// Writes down what happens in `registry` and to the configuration, until `stop`.
    pub(crate) fn start(registry: &Registry, keeper: &Keeper, stop: CancellationToken) -> Self {
        let run = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let journal = Self(Arc::new(Inner {
            run: run.as_millis() as u64,
            kept: Mutex::default(),
            next: broadcast::Sender::new(WAITING),
        }));
        let mut notices = registry.notices();
        let mut configuration = keeper.follow();
        let writer = journal.clone();
        tokio::spawn(async move {
            let mut missed = 0;
            let mut revision = configuration.borrow_and_update().revision;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    Ok(()) = configuration.changed() => {
                        let view = configuration.borrow_and_update().clone();
                        writer.write(&of_configuration(&view, revision));
                        revision = view.revision;
                    }
                    notice = notices.next() => {
                        let Some(notice) = notice else { return };
                        if notices.missed() > missed {
                            missed = notices.missed();
                            tracing::warn!(missed, "too much happened at once: events are missing");
                        }
                        if let Some(event) = Event::of(&notice) {
                            writer.write(&event);
                        }
                    }
                }
            }
        });
        journal
    }

    /// Listens: from behind the event `after` on, or to what comes.
    pub(crate) fn listen(&self, after: Option<Id>) -> Listener {
        // Under the lock no event comes between the past and what is next.
        let kept = self.kept();
        let next = self.0.next.subscribe();
        let Some(after) = after else {
            return Listener {
                missed: false,
                past: VecDeque::new(),
                next,
            };
        };
        let known = after.run == self.0.run && after.number <= kept.count;
        let past = kept
            .entries
            .iter()
            .filter(|entry| !known || entry.id.number > after.number);
        let past: VecDeque<_> = past.cloned().collect();
        let first = past.front().map_or(kept.count + 1, |entry| entry.id.number);
        Listener {
            missed: !known || first > after.number + 1,
            past,
            next,
        }
    }

    fn write(&self, event: &Event) {
        let json = serde_json::to_string(event).expect("an event is texts and numbers");
        let mut kept = self.kept();
        kept.count += 1;
        let id = Id {
            run: self.0.run,
            number: kept.count,
        };
        let entry = Arc::new(Entry {
            id,
            kind: event.kind,
            json,
        });
        if kept.entries.len() == KEPT {
            kept.entries.pop_front();
        }
        kept.entries.push_back(Arc::clone(&entry));
        // An error says that nobody listens.
        let _ = self.0.next.send(entry);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn of_run(run: u64) -> Self {
        Self(Arc::new(Inner {
            run,
            kept: Mutex::default(),
            next: broadcast::Sender::new(WAITING),
        }))
    }
}

impl Listener {
    /// What comes next; none when the journal is closed. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        if std::mem::take(&mut self.missed) {
            return Some(Said::Missed);
        }
        if let Some(entry) = self.past.pop_front() {
            return Some(Said::Event(entry));
        }
        match self.next.recv().await {
            Ok(entry) => Some(Said::Event(entry)),
            Err(RecvError::Lagged(_)) => Some(Said::Missed),
            Err(RecvError::Closed) => None,
        }
    }
}

fn of_configuration(view: &View, before: u64) -> Event {
    let rejected = view.revision == before;
    let problems = view
        .problems
        .as_ref()
        .map_or(0, |report| report.issues().len().max(1));
    Event {
        revision: Some(view.revision),
        message: rejected.then(|| format!("the file has {problems} problems; see /api/v1/config")),
        ..Event::new(if rejected {
            "config.rejected"
        } else {
            "config.changed"
        })
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.run, self.number)
    }
}

impl FromStr for Id {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (run, number) = text.split_once('-').ok_or(())?;
        Ok(Self {
            run: u64::from_str_radix(run, 16).map_err(drop)?,
            number: number.parse().map_err(drop)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn numbers(mut listener: Listener, n: usize) -> Vec<Option<u64>> {
        let mut told = Vec::new();
        for _ in 0..n {
            told.push(match listener.next().await {
                Some(Said::Event(entry)) => Some(entry.id.number),
                _ => None,
            });
        }
        told
    }

    #[tokio::test]
    async fn who_comes_back_gets_what_it_missed_and_is_told_if_that_is_not_all() {
        let journal = Journal::of_run(7);
        for _ in 0..3 {
            journal.write(&Event::new("config.changed"));
        }
        let id = |text: &str| Some(text.parse().unwrap());
        assert_eq!(
            numbers(journal.listen(id("7-1")), 2).await,
            [Some(2), Some(3)]
        );
        assert_eq!(
            numbers(journal.listen(id("6-9")), 4).await,
            [None, Some(1), Some(2), Some(3)]
        );
        assert_eq!(numbers(journal.listen(id("7-9")), 2).await, [None, Some(1)]);
        let live = journal.listen(None);
        let (idle, old) = (journal.listen(id("7-3")), id("7-0"));
        for _ in 0..KEPT {
            journal.write(&Event::new("config.changed"));
        }
        assert_eq!(numbers(live, 1).await, [Some(4)]);
        assert_eq!(numbers(idle, 1).await, [Some(4)]);
        assert_eq!(numbers(journal.listen(old), 2).await, [None, Some(4)]);
        let slow = journal.listen(None);
        for _ in 0..=WAITING {
            journal.write(&Event::new("config.changed"));
        }
        assert_eq!(numbers(slow, 1).await, [None]);
    }

    #[test]
    fn an_id_is_what_it_was_written_as() {
        let id = Id {
            run: 0x1f,
            number: 3,
        };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "-", "x-1", "1-", "1"] {
            assert!(wrong.parse::<Id>().is_err(), "{wrong}");
        }
    }
}
