use std::sync::Arc;
use std::time::Duration;

use egress_hls::Settings;
use hub::{ChannelId, ChannelSpec, RingBounds, Source, StreamId, StreamSpec};

use ingest_rtsp::{Camera, Config, Error, TransportChoice};

use super::issue::{Issue, Show};
use super::parse::Parsed;
use super::{Channel, Hls, Password, Policy, Stream, Tls, Transport};
use crate::redact;

/// The id of the one channel of a stream in the short form.
const ONLY_CHANNEL: &str = "0";

/// Something that only the whole of a stream shows to be wrong.
#[derive(Debug)]
pub(super) struct Problem {
    path: Vec<String>,
    message: String,
}

impl Problem {
    pub(super) fn new(path: &[&str], message: impl AsRef<str>) -> Self {
        Self {
            path: path.iter().map(|&key| key.to_owned()).collect(),
            message: redact::urls(message.as_ref()),
        }
    }

    /// The problem as an issue of the file that `parsed` was.
    pub(super) fn located(self, parsed: &Parsed<'_>) -> Issue {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        Issue {
            offset: parsed.offset(&path),
            path: self.path.join("."),
            message: self.message,
            show: Show::Value,
        }
    }
}

/// The streams that `config` wishes for, and what is wrong with the others.
pub(super) fn streams(config: &super::Config) -> (Vec<StreamSpec>, Vec<Problem>) {
    let mut problems = Vec::new();
    let specs = config
        .streams
        .0
        .iter()
        .map(|(id, stream)| StreamSpec {
            id: id.clone(),
            name: stream.name.clone(),
            channels: channels(id, stream, &config.defaults, &mut problems),
        })
        .filter(|spec| !spec.channels.is_empty())
        .collect();
    (specs, problems)
}

/// What `hls` says; what is wrong with it goes to `problems`.
pub(super) fn hls(hls: &Hls, problems: &mut Vec<Problem>) -> Settings {
    let settings = Settings {
        part: hls.part.0,
        segment: hls.segment.0,
        window: hls.window.0,
        bytes: hls.bytes.0,
        max_blocked: hls.max_blocked,
        idle: hls.idle.0,
        always: hls.always,
    };
    let mut wrong = |key, message: &str| problems.push(Problem::new(&["hls", key], message));
    let [shortest, longest] = Settings::PARTS;
    if settings.part < shortest || settings.part > longest {
        wrong("part", "a part is \"200ms\" to \"500ms\" long");
    }
    let [shortest, longest] = Settings::SEGMENTS;
    if settings.segment < shortest || settings.segment > longest {
        wrong("segment", "a segment is \"1s\" to \"30s\" long");
    }
    if settings.segment.subsec_nanos() != 0 {
        wrong(
            "segment",
            "a segment lasts whole seconds, as playlists can say it",
        );
    }
    if settings.window < settings.segment * Settings::MIN_WINDOW {
        wrong("window", "a playlist lists at least three times `segment`");
    }
    if settings.max_blocked == 0 {
        wrong(
            "max_blocked",
            "LL-HLS is made of requests that wait; allow at least 1",
        );
    }
    settings
}

fn channels(
    id: &StreamId,
    stream: &Stream,
    defaults: &Policy,
    problems: &mut Vec<Problem>,
) -> Vec<ChannelSpec> {
    let path = ["streams", id.as_str()];
    let listed = &stream.channels.0;
    let mut wished: Vec<(ChannelId, Channel, bool)> = Vec::new();
    match (&stream.url, listed.is_empty()) {
        (Some(_), true) => {
            let only = ChannelId::new(ONLY_CHANNEL).expect("`0` is an id");
            wished.push((only, stream.shared(), true));
        }
        (None, false) => {
            let merged = listed
                .iter()
                .map(|(id, channel)| (id.clone(), channel.clone().over(stream.shared()), false));
            wished.extend(merged);
        }
        (Some(_), false) => problems.push(Problem::new(
            &[path[0], path[1], "url"],
            "a stream has either a `url` or `channels` with one each, not both",
        )),
        (None, true) => problems.push(Problem::new(
            &path,
            "this stream has no `url`; write url = \"rtsp://…\"",
        )),
    }
    wished
        .into_iter()
        .filter_map(|(channel_id, channel, short)| {
            let mut path = path.to_vec();
            if !short {
                path.extend(["channels", channel_id.as_str()]);
            }
            let policy = channel.policy(defaults);
            let source = camera(&channel, policy.stall)
                .map_err(|wrong| {
                    path.extend(wrong.key);
                    problems.push(Problem::new(&path, wrong.message));
                })
                .ok()?;
            Some(ChannelSpec {
                id: channel_id,
                source,
                policy,
            })
        })
        .collect()
}

/// Why a camera can't be what its keys say.
#[derive(Debug)]
pub(crate) struct Wrong {
    /// Which key is to blame.
    key: Option<&'static str>,
    /// What is wrong and what would be right.
    pub(crate) message: String,
}

/// The camera that the keys of `channel` describe, given up when it is silent for `stall`.
pub(crate) fn camera(channel: &Channel, stall: Duration) -> Result<Arc<dyn Source>, Wrong> {
    let Some(url) = &channel.url else {
        return Err(Wrong {
            key: None,
            message: "this channel has no `url`; write url = \"rtsp://…\"".to_owned(),
        });
    };
    let password = channel.password.as_ref().map(Password::secret);
    let mut config =
        Config::new(url.expose())?.with_credentials(channel.username.as_deref(), password)?;
    config.transport = match channel.transport {
        None | Some(Transport::Auto) => TransportChoice::Auto,
        Some(Transport::Tcp) => TransportChoice::Tcp,
        Some(Transport::Udp) => TransportChoice::Udp,
    };
    config.tls.insecure_skip_verify = channel.tls.insecure_skip_verify.unwrap_or_default();
    config.tls.ca_file.clone_from(&channel.tls.ca_file);
    config.timeouts.silence = stall;
    Ok(Arc::new(Camera::new(config)?))
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        let key = match error {
            Error::TwoUsernames => "username",
            Error::NoUsername => "password",
            Error::UdpInTheOpen => "transport",
            Error::TlsUnused | Error::CaFile { .. } => "tls",
            _ => "url",
        };
        Self {
            key: Some(key),
            message: error.to_string(),
        }
    }
}

impl Stream {
    /// What holds for all channels.
    fn shared(&self) -> Channel {
        Channel {
            url: self.url.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            transport: self.transport,
            tls: self.tls.clone(),
            on_demand: self.on_demand,
            linger: self.linger,
            stall: self.stall,
            ring: self.ring,
        }
    }
}

impl Channel {
    /// This channel, with what it does not say taken from `base`.
    fn over(self, base: Self) -> Self {
        Self {
            url: self.url.or(base.url),
            username: self.username.or(base.username),
            password: self.password.or(base.password),
            transport: self.transport.or(base.transport),
            tls: Tls {
                insecure_skip_verify: self
                    .tls
                    .insecure_skip_verify
                    .or(base.tls.insecure_skip_verify),
                ca_file: self.tls.ca_file.or(base.tls.ca_file),
            },
            on_demand: self.on_demand.or(base.on_demand),
            linger: self.linger.or(base.linger),
            stall: self.stall.or(base.stall),
            ring: super::Ring {
                keep: self.ring.keep.or(base.ring.keep),
                bytes: self.ring.bytes.or(base.ring.bytes),
            },
        }
    }

    pub(super) fn policy(&self, defaults: &Policy) -> hub::Policy {
        let last = hub::Policy::default();
        hub::Policy {
            on_demand: self
                .on_demand
                .or(defaults.on_demand)
                .unwrap_or(last.on_demand),
            linger: self
                .linger
                .or(defaults.linger)
                .map_or(last.linger, |span| span.0),
            stall: self
                .stall
                .or(defaults.stall)
                .map_or(last.stall, |period| period.0),
            ring: RingBounds {
                keep: self
                    .ring
                    .keep
                    .or(defaults.ring.keep)
                    .map_or(last.ring.keep, |period| period.0),
                bytes: self
                    .ring
                    .bytes
                    .or(defaults.ring.bytes)
                    .map_or(last.ring.bytes, |size| size.0),
            },
        }
    }
}
