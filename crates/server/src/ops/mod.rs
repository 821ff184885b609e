//! What whoever runs the server looks at: whether it lives, whether it is ready, and its figures. What is measured
//! where the work is done is kept there as plain numbers; only what stands here knows Prometheus.

mod encoding;
mod health;
mod metrics;
mod readiness;
mod requests;

use std::sync::Arc;

use axum::routing::get;
use axum::{Router, middleware};
use hub::Registry;

pub(crate) use health::check;
pub(crate) use metrics::Settings;
pub(crate) use readiness::Readiness;

use crate::http::Slots;

/// The routes `/healthz`, `/readyz` and `/metrics`, and the counting of requests.
#[derive(Debug)]
pub(crate) struct Ops {
    readiness: Readiness,
    metrics: Arc<metrics::Metrics>,
    requests: requests::Requests,
}

impl Ops {
    /// Over the Streams of `registry` and the connections of `slots`. Needs a tokio runtime.
    pub(crate) fn new(
        registry: Registry,
        slots: Slots,
        readiness: Readiness,
        settings: Settings,
    ) -> Self {
        let requests = requests::Requests::default();
        let metrics =
            metrics::Metrics::new(registry, slots, readiness.clone(), &requests, settings);
        Self {
            readiness,
            metrics: Arc::new(metrics),
            requests,
        }
    }

    /// The routes.
    pub(crate) fn router(&self) -> Router {
        Router::new()
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .with_state(self.readiness.clone())
            .merge(
                Router::new()
                    .route("/metrics", get(metrics::serve))
                    .with_state(Arc::clone(&self.metrics)),
            )
    }

    /// `app`, whose requests are counted, and whose connections are not used again once the server drains.
    pub(crate) fn around(&self, app: Router) -> Router {
        app.layer(middleware::from_fn_with_state(
            self.requests.clone(),
            requests::count,
        ))
        .layer(middleware::from_fn_with_state(
            self.readiness.clone(),
            readiness::let_go,
        ))
    }
}

#[cfg(test)]
mod tests;
