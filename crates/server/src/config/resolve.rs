use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use egress_hls::Settings;
use hub::{ChannelId, ChannelSpec, RingBounds, Source, StreamId, StreamSpec};

use ingest_rtsp::{Camera, Config, Error, TransportChoice};

use super::issue::{Issue, Show};
use super::parse::Parsed;
use super::{Channel, Hls, Password, Policy, Stream, Tls, Transport, Url, Webhook};
use crate::{events, redact};

/// The id of the one channel of a stream in the short form.
pub(crate) const ONLY_CHANNEL: &str = "0";
/// The largest file that holds a secret, in bytes.
const MAX_SECRET: u64 = 64 << 10;

/// The longest name of a stream or channel, in characters: each list has all of them.
const MAX_NAME: usize = 256;

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
            path: self.path,
            variable: None,
            message: parsed.as_written(self.message),
            show: Show::Value,
        }
    }
}

/// The streams that `config` wishes for, and what is wrong with the others.
pub(super) fn streams(config: &super::Config) -> (Vec<StreamSpec>, Vec<Problem>) {
    let mut problems = Vec::new();
    for (id, stream) in &config.streams.0 {
        let too_long = |name: &str| name.chars().count() > MAX_NAME;
        let told = format!("a name has {MAX_NAME} characters at most");
        if too_long(&stream.name) {
            problems.push(Problem::new(&["streams", id.as_str(), "name"], &told));
        }
        for (channel, _) in stream.channels.0.iter().filter(|(_, c)| too_long(&c.name)) {
            let path = ["streams", id.as_str(), "channels", channel.as_str(), "name"];
            problems.push(Problem::new(&path, &told));
        }
    }
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

fn only_channel() -> ChannelId {
    ChannelId::new(ONLY_CHANNEL).expect("`0` is an id")
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
    let only = stream.url.is_some() || stream.url_file.is_some();
    match (only, listed.is_empty()) {
        (true, true) => {
            wished.push((only_channel(), stream.shared(), true));
        }
        (false, false) => {
            let whole = stream.whole_channels().into_iter();
            wished.extend(whole.map(|(id, channel)| (id, channel, false)));
        }
        (true, false) => problems.push(Problem::new(
            &[path[0], path[1], "url"],
            "a stream has either a `url` or `channels` with one each, not both",
        )),
        (false, true) => problems.push(Problem::new(
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
            let audio = channel.audio.or(defaults.audio);
            let channel = Channel { audio, ..channel };
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
    let url = either(
        channel.url.as_ref(),
        "url",
        channel.url_file.as_deref(),
        "url_file",
    )?;
    let url = url.ok_or_else(|| Wrong {
        key: None,
        message: "this channel has no `url`; write url = \"rtsp://…\"".to_owned(),
    })?;
    if ingest_rtmp::Location::is_ours(url.expose()) {
        return rtmp(channel, &url, stall);
    }
    let file = channel.password_file.as_deref();
    let password = either(channel.password.as_ref(), "password", file, "password_file")?;
    let password = password.as_ref().map(Password::secret);
    let mut config =
        Config::new(url.expose())?.with_credentials(channel.username.as_deref(), password)?;
    config.transport = match channel.transport {
        None | Some(Transport::Auto) => TransportChoice::Auto,
        Some(Transport::Tcp) => TransportChoice::Tcp,
        Some(Transport::Udp) => TransportChoice::Udp,
    };
    config.tls = trust(&channel.tls);
    config.timeouts.silence = stall;
    config.audio = channel.audio.unwrap_or(true);
    Ok(Arc::new(Camera::new(config)?))
}

fn trust(tls: &Tls) -> ingest_rtsp::Tls {
    ingest_rtsp::Tls {
        insecure_skip_verify: tls.insecure_skip_verify.unwrap_or_default(),
        ca_file: tls.ca_file.clone(),
    }
}

/// The stream of an RTMP server at `url`, whose other keys `channel` has.
fn rtmp(channel: &Channel, url: &Url, stall: Duration) -> Result<Arc<dyn Source>, Wrong> {
    let password = channel.password.is_some() || channel.password_file.is_some();
    let unfit = [
        (
            channel.username.is_some(),
            "username",
            "RTMP has no user names; what the server wants to know stands in the `url`",
        ),
        (
            password,
            "password",
            "RTMP has no passwords; what the server wants to know stands in the `url`",
        ),
        (
            channel.transport == Some(Transport::Udp),
            "transport",
            "RTMP goes over TCP alone; leave `transport` out",
        ),
    ];
    if let Some((_, key, message)) = unfit.into_iter().find(|(given, ..)| *given) {
        return Err(Wrong {
            key: Some(key),
            message: message.to_owned(),
        });
    }
    let wrong = |error: ingest_rtmp::Error| Wrong {
        key: Some(match error {
            ingest_rtmp::Error::TlsUnused | ingest_rtmp::Error::Tls(_) => "tls",
            _ => "url",
        }),
        message: error.to_string(),
    };
    let location = ingest_rtmp::Location::parse(url.expose()).map_err(wrong)?;
    let timeouts = ingest_rtmp::Timeouts {
        silence: stall,
        ..ingest_rtmp::Timeouts::default()
    };
    let audio = channel.audio.unwrap_or(true);
    let stream = ingest_rtmp::Stream::new(location, trust(&channel.tls), audio, timeouts);
    Ok(Arc::new(stream.map_err(wrong)?))
}

/// What stands in the configuration as `key`, or in the file that `file_key` names.
fn either<T: Clone + From<String>>(
    value: Option<&T>,
    key: &'static str,
    file: Option<&Path>,
    file_key: &'static str,
) -> Result<Option<T>, Wrong> {
    let wrong = |message| Wrong {
        key: Some(file_key),
        message,
    };
    match (value, file) {
        (Some(_), Some(_)) => Err(wrong(format!("write `{key}` or `{file_key}`, not both"))),
        (Some(value), None) => Ok(Some(value.clone())),
        (None, Some(file)) => secret_in(file).map(Some).map_err(wrong),
        (None, None) => Ok(None),
    }
}

/// The secret in `file`: its text without the line's end.
fn secret_in<T: From<String>>(file: &Path) -> Result<T, String> {
    let name = file.display();
    let metadata =
        std::fs::metadata(file).map_err(|error| format!("can't read {name}: {error}"))?;
    if metadata.len() > MAX_SECRET {
        return Err(format!("{name} is larger than 64 KiB, which no secret is"));
    }
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("can't read {name}: {error}"))?;
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{name} is empty; it should hold the secret")),
        secret => Ok(T::from(secret.to_owned())),
    }
}

/// What is wrong with the webhooks goes to `problems`.
pub(super) fn webhooks(webhooks: &[Webhook], problems: &mut Vec<Problem>) {
    for (n, webhook) in webhooks.iter().enumerate() {
        let n = n.to_string();
        let mut wrong =
            |key, message: &str| problems.push(Problem::new(&["webhooks", &n, key], message));
        match webhook.url.as_ref().map(|url| url.expose().parse::<Uri>()) {
            None => wrong(
                "url",
                "this webhook has no `url`; write url = \"https://…\"",
            ),
            Some(Ok(uri))
                if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() => {}
            Some(_) => wrong(
                "url",
                "a webhook is called by HTTP; write url = \"https://…\"",
            ),
        }
        if let Err(error) = webhook.key() {
            wrong("secret_file", &error);
        }
        for event in webhook
            .events
            .iter()
            .filter(|event| !events::is_known(event))
        {
            let known = events::TYPES.join(", ");
            wrong(
                "events",
                &format!(
                    "there is no event `{event}`; there are: {known}; and `channel.*` means all of a kind"
                ),
            );
        }
    }
}

impl Webhook {
    /// The secret that signs, wherever it stands.
    pub(crate) fn key(&self) -> Result<Option<Password>, String> {
        let file = self.secret_file.as_deref();
        either(self.secret.as_ref(), "secret", file, "secret_file").map_err(|wrong| wrong.message)
    }
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        let key = match error {
            Error::TwoUsernames => "username",
            Error::NoUsername => "password",
            Error::UdpInTheOpen => "transport",
            Error::TlsUnused | Error::Tls(_) => "tls",
            _ => "url",
        };
        Self {
            key: Some(key),
            message: error.to_string(),
        }
    }
}

impl Stream {
    /// Its channels with what holds for all of them.
    pub(crate) fn whole_channels(&self) -> Vec<(ChannelId, Channel)> {
        if self.channels.is_empty() {
            return vec![(only_channel(), self.shared())];
        }
        let listed = self.channels.0.iter();
        listed
            .map(|(id, channel)| (id.clone(), channel.clone().over(self.shared())))
            .collect()
    }

    /// What holds for all channels.
    fn shared(&self) -> Channel {
        Channel {
            name: String::new(),
            url: self.url.clone(),
            url_file: self.url_file.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            password_file: self.password_file.clone(),
            transport: self.transport,
            tls: self.tls.clone(),
            on_demand: self.on_demand,
            audio: self.audio,
            linger: self.linger,
            stall: self.stall,
            ring: self.ring,
        }
    }
}

impl Channel {
    /// This channel, with what it does not say taken from `base`.
    fn over(self, base: Self) -> Self {
        // Who says one of a pair means it instead of the other.
        let own_password = self.password.is_some() || self.password_file.is_some();
        Self {
            name: self.name,
            url: self.url.or(base.url),
            url_file: self.url_file.or(base.url_file),
            username: self.username.or(base.username),
            password: self
                .password
                .or_else(|| base.password.filter(|_| !own_password)),
            password_file: self
                .password_file
                .or_else(|| base.password_file.filter(|_| !own_password)),
            transport: self.transport.or(base.transport),
            tls: Tls {
                insecure_skip_verify: self
                    .tls
                    .insecure_skip_verify
                    .or(base.tls.insecure_skip_verify),
                ca_file: self.tls.ca_file.or(base.tls.ca_file),
            },
            on_demand: self.on_demand.or(base.on_demand),
            audio: self.audio.or(base.audio),
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
