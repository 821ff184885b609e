//! What clients of RTSPtoWeb want, byte for byte where they look at bytes; docs/moving-from-rtsptoweb.md is the guide.
//!
//! Read in this order: `router` here, `envelope` (how everything is answered), `shape` (streams as they send and read
//! them), `control` (what is changed: all of it ends in the [`Keeper`]), `routes` (who asks for that), `codec` (what a
//! camera sends).

mod codec;
mod control;
mod envelope;
mod routes;
mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use hub::Registry;

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
    /// Streams without channels, which only RTSPtoWeb has: their names, by their ids.
    bare: Mutex<BTreeMap<String, String>>,
}

impl Compat {
    pub(crate) fn new(registry: Registry, keeper: Keeper, settings: config::Compat) -> Self {
        Self(Arc::new(Inner {
            registry,
            keeper,
            settings,
            bare: Mutex::default(),
        }))
    }
}

/// The routes that the configuration has on.
pub(crate) fn router(compat: &Compat) -> Router {
    let mut router = Router::new();
    if compat.0.settings.rtsptoweb {
        router = router.merge(routes::router(compat.clone()));
    }
    router
}
