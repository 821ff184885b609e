//! One viewer's connection: ICE, then DTLS, then media. Datagrams and time in, datagrams out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dimpl::{Config, DtlsCertificate};
use hub::{Clock, Round};

use crate::batch::Batch;
use crate::data::Data;
use crate::delivery::{Delivery, Served, Way};
use crate::ended::Ended;
use crate::feedback;
use crate::figures::Counts;
use crate::handshake::{Handshake, Told};
use crate::ice::{Agent, Path};
use crate::pace::TICK;
use crate::sdp::Fingerprint;
use crate::srtp::Srtp;
use crate::stage::Stage;
use crate::stun::Request;
use crate::tcp::Connections;

/// From the offer to the end of the handshake. What is not connected by then leaves nothing behind.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a viewer is heard that was told to go, for its data channels to close: it may have missed it.
pub(crate) const FAREWELL: Duration = Duration::from_secs(2);

/// What all viewers share.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) certificate: DtlsCertificate,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
    pub(crate) connections: Arc<Connections>,
    pub(crate) counts: Counts,
}

/// One viewer's connection.
pub(crate) struct Session {
    common: Arc<Common>,
    stage: Arc<Stage>,
    pub(crate) agent: Agent,
    handshake: Handshake,
    /// Since the handshake has succeeded.
    srtp: Option<Srtp>,
    delivery: Delivery,
    /// Bytes that were sent and are not counted yet.
    pub(crate) uncounted: u64,
    /// Where the viewer offers data channels.
    pub(crate) data: Option<Data>,
    created: Instant,
    /// Until when the viewer is heard, now that it is over.
    leaving: Option<Instant>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("selected", &self.agent.selected())
            .field("flows", &self.flows())
            .finish_non_exhaustive()
    }
}

/// What the offer says of the peer.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) ufrag: String,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) passive: bool,
}

impl Session {
    pub(crate) fn new(
        common: Arc<Common>,
        stage: Arc<Stage>,
        remote: Remote,
        delivery: Delivery,
        now: Instant,
    ) -> Self {
        Self {
            common,
            stage,
            agent: Agent::new(remote.ufrag, now),
            handshake: Handshake::new(remote.fingerprint, remote.passive),
            srtp: None,
            delivery,
            uncounted: 0,
            data: None,
            created: now,
            leaving: None,
        }
    }

    /// Has the shards of the stage serve `peer`, whose session this is.
    pub(crate) fn seat(&self, peer: std::sync::Weak<crate::peer::Peer>) {
        self.stage.seat(peer);
    }

    /// Has the shards look at all viewers.
    pub(crate) fn wake(&self) {
        self.stage.wake();
    }

    /// Whether media flows, and nothing else is going on that needs more than a look now and then.
    pub(crate) fn is_calm(&self) -> bool {
        self.flows() && self.data.is_none()
    }

    /// Whether media flows.
    pub(crate) fn flows(&self) -> bool {
        self.srtp.is_some()
    }

    /// Whether keyframes alone go out.
    pub(crate) fn rests(&self) -> bool {
        self.delivery.rests()
    }

    /// A STUN request came.
    pub(crate) fn check(
        &mut self,
        request: &Request<'_>,
        path: Path,
        now: Instant,
        batch: &mut Batch,
    ) -> Result<(), Ended> {
        let Some(answer) = self.agent.check(request, path, now) else {
            return Ok(());
        };
        batch.push(path, &answer);
        if self.agent.selected().is_some() && !self.flows() {
            let Common {
                config,
                certificate,
                ..
            } = &*self.common;
            self.handshake.begin(config, certificate, now);
            self.poll(now, batch)?;
        }
        Ok(())
    }

    /// A datagram that is not STUN came over a path that a check came over. Answers whether there is something to serve.
    pub(crate) fn datagram(
        &mut self,
        datagram: &[u8],
        path: Path,
        now: Instant,
        batch: &mut Batch,
    ) -> Result<bool, Ended> {
        if !self.agent.knows(path) {
            return Ok(false);
        }
        // RFC 7983 §7.
        match datagram.first() {
            Some(20..=63) => self.dtls(datagram, now, batch),
            Some(128..=191) => self.rtcp(datagram, now, batch),
            _ => Ok(false),
        }
    }

    fn dtls(&mut self, datagram: &[u8], now: Instant, batch: &mut Batch) -> Result<bool, Ended> {
        let flowed = self.flows();
        self.handshake.receive(datagram, now);
        self.poll(now, batch)?;
        let begins = self.flows() && !flowed;
        if begins {
            self.delivery.begin(&self.stage, now);
        }
        Ok(begins)
    }

    /// Takes what DTLS has to say, and what is to be said on data channels.
    fn poll(&mut self, now: Instant, batch: &mut Batch) -> Result<(), Ended> {
        let waited = !self.flows();
        self.take(now, batch)?;
        let flows = self.flows();
        let Some(data) = self.data.as_mut().filter(|_| flows) else {
            return Ok(());
        };
        if waited && self.handshake.is_client() {
            data.connect();
        }
        let mut said = false;
        data.poll(now, |packet| said |= self.handshake.say(packet));
        if said { self.take(now, batch) } else { Ok(()) }
    }

    fn take(&mut self, now: Instant, batch: &mut Batch) -> Result<(), Ended> {
        let (path, data) = (self.agent.selected(), &mut self.data);
        let keys = self.handshake.take(|told| match (told, path) {
            (Told::Datagram(packet), Some(path)) => batch.push(path, packet),
            (Told::Datagram(_), None) => {}
            (Told::Data(packet), _) => {
                if let Some(data) = data {
                    data.receive(packet, now);
                }
            }
        })?;
        if keys.is_some() {
            self.srtp = keys;
        }
        Ok(())
    }

    fn rtcp(&mut self, datagram: &[u8], now: Instant, batch: &mut Batch) -> Result<bool, Ended> {
        // RFC 5761 §4: these are reports; other packets are media, which we don't take.
        let report = matches!(datagram.get(1), Some(192..=223));
        let (true, Some(srtp), Some(path)) = (report, &mut self.srtp, self.agent.selected()) else {
            return Ok(false);
        };
        let Some(plain) = srtp.open_rtcp(datagram) else {
            return Ok(false);
        };
        let unix = self.common.clock.unix_nanos(now);
        let mut way = Way {
            srtp,
            path,
            now,
            unix,
            counts: &self.common.counts,
        };
        let (mut serve, mut result) = (false, Ok(()));
        feedback::read(&plain, |feedback| {
            if result.is_ok() {
                match self.delivery.hear(feedback, &self.stage, &mut way, batch) {
                    Ok(more) => serve |= more,
                    Err(error) => result = Err(error),
                }
            }
        });
        result?;
        Ok(serve)
    }

    /// Sends what there is. Answers when to be called again, where that is soon.
    pub(crate) fn serve(
        &mut self,
        now: Instant,
        batch: &mut Batch,
        round: &mut Round<'_>,
    ) -> Result<Option<Instant>, Ended> {
        let connection = self.agent.selected().and_then(|path| path.tcp);
        let full = |id| self.common.connections.is_full(id);
        if self.flows() && connection.is_some_and(full) {
            return Ok(Some(now + TICK));
        }
        let Some((mut way, delivery, stage)) = self.way(now) else {
            return Ok(None);
        };
        match delivery.serve(stage, &mut way, batch, round)? {
            Served::All => Ok(None),
            Served::Until(at) => Ok(Some(at)),
            Served::Closed => Err(Ended::Stage(stage.end())),
            Served::OtherCodec => Err(Ended::OtherCodec),
        }
    }

    /// Does what time asks for; called some times a second.
    pub(crate) fn time(&mut self, now: Instant, batch: &mut Batch) -> Result<(), Ended> {
        self.common.counts.sent.add(self.delivery.take_packets());
        if !self.flows() && now >= self.created + HANDSHAKE {
            return Err(Ended::Handshake);
        }
        if self.flows() && now >= self.agent.consent_ends() {
            return Err(Ended::Silent);
        }
        self.handshake.time(now);
        self.poll(now, batch)?;
        if let Some((mut way, delivery, stage)) = self.way(now) {
            delivery.report(stage, &mut way, batch)?;
        }
        Ok(())
    }

    /// Tells the viewer that it is over, and why.
    pub(crate) fn close(&mut self, why: &Ended, now: Instant, batch: &mut Batch) {
        self.common.counts.sent.add(self.delivery.take_packets());
        if let Some((mut way, delivery, _)) = self.way(now) {
            let _ = delivery.goodbye(&mut way, batch);
        }
        self.leaving = Some(now);
        let tells = self.flows() && why.is_news();
        if let Some(data) = self.data.as_mut().filter(|_| tells) {
            data.close(why);
            self.leaving = Some(now + FAREWELL);
        }
    }

    /// Hears a viewer out that was told to go. Answers whether nothing is left to be done for it.
    pub(crate) fn farewell(&mut self, now: Instant, batch: &mut Batch) -> bool {
        let polled = self.poll(now, batch);
        let hears = polled.is_ok() && self.leaving.is_none_or(|until| now < until);
        if hears && !self.data.as_ref().is_none_or(Data::is_closed) {
            return false;
        }
        self.handshake.close();
        let _ = self.take(now, batch);
        self.handshake.forget();
        true
    }

    /// What serves the viewer, once media flows.
    fn way(&mut self, now: Instant) -> Option<(Way<'_>, &mut Delivery, &Stage)> {
        let unix = self.common.clock.unix_nanos(now);
        let (srtp, path) = (self.srtp.as_mut()?, self.agent.selected()?);
        let way = Way {
            srtp,
            path,
            now,
            unix,
            counts: &self.common.counts,
        };
        Some((way, &mut self.delivery, &self.stage))
    }
}
