//! Streams that exist for as long as somebody uses them, since somebody named their URL.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use hub::{Channel, StreamId};
use serde_json::{Map, json};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use super::Compat;
use super::envelope::Failure;
use crate::config;
use crate::events::hex;

/// How many there may be.
const MAX_GUESTS: usize = 64;
/// How long one stays of which nobody is a viewer.
const IDLE: Duration = Duration::from_secs(60);
/// How often it is looked for those.
const LOOK: Duration = Duration::from_secs(10);

/// When each was used last.
pub(super) type Guests = HashMap<StreamId, Instant>;

impl Compat {
    /// What shows the camera at `url`: a channel that is configured, so that the camera has one session alone, or else
    /// one that is there for as long as it is used.
    pub(super) async fn channel_at(&self, url: &str) -> Result<Channel, Failure> {
        if let Some(channel) = self.configured_at(url) {
            return Ok(channel);
        }
        let id = StreamId::new(&format!(
            "url-{}",
            &hex(digest(&SHA256, url.as_bytes()).as_ref())[..24]
        ))
        .expect("letters and digits are an id");
        if let Some(stream) = self.0.registry.stream(&id) {
            self.guests().insert(id, Instant::now());
            return Ok(stream.first_channel().clone());
        }
        let mut wanted = Map::new();
        wanted.insert("url".to_owned(), json!(url));
        let mut spec = config::one_stream(&wanted).map_err(|_| {
            Failure::Settings(
                "`url` is no URL of a camera, such as rtsp://192.168.1.10/stream1".to_owned(),
            )
        })?;
        spec.id = id.clone();
        {
            let mut guests = self.guests();
            if guests.len() >= MAX_GUESTS && !guests.contains_key(&id) {
                return Err(Failure::Busy(format!(
                    "{MAX_GUESTS} other URLs are in use; try again later"
                )));
            }
            guests.insert(id.clone(), Instant::now());
        }
        let keeper = self.0.keeper.clone();
        let invited = spawn_blocking(move || keeper.invite(spec)).await;
        if invited.is_err() {
            return Err(Failure::Defect("a defect of the server"));
        }
        let stream = self.0.registry.stream(&id).ok_or(Failure::StreamNotFound)?;
        tracing::info!(stream = %id, "a URL that a client named is a stream for as long as it is used");
        Ok(stream.first_channel().clone())
    }

    fn configured_at(&self, url: &str) -> Option<Channel> {
        let view = self.0.keeper.view();
        view.config.streams.0.iter().find_map(|(id, stream)| {
            let mut channels = stream.whole_channels().into_iter();
            let (channel, _) = channels.find(|(_, channel)| {
                channel
                    .url
                    .as_ref()
                    .is_some_and(|known| known.expose() == url)
            })?;
            self.0.registry.stream(id)?.channel(&channel).cloned()
        })
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.0.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has those go whom nobody uses, until `stop`.
    pub(super) async fn see_guests_off(self, stop: CancellationToken) {
        let mut look = interval(LOOK);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = look.tick() => {}
            }
            let gone = self.unused(Instant::now());
            if gone.is_empty() {
                continue;
            }
            let keeper = self.0.keeper.clone();
            let _ = spawn_blocking(move || keeper.dismiss(&gone)).await;
        }
    }

    /// Those that nobody has used for long, who are forgotten.
    fn unused(&self, now: Instant) -> Vec<StreamId> {
        let mut gone = Vec::new();
        self.guests().retain(|id, used| {
            let stream = self.0.registry.stream(id);
            let watched = stream.is_some_and(|stream| !stream.first_channel().viewers().is_empty());
            if watched {
                *used = now;
            }
            let stays = now.duration_since(*used) < IDLE;
            if !stays {
                gone.push(id.clone());
            }
            stays
        });
        gone
    }
}
