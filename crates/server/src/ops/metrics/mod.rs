//! `/metrics`: all figures, in the forms of Prometheus.

mod process;
mod streams;
mod webrtc;

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use flate2::Compression;
use flate2::write::GzEncoder;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::encoding::{Form, counters, gauges};
use super::readiness::Readiness;
use super::requests::Requests;
use crate::config;
use crate::http::{Room, fresh, problem};

/// How much is told. Clones are handles to the same.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    max_channels: Arc<AtomicUsize>,
}

impl Settings {
    /// As it is `configured`.
    pub(crate) fn new(configured: &config::Metrics) -> Self {
        Self {
            max_channels: Arc::new(configured.max_channels.into()),
        }
    }

    /// From the next scrape on it is as `configured`.
    pub(crate) fn adopt(&self, configured: &config::Metrics) {
        let max = configured.max_channels;
        self.max_channels.store(max, Ordering::Relaxed);
    }

    /// For how many Channels figures are told one by one.
    pub(super) fn max_channels(&self) -> usize {
        self.max_channels.load(Ordering::Relaxed)
    }
}

/// What is told at a scrape.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Arc<Registry>,
    /// One scrape at a time: a second one waits, so that scrapes never take more than one core.
    turn: Mutex<()>,
}

impl Metrics {
    pub(super) fn new(
        streams: hub::Registry,
        room: Room,
        readiness: Readiness,
        requests: &Requests,
        settings: Settings,
        webrtc: Option<egress_webrtc::Figures>,
    ) -> Self {
        let mut registry = Registry::default();
        let process = process::Process::new(streams.runtime_of_sources());
        let ours = registry.sub_registry_with_prefix("lunette");
        ours.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("LUNETTE_VERSION"))]),
        );
        ours.register(
            "http_requests",
            "Requests that were answered, by class of route and status",
            requests.0.clone(),
        );
        ours.register_collector(Box::new(Server { room, readiness }));
        ours.register_collector(Box::new(streams::Streams::new(streams, settings)));
        if let Some(figures) = webrtc {
            ours.register_collector(Box::new(webrtc::WebRtc(figures)));
        }
        registry.register_collector(Box::new(process));
        Self {
            registry: Arc::new(registry),
            turn: Mutex::default(),
        }
    }

    /// All figures. They are written outside the runtime's own threads, where frames are on their way.
    async fn scrape(&self, form: Form, gzip: bool) -> Result<Vec<u8>, fmt::Error> {
        let _turn = self.turn.lock().await;
        let registry = Arc::clone(&self.registry);
        let write = move || {
            let text = form.encode(&registry)?;
            if !gzip {
                return Ok(text.into_bytes());
            }
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            let done = encoder
                .write_all(text.as_bytes())
                .and_then(|()| encoder.finish());
            Ok(done.expect("a Vec takes whatever is written"))
        };
        tokio::task::spawn_blocking(write)
            .await
            .unwrap_or(Err(fmt::Error))
    }
}

/// `GET /metrics`.
pub(super) async fn serve(State(metrics): State<Arc<Metrics>>, headers: HeaderMap) -> Response {
    let form = Form::asked(&headers);
    let gzip = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("gzip"));
    let Ok(body) = metrics.scrape(form, gzip).await else {
        return problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the figures could not be written; the log says why",
        );
    };
    let mut response = fresh(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if gzip {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// The figures of the server itself.
#[derive(Debug)]
struct Server {
    room: Room,
    readiness: Readiness,
}

impl Collector for Server {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        let none: &[(&str, &str)] = &[];
        let ready = u64::from(self.readiness.refusal().is_none());
        gauges(
            &mut out,
            "ready",
            None,
            "1 while new viewers should come here",
        )?
        .gauge(&none, &ready)?;
        let help = "Connections that are open, WebSockets included";
        gauges(&mut out, "http_connections", None, help)?.gauge(&none, &self.room.open())?;
        let help = "How many connections may be open; more are refused, unless one that is idle makes room";
        gauges(&mut out, "http_connections_max", None, help)?
            .gauge(&none, &self.room.capacity())?;
        let counts = self.room.counts();
        let reason = |reason: &'static str| [("reason", reason)];
        let help = "Connections that were refused, as many being open as may be: from their address, or in all";
        let mut refused = counters(&mut out, "http_connections_refused", None, help)?;
        refused.counter(
            &reason("address"),
            &counts.over_address.load(Ordering::Relaxed),
        )?;
        refused.counter(&reason("full"), &counts.full.load(Ordering::Relaxed))?;
        let help = "Connections that were closed without being in use: to make room for others, or after a time";
        let mut closed = counters(&mut out, "http_connections_closed", None, help)?;
        closed.counter(&reason("room"), &counts.made_room.load(Ordering::Relaxed))?;
        closed.counter(&reason("idle"), &counts.idle.load(Ordering::Relaxed))
    }
}
