//! The configuration: what the file says (the structs here), and what it means (`resolve`).
//!
//! The structs are the one truth: `config/lunette.toml` shows every key of theirs, which a test proves.

mod auth;
mod issue;
mod ordered;
mod parse;
mod proxies;
mod resolve;
mod secret;
mod tls;
mod units;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use egress_hls::Settings;
use hub::{ChannelId, StreamId, StreamSpec};
use serde::Deserialize;

pub(crate) use auth::{Auth, Jwt, Parsed, TokenBackend};
pub(crate) use issue::Report;
use ordered::Ordered;
use parse::Parsed as File;
pub(crate) use proxies::{Ancestor, BasePath, Network};
pub(crate) use resolve::camera;
pub(crate) use secret::{Password, Url};
pub(crate) use tls::{Acme, ServerTls};
use units::{Period, Size, Span};

/// Where the server listens if nothing else is said.
pub(crate) const LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8083);
/// For how long the server goes on as before when it is told to stop, if nothing else is said: long enough for a proxy
/// beside it to see that it is not ready any more, and short for a person who waits.
pub(crate) const DRAIN: Duration = Duration::from_secs(1);
/// For how many channels figures are told one by one, if nothing else is said: some 20 lines for each, and 7 for each protocol.
const MAX_CHANNELS: usize = 2000;
/// The largest configuration file that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// A configuration file.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) server: Server,
    pub(crate) tls: ServerTls,
    pub(crate) auth: Auth,
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) hls: Hls,
    pub(crate) defaults: Policy,
    pub(crate) streams: Ordered<StreamId, Stream>,
}

/// `[server]`: the HTTP side.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Server {
    #[serde(deserialize_with = "units::address")]
    pub(crate) listen: SocketAddr,
    pub(crate) base_path: BasePath,
    pub(crate) trusted_proxies: Vec<Network>,
    pub(crate) frame_ancestors: Vec<Ancestor>,
    pub(crate) drain: Span,
}

/// `[log]`: what is logged, and how.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    pub(crate) level: Level,
    pub(crate) format: LogFormat,
}

/// `[metrics]`: what is told at `/metrics`.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    pub(crate) max_channels: usize,
}

/// `[hls]`: how LL-HLS and HLS are cut, how much is kept, and when.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hls {
    pub(crate) part: Period,
    pub(crate) segment: Period,
    pub(crate) window: Period,
    pub(crate) bytes: Size,
    pub(crate) max_blocked: usize,
    pub(crate) idle: Period,
    pub(crate) always: bool,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// `[defaults]`, and the same keys of a stream or a channel: when a camera is connected, and what is kept.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Policy {
    pub(crate) on_demand: Option<bool>,
    pub(crate) linger: Option<Span>,
    pub(crate) stall: Option<Period>,
    pub(crate) ring: Ring,
}

/// `ring.…`: the bounds of what is kept of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Ring {
    pub(crate) keep: Option<Period>,
    pub(crate) bytes: Option<Size>,
}

/// `[streams.ID]`: a camera. What it says of the connection and the policy holds for all its channels,
/// unless they say otherwise; `url` makes it the one channel `0`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) url: Option<Url>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) transport: Option<Transport>,
    pub(crate) tls: Tls,
    pub(crate) on_demand: Option<bool>,
    pub(crate) linger: Option<Span>,
    pub(crate) stall: Option<Period>,
    pub(crate) ring: Ring,
    pub(crate) channels: Ordered<ChannelId, Channel>,
}

/// `[streams.ID.channels.ID]`: one of a camera's streams, such as the main or the sub stream.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Channel {
    pub(crate) url: Option<Url>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) transport: Option<Transport>,
    pub(crate) tls: Tls,
    pub(crate) on_demand: Option<bool>,
    pub(crate) linger: Option<Span>,
    pub(crate) stall: Option<Period>,
    pub(crate) ring: Ring,
}

/// `transport`: what carries the media from the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// TCP, or UDP if the camera refuses or stays silent.
    Auto,
    /// TCP, within the RTSP connection.
    Tcp,
    /// UDP.
    Udp,
}

/// `tls.…`: whom an `rtsps://` camera must prove to be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Tls {
    pub(crate) insecure_skip_verify: Option<bool>,
    pub(crate) ca_file: Option<PathBuf>,
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

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: LISTEN,
            base_path: BasePath::default(),
            trusted_proxies: Vec::new(),
            frame_ancestors: Vec::new(),
            drain: Span(DRAIN),
        }
    }
}

/// A time that is not zero, as the configuration has it.
pub(crate) fn parse_period(text: &str) -> Result<Duration, String> {
    text.parse().map(|Period(period)| period)
}

/// Reads and checks the configuration file at `path`.
pub(crate) fn load(path: &Path) -> Result<Loaded, Report> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| Report::unreadable(&name, error);
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_FILE {
        return Err(Report::unreadable(&name, "it is larger than 16 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    check(&name, &text)
}

/// Checks `text`, the contents of the configuration file called `name`.
pub(crate) fn check(name: &str, text: &str) -> Result<Loaded, Report> {
    let mut parsed = File::new(text);
    let (streams, mut problems) = resolve::streams(&parsed.config);
    let hls = resolve::hls(&parsed.config.hls, &mut problems);
    parsed.config.tls.check(&mut problems);
    parsed.config.auth.check(&mut problems);
    let more: Vec<_> = problems
        .into_iter()
        .map(|problem| problem.located(&parsed))
        .collect();
    parsed.issues.extend(more);
    if parsed.issues.is_empty() {
        let config = parsed.config;
        return Ok(Loaded {
            config,
            streams,
            hls,
        });
    }
    Err(Report::new(name, text, parsed.issues))
}

#[cfg(test)]
mod tests;
