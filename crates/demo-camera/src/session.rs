use std::fmt::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use media::Format;
use rtsp::{
    Fmtp, Lower, Media, MediaKind, Method, Payload, Request, Response, Sdp, SessionHeader, Status,
    Transport, control,
};

use crate::PATH;
use crate::auth::Auth;
use crate::clip::Clip;

/// How long a session lives of which nothing is heard.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);
/// The RTP payload type of the first track; the next has the next.
pub(crate) const FIRST_PAYLOAD_TYPE: u8 = 96;
const METHODS: &str =
    "OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, TEARDOWN, GET_PARAMETER, SET_PARAMETER";
const CONTROL: &str = "trackID=";

/// One client's RTSP session (RFC 2326 Appendix A.2): requests in, responses and [`Step`]s out.
#[derive(Debug)]
pub(crate) struct Session {
    id: String,
    sdp: String,
    tracks: usize,
    auth: Option<Auth>,
    state: State,
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
    /// Carry `track` as the client wishes for in one of `offers`, and answer with what it got.
    Setup {
        /// The number of the track.
        track: usize,
        /// What the client could take, best first.
        offers: Vec<Transport>,
        /// The response, but for its `Transport`.
        response: Response,
    },
    /// Begin or go on to send, and answer with where the tracks are.
    Play {
        /// The URL that the tracks' URLs stand below.
        base: String,
        /// The response, but for its `RTP-Info`.
        response: Response,
    },
    /// Stop sending.
    Pause(Response),
    /// Stop sending and forget the tracks.
    Teardown(Response),
}

impl Session {
    /// A session called `id` over `clip`, for those whom `auth` allows.
    pub(crate) fn new(clip: &Clip, id: String, auth: Option<Auth>) -> Self {
        Self {
            id,
            sdp: describe(clip).to_string(),
            tracks: clip.tracks.len(),
            auth,
            state: State::Init,
        }
    }

    /// Takes a request and says what to do about it.
    pub(crate) fn handle(&mut self, request: &Request) -> Step {
        match self.step(request) {
            Ok(step) => step,
            Err(status) => Step::Answer(self.refuse(request, status)),
        }
    }

    /// The track of the last [`Step::Setup`] is carried.
    pub(crate) fn set_up(&mut self) {
        self.state = State::Ready;
    }

    /// The URL of `track` below `base`.
    pub(crate) fn track_url(base: &str, track: usize) -> String {
        control::join(base, &format!("{CONTROL}{track}"))
    }

    fn step(&mut self, request: &Request) -> Result<Step, Status> {
        request.cseq().ok_or(Status::BAD_REQUEST)?;
        if request.headers.get("Require").is_some() {
            return Err(Status::OPTION_NOT_SUPPORTED);
        }
        let mut ok = Response::to(request, Status::OK);
        if request.method == Method::Options {
            ok.headers.push("Public", METHODS);
            return Ok(Step::Answer(ok));
        }
        if self.auth.as_ref().is_some_and(|auth| !auth.allows(request)) {
            return Err(Status::UNAUTHORIZED);
        }
        let known = request.headers.get("Session").map(SessionHeader::parse);
        if known.is_some_and(|known| !known.is_ok_and(|known| known.id == self.id)) {
            return Err(Status::SESSION_NOT_FOUND);
        }
        let (base, track) = place(&request.url).ok_or(Status::NOT_FOUND)?;
        match request.method {
            Method::Describe => {
                ok.headers.push("Content-Base", format!("{base}/"));
                ok.headers.push("Content-Type", "application/sdp");
                ok.body = Bytes::copy_from_slice(self.sdp.as_bytes());
                Ok(Step::Answer(ok))
            }
            Method::Setup => self.setup(request, track, ok),
            Method::GetParameter | Method::SetParameter => Ok(Step::Answer(ok)),
            Method::Play | Method::Pause | Method::Teardown => self.control(request, base, ok),
            Method::Announce | Method::Record | Method::Redirect => Err(Status::METHOD_NOT_ALLOWED),
            _ => Err(Status::NOT_IMPLEMENTED),
        }
    }

    fn setup(
        &self,
        request: &Request,
        track: Option<usize>,
        mut ok: Response,
    ) -> Result<Step, Status> {
        if self.state == State::Playing {
            return Err(Status::NOT_VALID_IN_THIS_STATE);
        }
        let track = track.ok_or(Status::AGGREGATE_NOT_ALLOWED)?;
        if track >= self.tracks {
            return Err(Status::NOT_FOUND);
        }
        let offers = Transport::parse_list(request.headers.get("Transport").unwrap_or_default());
        let offers: Vec<_> = offers.into_iter().filter(usable).collect();
        if offers.is_empty() {
            return Err(Status::UNSUPPORTED_TRANSPORT);
        }
        ok.headers.push("Session", self.header());
        Ok(Step::Setup {
            track,
            offers,
            response: ok,
        })
    }

    fn control(&mut self, request: &Request, base: &str, mut ok: Response) -> Result<Step, Status> {
        if self.state == State::Init {
            return Err(Status::NOT_VALID_IN_THIS_STATE);
        }
        ok.headers.push("Session", self.header());
        Ok(match request.method {
            Method::Play => {
                self.state = State::Playing;
                ok.headers.push("Range", "npt=now-");
                Step::Play {
                    base: base.to_owned(),
                    response: ok,
                }
            }
            Method::Pause => {
                self.state = State::Ready;
                Step::Pause(ok)
            }
            _ => {
                self.state = State::Init;
                Step::Teardown(ok)
            }
        })
    }

    fn refuse(&self, request: &Request, status: Status) -> Response {
        let mut response = Response::to(request, status);
        match (status, &self.auth) {
            (Status::UNAUTHORIZED, Some(auth)) => {
                for challenge in auth.challenges() {
                    response.headers.push("WWW-Authenticate", challenge);
                }
            }
            (Status::METHOD_NOT_ALLOWED, _) => response.headers.push("Allow", METHODS),
            (Status::OPTION_NOT_SUPPORTED, _) => {
                for option in request.headers.all("Require") {
                    response.headers.push("Unsupported", option);
                }
            }
            _ => {}
        }
        response
    }

    fn header(&self) -> String {
        SessionHeader {
            id: self.id.clone(),
            timeout: TIMEOUT,
        }
        .to_string()
    }
}

/// The URL of the clip and the number of the track that `url` means; none if it means neither.
fn place(url: &str) -> Option<(&str, Option<usize>)> {
    let url = url.trim_end_matches('/');
    let (base, track) = match url.rsplit_once('/') {
        Some((base, last)) if last.starts_with(CONTROL) => {
            (base, Some(last[CONTROL.len()..].parse().ok()?))
        }
        _ => (url, None),
    };
    let (path, _) = control::path_and_query(base);
    (path == PATH).then_some((base, track))
}

/// Whether the camera can send that way.
fn usable(offer: &Transport) -> bool {
    let play = offer
        .mode
        .as_deref()
        .is_none_or(|mode| mode.eq_ignore_ascii_case("PLAY"));
    let addressed = offer.lower == Lower::Tcp || offer.client_port.is_some();
    play && addressed && !offer.multicast && offer.profile == "AVP"
}

/// What the clip consists of (RFC 6184 §8.2.1, RFC 3640 §4.1).
fn describe(clip: &Clip) -> Sdp {
    let media = clip.tracks.iter().enumerate().map(|(number, track)| {
        let payload_type = FIRST_PAYLOAD_TYPE + number as u8;
        let clock = track.format.clock_rate();
        let (kind, payload) = match &*track.format {
            Format::H264(format) => {
                let mut payload = Payload::new(payload_type, "H264", clock);
                let sets: Vec<_> = std::iter::once(&format.sps)
                    .chain(&format.pps)
                    .map(|set| BASE64_STANDARD.encode(set))
                    .collect();
                payload.fmtp = Fmtp::parse(&format!(
                    "packetization-mode=1;profile-level-id={};sprop-parameter-sets={}",
                    hex(&format.sps[1..4]),
                    sets.join(",")
                ));
                (MediaKind::Video, payload)
            }
            Format::Aac(format) => {
                let mut payload = Payload::new(payload_type, "MPEG4-GENERIC", clock);
                payload.channels = Some(u16::from(format.channels));
                payload.fmtp = Fmtp::parse(&format!(
                    "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3;config={}",
                    hex(&format.config)
                ));
                (MediaKind::Audio, payload)
            }
            other => unreachable!("the clip holds H.264 and AAC, not {}", other.codec().name()),
        };
        Media::new(kind, format!("{CONTROL}{number}"), payload)
    });
    Sdp {
        name: "Lunette demo camera".to_owned(),
        control: Some("*".to_owned()),
        range: Some("npt=now-".to_owned()),
        media: media.collect(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02X}");
        out
    })
}

#[cfg(test)]
mod tests;
