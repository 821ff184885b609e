//! What clients of RTSPtoWeb want, byte for byte where they look at bytes; docs/moving-from-rtsptoweb.md is the guide.
//!
//! Read in this order: `router` here, `envelope` (how everything is answered), `shape` (streams as they send and read
//! them), `control` (what is changed: all of it ends in the [`Keeper`]), `routes` (who asks for that), `codec` (what a
//! camera sends); `webrtc`, `save` and `pages`; `receiver` and `guests` (RTSPtoWebRTC's API), `cors` (whose pages read the answers).

mod codec;
mod control;
mod cors;
mod envelope;
mod form;
mod guests;
mod pages;
mod receiver;
mod routes;
mod save;
mod shape;
#[cfg(test)]
mod tests;
mod webrtc;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use egress_webrtc::Offers;
use hub::Registry;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Keeper};

pub(crate) use envelope::refused;

/// What the handlers work on.
#[derive(Debug, Clone)]
pub(crate) struct Compat(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    keeper: Keeper,
    settings: config::Compat,
    /// Answers offers; none in tests.
    offers: Option<Offers>,
    shelf: Option<Arc<save::Shelf>>,
    guests: Mutex<guests::Guests>,
    /// Streams without channels, which only RTSPtoWeb has: their names, by their ids.
    bare: Mutex<BTreeMap<String, String>>,
}

impl Compat {
    pub(crate) fn new(
        registry: Registry,
        keeper: Keeper,
        settings: config::Compat,
        offers: Option<Offers>,
    ) -> Self {
        let directory = settings.save_dir.clone();
        let shelf = directory.map(|at| Arc::new(save::Shelf::new(at, settings.save_bytes.0)));
        Self(Arc::new(Inner {
            registry,
            keeper,
            settings,
            offers,
            shelf,
            guests: Mutex::default(),
            bare: Mutex::default(),
        }))
    }
}

/// The routes that the configuration has on, until `stop`. Needs a tokio runtime.
pub(crate) fn router(compat: &Compat, stop: &CancellationToken) -> Router {
    let mut router = Router::new();
    let config::Compat {
        rtsptoweb,
        rtsptowebrtc,
        ..
    } = compat.0.settings;
    if rtsptoweb || rtsptowebrtc {
        router = router.merge(receiver::router(compat.clone()));
    }
    if rtsptoweb {
        router = router
            .merge(routes::router(compat.clone()))
            .merge(webrtc::router(compat.clone()))
            .merge(save::router(compat.clone()))
            .merge(pages::router());
    }
    if rtsptowebrtc {
        router = router.merge(receiver::any_url(compat.clone()));
        tokio::spawn(compat.clone().see_guests_off(stop.clone()));
    }
    router
}
