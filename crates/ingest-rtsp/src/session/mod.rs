//! The RTSP session of a client (RFC 2326) as a pure state machine: messages, times and the news of
//! arriving packets go in; requests, events and the end come out.
//!
//! ```text
//! Options ─► Describe ─► Setup (each track) ─► Play ─► Playing ─► Teardown
//! ```
//!
//! Every wait has a deadline. The machine belongs to one connection: nonces and sessions do not outlive it.

mod answer;
mod serve;
mod watch;

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use bytes::BytesMut;
use hub::Fault;
use rtsp::{Lower, Message, Method, Request, SessionHeader, Transport};

use crate::auth::Authenticator;
use crate::plan::Plan;
use crate::{Credentials, Timeouts, words};

/// What we call ourselves. Some cameras refuse DESCRIBE without it.
const USER_AGENT: &str = concat!("Lunette/", env!("CARGO_PKG_VERSION"));
/// How many times a request is repeated with credentials before the camera is given up.
const MAX_CHALLENGES: u32 = 6;

/// What a session is started with.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The URL without credentials.
    pub(crate) url: String,
    pub(crate) credentials: Option<Credentials>,
    /// Whether the camera may learn the password by asking for Basic.
    pub(crate) basic: bool,
    pub(crate) carrier: Carrier,
    /// Whether sound is taken, too.
    pub(crate) audio: bool,
    pub(crate) timeouts: Timeouts,
}

/// What the packets shall come by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Interleaved on the connection.
    Tcp,
    /// Datagrams to these pairs of ports, one for each track.
    Udp(Vec<(u16, u16)>),
}

/// How a track's packets come, as the camera has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// The channels of RTP and RTCP, if the track is interleaved.
    pub(crate) channels: Option<(u8, u8)>,
    /// Where the camera sends RTP and RTCP from.
    pub(crate) server_ports: Option<(u16, u16)>,
    /// The address that it sends from, if it says so.
    pub(crate) source: Option<String>,
}

/// What a driver has to act on.
#[derive(Debug)]
pub(crate) enum Event {
    /// The camera's tracks are known.
    Described(Plan),
    /// All tracks are set up: packets may arrive from now on, by these routes (one for each lane of the plan,
    /// none for one that the camera would not set up).
    Ready(Vec<Option<Route>>),
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The camera is to be had at another URL.
    Redirect(String),
    /// This carrier does not work; another may.
    Carrier(Fault),
    /// It failed.
    Fault(Fault),
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The state machine. See the module's documentation.
pub(crate) struct Session {
    settings: Settings,
    auth: Authenticator,
    step: Step,
    cseq: u32,
    pending: Option<Pending>,
    /// The methods that the camera claims to know, in upper case; empty if it never said.
    public: Vec<String>,
    plan: Option<Plan>,
    /// The URL that the session as a whole is controlled by.
    aggregate: String,
    routes: Vec<Option<Route>>,
    header: Option<SessionHeader>,
    /// When PLAY was sent first.
    asked_to_play: Option<Instant>,
    /// Why PLAY was refused, which does not matter if packets come all the same.
    doubt: Option<Fault>,
    last_packet: Option<Instant>,
    next_keep_alive: Option<Instant>,
    output: BytesMut,
    events: VecDeque<Event>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Options,
    Describe,
    /// Which lane of the plan.
    Setup(usize),
    Play,
    Playing,
    Teardown,
}

/// The request that waits for its response. There is never more than one that matters.
#[derive(Debug)]
struct Pending {
    request: Request,
    cseq: u32,
    sent: Instant,
    challenges: u32,
}

impl Session {
    /// A session on a fresh connection. Its first request is in the output at once.
    pub(crate) fn new(settings: Settings, now: Instant) -> Self {
        let mut session = Self {
            auth: Authenticator::new(settings.credentials.clone(), settings.basic),
            step: Step::Options,
            cseq: 0,
            pending: None,
            public: Vec::new(),
            plan: None,
            aggregate: settings.url.clone(),
            routes: Vec::new(),
            header: None,
            asked_to_play: None,
            doubt: None,
            last_packet: None,
            next_keep_alive: None,
            output: BytesMut::new(),
            events: VecDeque::new(),
            settings,
        };
        let request = Request::new(Method::Options, session.settings.url.clone());
        session.send(request, now);
        session
    }

    /// Takes a request or a response. Packets go to [`Session::handle_packet`].
    pub(crate) fn handle_message(&mut self, message: Message, now: Instant) -> Result<(), End> {
        match message {
            Message::Request(request) => self.serve(&request),
            Message::Response(response) => self.answered(&response, now),
            Message::Data(_) => Ok(()),
        }
    }

    /// Takes note that an RTP packet arrived.
    ///
    /// If PLAY was not answered yet, or badly, packets are answer enough: some cameras start to send and
    /// never answer.
    pub(crate) fn handle_packet(&mut self, now: Instant) {
        self.last_packet = Some(now);
        if self.step == Step::Play {
            self.playing(now);
        }
    }

    /// Acts on what is due. To be called when [`Session::timeout`] has come.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), End> {
        match self.step {
            Step::Playing => self.watch(now),
            Step::Play => self.watch_start(now),
            Step::Teardown => Ok(()),
            _ => match &self.pending {
                Some(pending) if now >= pending.sent + self.settings.timeouts.request => {
                    let method = &pending.request.method;
                    Err(words::no_answer(method, self.settings.timeouts.request).into())
                }
                _ => Ok(()),
            },
        }
    }

    /// When [`Session::handle_timeout`] wants to be called next.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let t = &self.settings.timeouts;
        match self.step {
            Step::Playing => {
                let silence = self.last_packet.map(|at| at + t.silence);
                self.next_keep_alive.into_iter().chain(silence).min()
            }
            Step::Play => self.asked_to_play.map(|at| at + self.start_patience()),
            Step::Teardown => None,
            _ => self.pending.as_ref().map(|p| p.sent + t.request),
        }
    }

    /// The bytes to send, if there are any.
    pub(crate) fn poll_output(&mut self) -> Option<BytesMut> {
        (!self.output.is_empty()).then(|| self.output.split())
    }

    /// The next thing to act on.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether packets may arrive or do arrive.
    pub(crate) fn is_playing(&self) -> bool {
        matches!(self.step, Step::Play | Step::Playing)
    }

    /// Whether a packet has arrived.
    pub(crate) fn has_played(&self) -> bool {
        self.last_packet.is_some()
    }

    /// Ends the session, if there is one to end. What remains is to send the output.
    pub(crate) fn teardown(&mut self, now: Instant) {
        if self.header.is_some() && self.step != Step::Teardown {
            self.step = Step::Teardown;
            let request = Request::new(Method::Teardown, self.aggregate.clone());
            self.send(request, now);
        }
    }

    /// Whether TEARDOWN was answered, or there was nothing to tear down.
    pub(crate) fn is_over(&self) -> bool {
        self.step != Step::Teardown || self.pending.is_none()
    }

    /// What the session is doing, for a message about a connection that broke.
    pub(crate) fn doing(&self) -> &'static str {
        match self.step {
            Step::Options => "when first spoken to",
            Step::Describe => "while describing its stream",
            Step::Setup(_) => "while its tracks were set up",
            Step::Play => "before it sent anything",
            Step::Playing => "while playing",
            Step::Teardown => "at the end",
        }
    }

    fn send(&mut self, request: Request, now: Instant) {
        self.pending = Some(Pending {
            request,
            cseq: 0,
            sent: now,
            challenges: 0,
        });
        self.transmit();
    }

    /// Writes the pending request with a new number and the credentials that are in force now.
    fn transmit(&mut self) {
        let Some(pending) = &mut self.pending else {
            return;
        };
        self.cseq += 1;
        pending.cseq = self.cseq;
        let mut request = pending.request.clone();
        let headers = &mut request.headers;
        headers.push("CSeq", self.cseq.to_string());
        headers.push("User-Agent", USER_AGENT);
        if let Some(session) = &self.header {
            headers.push("Session", session.id.clone());
        }
        if let Some(value) = self.auth.authorize(request.method.name(), &request.url) {
            headers.push("Authorization", value);
        }
        request.write(&mut self.output);
    }

    fn describe(&mut self, now: Instant) {
        self.step = Step::Describe;
        let mut request = Request::new(Method::Describe, self.settings.url.clone());
        request.headers.push("Accept", "application/sdp");
        self.send(request, now);
    }

    /// Sets up the lane `index`, or plays if there is none left.
    fn set_up(&mut self, index: usize, now: Instant) {
        let lane = self.plan.as_ref().and_then(|p| p.lanes.get(index));
        let Some(lane) = lane else {
            return self.play(true, now);
        };
        let transport = match &self.settings.carrier {
            Carrier::Udp(ports) if index < ports.len() => {
                Transport::udp(ports[index].0, ports[index].1)
            }
            _ => {
                let channel = (index * 2) as u8;
                Transport::tcp(channel, channel + 1)
            }
        };
        let mut request = Request::new(Method::Setup, lane.url.clone());
        request.headers.push("Transport", transport.to_string());
        self.step = Step::Setup(index);
        self.send(request, now);
    }

    /// Asks for the data, from now on if the camera wants to be told where to start.
    fn play(&mut self, with_range: bool, now: Instant) {
        let mut request = Request::new(Method::Play, self.aggregate.clone());
        if with_range {
            request.headers.push("Range", "npt=0.000-");
        }
        if self.step != Step::Play {
            self.step = Step::Play;
            self.events.push_back(Event::Ready(self.routes.clone()));
        }
        self.asked_to_play.get_or_insert(now);
        self.send(request, now);
    }

    fn playing(&mut self, now: Instant) {
        self.step = Step::Playing;
        self.doubt = None;
        self.next_keep_alive = Some(now + self.keep_alive_interval());
    }

    fn carrier_name(&self) -> &'static str {
        match lower(&self.settings.carrier) {
            Lower::Tcp => "TCP",
            Lower::Udp => "UDP",
        }
    }
}

impl fmt::Debug for Session {
    /// Leaves out the bytes to send, which hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("url", &self.settings.url)
            .field("step", &self.step)
            .field("cseq", &self.cseq)
            .finish_non_exhaustive()
    }
}

pub(crate) fn lower(carrier: &Carrier) -> Lower {
    match carrier {
        Carrier::Tcp => Lower::Tcp,
        Carrier::Udp(_) => Lower::Udp,
    }
}

#[cfg(test)]
mod tests;
