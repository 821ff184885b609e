//! The configuration: what the file says (the structs here), and what it means (`resolve`).
//!
//! The structs are the one truth: `config/lunette.toml` shows every key of theirs, which a test proves.

mod auth;
mod change;
mod compat;
mod edit;
mod environment;
mod etag;
mod given;
mod issue;
mod keeper;
mod ordered;
mod origin;
mod parse;
mod proxies;
#[cfg(test)]
mod reference;
mod resolve;
mod rtsp;
mod rtsptoweb;
mod secret;
mod store;
mod streams;
mod text;
mod tls;
mod units;
mod watcher;
mod webrtc;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use egress_hls::Settings;
use hub::{StreamId, StreamSpec};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub(crate) use auth::{Auth, Jwt, TokenBackend};
pub(crate) use change::{Author, Change, Condition, EditError, Edited, one_stream};
pub(crate) use compat::Compat;
pub(crate) use edit::{Mode, Refused};
pub(crate) use environment::Environment;
pub(crate) use given::Given;
pub(crate) use issue::{Issue, Report};
pub(crate) use keeper::{Follower, Keeper, View};
use ordered::Ordered;
pub(crate) use origin::Origin;
use parse::Parsed as File;
pub(crate) use proxies::{Ancestor, BasePath, Network};
pub(crate) use resolve::ONLY_CHANNEL;
pub(crate) use rtsp::Rtsp;
pub(crate) use rtsptoweb::{camera_url, import};
pub(crate) use secret::{Password, Url};
pub(crate) use streams::{Channel, Policy, Ring, Stream, Tls, Transport};
pub(crate) use text::Text;
pub(crate) use tls::{Acme, Challenge, ServerTls};
use units::{Period, Size, Span};
pub(crate) use watcher::follow;
pub(crate) use webrtc::WebRtc;

/// Where the server listens if nothing else is said.
pub(crate) const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8083);
/// For how long the server goes on as before when it is told to stop, if nothing else is said: long enough for a proxy
/// beside it to see that it is not ready any more, and short for a person who waits.
pub(crate) const DRAIN: Duration = Duration::from_secs(1);
/// For how many channels figures are told one by one, if nothing else is said: some 20 lines for each, and 7 for each protocol.
const MAX_CHANNELS: usize = 2000;
/// Two hundred viewers behind one address, with all the connections that their browsers may open, and as many again.
const MAX_CONNECTIONS_PER_ADDRESS: usize = 2048;
/// The largest configuration file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// A configuration file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) tls: ServerTls,
    pub(crate) auth: Auth,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) hls: Hls,
    pub(crate) webrtc: WebRtc,
    pub(crate) compat: Compat,
    pub(crate) rtsp: Rtsp,
    /// What holds for every channel that does not say otherwise. A stream and a channel take the same keys.
    pub(crate) defaults: Policy,
    /// The cameras, by their ids, which are part of their URLs: letters, digits, `-`, `_`, `.` and `~`.
    #[schema(value_type = HashMap<String, Stream>)]
    pub(crate) streams: Ordered<StreamId, Stream>,
    /// Who is told of events. In the file: `[[webhooks]]`, once for each.
    pub(crate) webhooks: Vec<Webhook>,
}

/// The HTTP side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ServerSettings)]
pub(crate) struct Server {
    /// Where pages, media and the API are served. `127.0.0.1` is this machine alone, `0.0.0.0` every network it is in.
    #[serde(deserialize_with = "units::address")]
    #[schema(value_type = String, example = "127.0.0.1:8083")]
    pub(crate) listen: SocketAddr,
    /// The path under which all is served, for a proxy in front that passes it on as it is.
    #[schema(value_type = String)]
    pub(crate) base_path: BasePath,
    /// Addresses and networks of proxies in front, whose `X-Forwarded-…` and `Forwarded` are believed.
    #[schema(value_type = Vec<String>)]
    pub(crate) trusted_proxies: Vec<Network>,
    /// How many connections one address may have (with IPv6 a network of 64 bits), `trusted_proxies` apart. `0`: as many as it likes.
    pub(crate) max_connections_per_address: usize,
    /// Who may show our pages in a frame. `/wall` may be shown by all if there are none.
    #[schema(value_type = Vec<String>)]
    pub(crate) frame_ancestors: Vec<Ancestor>,
    /// Origins whose pages may use the API, RTSPtoWeb's too, with credentials that they send themselves.
    #[schema(value_type = Vec<String>)]
    pub(crate) allowed_origins: Vec<Origin>,
    /// After SIGTERM, how long the server says that it ends before it does.
    pub(crate) drain: Span,
}

/// What is logged, and how.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = LogSettings)]
pub(crate) struct Log {
    /// How much is logged. `--log` and `RUST_LOG` count more.
    pub(crate) level: Level,
    /// How a line looks: `text` for people, `json` for machines.
    pub(crate) format: LogFormat,
}

/// What is told at `/metrics`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = MetricsSettings)]
pub(crate) struct Metrics {
    /// For how many channels figures are told one by one. All further channels are in the sums alone.
    pub(crate) max_channels: usize,
}

/// How LL-HLS and HLS are cut, how much is kept, and when (docs/hls.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = HlsSettings)]
pub(crate) struct Hls {
    /// How long a part of LL-HLS is, `200ms` to `500ms`. Shorter parts mean less delay and more requests.
    pub(crate) part: Period,
    /// The target duration, in whole seconds: best a little more than the time between two keyframes.
    pub(crate) segment: Period,
    /// How far a playlist goes back; at least three times `segment`.
    pub(crate) window: Period,
    /// How many bytes of segments are kept of a channel at most.
    pub(crate) bytes: Size,
    /// How many requests may wait for what comes next, over all channels.
    pub(crate) max_blocked: usize,
    /// A channel for which nobody has asked for so long is packaged no more.
    pub(crate) idle: Period,
    /// Package all channels at all times, so that a playlist is there at once.
    pub(crate) always: bool,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Off,
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How a line of the log looks.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// Who is told of events (docs/api.md).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Webhook {
    /// Where events are POSTed: `https://` or `http://`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<Url>,
    /// The secret that signs what is sent (HMAC-SHA256), so that the receiver knows who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret: Option<Password>,
    /// The file that holds the secret.
    #[schema(value_type = Option<String>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Which events: their types, such as `channel.offline`, or `channel.*`. All if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) events: Vec<String>,
}

/// A configuration that was found to be good.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What the file says.
    pub(crate) config: Config,
    /// The streams that it wishes for.
    pub(crate) streams: Vec<StreamSpec>,
    /// How HLS is cut and kept.
    pub(crate) hls: Settings,
    /// What comes from the environment, which counts more than the file.
    given: Vec<Given>,
}

impl Default for Hls {
    fn default() -> Self {
        let settings = Settings::default();
        Self {
            part: Period(settings.part),
            segment: Period(settings.segment),
            window: Period(settings.window),
            bytes: Size(settings.bytes),
            max_blocked: settings.max_blocked,
            idle: Period(settings.idle),
            always: settings.always,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            max_channels: MAX_CHANNELS,
        }
    }
}

impl Config {
    /// The files that it refers to.
    fn files(&self) -> impl Iterator<Item = &PathBuf> {
        let streams = self.streams.0.iter().map(|(_, stream)| stream);
        let channels = streams.clone().flat_map(|stream| &stream.channels.0);
        let of_channels = channels.flat_map(|(_, channel)| {
            [
                &channel.url_file,
                &channel.password_file,
                &channel.tls.ca_file,
            ]
        });
        let of_streams = streams
            .flat_map(|stream| [&stream.url_file, &stream.password_file, &stream.tls.ca_file]);
        let of_webhooks = self.webhooks.iter().map(|webhook| &webhook.secret_file);
        of_streams.chain(of_channels).chain(of_webhooks).flatten()
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: LISTEN,
            base_path: BasePath::default(),
            trusted_proxies: Vec::new(),
            max_connections_per_address: MAX_CONNECTIONS_PER_ADDRESS,
            frame_ancestors: Vec::new(),
            allowed_origins: Vec::new(),
            drain: Span(DRAIN),
        }
    }
}

/// A time that is not zero, as the configuration has it.
pub(crate) fn parse_period(text: &str) -> Result<Duration, String> {
    text.parse().map(|Period(period)| period)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads and checks the configuration file at `path`.
pub(crate) fn load(path: &Path, environment: &Environment) -> Result<Loaded, Report> {
    Text::read(path, None)?.check(&path.display().to_string(), environment)
}

/// The text of the configuration file at `path`.
fn read(path: &Path) -> Result<String, Report> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| Report::unreadable(&name, error);
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        return Err(Report::unreadable(&name, "it is larger than 16 MiB"));
    }
    std::fs::read_to_string(path).map_err(unreadable)
}

/// Checks `text`, the contents of the configuration file called `name`, with what `environment` adds.
pub(crate) fn check(name: &str, text: &str, environment: &Environment) -> Result<Loaded, Report> {
    examine(text, environment).map_err(|issues| Report::new(name, text, issues))
}

/// What `text` means with what `environment` adds, or all that is wrong with it.
fn examine(text: &str, environment: &Environment) -> Result<Loaded, Vec<Issue>> {
    let mut parsed = File::new(text, environment);
    let (streams, mut problems) = resolve::streams(&parsed.config);
    let hls = resolve::hls(&parsed.config.hls, &mut problems);
    parsed.config.tls.check(&mut problems);
    parsed.config.auth.check(&mut problems);
    resolve::webhooks(&parsed.config.webhooks, &mut problems);
    parsed.config.webrtc.check(&mut problems);
    let tls = parsed.config.tls.wanted();
    parsed.config.rtsp.check(tls, &mut problems);
    let more: Vec<_> = problems
        .into_iter()
        .map(|problem| problem.located(&parsed))
        .collect();
    parsed.issues.extend(more);
    parsed.attribute();
    if !parsed.issues.is_empty() {
        return Err(parsed.issues);
    }
    let given = parsed.given();
    Ok(Loaded {
        config: parsed.config,
        streams,
        hls,
        given,
    })
}

#[cfg(test)]
mod tests;
