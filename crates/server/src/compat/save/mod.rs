//! Recordings: `…/save/mp4/fragment/{duration}` begins one; `…/save` lists them, and `…/save/{file}` is one.
//!
//! Bounded, since a URL is enough to begin one: in length, in how many run at once, and in bytes over all of them.

mod duration;
mod shelf;

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use egress_mp4::Recording;
use futures_util::stream;
use hub::{Channel, Guest, Who};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tracing::Instrument as _;

use super::Compat;
use super::envelope::Failure;
use shelf::Fresh;
pub(super) use shelf::Shelf;

/// How much of a file is read at once, in bytes.
const CHUNK: usize = 256 << 10;

type Shared = State<Compat>;

pub(super) fn router(compat: Compat) -> Router {
    let save = "/stream/{stream}/channel/{channel}/save";
    Router::new()
        .route(save, get(list))
        .route(&format!("{save}/{{file}}"), get(download).delete(remove))
        .route(
            &format!("{save}/mp4/fragment/{{duration}}"),
            get(begin).post(begin),
        )
        .with_state(compat)
}

async fn begin(
    State(compat): Shared,
    method: Method,
    Path((id, channel, length)): Path<(String, String, String)>,
    guest: Option<Extension<Guest>>,
) -> Result<&'static str, Failure> {
    compat.allows(&method)?;
    let channel = compat.channel(&id, &channel)?;
    let shelf = compat.shelf()?;
    let length = duration::parse(&length).ok_or_else(|| {
        Failure::Settings(format!(
            "`{length}` is no length of time; write one such as 10s, 1m30s or 1h"
        ))
    })?;
    let longest = compat.terms().settings.save_longest;
    if length > longest.0 {
        let told = format!("a recording lasts {longest} at most; see compat.save_longest");
        return Err(Failure::Settings(told));
    }
    let turn = shelf
        .turn()
        .ok_or_else(|| Failure::Busy("too many recordings run already".to_owned()))?;
    let (place, shelf) = (channel.clone(), shelf.clone());
    let name = shelf::name(std::time::SystemTime::now());
    let opened =
        spawn_blocking(move || shelf.open(&place, &name).map(|fresh| (shelf, name, fresh)));
    let opened = opened
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    let (shelf, name, fresh) = opened.map_err(|error| unwritable(&error))?;
    let span = tracing::info_span!("recording", stream = %channel.stream(), channel = %channel.id(), file = name);
    let Extension(guest) = guest.unwrap_or_default();
    let who = guest.for_good().over(egress_mp4::PROTOCOL);
    tokio::spawn(record(channel, who, length, shelf, fresh, turn).instrument(span));
    Ok("await save started")
}

/// Writes what `channel` sends into `file` for `length`.
async fn record(
    channel: Channel,
    who: Who,
    length: std::time::Duration,
    shelf: Arc<Shelf>,
    fresh: Fresh,
    turn: OwnedSemaphorePermit,
) {
    let _turn = turn;
    let mut recording = match Recording::start(&channel, who, length).await {
        Ok(recording) => recording,
        Err(error) => {
            tracing::warn!(%error, "nothing is recorded");
            let _ = spawn_blocking(move || std::fs::remove_file(fresh.path)).await;
            return;
        }
    };
    let mut file = fresh.file;
    while let Some(parts) = recording.next().await {
        if !shelf.take(parts.iter().map(Bytes::len).sum()) {
            tracing::warn!("a recording ends early: the recordings have reached compat.save_bytes");
            return;
        }
        let written = spawn_blocking(move || {
            parts.iter().try_for_each(|part| file.write_all(part))?;
            Ok::<_, io::Error>(file)
        });
        match written
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
        {
            Ok(same) => file = same,
            Err(error) => {
                return tracing::warn!(%error, "a recording ends early: it can't be written");
            }
        }
    }
    tracing::info!(seconds = recording.length().as_secs_f64(), "recorded");
}

async fn list(
    State(compat): Shared,
    Path((id, channel)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let shelf = compat.shelf()?;
    let found = spawn_blocking(move || shelf.list(&id, &channel)).await;
    let recordings = found.unwrap_or_default();
    let body = Json(serde_json::json!({ "recordings": recordings }));
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

async fn download(
    State(compat): Shared,
    Path((id, channel, name)): Path<(String, String, String)>,
) -> Result<Response, Failure> {
    let shelf = compat.shelf()?;
    let disposition = format!("attachment; filename=\"{name}\"");
    let opened = spawn_blocking(move || shelf.read(&id, &channel, &name)).await;
    let Ok(Some((file, length))) = opened else {
        return Err(Failure::NoRecording);
    };
    let headers = [
        (CONTENT_TYPE, "video/mp4".to_owned()),
        (CONTENT_LENGTH, length.to_string()),
        (CONTENT_DISPOSITION, disposition),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
    ];
    // One that is being written grows: what it had is what is sent.
    let left = usize::try_from(length).unwrap_or(usize::MAX);
    let chunks = stream::try_unfold((file, left), |(mut file, left)| async move {
        let read = spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK.min(left)];
            let length = file.read(&mut chunk)?;
            chunk.truncate(length);
            Ok::<_, io::Error>((chunk, file))
        });
        let (chunk, file) = read.await.map_err(io::Error::other)??;
        let left = left - chunk.len();
        Ok::<_, io::Error>((!chunk.is_empty()).then(|| (Bytes::from(chunk), (file, left))))
    });
    Ok((headers, Body::from_stream(chunks)).into_response())
}

async fn remove(
    State(compat): Shared,
    Path((id, channel, name)): Path<(String, String, String)>,
) -> Result<StatusCode, Failure> {
    let shelf = compat.shelf()?;
    let removed = spawn_blocking(move || shelf.remove(&id, &channel, &name)).await;
    match removed {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        _ => Err(Failure::NoRecording),
    }
}

fn unwritable(error: &io::Error) -> Failure {
    if error.kind() == io::ErrorKind::StorageFull {
        return Failure::Busy(
            "the recordings have reached compat.save_bytes; delete some".to_owned(),
        );
    }
    tracing::warn!(%error, "a recording can't be written");
    Failure::Defect("a recording can't be written; the log says why")
}

impl Compat {
    fn shelf(&self) -> Result<Arc<Shelf>, Failure> {
        let none =
            || Failure::Settings("recordings have no directory: set compat.save_dir".to_owned());
        self.terms().shelf.clone().ok_or_else(none)
    }
}
