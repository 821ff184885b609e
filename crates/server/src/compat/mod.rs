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
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use egress_webrtc::Offers;
use hub::Registry;
use tokio_util::sync::CancellationToken;

use crate::config::{self, Keeper};
use crate::http::problem::not_found;
use crate::latest::Latest;

pub(crate) use envelope::refused;

/// What the handlers work on.
#[derive(Debug, Clone)]
pub(crate) struct Compat(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    keeper: Keeper,
    terms: Latest<Terms>,
    /// Answers offers; none in tests.
    offers: Option<Offers>,
    guests: Mutex<guests::Guests>,
    /// Streams without channels, which only RTSPtoWeb has: their names, by their ids.
    bare: Mutex<BTreeMap<String, String>>,
}

/// What the configuration says.
#[derive(Debug)]
struct Terms {
    settings: config::Compat,
    shelf: Option<Arc<save::Shelf>>,
}

impl Terms {
    fn new(settings: config::Compat) -> Self {
        let directory = settings.save_dir.clone();
        let shelf = directory.map(|at| Arc::new(save::Shelf::new(at, settings.save_bytes.0)));
        Self { settings, shelf }
    }
}

impl Compat {
    pub(crate) fn new(
        registry: Registry,
        keeper: Keeper,
        settings: config::Compat,
        offers: Option<Offers>,
    ) -> Self {
        Self(Arc::new(Inner {
            registry,
            keeper,
            terms: Latest::new(Terms::new(settings)),
            offers,
            guests: Mutex::default(),
            bare: Mutex::default(),
        }))
    }

    /// Follows the configuration. Recordings that run go on where they began.
    pub(crate) fn adopt(&self, settings: config::Compat) {
        let now = self.terms();
        if now.settings == settings {
            return;
        }
        let place = |of: &config::Compat| (of.save_dir.clone(), of.save_bytes);
        let mut terms = Terms::new(settings);
        if place(&terms.settings) == place(&now.settings) {
            terms.shelf.clone_from(&now.shelf);
        }
        self.0.terms.set(terms);
    }

    fn terms(&self) -> Arc<Terms> {
        self.0.terms.get()
    }
}

/// The routes, of which those answer that the configuration has on, until `stop`. Needs a tokio runtime.
pub(crate) fn router(compat: &Compat, stop: &CancellationToken) -> Router {
    tokio::spawn(compat.clone().see_guests_off(stop.clone()));
    let rtsptoweb = routes::router(compat.clone())
        .merge(webrtc::router(compat.clone()))
        .merge(save::router(compat.clone()))
        .merge(pages::router());
    let either = receiver::router(compat.clone());
    let rtsptowebrtc = receiver::any_url(compat.clone());
    let while_on = |router: Router, is_on: fn(&config::Compat) -> bool| {
        let compat = compat.clone();
        router.route_layer(from_fn(move |request: Request, next: Next| {
            let on = is_on(&compat.terms().settings);
            async move {
                if on {
                    next.run(request).await
                } else {
                    not_found(request.uri())
                }
            }
        }))
    };
    while_on(rtsptoweb, |on| on.rtsptoweb)
        .merge(while_on(either, |on| on.rtsptoweb || on.rtsptowebrtc))
        .merge(while_on(rtsptowebrtc, |on| on.rtsptowebrtc))
}
