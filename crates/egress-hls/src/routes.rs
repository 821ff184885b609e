//! The routes: multivariant playlists, media playlists, and the files that they list.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::HttpBody as _;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use hub::{Channel, ChannelId, Registry, StreamId};
use media::Kind as MediaKind;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::Settings;
use crate::answer::{self, Refusal};
use crate::ask::{Ask, Verdict};
use crate::playlist::Playlist;
use crate::snapshot::{Kind, Snapshot, Text};
use crate::stage::{PROTOCOL, Stages};
use crate::waiting::Waiting;

/// How often it is looked whether there are new Channels to package, where all are packaged always.
const ALWAYS_CHECK: Duration = Duration::from_secs(1);

/// A playlist that somebody waited for is good for so many target durations.
const BLOCKED_AGE: i64 = 6;

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
/// Nothing is asked of who connects: authorization is a layer around this router.
pub fn router(registry: Registry, settings: Settings, stop: CancellationToken) -> Router {
    let stages = Stages::new(settings);
    if settings.always {
        tokio::spawn(package_all(
            Arc::clone(&stages),
            registry.clone(),
            stop.clone(),
        ));
    }
    let hls = Hls {
        registry,
        stages,
        waiting: Waiting::new(settings.max_blocked, stop),
    };
    let mut router = Router::new();
    for (folder, low) in [("hlsll", true), ("hls", false)] {
        let one = format!("/stream/{{stream}}/channel/{{channel}}/{folder}/live");
        router = router
            .route(
                &format!("/stream/{{stream}}/{folder}/live/index.m3u8"),
                get(move |hls: Shared, path, headers| first(hls, path, headers, low)),
            )
            .route(&format!("{one}/index.m3u8"), get(multivariant))
            .route(
                &format!("{one}/media.m3u8"),
                get(move |hls: Shared, path, query, headers| media(hls, path, query, headers, low)),
            );
    }
    router
        .route(
            "/stream/{stream}/channel/{channel}/hls/live/{token}/{file}",
            get(file),
        )
        .with_state(Arc::new(hls))
}

async fn first(
    State(hls): Shared,
    Path(stream): Path<String>,
    headers: HeaderMap,
    low: bool,
) -> Result<Response, Refusal> {
    let channel = find(&hls.registry, &stream, None)?;
    hls.begin(&channel, Kind::First { low }, &headers).await
}

async fn multivariant(
    State(hls): Shared,
    Path((stream, channel)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let channel = find(&hls.registry, &stream, Some(&channel))?;
    hls.begin(&channel, Kind::Multivariant, &headers).await
}

async fn media(
    State(hls): Shared,
    Path((stream, channel)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    low: bool,
) -> Result<Response, Refusal> {
    let channel = find(&hls.registry, &stream, Some(&channel))?;
    // Whole segments are not waited for: what says so (CAN-BLOCK-RELOAD) is in the other playlist alone.
    let query = query.filter(|_| low).unwrap_or_default();
    let ask = Ask::parse(&query).map_err(Refusal::Directive)?;
    let which = match (low, ask.skip) {
        (false, _) => Playlist::Plain,
        (true, false) => Playlist::Low,
        (true, true) => Playlist::LowDelta,
    };
    let (text, target) = hls.text(&channel, ask, Kind::Media(which)).await?;
    let seconds = ask
        .segment
        .map(|_| u64::try_from(BLOCKED_AGE * target).unwrap_or(0));
    Ok(counted(
        &channel,
        answer::playlist(&text, &headers, seconds),
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
        let number = |text: &str, extension| text.strip_suffix(extension)?.parse().ok();
        let (kind, rest) = file.split_once('-')?;
        match kind {
            "init" => number(rest, ".mp4").map(Self::Init),
            "segment" => number(rest, ".m4s").map(Self::Segment),
            "part" => number(rest, ".m4s").map(Self::Part),
            _ => None,
        }
    }
}

async fn file(
    State(hls): Shared,
    Path((stream, channel, token, file)): Path<(String, String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let channel = find(&hls.registry, &stream, Some(&channel))?;
    let name = Name::parse(&file).ok_or(Refusal::Gone)?;
    let mut snapshots = hls.stages.running(&channel, &token).ok_or(Refusal::Gone)?;
    let look = |snapshot: &Snapshot| match name {
        Name::Part(number) if number == snapshot.window.next_part() => None,
        _ => Some(find_file(snapshot, name).ok_or(Refusal::Gone)),
    };
    let (body, kind) = hls.waiting.wait(&mut snapshots, &channel, look).await?;
    let etag = format!("\"{token}-{file}\"");
    let response = counted(&channel, answer::media(kind, &etag, &headers, body));
    if let (Some(snapshot), Some(bytes)) =
        (&*snapshots.borrow(), response.body().size_hint().exact())
    {
        snapshot.names.sent.add(bytes);
    }
    Ok(response)
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

/// `response`, whose body is counted as sent.
fn counted(channel: &Channel, response: Response) -> Response {
    let bytes = response.body().size_hint().exact().unwrap_or(0);
    channel.delivery(PROTOCOL).bytes(bytes);
    response
}

impl Hls {
    /// The playlist that a player asks for first: how long it waits is all that we see of its first picture.
    async fn begin(
        &self,
        channel: &Channel,
        kind: Kind,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let began = Instant::now();
        let (text, _) = self.text(channel, Ask::default(), kind).await?;
        channel.delivery(PROTOCOL).first_frame(began.elapsed());
        Ok(counted(channel, answer::playlist(&text, headers, None)))
    }

    /// The text as soon as it is what `ask` wants, and the target duration in seconds.
    async fn text(
        &self,
        channel: &Channel,
        ask: Ask,
        kind: Kind,
    ) -> Result<(Arc<Text>, i64), Refusal> {
        let mut snapshots = self.stages.join(channel, &self.registry);
        let look = |snapshot: &Snapshot| match ask.judge(&snapshot.window, snapshot.timing) {
            Verdict::Refuse(why) => Some(Err(Refusal::Directive(why))),
            Verdict::Wait => None,
            Verdict::Answer => {
                let text = snapshot.text(kind)?;
                Some(Ok((text, snapshot.timing.target / 1_000_000_000)))
            }
        };
        self.waiting.wait(&mut snapshots, channel, look).await
    }
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
async fn package_all(stages: Arc<Stages>, registry: Registry, stop: CancellationToken) {
    let mut check = interval(ALWAYS_CHECK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = check.tick() => {}
        }
        for stream in registry.list() {
            for channel in stream.channels() {
                stages.join(channel, &registry);
            }
        }
    }
}

#[cfg(test)]
mod tests;
