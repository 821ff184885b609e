//! The driver of one viewer: a task that says what has to be said to this viewer alone, reads what it says, and
//! writes for it when its connection does not take all at once. Media is written by the viewer's shard otherwise.

use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fanout::{End, Meter, Told};
use hub::State;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::keepalive::{Due, Keepalive};
use crate::outbox::Message;
use crate::seat::{Halt, Seat, Show};
use crate::session::{Close, Session};
use crate::stage::Stage;
use crate::ws::frame::{Opcode, close, whole};
use crate::ws::{Decoder, Incoming};

/// How long a client may take to say hello.
const HELLO: Duration = Duration::from_secs(10);

/// How long a client may take to answer our close.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where a viewer's media come from.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The Channel's Viewer, which this one is.
    pub(crate) watching: hub::Viewer,
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

/// One viewer on its connection.
#[derive(Debug)]
pub(crate) struct Viewer<S> {
    seat: Arc<Seat<S>>,
    feed: Feed,
    decoder: Decoder,
    inbox: BytesMut,
    keepalive: Keepalive,
    /// Until when the connection has to take the next message, while it does not take all at once.
    blocked: Option<Instant>,
    joined: Instant,
}

impl<S> Viewer<S>
where
    S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
{
    pub(crate) fn new(io: S, session: Session, feed: Feed) -> Self {
        let now = Instant::now();
        let seat = Seat::new(io, Show::new(session));
        let meter = Meter::new(feed.watching.sent(), feed.watching.joined());
        seat.desk().count(feed.stage.delivery(), meter);
        Self {
            seat: Arc::new(seat),
            feed,
            decoder: Decoder::default(),
            inbox: BytesMut::new(),
            keepalive: Keepalive::new(now),
            blocked: None,
            joined: now,
        }
    }

    /// Serves the viewer until it leaves or is sent away.
    pub(crate) async fn run(mut self) -> Ended {
        self.begin();
        let ended = self.serve().await;
        let skipped = {
            let fill = &mut self.seat.part().fill;
            fill.media = None;
            fill.session.skipped
        };
        if let Ended::Closed(close) = &ended {
            if let Some(reason) = close.name() {
                self.feed.watching.sent_away(reason);
            }
            self.say_goodbye(close).await;
        }
        let bytes = self.feed.watching.status().bytes;
        tracing::debug!(bytes, skipped, ?ended, "its session ended");
        ended
    }

    async fn serve(&mut self) -> Ended {
        let timer = sleep_until(self.wake());
        let kicked = self.feed.watching.kicked();
        tokio::pin!(timer, kicked);
        loop {
            let step = tokio::select! {
                biased;
                () = self.feed.stop.cancelled() => Err(shutdown().into()),
                () = &mut kicked => Err(sent_away(&self.feed.watching).into()),
                // Input before the clock: pongs may have come while a write was waiting.
                told = poll_fn(|cx| self.seat.poll(cx, &mut self.inbox)) => match told {
                    Ok(told) => {
                        let step = self.told(&told);
                        timer.as_mut().reset(self.wake());
                        step
                    }
                    Err(halt) => Err(self.ended(halt)),
                },
                () = timer.as_mut() => {
                    let step = self.time();
                    timer.as_mut().reset(self.wake());
                    step
                }
                // Words wait while the connection is blocked, so that they can't pile up.
                Ok(()) = self.feed.state.changed(), if self.blocked.is_none() => {
                    self.tell_state();
                    Ok(())
                }
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    /// Lets media flow if it may.
    fn begin(&mut self) {
        {
            let fill = &self.seat.desk().fill;
            if !fill.session.ready() || fill.media.is_some() {
                return;
            }
        }
        self.tell_state();
        self.seat.desk().fill.media = Some(self.feed.stage.reader());
        self.feed.stage.seat(&self.seat);
    }

    fn told(&mut self, told: &Told) -> Result<(), Ended> {
        match told {
            Told::Blocked(deadline) => self.blocked = Some(*deadline),
            Told::Free(after) => {
                self.blocked = None;
                self.keepalive.excuse(*after);
            }
            Told::Input => {
                self.input()?;
                self.begin();
            }
        }
        Ok(())
    }

    fn ended(&self, halt: Halt) -> Ended {
        match halt {
            Halt::Left => Ended::Left,
            Halt::Stalled => stalled().into(),
            Halt::Misfit(close) => close.into(),
            Halt::NoMore => match self.feed.stage.end() {
                End::Gone if self.feed.stop.is_cancelled() => shutdown(),
                End::Gone => Close::new(Close::REMOVED, "the stream was removed"),
                End::Defect => defect(),
            }
            .into(),
            Halt::Defect => defect().into(),
        }
    }

    /// When to look at the clock next. What is due may move away by then, never closer.
    fn wake(&self) -> Instant {
        match self.blocked {
            Some(deadline) => deadline,
            None if self.greeted() => self.keepalive.next(),
            None => self.keepalive.next().min(self.joined + HELLO),
        }
    }

    fn greeted(&self) -> bool {
        self.seat.desk().fill.session.ready()
    }

    fn time(&mut self) -> Result<(), Ended> {
        if self.blocked.is_some() {
            // It had not passed when the connection was polled just now, so it has moved.
            self.blocked = self.seat.desk().outbox.deadline();
            return Ok(());
        }
        let now = Instant::now();
        if !self.greeted() && now >= self.joined + HELLO {
            return Err(Close::new(Close::PROTOCOL, "no hello within 10 s").into());
        }
        match self.keepalive.due(now) {
            Due::Nothing => {}
            Due::Ping => self.say(whole(Opcode::Ping, b"")),
            Due::GiveUp => {
                return Err(Close::new(Close::UNANSWERED, "nothing was heard for 12 s").into());
            }
        }
        Ok(())
    }

    /// Says something of this viewer's own.
    fn say(&self, message: Bytes) {
        self.seat.desk().outbox.push(Message::Whole(message));
    }

    fn tell_state(&mut self) {
        let state = self.feed.state.borrow_and_update();
        let desk = &mut *self.seat.desk();
        desk.fill
            .session
            .state(&state, Instant::now(), &mut desk.outbox);
    }

    fn input(&mut self) -> Result<(), Ended> {
        self.keepalive.heard(Instant::now());
        let mut desk = self.seat.desk();
        loop {
            let incoming = self.decoder.decode(&mut self.inbox);
            let incoming =
                incoming.map_err(|broken| Close::new(Close::PROTOCOL, broken.to_string()))?;
            match incoming {
                None => return Ok(()),
                Some(Incoming::Text(text)) => desk.fill.session.text(&text)?,
                Some(Incoming::Ping(payload)) => desk
                    .outbox
                    .push(Message::Whole(whole(Opcode::Pong, &payload))),
                Some(Incoming::Binary | Incoming::Pong) => {}
                Some(Incoming::Close) => {
                    const NORMAL: u16 = 1000;
                    return Err(Close::new(NORMAL, "").into());
                }
            }
        }
    }

    /// Closes as RFC 6455 §7.1.2 wants it, for a short while.
    async fn say_goodbye(&self, why: &Close) {
        // After a stall half a message may be out: what comes behind it can't be understood.
        if why.code == Close::STALLED {
            return;
        }
        let seat = &self.seat;
        self.say(close(why.code, &why.reason));
        let goodbye = async {
            poll_fn(|cx| seat.desk().poll_flush(cx)).await.ok()?;
            poll_fn(|cx| seat.desk().poll_shutdown(cx)).await.ok()?;
            poll_fn(|cx| seat.desk().poll_end(cx)).await;
            Some(())
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

/// What is said to one who shall go.
fn sent_away(watching: &hub::Viewer) -> Close {
    if watching.may_stay() {
        Close::new(
            Close::KICKED,
            "this session was ended by who runs the server",
        )
    } else {
        Close::new(Close::FORBIDDEN, "watching this is not allowed any more")
    }
}

fn shutdown() -> Close {
    Close::new(Close::SHUTDOWN, "the server shuts down")
}

fn stalled() -> Close {
    Close::new(Close::STALLED, "a message was not taken within 10 s")
}

fn defect() -> Close {
    Close::new(Close::DEFECT, "a defect of the server")
}

#[cfg(test)]
mod tests;
