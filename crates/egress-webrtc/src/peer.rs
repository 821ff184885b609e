//! A viewer as the tasks that serve it see it: its session behind a lock, and how it ended.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use hub::Round;

use crate::batch::Batch;
use crate::ended::Ended;
use crate::ice::Path;
use crate::session::Session;
use crate::stage::PROTOCOL;
use crate::stun::Request;

/// One viewer.
pub(crate) struct Peer {
    /// Its id in URLs: 144 random bits.
    pub(crate) id: String,
    /// The Stream and the Channel that it was made for, as they stand in its URL.
    pub(crate) place: (String, Option<String>),
    /// The section of its offer that fragments are about.
    pub(crate) section: String,
    session: Mutex<Session>,
    ended: OnceLock<Ended>,
    /// Nothing is left to be done for it.
    gone: AtomicBool,
    calm: AtomicBool,
    /// How often ICE was restarted, which makes the entity tag.
    generation: AtomicU64,
    /// Requests about its ICE session take turns (RFC 9725 §4.3: their preconditions).
    turn: Mutex<()>,
    seated: AtomicBool,
    span: tracing::Span,
    watching: hub::Viewer,
    sent: hub::Sent,
    kicked: Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its id in URLs is a secret.
        write!(f, "Peer({:?})", self.watching)
    }
}

impl Peer {
    pub(crate) fn new(
        place: (String, Option<String>),
        section: String,
        session: Session,
        watching: hub::Viewer,
    ) -> Self {
        let channel = watching.channel();
        let span = tracing::info_span!(
            "viewer",
            stream = %channel.stream(),
            channel = %channel.id(),
            id = watching.id()
        );
        Self {
            id: crate::random::url::<18>(),
            place,
            section,
            session: Mutex::new(session),
            ended: OnceLock::new(),
            gone: AtomicBool::new(false),
            calm: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            turn: Mutex::default(),
            seated: AtomicBool::new(false),
            span,
            sent: watching.sent(),
            kicked: Mutex::new(Box::pin(watching.kicked())),
            watching,
        }
    }

    /// The entity tag of its ICE session, quoted.
    pub(crate) fn etag(&self) -> String {
        format!("\"{}\"", self.generation.load(Ordering::Relaxed))
    }

    /// While this is held its entity tag holds, too.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the session.
    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        // A panic inside ends the viewer, not those who look at it.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where what is sent to it is counted.
    pub(crate) fn delivery(&self) -> Arc<hub::Delivery> {
        self.watching.channel().delivery(PROTOCOL)
    }

    /// Restarts ICE with a peer that calls itself `ufrag` now.
    pub(crate) fn restart(&self, ufrag: String) {
        self.session().agent.restart(ufrag);
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it is over.
    pub(crate) fn is_over(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Whether it is over, and the viewer needs to hear no more about that.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }

    /// A STUN request came.
    pub(crate) fn check(&self, request: &Request<'_>, path: Path, now: Instant, batch: &mut Batch) {
        if self.is_over() {
            return;
        }
        let result = self.session().check(request, path, now, batch);
        self.note(result, now, batch);
    }

    /// Another datagram came. Answers whether there is something to serve.
    pub(crate) fn datagram(
        &self,
        datagram: &[u8],
        path: Path,
        now: Instant,
        batch: &mut Batch,
    ) -> bool {
        let before = batch.bytes();
        let mut session = self.session();
        let result = session.datagram(datagram, path, now, batch);
        let again = batch.bytes() - before;
        session.uncounted += again;
        drop(session);
        if again > 0 {
            self.delivery().bytes(again);
        }
        if self.is_over() {
            self.farewell(result.is_err(), now, batch);
            return false;
        }
        self.note(result, now, batch).unwrap_or(false)
    }

    /// Sends what there is. Answers when to be called again, where that is soon.
    pub(crate) fn serve(
        &self,
        now: Instant,
        batch: &mut Batch,
        round: &mut Round<'_>,
    ) -> Option<Instant> {
        if self.is_over() {
            return None;
        }
        let before = batch.bytes();
        let mut session = self.session();
        let result = session.serve(now, batch, round);
        session.uncounted += batch.bytes() - before;
        drop(session);
        self.note(result, now, batch).flatten()
    }

    /// Does what time asks for.
    pub(crate) fn time(&self, now: Instant, batch: &mut Batch) {
        if self.is_over() {
            return self.farewell(false, now, batch);
        }
        if self.is_kicked() {
            let why = if self.watching.may_stay() {
                Ended::Kicked
            } else {
                Ended::Forbidden
            };
            return self.end(why, now, batch);
        }
        let mut session = self.session();
        let result = session.time(now, batch);
        self.sent.add(std::mem::take(&mut session.uncounted));
        self.calm.store(session.is_calm(), Ordering::Relaxed);
        drop(session);
        self.note(result, now, batch);
    }

    /// Whether it is enough that time passes for it now and then.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether media flows and nobody serves it yet; said once.
    pub(crate) fn take_seat(&self) -> bool {
        self.session().flows() && !self.seated.swap(true, Ordering::Relaxed)
    }

    /// Ends it.
    pub(crate) fn end(&self, why: Ended, now: Instant, batch: &mut Batch) {
        let _span = self.span.enter();
        if self.ended.set(why.clone()).is_ok() {
            self.calm.store(false, Ordering::Relaxed);
            self.session().close(&why, now, batch);
            self.farewell(false, now, batch);
            if why != Ended::Left {
                self.watching.sent_away(why.reason());
            }
            match why {
                Ended::Broken(error) => tracing::info!(%error, "the viewer's connection broke"),
                Ended::Stage(_) | Ended::OtherCodec => {
                    tracing::info!(?why, "the viewer is sent away");
                }
                _ => tracing::debug!(?why, "the viewer is gone"),
            }
        }
    }

    fn farewell(&self, heard: bool, now: Instant, batch: &mut Batch) {
        if !self.is_gone() && (self.session().farewell(now, batch) || heard) {
            self.gone.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it is to go. It is asked some times a second, which spares it a task.
    fn is_kicked(&self) -> bool {
        let mut kicked = self.kicked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut nobody = std::task::Context::from_waker(std::task::Waker::noop());
        kicked.as_mut().poll(&mut nobody).is_ready()
    }

    fn note<T>(&self, result: Result<T, Ended>, now: Instant, batch: &mut Batch) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                self.end(why, now, batch);
                None
            }
        }
    }
}
