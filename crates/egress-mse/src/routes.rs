//! The two routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hub::{Channel, ChannelId, Guest, Registry, StreamId};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::remux::Remuxer;
use crate::session::Session;
use crate::stage::{PROTOCOL, Stages};
use crate::viewer::{Feed, Viewer};
use crate::ws::{Handshake, Refusal};

/// The subprotocol whose clients negotiate.
const SUBPROTOCOL: &str = "lunette.v1";

#[derive(Debug)]
struct Mse {
    registry: Registry,
    stages: Stages,
    stop: CancellationToken,
}

/// `/stream/{id}/channel/{ch}/mse`, and `/stream/{id}/mse` for the first Channel. When `stop` is cancelled,
/// viewers are told that the server shuts down.
///
/// Nothing is asked of who connects, not even its `Origin`: authorization is a layer around this router,
/// which sees the request before the upgrade, and says in its extensions who it is: a [`Guest`].
pub fn router(registry: Registry, stop: CancellationToken) -> Router {
    let mse = Mse {
        registry,
        stages: Stages::default(),
        stop,
    };
    Router::new()
        .route("/stream/{stream}/mse", get(first))
        .route("/stream/{stream}/channel/{channel}/mse", get(one))
        .with_state(Arc::new(mse))
}

async fn first(
    State(mse): State<Arc<Mse>>,
    Path(stream): Path<String>,
    guest: Option<Extension<Guest>>,
    handshake: Result<Handshake, Refusal>,
) -> Response {
    let channel = find(&mse.registry, &stream, None);
    answer(&mse, channel, guest, handshake)
}

async fn one(
    State(mse): State<Arc<Mse>>,
    Path((stream, channel)): Path<(String, String)>,
    guest: Option<Extension<Guest>>,
    handshake: Result<Handshake, Refusal>,
) -> Response {
    let channel = find(&mse.registry, &stream, Some(&channel));
    answer(&mse, channel, guest, handshake)
}

/// There is no such Stream or Channel.
#[derive(Debug)]
struct Unknown {
    detail: String,
}

fn find(registry: &Registry, stream: &str, channel: Option<&str>) -> Result<Channel, Unknown> {
    let unknown = |what: &str, id: &str| Unknown {
        detail: format!(
            "there is no {what} `{}`",
            id.chars().take(128).collect::<String>()
        ),
    };
    let found = StreamId::new(stream)
        .ok()
        .and_then(|id| registry.stream(&id));
    let found = found.ok_or_else(|| unknown("stream", stream))?;
    let Some(channel) = channel else {
        return Ok(found.first_channel().clone());
    };
    let id = ChannelId::new(channel).ok();
    id.and_then(|id| found.channel(&id).cloned())
        .ok_or_else(|| unknown("channel", channel))
}

fn answer(
    mse: &Mse,
    channel: Result<Channel, Unknown>,
    guest: Option<Extension<Guest>>,
    handshake: Result<Handshake, Refusal>,
) -> Response {
    let (channel, handshake) = match (channel, handshake) {
        (Ok(channel), Ok(handshake)) => (channel, handshake),
        (Err(unknown), _) => return unknown.into_response(),
        (_, Err(refusal)) => return refusal.into_response(),
    };
    let (session, protocol) = if handshake.offers(SUBPROTOCOL) {
        (Session::lunette(), Some(SUBPROTOCOL))
    } else {
        (Session::legacy(), None)
    };
    let (response, upgrade) = handshake.answer(protocol);
    let Extension(guest) = guest.unwrap_or_default();
    let watching = channel.watch(guest.over(PROTOCOL));
    let span = tracing::info_span!(
        "viewer",
        stream = %channel.stream(),
        channel = %channel.id(),
        viewer = watching.id()
    );
    let feed = Feed {
        watching,
        stage: mse.stages.join(&channel, Remuxer::default),
        state: channel.state(),
        stop: mse.stop.clone(),
    };
    tokio::spawn(serve(upgrade, session, feed).instrument(span));
    response
}

/// Serves one viewer, who counts as one of the Channel's until the end.
async fn serve(upgrade: OnUpgrade, session: Session, feed: Feed) {
    match upgrade.await {
        Ok(connection) => {
            let viewer = Viewer::new(TokioIo::new(connection), session, feed);
            viewer.run().await;
        }
        Err(error) => tracing::debug!(%error, "the connection broke before the upgrade"),
    }
}

impl IntoResponse for Unknown {
    fn into_response(self) -> Response {
        let problem = serde_json::json!({
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": self.detail,
        });
        let headers = [(header::CONTENT_TYPE, "application/problem+json")];
        (StatusCode::NOT_FOUND, headers, problem.to_string()).into_response()
    }
}
