//! What a camera offers, before it is added.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::Response;
use hub::{Channel, Fault, Reason, Registry, State as ChannelState};
use serde::Serialize;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use super::Api;
use super::edit;
use super::extract::Body;
use super::info::TrackInfo;
use crate::config::{self, Channel as Settings};
use crate::http::fresh;
use crate::http::problem::{Failure, Problem};

/// How long a camera has until it sends something.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long is waited for the tracks that are not known yet, once something came.
const COMPLETION: Duration = Duration::from_secs(3);

/// What came of trying a camera.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Probed {
    /// Whether it sends what can be played.
    ok: bool,
    /// Its picture and sound.
    tracks: Vec<TrackInfo>,
    /// Why it can't be played, for machines.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// How long it took until the first frame or the failure, in milliseconds.
    took_ms: u64,
}

/// Tries a camera: what it offers, or why it can't be played, in words.
///
/// The body is that of a channel. Nothing is kept of it.
#[utoipa::path(post, path = "/api/v1/probe", tag = "probe", request_body = Settings,
    responses((status = 200, description = "What came of it", body = Probed), Failure))]
pub(super) async fn probe(State(api): State<Api>, Body(body): Body) -> Result<Response, Problem> {
    let Ok(_slot) = Arc::clone(&api.0.probes).try_acquire_owned() else {
        let busy = "as many cameras are being tried as can be at once; try again in some seconds";
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, busy)
            .header(RETRY_AFTER, axum::http::HeaderValue::from_static("5")));
    };
    let spec = tokio::task::spawn_blocking(move || config::one_stream(&body)).await;
    let spec = spec.map_err(edit::defect)?.map_err(edit::not_a_camera)?;
    let registry = Registry::new();
    let id = spec.id.clone();
    let applied = registry.apply(vec![spec]).ok();
    let stream = applied.and_then(|_| registry.stream(&id));
    let Some(channel) = stream.map(|stream| stream.first_channel().clone()) else {
        return Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "a defect of the server",
        ));
    };
    // If the client leaves, the camera is let go as well: it runs for this viewer.
    let viewer = channel.watch("probe");
    let probed = tokio::select! {
        probed = attempt(&channel) => probed,
        () = api.0.stop.cancelled() => {
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server shuts down"));
        }
    };
    drop(viewer);
    tokio::spawn(async move { registry.shutdown().await });
    Ok(fresh(Json(probed)))
}

async fn attempt(channel: &Channel) -> Probed {
    let began = Instant::now();
    let mut state = channel.state();
    let settled =
        state.wait_for(|state| matches!(state, ChannelState::Live | ChannelState::Backoff { .. }));
    let fault = match timeout(PATIENCE, settled).await {
        Ok(Ok(state)) => state.fault().cloned(),
        _ => Some(Fault::new(
            Reason::Timeout,
            "nothing that can be shown came within 15 s",
        )),
    };
    let took_ms = began.elapsed().as_millis() as u64;
    if fault.is_none() {
        let mut tracks = channel.tracks();
        let known = tracks.wait_for(|tracks| {
            tracks
                .iter()
                .all(|track| track.format.is_some() || track.unsupported.is_some())
        });
        // What is not known by then is told without details.
        let _ = timeout(COMPLETION, known).await;
    }
    Probed {
        ok: fault.is_none(),
        tracks: channel
            .tracks()
            .borrow()
            .iter()
            .map(TrackInfo::from)
            .collect(),
        reason: fault.as_ref().map(|fault| fault.reason.code()),
        message: fault.map(|fault| fault.message),
        took_ms,
    }
}
