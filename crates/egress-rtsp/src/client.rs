//! The driver of one connection: a task that takes requests, and writes where the connection does not take all at once.
//! Media is written by the viewer's shard otherwise.

use std::fmt;
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use bytes::{Bytes, BytesMut};
use fanout::{End, Meter, Told};
use hub::Guest;
use hub::ring::Event;
use media::TrackId;
use rtsp::{Lower, Message, Parser, Request, Response, RtpInfo, Status, Transport, control};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep_until, timeout};

use crate::gate::Ask;
use crate::outbox::Due;
use crate::place::track_control;
use crate::play::{Carrier, Changed, Datagrams, Lane, Play};
use crate::seat::{Halt, Seat, Show};
use crate::service::{Service, Stranger};
use crate::session::{Asked, Session, Step, refuse};
use crate::stage::{PROTOCOL, Packets};
use crate::udp::{Expected, Heard};
use crate::unit::{Start, usual_channels};
use crate::watch::{Refusal, Watch, find};

/// The most that is held of what a client sent: a whole interleaved frame, and a request behind it.
const MAX_INPUT: usize = 72 << 10;
/// Bytes that belong to no message, before a client is taken for none.
const MAX_GARBAGE: u64 = 4 << 10;
/// The most requests in a row that may be refused.
const MAX_REFUSALS: u32 = 16;
/// How long the answer to PLAY waits for a picture to begin with, so that it can tell where tracks are.
const FIRST_PICTURE: Duration = Duration::from_secs(2);
/// How long a client may take for what is left to be said at the end.
const GOODBYE: Duration = Duration::from_secs(2);
/// What asks for a user name and password.
const CHALLENGE: &str = "Basic realm=\"Lunette\"";

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

    async fn request(&mut self, request: &Request) -> Result<(), Ended> {
        let step = self.session.handle(request);
        let answer = match step {
            Step::Answer(response) => Ok(response),
            Step::Describe(asked, response) => self.describe(asked, response).await,
            Step::Setup(asked, track, offers, response) => {
                self.set_up(asked, track, &offers, response).await
            }
            Step::Play(asked, response) => match self.play(&asked, response).await {
                Ok(()) => return Ok(()),
                Err(refusal) => Err(refusal),
            },
            Step::Pause(response) => {
                self.seat.desk().fill.play = None;
                Ok(response)
            }
            Step::Teardown(response) => {
                self.forget();
                Ok(response)
            }
        };
        let response = answer.unwrap_or_else(|refusal| answer_to(request, &refusal));
        self.refusals = if response.status.is_success() {
            0
        } else {
            self.refusals + 1
        };
        self.say(&response);
        // A client may well ask once for each of a few things that it can do without.
        if self.refusals >= MAX_REFUSALS {
            return Err(Ended::Closed("refused"));
        }
        Ok(())
    }

    fn say(&self, response: &Response) {
        let mut out = BytesMut::with_capacity(512);
        response.write(&mut out);
        self.seat.desk().outbox.push(Due::Words(out.freeze()));
    }

    async fn describe(&mut self, asked: Asked, mut ok: Response) -> Result<Response, Refusal> {
        let base = asked.base.clone();
        let sdp = self.watching(asked).await?.describe().await?;
        ok.headers.push("Content-Base", base);
        ok.headers.push("Content-Type", "application/sdp");
        ok.body = Bytes::from(sdp.to_string());
        Ok(ok)
    }

    /// What `asked` names, which is watched from then on.
    async fn watching(&mut self, asked: Asked) -> Result<&Watch, Refusal> {
        if self
            .watch
            .as_ref()
            .is_none_or(|watch| watch.place != asked.place)
        {
            if self.session.is_set_up() {
                return Err(Refusal::new(
                    Status::AGGREGATE_NOT_ALLOWED,
                    "a session is of one stream",
                ));
            }
            self.forget();
            self.join(asked).await?;
        }
        self.watch
            .as_ref()
            .ok_or_else(|| Refusal::from(Status::INTERNAL_SERVER_ERROR))
    }

    async fn join(&mut self, asked: Asked) -> Result<(), Refusal> {
        let Asked {
            place,
            presented,
            agent,
            ..
        } = asked;
        let address = self.ends.peer.ip().to_canonical();
        let ask = Ask {
            stream: place.stream.clone(),
            channel: place.channel.clone(),
            presented,
            address,
        };
        let leave = self.service.gate.admit(ask).await?;
        self.stranger = None;
        let found = find(&self.service.registry, &place);
        let (channel, name) = found
            .ok_or_else(|| Refusal::new(Status::NOT_FOUND, "there is no such stream or channel"))?;
        let guest = Guest::new(Some(address), leave).using(agent.as_deref());
        let viewer = channel.watch(guest.over(PROTOCOL));
        let clock = self.service.clock;
        let stage = self.service.stages.join(&channel, || Packets::new(clock));
        let meter = Meter::new(viewer.sent(), viewer.joined());
        self.seat.desk().count(stage.delivery(), meter);
        self.kicked = Some(Box::pin(viewer.kicked()));
        self.watch = Some(Watch::new(place, name, viewer, stage));
        Ok(())
    }

    /// Watches nothing any more.
    fn forget(&mut self) {
        let mut desk = self.seat.desk();
        desk.fill.play = None;
        desk.outbox.meter = None;
        drop(desk);
        (self.watch, self.kicked) = (None, None);
        self.lanes.clear();
        self.expected.clear();
        self.seated = false;
    }

    async fn set_up(
        &mut self,
        asked: Asked,
        track: TrackId,
        offers: &[Transport],
        mut ok: Response,
    ) -> Result<Response, Refusal> {
        let watch = self.watching(asked).await?;
        let (told, ssrc) = (watch.format(track).await?, watch.stage.facts().ssrc(track));
        let (carrier, mut transport) = self
            .carry(track, offers)
            .ok_or(Status::UNSUPPORTED_TRANSPORT)?;
        transport.ssrc = Some(ssrc);
        self.lanes.retain(|lane| lane.track != track);
        self.lanes.push(Lane {
            track,
            told,
            carrier,
        });
        if let (Carrier::Udp { rtp, rtcp }, Some(udp)) = (carrier, &self.service.udp) {
            self.expected.push(udp.expect([rtp, rtcp], &self.heard));
        }
        self.session.set_up();
        ok.headers.push("Session", self.session.header());
        ok.headers.push("Transport", transport.to_string());
        Ok(ok)
    }

    /// The first of `offers` that we can meet. Datagrams go to where the connection comes from, whatever else is asked for.
    fn carry(&self, track: TrackId, offers: &[Transport]) -> Option<(Carrier, Transport)> {
        offers.iter().find_map(
            |offer| match (offer.lower, &self.service.udp, offer.client_port) {
                (Lower::Udp, Some(udp), Some((rtp, rtcp))) => {
                    let to = |port| SocketAddr::new(self.ends.peer.ip(), port);
                    let carrier = Carrier::Udp {
                        rtp: to(rtp),
                        rtcp: to(rtcp),
                    };
                    let mut transport = Transport::udp(rtp, rtcp);
                    transport.server_port = Some(udp.ports());
                    Some((carrier, transport))
                }
                (Lower::Tcp, _, _) if self.service.settings.tcp => {
                    let (rtp, rtcp) = offer.interleaved.unwrap_or_else(|| usual_channels(track));
                    Some((Carrier::Tcp { rtp, rtcp }, Transport::tcp(rtp, rtcp)))
                }
                _ => None,
            },
        )
    }

    /// Lets media flow, and answers with where it begins.
    async fn play(&mut self, asked: &Asked, mut ok: Response) -> Result<(), Refusal> {
        let watch = self.watch.as_ref().ok_or(Status::NOT_VALID_IN_THIS_STATE)?;
        let mut reader = watch.stage.reader();
        let first = match timeout(FIRST_PICTURE, reader.next()).await {
            Ok(Event::Item(unit)) => Some(unit),
            Ok(Event::Closed) => {
                return Err(Refusal::new(Status::NOT_FOUND, "the stream was removed"));
            }
            Ok(Event::Skipped(_)) | Err(_) => None,
        };
        let start = first.as_ref().and_then(|unit| unit.start.as_ref());
        ok.headers
            .push("RTP-Info", self.rtp_info(&asked.base, start));
        self.say(&ok);
        let udp = self.service.udp.as_ref().filter(|_| !self.is_interleaved());
        let datagrams =
            udp.map(|udp| Datagrams::new(Arc::clone(udp), self.ends.local, Moment::now()));
        let play = Play::new(reader, watch.stage.facts(), self.lanes.clone(), datagrams);
        // A change that comes at this very moment comes again with the next unit.
        {
            let desk = &mut *self.seat.desk();
            let _ = desk.fill.begin(play, first, &mut desk.outbox);
        }
        self.session.playing();
        if !std::mem::replace(&mut self.seated, true) {
            watch.stage.seat(&self.seat);
        }
        // Datagrams that wait for their time are sent by the shard.
        watch.stage.wake();
        Ok(())
    }

    fn rtp_info(&self, base: &str, start: Option<&Start>) -> String {
        let entry = |lane: &Lane| {
            let mark = start.and_then(|start| start.mark(lane.track));
            RtpInfo {
                url: control::join(base, &track_control(lane.track)),
                seq: mark.map(|mark| mark.sequence),
                rtptime: mark.map(|mark| mark.timestamp),
            }
        };
        let entries: Vec<RtpInfo> = self.lanes.iter().map(entry).collect();
        RtpInfo::format_list(&entries)
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

fn answer_to(request: &Request, refusal: &Refusal) -> Response {
    let mut response = refuse(request, refusal.status);
    response.phrase.clone_from(&refusal.detail);
    if refusal.status == Status::UNAUTHORIZED {
        response.headers.push("WWW-Authenticate", CHALLENGE);
    }
    if let Some(after) = refusal.after {
        response
            .headers
            .push("Retry-After", after.as_secs().max(1).to_string());
    }
    response
}
