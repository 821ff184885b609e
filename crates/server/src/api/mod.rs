//! `/api/v1`: what integrators build on. One file a resource; `docs/api.md` is the guide, `/api/` the reference.
//!
//! Read in this order: `router` here (all routes, and their OpenAPI), `extract` (what a request may be), `streams` and
//! `settings` (streams and channels: how they fare, what they are), `viewers`, `probe`, `config`, `events`, `server`, `page`;
//! `elsewhere` describes the routes that are no part of it.

#[expect(unused_qualifications, reason = "in what utoipa makes of parameters")]
mod config;
mod edit;
#[expect(unused_qualifications, reason = "in what utoipa makes of parameters")]
mod elsewhere;
#[expect(unused_qualifications, reason = "in what utoipa makes of parameters")]
mod events;
mod extract;
mod info;
mod json;
mod listing;
mod page;
mod probe;
mod server;
mod settings;
#[expect(unused_qualifications, reason = "in what utoipa makes of parameters")]
mod streams;
#[expect(unused_qualifications, reason = "in what utoipa makes of parameters")]
mod viewers;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use hub::Registry;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::config::Keeper;
use crate::events::Journal;
use crate::http::problem::Problem;

/// The largest body that is read, in bytes.
const MAX_BODY: usize = 1 << 20;
/// How many cameras are probed at once.
const PROBES: usize = 4;
/// How many listen to events at once.
const LISTENERS: usize = 256;

/// What the handlers work on.
#[derive(Debug, Clone)]
pub(crate) struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    keeper: Keeper,
    journal: Journal,
    stop: CancellationToken,
    probes: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
    began: Instant,
    since: SystemTime,
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Lunette", description = include_str!("about.md"), license(name = "MIT OR Apache-2.0")),
    servers((url = "../..")),
    components(schemas(Problem, crate::config::Config, crate::events::Event)),
    tags(
        (name = "streams", description = "Streams and channels: how they fare."),
        (name = "settings", description = "Streams and channels: what they are."),
        (name = "viewers", description = "Who watches."),
        (name = "probe", description = "What a camera offers."),
        (name = "events", description = "What happens."),
        (name = "server", description = "The server itself."),
    )
)]
struct Document;

impl Api {
    pub(crate) fn new(
        registry: Registry,
        keeper: Keeper,
        journal: Journal,
        stop: CancellationToken,
    ) -> Self {
        Self(Arc::new(Inner {
            registry,
            keeper,
            journal,
            stop,
            probes: Arc::new(Semaphore::new(PROBES)),
            listeners: Arc::new(Semaphore::new(LISTENERS)),
            began: Instant::now(),
            since: SystemTime::now(),
        }))
    }
}

/// All routes of the API, and the page that tells of them.
pub(crate) fn router(api: Api) -> Router {
    let (routes, document) = described().split_for_parts();
    routes
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(api)
        .merge(page::router(&document))
}

/// All routes with their description.
fn described() -> OpenApiRouter<Api> {
    let mut router = OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(streams::list))
        .routes(routes!(
            settings::stream,
            settings::put_stream,
            settings::patch_stream,
            settings::delete_stream
        ))
        .routes(routes!(streams::status))
        .routes(routes!(streams::restart))
        .routes(routes!(streams::channels))
        .routes(routes!(
            settings::channel,
            settings::put_channel,
            settings::patch_channel,
            settings::delete_channel
        ))
        .routes(routes!(streams::channel_status))
        .routes(routes!(streams::restart_channel))
        .routes(routes!(viewers::list))
        .routes(routes!(viewers::one, viewers::kick))
        .routes(routes!(probe::probe))
        .routes(routes!(config::config, config::patch))
        .routes(routes!(config::section, config::patch_section))
        .routes(routes!(events::events))
        .routes(routes!(server::version))
        .routes(routes!(server::status));
    let info = &mut router.get_openapi_mut().info;
    env!("CARGO_PKG_VERSION").clone_into(&mut info.version);
    let document = router.get_openapi_mut();
    document.merge(crate::http::Described::openapi());
    document.merge(elsewhere::described());
    elsewhere::secure(document);
    router
}

/// The description of all routes.
#[cfg(test)]
pub(crate) fn openapi() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

#[cfg(test)]
mod tests;
