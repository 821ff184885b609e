//! The section `server`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use auth::PasswordHash;
use ingest_rtsp::Secret;
use serde_json::{Map, Value as Json};
use toml_edit::{Array, InlineTable, Value, value};

use super::read::Reading;
use super::{escaped, get, wrong};

/// Where RTSPtoWeb serves `https` if `https_port` is empty.
const HTTPS: &str = ":443";
/// Where recordings are kept: beneath the working directory, as with RTSPtoWeb.
const SAVE: &str = "save";
/// All keys that RTSPtoWeb knows, and those that people misplace here.
const KNOWN: [&str; 25] = [
    "debug",
    "log_level",
    "http_demo",
    "http_debug",
    "http_login",
    "http_password",
    "http_auth",
    "http_dir",
    "http_port",
    "rtsp_port",
    "https",
    "https_port",
    "https_cert",
    "https_key",
    "https_auto_tls",
    "https_auto_tls_name",
    "ice_servers",
    "ice_username",
    "ice_credential",
    "ice_candidates",
    "webrtc_port_min",
    "webrtc_port_max",
    "token",
    "defaults",
    "channel_defaults",
];

/// The one user of RTSPtoWeb. Hashing a password gives another hash each time, so it is kept.
#[derive(Clone)]
pub(super) struct Login {
    name: String,
    password: Secret,
    hash: String,
}

impl Reading<'_> {
    pub(super) fn server(&mut self) {
        let json = self.json;
        let empty = Map::new();
        let server = self.object(json, &["server"]).unwrap_or(&empty);
        for key in server.keys() {
            if !KNOWN.iter().any(|known| known.eq_ignore_ascii_case(key)) {
                self.warn(format!(
                    "`server.{key}` is no key of RTSPtoWeb's; it is ignored, and kept"
                ));
            }
        }
        let http = self.address(server, "http_port", ":8083");
        if let Some(http) = http {
            self.table(&["server"])
                .insert("listen", value(http.to_string()));
        }
        // Without a port of its own it has any one there.
        if get(server, "rtsp_port").is_some_and(|port| port != "")
            && let Some(rtsp) = self.address(server, "rtsp_port", "")
        {
            self.table(&["rtsp"])
                .insert("listen", value(rtsp.to_string()));
        }
        let tokens = self.tokens(server);
        self.people(server, tokens);
        self.https(server);
        self.ice(server);
        self.webrtc_port(server);
        self.log(server);
        self.compat();
        if let Some(directory) = self.some_text(server, &["server", "http_dir"])
            && directory != "web"
        {
            self.warn(format!("`http_dir` ({directory}) is ignored: the pages are in the program; --web-dir names others"));
        }
    }

    fn compat(&mut self) {
        let compat = self.table(&["compat"]);
        compat.insert("rtsptoweb", value(true));
        compat.insert("save_dir", value(SAVE));
    }

    fn log(&mut self, server: &Map<String, Json>) {
        let debug = self.truth(server, &["server", "debug"]);
        let level = self.some_text(server, &["server", "log_level"]);
        let known = match level.as_deref() {
            Some("trace") => Some("trace"),
            Some("debug") => Some("debug"),
            Some("warn" | "warning") => Some("warn"),
            Some("error" | "fatal" | "panic") => Some("error"),
            _ => None,
        };
        // Without `debug`, RTSPtoWeb says nothing at all, which helps nobody.
        if let Some(level) = known.filter(|_| debug == Some(true)) {
            self.table(&["log"]).insert("level", value(level));
        }
    }

    /// An address, written as Go has it: `:8083` is every address of this machine.
    fn address(
        &mut self,
        server: &Map<String, Json>,
        key: &str,
        usual: &str,
    ) -> Option<SocketAddr> {
        let text = match get(server, key) {
            Some(Json::Number(port)) => format!(":{port}"),
            Some(_) => self.text(server, &["server", key])?,
            None => usual.to_owned(),
        };
        let found = address(&text);
        if found.is_none() {
            let told = "this is no port; write one such as \":8083\", or an address such as \"127.0.0.1:8083\"";
            self.issues.push(wrong(&["server", key], told));
        }
        found
    }

    /// Who may control: the one user; and who may watch: everybody, unless there are tokens.
    fn people(&mut self, server: &Map<String, Json>, tokens: bool) {
        let name = self.some_text(server, &["server", "http_login"]);
        let password = self.some_text(server, &["server", "http_password"]);
        let pages = self.truth(server, &["server", "http_demo"]) != Some(false);
        let open = self.truth(server, &["server", "http_auth"]) != Some(true);
        let auth = self.table(&["auth"]);
        let anonymous: &[&str] = if tokens { &[] } else { &["watch"] };
        auth.insert(
            "anonymous",
            value(anonymous.iter().copied().collect::<Array>()),
        );
        if !(pages && open) {
            auth.insert("anonymous_lists", value(false));
        }
        let (Some(name), Some(password)) = (name, password) else {
            self.warn("there is no `http_login` with an `http_password`: RTSPtoWeb would let everybody change everything; here nobody may, over the network, until there are both");
            return;
        };
        if (name.as_str(), password.as_str()) == ("demo", "demo") {
            self.warn("the password is the one that RTSPtoWeb is shipped with, demo: whoever reaches this server may read the cameras' passwords and change everything; change `http_login` and `http_password`");
        }
        if open && pages && !tokens {
            self.warn("`http_auth` is off: everybody may watch, and see the list of streams; turn it on to have the list for those alone who log in");
        }
        let Some(hash) = self.hash(&name, &password) else {
            return;
        };
        let user = self.table(&["auth", "users", &name]);
        user.insert("password_hash", value(hash));
        user.insert("role", value("admin"));
    }

    /// The hash of `password`: that of before, where nothing has changed.
    fn hash(&mut self, name: &str, password: &str) -> Option<String> {
        let same = |login: &&Login| login.name == name && login.password.expose() == password;
        if let Some(login) = self.login.as_ref().filter(same) {
            return Some(login.hash.clone());
        }
        let hash = match PasswordHash::of(password) {
            Ok(hash) => hash.to_string(),
            Err(error) => return self.not(&["server", "http_password"], &error),
        };
        self.login = Some(Login {
            name: name.to_owned(),
            password: Secret::new(password),
            hash: hash.clone(),
        });
        Some(hash)
    }

    /// Who is asked about tokens, if somebody is.
    fn tokens(&mut self, server: &Map<String, Json>) -> bool {
        let Some(token) = self.object(server, &["server", "token"]) else {
            return false;
        };
        if self.truth(token, &["server", "token", "enable"]) != Some(true) {
            return false;
        }
        let backend = self
            .text(token, &["server", "token", "backend"])
            .unwrap_or_default();
        self.table(&["auth", "token_backend"])
            .insert("url", value(escaped(&backend)));
        self.warn("tokens are asked for on all media URLs; RTSPtoWeb leaves those of HLS segments, of LL-HLS playlists and of parts open");
        true
    }

    fn https(&mut self, server: &Map<String, Json>) {
        if self.truth(server, &["server", "https"]) != Some(true) {
            return;
        }
        let Some(listen) = self.address(server, "https_port", HTTPS) else {
            return;
        };
        let automatic = self.truth(server, &["server", "https_auto_tls"]) == Some(true);
        let name = self.some_text(server, &["server", "https_auto_tls_name"]);
        let certificate = self.some_text(server, &["server", "https_cert"]);
        let key = self.some_text(server, &["server", "https_key"]);
        let tls = self.table(&["tls"]);
        tls.insert("listen", value(listen.to_string()));
        if let (true, Some(name)) = (automatic, name) {
            // RTSPtoWeb's own attempt at it has a port in the name.
            let name = name.split(':').next().unwrap_or_default();
            let mut acme = InlineTable::new();
            acme.insert("domains", Array::from_iter([name]).into());
            tls.insert("acme", value(acme));
            return;
        }
        tls.insert(
            "certificate",
            value(escaped(certificate.as_deref().unwrap_or("server.crt"))),
        );
        tls.insert(
            "key",
            value(escaped(key.as_deref().unwrap_or("server.key"))),
        );
    }

    fn ice(&mut self, server: &Map<String, Json>) {
        let servers = self.texts(server, "ice_servers");
        let username = self.some_text(server, &["server", "ice_username"]);
        let credential = self.some_text(server, &["server", "ice_credential"]);
        let mut advertise: Array = self
            .texts(server, "ice_candidates")
            .iter()
            .map(|at| escaped(at))
            .collect();
        let mut told = Array::new();
        for url in &servers {
            let mut one = InlineTable::new();
            one.insert("url", escaped(url).into());
            if url.starts_with("turn") {
                let pairs = [("username", &username), ("credential", &credential)];
                for (key, text) in pairs {
                    if let Some(text) = text {
                        one.insert(key, escaped(text).into());
                    }
                }
            } else if let Some(host) = url.strip_prefix("stun:") {
                // RTSPtoWeb asks them what its own public address is.
                let host = host.split('?').next().unwrap_or_default();
                let port = if host.contains(':') { "" } else { ":3478" };
                advertise.push(format!("stun:{host}{port}"));
            }
            told.push(Value::InlineTable(one));
        }
        if !told.is_empty() {
            self.table(&["webrtc"]).insert("ice_servers", value(told));
        }
        if !advertise.is_empty() {
            self.table(&["webrtc"])
                .insert("advertise", value(advertise));
        }
    }

    /// All viewers share one port here: the first of the range, which a firewall lets pass.
    fn webrtc_port(&mut self, server: &Map<String, Json>) {
        let port = |key| {
            get(server, key)
                .and_then(Json::as_u64)
                .and_then(|port| u16::try_from(port).ok())
        };
        let (Some(first), Some(last)) = (port("webrtc_port_min"), port("webrtc_port_max")) else {
            return;
        };
        if first == 0 || last <= first {
            return;
        }
        let listen = SocketAddr::new(everywhere(), first);
        self.table(&["webrtc"])
            .insert("listen", value(listen.to_string()));
        self.warn(format!(
            "all viewers of WebRTC share the port {first}; the others up to {last} are not used"
        ));
    }

    fn texts(&mut self, server: &Map<String, Json>, key: &str) -> Vec<String> {
        match get(server, key) {
            None => Vec::new(),
            Some(Json::Array(all)) if all.iter().all(Json::is_string) => all
                .iter()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect(),
            Some(_) => self
                .not(
                    &["server", key],
                    "this must be a list of texts: [\"…\", \"…\"]",
                )
                .unwrap_or_default(),
        }
    }
}

/// All addresses of this machine, those of IPv4 among them.
fn everywhere() -> IpAddr {
    Ipv6Addr::UNSPECIFIED.into()
}

/// What Go listens on where it is told `text`.
pub(super) fn address(text: &str) -> Option<SocketAddr> {
    if text.is_empty() {
        return Some(SocketAddr::new(everywhere(), 80));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let port = match port {
        "http" => 80,
        "https" => 443,
        port => port.parse().ok()?,
    };
    let host = match host.trim_start_matches('[').trim_end_matches(']') {
        "" => everywhere(),
        "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.parse().ok()?,
    };
    Some(SocketAddr::new(host, port))
}
