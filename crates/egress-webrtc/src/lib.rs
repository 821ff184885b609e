//! WebRTC to viewers by WHEP; `docs/webrtc.md` is what goes over the wire.
//!
//! Read in this order: [`Settings`] and [`WebRtc`] (what the server binds and runs), `routes` and `service` (WHEP over
//! HTTP), `sdp` and `plan` (an offer and what it gets), `stage`, `unit` and `opus` (frames to packets, once per
//! stream),
//! `session` (one viewer: `ice` and `stun`, DTLS, `srtp`, `data`), `delivery`, `lane`, `reports`, `twcc` and `pace` (what goes out to it,
//! and how fast), `peers`, `socket`, `tcp` and `shards` (the tasks that drive all this).
//!
//! Packets are made once and shared by all viewers: a viewer costs a header, one pass of encryption, and its share of a
//! send. This crate never knows another egress or an ingest.

mod addresses;
mod answer;
mod batch;
mod cushion;
mod data;
mod delivery;
mod ended;
mod error;
mod feedback;
mod figures;
mod handshake;
mod ice;
#[doc(hidden)]
pub mod internals;
mod lane;
mod opus;
mod pace;
mod peer;
mod peers;
mod plan;
mod random;
mod rate;
mod reorder;
mod reports;
mod routes;
mod sdp;
mod service;
mod session;
mod settings;
mod shards;
mod socket;
mod srtp;
mod stage;
mod stun;
mod tcp;
#[cfg(test)]
mod testing;
mod train;
mod twcc;
mod unit;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hub::{Channel, Registry, Who};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use answer::Refusal;
pub use error::Error;
pub use figures::{Counted, Figures};
pub use settings::{Advertised, IceServer, PORT, Settings};
pub use stage::PROTOCOL;

use service::Whep;

/// WebRTC to the viewers of a Registry.
#[derive(Debug)]
pub struct WebRtc(Arc<Whep>);

impl WebRtc {
    /// Binds the ports. When `stop` is cancelled, viewers are told that it is over. Needs a tokio runtime.
    ///
    /// `settings` are followed in what viewers are told: addresses, and servers for ICE. The ports stay what they are.
    ///
    /// # Errors
    /// [`Error::Listen`] where a port can't be had.
    pub fn bind(
        registry: Registry,
        settings: watch::Receiver<Settings>,
        stop: CancellationToken,
    ) -> Result<Self, Error> {
        Whep::bind(registry, settings, stop).map(|whep| Self(Arc::new(whep)))
    }

    /// The addresses that datagrams are received at.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.sockets().addresses().collect()
    }

    /// `/stream/{id}/whep` and `/stream/{id}/channel/{ch}/whep`, and the sessions below them. Authorization is a layer
    /// around this router.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.0))
    }

    /// For offers that come otherwise than by WHEP.
    pub fn offers(&self) -> Offers {
        Offers(Arc::clone(&self.0))
    }

    /// What is counted.
    pub fn figures(&self) -> Figures {
        Figures(Arc::clone(&self.0))
    }

    /// Receives and sends until `stop` of [`WebRtc::bind`] is cancelled.
    pub async fn run(self) {
        self.0.run().await;
    }
}

/// Answers offers that come otherwise than by WHEP. Clones answer for the same server.
#[derive(Debug, Clone)]
pub struct Offers(Arc<Whep>);

impl Offers {
    /// Answers `offer`, a session description, with what `channel` has; a camera that does not run is dialled. The
    /// answer names all candidates. `who` watches from then on ([`PROTOCOL`] is what this is called), until it says
    /// so by DTLS, is silent for 25 s, or never connects. Data channels that it opens close when the stream is over,
    /// and not before.
    ///
    /// # Errors
    /// A [`Refusal`] as WHEP gives it.
    pub async fn answer(
        &self,
        channel: &Channel,
        who: Who,
        offer: &str,
    ) -> Result<String, Refusal> {
        // No URL is this session's.
        let place = (String::new(), None);
        let answered = match service::read(offer) {
            Ok(offer) => self.0.answer(channel, place, who, offer).await,
            Err(refusal) => Err(refusal),
        };
        let answered = answered.inspect_err(|refusal| self.0.refused(refusal))?;
        Ok(answered.sdp)
    }
}
