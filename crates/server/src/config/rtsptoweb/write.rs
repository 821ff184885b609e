//! What the API changes, back into RTSPtoWeb's form: only what is another, so that all else stays as it is.

use serde_json::{Map, Value as Json};
use toml_edit::{DocumentMut, Item, Value};

/// What of an object's keys is named by people.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// None: their letters may be of any case.
    Known,
    /// All: they are ids of streams, or of channels.
    Ids,
}

/// Has `json` say what `after` says of streams, where `before` said something else.
pub(super) fn change(json: &mut Map<String, Json>, before: &DocumentMut, after: &DocumentMut) {
    let (before, after) = (streams(before), streams(after));
    if before == after {
        return;
    }
    let all = json
        .entry(slot(json, "streams", Keys::Known))
        .or_insert_with(|| Json::Object(Map::new()));
    if let Json::Object(all) = all {
        merge(all, &before, &after, Keys::Ids);
    }
}

fn merge(
    target: &mut Map<String, Json>,
    before: &Map<String, Json>,
    after: &Map<String, Json>,
    keys: Keys,
) {
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        target.shift_remove(&slot(target, key, keys));
    }
    for (key, now) in after {
        let was = before.get(key);
        if was == Some(now) {
            continue;
        }
        let inner = match (keys, key.as_str()) {
            (Keys::Known, "channels") => Keys::Ids,
            _ => Keys::Known,
        };
        let slot = slot(target, key, keys);
        match (target.get_mut(&slot), was, now) {
            (Some(Json::Object(there)), Some(Json::Object(was)), Json::Object(now)) => {
                merge(there, was, now, inner);
            }
            _ => {
                target.insert(slot, now.clone());
            }
        }
    }
}

/// The key of `object` that means `key`.
fn slot(object: &Map<String, Json>, key: &str, keys: Keys) -> String {
    let alike = |known: &&String| keys == Keys::Known && known.eq_ignore_ascii_case(key);
    let known = || object.keys().find(alike).cloned();
    let exact = object.contains_key(key).then(|| key.to_owned());
    exact.or_else(known).unwrap_or_else(|| key.to_owned())
}

/// The streams of `document` as RTSPtoWeb's file has them.
fn streams(document: &DocumentMut) -> Map<String, Json> {
    let Some(Json::Object(streams)) = document.get("streams").map(json) else {
        return Map::new();
    };
    let theirs = |(id, stream)| match stream {
        Json::Object(stream) => (id, Json::Object(theirs(stream))),
        other => (id, other),
    };
    streams.into_iter().map(theirs).collect()
}

/// A stream or a channel with the keys that RTSPtoWeb, or RTSPtoWebRTC where it has no channels, calls them by.
fn theirs(ours: Map<String, Json>) -> Map<String, Json> {
    let flat = ours.contains_key("url");
    let mut theirs = Map::new();
    for (key, value) in ours {
        match (key.as_str(), value) {
            ("channels", Json::Object(channels)) => {
                let channel = |(id, channel)| match channel {
                    Json::Object(channel) => (id, Json::Object(trust(channel))),
                    other => (id, other),
                };
                theirs.insert(
                    key,
                    Json::Object(channels.into_iter().map(channel).collect()),
                );
            }
            ("audio", Json::Bool(audio)) if flat => {
                theirs.insert("disable_audio".to_owned(), Json::Bool(!audio));
            }
            (_, value) => {
                theirs.insert(key, value);
            }
        }
    }
    trust(theirs)
}

/// `tls.insecure_skip_verify` is no table there.
fn trust(mut theirs: Map<String, Json>) -> Map<String, Json> {
    if let Some(Json::Object(tls)) = theirs.get_mut("tls") {
        let trusting = tls.shift_remove("insecure_skip_verify");
        if tls.is_empty() {
            theirs.shift_remove("tls");
        }
        if let Some(trusting) = trusting {
            theirs.insert("insecure_skip_verify".to_owned(), trusting);
        }
    }
    theirs
}

fn json(item: &Item) -> Json {
    match item {
        Item::Table(table) => Json::Object(
            table
                .iter()
                .map(|(key, item)| (key.to_owned(), json(item)))
                .collect(),
        ),
        Item::Value(value) => json_value(value),
        Item::None | Item::ArrayOfTables(_) => Json::Null,
    }
}

fn json_value(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::String(text.value().replace("$${", "${")),
        Value::Integer(number) => (*number.value()).into(),
        Value::Float(number) => (*number.value()).into(),
        Value::Boolean(truth) => (*truth.value()).into(),
        Value::Datetime(time) => Json::String(time.value().to_string()),
        Value::Array(items) => items.iter().map(json_value).collect(),
        Value::InlineTable(table) => Json::Object(
            table
                .iter()
                .map(|(key, value)| (key.to_owned(), json_value(value)))
                .collect(),
        ),
    }
}
