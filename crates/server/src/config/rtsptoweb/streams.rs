//! The sections `streams` and `channel_defaults`.

use serde_json::{Map, Value as Json};
use toml_edit::{InlineTable, Table, Value, value};

use super::read::Reading;
use super::{escaped, get, item};

/// Keys of RTSPtoWeb's that mean nothing here: the log has directives of its own, and how a camera is, is not configured.
const IDLE: [&str; 2] = ["debug", "status"];
/// Keys of ours that a channel may have besides, which RTSPtoWeb does not read.
const OURS: [&str; 10] = [
    "username",
    "password",
    "url_file",
    "password_file",
    "transport",
    "tls",
    "linger",
    "stall",
    "ring",
    "channels",
];

impl Reading<'_> {
    pub(super) fn streams(&mut self) {
        let defaults = self.channel_defaults();
        let on_demand = self.truth(&defaults, &["channel_defaults", "on_demand"]);
        let audio = self.truth(&defaults, &["channel_defaults", "audio"]);
        let table = self.table(&["defaults"]);
        table.insert("on_demand", value(on_demand.unwrap_or(false)));
        table.insert("audio", value(audio.unwrap_or(false)));
        let json = self.json;
        let empty = Map::new();
        let streams = self.object(json, &["streams"]).unwrap_or(&empty);
        for (id, _) in streams {
            if let Some(stream) = self.object(streams, &["streams", id]) {
                self.stream(id, stream, &defaults);
            }
        }
    }

    /// What holds for channels that don't say otherwise. The file that RTSPtoWeb is shipped with has it where RTSPtoWeb
    /// does not look.
    fn channel_defaults(&mut self) -> Map<String, Json> {
        let json = self.json;
        let mut all = Map::new();
        let server = get(json, "server").and_then(Json::as_object);
        for misplaced in ["defaults", "channel_defaults"] {
            let found = server
                .and_then(|server| get(server, misplaced))
                .and_then(Json::as_object);
            if let Some(found) = found {
                all.extend(found.clone());
                self.warn(format!(
                    "`server.{misplaced}` counts as `channel_defaults`; RTSPtoWeb ignores it there"
                ));
            }
        }
        if let Some(found) = self.object(json, &["channel_defaults"]) {
            all.extend(found.clone());
            self.warn("`channel_defaults` hold where a channel says nothing; with RTSPtoWeb they win over what it says");
        }
        all
    }

    fn stream(&mut self, id: &str, stream: &Map<String, Json>, defaults: &Map<String, Json>) {
        let path = ["streams", id];
        let name = self.some_text(stream, &[path[0], path[1], "name"]);
        // RTSPtoWebRTC's streams have no channels, and have sound unless they say otherwise.
        let channels = match get(stream, "channels") {
            None => None,
            Some(_) => self.object(stream, &[path[0], path[1], "channels"]),
        };
        let mut table = match channels {
            Some(_) => Table::new(),
            None => self.channel(&path, stream, &Map::new()),
        };
        if channels.is_none() {
            let silent = self.truth(stream, &[path[0], path[1], "disable_audio"]);
            table.insert("audio", value(!silent.unwrap_or(false)));
        } else {
            Self::own(stream, &mut table);
        }
        if let Some(name) = name {
            table.insert("name", value(escaped(&name)));
        }
        if let Some(channels) = channels {
            let mut all = Table::new();
            all.set_implicit(true);
            for (channel, _) in channels {
                let path = [path[0], path[1], "channels", channel];
                if let Some(channel) = self.object(channels, &path) {
                    all.insert(path[3], self.channel(&path, channel, defaults).into_item());
                }
            }
            table.insert("channels", all.into_item());
        }
        let streams = self.table(&["streams"]);
        streams.set_implicit(true);
        streams.insert(id, table.into_item());
    }

    fn channel(
        &mut self,
        path: &[&str],
        channel: &Map<String, Json>,
        defaults: &Map<String, Json>,
    ) -> Table {
        let at = |key| [path, &[key]].concat();
        let known = [
            "name",
            "url",
            "on_demand",
            "audio",
            "insecure_skip_verify",
            "disable_audio",
        ];
        for key in channel.keys() {
            let all = known.iter().chain(&IDLE).chain(&OURS);
            if !all.into_iter().any(|known| known.eq_ignore_ascii_case(key)) {
                self.warn(format!(
                    "`{}` is no key of RTSPtoWeb's; it is ignored, and kept",
                    at(key).join(".")
                ));
            }
        }
        let mut table = Table::new();
        let or = |key| {
            if get(channel, key).is_some() {
                channel
            } else {
                defaults
            }
        };
        if let Some(name) = self
            .some_text(or("name"), &at("name"))
            .filter(|_| path.len() > 2)
        {
            table.insert("name", value(escaped(&name)));
        }
        let url = self
            .some_text(or("url"), &at("url"))
            .map(|url| camera_url(&url));
        if let Some(url) = &url {
            table.insert("url", value(escaped(url)));
        }
        for key in ["on_demand", "audio"] {
            if let Some(truth) = self.truth(channel, &at(key)) {
                table.insert(key, value(truth));
            }
        }
        Self::own(channel, &mut table);
        let trusting = self.truth(or("insecure_skip_verify"), &at("insecure_skip_verify"));
        let encrypted =
            url.is_some_and(|url| url.starts_with("rtsps:") || url.starts_with("rtmps:"));
        if trusting == Some(true) && encrypted && !table.contains_key("tls") {
            table.insert("tls", value(trusts_all()));
        }
        table
    }

    /// Settings of ours, as they stand.
    fn own(from: &Map<String, Json>, table: &mut Table) {
        for key in OURS.iter().filter(|key| **key != "channels") {
            if let Some(item) = from.get(*key).and_then(item) {
                table.insert(key, item);
            }
        }
    }
}

/// `tls` of a camera whose certificate does not matter.
fn trusts_all() -> InlineTable {
    InlineTable::from_iter([("insecure_skip_verify", Value::from(true))])
}

/// The URL that RTSPtoWeb makes of `url`: entities of HTML stand for themselves, and whatever it does not know is RTSP.
pub(crate) fn camera_url(url: &str) -> String {
    let mut plain = url.trim().to_owned();
    if plain.contains('&') {
        for (entity, letter) in [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&#34;", "\""),
            ("&#39;", "'"),
            ("&amp;", "&"),
        ] {
            plain = plain.replace(entity, letter);
        }
    }
    let (scheme, rest) = match plain.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => return plain,
    };
    match scheme.as_str() {
        "rtsp" | "rtsps" | "rtmp" | "rtmps" => format!("{scheme}://{rest}"),
        _ => format!("rtsp://{rest}"),
    }
}

trait IntoItem {
    fn into_item(self) -> toml_edit::Item;
}

impl IntoItem for Table {
    fn into_item(self) -> toml_edit::Item {
        toml_edit::Item::Table(self)
    }
}
