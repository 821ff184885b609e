//! What whoever runs the server looks at: whether it lives, whether it is ready, and its figures. What is measured
//! where the work is done is kept there as plain numbers; only what stands here knows Prometheus.

mod encoding;
mod health;
mod metrics;
mod readiness;
mod requests;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::response::Response;
use axum::routing::get;
use hub::Registry;

pub(crate) use health::check;
pub(crate) use metrics::Settings;
pub(crate) use readiness::Readiness;

use crate::http::Room;

/// The routes `/healthz`, `/readyz` and `/metrics`, and the counting of requests.
#[derive(Debug)]
pub(crate) struct Ops {
    readiness: Readiness,
    metrics: Arc<metrics::Metrics>,
    requests: requests::Requests,
}

impl Ops {
    /// Over the Streams of `registry`, the connections in `room`, and what `webrtc` counts where there is that. Needs a tokio
    /// runtime.
    pub(crate) fn new(
        registry: Registry,
        room: Room,
        readiness: Readiness,
        settings: Settings,
        webrtc: Option<egress_webrtc::Figures>,
    ) -> Self {
        let requests = requests::Requests::default();
        let metrics = metrics::Metrics::new(
            registry,
            room,
            readiness.clone(),
            &requests,
            settings,
            webrtc,
        );
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

    /// What is done around all routes.
    pub(crate) fn around(&self) -> Around {
        Around {
            requests: self.requests.clone(),
            readiness: self.readiness.clone(),
        }
    }
}

/// Counts requests once their answers begin, and takes care that connections are not used again once the server drains.
#[derive(Debug, Clone, Default)]
pub(crate) struct Around {
    requests: requests::Requests,
    readiness: Readiness,
}

/// What matters of a request, for its answer.
#[derive(Debug)]
pub(crate) struct Seen {
    route: &'static str,
    can_close: bool,
}

impl Seen {
    /// Of a request that was routed.
    pub(crate) fn of(request: &Request) -> Self {
        let path = request.extensions().get::<MatchedPath>();
        Self {
            route: requests::class(path.map(MatchedPath::as_str)),
            can_close: readiness::can_close(request.version()),
        }
    }
}

impl Around {
    /// To be called with the answer to the request of which this was `seen`.
    pub(crate) fn after(&self, seen: &Seen, response: &mut Response) {
        if seen.can_close {
            self.readiness.let_go(response);
        }
        self.requests.count(seen.route, response.status());
    }
}

#[cfg(test)]
mod tests;
