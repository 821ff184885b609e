//! `docs/config.md`, made of the structs. `LUNETTE_BLESS=1 cargo test -p lunette reference` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value as Json};

use super::{Channel, Config, Period, Policy, Ring, Size, Span};

const HEAD: &str = "\
# Configuration

All keys of the configuration file, made from the code by a test. [config/lunette.toml](../config/lunette.toml) shows the
same keys in a file to begin with; `lunette check --config FILE` says what is wrong with one. Times are written as `\"10s\"`,
`\"500ms\"`, `\"2m\"` or `\"1h\"`, sizes as `\"32MiB\"`.

**Changes.** The file is followed, links and all, and SIGHUP has it read at once. A change touches the streams that it changes
and nobody else's viewers; new settings of a camera end that camera's session, not its viewers. What makes no sense changes
nothing, nor does what can't be, such as an address that somebody else listens on: the log and `GET /api/v1/config` say what is
wrong, and SIGHUP tries it again. What the command line says counts more than the file; the API
refuses to change such a setting, and names what does count.

A door that moves is listened on before the old one is let go; connections stay, even where TLS comes or goes. HLS keeps to new
bounds at once; with another `hls.part` or `hls.segment` its players see a discontinuity, since a playlist can't change its lengths.
So it is with `[rtsp]`: who is there stays as it is, and keeps its UDP ports; who comes finds the new settings. `rtsp.enable = false` sends
RTSP's viewers away. What viewers of WebRTC are told (addresses, ICE servers) is told to the next one. `webrtc.listen` and `webrtc.tcp`
count from the next start on: media are on their way through those sockets, and viewers were told their addresses and ports.
`GET /api/v1/config` says so in `restart_needed`.

**The API** writes to the same file ([api.md](api.md)). Comments, order and references stay; the file is replaced as a whole,
with its mode and owner, so its directory must be writable; in a container, mount the directory: a file that is mounted by itself
can't be replaced, and changes made outside by most editors are not seen in it. A file that can't be written, or none at all, is said in the
answer, with what to do: the change then holds until the server ends.

**The environment.** `LUNETTE_SERVER__LISTEN=0.0.0.0:8083` counts more than `server.listen` of the file: `__` stands between
keys, letters are upper case, and `_` stands for whatever else is in an id. In texts, `${NAME}` stands for a variable,
`${NAME:-x}` for `x` where there is none, `$${` for itself. Neither is ever written into the file or served. Over the API
neither `${…}` nor files of secrets can be set: whoever may change streams need not read the server's files.
";

#[test]
fn the_reference_is_what_the_structs_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/config.md");
    let made = reference();
    if std::env::var_os("LUNETTE_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == made,
        "docs/config.md is old: LUNETTE_BLESS=1 cargo test -p lunette reference"
    );
}

fn reference() -> String {
    let document = serde_json::to_value(crate::api::openapi()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let defaults = serde_json::to_value(with_defaults()).unwrap();
    let mut out = String::from(HEAD);
    for (section, of) in schemas["Config"]["properties"].as_object().unwrap() {
        let (title, schema, defaults) = match section.as_str() {
            "streams" => (
                "streams.ID".to_owned(),
                &schemas["StreamSettings"],
                &Json::Null,
            ),
            "webhooks" => ("[webhooks]".to_owned(), &schemas["Webhook"], &Json::Null),
            name => (name.to_owned(), resolved(of, schemas), &defaults[name]),
        };
        section_to(&mut out, &title, schema, schemas, defaults);
        if section == "streams" {
            let channel = &schemas["ChannelSettings"];
            section_to(
                &mut out,
                "streams.ID.channels.ID",
                channel,
                schemas,
                &Json::Null,
            );
        }
    }
    out
}

/// The defaults, those of a channel's policy included.
fn with_defaults() -> Config {
    let policy = Channel::default().policy(&Policy::default());
    Config {
        defaults: Policy {
            on_demand: Some(policy.on_demand),
            audio: Some(true),
            linger: Some(Span(policy.linger)),
            stall: Some(Period(policy.stall)),
            ring: Ring {
                keep: Some(Period(policy.ring.keep)),
                bytes: Some(Size(policy.ring.bytes)),
            },
        },
        ..Config::default()
    }
}

fn section_to(
    out: &mut String,
    title: &str,
    schema: &Json,
    schemas: &Map<String, Json>,
    defaults: &Json,
) {
    let about = schema["description"].as_str().unwrap_or_default();
    let _ = write!(
        out,
        "\n## `[{title}]`\n\n{}\n\n| key | default | what |\n|---|---|---|\n",
        line(about)
    );
    keys_to(out, "", schema, schemas, defaults);
}

fn keys_to(
    out: &mut String,
    before: &str,
    schema: &Json,
    schemas: &Map<String, Json>,
    defaults: &Json,
) {
    for (key, field) in schema["properties"].as_object().into_iter().flatten() {
        let inner = resolved(field, schemas);
        if key == "channels" {
            continue;
        }
        if inner["properties"].is_object() {
            keys_to(
                out,
                &format!("{before}{key}."),
                inner,
                schemas,
                &defaults[key],
            );
            continue;
        }
        let beside = field["oneOf"].as_array().into_iter().flatten();
        let about = std::iter::once(field)
            .chain(beside)
            .chain([inner])
            .find_map(|one| one["description"].as_str());
        let default = match &defaults[key] {
            Json::Null => String::new(),
            Json::Array(all) if all.is_empty() => "`[]`".to_owned(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(
            out,
            "| `{before}{key}` | {default} | {} |",
            line(about.unwrap_or_default())
        );
    }
}

/// What `schema` refers to, null aside.
fn resolved<'s>(schema: &'s Json, schemas: &'s Map<String, Json>) -> &'s Json {
    for of in ["oneOf", "allOf", "anyOf"] {
        let inner = schema[of]
            .as_array()
            .and_then(|all| all.iter().find(|one| one["type"] != "null"));
        if let Some(inner) = inner {
            return resolved(inner, schemas);
        }
    }
    let name = schema["$ref"].as_str().and_then(|to| to.rsplit('/').next());
    name.and_then(|name| schemas.get(name)).unwrap_or(schema)
}

fn line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}
