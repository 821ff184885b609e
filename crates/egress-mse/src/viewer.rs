//! The driver of one viewer: one task, whose work is one vectored write for whatever is due.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use hub::State;
use hub::ring::{Event, Reader};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::keepalive::{Due, Keepalive};
use crate::outbox::{BATCH, Outbox, WriteError};
use crate::remux::Muxed;
use crate::session::{Close, Session};
use crate::stage::{End, Stage};
use crate::ws::frame::{Opcode, close, whole};
use crate::ws::{Decoder, Incoming};

/// How long a client may take to say hello.
const HELLO: Duration = Duration::from_secs(10);

/// How long a client may take to answer our close.
const GOODBYE: Duration = Duration::from_secs(2);

/// How much is read at once. Clients send a hello, pongs, and nothing else.
const READ: usize = 512;

/// Where a viewer's media come from.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) stage: Arc<Stage>,
    pub(crate) state: watch::Receiver<State>,
    /// Everything shuts down.
    pub(crate) stop: CancellationToken,
}

/// How a viewer ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It left, or its connection broke.
    Left,
    /// We closed it.
    Closed(Close),
}

impl From<Close> for Ended {
    fn from(close: Close) -> Self {
        Self::Closed(close)
    }
}

impl From<WriteError> for Ended {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stalled => Close::new(Close::STALLED, error.to_string()).into(),
            WriteError::Io(_) => Self::Left,
        }
    }
}

/// One viewer on its connection.
#[derive(Debug)]
pub(crate) struct Viewer<S> {
    io: S,
    feed: Feed,
    session: Session,
    media: Option<Reader<Arc<Muxed>>>,
    decoder: Decoder,
    inbox: BytesMut,
    batch: Vec<Arc<Muxed>>,
    outbox: Outbox,
    keepalive: Keepalive,
    joined: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Viewer<S> {
    pub(crate) fn new(io: S, session: Session, feed: Feed) -> Self {
        let now = Instant::now();
        Self {
            io,
            feed,
            session,
            media: None,
            decoder: Decoder::default(),
            inbox: BytesMut::new(),
            batch: Vec::new(),
            outbox: Outbox::default(),
            keepalive: Keepalive::new(now),
            joined: now,
        }
    }

    /// Serves the viewer until it leaves or is sent away.
    pub(crate) async fn run(mut self) -> Ended {
        let ended = self.serve().await;
        if let Ended::Closed(close) = &ended {
            self.say_goodbye(close).await;
        }
        let (messages, bytes) = self.outbox.sent;
        let skipped = self.session.skipped;
        tracing::debug!(messages, bytes, skipped, ?ended, "left");
        ended
    }

    async fn serve(&mut self) -> Ended {
        let timer = sleep_until(self.wake());
        tokio::pin!(timer);
        loop {
            if self.session.ready() && self.media.is_none() {
                self.media = Some(self.feed.stage.reader());
                self.tell_state();
            }
            let began = Instant::now();
            if let Err(error) = self.outbox.flush(&mut self.io).await {
                return error.into();
            }
            self.keepalive.excuse(began.elapsed());
            self.inbox.reserve(READ);
            let step = tokio::select! {
                // Input before the clock: pongs may have come while a write was waiting.
                biased;
                () = self.feed.stop.cancelled() => Err(shutdown().into()),
                read = self.io.read_buf(&mut self.inbox) => match read {
                    Ok(0) | Err(_) => return Ended::Left,
                    Ok(_) => self.input(),
                },
                () = timer.as_mut() => {
                    let step = self.time();
                    timer.as_mut().reset(self.wake());
                    step
                }
                Ok(()) = self.feed.state.changed() => {
                    self.tell_state();
                    Ok(())
                }
                event = next(&mut self.media) => self.media(event),
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    /// When to look at the clock next. What is due may move away by then, never closer.
    fn wake(&self) -> Instant {
        let next = self.keepalive.next();
        if self.session.ready() {
            next
        } else {
            next.min(self.joined + HELLO)
        }
    }

    fn time(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        if !self.session.ready() && now >= self.joined + HELLO {
            return Err(Close::new(Close::PROTOCOL, "no hello within 10 s").into());
        }
        match self.keepalive.due(now) {
            Due::Nothing => {}
            Due::Ping => self.outbox.whole(whole(Opcode::Ping, b"")),
            Due::GiveUp => {
                return Err(Close::new(Close::UNANSWERED, "nothing was heard for 12 s").into());
            }
        }
        Ok(())
    }

    fn tell_state(&mut self) {
        let state = self.feed.state.borrow_and_update();
        self.session.state(&state, Instant::now(), &mut self.outbox);
    }

    fn media(&mut self, event: Event<Arc<Muxed>>) -> Result<(), Ended> {
        match event {
            Event::Item(muxed) => {
                self.session.media(muxed, &mut self.outbox)?;
                let Some(reader) = &mut self.media else {
                    return Ok(());
                };
                // Whoever is behind catches up with few calls.
                reader.try_batch(&mut self.batch, BATCH - 1);
                for muxed in self.batch.drain(..) {
                    self.session.media(muxed, &mut self.outbox)?;
                }
            }
            Event::Skipped(frames) => self.session.skip(frames, &mut self.outbox),
            Event::Closed => {
                let close = match self.feed.stage.end() {
                    End::Gone if self.feed.stop.is_cancelled() => shutdown(),
                    End::Gone => Close::new(Close::REMOVED, "the stream was removed"),
                    End::Defect => Close::new(Close::DEFECT, "a defect of the server"),
                };
                return Err(close.into());
            }
        }
        Ok(())
    }

    fn input(&mut self) -> Result<(), Ended> {
        self.keepalive.heard(Instant::now());
        loop {
            let incoming = self.decoder.decode(&mut self.inbox);
            let incoming =
                incoming.map_err(|broken| Close::new(Close::PROTOCOL, broken.to_string()))?;
            match incoming {
                None => return Ok(()),
                Some(Incoming::Text(text)) => self.session.text(&text)?,
                Some(Incoming::Ping(payload)) => self.outbox.whole(whole(Opcode::Pong, &payload)),
                Some(Incoming::Binary | Incoming::Pong) => {}
                Some(Incoming::Close) => {
                    const NORMAL: u16 = 1000;
                    return Err(Close::new(NORMAL, "").into());
                }
            }
        }
    }

    /// Closes as RFC 6455 §7.1.2 wants it, for a short while.
    async fn say_goodbye(&mut self, why: &Close) {
        // After a stall half a message may be out: what comes behind it can't be understood.
        if why.code == Close::STALLED {
            return;
        }
        self.outbox.whole(close(why.code, &why.reason));
        let goodbye = async {
            self.outbox.flush(&mut self.io).await.ok()?;
            self.io.shutdown().await.ok()?;
            let mut rest = [0; READ];
            while self.io.read(&mut rest).await.ok()? > 0 {}
            Some(())
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

fn shutdown() -> Close {
    Close::new(Close::SHUTDOWN, "the server shuts down")
}

/// The next event of media, once media may flow.
async fn next(media: &mut Option<Reader<Arc<Muxed>>>) -> Event<Arc<Muxed>> {
    match media {
        Some(reader) => reader.next().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
