//! What the routes call: offers are answered with what a Channel has, and sessions come and go.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use dimpl::{Config, certificate};
use hub::{Channel, Clock, Registry, Who};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::Error;
use crate::addresses::Addresses;
use crate::answer::Refusal;
use crate::batch::Batch;
use crate::data::Data;
use crate::delivery::Delivery;
use crate::ended::Ended;
use crate::figures::{Counted, Counts};
use crate::ice::Path;
use crate::peer::Peer;
use crate::peers::Peers;
use crate::plan::{Plan, plan};
use crate::reorder::reorders;
use crate::sdp::{Candidate, Fragment, Identity, Offer, head, render};
use crate::session::{Common, Remote, Session};
use crate::settings::Settings;
use crate::socket::{Sockets, families};
use crate::stage::Stages;
use crate::tcp;

/// The records of DTLS fit where 1200 bytes do.
const DTLS_MTU: usize = 1150;
/// How long a part of the handshake waits before it is sent again, for the first time: with this, a few losses cost no second.
const DTLS_RETRY: Duration = Duration::from_millis(400);

/// WebRTC to viewers: the sockets, who watches, and what they watch.
#[derive(Debug)]
pub(crate) struct Whep {
    registry: Registry,
    settings: watch::Receiver<Settings>,
    sockets: Arc<Sockets>,
    addresses: Addresses,
    peers: Peers,
    stages: Stages,
    common: Arc<Common>,
    fingerprint: String,
    stop: CancellationToken,
}

/// An offer was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) peer: Arc<Peer>,
    pub(crate) sdp: String,
    /// The codecs of sound that the viewer would take if it were of another codec.
    pub(crate) left_out: Vec<String>,
}

impl Whep {
    /// Binds the sockets. Needs a tokio runtime.
    pub(crate) fn bind(
        registry: Registry,
        settings: watch::Receiver<Settings>,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        let sockets = Arc::new(open(&settings.borrow())?);
        let clock = Clock::now();
        let dtls = |error: &dyn std::fmt::Display| Error::Dtls(error.to_string());
        let certificate =
            certificate::generate_self_signed_certificate().map_err(|error| dtls(&error))?;
        let config = Config::builder()
            .mtu(DTLS_MTU)
            .flight_start_rto(DTLS_RETRY)
            // Who speaks DTLS has proven its address by ICE.
            .use_server_cookie(false)
            .build()
            .map_err(|error| dtls(&error))?;
        Ok(Self {
            registry,
            settings,
            addresses: Addresses::default(),
            peers: Peers::default(),
            stages: Stages::new(Arc::clone(&sockets), clock),
            fingerprint: certificate.fingerprint_str(),
            common: Arc::new(Common {
                certificate,
                config: Arc::new(config),
                clock,
                connections: Arc::clone(sockets.connections()),
                counts: Counts::default(),
            }),
            sockets,
            stop,
        })
    }

    /// Serves until the server stops.
    pub(crate) async fn run(self: Arc<Self>) {
        let take = |datagram: &[u8], path, now, batch: &mut Batch| {
            self.contained(datagram, path, now, batch);
        };
        tokio::select! {
            () = self.sockets.receive(take) => {}
            () = tcp::serve(self.sockets.listeners(), Arc::clone(&self)) => {}
            never = self.look_up() => match never {},
            () = self.peers.keep(&self.sockets, self.stop.clone()) => {}
        }
    }

    /// Looks up what viewers are told, for ever.
    async fn look_up(&self) -> Infallible {
        let mut settings = self.settings.clone();
        loop {
            let now = settings.borrow_and_update().clone();
            tokio::select! {
                never = self.addresses.keep(&now) => match never {},
                Ok(()) = settings.changed() => {}
            }
        }
    }

    /// A datagram came. A defect that it meets must not end the reception of all.
    pub(crate) fn contained(&self, datagram: &[u8], path: Path, now: Instant, batch: &mut Batch) {
        let taken = AssertUnwindSafe(|| self.take(datagram, path, now, batch));
        if catch_unwind(taken).is_err() {
            tracing::error!("a viewer's datagram made the server panic; it is dropped");
        }
    }

    /// Whether somebody's valid check came over `path`.
    pub(crate) fn knows(&self, path: Path) -> bool {
        self.peers.knows(path)
    }

    fn take(&self, datagram: &[u8], path: Path, now: Instant, batch: &mut Batch) {
        let Some(peer) = self.peers.datagram(datagram, path, now, batch) else {
            return;
        };
        peer.serve(now, batch, &mut peer.delivery().round());
        if peer.take_seat() {
            // The end of the handshake, and the first packets, are to be there before what its shard sends.
            self.sockets.flush(batch);
            peer.session().seat(Arc::downgrade(&peer));
        } else {
            peer.session().wake();
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn settings(&self) -> watch::Ref<'_, Settings> {
        self.settings.borrow()
    }

    pub(crate) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// The viewer with an id.
    pub(crate) fn peer(&self, id: &str) -> Option<Arc<Peer>> {
        self.peers.get(id)
    }

    /// Answers `offer` with what `channel` has.
    pub(crate) async fn answer(
        &self,
        channel: &Channel,
        place: (String, Option<String>),
        who: Who,
        offer: Offer,
    ) -> Result<Answered, Refusal> {
        let watching = channel.watch(who);
        let stage = self.stages.join(channel);
        let tracks = channel.known_tracks().await?;
        let plan = plan(&offer, &tracks).map_err(Refusal::from)?;
        if let Some(format) = plan
            .format
            .as_ref()
            .filter(|format| format.reorder() != Some(0))
            && reorders(channel, format).await
        {
            return Err(Refusal::b_frames());
        }
        let now = Instant::now();
        let cname = crate::random::url::<12>();
        let left_out = plan.left_out.clone();
        let Plan {
            sections,
            picture,
            sound,
            data,
            ..
        } = plan;
        let delivery = Delivery::new(picture, sound, cname.clone(), watching.joined(), now);
        let remote = Remote {
            ufrag: offer.ufrag.clone(),
            fingerprint: offer.fingerprint.clone(),
            passive: offer.passive,
        };
        let mut session = Session::new(Arc::clone(&self.common), stage, remote, delivery, now);
        session.data = data.then(|| Data::new(channel.state(), now));
        let section = head(&offer, &sections);
        let peer = Arc::new(Peer::new(place, section, session, watching));
        let local = peer.session().agent.local().clone();
        let candidates = self.candidates();
        let us = Identity {
            ice: &local,
            fingerprint: &self.fingerprint,
            candidates: &candidates,
            cname: &cname,
        };
        let sdp = render(&offer, &sections, &us);
        if self.stop.is_cancelled() || !self.peers.add(&peer) {
            let detail = "too many viewers are joining at this moment";
            return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "overload", detail).after(5));
        }
        Ok(Answered {
            peer,
            sdp,
            left_out,
        })
    }

    /// Restarts ICE with a viewer that calls itself `ufrag` now. Answers with the fragment that tells our side.
    pub(crate) fn restart(&self, peer: &Arc<Peer>, ufrag: String) -> String {
        self.common.counts.ice_restarts.one();
        self.peers.restart(peer, ufrag);
        let candidates = self.candidates();
        Fragment::answer(peer.session().agent.local(), &peer.section, &candidates)
    }

    /// An offer was refused.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.common.counts.refused(refusal.reason);
    }

    /// What is counted.
    pub(crate) fn counted(&self) -> Counted {
        let counts = &self.common.counts;
        let mut counted = Counted {
            sent: counts.sent.get() + counts.resent.get(),
            lost: counts.lost.get(),
            resent: counts.resent.get(),
            keyframe_requests: counts.keyframe_requests.get(),
            ice_restarts: counts.ice_restarts.get(),
            refused_sends: self.sockets.refused(),
            dropped_datagrams: self.sockets.connections().dropped(),
            refused_offers: counts.refused_offers(),
            ..Counted::default()
        };
        self.peers.count(&mut counted);
        counted
    }

    fn candidates(&self) -> Vec<Candidate> {
        self.addresses.candidates(&self.settings(), &self.sockets)
    }

    /// How many sessions there are.
    #[cfg(test)]
    pub(crate) fn joining(&self) -> usize {
        self.peers.len()
    }

    /// Lets time pass.
    #[cfg(test)]
    pub(crate) fn pass(&self, now: Instant) {
        self.peers
            .pass(now, |_| true, &self.sockets, &mut Batch::default());
    }

    /// The viewer said that it leaves.
    pub(crate) fn leave(&self, peer: &Peer) {
        let mut batch = Batch::default();
        peer.end(Ended::Left, Instant::now(), &mut batch);
        self.sockets.flush(&mut batch);
        self.peers.sweep();
    }
}

/// Reads an offer.
pub(crate) fn read(offer: &str) -> Result<Offer, Refusal> {
    Offer::parse(offer)
        .map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, "bad_offer", error.to_string()))
}

/// The sockets as configured, or at any port where that may be.
/// The sockets, those for TCP included.
fn open(settings: &Settings) -> Result<Sockets, Error> {
    let mut sockets = listen(settings)?;
    if settings.tcp
        && let Err(error) = sockets.listen()
    {
        if !settings.any_port {
            return Err(error);
        }
        tracing::warn!(%error, "WebRTC is served by UDP alone; set [webrtc] listen to a port that is free");
    }
    Ok(sockets)
}

fn listen(settings: &Settings) -> Result<Sockets, Error> {
    let wanted = families(settings.listen);
    let error = match Sockets::bind(&wanted) {
        Ok(sockets) => return Ok(sockets),
        Err(error) => error,
    };
    // Where the system has no IPv6, IPv4 alone is what there is.
    if let Some(sockets) = wanted
        .first()
        .filter(|_| wanted.len() > 1)
        .and_then(|first| Sockets::bind(&[*first]).ok())
    {
        tracing::warn!(%error, "WebRTC is served over IPv4 alone");
        return Ok(sockets);
    }
    if !settings.any_port {
        return Err(error);
    }
    let any: Vec<_> = wanted
        .iter()
        .take(1)
        .map(|address| std::net::SocketAddr::new(address.ip(), 0))
        .collect();
    let sockets = Sockets::bind(&any)?;
    let address = sockets.addresses().next();
    tracing::warn!(%error, ?address, "WebRTC takes another port; set [webrtc] listen to one that is free");
    Ok(sockets)
}

#[cfg(test)]
mod tests;
