//! The routes: multivariant playlists, media playlists, and the files that they list.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{Path, RawQuery, State};
use axum::handler::Handler;
use axum::response::Response;
use axum::routing::{MethodRouter, get};
use hub::{Channel, ChannelId, Registry, StreamId};
use media::Kind as MediaKind;
use tokio::sync::watch;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::answer::{self, Asked, Refusal};
use crate::ask::{Ask, Verdict};
use crate::playlist::Playlist;
use crate::snapshot::{Kind, Run, Snapshot, Text};
use crate::stage::Stages;
use crate::waiting::Waiting;

/// How often it is looked whether there are new Channels to package, where all are packaged always.
const ALWAYS_CHECK: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Hls {
    registry: Registry,
    stages: Arc<Stages>,
    waiting: Waiting,
}

type Shared = State<Arc<Hls>>;

/// The playlists `/stream/{id}/channel/{ch}/hlsll/live/index.m3u8` (LL-HLS) and `…/hls/live/index.m3u8` (HLS),
/// the same without `/channel/{ch}` for the first Channel, and what they refer to. Needs a tokio runtime; ends
/// with `stop`.
///
/// `settings` are followed: where parts or segments are to be of another length, each Channel's packager ends, and another one
/// goes on after a discontinuity; all else is minded by those that run.
///
/// Nothing is asked of who connects: authorization is a layer around this router.
pub fn router(
    registry: Registry,
    settings: watch::Receiver<Settings>,
    stop: CancellationToken,
) -> Router {
    let stages = Stages::new(settings.clone(), stop.clone());
    tokio::spawn(package_all(
        Arc::clone(&stages),
        registry.clone(),
        settings.clone(),
        stop.clone(),
    ));
    let hls = Hls {
        registry,
        stages,
        waiting: Waiting::new(settings, stop),
    };
    let mut router = Router::new();
    for (folder, low) in [("hlsll", true), ("hls", false)] {
        let one = format!("/stream/{{stream}}/channel/{{channel}}/{folder}/live");
        router = router
            .route(
                &format!("/stream/{{stream}}/{folder}/live/index.m3u8"),
                asked_by_get(move |hls: Shared, path, asked| first(hls, path, asked, low)),
            )
            .route(&format!("{one}/index.m3u8"), asked_by_get(multivariant))
            .route(
                &format!("{one}/media.m3u8"),
                asked_by_get(move |hls: Shared, path, query, asked| {
                    media(hls, path, query, asked, low)
                }),
            );
    }
    router
        .route(
            "/stream/{stream}/channel/{channel}/hls/live/{token}/{file}",
            asked_by_get(file),
        )
        .with_state(Arc::new(hls))
}

/// A route that pages of any origin may ask, also with a header that says who asks.
fn asked_by_get<T: 'static>(handler: impl Handler<T, Arc<Hls>>) -> MethodRouter<Arc<Hls>> {
    get(handler).options(answer::preflight)
}

async fn first(
    State(hls): Shared,
    Path(stream): Path<String>,
    asked: Asked,
    low: bool,
) -> Result<Response, Refusal> {
    let channel = find(&hls.registry, &stream, None)?;
    hls.begin(&channel, Kind::First { low }, &asked).await
}

async fn multivariant(
    State(hls): Shared,
    path: Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let channel = find_both(&hls.registry, path)?;
    hls.begin(&channel, Kind::Multivariant, &asked).await
}

async fn media(
    State(hls): Shared,
    path: Path<(String, String)>,
    query: RawQuery,
    asked: Asked,
    low: bool,
) -> Result<Response, Refusal> {
    let channel = find_both(&hls.registry, path)?;
    // Whole segments are not waited for: what says so (CAN-BLOCK-RELOAD) is in the other playlist alone.
    let ask = match query {
        RawQuery(Some(query)) if low => Ask::parse(&query).map_err(Refusal::Directive)?,
        _ => Ask::default(),
    };
    let which = match (low, ask.skip) {
        (false, _) => Playlist::Plain,
        (true, false) => Playlist::Low,
        (true, true) => Playlist::LowDelta,
    };
    let (text, run) = hls.text(&channel, ask, Kind::Media(which)).await?;
    let named = ask.segment.is_some();
    Ok(counted(
        &run,
        &asked,
        answer::playlist(&text, &asked, named),
    ))
}

/// What a file of media is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Init(u64),
    Segment(u64),
    Part(u64),
}

impl Name {
    fn parse(file: &str) -> Option<Self> {
        let number = |text: &str, extension| number(text.strip_suffix(extension)?);
        let (kind, rest) = file.split_once('-')?;
        match kind {
            "init" => number(rest, ".mp4").map(Self::Init),
            "segment" => number(rest, ".m4s").map(Self::Segment),
            "part" => number(rest, ".m4s").map(Self::Part),
            _ => None,
        }
    }
}

/// A number as we write it, so that a file has one name only.
fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let short = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| digits && short)
}

async fn file(
    State(hls): Shared,
    Path((stream, channel, token, file)): Path<(String, String, String, String)>,
    asked: Asked,
) -> Result<Response, Refusal> {
    let channel = find(&hls.registry, &stream, Some(&channel))?;
    let name = Name::parse(&file).ok_or(Refusal::Gone)?;
    let snapshots = hls.stages.running(&channel, &token).ok_or(Refusal::Gone)?;
    let look = |snapshot: &Snapshot| {
        let window = &snapshot.window;
        if name == Name::Part(window.next_part()) {
            return None;
        }
        let early = match name {
            Name::Init(number) => number >= window.next_map(),
            Name::Segment(number) => number >= window.last(),
            Name::Part(number) => number > window.next_part(),
        };
        let missing = if early { Refusal::Early } else { Refusal::Gone };
        Some(find_file(snapshot, name).ok_or(missing))
    };
    let next = Ask::default();
    let ((body, kind), run) = hls.waiting.wait(snapshots, &channel, next, look).await?;
    let etag = format!("\"{token}-{file}\"");
    Ok(counted(
        &run,
        &asked,
        answer::media(kind, etag, &asked, &body),
    ))
}

fn find_file(snapshot: &Snapshot, name: Name) -> Option<(bytes::Bytes, &'static str)> {
    let window = &snapshot.window;
    let body = match name {
        Name::Init(number) => window.init(number)?.layout.init.clone(),
        Name::Segment(number) => window.segment(number)?.data.clone()?,
        Name::Part(number) => window.part(number)?.data.clone(),
    };
    let newest = window.all().next_back()?;
    let kind = match newest.map.layout.kind() {
        MediaKind::Video => "video/mp4",
        MediaKind::Audio => "audio/mp4",
    };
    Some((body, kind))
}

/// `response`, whose body is counted as sent where it is.
fn counted(run: &Run, asked: &Asked, response: Response) -> Response {
    if asked.head {
        return response;
    }
    let bytes = response.body().size_hint().exact().unwrap_or(0);
    run.delivery.bytes(bytes);
    run.sent.add(bytes);
    response
}

impl Hls {
    /// The playlist that a player asks for first: how long it waits is all that we see of its first picture.
    async fn begin(
        &self,
        channel: &Channel,
        kind: Kind,
        asked: &Asked,
    ) -> Result<Response, Refusal> {
        let began = Instant::now();
        let (text, run) = self.text(channel, Ask::default(), kind).await?;
        run.delivery.first_frame(began.elapsed());
        Ok(counted(&run, asked, answer::playlist(&text, asked, false)))
    }

    /// The text as soon as it is what `ask` wants.
    async fn text(
        &self,
        channel: &Channel,
        ask: Ask,
        kind: Kind,
    ) -> Result<(Arc<Text>, Arc<Run>), Refusal> {
        let mut snapshots = self.stages.join(channel, &self.registry);
        if kind == Kind::Media(Playlist::Low) && ask.segment.is_none() {
            self.waiting.renew(&mut snapshots).await;
        }
        let look = |snapshot: &Snapshot| match ask.judge(&snapshot.window, snapshot.timing) {
            Verdict::Refuse(why) => Some(Err(Refusal::Directive(why))),
            Verdict::Wait => None,
            Verdict::Answer => snapshot.text(kind).map(Ok),
        };
        self.waiting.wait(snapshots, channel, ask, look).await
    }
}

/// Finds the Channel, and lets go of its names: thousands may wait now.
fn find_both(
    registry: &Registry,
    Path((stream, channel)): Path<(String, String)>,
) -> Result<Channel, Refusal> {
    find(registry, &stream, Some(&channel))
}

fn find(registry: &Registry, stream: &str, channel: Option<&str>) -> Result<Channel, Refusal> {
    let unknown = |what, id: &str| Refusal::Unknown {
        what,
        id: id.chars().take(128).collect(),
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

/// Sees to it that every Channel is packaged, until `stop`.
async fn package_all(
    stages: Arc<Stages>,
    registry: Registry,
    mut settings: watch::Receiver<Settings>,
    stop: CancellationToken,
) {
    let mut check = interval(ALWAYS_CHECK);
    loop {
        // Who ends us may have gone.
        let wanted = async { settings.wait_for(|now| now.always).await.is_ok() };
        match stop.run_until_cancelled(wanted).await {
            Some(true) => {}
            Some(false) | None => return,
        }
        for stream in registry.list() {
            for channel in stream.channels() {
                stages.join(channel, &registry);
            }
        }
        if stop.run_until_cancelled(check.tick()).await.is_none() {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
