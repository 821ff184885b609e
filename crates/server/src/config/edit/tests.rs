use serde_json::json;

use super::*;

const FILE: &str = "\
# Mine.
[server] # here
listen = \"127.0.0.1:8083\"

# The door.
[streams.front]
name = \"Front\"   # seen by people
url = \"rtsp://${USER}:${PASS}@h/1\"
ring.keep = \"2s\"

# The garden.
[streams.garden.channels.main]
url = \"rtsp://h/main\"
[streams.garden.channels.sub]
url = \"rtsp://h/sub\"
";

fn edited(path: &[&str], wanted: &Json, served: &Json, mode: Mode) -> Result<String, Vec<Refused>> {
    let mut document: DocumentMut = FILE.parse().unwrap();
    set(
        &mut document,
        path,
        wanted.as_object().unwrap(),
        Some(served),
        mode,
    )?;
    Ok(document.to_string())
}

fn served() -> Json {
    json!({"name": "Front", "url": "rtsp://***@h/1", "ring": {"keep": "2s"}})
}

#[test]
fn what_is_sent_back_as_it_was_served_changes_not_a_byte() {
    let text = edited(&["streams", "front"], &served(), &served(), Mode::Replace).unwrap();
    assert_eq!(text, FILE);
}

#[test]
fn a_change_leaves_comments_and_order_and_all_else() {
    let wanted = json!({"name": "Door", "url": "rtsp://***@h/1", "ring": {"keep": "2s"}});
    let text = edited(&["streams", "front"], &wanted, &served(), Mode::Replace).unwrap();
    assert_eq!(text, FILE.replace("\"Front\"", "\"Door\""));
    let text = edited(
        &["streams", "front"],
        &json!({"name": "Door"}),
        &served(),
        Mode::Merge,
    )
    .unwrap();
    assert_eq!(text, FILE.replace("\"Front\"", "\"Door\""));
}

#[test]
fn what_a_replacement_does_not_name_goes_and_null_removes() {
    let wanted = json!({"url": "rtsp://***@h/1"});
    let text = edited(&["streams", "front"], &wanted, &served(), Mode::Replace).unwrap();
    assert!(
        !text.contains("Front") && !text.contains("keep") && text.contains("${USER}"),
        "{text}"
    );
    let text = edited(
        &["streams", "front"],
        &json!({"ring": {"keep": null}}),
        &served(),
        Mode::Merge,
    )
    .unwrap();
    assert!(text.contains("Front") && !text.contains("keep"), "{text}");
}

#[test]
fn a_new_stream_stands_in_tables_that_people_would_write() {
    let wanted = json!({"name": "New", "ring": {"keep": "1s"}, "tls": {"ca_file": "/x"},
        "channels": {"main": {"url": "rtsp://h/9", "stall": "5s"}}});
    let mut document: DocumentMut = FILE.parse().unwrap();
    set(
        &mut document,
        &["streams", "new"],
        wanted.as_object().unwrap(),
        None,
        Mode::Replace,
    )
    .unwrap();
    let text = document.to_string();
    let added = text.strip_prefix(FILE).unwrap();
    assert_eq!(
        added,
        "\n[streams.new]\nname = \"New\"\nring.keep = \"1s\"\ntls.ca_file = \"/x\"\n\n\
        [streams.new.channels.main]\nurl = \"rtsp://h/9\"\nstall = \"5s\"\n"
    );
}

#[test]
fn channels_come_into_the_order_in_which_they_were_sent() {
    let main = json!({"url": "rtsp://h/main"});
    let sub = json!({"url": "rtsp://h/sub"});
    let served = json!({"channels": {"main": main, "sub": sub}});
    let wanted = json!({"channels": {"sub": sub, "main": main}});
    let text = edited(&["streams", "garden"], &wanted, &served, Mode::Replace).unwrap();
    assert!(
        text.find("channels.sub]") < text.find("channels.main]"),
        "{text}"
    );
    assert!(
        text.contains("# The garden.\n[streams.garden.channels.main]\n"),
        "{text}"
    );
}

#[test]
fn what_only_the_file_may_refer_to_and_masks_that_fit_nothing_are_refused() {
    let wanted =
        json!({"name": "${HOME}", "url": "rtsp://***@elsewhere/1", "password_file": "/etc/shadow"});
    let refused = edited(&["streams", "front"], &wanted, &served(), Mode::Replace).unwrap_err();
    let paths: Vec<_> = refused
        .iter()
        .map(|refused| refused.path.join("."))
        .collect();
    assert_eq!(paths, ["name", "url", "password_file"]);
}

#[test]
fn removing_takes_a_stream_or_a_channel_and_nothing_else() {
    let mut document: DocumentMut = FILE.parse().unwrap();
    assert!(remove(
        &mut document,
        &["streams", "garden", "channels", "main"]
    ));
    assert!(holds(&document, &["streams", "garden", "channels", "sub"]));
    assert!(!remove(&mut document, &["streams", "nobody"]));
    assert!(remove(&mut document, &["streams", "front"]));
    let text = document.to_string();
    assert!(
        text.starts_with("# Mine.\n[server] # here\n") && !text.contains("front"),
        "{text}"
    );
}

const LISTS: &str = "\
[webrtc]
ice_servers = [
  { url = \"stun:a\" },
  { url = \"turn:b\", username = \"u\", credential = \"${TURN}\" },
]

# The log.
[[webhooks]]
url = \"http://h/log\" # here
secret = \"s3cret\"
";

fn listed(wanted: &Json) -> Result<String, Vec<Refused>> {
    let served = json!({
        "webrtc": {"ice_servers": [{"url": "stun:a"}, {"url": "turn:b", "username": "u", "credential": "***"}]},
        "webhooks": [{"url": "http://h/log", "secret": "***"}]});
    let mut document: DocumentMut = LISTS.parse().unwrap();
    let wanted = wanted.as_object().unwrap();
    set(&mut document, &[], wanted, Some(&served), Mode::Merge)?;
    Ok(document.to_string())
}

#[test]
fn what_is_in_a_list_keeps_its_secret_wherever_it_goes() {
    let turn = json!({"url": "turn:b", "username": "me", "credential": "***"});
    let text = listed(&json!({"webrtc": {"ice_servers": [turn, {"url": "stun:c"}]},
        "webhooks": [{"url": "http://h/new"}, {"url": "http://h/log", "secret": "***", "events": ["stream.*"]}]}))
    .unwrap();
    let toml: toml::Table = text.parse().unwrap();
    let servers = toml["webrtc"]["ice_servers"].as_array().unwrap();
    assert_eq!(servers.len(), 2);
    assert_eq!(servers[0]["credential"].as_str(), Some("${TURN}"));
    assert_eq!(servers[0]["username"].as_str(), Some("me"));
    let hooks = toml["webhooks"].as_array().unwrap();
    assert_eq!(hooks[0]["url"].as_str(), Some("http://h/new"));
    assert!(hooks[0].get("secret").is_none());
    assert_eq!(hooks[1]["secret"].as_str(), Some("s3cret"));
    assert!(text.contains("# here\n"), "{text}");
}

#[test]
fn a_mask_in_a_list_stands_for_the_secret_of_that_one_alone() {
    for (wanted, at) in [
        (
            json!({"webhooks": [{"url": "http://elsewhere/", "secret": "***"}]}),
            "webhooks.0.secret",
        ),
        (
            json!({"webrtc": {"ice_servers": [{"url": "stun:a"}, {"url": "turn:evil", "username": "u", "credential": "***"}]}}),
            "webrtc.ice_servers.1.credential",
        ),
        (
            json!({"webhooks": [{"url": "http://h/log", "secret": "${AWS_SECRET}"}]}),
            "webhooks.0.secret",
        ),
        (
            json!({"webhooks": [{"url": "http://h/log"}, 1, {"secret_file": "/etc/shadow"}]}),
            "webhooks",
        ),
        (
            json!({"tls": {"acme": {"cache": "/etc"}}}),
            "tls.acme.cache",
        ),
    ] {
        let refused = listed(&wanted).unwrap_err();
        assert_eq!(refused[0].path.join("."), at, "{wanted}");
    }
}

#[test]
fn what_a_section_names_stands_in_tables_that_people_would_write() {
    let wanted = json!({"server": {"drain": "2s"}, "webrtc": {"ice_servers": []},
        "auth": {"session": "1h", "users": {"ann": {"role": "viewer", "password_hash": "x"}}, "jwt": {"issuer": "us"}}});
    let text = listed(&wanted).unwrap();
    for part in [
        "[server]\ndrain = \"2s\"\n",
        "[auth]\nsession = \"1h\"\njwt.issuer = \"us\"\n",
        "[auth.users.ann]\nrole = \"viewer\"\npassword_hash = \"x\"\n",
        "# The log.\n[[webhooks]]\n",
        "ice_servers = []\n",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(
        listed(&json!({"webhooks": null})).unwrap().find("webhooks"),
        None
    );
}
