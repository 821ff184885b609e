use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use hub::Registry;
use serde_json::json;

use super::super::{Change, Condition, Config, Keeper, Mode, Text};
use super::server::address;
use super::streams::camera_url;
use super::*;

/// A file with every key that RTSPtoWeb knows.
const WHOLE: &str = include_str!("testdata/config.json");

/// What `text` means, the TOML that it becomes, and the warnings.
fn read(text: &str) -> Result<(Config, String, String), String> {
    let (file, toml) =
        File::read("config.json", text, None).map_err(|report| report.to_string())?;
    let loaded = check("config.json", &toml, &Environment::default())
        .map_err(|report| report.to_string())?;
    Ok((loaded.config, toml, file.warnings.join("\n")))
}

#[test]
fn every_key_of_the_file_means_what_it_means_there() {
    let (config, toml, _) = read(WHOLE).unwrap();
    assert_eq!(config.server.listen.to_string(), "[::]:8083");
    let rtsp = config.rtsp.listen.map(|at| at.to_string());
    assert_eq!(rtsp.as_deref(), Some("[::]:5541"));
    assert_eq!(format!("{:?}", config.log.level), "Debug");
    assert!(toml.contains("[auth.users.operator]") && toml.contains("role = \"admin\""));
    assert!(
        !toml.contains("the password"),
        "of which the hash is enough:\n{toml}"
    );
    assert!(!config.auth.anonymous_lists, "`http_auth` is on");
    assert_eq!(
        config
            .auth
            .token_backend
            .url
            .as_ref()
            .map(super::super::Url::expose),
        Some("http://127.0.0.1/check")
    );
    assert_eq!(
        config.auth.anonymous,
        Some(Vec::new()),
        "a token is wanted from everybody"
    );
    assert_eq!(config.webrtc.listen.map(|at| at.port()), Some(60000));
    assert_eq!(
        config.webrtc.advertise,
        ["203.0.113.5", "stun:stun.example.org:3478"]
    );
    assert!(
        toml.contains("{ url = \"turn:turn.example.org\", username = \"u\", credential = \"c\" }"),
        "{toml}"
    );
    assert!(config.compat.rtsptoweb && !config.compat.rtsptowebrtc);
    assert_eq!(config.compat.save_dir, Some(PathBuf::from("save")));
    let served = serde_json::to_value(&config.streams).unwrap();
    assert_eq!(
        served,
        json!({
            "27aec28e-6181-4753-9acd-0456a75f0289": {
                "name": "Yard",
                "channels": {
                    "0": {"name": "large", "url": "rtsp://***@192.0.2.1/a", "on_demand": true, "audio": false},
                    "1": {"url": "rtsps://***@192.0.2.1/?***", "tls": {"insecure_skip_verify": true}},
                }
            },
        })
    );
    assert_eq!(
        (config.defaults.on_demand, config.defaults.audio),
        (Some(false), Some(true))
    );
}

#[test]
fn what_harms_and_what_is_ignored_is_said_in_words() {
    let text = r#"{"server": {"http_login": "demo", "http_password": "demo", "http_dir": "www", "colour": 1, "defaults": {"audio": true},
        "https": true, "https_port": ":8443", "https_cert": "/nowhere.crt", "https_key": "/nowhere.key"}, "extra": {},
        "streams": {"a b": {"channels": {"0": {"url": "rtsp://h/"}}}, "good": {"channels": {"0": {"url": "rtsp://h/", "colour": 1}, "1": {"url": "no url"}}}}}"#;
    let (config, _, warnings) = read(text).unwrap();
    for told in [
        "the password is the one that RTSPtoWeb is shipped with",
        "`http_auth` is off",
        "`http_dir` (www) is ignored",
        "`server.colour` is no key",
        "there is no section `extra`",
        "`streams.good.channels.0.colour` is no key",
        "`server.defaults` counts as `channel_defaults`",
        "stream `a b` is left out: `a b` can't be an id",
        "channel `1` of stream `good` is left out",
        "there is no https: can't read the certificate /nowhere.crt",
    ] {
        assert!(warnings.contains(told), "{told:?} is not in:\n{warnings}");
    }
    assert!(!config.tls.wanted());
    assert_eq!(config.streams.0.len(), 1);
    assert_eq!(config.defaults.audio, Some(true));
    let (_, _, warnings) = read("{}").unwrap();
    assert!(warnings.contains("there is no `http_login`"), "{warnings}");
}

#[test]
fn what_can_not_be_is_told_with_its_key_and_without_secrets() {
    for (text, told) in [
        ("", "it is not JSON: EOF"),
        ("[]", "it holds no JSON object"),
        (
            r#"{"server": {"http_port": ":http8"}}"#,
            "config.json: server.http_port: this is no port",
        ),
        (
            r#"{"server": {"http_password": 7}}"#,
            "server.http_password: this must be a text",
        ),
        (
            r#"{"server": {"http_login": "a:b", "http_password": "hunter2"}}"#,
            "server.http_login: ",
        ),
        (
            r#"{"server": {"token": {"enable": true, "backend": "u:hunter2@h"}}}"#,
            "server.token.backend: this is no URL",
        ),
        (
            r#"{"streams": {"a": {"channels": {"0": {"url": true}}}}}"#,
            "streams.a.channels.0.url: this must be a text",
        ),
        (
            r#"{"streams": {"a": {"channels": {"0": {"url": "rtsp://h/", "audio": "yes"}}}}}"#,
            "audio: this must be true or false",
        ),
    ] {
        let shown = read(text).unwrap_err();
        assert!(
            shown.contains(told) && !shown.contains("hunter2"),
            "{text}: {shown}"
        );
    }
}

#[test]
fn a_default_counts_only_where_a_channel_says_nothing() {
    let text = r#"{"channel_defaults": {"on_demand": true, "audio": true, "insecure_skip_verify": true},
        "streams": {"a": {"channels": {"0": {"url": "rtsps://h/", "on_demand": false, "audio": false, "insecure_skip_verify": false}, "1": {"url": "rtsps://h/"}}}}}"#;
    let (config, ..) = read(text).unwrap();
    let channels = &config.streams.0[0].1.channels.0;
    assert_eq!(
        (channels[0].1.on_demand, channels[0].1.audio),
        (Some(false), Some(false))
    );
    assert_eq!(channels[0].1.tls.insecure_skip_verify, None);
    assert_eq!((channels[1].1.on_demand, channels[1].1.audio), (None, None));
    assert_eq!(channels[1].1.tls.insecure_skip_verify, Some(true));
    assert_eq!(
        (config.defaults.on_demand, config.defaults.audio),
        (Some(true), Some(true))
    );
}

#[test]
fn rtsptowebrtcs_streams_have_no_channels_and_have_sound() {
    let text = r#"{"server": {"http_port": ":8083"}, "streams": {"a": {"url": "rtsp://h/", "on_demand": true}, "b": {"url": "rtsp://h/", "disable_audio": true}}}"#;
    let (config, ..) = read(text).unwrap();
    let streams: Vec<_> = config
        .streams
        .0
        .iter()
        .map(|(_, stream)| (stream.on_demand, stream.audio))
        .collect();
    assert_eq!(streams, [(Some(true), Some(true)), (None, Some(false))]);
}

#[test]
fn ports_and_urls_are_read_as_go_reads_them() {
    for (text, expected) in [
        (":8083", "[::]:8083"),
        ("8083", "[::]:8083"),
        ("", "[::]:80"),
        (":https", "[::]:443"),
        ("127.0.0.1:8083", "127.0.0.1:8083"),
        ("localhost:80", "127.0.0.1:80"),
        ("[::1]:80", "[::1]:80"),
    ] {
        assert_eq!(
            address(text).map(|at| at.to_string()).as_deref(),
            Some(expected),
            "{text}"
        );
    }
    assert_eq!(address("host:port"), None);
    for (text, expected) in [
        ("rtsp://u:p@h/a?x=1&amp;y=2", "rtsp://u:p@h/a?x=1&y=2"),
        ("http://h/a", "rtsp://h/a"),
        ("RTSPS://h/a", "rtsps://h/a"),
        ("rtmp://h/a", "rtmp://h/a"),
        ("none", "none"),
    ] {
        assert_eq!(camera_url(text), expected);
    }
}

/// A keeper over a file of its own that holds `text`.
fn keeper(text: &str) -> (tempfile::TempDir, PathBuf, Keeper) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    fs::write(&file, text).unwrap();
    let read = Text::read(&file, None).unwrap();
    let loaded = read.check("config.json", &Environment::default()).unwrap();
    let keeper = Keeper::start(
        Registry::new(),
        Environment::default(),
        Some(file.clone()),
        read,
        loaded,
    )
    .unwrap();
    (directory, file, keeper)
}

fn set(keeper: &Keeper, path: &[&str], wanted: Json) {
    let Json::Object(wanted) = wanted else {
        panic!("an object is wanted")
    };
    let edited = keeper.edit(
        path,
        &Change::Set(wanted, Mode::Replace),
        &Condition::default(),
    );
    assert_eq!(edited.unwrap().unsaved, None);
}

#[tokio::test]
async fn changes_are_written_in_the_files_own_form_and_all_else_stays() {
    let text = r#"{"Server": {"http_login": "a", "http_password": "b", "mine": [1, 2]},
        "streams": {"bad id": {"channels": {}}, "a": {"note": "mine", "channels": {"0": {"URL": "rtsp://u:p@h/${x}", "status": 1, "debug": true, "insecure_skip_verify": true}}}, "b": {"channels": {"0": {"url": "rtsp://h/b"}}}}}"#;
    let (_directory, file, keeper) = keeper(text);
    assert_eq!(
        keeper.view().served["streams"]["a"]["channels"]["0"]["url"],
        "rtsp://***@h/${x}"
    );
    let channel = ["streams", "a", "channels", "0"];
    set(
        &keeper,
        &channel,
        json!({"url": "rtsps://u:p@h/2", "on_demand": true, "transport": "tcp", "tls": {"insecure_skip_verify": true}}),
    );
    set(
        &keeper,
        &["streams", "c"],
        json!({"name": "C", "channels": {"0": {"url": "rtsp://h/c"}}}),
    );
    keeper
        .edit(&["streams", "b"], &Change::Remove, &Condition::default())
        .unwrap();
    let written = fs::read_to_string(&file).unwrap();
    let expected = json!({
        "Server": {"http_login": "a", "http_password": "b", "mine": [1, 2]},
        "streams": {
            "bad id": {"channels": {}},
            "a": {"note": "mine", "channels": {"0": {"URL": "rtsps://u:p@h/2", "status": 1, "debug": true, "insecure_skip_verify": true, "on_demand": true, "transport": "tcp"}}},
            "c": {"name": "C", "channels": {"0": {"url": "rtsp://h/c"}}},
        }
    });
    assert_eq!(serde_json::from_str::<Json>(&written).unwrap(), expected);
    assert!(
        written.starts_with("{\n  \"Server\": {\n    \"http_login\": \"a\","),
        "{written}"
    );
    assert_eq!(
        fs::metadata(&file).unwrap().mode() & 0o777,
        0o600,
        "it holds passwords"
    );
    let (revision, served) = (keeper.view().revision, keeper.view().served.clone());
    fs::write(&file, &written).unwrap();
    keeper.reload();
    assert_eq!(
        keeper.view().served,
        served,
        "it says the same when it is read anew"
    );
    assert_eq!(
        keeper.view().revision,
        revision,
        "and the password has the same hash"
    );
}

#[test]
fn an_import_says_the_same_in_toml() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    fs::write(&file, WHOLE).unwrap();
    let toml = import(&file).unwrap();
    let mut imported = super::super::check("lunette.toml", &toml, &Environment::default())
        .unwrap()
        .config;
    let (read, ..) = read(WHOLE).unwrap();
    assert_eq!(imported.auth.users.0.len(), 1);
    imported.auth.users = read.auth.users.clone();
    assert_eq!(imported, read);
    assert!(toml.contains("\n# RTSPtoWeb's API and paths;"), "{toml}");
    assert!(toml.contains("\n# The one user of RTSPtoWeb"), "{toml}");
    let own = directory.path().join("lunette.toml");
    fs::write(&own, toml).unwrap();
    assert!(
        import(&own)
            .unwrap_err()
            .to_string()
            .contains("is TOML already")
    );
}

#[test]
fn a_hundred_streams_are_imported_and_mean_the_same() {
    let stream = |n: usize| {
        let channel = |kind: &str| {
            json!({"name": format!("{kind} \"{n}\""), "url": format!("rtsp://u:p${{n}}%40{n}@192.0.2.1:{}/{kind}?a=1&b={n}", 554 + n),
                "on_demand": n.is_multiple_of(2), "audio": n.is_multiple_of(3), "debug": true})
        };
        let id = format!("27aec28e-6181-4753-9acd-{n:012}");
        let channels = json!({"0": channel("main"), "1": channel("sub")});
        (
            id,
            json!({"name": format!("Yard {n} ☂"), "channels": channels}),
        )
    };
    let streams: Map<String, Json> = (0..100).map(stream).collect();
    let text = json!({"server": {"http_port": ":8083"}, "streams": streams}).to_string();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.json");
    fs::write(&file, &text).unwrap();
    let toml = import(&file).unwrap();
    let imported = super::super::check("lunette.toml", &toml, &Environment::default()).unwrap();
    let (meant, ..) = read(&text).unwrap();
    assert_eq!(imported.config, meant);
    assert_eq!(imported.streams.len(), 100);
    for (id, stream) in &meant.streams.0 {
        let n = id.as_str()[24..].parse::<usize>().unwrap();
        let url = stream.channels.0[0].1.url.as_ref().unwrap();
        let expected = format!(
            "rtsp://u:p${{n}}%40{n}@192.0.2.1:{}/main?a=1&b={n}",
            554 + n
        );
        assert_eq!(url.expose(), expected);
    }
}

#[test]
fn what_is_written_by_hand_and_is_no_json_is_told_by_line_and_column() {
    for (text, told) in [
        (
            "{\n  \"server\": {},\n}",
            "trailing comma at line 3 column 1",
        ),
        ("{\n  // mine\n}", "key must be a string at line 2 column 3"),
        (
            "{\"streams\": {\n  \"a\" {}\n}}",
            "expected `:` at line 2 column 7",
        ),
        (
            "{\n\"server\": {}",
            "EOF while parsing an object at line 2 column 12",
        ),
        ("{} {}", "trailing characters at line 1 column 4"),
    ] {
        let shown = read(text).unwrap_err();
        assert!(
            shown.contains("it is not JSON") && shown.contains(told),
            "{shown}"
        );
    }
    let (config, ..) = read("\u{feff}{\"streams\": {\"a\": {\"url\": \"rtsp://h/\"}}}").unwrap();
    assert_eq!(config.streams.0.len(), 1, "some editors begin so");
}
