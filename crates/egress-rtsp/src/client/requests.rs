//! What becomes of requests: the part of a connection's driver that knows what they ask for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanout::Meter;
use hub::Guest;
use hub::ring::Event;
use media::TrackId;
use rtsp::{Lower, Request, Response, RtpInfo, Status, Transport, control};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::{Client, Ended};
use crate::gate::Ask;
use crate::place::track_control;
use crate::play::{Carrier, Datagrams, Lane, Play};
use crate::session::{Asked, Step, refuse};
use crate::stage::{PROTOCOL, Packets};
use crate::unit::{Start, usual_channels};
use crate::watch::{Refusal, Watch, find};

/// The most requests in a row that may be refused.
const MAX_REFUSALS: u32 = 16;
/// How long the answer to PLAY waits for a picture to begin with, so that it can tell where tracks are.
const FIRST_PICTURE: Duration = Duration::from_secs(2);
/// What asks for a user name and password.
const CHALLENGE: &str = "Basic realm=\"Lunette\"";

impl<S> Client<S>
where
    S: AsyncRead + AsyncWrite + Unpin + fmt::Debug + Send + 'static,
{
    pub(super) async fn request(&mut self, request: &Request) -> Result<(), Ended> {
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
        let leave = self.service.house.gate.admit(ask).await?;
        self.stranger = None;
        let found = find(&self.service.house.registry, &place);
        let (channel, name) = found
            .ok_or_else(|| Refusal::new(Status::NOT_FOUND, "there is no such stream or channel"))?;
        let guest = Guest::new(Some(address), leave).using(agent.as_deref());
        let viewer = channel.watch(guest.over(PROTOCOL));
        let clock = self.service.house.clock;
        let stage = self
            .service
            .house
            .stages
            .join(&channel, || Packets::new(clock));
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
        if let (Carrier::Udp { rtp, rtcp }, Some(udp)) = (carrier, self.service.udp()) {
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
            |offer| match (offer.lower, self.service.udp(), offer.client_port) {
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
        let udp = self.service.udp().filter(|_| !self.is_interleaved());
        let datagrams =
            udp.map(|udp| Datagrams::new(Arc::clone(udp), self.ends.local, Instant::now()));
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
