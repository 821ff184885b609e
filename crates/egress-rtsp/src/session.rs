//! One client's RTSP session (RFC 2326 Appendix A.2): requests in, answers and [`Step`]s out. Pure: it knows no camera and
//! no socket, and time is an argument.

use std::time::{Duration, Instant};

use media::TrackId;
use rtsp::{Lower, Method, Request, Response, SessionHeader, Status, Transport};

use crate::gate::Presented;
use crate::place::{Located, Place};

/// What there is; also the answer to OPTIONS.
const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";
/// How long a client has for its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// An option that clients of RTSPtoWeb's kind name, which wants nothing.
const IMPLICIT_PLAY: &str = "implicit-play";

/// See above.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    timeout: Duration,
    state: State,
    opened: Instant,
    /// Something that makes sense was asked.
    asked: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No track is set up.
    Init,
    /// Tracks are set up; nothing is sent.
    Ready,
    Playing,
}

/// What has to be done about a request.
#[derive(Debug)]
pub(crate) enum Step {
    /// Send the response.
    Answer(Response),
    /// Answer with what the Channel consists of.
    Describe(Asked, Response),
    /// Carry a track as the client wishes for in one of the offers, best first, and answer with what it got.
    Setup(Asked, TrackId, Vec<Transport>, Response),
    /// Begin or go on to send, and answer with where the tracks are.
    Play(Asked, Response),
    /// Stop sending.
    Pause(Response),
    /// Stop sending, and forget the tracks and the Channel.
    Teardown(Response),
}

/// What is asked for, and by whom.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) place: Place,
    pub(crate) presented: Presented,
    /// What the URLs of tracks stand below.
    pub(crate) base: String,
    /// With what software, as it says itself.
    pub(crate) agent: Option<String>,
}

impl Session {
    /// A session called `id` that ends where nothing is heard for `timeout`.
    pub(crate) fn new(id: String, timeout: Duration, now: Instant) -> Self {
        Self {
            id,
            timeout,
            state: State::Init,
            opened: now,
            asked: false,
        }
    }

    /// Takes a request and says what to do about it.
    pub(crate) fn handle(&mut self, request: &Request) -> Step {
        self.asked = true;
        match self.step(request) {
            Ok(step) => step,
            Err(status) => Step::Answer(refuse(request, status)),
        }
    }

    /// The track of the last [`Step::Setup`] is carried.
    pub(crate) fn set_up(&mut self) {
        self.state = State::Ready;
    }

    /// Media flows after the last [`Step::Play`].
    pub(crate) fn playing(&mut self) {
        self.state = State::Playing;
    }

    /// Whether media flows.
    pub(crate) fn plays(&self) -> bool {
        self.state == State::Playing
    }

    /// Whether there is a session at all.
    pub(crate) fn is_set_up(&self) -> bool {
        self.state != State::Init
    }

    /// The header `Session` of answers.
    pub(crate) fn header(&self) -> String {
        SessionHeader {
            id: self.id.clone(),
            timeout: self.timeout,
        }
        .to_string()
    }

    /// When the client is taken for gone of which was `heard` then. None while media flows over the connection itself, whose
    /// reader may be as silent as it likes: it reads.
    pub(crate) fn deadline(&self, heard: Instant, interleaved: bool) -> Option<Instant> {
        match self.state {
            State::Playing if interleaved => None,
            _ if !self.asked => Some(self.opened + FIRST_REQUEST),
            _ => Some(heard + self.timeout),
        }
    }

    fn step(&mut self, request: &Request) -> Result<Step, Status> {
        request.cseq().ok_or(Status::BAD_REQUEST)?;
        let mut ok = Response::to(request, Status::OK);
        if request.method == Method::Options {
            ok.headers.push("Public", METHODS);
            return Ok(Step::Answer(ok));
        }
        self.check_session(request)?;
        match request.method {
            Method::GetParameter | Method::SetParameter => {
                if self.is_set_up() {
                    ok.headers.push("Session", self.header());
                }
                Ok(Step::Answer(ok))
            }
            Method::Describe | Method::Setup | Method::Play => {
                only_known_options(request)?;
                let (asked, track) = ask(request)?;
                match request.method {
                    Method::Describe => Ok(Step::Describe(asked, ok)),
                    Method::Setup => self.setup(request, asked, track, ok),
                    _ => self.play(asked, ok),
                }
            }
            Method::Pause => {
                self.must_be_set_up()?;
                self.state = State::Ready;
                ok.headers.push("Session", self.header());
                Ok(Step::Pause(ok))
            }
            Method::Teardown => {
                self.must_be_set_up()?;
                self.state = State::Init;
                Ok(Step::Teardown(ok))
            }
            Method::Announce | Method::Record | Method::Redirect => Err(Status::METHOD_NOT_ALLOWED),
            _ => Err(Status::NOT_IMPLEMENTED),
        }
    }

    /// Who names a session must name this one.
    fn check_session(&self, request: &Request) -> Result<(), Status> {
        let named = request.headers.get("Session").map(SessionHeader::parse);
        let ours = named
            .is_none_or(|named| self.is_set_up() && named.is_ok_and(|named| named.id == self.id));
        ours.then_some(()).ok_or(Status::SESSION_NOT_FOUND)
    }

    fn must_be_set_up(&self) -> Result<(), Status> {
        self.is_set_up()
            .then_some(())
            .ok_or(Status::NOT_VALID_IN_THIS_STATE)
    }

    fn setup(
        &self,
        request: &Request,
        asked: Asked,
        track: Option<TrackId>,
        ok: Response,
    ) -> Result<Step, Status> {
        if self.plays() {
            return Err(Status::NOT_VALID_IN_THIS_STATE);
        }
        let track = track.ok_or(Status::AGGREGATE_NOT_ALLOWED)?;
        let offers = Transport::parse_list(request.headers.get("Transport").unwrap_or_default());
        let offers: Vec<_> = offers.into_iter().filter(usable).collect();
        if offers.is_empty() {
            return Err(Status::UNSUPPORTED_TRANSPORT);
        }
        Ok(Step::Setup(asked, track, offers, ok))
    }

    fn play(&self, asked: Asked, mut ok: Response) -> Result<Step, Status> {
        self.must_be_set_up()?;
        ok.headers.push("Session", self.header());
        ok.headers.push("Range", "npt=now-");
        if self.plays() {
            // Some keep their session alive in this way.
            return Ok(Step::Answer(ok));
        }
        Ok(Step::Play(asked, ok))
    }
}

/// The answer to `request` where it is refused with `status`.
pub(crate) fn refuse(request: &Request, status: Status) -> Response {
    let mut response = Response::to(request, status);
    match status {
        Status::METHOD_NOT_ALLOWED => response.headers.push("Allow", METHODS),
        Status::OPTION_NOT_SUPPORTED => {
            for option in request.headers.all("Require") {
                response.headers.push("Unsupported", option);
            }
        }
        _ => {}
    }
    response
}

fn ask(request: &Request) -> Result<(Asked, Option<TrackId>), Status> {
    let located = Located::of(&request.url);
    let asked = Asked {
        place: located.place.ok_or(Status::NOT_FOUND)?,
        presented: Presented::of(located.token, request.headers.get("Authorization")),
        base: located.base,
        agent: request.headers.get("User-Agent").map(str::to_owned),
    };
    Ok((asked, located.track))
}

fn only_known_options(request: &Request) -> Result<(), Status> {
    let known = request
        .headers
        .all("Require")
        .all(|option| option.trim() == IMPLICIT_PLAY);
    known.then_some(()).ok_or(Status::OPTION_NOT_SUPPORTED)
}

/// Whether it is a way in which anything is sent.
fn usable(offer: &Transport) -> bool {
    let play = offer
        .mode
        .as_deref()
        .is_none_or(|mode| mode.eq_ignore_ascii_case("PLAY"));
    let addressed = match offer.lower {
        Lower::Tcp => true,
        Lower::Udp => offer
            .client_port
            .is_some_and(|(rtp, rtcp)| rtp != 0 && rtcp != 0),
    };
    play && addressed && !offer.multicast && offer.profile == "AVP"
}

#[cfg(test)]
mod tests;
