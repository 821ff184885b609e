//! The driver of one connection: a task that takes requests, and writes where the connection does not take all at once.
//! Media is written by the viewer's shard otherwise.

mod requests;

use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use bytes::BytesMut;
use fanout::{End, Told};
use rtsp::{Message, Parser, Response, Status};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use crate::outbox::Due;
use crate::play::{Carrier, Changed, Lane};
use crate::seat::{Halt, Seat, Show};
use crate::service::{Service, Stranger};
use crate::session::Session;
use crate::udp::{Expected, Heard};
use crate::watch::Watch;

/// The most that is held of what a client sent: a whole interleaved frame, and a request behind it.
const MAX_INPUT: usize = 72 << 10;
/// Bytes that belong to no message, before a client is taken for none.
const MAX_GARBAGE: u64 = 4 << 10;
/// How long a client may take for what is left to be said at the end.
const GOODBYE: Duration = Duration::from_secs(2);

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The client left, or the connection broke.
    Left,
    /// We ended it; why, in one word.
    Closed(&'static str),
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) peer: SocketAddr,
    pub(crate) local: IpAddr,
}

/// One connection.
pub(crate) struct Client<S> {
    service: Arc<Service>,
    ends: Ends,
    seat: Arc<Seat<S>>,
    session: Session,
    parser: Parser,
    inbox: BytesMut,
    heard: Arc<Heard>,
    /// As long as it was not let in anywhere.
    stranger: Option<Stranger>,
    watch: Option<Watch>,
    /// Resolves when who watches is to go.
    kicked: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    lanes: Vec<Lane>,
    expected: Vec<Expected>,
    /// Its seat was taken.
    seated: bool,
    /// Until when the connection has to take more, while it does not take all at once.
    blocked: Option<Instant>,
    refusals: u32,
}

impl<S> Client<S>
where
    S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
{
    pub(crate) fn new(service: Arc<Service>, io: S, ends: Ends, stranger: Stranger) -> Self {
        let now = Moment::now();
        let timeout = service.settings.timeout;
        Self {
            service,
            ends,
            seat: Arc::new(Seat::new(io, Show::default())),
            session: Session::new(crate::random::session_id(), timeout, now),
            parser: Parser::new(),
            inbox: BytesMut::new(),
            heard: Arc::new(Heard::new(now)),
            stranger: Some(stranger),
            watch: None,
            kicked: None,
            lanes: Vec::new(),
            expected: Vec::new(),
            seated: false,
            blocked: None,
            refusals: 0,
        }
    }

    /// Serves the client until it leaves or is sent away.
    pub(crate) async fn run(mut self) {
        let ended = self.serve().await;
        if let (Ended::Closed(reason), Some(watch)) = (ended, &self.watch) {
            watch.viewer.sent_away(reason);
        }
        self.say_goodbye(ended).await;
        let garbage = self.parser.garbage();
        tracing::debug!(peer = %self.ends.peer, ?ended, garbage, "an RTSP connection ended");
    }

    async fn serve(&mut self) -> Ended {
        let stop = self.service.stop.clone();
        let timer = sleep_until(self.wake());
        tokio::pin!(timer);
        loop {
            let step = tokio::select! {
                biased;
                () = stop.cancelled() => Err(Ended::Closed("shutdown")),
                () = kicked(self.kicked.as_mut()) => Err(Ended::Closed(self.sent_away())),
                told = poll_fn(|cx| self.seat.poll(cx, &mut self.inbox)) => match told {
                    Ok(told) => self.told(&told).await,
                    Err(halt) => Err(self.ended(&halt)),
                },
                () = timer.as_mut() => self.time(),
            };
            if let Err(ended) = step {
                return ended;
            }
            timer.as_mut().reset(self.wake());
        }
    }

    /// Why who watches is to go, in one word.
    fn sent_away(&self) -> &'static str {
        match &self.watch {
            Some(watch) if !watch.viewer.may_stay() => "forbidden",
            _ => "kicked",
        }
    }

    async fn told(&mut self, told: &Told) -> Result<(), Ended> {
        match told {
            Told::Blocked(deadline) => self.blocked = Some(*deadline),
            Told::Free(_) => {
                self.blocked = None;
                // It took what it was sent: it is there.
                self.heard.note(Moment::now());
            }
            Told::Input => return self.input().await,
        }
        Ok(())
    }

    /// When [`Self::time`] has something to do; far away where nothing is.
    fn wake(&self) -> Instant {
        const FAR: Duration = Duration::from_secs(3600);
        let heard = self
            .session
            .deadline(self.heard.at(), self.is_interleaved());
        let silent = heard.map_or_else(|| Instant::now() + FAR, Instant::from_std);
        self.blocked.unwrap_or(silent).min(silent)
    }

    fn time(&mut self) -> Result<(), Ended> {
        if self.blocked.is_some() {
            // It may have taken something since, and has as long again for what follows.
            self.blocked = self.seat.desk().outbox.deadline();
            if self
                .blocked
                .is_some_and(|deadline| deadline <= Instant::now())
            {
                return Err(Ended::Closed("stalled"));
            }
        }
        let deadline = self
            .session
            .deadline(self.heard.at(), self.is_interleaved());
        match deadline {
            Some(deadline) if deadline <= Moment::now() => Err(Ended::Closed("timeout")),
            _ => Ok(()),
        }
    }

    fn is_interleaved(&self) -> bool {
        let tcp = |lane: &Lane| matches!(lane.carrier, Carrier::Tcp { .. });
        self.lanes.iter().all(tcp)
    }

    fn ended(&self, halt: &Halt) -> Ended {
        match halt {
            Halt::Left => Ended::Left,
            Halt::Stalled => Ended::Closed("stalled"),
            Halt::Misfit(Changed) => Ended::Closed("codecs_changed"),
            Halt::Defect => Ended::Closed("defect"),
            Halt::NoMore => match self.watch.as_ref().map(|watch| watch.stage.end()) {
                Some(End::Gone) if self.service.stop.is_cancelled() => Ended::Closed("shutdown"),
                Some(End::Gone) => Ended::Closed("removed"),
                _ => Ended::Closed("defect"),
            },
        }
    }

    /// Takes what came.
    async fn input(&mut self) -> Result<(), Ended> {
        self.heard.note(Moment::now());
        loop {
            match self.parser.parse(&mut self.inbox) {
                Ok(Some(Message::Request(request))) => self.request(&request).await?,
                // Reports and packets of a back channel say that the client is there, and nothing else.
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    tracing::debug!(peer = %self.ends.peer, %error, "a client can't be understood");
                    self.say(&Response::new(Status::BAD_REQUEST));
                    return Err(Ended::Closed("protocol"));
                }
            }
        }
        if self.parser.garbage() > MAX_GARBAGE || self.inbox.len() > MAX_INPUT {
            self.say(&Response::new(Status::BAD_REQUEST));
            return Err(Ended::Closed("protocol"));
        }
        Ok(())
    }

    fn say(&self, response: &Response) {
        let mut out = BytesMut::with_capacity(512);
        response.write(&mut out);
        self.seat.desk().outbox.push(Due::Words(out.freeze()));
    }

    /// Ends what was begun, says that nothing more comes, and closes, in a short while.
    async fn say_goodbye(&mut self, ended: Ended) {
        {
            let desk = &mut *self.seat.part();
            let play = desk.fill.play.take();
            if let (Ended::Closed(_), Some(play)) = (ended, play) {
                desk.outbox.clear();
                play.goodbye(&mut desk.outbox);
            }
        }
        if matches!(ended, Ended::Left | Ended::Closed("stalled")) {
            return;
        }
        let seat = &self.seat;
        let goodbye = async {
            poll_fn(|cx| seat.desk().poll_flush(cx)).await.ok()?;
            poll_fn(|cx| seat.desk().poll_shutdown(cx)).await.ok()?;
            poll_fn(|cx| seat.desk().poll_end(cx)).await;
            Some(())
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }
}

async fn kicked(kicked: Option<&mut Pin<Box<dyn Future<Output = ()> + Send>>>) {
    match kicked {
        Some(kicked) => kicked.await,
        None => std::future::pending().await,
    }
}
