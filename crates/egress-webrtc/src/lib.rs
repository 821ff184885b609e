//! WebRTC to viewers by WHEP; `docs/webrtc.md` is what goes over the wire.
//!
//! Read in this order: [`Settings`] and [`WebRtc`] (what the server binds and runs), `routes` and `service` (WHEP over
//! HTTP), `sdp` and `plan` (an offer and what it gets), `stage`, `unit` and `opus` (frames to packets, once per
//! stream),
//! `session` (one viewer: `ice` and `stun`, DTLS, `srtp`), `delivery`, `lane` and `pace` (what goes out to it, and how
//! fast), `peers`, `socket` and `shards` (the tasks that drive all this).
//!
//! Packets are made once and shared by all viewers: a viewer costs a header, one pass of encryption, and its share of a
//! send. This crate never knows another egress or an ingest.

mod addresses;
mod answer;
mod batch;
mod clock;
mod delivery;
mod error;
mod feedback;
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
#[cfg(test)]
mod testing;
mod unit;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use hub::Registry;
use tokio_util::sync::CancellationToken;

pub use error::Error;
pub use settings::{Advertised, IceServer, PORT, Settings};

use service::Whep;

/// WebRTC to the viewers of a Registry.
#[derive(Debug)]
pub struct WebRtc(Arc<Whep>);

impl WebRtc {
    /// Binds the UDP port. When `stop` is cancelled, viewers are told that it is over. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Listen`] where the port can't be had.
    pub fn bind(
        registry: Registry,
        settings: Settings,
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

    /// Receives and sends until `stop` of [`WebRtc::bind`] is cancelled.
    pub async fn run(self) {
        self.0.run().await;
    }
}
