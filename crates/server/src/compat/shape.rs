//! Streams and channels as RTSPtoWeb's clients send them, and as they read them.

use std::collections::BTreeMap;

use hub::{Registry, State, StreamId};
use serde::Deserialize;
use serde_json::{Map, Value as Json};
use toml_edit::DocumentMut;

use super::envelope::Failure;
use crate::config::{self, View};
use crate::redact;

/// Many streams as they are sent, by their ids.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ManySent {
    pub(super) streams: Option<Map<String, Json>>,
}

/// A stream as it is sent. What else is sent is let pass.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StreamSent {
    pub(super) name: Option<String>,
    channels: Option<Map<String, Json>>,
}

/// A channel as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChannelSent {
    name: Option<String>,
    url: Option<String>,
    on_demand: Option<bool>,
    audio: Option<bool>,
    insecure_skip_verify: Option<bool>,
}

/// In which order the keys of what is told come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// That of RTSPtoWeb's structs.
    Declared,
    /// That of the letters, as in its list of all streams.
    Sorted,
}

/// The keys of a channel, in RTSPtoWeb's order.
const KEYS: [&str; 7] = [
    "name",
    "url",
    "on_demand",
    "debug",
    "status",
    "insecure_skip_verify",
    "audio",
];

/// The value that the object `json` holds. The letters of keys may be of any case, and `null` is nothing, as in Go.
pub(super) fn sent<T: for<'de> Deserialize<'de>>(json: Json) -> Result<T, Failure> {
    let object = match json {
        Json::Object(object) => object.into_iter(),
        Json::Null => Map::new().into_iter(),
        _ => return Err(Failure::Body("this must be an object: {…}".to_owned())),
    };
    let object = object.map(|(key, value)| (key.to_ascii_lowercase(), value));
    serde_json::from_value(Json::Object(object.collect()))
        .map_err(|error| Failure::Body(format!("this can't be: {error}")))
}

impl StreamSent {
    /// Whether there is no channel in it.
    pub(super) fn is_bare(&self) -> bool {
        self.channels.as_ref().is_none_or(Map::is_empty)
    }

    /// What it means in our settings. Of `present`, which is how it stands now, those stay that RTSPtoWeb does not know.
    pub(super) fn settings(
        self,
        present: Option<Present<'_>>,
    ) -> Result<Map<String, Json>, Failure> {
        let mut settings = present.map(Present::rest).unwrap_or_default();
        if let Some(name) = self.name.filter(|name| !name.is_empty()) {
            settings.insert("name".to_owned(), name.into());
        }
        let mut channels = Map::new();
        for (id, channel) in self.channels.unwrap_or_default() {
            let there = present.and_then(|present| present.channel(&id));
            let channel: ChannelSent = sent(channel)?;
            channels.insert(id, Json::Object(channel.settings(there.as_ref())));
        }
        settings.insert("channels".to_owned(), Json::Object(channels));
        Ok(settings)
    }
}

/// A stream as it stands: its settings, and how they are served.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present<'v> {
    pub(super) stream: &'v config::Stream,
    pub(super) served: &'v Map<String, Json>,
}

/// The same of a channel.
pub(super) struct PresentChannel<'v> {
    url: Option<&'v config::Url>,
    served: &'v Map<String, Json>,
}

impl<'v> Present<'v> {
    pub(super) fn of(view: &'v View, id: &str) -> Option<Self> {
        let mut streams = view.config.streams.0.iter();
        let (_, stream) = streams.find(|(known, _)| known.as_str() == id)?;
        let served = view.served.get("streams")?.get(id)?.as_object()?;
        Some(Self { stream, served })
    }

    /// A channel with settings of its own.
    pub(super) fn channel(self, id: &str) -> Option<PresentChannel<'v>> {
        let mut channels = self.stream.channels.0.iter();
        let (_, channel) = channels.find(|(known, _)| known.as_str() == id)?;
        let served = self.served.get("channels")?.get(id)?.as_object()?;
        let url = channel.url.as_ref();
        Some(PresentChannel { url, served })
    }

    /// The one channel of a stream that is written in the short form.
    pub(super) fn only(self, id: &str) -> Option<PresentChannel<'v>> {
        let short = self.stream.channels.0.is_empty() && id == config::ONLY_CHANNEL;
        short.then_some(PresentChannel {
            url: self.stream.url.as_ref(),
            served: self.served,
        })
    }

    /// What holds for all channels and is not RTSPtoWeb's.
    fn rest(self) -> Map<String, Json> {
        let mut rest = self.served.clone();
        for key in ["name", "channels", "url", "url_file"] {
            rest.shift_remove(key);
        }
        rest
    }
}

impl ChannelSent {
    /// What it means in our settings. What it does not say is what `[defaults]` say, and what RTSPtoWeb does not know stays.
    pub(super) fn settings(self, present: Option<&PresentChannel<'_>>) -> Map<String, Json> {
        let mut settings = present
            .map(|present| present.served.clone())
            .unwrap_or_default();
        let texts = [(
            "name",
            self.name.filter(|name| !name.is_empty()).map(Json::from),
        )];
        let truths = [
            ("on_demand", self.on_demand.map(Json::from)),
            ("audio", self.audio.map(Json::from)),
        ];
        for (key, value) in texts.into_iter().chain(truths) {
            settings.shift_remove(key);
            settings.extend(value.map(|value| (key.to_owned(), value)));
        }
        let url = config::camera_url(self.url.as_deref().unwrap_or_default());
        let known = present.and_then(|present| present.url);
        let same =
            known.is_some_and(|known| known.expose() == url || redact::urls(known.expose()) == url);
        if !same {
            let named = url.contains('@');
            let gone: &[&str] = if named {
                &["url_file", "username", "password", "password_file"]
            } else {
                &["url_file"]
            };
            for key in gone {
                settings.shift_remove(*key);
            }
            settings.insert("url".to_owned(), url.as_str().into());
        }
        trust(
            &mut settings,
            self.insecure_skip_verify == Some(true) && url.starts_with("rtsps:"),
        );
        settings
    }
}

/// Has the camera's certificate not matter, or matter.
fn trust(settings: &mut Map<String, Json>, all: bool) {
    let tls = settings
        .entry("tls")
        .or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(tls) = tls {
        tls.shift_remove("insecure_skip_verify");
        if all {
            tls.insert("insecure_skip_verify".to_owned(), true.into());
        }
        if tls.is_empty() {
            settings.shift_remove("tls");
        }
    }
}

/// Tells of streams: what is configured, as it stands in the `document`, and whether it is there.
pub(super) struct Teller<'v> {
    pub(super) view: &'v View,
    pub(super) document: &'v DocumentMut,
    pub(super) registry: &'v Registry,
}

impl Teller<'_> {
    /// All streams, and the `bare` ones.
    pub(super) fn streams(&self, bare: &BTreeMap<String, String>) -> Json {
        let mut all: BTreeMap<String, Json> = bare
            .iter()
            .map(|(id, name)| (id.clone(), bare_stream(name)))
            .collect();
        for (id, stream) in &self.view.config.streams.0 {
            all.insert(id.to_string(), self.stream(id, stream, Order::Sorted));
        }
        Json::Object(all.into_iter().collect())
    }

    /// A stream.
    pub(super) fn stream(&self, id: &StreamId, stream: &config::Stream, order: Order) -> Json {
        let channels = stream.whole_channels().into_iter();
        let channels: BTreeMap<String, Json> = channels
            .map(|(channel, settings)| {
                (
                    channel.to_string(),
                    self.channel(id, channel.as_str(), &settings, order),
                )
            })
            .collect();
        let name = (!stream.name.is_empty()).then(|| stream.name.clone().into());
        let channels = (!channels.is_empty()).then(|| Json::Object(channels.into_iter().collect()));
        let mut pairs = vec![("name", name), ("channels", channels)];
        if order == Order::Sorted {
            pairs.reverse();
        }
        object(pairs)
    }

    /// A channel. What is nothing, or false, is left out, as there.
    pub(super) fn channel(
        &self,
        stream: &StreamId,
        id: &str,
        settings: &config::Channel,
        order: Order,
    ) -> Json {
        let truth = |value: Option<bool>, usual: bool| value.unwrap_or(usual).then(|| true.into());
        let defaults = &self.view.config.defaults;
        let name = (!settings.name.is_empty()).then(|| settings.name.clone().into());
        let mut pairs = vec![
            (KEYS[0], name),
            (KEYS[1], self.url(stream, id, settings).map(Json::from)),
            (
                KEYS[2],
                truth(
                    settings.on_demand.or(defaults.on_demand),
                    hub::Policy::default().on_demand,
                ),
            ),
            (KEYS[4], self.is_online(stream, id).then(|| 1.into())),
            (KEYS[5], truth(settings.tls.insecure_skip_verify, false)),
            (KEYS[6], truth(settings.audio.or(defaults.audio), true)),
        ];
        if order == Order::Sorted {
            pairs.sort_by_key(|(key, _)| *key);
        }
        object(pairs)
    }

    /// The URL, with its password where that stands in the file: clients compare it with theirs. One that comes from the
    /// environment or from a file of secrets stays there.
    fn url(&self, stream: &StreamId, channel: &str, settings: &config::Channel) -> Option<String> {
        let url = settings.url.as_ref()?.expose();
        let at = |path: &[&str]| {
            let root = Some(self.document.as_item());
            let item = path
                .iter()
                .fold(root, |item, key| item?.as_table_like()?.get(key));
            item.and_then(toml_edit::Item::as_str)
                .map(|text| text.replace("$${", "${"))
        };
        let id = stream.as_str();
        let written = at(&["streams", id, "channels", channel, "url"])
            .or_else(|| at(&["streams", id, "url"]));
        if written.as_deref() == Some(url) {
            return Some(url.to_owned());
        }
        Some(redact::urls(url))
    }

    fn is_online(&self, stream: &StreamId, channel: &str) -> bool {
        let stream = self.registry.stream(stream);
        let channels = stream
            .as_ref()
            .map(hub::Stream::channels)
            .unwrap_or_default();
        let channel = channels.iter().find(|known| known.id().as_str() == channel);
        channel.is_some_and(|channel| {
            matches!(*channel.state().borrow(), State::Live | State::Lingering)
        })
    }
}

/// A stream without channels.
pub(super) fn bare_stream(name: &str) -> Json {
    object(vec![("name", (!name.is_empty()).then(|| name.into()))])
}

fn object(pairs: Vec<(&str, Option<Json>)>) -> Json {
    let there = pairs
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Json::Object(there.collect())
}
