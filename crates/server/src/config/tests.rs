use std::time::Duration;

use hub::RingBounds;

use super::*;

const SAMPLE: &str = include_str!("../../../../config/lunette.toml");

fn testdata(name: &str) -> String {
    format!("{}/src/config/testdata/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The sample with the `#` taken off each line that holds a key or a table, and files that exist.
fn uncommented() -> String {
    SAMPLE
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(code) if !code.starts_with(' ') && !code.is_empty() => code,
            _ => line,
        })
        .collect::<Vec<_>>()
        .join("\n")
        .replace("/etc/lunette/cameras.pem", &testdata("ca.pem"))
        .replace("/etc/lunette/certificate.pem", &testdata("certificate.pem"))
        .replace("/etc/lunette/issuer.pem", &testdata("issuer.pem"))
        .replace("at least 32 random characters", &"k".repeat(32))
        .replace("/etc/lunette/key.pem", &testdata("key.pem"))
        .replace("/run/secrets/", &testdata("secrets/"))
}

fn report(text: &str) -> String {
    match check("t.toml", text, &Environment::default()) {
        Ok(loaded) => panic!("expected problems, got {loaded:?}"),
        Err(report) => report.to_string(),
    }
}

#[test]
fn the_sample_as_shipped_is_the_default() {
    let loaded = check("sample", SAMPLE, &Environment::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.streams.is_empty());
}

#[test]
fn the_sample_with_every_key_uncommented_is_good_and_shows_the_defaults() {
    let loaded = check("sample", &uncommented(), &Environment::default()).unwrap();
    let Config {
        server,
        tls,
        auth,
        metrics,
        log,
        hls,
        webrtc,
        compat,
        rtsp,
        defaults,
        streams,
        webhooks,
    } = loaded.config;
    assert_eq!(webhooks.len(), 2);
    assert_eq!((server, log), (Server::default(), Log::default()));
    let others = Auth::default();
    assert_eq!(
        (auth.session, auth.media_url),
        (others.session, others.media_url)
    );
    assert_eq!(
        (auth.jwt.leeway, &auth.jwt.claim),
        (others.jwt.leeway, &others.jwt.claim)
    );
    let (backend, other) = (&auth.token_backend, &others.token_backend);
    assert_eq!(
        (backend.timeout, backend.cache),
        (other.timeout, other.cache)
    );
    assert_eq!(tls.acme.directory, ServerTls::default().acme.directory);
    assert_eq!((hls, loaded.hls), (Hls::default(), Settings::default()));
    let policy = Channel::default().policy(&defaults);
    assert_eq!(policy, hub::Policy::default());
    assert_eq!(metrics, Metrics::default());
    let save_dir = compat.save_dir.clone();
    assert_eq!(
        compat,
        Compat {
            save_dir,
            ..Compat::default()
        }
    );
    assert_eq!(webrtc.listen.map(|at| at.port()), Some(egress_webrtc::PORT));
    assert_eq!(rtsp, shown_rtsp(&rtsp));
    let ids: Vec<_> = streams.0.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["front", "garden", "yard", "roof"]);
    assert_eq!(loaded.streams.len(), 4);
}

/// The defaults, with what they leave open and the sample shows.
fn shown_rtsp(sample: &Rtsp) -> Rtsp {
    assert_eq!(sample.listen.map(|at| at.port()), Some(egress_rtsp::PORT));
    Rtsp {
        listen: sample.listen,
        tls_listen: sample.tls_listen,
        udp_port: Some(egress_rtsp::UDP_PORT),
        ..Rtsp::default()
    }
}

#[test]
fn the_sample_shows_every_key_there_is() {
    let text = uncommented();
    for table in [
        "server",
        "tls",
        "tls.acme",
        "auth",
        "auth.users.x",
        "auth.keys.x",
        "auth.jwt",
        "auth.token_backend",
        "metrics",
        "log",
        "hls",
        "webrtc",
        "compat",
        "rtsp",
        "defaults",
        "streams.x",
        "streams.x.channels.y",
        "[webhooks]",
    ] {
        let told = report(&format!("[{table}]\nzzzzzz = 1"));
        let (_, known) = told.split_once("there are: ").unwrap();
        for key in known.lines().next().unwrap().split(", ") {
            let shown = text
                .lines()
                .any(|line| line.starts_with(key) || line.contains(&format!(".{key}")));
            assert!(
                shown,
                "config/lunette.toml does not show `{key}` of [{table}]"
            );
        }
    }
}

#[test]
fn all_problems_are_told_at_once_with_line_column_and_key() {
    let told = report(
        "[server]\nlissten = \"127.0.0.1:80\"\n[defaults]\nlinger = \"soon\"\nstall = \"0s\"\nring.bytes = 5\n\
         [streams.\"a b\"]\nurl = \"rtsp://h/\"\n[streams.c]\nurl = \"http://h/\"\n[streams.d]\nname = \"d\"\n",
    );
    for expected in [
        "t.toml: 7 problems",
        "t.toml:2:1: server.lissten: there is no key `lissten` in [server]; did you mean `listen`?",
        "t.toml:4:10: defaults.linger: `soon` is no length of time",
        "     4 | linger = \"soon\"",
        "t.toml:5:9: defaults.stall: `0s` must be longer than zero",
        "t.toml:6:14: defaults.ring.bytes: invalid type: integer `5`, expected a size in quotes",
        "t.toml:7:10: streams.a b: `a b` can't be an id",
        "streams.c.url: `http` is no scheme of a camera",
        "streams.d: this stream has no `url`",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
}

#[test]
fn no_report_shows_a_secret() {
    for text in [
        "[streams.a]\nurl = \"http://admin:hunter2@h/\"",
        "[streams.a]\nurl = \"rtsp://admin:hunter2/x@h/\"",
        "[streams.a]\nurl = \"rtsp://admin:x@h/\"\nusername = \"b\"\npassword = \"hunter2\"",
        "[streams.a]\nurl = \"rtsp://h/\"\npassword = \"hunter2\"",
        "[streams.a]\npasword = \"hunter2\"",
        "[streams.a]\nurl = \"admin:hunter2@h/\"",
        "[streams.a]\nurl = \"rtsp://h/\"\npassword = \"hunter2",
        "[streams.a]\nurl = \"rtsp://admin:hunter2@h/",
        "[streams.a]\nurl = rtsp://admin:hunter2@h/",
        "[streams]\na = { url = \"rtsp://h/\", username = \"b\", password = \"hunter2\", x = 1 }",
        "[streams.a]\npassword = [\"hunter2\"]",
        "[streams.a]\non_demand = \"rtsp://admin:hunter2@h/\"",
        "[streams.a]\nurl = \"rtsp://h/\"\npassword = \"\"\"\nhunter2\n\"",
        "password = hunter2",
    ] {
        let told = report(text);
        assert!(!told.contains("hunter2"), "{text}\n\n{told}");
    }
    let told = report("[streams.a]\nurl = \"rtsp://h/\"\npassword = 2718281828");
    assert!(!told.contains("2718281828"), "{told}");
    let loaded = check(
        "t",
        "[streams.a]\nurl = \"rtsp://h/\"\nusername = \"b\"\npassword = \"hunter2\"",
        &Environment::default(),
    )
    .unwrap();
    assert!(!format!("{loaded:?}").contains("hunter2"));
}

#[test]
fn a_channel_says_what_its_stream_leaves_open_and_the_defaults_say_the_rest() {
    let loaded = check(
        "t",
        "[defaults]\nlinger = \"1s\"\nring.keep = \"6s\"\n\
         [streams.a]\nurl = \"rtsp://h/\"\n\
         [streams.b]\non_demand = false\nring.bytes = \"8MiB\"\n\
         [streams.b.channels.sub]\nurl = \"rtsp://h/2\"\nstall = \"1m\"\n\
         [streams.b.channels.main]\nurl = \"rtsp://h/1\"\non_demand = true\n",
        &Environment::default(),
    )
    .unwrap();
    let [a, b] = loaded.streams.try_into().unwrap();
    assert_eq!(a.channels[0].id.as_str(), "0");
    assert!(a.channels[0].policy.on_demand);
    let ids: Vec<_> = b
        .channels
        .iter()
        .map(|channel| channel.id.as_str())
        .collect();
    assert_eq!(ids, ["sub", "main"], "the order of the file");
    let sub = b.channels[0].policy;
    let expected = hub::Policy {
        on_demand: false,
        linger: Duration::from_secs(1),
        stall: Duration::from_secs(60),
        ring: RingBounds {
            keep: Duration::from_secs(6),
            bytes: 8 << 20,
        },
    };
    assert_eq!(sub, expected);
    assert!(b.channels[1].policy.on_demand);
}

#[test]
fn a_stream_has_either_a_url_or_channels() {
    let told = report("[streams.a]\nurl = \"rtsp://h/\"\nchannels.x.url = \"rtsp://h/\"");
    assert!(
        told.contains("t.toml:2:1: streams.a.url: a stream has either"),
        "{told}"
    );
    let told = report("[streams.a.channels.x]\nnames = \"rtsp://h/\"\n[streams.b.channels.y]\n");
    assert!(
        told.contains("there is no key `names` in [streams.a.channels.x]"),
        "{told}"
    );
    assert!(
        told.contains("streams.b.channels.y: this channel has no `url`"),
        "{told}"
    );
}

#[test]
fn an_address_without_a_port_is_told_what_is_missing() {
    let told = report("[server]\nlisten = \"localhost\"\n[log]\nlevel = \"loud\"");
    assert!(
        told.contains("server.listen: `localhost` is no address with a port"),
        "{told}"
    );
    assert!(
        told.contains("log.level: unknown variant `loud`, expected one of `off`"),
        "{told}"
    );
}

#[test]
fn what_hls_can_not_be_is_told_with_its_key() {
    let told =
        report("[hls]\npart = \"100ms\"\nsegment = \"2500ms\"\nwindow = \"5s\"\nmax_blocked = 0\n");
    for expected in [
        "t.toml:2:1: hls.part: a part is",
        "t.toml:3:1: hls.segment: a segment lasts whole seconds",
        "t.toml:4:1: hls.window: a playlist lists at least",
        "t.toml:5:1: hls.max_blocked: LL-HLS is made of",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let told = report("[server\nlisten = 1\n");
    assert!(told.contains("t.toml:1:8: this is not TOML"), "{told}");
    let told = report("[streams.a]\nurl = \"rtsp://a/\"\n[streams.a]\n");
    assert!(told.contains("t.toml:3:"), "{told}");
}

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, Report> {
    check("t.toml", text, &Environment::of(variables))
}

#[test]
fn the_environment_counts_more_than_the_file() {
    let loaded = with(
        "[server]\nlisten = \"127.0.0.1:1\"\n[streams.front-door]\nurl = \"rtsp://h/\"\n",
        &[
            ("LUNETTE_SERVER__LISTEN", "0.0.0.0:2"),
            ("LUNETTE_LOG__LEVEL", "debug"),
            ("LUNETTE_DEFAULTS__ON_DEMAND", "false"),
            ("LUNETTE_DEFAULTS__RING__KEEP", "6s"),
            ("LUNETTE_STREAMS__FRONT_DOOR__USERNAME", "admin"),
            ("LUNETTE_STREAMS__FRONT_DOOR__PASSWORD", "2718"),
            ("LUNETTE_SERVER__TRUSTED_PROXIES", "[\"10.0.0.0/8\"]"),
            ("LUNETTE_BIN", "/bin/lunette"),
        ],
    )
    .unwrap();
    let config = loaded.config;
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:2");
    assert_eq!(config.server.trusted_proxies.len(), 1);
    assert_eq!(config.log.level, Level::Debug);
    assert_eq!(config.defaults.on_demand, Some(false));
    assert_eq!(config.streams.0.len(), 1);
    let (_, stream) = &config.streams.0[0];
    assert!(stream.username.as_deref() == Some("admin") && stream.password.is_some());
}

#[test]
fn what_is_wrong_in_the_environment_is_told_with_the_variable() {
    let told = with(
        "",
        &[
            ("LUNETTE_SERVER__LISSTEN", "x"),
            ("LUNETTE_DEFAULTS__LINGER", "5"),
            ("LUNETTE_STREAMS__A__URL", "http://admin:hunter2@h/"),
        ],
    )
    .unwrap_err()
    .to_string();
    for expected in [
        "LUNETTE_SERVER__LISSTEN, an environment variable: server.lissten: there is no key `lissten` in [server]; did you mean `listen`?",
        "LUNETTE_DEFAULTS__LINGER, an environment variable: defaults.linger: `5` is no length of time",
        "LUNETTE_STREAMS__A__URL, an environment variable: streams.a.url: `http` is no scheme",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn texts_may_refer_to_the_environment_and_no_report_shows_what_they_stand_for() {
    let text = "[streams.a]\nname = \"${SITE:-Main} $${x}\"\nurl = \"rtsp://${WHO}:${PASS}@h/\"\n";
    let variables = [("WHO", "admin"), ("PASS", "hunter2")];
    let loaded = with(text, &variables).unwrap();
    let (_, stream) = &loaded.config.streams.0[0];
    assert_eq!(stream.name, "Main ${x}");
    assert_eq!(
        stream.url.as_ref().map(Url::expose),
        Some("rtsp://admin:hunter2@h/")
    );
    let served = serde_json::to_string(&loaded.config).unwrap();
    assert!(
        !served.contains("hunter2") && served.contains("rtsp://***@h/"),
        "{served}"
    );
    let told = with(text, &[]).unwrap_err().to_string();
    assert!(
        told.contains("t.toml:3:7: streams.a.url: there is no environment variable `WHO`"),
        "{told}"
    );
    let told = with("[defaults]\nlinger = \"${PASS}\"", &variables)
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("`${PASS}` is no length of time") && !told.contains("hunter2"),
        "{told}"
    );
}

#[test]
fn secrets_may_stand_in_files_of_their_own() {
    let file = testdata("secrets/password");
    let stream = |more: &str| format!("[streams.a]\nurl = \"rtsp://h/\"\nusername = \"b\"\n{more}");
    let with_file = with(&stream(&format!("password_file = {file:?}")), &[]).unwrap();
    let inline = with(&stream("password = \"s3cret\""), &[]).unwrap();
    let print = |loaded: &Loaded| loaded.streams[0].channels[0].source.fingerprint();
    assert_eq!(print(&with_file), print(&inline));
    for (more, expected) in [
        (
            "password_file = \"/nowhere\"",
            "streams.a.password_file: can't read /nowhere",
        ),
        (
            "password = \"x\"\npassword_file = \"/nowhere\"",
            "streams.a.password_file: write `password` or `password_file`, not both",
        ),
    ] {
        let told = with(&stream(more), &[]).unwrap_err().to_string();
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn what_a_webhook_can_not_be_is_told_with_its_number() {
    let told = report(
        "[[webhooks]]\nurl = \"https://h/\"\n[[webhooks]]\nurl = \"ftp://h/\"\nevents = [\"stream.gone\"]\n[[webhooks]]\nurll = 1\n",
    );
    for expected in [
        "webhooks.1.url: a webhook is called by HTTP",
        "webhooks.1.events: there is no event `stream.gone`",
        "webhooks.2.urll: there is no key `urll`",
    ] {
        assert!(told.contains(expected), "{expected:?} is not in:\n{told}");
    }
}
